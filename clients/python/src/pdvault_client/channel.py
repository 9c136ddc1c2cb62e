"""The connection to the vault: mutual TLS from three files, checked before use because TLS says little when it fails."""

import os
import ssl
import stat
import warnings
from pathlib import Path

import grpc

MAX_MESSAGE_BYTES = 4 * 2**20
"""The vault's limit for requests and responses."""

_SLACK_BYTES = 64 * 2**10
_OPTIONS = [
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES + _SLACK_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES + _SLACK_BYTES),
    ("grpc.max_metadata_size", 64 * 2**10),  # room for 20 field violations in the trailers
    ("grpc.absolute_max_metadata_size", 64 * 2**10),
    ("grpc.enable_retries", 0),  # retry.py does it
    ("grpc.use_local_subchannel_pool", 1),  # each client has its own connection and certificate
    ("grpc.keepalive_time_ms", 30_000),  # only while a call waits: servers punish idle pings
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),  # else attempts during gRPC's own second of backoff fail without trying
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]

StrPath = str | os.PathLike[str]


def open_channel(address: str, *, ca_file: StrPath, certificate_file: StrPath, key_file: StrPath) -> grpc.Channel:
    """A channel with mutual TLS. It connects at the first call.

    Args:
        address: "host:port" of the vault.
        ca_file: PEM certificates of the CAs that may have issued the server's certificate.
        certificate_file: the client's PEM certificate, its intermediates after it.
        key_file: its PEM private key, not encrypted, readable by its owner only.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file does not hold what it should, or key and certificate do not belong together.
    """
    _check_files(ca_file, certificate_file, key_file)
    _warn_if_readable_by_all(key_file)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=Path(ca_file).read_bytes(),
        private_key=Path(key_file).read_bytes(),
        certificate_chain=Path(certificate_file).read_bytes(),
    )
    return grpc.secure_channel(address, credentials, options=_OPTIONS)


def _check_files(ca_file: StrPath, certificate_file: StrPath, key_file: StrPath) -> None:
    """Let OpenSSL load them: gRPC itself would only fail at the first call, as "Socket closed"."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError as error:
        raise ValueError(f"ca_file {ca_file} holds no PEM certificates ({error.reason})") from None
    try:
        context.load_cert_chain(certificate_file, key_file, password="")  # an encrypted key fails, never asks
    except ssl.SSLError as error:
        raise ValueError(
            f"certificate_file {certificate_file} and key_file {key_file} don't load ({error.reason or 'no PEM'}): both must be "
            "PEM and belong together, and the key must not be encrypted"
        ) from None


def _warn_if_readable_by_all(key_file: StrPath) -> None:
    if os.name == "posix" and os.stat(key_file).st_mode & stat.S_IROTH:
        warnings.warn(f"every user of this machine can read key_file {key_file}: chmod 600 it", stacklevel=4)
