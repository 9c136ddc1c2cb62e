"""The configuration file: TOML, read once, with every path relative to the file. Unknown settings are refused.

Secrets are never in it: settings that end in ``_file`` name the files that hold them.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from vault.audit.note import COSIGNATURE, NoteError, parse_vkey
from vault.kms.transit.config import (
    AppRoleAuth,
    Auth,
    CertificateAuth,
    JwtAuth,
    KubernetesAuth,
    TokenAuth,
    TransitConfig,
)

_METHODS: dict[str, type[Auth]] = {
    "token": TokenAuth,
    "approle": AppRoleAuth,
    "kubernetes": KubernetesAuth,
    "jwt": JwtAuth,
    "certificate": CertificateAuth,
}
_MAX_PORT = 65_535


class ConfigError(Exception):
    """The configuration can't be used; the message names file, setting and rule, never a setting's value."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def host_and_port(text: str) -> str:
    """The address; gRPC would take 127.0.0.1:99999 for port 34463.

    Raises:
        ValueError: it is no host and port.
    """
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and int(port) <= _MAX_PORT):
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:8443")
    return text


_Address = Annotated[str, AfterValidator(host_and_port)]


class ServerSettings(_Settings):
    """Where and as whom the server answers."""

    address: _Address = "127.0.0.1:8443"
    certificate_file: Path
    key_file: Path
    metrics_address: _Address = "127.0.0.1:9464"


def postgres_url(url: str) -> str:
    """The URL, if it is one for our driver.

    Raises:
        ValueError: it is not; the message does not hold it, since it may hold a password.
    """
    if not url.startswith("postgresql+psycopg://"):
        raise ValueError("must begin with postgresql+psycopg://")
    return url


class DatabaseSettings(_Settings):
    """PostgreSQL by ``url`` or ``url_file`` (where the URL has a password), or one SQLCipher file.

    ``log_url`` or ``log_url_file`` is how the server connects to PostgreSQL to keep the audit log: as a role of its own, so
    that the one by which calls are served needs no right to change it.
    """

    url: Annotated[str, AfterValidator(postgres_url)] | None = None
    url_file: Path | None = None
    log_url: Annotated[str, AfterValidator(postgres_url)] | None = None
    log_url_file: Path | None = None
    sqlite_file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> "DatabaseSettings":
        if sum(setting is not None for setting in (self.url, self.url_file, self.sqlite_file)) != 1:
            raise ValueError("give exactly one of url, url_file and sqlite_file")
        if sum(setting is not None for setting in (self.log_url, self.log_url_file, self.sqlite_file)) > 1:
            raise ValueError("give at most one of log_url and log_url_file, and none of them with sqlite_file")
        return self


_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def witness_key(text: str) -> str:
    """The verifier key of a witness.

    Raises:
        ValueError: it is none.
    """
    try:
        key = parse_vkey(text)
    except NoteError:
        key = None
    if key is None or key.kind != COSIGNATURE:
        raise ValueError("must be a witness's verifier key: <name>+<key id>+<base64 of 04 and its Ed25519 public key>")
    return text


def witness_url(text: str) -> str:
    """The prefix of a witness's URL, without a final slash.

    Raises:
        ValueError: it is none, or would send checkpoints unprotected across a network.
    """
    if not (text.isascii() and _is_plain_url(text)):
        raise ValueError("must be like https://witness.example.org/prefix; http:// only for a loopback address")
    return text.rstrip("/")


def _is_plain_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        extras = url.query or url.fragment or url.username or url.password or url.port == 0
    except ValueError:  # its text would hold the value
        return False
    return bool(url.hostname) and not extras and (url.scheme == "https" or (url.scheme == "http" and url.hostname in _LOOPBACK))


class WitnessSettings(_Settings):
    """A witness that is asked to cosign checkpoints, and the CA of its server's certificate, if that is not a public one."""

    key: Annotated[str, AfterValidator(witness_key)]
    url: Annotated[str, AfterValidator(witness_url)]
    ca_file: Path | None = None


class LogSettings(_Settings):
    """The audit logs: their names, where they are served over HTTPS, and who witnesses them.

    ``origin`` begins the name of each, which ends in ``/`` and the tenant's uid; fixed at a tenant's creation. With ``public``,
    checkpoints and tiles (which hold only hashes) are served to everybody, not just to auditors.
    """

    origin: str = Field(default="pdvault.invalid", pattern=r"^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(/[A-Za-z0-9._~-]{1,63}){0,3}$")
    address: _Address | None = None
    public: bool = False
    witness: tuple[WitnessSettings, ...] = ()
    witness_interval_s: float = Field(default=10.0, gt=0, le=3600)

    @model_validator(mode="after")
    def _each_once(self) -> "LogSettings":
        names = [witness.key.partition("+")[0] for witness in self.witness]
        if len(set(names)) != len(names):
            raise ValueError("each witness must have a name of its own")
        return self


class LocalKms(_Settings):
    """A keyring file, sealed with a key or a passphrase from a file or an environment variable."""

    kind: Literal["local"]
    keyring_file: Path
    key_file: Path | None = None
    key_variable: str | None = None
    passphrase_file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> "LocalKms":
        if sum(setting is not None for setting in (self.key_file, self.key_variable, self.passphrase_file)) != 1:
            raise ValueError("give exactly one of key_file, key_variable and passphrase_file")
        return self


