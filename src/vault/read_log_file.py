"""ReadHashes and ReadEntries: one file of an audit log, as the HTTP endpoint serves it (docs/formats-log.md).

Nothing is read here: the log's files never change once they are there, so they are read after the event is committed.
"""

from dataclasses import dataclass

from google.protobuf.empty_pb2 import Empty

from vault.admission import Admitted
from vault.errors import VaultError
from vault.kms.tenant_keys import TenantKeys
from vault.store.reads import Reads
from vault.v1 import common_pb2


@dataclass(frozen=True)
class ReadLogFile:
    """An auditor's request for one file.

    Args:
        action: READ_HASHES or READ_ENTRIES.
        log_uid: the tenant whose log it is.
        path: the file's path, in the one spelling there is of it.
        published: whether the newest published checkpoint covers it.
    """

    action: str
    log_uid: bytes
    path: str
    published: bool

    def reads(self, _keys: TenantKeys) -> Reads:
        """Nothing."""
        return Reads()

    def decide(self, admitted: Admitted) -> Empty:
        """Nothing, once the file may be sent.

        Raises:
            VaultError: POLICY_DENIED; LOG_RANGE, told to nobody who may not read the log.
        """
        admitted.draft.details["path"] = self.path
        if self.log_uid != admitted.tenant.uid:
            admitted.draft.details["log"] = self.log_uid.hex()
            raise VaultError(common_pb2.ERROR_REASON_POLICY_DENIED, "a log is read by auditors of its own tenant only")
        admitted.permit(self.action, "")
        if not self.published:
            raise beyond_the_log()
        return Empty()


def beyond_the_log() -> VaultError:
    """The refusal of what no published checkpoint covers."""
    return VaultError(common_pb2.ERROR_REASON_LOG_RANGE, "the log's newest checkpoint does not cover this")
