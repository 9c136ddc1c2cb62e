"""The clients by which commands reach a vault, each used in ``with``.

All raise ClickException if a setting is missing, or a file does not hold what it should. They are imported where they are made:
gRPC takes long, and help does not need it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pdvault_client import ApprovalClient, AuditClient, FieldClient, KeyClient, OperationClient, SubjectClient, VaultClient
    from vault.cli.audit.calling import AuditCalling
    from vault.cli.calling import Calling


def vault_client(calling: "Calling") -> "VaultClient":
    """For values and tokens."""
    from pdvault_client import VaultClient

    return calling.endpoint.client(VaultClient, calling.purpose, "app")


def field_client(calling: "Calling") -> "FieldClient":
    """For fields of the caller's own database."""
    from pdvault_client import FieldClient

    return calling.endpoint.client(FieldClient, calling.purpose, "app")


def subject_client(calling: "Calling") -> "SubjectClient":
    """For people, and their erasure."""
    from pdvault_client import SubjectClient

    return calling.endpoint.client(SubjectClient, calling.purpose, "privacy")


def key_client(calling: "Calling") -> "KeyClient":
    """For keys."""
    from pdvault_client import KeyClient

    return calling.endpoint.client(KeyClient, calling.purpose, "security")


def operation_client(calling: "Calling") -> "OperationClient":
    """For long work."""
    from pdvault_client import OperationClient

    return calling.endpoint.client(OperationClient, calling.purpose, "security")


def approval_client(calling: "Calling") -> "ApprovalClient":
    """For what others ask for."""
    from pdvault_client import ApprovalClient

    return calling.endpoint.client(ApprovalClient, calling.purpose, "security")


def audit_client(calling: "AuditCalling") -> "AuditClient":
    """For the log."""
    from pdvault_client import AuditClient

    return calling.endpoint.client(AuditClient, calling.purpose, "auditor")
