"""Makes tests/vectors/crypto.json from docs/formats.md alone: an independent writer that imports nothing of the vault.

It stays away from what the vault uses: HKDF and HMAC come from hashlib and hmac, AES-GCM from the low-level cipher
interface, the token's check character from a polynomial multiplication. From the repository's root:

    python -m tests.vectors.make_crypto
"""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

OUT = Path(__file__).with_name("crypto.json")
ABOUT = "Made by make_crypto.py as docs/formats.md describes. Byte strings are hexadecimal. The keys are examples."

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
HEADER_BYTES, NONCE_BYTES = 6, 12

TENANT, SUBJECT, ITEM, KEY_ID = (bytes([digit]) * 16 for digit in (0x11, 0x22, 0x33, 0x44))
EPOCH_KEY, STORE_KEY, INDEX_KEY, AUTHORITY_KEY = (bytes(range(start, start + 32)) for start in (0x00, 0x20, 0x40, 0x60))
NONCE = bytes(range(0xA0, 0xAC))
EMAIL = b"li.na@example.org"
FIELD_KEY = bytes(range(0x80, 0xA0))


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
    extracted = hmac_sha256(bytes(32), key)
    return hmac_sha256(extracted, label.encode("utf-8") + b"\x01")


def envelope(key: bytes, key_version: int, plaintext: bytes, associated_data: bytes, nonce: bytes) -> bytes:
    """Section "Envelope"."""
    header = b"\x01\x01" + key_version.to_bytes(4, "big")
    encryptor = Cipher(algorithms.AES(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(pack("pdvault/v1/envelope", header, associated_data))
    return header + nonce + encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag


def times_alpha_to(power: int, value: int) -> int:
    """The value times alpha to the power in GF(32), alpha a root of x^5 + x^2 + 1."""
    for _ in range(power):
        value <<= 1
        if value & 0b100000:
            value ^= 0b100101
    return value


def token(prefix: str, random: bytes) -> str:
    """Section "Tokens"."""
    number = int.from_bytes(random, "big")
    digits = [number // 32**position % 32 for position in reversed(range(26))]
    symbols = [ord(letter) - ord("a") + 1 for letter in prefix] + digits
    check = 0
    for distance, symbol in enumerate(reversed(symbols), start=1):
        check ^= times_alpha_to(distance, symbol)
    return prefix + "_" + "".join(ALPHABET[digit] for digit in [*digits, check])


def pack_vectors() -> list[dict]:
    """Examples of section "Packing"."""
    cases: list[tuple[str, str, list[bytes | int | str]]] = [
        ("pack-label-only", "pdvault/v1/example", []),
        ("pack-each-type", "pdvault/v1/example", [b"\x00\xff", 258, "é"]),
        ("pack-empty-fields", "pdvault/v1/example", [b"", ""]),
        ("pack-largest-number", "pdvault/v1/example", [2**64 - 1]),
    ]
    return [
        {"id": name, "label": label, "fields": [spell(field) for field in fields], "packed": pack(label, *fields).hex()}
        for name, label, fields in cases
    ]


def spell(field: bytes | int | str) -> dict:
    """A field with its type, since JSON has no bytes."""
    if isinstance(field, bytes):
        return {"bytes": field.hex()}
    return {"number": field} if isinstance(field, int) else {"text": field}


def derive_vectors() -> list[dict]:
    """Examples of section "Keys"."""
    cases = [
        ("derive-item", STORE_KEY, "pdvault/v1/key/item"),
        ("derive-subject-id", STORE_KEY, "pdvault/v1/key/subject-id"),
        ("derive-wrap", EPOCH_KEY, "pdvault/v1/key/wrap"),
        ("derive-fingerprint", INDEX_KEY, "pdvault/v1/fingerprint"),
        ("derive-authority", AUTHORITY_KEY, "pdvault/v1/authority"),
    ]
    vectors = []
    for name, key, label in cases:
        vectors.append({"id": name, "key": key.hex(), "label": label, "derived": derive(key, label).hex()})
    return vectors


def binding_vectors() -> list[dict]:
    """Examples of section "Associated data"."""
    uids = {"tenant_uid": TENANT, "subject_uid": SUBJECT}
    cases: list[tuple[str, str, dict[str, bytes | int | str]]] = [
        ("item", "item", uids | {"data_class": "email", "item_uid": ITEM, "revision": 1, "key_version": 7}),
        ("subject-key", "subject_key", uids | {"kind": "store", "version": 7, "key_id": KEY_ID, "epoch": 3}),
        ("subject-id", "subject_id", uids | {"key_version": 7}),
        ("kms-context", "kms_context", {"tenant_uid": TENANT, "kind": "epoch", "version": 3}),
        ("kms-context", "kms_context", {"tenant_uid": bytes(16), "kind": "authority", "version": 1}),
        ("digest-key", "digest_key", {"tenant_uid": TENANT, "request_id": ITEM, "principal_uid": SUBJECT, "epoch": 3}),
        (
            "opening",
            "opening",
            {"tenant_uid": TENANT, "erasure_uid": ITEM, "request_id": KEY_ID, "principal_uid": SUBJECT, "epoch": 3},
        ),
        ("alias", "alias", uids | {"alias_uid": ITEM, "key_version": 7}),
    ]
    return [
        {
            "id": f"binding-{number}-{label}",
            "function": function,
            "arguments": {name: spell(value) for name, value in arguments.items()},
            "packed": pack(f"pdvault/v1/{label}", *arguments.values()).hex(),
        }
        for number, (label, function, arguments) in enumerate(cases, start=1)
    ]


def item_associated_data() -> bytes:
    """What the example item is bound to."""
    return pack("pdvault/v1/item", TENANT, SUBJECT, "email", ITEM, 1, 7)


def envelope_vectors() -> list[dict]:
    """Examples of section "Envelope": the e-mail item, and the two edges of what an envelope may hold."""
    item_key = derive(STORE_KEY, "pdvault/v1/key/item")
    cases = [
        ("envelope-item", 7, b"\x01" + EMAIL, item_associated_data()),
        ("envelope-empty", 0, b"", b""),
        ("envelope-largest-key-version", 2**32 - 1, bytes(16), b"\x00"),
    ]
    return [
        {
            "id": name,
            "key": item_key.hex(),
            "key_version": version,
            "nonce": NONCE.hex(),
            "associated_data": associated_data.hex(),
            "plaintext": plaintext.hex(),
            "envelope": envelope(item_key, version, plaintext, associated_data, NONCE).hex(),
        }
        for name, version, plaintext, associated_data in cases
    ]


def refused_envelopes() -> list[dict]:
    """Envelopes a reader must refuse with the key and associated data of envelope-item."""
    item_key, bound = derive(STORE_KEY, "pdvault/v1/key/item"), item_associated_data()
    good = envelope(item_key, 7, b"\x01" + EMAIL, bound, NONCE)
    unbound_header = Cipher(algorithms.AES(item_key), modes.GCM(NONCE)).encryptor()
    unbound_header.authenticate_additional_data(bound)
    body = unbound_header.update(b"\x01" + EMAIL) + unbound_header.finalize() + unbound_header.tag
    cases = [
        ("empty", b""),
        ("shorter than header, nonce and tag", good[:33]),
        ("unknown version", b"\x02" + good[1:]),
        ("unknown algorithm", b"\x01\x02" + good[2:]),
        ("another key version in the header", good[:5] + b"\x08" + good[6:]),
        ("another nonce", good[:6] + bytes(12) + good[18:]),
        ("last byte of the tag missing", good[:-1]),
        ("one byte too many", good + b"\x00"),
        ("bound to another item", envelope(item_key, 7, b"\x01" + EMAIL, bound[:-1] + b"\x08", NONCE)),
        ("under another key", envelope(STORE_KEY, 7, b"\x01" + EMAIL, bound, NONCE)),
        ("header not authenticated", good[:18] + body),
    ]
    opener = {"key": item_key.hex(), "associated_data": bound.hex()}
    return [{"why": why, **opener, "envelope": data.hex()} for why, data in cases]


def wrapped_key_vectors() -> list[dict]:
    """The example of section "Wrapped keys"."""
    kek = derive(EPOCH_KEY, "pdvault/v1/key/wrap")
    bound = pack("pdvault/v1/subject-key", TENANT, SUBJECT, "store", 7, KEY_ID, 3)
    return [
        {
            "id": "wrapped-store-key",
            "kek": kek.hex(),
            "key_version": 3,
            "nonce": NONCE.hex(),
            "associated_data": bound.hex(),
            "key": STORE_KEY.hex(),
            "envelope": envelope(kek, 3, STORE_KEY, bound, NONCE).hex(),
        }
    ]


def field_ciphertext(
    flags: int,
    data_class: bytes,
    purposes: bytes,
    plaintext: bytes,
    caller_data: bytes = b"",
    *,
    version: int = 2,
    subject: bytes = SUBJECT,
) -> bytes:
    """Section "Field ciphertext", under the example's field key."""
    header = b"\x01\x01" + KEY_ID + bytes([flags, len(data_class)]) + data_class + len(purposes).to_bytes(2, "big") + purposes
    encryptor = Cipher(algorithms.AES(derive(FIELD_KEY, "pdvault/v1/key/field")), modes.GCM(NONCE)).encryptor()
    encryptor.authenticate_additional_data(pack("pdvault/v1/field-ciphertext", header, TENANT, subject, version, caller_data))
    return header + NONCE + encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag


def field_ciphertext_vectors() -> list[dict]:
    """Examples of section "Field ciphertext"."""
    opener = {"tenant_uid": TENANT.hex(), "subject_uid": SUBJECT.hex(), "key_id": KEY_ID.hex(), "version": 2}
    cases: list[tuple[str, str, list[str], bytes, bytes | None, bool]] = [
        ("field-ciphertext", "email", ["payout"], b"\x01" + EMAIL, b"customers/email/17", False),
        ("field-ciphertext-unbound", "email", ["billing", "payout"], b"\x01" + EMAIL, None, False),
        ("field-ciphertext-bound-to-nothing", "email", ["payout"], b"\x01" + EMAIL, b"", False),
        ("field-ciphertext-ill-formed", "phone", ["a.b-c_1"], b"\x01soon", None, True),
        ("field-ciphertext-bytes", "f" * 64, ["p" * 64], b"\x02\x00\xff", None, False),
    ]
    vectors = []
    for name, data_class, purposes, plaintext, caller_data, ill_formed in cases:
        flags = (caller_data is not None) + 2 * ill_formed
        made = field_ciphertext(flags, data_class.encode(), ",".join(purposes).encode(), plaintext, caller_data or b"")
        text = "pdv1." + base64.urlsafe_b64encode(made).decode().rstrip("=")
        said = {"data_class": data_class, "purposes": ",".join(purposes), "ill_formed": ill_formed}
        bound = {"caller_data": None if caller_data is None else caller_data.hex()}
        vectors.append(
            {"id": name, "key": derive(FIELD_KEY, "pdvault/v1/key/field").hex(), **opener, **said, **bound}
            | {"nonce": NONCE.hex(), "plaintext": plaintext.hex(), "ciphertext": made.hex(), "text": text}
        )
    return vectors


def refused_field_ciphertexts() -> list[dict]:
    """Field ciphertexts that a reader must refuse with what opens field-ciphertext."""
    plaintext, data = b"\x01" + EMAIL, b"customers/email/17"

    def other(
        flags: int = 1, data_class: bytes = b"email", purposes: bytes = b"payout", caller_data: bytes = data, **more: Any
    ) -> bytes:
        return field_ciphertext(flags, data_class, purposes, plaintext, caller_data, **more)

    good = other()
    cases = [
        ("empty", b""),
        ("shorter than its fixed fields", good[:19]),
        ("ends in the class", good[:22]),
        ("ends before the purposes' length", good[:25]),
        ("ends in the purposes", good[:30]),
        ("shorter than nonce and tag", good[:60]),
        ("last byte of the tag missing", good[:-1]),
        ("one byte too many", good + b"\x00"),
        ("unknown version", b"\x02" + good[1:]),
        ("unknown algorithm", b"\x01\x02" + good[2:]),
        ("unknown flag", other(flags=5)),
        ("bound to nothing of the caller's", other(flags=0, caller_data=b"")),
        ("bound to other data", other(caller_data=b"customers/email/18")),
        ("bound to empty data", other(caller_data=b"")),
        ("another subject's", other(subject=TENANT)),
        ("under another version of the key", other(version=1)),
        ("another key id", good[:2] + bytes(16) + good[18:]),
        ("no class", other(data_class=b"")),
        ("a class that is no name", other(data_class=b"Email")),
        ("a class that is too long", other(data_class=b"e" * 65)),
        ("no purpose", other(purposes=b"")),
        ("an empty purpose", other(purposes=b"payout,")),
        ("purposes out of order", other(purposes=b"payout,billing")),
        ("a purpose twice", other(purposes=b"payout,payout")),
        ("a purpose that is no name", other(purposes=b"pay out")),
        ("more than 16 purposes", other(purposes=b",".join(sorted(b"p%d" % n for n in range(17))))),
    ]
    opener = {name: field_ciphertext_vectors()[0][name] for name in ("key", "tenant_uid", "subject_uid", "key_id", "version")}
    return [{"why": why, **opener, "caller_data": data.hex(), "ciphertext": made.hex()} for why, made in cases]


def refused_field_texts() -> list[dict]:
    """Texts that are no text form, although most are one slip away from field-ciphertext's."""
    good = field_ciphertext_vectors()[0]["text"]
    cases = [
        ("empty", ""),
        ("nothing after the dot", "pdv1."),
        ("no prefix", good[5:]),
        ("another version", "pdv2" + good[4:]),
        ("upper-case prefix", "PDV1" + good[4:]),
        ("no dot", "pdv1" + good[5:]),
        ("padding", good + "=" * (-len(good[5:]) % 4 or 4)),
        ("the other alphabet", "pdv1.++//"),
        ("bits that mean nothing", "pdv1.AB"),
        ("one character", "pdv1.A"),
        ("space before", " " + good),
        ("line feed after", good + "\n"),
        ("full-width letter", good[:-1] + "Ａ"),
    ]
    return [{"why": why, "text": text} for why, text in cases]


def keyed_hash_vectors() -> list[dict]:
    """Examples of section "Fingerprints and look-ups"."""
    fingerprint = ("pdvault/v1/fingerprint", ["email", 1, EMAIL])
    email_fingerprint = hmac_sha256(derive(INDEX_KEY, fingerprint[0]), pack(fingerprint[0], *fingerprint[1]))
    deterministic = "pdvault/v1/deterministic"
    cases: list[tuple[str, str, list, str, list]] = [
        ("fingerprint-email", "fingerprint", fingerprint[1], *fingerprint),
        ("subject-lookup", "subject_lookup", ["customer-4711"], "pdvault/v1/subject-lookup", ["customer-4711"]),
        (
            "request-digest",
            "request_digest",
            ["/vault.v1.VaultService/Tokenize", b"\x0a\x00"],
            "pdvault/v1/request-digest",
            ["/vault.v1.VaultService/Tokenize", b"\x0a\x00"],
        ),
        (
            "deterministic-two-purposes",
            "deterministic",
            [SUBJECT, email_fingerprint, ["payout", "billing", "payout"]],
            deterministic,
            [SUBJECT, email_fingerprint, "billing", "payout"],
        ),
        (
            "deterministic-no-purpose",
            "deterministic",
            [SUBJECT, email_fingerprint, []],
            deterministic,
            [SUBJECT, email_fingerprint],
        ),
    ]
    return [
        {
            "id": name,
            "function": function,
            "index_key": INDEX_KEY.hex(),
            "arguments": [{"texts": value} if isinstance(value, list) else spell(value) for value in arguments],
            "message": pack(label, *fields).hex(),
            "hash": hmac_sha256(derive(INDEX_KEY, label), pack(label, *fields)).hex(),
        }
        for name, function, arguments, label, fields in cases
    ]


def mac_vectors() -> list[dict]:
    """The example of section "Row MACs"."""
    fields: list[bytes | int | str] = [TENANT, "example", 1]
    message = pack("pdvault/v1/example-row", *fields)
    return [
        {
            "id": "row-mac",
            "authority_key": AUTHORITY_KEY.hex(),
            "label": "pdvault/v1/example-row",
            "fields": [spell(field) for field in fields],
            "message": message.hex(),
            "mac": hmac_sha256(derive(AUTHORITY_KEY, "pdvault/v1/authority"), message).hex(),
        }
    ]


def plaintext_vectors() -> list[dict]:
    """Examples of section "Item plaintext"."""
    cases: list[tuple[str, bytes | str]] = [
        ("plaintext-text", EMAIL.decode()),
        ("plaintext-chinese-text", "李娜"),
        ("plaintext-bytes", b"\x00\x00\x80\x3f"),
        ("plaintext-empty-text", ""),
        ("plaintext-empty-bytes", b""),
    ]
    return [
        {
            "id": name,
            "value": spell(value),
            "encoded": (b"\x01" + value.encode("utf-8") if isinstance(value, str) else b"\x02" + value).hex(),
        }
        for name, value in cases
    ]


def refused_plaintexts() -> list[dict]:
    """Item plaintexts that a reader must refuse."""
    cases = [
        ("empty", b""),
        ("type 0", b"\x00abc"),
        ("unknown type", b"\x03abc"),
        ("text that is not UTF-8", b"\x01\xff\xfe"),
        ("text with a surrogate", b"\x01\xed\xa0\x80"),
    ]
    return [{"why": why, "encoded": data.hex()} for why, data in cases]


def token_vectors() -> list[dict]:
    """Examples of section "Tokens"."""
    cases = [
        ("token-zero", "id", bytes(16)),
        ("token-ones", "mail", b"\xff" * 16),
        ("token-counting", "rid", bytes(range(16))),
        ("token-digest", "zz", hashlib.sha256(b"pdvault token example").digest()[:16]),
    ]
    vectors = []
    for name, prefix, random in cases:
        vectors.append({"id": name, "prefix": prefix, "random": random.hex(), "token": token(prefix, random)})
    return vectors


def refused_tokens() -> list[dict]:
    """Texts that are no tokens, although most are one slip away from token-counting."""
    good = token("rid", bytes(range(16)))
    swapped = good[:-2] + good[-1] + good[-2]
    other_check = ALPHABET[(ALPHABET.index(good[-1]) + 1) % 32]
    cases = [
        ("empty", ""),
        ("lower case", good.lower()),
        ("upper-case prefix", good.upper()),
        ("alias O for 0", good.replace("0", "O")),
        ("alias I for 1", good.replace("1", "I")),
        ("no prefix", good[3:]),
        ("prefix of one letter", good[2:]),
        ("prefix of five letters", "ab" + good),
        ("first letter of the prefix lost", good[1:]),
        ("last letter of the prefix lost", "ri" + good[3:]),
        ("digit in the prefix", "r1d" + good[3:]),
        ("no underscore", good.replace("_", "")),
        ("more than 128 bits", "rid_8" + good[5:]),
        ("check character missing", good[:-1]),
        ("another check character", good[:-1] + other_check),
        ("last two characters swapped", swapped),
        ("one character too many", good + "0"),
        ("space before", " " + good),
        ("line feed after", good + "\n"),
        ("full-width digit", good[:-1] + "０"),
        ("hyphen inside", good[:10] + "-" + good[10:]),
    ]
    return [{"why": why, "token": text} for why, text in cases]


def build() -> dict:
    """Everything that crypto.json holds."""
    return {
        "_about": ABOUT,
        "pack": pack_vectors(),
        "derive": derive_vectors(),
        "envelope": envelope_vectors(),
        "envelope_refused": refused_envelopes(),
        "binding": binding_vectors(),
        "wrapped_key": wrapped_key_vectors(),
        "field_ciphertext": field_ciphertext_vectors(),
        "field_ciphertext_refused": refused_field_ciphertexts(),
        "field_text_refused": refused_field_texts(),
        "keyed_hash": keyed_hash_vectors(),
        "mac": mac_vectors(),
        "plaintext": plaintext_vectors(),
        "plaintext_refused": refused_plaintexts(),
        "token": token_vectors(),
        "token_refused": refused_tokens(),
    }


if __name__ == "__main__":
    OUT.write_text(json.dumps(build(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