class TransitKms(_Settings):
    """HashiCorp Vault or OpenBao.

    ``auth`` is the server's identity, ``provisioner`` the one that may create tenants' keys, ``key_worker`` the one that may make
    and end versions of them.
    """

    kind: Literal["transit"]
    address: str
    ca_file: Path
    mount: str = "transit"
    anchor_mount: str = "pdvault"
    namespace: str | None = None
    auth: dict[str, Any]
    provisioner: dict[str, Any] | None = None
    key_worker: dict[str, Any] | None = None

    def as_app(self) -> TransitConfig:
        """How server nodes reach Transit.

        Raises:
            ConfigError: a setting is wrong.
        """
        return self._as("auth", self.auth)

    def as_provisioner(self) -> TransitConfig:
        """How tenants' keys are created.

        Raises:
            ConfigError: no such identity is configured.
        """
        if self.provisioner is None:
            raise ConfigError("kms.provisioner is needed to create a tenant: the server's own identity may not create keys")
        return self._as("provisioner", self.provisioner)

    def as_key_worker(self) -> TransitConfig:
        """How KEK versions are made and destroyed.

        Raises:
            ConfigError: no such identity is configured.
        """
        if self.key_worker is None:
            raise ConfigError("kms.key_worker is needed to rotate, import or destroy keys: the server's own identity may not")
        return self._as("key_worker", self.key_worker)

    def _as(self, name: str, login: dict[str, Any]) -> TransitConfig:
        auth = _auth(f"kms.{name}", login)
        try:
            return TransitConfig(self.address, self.ca_file, auth, self.mount, self.namespace, self.anchor_mount)
        except ValueError as error:
            raise ConfigError(f"kms.address: {error}") from None


class Limits(_Settings):
    """What is bounded; seconds."""

    key_cache_ttl_s: float = Field(default=300.0, gt=0, le=3600)
    max_waiting_calls: int = Field(default=2000, ge=1)
    drain_s: float = Field(default=10.0, ge=0, le=300)


class ErasureSettings(_Settings):
    """What receipts of erasures may promise of PostgreSQL.

    ``clean_after_s`` seconds after an erasure, files, write-ahead log and replicas hold no row of the subject: by then autovacuum
    has come by, old segments of the log have been recycled, and replicas have followed (docs/erasure.md). An SQLite file is
    cleaned at once, whatever is said here.
    """

    clean_after_s: float = Field(default=86_400.0, ge=60, le=31_536_000)


class Config(_Settings):
    """Everything a node is told."""

    node: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")
    server: ServerSettings
    database: DatabaseSettings
    kms: Annotated[LocalKms | TransitKms, Field(discriminator="kind")]
    log: LogSettings = LogSettings()
    limits: Limits = Limits()
    erasure: ErasureSettings = ErasureSettings()


def load(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: it can't be read, is no TOML, or a setting is missing, unknown or wrong.
    """
    try:
        settings = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}") from None
    try:
        config = Config.model_validate(_resolved(settings, path.parent.absolute()))
        if isinstance(config.kms, TransitKms):
            config.kms.as_app()
            if config.kms.provisioner is not None:
                config.kms.as_provisioner()
            if config.kms.key_worker is not None:
                config.kms.as_key_worker()
    except ValidationError as error:
        raise ConfigError(f"{path}: {_found(error)}") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return config


def _found(error: ValidationError, prefix: tuple[str, ...] = ()) -> str:
    """Each broken rule after its setting's name, without the value, and without the kind that pydantic puts into a union's name."""
    found = []
    for each in error.errors(include_input=False, include_url=False):
        where = [*prefix, *(str(part) for part in each["loc"])]
        if where[:2] in (["kms", "local"], ["kms", "transit"]):
            del where[1]
        if each["type"] in ("union_tag_invalid", "union_tag_not_found"):  # the first one's text holds the value
            found.append(f"{'.'.join(where)}.kind: must be 'local' or 'transit'")
        else:
            found.append(f"{'.'.join(where)}: {each['msg'].removeprefix('Value error, ')}")
    return "; ".join(found)


def _resolved(settings: Any, base: Path) -> Any:
    if isinstance(settings, list):
        return [_resolved(setting, base) for setting in settings]
    if not isinstance(settings, dict):
        return settings
    return {
        name: str(base / value) if name.endswith("_file") and isinstance(value, str) else _resolved(value, base)
        for name, value in settings.items()
    }


def _auth(setting: str, login: dict[str, Any]) -> Auth:
    rest = dict(login)
    kind = _METHODS.get(str(rest.pop("method", "")))
    if kind is None:
        raise ConfigError(f"{setting}.method: must be one of {', '.join(_METHODS)}")
    unknown = set(rest) - set(kind.__dataclass_fields__)
    if unknown:
        raise ConfigError(f"{setting}: has unknown settings: {', '.join(sorted(unknown))}")
    try:
        auth: Auth = TypeAdapter(kind).validate_python(rest)
    except ValidationError as error:
        raise ConfigError(_found(error, tuple(setting.split(".")))) from None
    return auth
