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
    _bytes("wrapped"),  # by the KMS, bound to tenant, kind and version; empty once the key is retired
    _number("create_us"),
    _text("state"),  # ACTIVE, OLD, RETIRED, DESTROYED
    _number("end_us"),  # when it was retired, 0 before
)

key_schedule = sa.Table(
    "key_schedule",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _number("rotate_every_s"),  # 0 for never by itself
    _number("restore_window_s"),
    _number("snapshot_retention_s"),
    _number("former_copies_s"),  # the most that both together were before lower_us
    _number("lower_us"),
    _bytes("mac"),
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
    sa.Index(  # a field ciphertext is found by its key's id alone
        "ix_subject_key_tenant_uid_key_id",
        "tenant_uid",
        "key_id",
        unique=True,
        postgresql_where=sa.text("kind = 'field'"),
        sqlite_where=sa.text("kind = 'field'"),
    ),
)

subject_alias = sa.Table(  # other names of a subject
    "subject_alias",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("subject_uid", primary_key=True),
    _uid("uid", primary_key=True),
    _bytes("lookup"),
    _number("index_key_version"),
    _bytes("subject_id"),  # envelope under the subject's store key
    _bytes("mac"),
    sa.UniqueConstraint("tenant_uid", "lookup"),
)

subject_hold = sa.Table(  # what keeps a subject from being erased
    "subject_hold",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("subject_uid", primary_key=True),
    _uid("uid", primary_key=True),
    _text("reference"),
    _uid("principal_uid"),
    _number("create_us"),
    sa.Column("expire_us", sa.BigInteger),
    _bytes("mac"),
)

erasure = sa.Table(  # begun and done; nothing in it leads from a subject_id to it
    "erasure",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("uid", primary_key=True),
    _uid("subject_uid"),
    _text("state"),  # BEGUN, DONE
    _bytes("statement"),  # vault.v1.ErasureStatement
    _number("epoch"),
    _number("index_key_version"),
    _number("begin_us"),
    _number("end_us"),  # 0 until done
    _number("horizon_us"),  # when the horizon was reached, 0 before
    sa.Column("operation_uid", sa.LargeBinary(16)),
    sa.Column("request_id", sa.LargeBinary(16)),  # for 24 hours, with the two that follow: a retry gets the same receipt
    sa.Column("principal_uid", sa.LargeBinary(16)),
    sa.Column("opening", sa.LargeBinary),  # the commitment's key in an envelope under the epoch key
    _bytes("mac"),
    sa.UniqueConstraint("tenant_uid", "request_id", "principal_uid", "subject_uid"),
    sa.Index("ix_erasure_tenant_uid_state", "tenant_uid", "state"),
    sa.Index("ix_erasure_tenant_uid_horizon_us", "tenant_uid", "horizon_us"),
)

operation = sa.Table(  # long work
    "operation",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("uid", primary_key=True),
    _text("kind"),
    _bytes("request"),  # serialised: what whoever runs it has to know, without a value or a subject_id
    _uid("principal_uid"),
    _number("create_us"),
    _bytes("mac"),  # over all that precedes
    sa.Column("live_kind", sa.Text),  # the kind while it is not ended: one of a kind for each tenant
    _text("state"),  # WAITING, RUNNING, PAUSED, DONE, FAILED, CANCELLED
    _text("phase"),
    _bytes("cursor"),  # how far the phase has come, in its own words
    _number("done"),
    _number("total"),
    _number("update_us"),
    _bytes("result"),  # vault.v1: OperationProgress, then Attestation or BulkEraseResult; google.rpc.Status if it failed
    _text("holder"),  # who runs it
    _number("until_us"),  # until when, unless it is extended
    sa.UniqueConstraint("tenant_uid", "live_kind"),
    sa.Index("ix_operation_state", "state"),
)

approval = sa.Table(  # what a second principal has to decide
    "approval",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("uid", primary_key=True),
    _text("action"),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),  # of the request without context and approval
    _text("summary"),
    _uid("asked_by"),
    _number("ask_us"),
    _number("expire_us"),
    _text("state"),  # ASKED, APPROVED, DENIED, USED
    sa.Column("decided_by", sa.LargeBinary(16)),
    _number("decide_us"),
    _bytes("mac"),
)

