"""What the demo asks of the vault once everybody is in it: a search, each form, two refusals, and a token for one use."""

from collections.abc import Callable
from dataclasses import dataclass

from deploy.demo.people import Person
from deploy.demo.story import Story
from deploy.demo.tokens_csv import PURPOSES
from pdvault_client import (
    AuditClient,
    Form,
    FormKind,
    KeyClient,
    NewValue,
    OperationClient,
    Revealed,
    RevealItem,
    SubjectClient,
    VaultClient,
    VaultError,
)
from vault.cli.development import DevVault

_CARE, _PAYOUT = PURPOSES
_FORMS = {"cn_resident_id": "birth_year", "phone": "last4", "email": "domain", "bank_account": "last4", "payment_card": "last4"}


class UnexpectedError(AssertionError):
    """The vault did not answer what it must answer."""


@dataclass(frozen=True)
class Callers:
    """Where the vault answers, and who calls it."""

    vault: DevVault
    address: str

    def client(self, principal: str, purpose: str = _CARE) -> VaultClient:
        """A client with the principal's certificate."""
        return VaultClient(self.address, **self._files(principal), purpose=purpose, timeout_s=30.0)

    def auditor(self) -> AuditClient:
        """The auditor's client."""
        return AuditClient(self.address, **self._files("auditor"), purpose="audit", timeout_s=30.0)

    def subjects(self) -> SubjectClient:
        """The privacy officer's client."""
        return SubjectClient(self.address, **self._files("privacy"), purpose="erasure", timeout_s=30.0)

    def keys(self) -> KeyClient:
        """The security officer's client."""
        return KeyClient(self.address, **self._files("security"), purpose="rotation", timeout_s=30.0)

    def operations(self) -> OperationClient:
        """The same, to see how far it is."""
        return OperationClient(self.address, **self._files("security"), purpose="rotation", timeout_s=30.0)

    def _files(self, principal: str) -> dict[str, str]:
        found = self.vault.environment(principal, self.address)
        return {
            "ca_file": found["PDVAULT_CACERT"],
            "certificate_file": found["PDVAULT_CERT"],
            "key_file": found["PDVAULT_KEY"],
        }


def identifier(person: Person) -> tuple[str, str]:
    """Class and value by which the person is looked for."""
    return ("cn_resident_id", person.resident_id) if person.resident_id else ("phone", person.phone)


def find(story: Story, callers: Callers, person: Person) -> dict[str, str]:
    """Find one person by ID number, then everything about them; tokens by data class."""
    by, value = identifier(person)
    with callers.client("support") as support:
        (hit,) = support.search_by_value(by, value)
        items = list(support.search_by_subject(hit.subject_id))
    _expect(hit.subject_id == person.subject_id, "the search found somebody else")
    story.note(f"support asks who has {by} {value}, and what else there is of that person. It's {hit.subject_id}:")
    rows = [(item.data_class, item.token, ", ".join(item.purposes)) for item in items]
    story.table(["data class", "token", "collected for"], rows)
    return {item.data_class: item.token for item in items}


def show(story: Story, callers: Callers, tokens: dict[str, str]) -> None:
    """Each class masked and in part for support, plain for payout."""
    parts = {token: Form.partial(_FORMS[name]) for name, token in tokens.items() if name in _FORMS}
    with callers.client("support") as support, callers.client("payout", _PAYOUT) as payout:
        masked = support.reveal([*tokens.values()])
        partial = dict(zip(parts, support.reveal([RevealItem(*part) for part in parts.items()]), strict=True))
        plain = payout.reveal([*tokens.values()], form=Form.PLAIN)
    rows = [
        (name, mask.text, f"{parts[token].partial_name}: {partial[token].text}" if token in parts else "", _short(whole))
        for (name, token), mask, whole in zip(tokens.items(), masked, plain, strict=True)
    ]
    story.table(["data class", "support: masked", "support: a part", "payout: plain"], rows)


def deny(story: Story, callers: Callers, token: str) -> None:
    """Two calls that are refused: by role, and by purpose."""
    with callers.client("support") as support, callers.client("payout") as payout:
        story.note("support asks for the plain value:")
        _refused(story, "POLICY_DENIED", lambda: support.reveal_one(token, form=Form.PLAIN))
        story.note("payout asks for it again, to use it for marketing:")
        _refused(story, "PURPOSE_NOT_COLLECTED", lambda: payout.reveal_one(token, form=Form.PLAIN, purpose="marketing"))


def use_once(story: Story, callers: Callers, person: Person) -> None:
    """A token that may be revealed once, revealed twice."""
    with callers.client("app") as app, callers.client("support") as support:
        item = NewValue(person.subject_id, "phone", person.phone, max_reveals=1)
        token = app.tokenize([item])[0].token
        story.note(f"app makes a one-time token of the phone number: {token}")
        story.note(f"the first time it answers {support.reveal_one(token).text}, the second time:")
        _refused(story, "TOKEN_USED_UP", lambda: support.reveal_one(token))


def _refused(story: Story, reason: str, call: Callable[[], object]) -> None:
    try:
        call()
    except VaultError as error:
        _expect(error.reason == reason, f"the call was refused with {error.reason}, not with {reason}")
        story.note(f"  {error}", "yellow")
    else:
        raise UnexpectedError(f"the call should have been refused with {reason}")


def _short(revealed: Revealed) -> str:
    _expect(revealed.form.kind is FormKind.PLAIN, "the value is not plain")
    return revealed.value if isinstance(revealed.value, str) else f"{len(revealed.value)} bytes: {revealed.value[:8].hex()}…"


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise UnexpectedError(otherwise)
