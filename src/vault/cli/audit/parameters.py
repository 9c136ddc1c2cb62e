"""What auditors name things by: uids and certificates, as options of the command."""

import hashlib
import re
import ssl
from pathlib import Path
from typing import Any

import click

from vault.cli import values
from vault.cli.parameters import HexUid

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


EVENT_UID = HexUid("as events have them")


class Certificate(click.ParamType[bytes]):
    """A certificate: its SHA-256 in hexadecimal, with or without colons, or a file that holds it in PEM."""

    name = "certificate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """The SHA-256, 32 bytes."""
        if isinstance(value, bytes):
            return value
        digits = value.replace(":", "")
        if _SHA256.fullmatch(digits):
            return bytes.fromhex(digits)
        try:
            pem = Path(value).read_text("ascii")
            begin = pem.index("-----BEGIN CERTIFICATE-----")
            end = pem.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")
            return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem[begin:end])).digest()
        except OSError as error:
            self.fail(f"is neither a SHA-256 of 64 hexadecimal digits nor a file that can be read ({error.strerror})", param, ctx)
        except ValueError:
            self.fail("is a file that holds no PEM certificate", param, ctx)


class KeyName(click.ParamType[str]):
    """A key by its kind and number, as `pdvault keys status` counts them."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The kind, a colon and the number."""
        if value and not re.fullmatch(r"(epoch|index|kek):[1-9][0-9]{0,8}", value):
            self.fail("must be epoch, index or kek, a colon and a number, such as epoch:7", param, ctx)
        return str(value)


def subject_id(given: str) -> str:
    """A subject's id as it was given: itself, ``@`` and a file, or ``-`` for stdin.

    Raises:
        ClickException: there is none in the file, or it is no text.
        OSError: the file can't be read.
    """
    if given == "-":
        return values.read_text(None)
    return values.read_text(Path(given[1:])) if given.startswith("@") else given
