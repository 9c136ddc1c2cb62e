"""The client of VaultService: one method a call of the contract, and a few for what is common."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Unpack

from pdvault_client import _answers, _requests
from pdvault_client._contract import VAULT
from pdvault_client._hidden import Hidden
from pdvault_client.connection import Connection
from pdvault_client.options import CallOptions, SeriesOptions
from pdvault_client.results import Results
from pdvault_client.types import (
    Atomicity,
    Candidate,
    Description,
    Form,
    IssuedToken,
    NewValue,
    Page,
    Replacement,
    Revealed,
    RevealItem,
    SubjectQuery,
    Taxonomy,
    ValueQuery,
)

_ALL = Atomicity.ALL_OR_NOTHING


class VaultClient(Connection):
    """A connection to the vault. Any number of threads may use it; make it after forking. Use it in ``with``, or close it.

    Every method raises VaultError, or the subclass for its reason. UNAVAILABLE is retried within the deadline.
    """

    _service = VAULT

    def tokenize(
        self, items: Sequence[NewValue], *, atomicity: Atomicity = _ALL, **options: Unpack[CallOptions]
    ) -> Results[IssuedToken]:
        """Store at most 1,000 values (4 MiB in all) and get a token for each."""
        body = _requests.many("items", items, _requests.new_value, atomicity)
        return self._many("Tokenize", body, len(items), _answers.issued, atomicity, options)

    def tokenize_one(self, subject_id: str, data_class: str, value: str | bytes, **options: Unpack[CallOptions]) -> str:
        """Store a value and get its token; for one that expires or is limited, ``tokenize`` a NewValue."""
        item = NewValue(subject_id, data_class, value)
        del subject_id, value  # error reporters print the locals of frames
        return self.tokenize([item], **options)[0].token

    def tokenize_many(
        self, items: Iterable[NewValue], *, batch_size: int = 500, **options: Unpack[SeriesOptions]
    ) -> Iterator[tuple[NewValue, str]]:
        """Store any number of values, batch by batch, each batch all or nothing.

        Yields:
            each item with its token, once its batch is stored. What was yielded before an error is stored; of the batch that
            failed nothing is, except perhaps with DeadlineExceededError and UnavailableError.
        """
        for batch in _requests.batches(items, batch_size):
            for item, issued in zip(batch, self.tokenize(batch, **options), strict=True):
                yield item, issued.token

    def reveal(
        self,
        items: Sequence[str | RevealItem],
        *,
        form: Form = Form.MASKED,
        atomicity: Atomicity = _ALL,
        **options: Unpack[CallOptions],
    ) -> Results[Revealed]:
        """Get the values of at most 1,000 tokens, 4 MiB in all. Takes one reveal of each limited token.

        Args:
            items: tokens, which come out in ``form``, or RevealItems with a form of their own.
            form: masked unless you say otherwise.
            atomicity: what one failing item does to the others.
            options: see CallOptions.

        Raises:
            RevealAlreadyDeliveredError: a limited token's reveal was taken by an attempt whose answer got lost.
            ResponseTooLargeError: the answer would exceed 4 MiB; nothing was taken.
            VaultError: any other refusal.
        """
        body = _requests.many("items", items, _requests.reveal_item(form), atomicity)
        return self._many("Reveal", body, len(items), _answers.revealed, atomicity, options)

    def reveal_one(self, token: str, *, form: Form = Form.MASKED, **options: Unpack[CallOptions]) -> Revealed:
        """Get one value; see ``reveal``."""
        return self.reveal([token], form=form, **options)[0]

    def verify(
        self, candidates: Sequence[Candidate], *, atomicity: Atomicity = _ALL, **options: Unpack[CallOptions]
    ) -> Results[bool]:
        """Whether each candidate equals the stored value, without releasing it."""
        body = _requests.many("items", candidates, _requests.candidate, atomicity)
        return self._many("Verify", body, len(candidates), _answers.matches, atomicity, options)

    def verify_one(self, token: str, value: str | bytes, **options: Unpack[CallOptions]) -> bool:
        """Whether a candidate equals the stored value."""
        candidate = Candidate(token, value)
        del value  # error reporters print the locals of frames
        return self.verify([candidate], **options)[0]

    def search(
        self,
        queries: Sequence[ValueQuery | SubjectQuery],
        *,
        page_size: int = 0,
        page_token: str = "",
        atomicity: Atomicity = _ALL,
        **options: Unpack[CallOptions],
    ) -> Results[Page]:
        """Find items by value or by subject: a page for each query. ``page_token`` goes with exactly one."""
        body = _requests.many("queries", queries, _requests.query, atomicity, page_size=page_size, page_token=page_token)
        return self._many("Search", body, len(queries), _answers.page, atomicity, options)

    def search_by_value(
        self, data_class: str, value: str | bytes, *, page_size: int = 0, **options: Unpack[SeriesOptions]
    ) -> Iterator[Description]:
        """All items of a class whose normalised value equals this one, page by page as you go."""
        return self._pages(ValueQuery(data_class, value), page_size, options)

    def search_by_subject(
        self, subject_id: str, data_class: str = "", *, page_size: int = 0, **options: Unpack[SeriesOptions]
    ) -> Iterator[Description]:
        """All items of a subject, of one class or of all, page by page as you go."""
        return self._pages(SubjectQuery(subject_id, data_class), page_size, options)

    def describe(
        self, tokens: Sequence[str], *, atomicity: Atomicity = _ALL, **options: Unpack[CallOptions]
    ) -> Results[Description]:
        """What is known about tokens; never touches a value."""
        body = _requests.many("tokens", tokens, _requests.token, atomicity)
        return self._many("Describe", body, len(tokens), _answers.description, atomicity, options)

    def update(self, items: Sequence[Replacement], *, atomicity: Atomicity = _ALL, **options: Unpack[CallOptions]) -> Results[int]:
        """Replace values, keep their tokens, get the new revisions."""
        body = _requests.many("items", items, _requests.replacement, atomicity)
        return self._many("Update", body, len(items), _answers.revision, atomicity, options)

    def delete(self, tokens: Sequence[str], *, atomicity: Atomicity = _ALL, **options: Unpack[CallOptions]) -> Results[None]:
        """Remove the items behind tokens, with all their other tokens."""
        body = _requests.many("tokens", tokens, _requests.token, atomicity)
        return self._many("Delete", body, len(tokens), _answers.nothing, atomicity, options)

    def list_data_classes(self, **options: Unpack[CallOptions]) -> Taxonomy:
        """The kinds of value the tenant may store."""
        return _answers.taxonomy(self._call("ListDataClasses", Hidden({}), **options))

    def _pages(self, query: ValueQuery | SubjectQuery, page_size: int, options: SeriesOptions) -> Iterator[Description]:
        page_token = ""
        while True:
            page = self.search([query], page_size=page_size, page_token=page_token, **options)[0]
            yield from page.items
            page_token = page.next_page_token
            if not page_token:
                return
