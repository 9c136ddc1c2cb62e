"""The tables, as SQLAlchemy Core. Keys lead with the tenant, then the subject; uids are 16 random bytes.

No column holds a value, a key or a subject_id in clear. Rows that say what something means or who may do what carry a MAC
under the tenant's authority key (store/sealing.py), always the last column, so that whoever edits the database is noticed.
Times are microseconds since 1970 by the database's clock.
"""

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


def _uid(name: str, *, primary_key: bool = False) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary(16), primary_key=primary_key, nullable=False)


def _bytes(name: str) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _text(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False)


tenant = sa.Table(
    "tenant",
    metadata,
    _uid("uid", primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    _text("state"),
    _number("key_generation"),  # rises with every change of tenant_key, so that nodes drop what they have in memory
    _number("epoch"),  # the epoch key that wraps new subject keys
    _number("index_key_version"),  # the index key that makes new fingerprints
    _number("authority_version"),  # rises with every change of who may do what
    _bytes("mac"),
)

tenant_ca = sa.Table(
    "tenant_ca",
    metadata,
    sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
    _uid("tenant_uid"),
    _bytes("certificate"),  # DER
    _bytes("mac"),
)

principal = sa.Table(
    "principal",
    metadata,
    _uid("tenant_uid", primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),  # the certificate's URI
    _uid("uid"),
    _text("kind"),
    _text("state"),
    _text("roles"),  # sorted, comma-separated
    _number("authority_version"),
    _bytes("mac"),
)

tenant_key = sa.Table(
    "tenant_key",
    metadata,
    _uid("tenant_uid", primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # epoch, index, authority
    sa.Column("version", sa.BigInteger, primary_key=True),
    _number("kek_version"),
    _bytes("wrapped"),  # by the KMS, bound to tenant, kind and version
    _number("create_us"),
)

subject = sa.Table(
    "subject",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("uid", primary_key=True),
    _bytes("lookup"),
    _number("index_key_version"),
    _number("store_key_version"),  # the version that new envelopes use
    _bytes("subject_id"),  # envelope
    _text("state"),
    sa.Column("rekey_due", sa.Boolean, nullable=False),  # something was deleted or replaced since the last epoch
    _bytes("mac"),
    sa.UniqueConstraint("tenant_uid", "lookup"),
)

subject_key = sa.Table(
    "subject_key",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("subject_uid", primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),  # store, field
    sa.Column("version", sa.BigInteger, primary_key=True),
    _uid("key_id"),
    _number("epoch"),
    _bytes("wrapped"),
    sa.Index("ix_subject_key_tenant_uid_epoch", "tenant_uid", "epoch"),
)

item = sa.Table(
    "item",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("subject_uid", primary_key=True),
    _uid("uid", primary_key=True),
    _text("data_class"),
    _text("taxonomy_edition"),
    _number("normaliser_version"),
    _number("index_key_version"),
    _text("purposes"),  # sorted, comma-separated
    _number("provenance"),
    sa.Column("lenient", sa.Boolean, nullable=False),
    _number("revision"),
    _number("store_key_version"),
    sa.Column("fingerprint", sa.LargeBinary(32)),
    sa.Column("deterministic", sa.LargeBinary(32)),  # keyed hash that makes a deterministic item unique
    sa.Column("envelope_sha256", sa.LargeBinary(32), nullable=False),
    _number("envelope_size"),
    _bytes("envelope"),
    _number("create_us"),
    _number("update_us"),
    _bytes("mac"),
    sa.UniqueConstraint("tenant_uid", "deterministic"),
    sa.Index("ix_item_tenant_uid_data_class_fingerprint", "tenant_uid", "data_class", "fingerprint"),
)

token = sa.Table(
    "token",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("subject_uid", primary_key=True),
    _uid("uid", primary_key=True),
    _uid("item_uid"),
    _text("text"),
    _text("recipient"),
    sa.Column("expire_us", sa.BigInteger),
    _number("max_reveals"),
    _number("reveals_used"),
    _bytes("mac"),
    sa.UniqueConstraint("tenant_uid", "text"),
    sa.Index("ix_token_tenant_uid_subject_uid_item_uid", "tenant_uid", "subject_uid", "item_uid"),
)

audit_pending = sa.Table(
    "audit_pending",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("boot_id", primary_key=True),
    sa.Column("boot_sequence", sa.BigInteger, primary_key=True),
    _number("time_us"),
    _bytes("leaf"),
    sa.Index("ix_audit_pending_tenant_uid_time_us", "tenant_uid", "time_us"),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("request_id", primary_key=True),
    _uid("principal_uid", primary_key=True),
    _number("index_key_version"),
    _bytes("digest"),
    _bytes("results"),  # uids, revisions and reasons, never values
    _number("expire_us"),
    _bytes("mac"),
    sa.Index("ix_idempotency_expire_us", "expire_us"),
)
