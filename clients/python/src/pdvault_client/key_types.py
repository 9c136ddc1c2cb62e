"""What security officers hand in and get back: plain frozen dataclasses, no protobuf."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from pdvault_client.errors import VaultError


class KeyState(IntEnum):
    """What a key is still for."""

    UNKNOWN = 0
    """Newer than this client."""
    ACTIVE = 1
    """It makes what is new."""
    OLD = 2
    """Something live still hangs on it."""
    RETIRED = 3
    """Nothing live hangs on it; old copies of the database do."""
    DESTROYED = 4
    """Its KEK version is gone."""


@dataclass(frozen=True, slots=True)
class KeySchedule:
    """How often keys rotate, and how long copies live.

    Attributes:
        rotate_every: rotate so often, at least a day; never by itself if None.
        restore_window: how long backups of the database are kept to be restored; 30 days if None.
        kms_snapshot_retention: how long snapshots of the KMS are kept; 30 days if None.
    """

    rotate_every: timedelta | None = None
    restore_window: timedelta | None = None
    kms_snapshot_retention: timedelta | None = None


@dataclass(frozen=True, slots=True)
class TenantKey:
    """An epoch, index or authority key.

    Attributes:
        version: counted from 1 within its kind.
        state: what it is still for.
        kek_version: the KEK version that wraps it.
        create_time: when it was made.
        end_time: when it was retired or destroyed.
        live: with epoch keys, subject keys that it wraps; with index keys, items and names of subjects that it makes findable.
    """

    version: int
    state: KeyState
    kek_version: int
    create_time: datetime | None
    end_time: datetime | None
    live: int


@dataclass(frozen=True, slots=True)
class KekVersion:
    """A version of the tenant's key in the KMS.

    Attributes:
        version: its number.
        create_time: when it was made, if the KMS says so.
        is_destroyable: nothing live hangs on it, nor on any before it.
        destroy_time: from when on no backup within the restore window needs it; None unless it is destroyable.
        would_lose: what would be lost by destroying it now.
    """

    version: int
    create_time: datetime | None
    is_destroyable: bool
    destroy_time: datetime | None
    would_lose: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """A tenant's keys, each kind newest first.

    Attributes:
        tenant: the tenant's name.
        tenant_state: "ACTIVE" or "SEALED".
        kek_versions: those that exist.
        epochs, index_keys, authority_keys: all that ever were.
        rekey_due: subjects with a deletion or update since their store key was made.
        schedule: as it is set, or what is assumed.
        next_rotation_time: None without a schedule.
        is_overdue: it has passed.
        erasures_waiting: erasures whose horizon is not reached.
        is_kek_imported: somebody outside holds copies of the KEK.
        proves_destruction: the KMS can prove that a version is gone.
    """

    tenant: str
    tenant_state: str
    kek_versions: tuple[KekVersion, ...]
    epochs: tuple[TenantKey, ...]
    index_keys: tuple[TenantKey, ...]
    authority_keys: tuple[TenantKey, ...]
    rekey_due: int
    schedule: KeySchedule
    next_rotation_time: datetime | None
    is_overdue: bool
    erasures_waiting: int
    is_kek_imported: bool
    proves_destruction: bool


@dataclass(frozen=True, slots=True)
class Attestation:
    """How an operation on keys ended, as the log says it too.

    Attributes:
        done: what was done, by kind.
        left: what the scan at the end found under the keys that were retired: all zero.
        retired_epochs, retired_index_keys: their versions.
        kek_version: in use since.
        destroyed_kek_versions: those that are gone.
        horizons_reached: how many erasures no copy can undo any more.
        altered_subjects: uids of subjects that keep their keys, since rows of theirs were altered: the first 100.
        late_subjects: uids of subjects that keep theirs, since nothing could be moved in the time of a transaction: the first 100.
    """

    done: Mapping[str, int] = field(hash=False)
    left: Mapping[str, int] = field(hash=False)
    retired_epochs: tuple[int, ...]
    retired_index_keys: tuple[int, ...]
    kek_version: int
    destroyed_kek_versions: tuple[int, ...]
    horizons_reached: int
    altered_subjects: tuple[bytes, ...] = ()
    late_subjects: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """Long work.

    Attributes:
        name: what the vault calls it.
        kind: what it does, for example "Rotate".
        state: "WAITING", "RUNNING", "PAUSED", "DONE", "FAILED" or "CANCELLED".
        phase: the part it is at.
        done: rows done so far, in all parts.
        total: rows counted before it began, in all parts; or as many as were done, if that is more.
        rows_per_second: over the last ten seconds or so, while it runs; 0 if unknown.
        estimated_time: when all will be done, at that rate; if that is known.
        create_time: when it was asked for.
        update_time: when it last moved.
        is_ended: it will do nothing more.
        attestation: how it ended, if it was about keys and is done.
        error: why it ended, if it failed or was cancelled.
    """

    name: str
    kind: str
    state: str
    phase: str
    done: int
    total: int
    rows_per_second: float
    estimated_time: datetime | None
    create_time: datetime | None
    update_time: datetime | None
    is_ended: bool
    attestation: Attestation | None
    error: VaultError | None


@dataclass(frozen=True, slots=True)
class Approval:
    """What a second principal has to decide.

    Attributes:
        uid: its name, 16 bytes.
        action: what is asked for, for example "Destroy".
        summary: the same in words.
        asked_by: who asked: the certificate's name.
        ask_time: when.
        expire_time: until when it can be decided and used.
        state: "ASKED", "APPROVED", "DENIED" or "USED".
        decided_by: who decided; empty if nobody has.
    """

    uid: bytes
    action: str
    summary: str
    asked_by: str
    ask_time: datetime | None
    expire_time: datetime | None
    state: str
    decided_by: str
