"""The options that every method of the client takes by name."""

from typing import TypedDict


class SeriesOptions(TypedDict, total=False):
    """Options of every method.

    purpose: why, a purpose registered for the tenant; the client's if absent. ground: the legal ground it rests on. reference: a
    ticket or court order that asked for it. recipient: who outside the tenant receives what is released. timeout_s: seconds for
    each call with its retries, at most 60; the client's if absent.
    """

    purpose: str | None
    ground: str
    reference: str
    recipient: str
    timeout_s: float | None


class CallOptions(SeriesOptions, total=False):
    """Options of a method that is one call.

    request_id: a UUID; a new one if absent. To repeat a call whose outcome you don't know, give the id of the first one
    (``VaultError.request_id``): Tokenize, Update and Delete then take effect once.
    """

    request_id: str | None


class TailOptions(TypedDict, total=False):
    """Options of a method that goes on for ever: those of CallOptions without a deadline."""

    purpose: str | None
    ground: str
    reference: str
    recipient: str
    request_id: str | None


class StreamOptions(TailOptions, total=False):
    """Options of a method that is answered in parts. timeout_s: seconds for the whole answer, at most 600, which is the default."""

    timeout_s: float | None
