"""Which facet an event gets. Callers choose purposes and recipients, so of these a facet has only so many; the rest share one.

Else whoever puts another purpose into each call would make a facet of each, and every query reads all facets.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa

from vault.audit.index import OTHERS, Facet, number_of, shared
from vault.store import tables as t

MAX_VARIANTS: Final = 256
"""Pairs of purpose and recipient that have facets of their own, of events that are alike otherwise."""


class Facets:
    """The facets of one log, as its integrator knows them: those that are stored, and those that a batch adds."""

    def __init__(self, stored: Iterable[tuple[int, Facet]]) -> None:
        """Begin with those that are stored, each with its number."""
        self._known = set[int]()
        self._variants = Counter[int]()
        for number, facet in stored:
            self._add(number, facet)

    def place(self, facet: Facet) -> tuple[int, Facet]:
        """The number under which an event of this facet is found, and the facet of that number."""
        number = number_of(facet)
        if number not in self._known:
            others = shared(facet)
            if self._variants[number_of(others)] >= MAX_VARIANTS:
                number, facet = number_of(others), others
            self._add(number, facet)
        return number, facet

    def _add(self, number: int, facet: Facet) -> None:
        if number not in self._known:
            self._known.add(number)
            if facet.purpose != OTHERS:
                self._variants[number_of(shared(facet))] += 1


def stored_facets(connection: sa.Connection, tenant_uid: bytes) -> Facets:
    """The facets that a log has."""
    rows = connection.execute(sa.select(t.audit_facet).where(t.audit_facet.c.tenant_uid == tenant_uid))
    return Facets((number, Facet(*fields)) for _, number, *fields in rows)