restoration = sa.Table(  # a log that came from a backup, and is not reconciled yet
    "restoration",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _number("restore_us"),
    _number("backup_size"),
    sa.Column("manifest_sha256", sa.LargeBinary(32), nullable=False),
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

audit_log = sa.Table(  # the head of each log; moves by compare-and-swap on size and root
    "audit_log",
    metadata,
    _uid("tenant_uid", primary_key=True),
    sa.Column("origin", sa.Text, nullable=False, unique=True),
    _number("size"),  # leaves in the tree
    sa.Column("root", sa.LargeBinary(32), nullable=False),
    _number("integrate_us"),
    _number("checkpoint_size"),  # of the newest signed and anchored checkpoint, at most size
    _text("checkpoint"),  # that checkpoint, a signed note
)

audit_entry = sa.Table(
    "audit_entry",
    metadata,
    _uid("tenant_uid", primary_key=True),
    sa.Column("leaf_index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("leaf_hash", sa.LargeBinary(32), nullable=False),
    _bytes("leaf"),
)

audit_node = sa.Table(  # hashes of full tiles: what tiles of level 1 and above consist of (C2SP tlog-tiles)
    "audit_node",
    metadata,
    _uid("tenant_uid", primary_key=True),
    sa.Column("level", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("node_index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
)

# What follows is derived from leaves by the integrator, so that events can be found; a leaf is always checked against what
# it was found by.

audit_facet = sa.Table(  # each distinct combination of what events are filtered and counted by, of which there are few
    "audit_facet",
    metadata,
    _uid("tenant_uid", primary_key=True),
    sa.Column("facet_id", sa.BigInteger, primary_key=True, autoincrement=False),  # from the hash of all that follows
    _text("action"),
    _number("decision"),
    _text("principal"),
    _bytes("certificate_sha256"),
    _text("node"),
    _text("purpose"),
    _text("recipient"),
    _text("data_classes"),  # sorted, comma-separated
    _text("policy_ids"),  # sorted, comma-separated
)

audit_event = sa.Table(  # one row a leaf
    "audit_event",
    metadata,
    _uid("tenant_uid", primary_key=True),
    sa.Column("facet_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("leaf_index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Index("ix_audit_event_by_time", "tenant_uid", "time_us", "leaf_index", "facet_id"),
)

audit_mention = sa.Table(  # one row a leaf and uid
    "audit_mention",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("uid", primary_key=True),
    sa.Column("kind", sa.SmallInteger, primary_key=True, autoincrement=False),  # audit/index.py
    sa.Column("time_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("leaf_index", sa.BigInteger, primary_key=True, autoincrement=False),
)

audit_count = sa.Table(  # events and items of a facet in one hour
    "audit_count",
    metadata,
    _uid("tenant_uid", primary_key=True),
    sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),  # since 1970
    sa.Column("facet_id", sa.BigInteger, primary_key=True, autoincrement=False),
    _number("events"),
    _number("items"),
)

audit_boot = sa.Table(  # how far each boot's chain has come in the tree
    "audit_boot",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("boot_id", primary_key=True),
    _number("start_index"),  # where its first leaf is
    sa.Column("endorse_index", sa.BigInteger),  # where its BootEndorsed is
    _number("next_sequence"),
    sa.Column("last_hash", sa.LargeBinary(32), nullable=False),
)

audit_lease = sa.Table(  # which node integrates; only a courtesy, since heads move by compare-and-swap
    "audit_lease",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    _text("holder"),
    _number("until_us"),
)

audit_cosignature = sa.Table(  # the newest cosignature of each witness
    "audit_cosignature",
    metadata,
    _uid("tenant_uid", primary_key=True),
    sa.Column("witness", sa.Text, primary_key=True),
    _number("size"),
    _text("checkpoint"),  # the log's signed note that was cosigned
    _text("line"),  # the cosignature's line
    _number("time_us"),  # as the witness states it
    _text("problem"),  # empty, or CONFLICT
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("request_id", primary_key=True),
    _uid("principal_uid", primary_key=True),
    _bytes("digest_key"),  # in an envelope under the epoch key
    _bytes("digest"),  # empty once a subject of the request was erased
    _bytes("results"),  # uids, revisions and reasons, never values
    _number("expire_us"),
    _bytes("mac"),
    sa.Index("ix_idempotency_expire_us", "expire_us"),
)

idempotency_subject = sa.Table(  # whom a request was about
    "idempotency_subject",
    metadata,
    _uid("tenant_uid", primary_key=True),
    _uid("subject_uid", primary_key=True),
    _uid("request_id", primary_key=True),
    _uid("principal_uid", primary_key=True),
    _number("expire_us"),
    sa.Index("ix_idempotency_subject_expire_us", "expire_us"),
)
