"""Client of the vault for personal data: values in, tokens out, and back for whoever may.

from pdvault_client import Form, VaultClient

with VaultClient.from_environment(purpose="payout") as vault:
    token = vault.tokenize_one("customer-17", "email", "li@example.org")
    print(vault.reveal_one(token).text)                       # masked
    print(vault.reveal_one(token, form=Form.PLAIN).text)      # the value, if policy allows it
"""

from pdvault_client.client import VaultClient
from pdvault_client.errors import (
    ConflictError,
    DeadlineExceededError,
    FieldViolation,
    IntegrityError,
    InternalError,
    InvalidRequestError,
    OverloadedError,
    PermissionDeniedError,
    RequestIdReusedError,
    ResponseTooLargeError,
    RevealAlreadyDeliveredError,
    RevisionMismatchError,
    TokenExpiredError,
    TokenNotFoundError,
    TokenUsedUpError,
    UnavailableError,
    VaultError,
)
from pdvault_client.options import CallOptions, SeriesOptions
from pdvault_client.results import Outcome, Results
from pdvault_client.retry import RetryPolicy
from pdvault_client.types import (
    Atomicity,
    Candidate,
    DataClass,
    Description,
    Form,
    FormKind,
    IssuedToken,
    NewValue,
    Page,
    Provenance,
    Replacement,
    Revealed,
    RevealItem,
    SubjectQuery,
    Taxonomy,
    TokenKind,
    Validation,
    ValueQuery,
)

__all__ = [
    "Atomicity",
    "CallOptions",
    "Candidate",
    "ConflictError",
    "DataClass",
    "DeadlineExceededError",
    "Description",
    "FieldViolation",
    "Form",
    "FormKind",
    "IntegrityError",
    "InternalError",
    "InvalidRequestError",
    "IssuedToken",
    "NewValue",
    "Outcome",
    "OverloadedError",
    "Page",
    "PermissionDeniedError",
    "Provenance",
    "Replacement",
    "RequestIdReusedError",
    "ResponseTooLargeError",
    "Results",
    "RetryPolicy",
    "RevealAlreadyDeliveredError",
    "RevealItem",
    "Revealed",
    "RevisionMismatchError",
    "SeriesOptions",
    "SubjectQuery",
    "Taxonomy",
    "TokenExpiredError",
    "TokenKind",
    "TokenNotFoundError",
    "TokenUsedUpError",
    "UnavailableError",
    "Validation",
    "ValueQuery",
    "VaultClient",
    "VaultError",
]
