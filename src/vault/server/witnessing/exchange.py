"""One exchange with a witness (C2SP tlog-witness, add-checkpoint). Nothing that it answers is believed before it is verified."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from vault.audit.checkpoint import parse_decimal
from vault.audit.cosignature import newest_cosignature
from vault.audit.note import Note, NoteError, Signature, Verifier, encode_base64, parse_note

MAX_ANSWER = 16 * 1024
"""Bytes."""
_TIMES = aiohttp.ClientTimeout(total=15.0, connect=5.0)
_SIZE_TYPE = "text/x.tlog.size"


@dataclass(frozen=True)
class Cosigned:
    """The witness has cosigned; ``time_s`` is when, as it says."""

    line: Signature
    time_s: int


@dataclass(frozen=True)
class LastSeen:
    """The witness knows another size than the old one it was told (409)."""

    size: int


@dataclass(frozen=True)
class Contradicted:
    """The witness finds the checkpoint inconsistent with the one it knows (422)."""


@dataclass(frozen=True)
class NoAnswer:
    """The witness can't be reached, refuses, or answers nothing of use; ``why`` is for the operator and says nothing it sent."""

    why: str


Answer = Cosigned | LastSeen | Contradicted | NoAnswer


@dataclass(frozen=True)
class Witness:
    """A witness: its key, its submission prefix without a final slash, and whom its server's certificate must be of."""

    key: Verifier
    url: str
    tls: ssl.SSLContext


def new_session() -> aiohttp.ClientSession:
    """A session for all witnesses; close it. It keeps no cookies, follows no proxy settings and unpacks nothing."""
    unshared = aiohttp.TCPConnector(limit=0)  # else slow witnesses would hold the connections of the others
    return aiohttp.ClientSession(
        connector=unshared,
        timeout=_TIMES,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"User-Agent": "pdvault"},
    )


async def add_checkpoint(
    session: aiohttp.ClientSession, witness: Witness, old_size: int, proof: Sequence[bytes], checkpoint: Note
) -> Answer:
    """Ask a witness to cosign a checkpoint.

    Args:
        session: see ``new_session``.
        witness: whom to ask.
        old_size: of the last checkpoint it has cosigned, 0 if none.
        proof: that the tree of ``old_size`` is the beginning of this one; empty for 0.
        checkpoint: signed by the log.
    """
    lines = [f"old {old_size}\n", *(f"{encode_base64(each)}\n" for each in proof), "\n", checkpoint.encode()]
    try:
        async with session.post(
            f"{witness.url}/add-checkpoint", data="".join(lines).encode(), ssl=witness.tls, allow_redirects=False
        ) as response:
            return _understood(response, await _body(response), witness, checkpoint)
    except aiohttp.ClientSSLError:
        return NoAnswer("its TLS certificate can't be verified")
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return NoAnswer(type(error).__name__)


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    """The answer's body, None if it is larger than any answer should be."""
    body = b""
    async for piece in response.content.iter_chunked(MAX_ANSWER):
        body += piece
        if len(body) > MAX_ANSWER:
            response.close()
            return None
    return body


def _understood(response: aiohttp.ClientResponse, body: bytes | None, witness: Witness, checkpoint: Note) -> Answer:
    if body is None:
        return NoAnswer("its answer is too large")
    try:
        if response.status == 200:
            return _cosigned(body, witness, checkpoint)
        if response.status == 409 and response.headers.get("Content-Type") == _SIZE_TYPE and body.endswith(b"\n"):
            return LastSeen(parse_decimal(body[:-1].decode("ascii")))
    except (NoteError, UnicodeDecodeError):
        return NoAnswer("its answer is malformed, or its cosignature bad")
    if response.status == 422:
        return Contradicted()
    return NoAnswer(f"HTTP status {response.status}")


def _cosigned(body: bytes, witness: Witness, checkpoint: Note) -> Answer:
    answered = parse_note(checkpoint.encode().encode() + body)
    newest = newest_cosignature(answered, witness.key)
    if answered.text != checkpoint.text or newest is None:
        return NoAnswer("its answer holds no cosignature by its key")
    return Cosigned(*newest)
