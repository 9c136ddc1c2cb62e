"""Makes tests/vectors/stored.json from docs/formats.md alone: leaves, rows and page tokens, by an independent writer.

It imports nothing of the vault and no protobuf: messages are written byte by byte. From the repository's root:

    python -m tests.vectors.make_stored
"""

import base64
import hashlib
import hmac
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

OUT = Path(__file__).with_name("stored.json")
ABOUT = "Made by make_stored.py as docs/formats.md describes. Byte strings are hexadecimal. The keys are examples."

TENANT, SUBJECT, ITEM, KEY_ID, TOKEN, PRINCIPAL, BOOT, REQUEST, RANDOM = (
    bytes([digit]) * 16 for digit in (0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99)
)
INDEX_KEY, AUTHORITY_KEY, BOOT_SEED, LOG_SEED = (bytes(range(start, start + 32)) for start in (0x40, 0x60, 0x80, 0xA0))
TIME_US = 1_700_000_000_000_000
CHAIN_START = bytes(32)
NONCE = bytes(range(0xA0, 0xAC))
TOKEN_TEXT = "rid_00041061050R3GG28A1C60T3GFQ"
EMAIL = "li.na@example.org"


def pack(label: str, *fields: bytes | int | str) -> bytes:
    """Section "Packing"."""
    out = b""
    for field in (label, *fields):
        if isinstance(field, int):
            field = field.to_bytes(8, "big")
        elif isinstance(field, str):
            field = field.encode("utf-8")
        out += len(field).to_bytes(4, "big") + field
    return out


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104 with SHA-256."""
    return hmac.new(key, message, hashlib.sha256).digest()


def derive(key: bytes, label: str) -> bytes:
    """Section "Keys": RFC 5869, no salt, one block of output."""
    return hmac_sha256(hmac_sha256(bytes(32), key), label.encode("utf-8") + b"\x01")


def varint(number: int) -> bytes:
    """A protobuf varint."""
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def message(**fields: int | str | bytes | list[bytes]) -> bytes:
    """A protobuf message of fields named ``f<number>``, in ascending order; what is empty or 0 is left out."""
    out = b""
    for name, value in sorted(fields.items(), key=lambda pair: int(pair[0][1:])):
        number = int(name[1:])
        if isinstance(value, int):
            out += varint(number << 3) + varint(value) if value else b""
            continue
        for one in value if isinstance(value, list) else [value] if value else []:
            content = one.encode("utf-8") if isinstance(one, str) else one
            out += varint(number << 3 | 2) + varint(len(content)) + content
    return out


def public_key(seed: bytes) -> bytes:
    """RFC 8032: the public key of an Ed25519 seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, content: bytes) -> bytes:
    """RFC 8032: an Ed25519 signature."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(content)


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962, section 2.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def leaves() -> list[dict]:
    """Section "Audit event leaf": the first three leaves of a boot, two commits."""
    announcement = pack("pdvault/v1/boot", TENANT, BOOT, public_key(BOOT_SEED))
    stored = message(f1="email", f4=1, f5=SUBJECT, f6=TOKEN, f8=1, f9=hashlib.sha256(b"an envelope").digest())
    boot = {"f3": TENANT, "f9": 1}
    events = [
        ("leaf-boot-started", {**boot, "f8": "BootStarted", "f33": public_key(BOOT_SEED)}, False),
        ("leaf-boot-endorsed", {**boot, "f8": "BootEndorsed", "f34": sign(LOG_SEED, announcement)}, True),
        (
            "leaf-tokenize",
            {
                "f3": TENANT,
                "f4": PRINCIPAL,
                "f5": "spiffe://pdvault/acme/billing",
                "f6": hashlib.sha256(b"a certificate").digest(),
                "f8": "Tokenize",
                "f9": 1,
                "f11": ["tokenizer-stores"],
                "f12": "payout",
                "f14": "T-1",
                "f16": REQUEST,
                "f17": [stored],
            },
            True,
        ),
    ]
    out, previous = [], CHAIN_START
    for sequence, (name, fields, last_of_commit) in enumerate(events):
        common = {"f1": 1, "f2": TIME_US + sequence // 2, "f7": "node-1", "f20": RANDOM}
        content = message(**common, **fields, f30=BOOT, f31=sequence, f32=previous)
        signature = sign(BOOT_SEED, content) if last_of_commit else b""
        leaf = content + (b"\x9a\x02\x40" + signature if signature else b"")
        out.append({"id": name, "leaf": leaf.hex(), "signature": signature.hex(), "hash": leaf_hash(leaf).hex()})
        previous = leaf_hash(leaf)
    return out


def boots() -> list[dict]:
    """Section "Audit event leaf": what the log key signs."""
    announcement = pack("pdvault/v1/boot", TENANT, BOOT, public_key(BOOT_SEED))
    return [
        {
            "id": "boot-announcement",
            "tenant_uid": TENANT.hex(),
            "boot_id": BOOT.hex(),
            "boot_public_key": public_key(BOOT_SEED).hex(),
            "announcement": announcement.hex(),
            "log_public_key": public_key(LOG_SEED).hex(),
            "endorsement": sign(LOG_SEED, announcement).hex(),
        }
    ]


def query() -> bytes:
    """A SearchQuery: data_class is field 1, value 2, with its text in field 1."""
    return message(f1="email", f2=message(f1=EMAIL))


def delete_request() -> bytes:
    """A DeleteRequest: context is field 1 (purpose 1, request_id 2), tokens 2."""
    context = message(f1="payout", f2="88888888-8888-8888-8888-888888888888")
    return message(f1=context, f2=[TOKEN_TEXT.encode()])


def digests() -> list[dict]:
    """Section "Idempotency digest and results"."""
    packed = pack("pdvault/v1/request-digest", "vault.v1.DeleteRequest", delete_request())
    done = SUBJECT + TOKEN + (1).to_bytes(4, "big") + bytes(2)
    failed = bytes(16) + bytes(16) + bytes(4) + (20).to_bytes(2, "big")
    return [
        {
            "id": "idempotency-delete",
            "digest_key": INDEX_KEY.hex(),
            "method": "vault.v1.DeleteRequest",
            "request": delete_request().hex(),
            "digest": hmac_sha256(derive(INDEX_KEY, "pdvault/v1/request-digest"), packed).hex(),
            "results": (done + failed).hex(),
        }
    ]


def rows() -> list[dict]:
    """Section "Which rows and which fields": rows of each table, some with columns that are NULL."""
    thirty_two = bytes(range(32))
    item = (TENANT, SUBJECT, ITEM, "email", "1", 1, 1, "billing,payout", 1, True, 2, 1)
    token = (TENANT, SUBJECT, TOKEN, ITEM, TOKEN_TEXT, "")
    cases = {
        "row-tenant": ("tenant", (TENANT, "acme", "ACTIVE", 1, 1, 1, 6)),
        "row-tenant-ca": ("tenant_ca", (thirty_two, TENANT, b"certificate")),
        "row-principal": (
            "principal",
            (TENANT, "spiffe://pdvault/acme/billing", PRINCIPAL, "service", "ACTIVE", "reader_masked,tokenizer", 2),
        ),
        "row-subject": ("subject", (TENANT, SUBJECT, thirty_two, 1, 1, b"envelope", "ACTIVE", False)),
        "row-item": ("item", (*item, thirty_two, thirty_two, thirty_two, 60, TIME_US, TIME_US + 1)),
        "row-item-ill-formed": ("item", (*item, None, None, thirty_two, 60, TIME_US, TIME_US + 1)),
        "row-token": ("token", (*token, None, 3, 1)),
        "row-token-expiring": ("token", (*token, TIME_US, 0, 0)),
        "row-subject-alias": ("subject_alias", (TENANT, SUBJECT, ITEM, thirty_two, 1, b"envelope")),
        "row-subject-hold": ("subject_hold", (TENANT, SUBJECT, ITEM, "court/4711", PRINCIPAL, TIME_US, None)),
        "row-erasure": ("erasure", (TENANT, ITEM, SUBJECT, "DONE", b"statement", 3, 2, TIME_US, TIME_US + 1, 0, None)),
        "row-operation": ("operation", (TENANT, ITEM, "Rotate", b"request", PRINCIPAL, TIME_US)),
        "row-approval": (
            "approval",
            (TENANT, ITEM, "Destroy", thirty_two, "a summary", PRINCIPAL, TIME_US, TIME_US + 1, "ASKED", None, 0),
        ),
        "row-key-schedule": ("key_schedule", (TENANT, 7776000, 2592000, 2592000, 31536000, TIME_US)),
        "row-idempotency": ("idempotency", (TENANT, REQUEST, PRINCIPAL, bytes(66), thirty_two, bytes(38), TIME_US)),
    }
    return [row(name, table, columns) for name, (table, columns) in cases.items()]


def row(name: str, table: str, columns: tuple[bytes | str | int | None, ...]) -> dict:
    """One row and its MAC column, under version 1 of the authority key."""
    nullable = {
        "item": {12: "fingerprint", 13: "deterministic"},
        "token": {6: "expire_us"},
        "subject_hold": {6: "expire_us"},
        "approval": {9: "decided_by"},
        "erasure": {10: "operation_uid"},
    }
    nulls = ",".join(nullable[table][place] for place, column in enumerate(columns) if column is None)
    fields = [b"" if column is None else int(column) if isinstance(column, bool) else column for column in columns]
    packed = pack(f"pdvault/v1/row/{table}", 1, 1, *fields, nulls)
    mac = b"\x01" + (1).to_bytes(4, "big") + hmac_sha256(derive(AUTHORITY_KEY, "pdvault/v1/authority"), packed)
    return {"id": name, "table": table, "columns": [spell(column) for column in columns], "message": packed.hex(), "mac": mac.hex()}


def spell(column: bytes | str | int | None) -> dict | None:
    """A column with its type."""
    if isinstance(column, bytes):
        return {"bytes": column.hex()}
    return None if column is None else {"value": column}


def envelope(key: bytes, plaintext: bytes, bound: bytes) -> bytes:
    """Section "Envelope", with key version 1."""
    header = b"\x01\x01" + (1).to_bytes(4, "big")
    encryptor = Cipher(algorithms.AES(key), modes.GCM(NONCE)).encryptor()
    encryptor.authenticate_additional_data(pack("pdvault/v1/envelope", header, bound))
    return header + NONCE + encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag


def page_tokens() -> list[dict]:
    """Section "Page token"."""
    bound = pack("pdvault/v1/page-token", TENANT, query())
    sealed = envelope(derive(AUTHORITY_KEY, "pdvault/v1/key/page-token"), ITEM + TOKEN, bound)
    return [
        {
            "id": "page-token",
            "authority_key": AUTHORITY_KEY.hex(),
            "query": query().hex(),
            "bound": bound.hex(),
            "envelope": sealed.hex(),
            "text": base64.urlsafe_b64encode(sealed).decode("ascii"),
        }
    ]


def erasures() -> list[dict]:
    """Section "Erasure receipt": a statement, the name it commits to, and what the log says of both."""

    def time(micros: int) -> bytes:
        return message(f1=micros // 1_000_000, f2=micros % 1_000_000 * 1000)

    commitment = hmac_sha256(AUTHORITY_KEY, b"customer-17")
    day = 86_400_000_000
    key = message(f1="store", f2=1, f3=KEY_ID, f4=3, f5=hashlib.sha256(b"a wrapped key").digest())
    statement = message(
        f1=1, f2=ITEM, f3=TENANT, f4=SUBJECT, f5=commitment, f6="request", f7="T-1", f8=time(TIME_US), f9=[key],
        f10=[message(f1="email", f2=2)], f11=2, f14=time(TIME_US), f15=time(TIME_US + day), f16=time(TIME_US + 90 * day), f17=1,
        f18=3, f19=2, f20=[b"\x01\x02"],
    )  # fmt: skip
    return [
        {
            "id": "erasure-statement",
            "commitment_key": AUTHORITY_KEY.hex(),
            "subject_id": "customer-17",
            "commitment": commitment.hex(),
            "statement": statement.hex(),
            "erasure": ITEM.hex(),
            "statement_sha256": hashlib.sha256(statement).hexdigest(),
            "keys": "1",
        }
    ]


def subject_pages() -> list[dict]:
    """Section "Page token of all subjects"."""
    bound = pack("pdvault/v1/subject-page", TENANT)
    raw = b"\x01" + hashlib.sha256(bound).digest()[:16] + SUBJECT
    return [
        {
            "id": "subject-page",
            "tenant_uid": TENANT.hex(),
            "subject_uid": SUBJECT.hex(),
            "bound": bound.hex(),
            "raw": raw.hex(),
            "text": base64.urlsafe_b64encode(raw).decode("ascii"),
        }
    ]


def build() -> dict:
    """Everything that stored.json holds."""
    return {
        "_about": ABOUT,
        "boot": boots(),
        "leaf": leaves(),
        "row": rows(),
        "idempotency": digests(),
        "page_token": page_tokens(),
        "subject_page": subject_pages(),
        "erasure": erasures(),
    }


if __name__ == "__main__":
    OUT.write_text(json.dumps(build(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
