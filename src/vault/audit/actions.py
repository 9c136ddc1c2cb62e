"""What the log calls acts that are no method of the service: named here once for who writes them and for who looks for them.

docs/formats.md ("Actions that are no methods") says what each means and what its details are. Leaves are kept for ever, so a name
is never given to anything else. A call's action is its method's name, as the contract has it.
"""

from typing import Final

BOOT_STARTED: Final = "BootStarted"
BOOT_ENDORSED: Final = "BootEndorsed"
BOOT_ENDED: Final = "BootEnded"

NODE_STARTED: Final = "NodeStarted"
NODE_STOPPING: Final = "NodeStopping"
CALLS_REFUSED: Final = "CallsRefused"
"""In a tenant's log: its principals' calls that ended without an event, by method, reason and principal."""
UNAUTHENTICATED_CALLS: Final = "UnauthenticatedCalls"
"""In the system's log: calls of nobody known, by method and reason."""
TAIL_ENDED: Final = "TailEnded"
KMS_AWAY: Final = "KmsAway"
KMS_BACK: Final = "KmsBack"

CHAIN_BROKEN: Final = "ChainBroken"
HEAD_MOVED: Final = "HeadMoved"
WITNESS_CONFLICT: Final = "WitnessConflict"

NAME_SUBJECTS: Final = "NameSubjects"
"""The callers' own names of subjects, read for a breach report."""
READ_HASHES: Final = "ReadHashes"
"""A checkpoint or a tile of hashes, read over HTTP."""
READ_ENTRIES: Final = "ReadEntries"
"""A bundle of entries, read over HTTP."""

TENANT_CREATED: Final = "TenantCreated"
ISSUING_CA_ADDED: Final = "IssuingCaAdded"
PRINCIPAL_ADDED: Final = "PrincipalAdded"
PRINCIPAL_SUSPENDED: Final = "PrincipalSuspended"
PRINCIPAL_RESUMED: Final = "PrincipalResumed"

KEYS_ROTATED: Final = "KeysRotated"
KEYS_RETIRED: Final = "KeysRetired"
KEYS_DESTROYED: Final = "KeysDestroyed"
REKEYED: Final = "Rekeyed"
ROTATION_DUE: Final = "RotationDue"

ERASED: Final = "Erased"
HORIZON_REACHED: Final = "HorizonReached"
NOTES_FORGOTTEN: Final = "NotesForgotten"

RESTORE_RECONCILED: Final = "RestoreReconciled"
ERASURE_REPEATED: Final = "ErasureRepeated"
"""Somebody whom a restore had brought back was erased again."""
