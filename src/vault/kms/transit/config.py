"""Where Transit is, who the vault is there, and how long it waits. Secrets are named by file and read at each login."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TokenAuth:
    """A token that something else keeps fresh, such as a sidecar's sink file."""

    token_file: Path


@dataclass(frozen=True)
class AppRoleAuth:
    """AppRole: both ids come from files."""

    role_id_file: Path
    secret_id_file: Path
    mount: str = "approle"


@dataclass(frozen=True)
class KubernetesAuth:
    """A Kubernetes service account; the projected token is read anew at each login."""

    role: str
    jwt_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    mount: str = "kubernetes"


@dataclass(frozen=True)
class JwtAuth:
    """A JSON Web Token of some other issuer."""

    role: str
    jwt_file: Path
    mount: str = "jwt"


@dataclass(frozen=True)
class CertificateAuth:
    """A client certificate (PEM), shown on every connection because renewal is bound to it."""

    certificate_file: Path
    key_file: Path
    role: str = ""
    mount: str = "cert"


Auth = TokenAuth | AppRoleAuth | KubernetesAuth | JwtAuth | CertificateAuth


@dataclass(frozen=True)
class TransitConfig:
    """How to reach the Transit and KV engines of HashiCorp Vault or OpenBao.

    Attributes:
        address: ``https://host:port``; plain HTTP is refused.
        ca_file: PEM of the CAs that may have issued its certificate; no others count.
        auth: how to log in.
        mount: where the Transit engine is mounted.
        anchor_mount: where the KV engine (version 2) for the logs' anchors is mounted.
        namespace: the Vault or OpenBao namespace, if any.
        timeout_s: seconds for connecting and for the TLS handshake (each), and for an answer: one that takes two is slow, not away.
        budget_s: seconds after which a call has ended, with its logins and retries.
        retries: how often a call that failed is tried again.
        breaker_failures: failures in a row after which calls are refused at once.
        breaker_open_s: seconds until one call may find out whether the KMS is back.

    Raises:
        ValueError: the address is not https, or a number is out of range.
    """

    address: str
    ca_file: Path
    auth: Auth
    mount: str = "transit"
    namespace: str | None = None
    anchor_mount: str = "pdvault"
    timeout_s: tuple[float, float] = (1.0, 2.5)
    budget_s: float = 5.0
    retries: int = 2
    breaker_failures: int = 5
    breaker_open_s: float = 3.0

    def __post_init__(self) -> None:
        if not self.address.startswith("https://"):
            raise ValueError("the KMS address must begin with https://")
        if min(*self.timeout_s, self.budget_s, self.breaker_open_s) <= 0 or self.retries < 0 or self.breaker_failures < 1:
            raise ValueError("times must be above 0, breaker_failures at least 1, retries at least 0")
