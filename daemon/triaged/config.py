"""The configuration: one YAML file, every key also as TRIAGED_…__… in the environment; the only reader of either."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from triaged import secretfile, urls
from triaged.backends.github import keyfile
from triaged.core import heartbeats, reports, storm
from triaged.core.matchers import whole
from triaged.core.recipients import ON_CALL, PEOPLE, TEAM
from triaged.errors import SHOWN_FINDINGS, ConfigError, Finding
from triaged.rulefiles.marks import Items, Node, Scalar, Table, compose
from triaged.rulefiles.texts import read_text
from triaged.rulefiles.words import some_span
from triaged.secretfile import Secret

_FORBID = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
_PREFIX: Final = "TRIAGED_"
_MOST_YEARS: Final = 100
_PRIVATE_KEY: Final = ("backend", "github", "app", "private_key_file")
OWN_SOURCES: Final = (heartbeats.SOURCE, storm.SOURCE, reports.SOURCE)
"""Whose alerts the daemon makes, also of what people report: nobody may send as they."""
# What Kubernetes sets in every pod beside a service of our name:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_KUBERNETES: Final = re.compile(
    r"TRIAGED_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
# Pydantic's words for what was expected, where they are not an operator's.
_EXPECTED: Final = {
    "missing": "expected this key, found none",
    "string_type": "expected a text",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "tuple_type": "expected a list",
    "dict_type": "expected keys below it",
    "model_type": "expected keys below it",
    "model_attributes_type": "expected keys below it",
}


def _span(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a duration such as 90d or 3y")  # noqa: TRY004 - pydantic reports ValueErrors only
    if years := re.fullmatch(r"([0-9]+)y", value):
        if not 1 <= int(years[1][:9]) <= _MOST_YEARS:
            raise ValueError(f"expected 1y to {_MOST_YEARS}y")
        return timedelta(days=365 * int(years[1]))
    return some_span(value)


Span = Annotated[timedelta, BeforeValidator(_span)]


def _shaped(pattern: str, expected: str) -> Callable[[str], str]:
    """Takes text of that form; who writes another is told in words what was expected."""

    def checked(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(f"expected {expected}")
        return text

    return checked


def _in_schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


def _of_no_other_meaning(name: str) -> str:
    if name.lower() in _OWN_LABELS:
        raise ValueError(f"expected another name: labels {name.lower()}: … on issues have a meaning of their own")
    return name


def _of_others(name: str) -> str:
    if name in OWN_SOURCES:
        raise ValueError(f"expected another name: {name} is the daemon's own")
    return name


_OWN_LABELS: Final = frozenset({"category", "problem", "severity", "team"})
_MOST_LABELS: Final = 10
_REPOSITORY: Final = r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+"
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}"
_SOURCE: Final = r"[a-z0-9][a-z0-9_-]{0,40}"
_Repository = Annotated[str, AfterValidator(_shaped(_REPOSITORY, "OWNER/NAME")), _in_schema(_REPOSITORY)]
_LISTED: Final = r"[A-Za-z0-9_.-]+/(\*|[A-Za-z0-9_.-]+)"
_Listed = Annotated[
    str, AfterValidator(_shaped(_LISTED, "OWNER/NAME, or OWNER/* for all of an owner")), _in_schema(_LISTED)
]
_ALERT_LABEL: Final = r"[A-Za-z_][A-Za-z0-9_.-]{0,29}"
_AlertLabel = Annotated[
    str,
    AfterValidator(_shaped(_ALERT_LABEL, "the name of an alert's label, at most 30 letters, digits, _, . and -")),
    AfterValidator(_of_no_other_meaning),
    _in_schema(_ALERT_LABEL),
]
_AlertmanagerName = Annotated[
    str, AfterValidator(_shaped(_NAME, "a name of at most 60 letters, digits, _, . and -")), _in_schema(_NAME)
]
_SourceName = Annotated[
    str,
    AfterValidator(_shaped(_SOURCE, "a name of at most 41 lower-case letters, digits, _ and -")),
    AfterValidator(_of_others),
    _in_schema(_SOURCE),
]
_SecretUrl = Annotated[str, AfterValidator(urls.askable), _in_schema(r"https?://\S+")]
_MemberUrl = Annotated[str, AfterValidator(urls.bare), _in_schema(r"https?://[^\s@?#]+")]
_ApiUrl = Annotated[str, AfterValidator(urls.base), _in_schema(r"https?://[^\s@?#]*[^\s@?#/]")]


def _text_of_number(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


_APP_ID: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}"
_AppId = Annotated[
    str,
    BeforeValidator(_text_of_number),
    AfterValidator(_shaped(_APP_ID, "the App's id, such as 123456, or its client id, such as Iv23liXXXXXXXXXXXXXX")),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^{_APP_ID}$"}]}),
]


_POLLED: Final = timedelta(seconds=30)
_POLLED_BESIDE_WEBHOOKS: Final = timedelta(minutes=5)


class GitHubAppSettings(BaseModel):
    """A GitHub App; its installation is found by the repository, unless it is named."""

    model_config = _FORBID
    id: _AppId
    private_key_file: Path
    installation_id: Annotated[int, Field(gt=0)] | None = None


class GitHubSettings(BaseModel):
    """The repository where issues are opened, another one for restricted incidents, and the credential for both.

    `repositories` are those that the rules may name, all where none are listed; `labels` are names of alerts' labels
    that issues get as labels, too.
    """

    model_config = _FORBID
    repository: _Repository
    restricted_repository: _Repository | None = None
    repositories: tuple[_Listed, ...] = ()
    labels: Annotated[tuple[_AlertLabel, ...], Field(max_length=_MOST_LABELS)] = ()
    api_url: _ApiUrl = "https://api.github.com"
    app: GitHubAppSettings | None = None
    token: str | None = Field(default=None, repr=False)
    token_file: Path | None = None
    webhook_secret_file: Path | None = None
    poll_every: Span | None = None
    reports: Literal["anyone", "collaborators", "nobody"] = "collaborators"
    commands: Literal["triage", "write", "maintain", "admin"] = "write"

    @property
    def polled_every(self) -> timedelta:
        """How often it is asked what changed there; seldom where it tells that itself."""
        told = self.webhook_secret_file is not None
        return self.poll_every or (_POLLED_BESIDE_WEBHOOKS if told else _POLLED)

    @field_validator("poll_every")
    @classmethod
    def _polls_not_too_often(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value < timedelta(seconds=10):
            raise ValueError("expected at least 10s")
        return value

    @model_validator(mode="after")
    def _one_credential(self) -> GitHubSettings:
        named = {"app": self.app, "token_file": self.token_file, "token": self.token}
        given = [name for name, value in named.items() if value is not None]
        if len(given) != 1:
            raise ValueError(f"expected one of app (best), token_file and token, got {' and '.join(given) or 'none'}")
        return self


class LocalSettings(BaseModel):
    """The folder of Markdown files."""

    model_config = _FORBID
    directory: Path = Path("incidents")


class BackendSettings(BaseModel):
    """Where incidents are published."""

    model_config = _FORBID
    type: Literal["github", "local"] = "local"
    github: GitHubSettings | None = None
    local: LocalSettings = LocalSettings()

    @model_validator(mode="after")
    def _has_its_own(self) -> BackendSettings:
        if self.type == "github" and self.github is None:
            raise ValueError("expected the key github beside type: github")
        return self


class SourceSettings(BaseModel):
    """Who may send as this source: bearer tokens, one a line, or `user:password` lines for basic authentication."""

    model_config = _FORBID
    tokens: tuple[str, ...] = Field(default=(), repr=False)
    tokens_file: Path | None = None
    basic_auth_file: Path | None = None

    @property
    def protected(self) -> bool:
        return bool(self.tokens or self.tokens_file or self.basic_auth_file)


class ApiTokenSettings(BaseModel):
    """A named token: `act` may do everything, `read` may look."""

    model_config = _FORBID
    token: str | None = Field(default=None, repr=False)
    token_file: Path | None = None
    role: Literal["act", "read"] = "act"

    @model_validator(mode="after")
    def _one_token(self) -> ApiTokenSettings:
        if (self.token is None) == (self.token_file is None):
            raise ValueError("expected either token_file (better) or token")
        return self


class RetentionSettings(BaseModel):
    """How long raw alerts and closed incidents are kept."""

    model_config = _FORBID
    deliveries: Span = timedelta(days=90)
    incidents: Span = timedelta(days=3 * 365)


class HeartbeatSettings(BaseModel):
    """Our own heartbeat: a URL of a service elsewhere, which tells people when it is asked no more."""

    model_config = _FORBID
    url: _SecretUrl | None = Field(default=None, repr=False)
    url_file: Path | None = None
    every: Span = timedelta(minutes=1)

    @field_validator("every")
    @classmethod
    def _not_too_often(cls, value: timedelta) -> timedelta:
        if value < timedelta(seconds=10):
            raise ValueError("expected at least 10s")
        return value

    @model_validator(mode="after")
    def _one_url(self) -> HeartbeatSettings:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("expected either url_file (better) or url")
        return self


class ChannelSettings(BaseModel):
    """Where people are told: a URL as Apprise has them, or `pagerduty://KEY`, `opsgenie://KEY`."""

    model_config = _FORBID
    url: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")] | None = Field(default=None, repr=False)
    url_file: Path | None = None

    @model_validator(mode="after")
    def _one_url(self) -> ChannelSettings:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("expected either url_file (better) or url")
        return self


class BridgeSettings(BaseModel):
    """A service that makes bridges for major incidents: a URL, which is asked by POST, or a file with it."""

    model_config = _FORBID
    hook_url: _SecretUrl | None = Field(default=None, repr=False)
    hook_url_file: Path | None = None

    @model_validator(mode="after")
    def _one_url(self) -> BridgeSettings:
        if (self.hook_url is None) == (self.hook_url_file is None):
            raise ValueError("expected either hook_url_file (better) or hook_url")
        return self


class AlertmanagerSettings(BaseModel):
    """An Alertmanager, or the members of one cluster, whose alerts come in at the door of `source`."""

    model_config = _FORBID
    name: _AlertmanagerName
    urls: tuple[_MemberUrl, ...]
    receiver: str = ".*"
    source: str | None = None
    token_file: Path | None = None
    basic_auth_file: Path | None = None

    @field_validator("urls")
    @classmethod
    def _has_one(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("expected at least one URL")
        return value

    @field_validator("receiver")
    @classmethod
    def _is_regex(cls, value: str) -> str:
        try:
            whole(value)
        except ValueError as error:
            raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _one_credential(self) -> AlertmanagerSettings:
        if self.token_file is not None and self.basic_auth_file is not None:
            raise ValueError("expected token_file or basic_auth_file, got both")
        return self


class PrometheusSettings(BaseModel):
    """The Prometheus, or what answers as it does, that is asked for values: charts, health."""

    model_config = _FORBID
    url: _MemberUrl
    token_file: Path | None = None
    basic_auth_file: Path | None = None

    @model_validator(mode="after")
    def _one_credential(self) -> PrometheusSettings:
        if self.token_file is not None and self.basic_auth_file is not None:
            raise ValueError("expected token_file or basic_auth_file, got both")
        return self


class Settings(BaseSettings):
    """All of it. Paths are absolute: relative ones in a file are relative to the file's folder."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )

    listen: str = "127.0.0.1:9876"
    public_url: str = "http://localhost:9876"
    store: str = Field(default="sqlite:///var/triaged.db", repr=False)
    rules: Path | None = None
    backend: BackendSettings = BackendSettings()
    sources: dict[_SourceName, SourceSettings] = {}
    api_tokens: dict[Annotated[str, Field(min_length=1, max_length=60)], ApiTokenSettings] = {}
    retention: RetentionSettings = RetentionSettings()
    heartbeat: HeartbeatSettings | None = None
    alertmanagers: tuple[AlertmanagerSettings, ...] = ()
    prometheus: PrometheusSettings | None = None
    channels: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")], ChannelSettings] = {}
    bridge: BridgeSettings | None = None
    insecure_no_auth: bool = False

    @field_validator("channels")
    @classmethod
    def _no_word_for_others(cls, value: dict[str, ChannelSettings]) -> dict[str, ChannelSettings]:
        for name in {PEOPLE, ON_CALL, TEAM} & value.keys():
            raise ValueError(f"expected another name than {name}, which means somebody else")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65_535:
            raise ValueError(f"expected HOST:PORT such as 127.0.0.1:9876, got {value!r}")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError(f"expected a URL with http:// or https://, got {value!r}")
        return value.rstrip("/")

    @field_validator("store")
    @classmethod
    def _is_store(cls, value: str) -> str:
        expected = "expected sqlite:///FILE or postgresql://USER@HOST/NAME"
        if not value.startswith(("sqlite:///", "postgresql://")) or value == "sqlite:///" or "\0" in value:
            raise ValueError(expected)
        try:
            make_url(value)
        except (ArgumentError, ValueError):
            raise ValueError(expected) from None  # theirs may show the password
        return value

    @model_validator(mode="after")
    def _each_has_its_source(self) -> Settings:
        """What one Alertmanager does not hold is gone: two at one source would end each other's alerts."""
        names = [one.name for one in self.alertmanagers]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"alertmanagers: expected names that differ, got {name} more than once")
        sources = [self.source_of(one) for one in self.alertmanagers]
        for one, source in zip(self.alertmanagers, sources, strict=True):
            if source not in self.source_names:
                known = ", ".join(self.source_names)
                raise ValueError(f"alertmanagers: {one.name}: expected one of the sources {known}, got {source}")
            if sources.count(source) > 1:
                raise ValueError(
                    f"alertmanagers: {one.name}: expected a source of its own, {source} is another one's too; the"
                    " members of one cluster are one entry with several urls"
                )
        return self

    def source_of(self, alertmanager: AlertmanagerSettings) -> str:
        """Whose alerts they are at our door."""
        own = alertmanager.name if alertmanager.name in self.sources else "alertmanager"
        return alertmanager.source or own

    @property
    def store_place(self) -> str:
        """Where the store is, fit for a log."""
        rest = self.store.removeprefix("sqlite:///").removeprefix("postgresql://")
        return rest.partition("?")[0].rpartition("@")[2]

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @property
    def loopback(self) -> bool:
        """Whether nobody but this machine can reach us."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def source_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("alertmanager", *self.sources)))


def embedded(**values: Any) -> Settings:
    """The embedded defaults but for these values, whatever the environment says. Raises ConfigError."""
    out_of_reach: dict[str, Any] = {"_env_prefix": "no variable begins like this "}
    try:
        return Settings(**out_of_reach, **values)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, problem['loc']))}: {_message(problem)}" for problem in error.errors())
        raise ConfigError("\n".join(problems)) from error


def load(file: Path | None) -> Settings:
    """The settings of a file and the environment; the embedded defaults where `file` is None.

    Raises ConfigError with one finding per mistake: file, line, column, key, what was expected.
    """
    node: Node | None = None
    data: dict[str, Any] = {}
    if file is not None:
        node = _composed(file)
        if isinstance(node, Table):
            data = _plain(node)
        elif not (isinstance(node, Scalar) and node.kind == "null"):
            raise ConfigError(findings=(_finding(file, node, (), "expected keys such as listen and backend"),))
    folder = Path.cwd() if file is None else file.resolve().parent
    _refuse_unknown_variables()
    try:
        settings = _absolute(Settings(**data), folder)
    except ValidationError as error:
        raise ConfigError(findings=_all_explained(file, node, error.errors())) from error
    except SettingsError as error:
        raise ConfigError(_no_json(str(error))) from error
    _refuse_open_doors(settings, file, node)
    return settings


def unreadable_secrets(settings: Settings, file: Path | None) -> tuple[Finding, ...]:
    """One finding for each file of secrets with which no daemon would start: gone, empty, or of another form."""
    node = None if file is None else _composed(file)
    findings = []
    hint = "where they lie on another machine, check with --no-secrets"
    for path, secrets, kind in _secret_files(settings):
        try:
            secretfile.read(secrets, kind)
        except ConfigError as error:
            findings.append(_found_at(file, node, path, str(error), hint))
    key = _private_key_file(settings)
    if key is not None:
        try:
            keyfile.load(key)
        except ConfigError as error:
            findings.append(_found_at(file, node, _PRIVATE_KEY, str(error), hint))
    return tuple(findings)


def doubtful_secrets(settings: Settings, file: Path | None) -> tuple[Finding, ...]:
    """One finding for each file of secrets that others on this machine may use."""
    key = _private_key_file(settings)
    doubt = "" if key is None else keyfile.doubt(key)
    if not doubt:
        return ()
    node = None if file is None else _composed(file)
    return (_found_at(file, node, _PRIVATE_KEY, doubt, "chmod 600 FILE; in Kubernetes the secret's defaultMode: 0440"),)


def _private_key_file(settings: Settings) -> Path | None:
    github = settings.backend.github if settings.backend.type == "github" else None
    return github.app.private_key_file if github is not None and github.app is not None else None


def _secret_files(settings: Settings) -> Iterator[tuple[tuple[str, ...], Path, Secret]]:
    """The key, the file and what is in it, of all files of secrets that the daemon reads."""
    github, heartbeat = settings.backend.github, settings.heartbeat
    named: list[tuple[tuple[str, ...], Path | None, Secret]] = []
    if settings.backend.type == "github" and github is not None:
        named.append((("backend", "github", "token_file"), github.token_file, Secret.TOKEN))
        named.append((("backend", "github", "webhook_secret_file"), github.webhook_secret_file, Secret.TOKEN))
    for name, source in settings.sources.items():
        named.append((("sources", name, "tokens_file"), source.tokens_file, Secret.TOKEN))
        named.append((("sources", name, "basic_auth_file"), source.basic_auth_file, Secret.PASSWORD))
    for name, token in settings.api_tokens.items():
        named.append((("api_tokens", name, "token_file"), token.token_file, Secret.TOKEN))
    if heartbeat is not None:
        named.append((("heartbeat", "url_file"), heartbeat.url_file, Secret.URL))
    if settings.bridge is not None:
        named.append((("bridge", "hook_url_file"), settings.bridge.hook_url_file, Secret.URL))
    for at, one in enumerate(settings.alertmanagers):
        named.append((("alertmanagers", str(at), "token_file"), one.token_file, Secret.TOKEN))
        named.append((("alertmanagers", str(at), "basic_auth_file"), one.basic_auth_file, Secret.PASSWORD))
    if (prometheus := settings.prometheus) is not None:
        named.append((("prometheus", "token_file"), prometheus.token_file, Secret.TOKEN))
        named.append((("prometheus", "basic_auth_file"), prometheus.basic_auth_file, Secret.PASSWORD))
    for path, secrets, kind in named:
        if secrets is not None:
            yield path, secrets, kind


def _refuse_unknown_variables() -> None:
    """A misspelt variable is told, as a misspelt key is; those below a known key are pydantic's to refuse."""
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    tables = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields if _known((name,)) != _known(())}
    unknown = []
    for variable in _variables():
        key, below, _ = variable.upper().partition("__")
        if key not in (tables if below else known) and not _KUBERNETES.fullmatch(variable):
            unknown.append(variable)
    if unknown:
        expected = ", ".join(sorted(known))
        raise ConfigError("\n".join(f"environment: unknown variable {name}: expected {expected}" for name in unknown))


def _variables() -> list[str]:
    return sorted(name for name in os.environ if name.startswith(_PREFIX))


def _no_json(problem: str) -> str:
    """Of a list or table in the environment, told by the variables that it may be; never their values."""
    field = re.search(r'field "(\w+)"', problem)
    prefix = f"{_PREFIX}{field[1].upper()}" if field else _PREFIX
    found = [name for name in _variables() if re.fullmatch(rf"{prefix}(__.*)?", name, re.IGNORECASE)]
    return f'environment: {" or ".join(found)}: expected JSON, such as ["one", "two"] for a list'


def _composed(file: Path) -> Node:
    if not file.exists() and not file.is_symlink():
        raise ConfigError(f"{file}: expected a configuration file, found none")
    text = read_text(file, str(file), streams=True)
    if isinstance(text, Finding):
        raise ConfigError(findings=(text,))
    findings: list[Finding] = []
    node = compose(str(file), text, findings)
    if node is None or findings:
        raise ConfigError(findings=tuple(findings))
    return node


def _plain(node: Node) -> Any:
    if isinstance(node, Table):
        return {key.text: _plain(value) for key, value in node.entries}
    if isinstance(node, Items):
        return [_plain(item) for item in node.items]
    if node.kind == "null":
        return None
    if node.kind == "bool":
        return node.text.lower() in ("true", "yes", "on")
    return node.text


def _absolute(settings: Settings, folder: Path) -> Settings:
    """Every relative path below `folder`."""

    def resolved(value: Any) -> Any:
        if isinstance(value, Path):
            return value if value.is_absolute() else folder / value
        if isinstance(value, BaseModel):
            changes = {name: resolved(getattr(value, name)) for name in type(value).model_fields}
            return value.model_copy(update=changes)
        if isinstance(value, tuple):
            return tuple(resolved(inner) for inner in value)
        if isinstance(value, dict):
            return {name: resolved(inner) for name, inner in value.items()}
        return value

    found: Settings = resolved(settings)
    prefix = "sqlite:///"
    if found.store.startswith(prefix) and not found.store.startswith("sqlite:////") and len(found.store) > len(prefix):
        found = found.model_copy(update={"store": f"{prefix}{folder / found.store[len(prefix) :]}"})
    return found


def _refuse_open_doors(settings: Settings, file: Path | None, node: Node | None) -> None:
    if settings.loopback or settings.insecure_no_auth:
        return
    why = f"because listen ({settings.listen}) can be reached from other machines; or say insecure_no_auth: true"
    problems = [
        _finding(file, node, ("sources", name), f"expected tokens_file or basic_auth_file, {why}")
        for name in settings.source_names
        if not settings.sources.get(name, SourceSettings()).protected
    ]
    if not settings.api_tokens:
        problems.append(_finding(file, node, ("api_tokens",), f"expected at least one named token, {why}"))
    if problems:
        raise ConfigError(findings=tuple(problems))


def _all_explained(file: Path | None, node: Node | None, problems: Sequence[Any]) -> tuple[Finding, ...]:
    """One finding each; beyond those that are shown without place and nearest word, which take their time."""
    first = [_explained(file, node, problem) for problem in problems[:SHOWN_FINDINGS]]
    return (*first, *(_finding(file, None, (), _message(problem)) for problem in problems[SHOWN_FINDINGS:]))


def _explained(file: Path | None, node: Node | None, problem: Any) -> Finding:
    path = tuple(str(part) for part in problem["loc"] if part != "[key]")
    message = _message(problem)
    hint = ""
    if problem["type"] == "extra_forbidden":
        known = _known(path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1)
        message = f"unknown key {path[-1]!r}: expected one of {', '.join(known)}"
        hint = f"did you mean {near[0]}?" if near else ""
    return _found_at(file, node, path, message, hint)


def _found_at(file: Path | None, node: Node | None, path: tuple[str, ...], message: str, hint: str) -> Finding:
    """A finding at the variable that sets the key, else in the file."""
    variable = f"{_PREFIX}{'__'.join(path)}".upper()
    if variable in (name.upper() for name in _variables()):
        return _finding(None, None, (variable,), message, hint)
    return _finding(file, node, path, message, hint)


def _message(problem: Any) -> str:
    message = _EXPECTED.get(problem["type"]) or str(problem["msg"]).removeprefix("Value error, ")
    message = message.replace("Input should be ", "expected ", 1)
    return message.replace("String should match pattern", "expected text that matches", 1)


def _known(path: tuple[str, ...]) -> list[str]:
    model: Any = Settings
    for part in path:
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        annotation = field.annotation if field is not None else model
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), model)
    return sorted(model.model_fields)


def _finding(file: Path | None, node: Node | None, path: tuple[str, ...], message: str, hint: str = "") -> Finding:
    line, column = (1, 1) if node is None else (node.line, node.column)
    shown = ""
    for part in path:
        if isinstance(node, Items) and part.isdecimal() and int(part) < len(node.items):
            node = node.items[int(part)]
            line, column = node.line, node.column
            shown += f"[{part}]"
            continue
        shown += f".{part}" if shown else part
        entry = None
        if isinstance(node, Table):
            entry = next(((key, value) for key, value in node.entries if key.text == part), None)
        if entry is None:
            node = None
        else:
            line, column, node = entry[0].line, entry[0].column, entry[1]
    name = "environment" if file is None else str(file)
    return Finding(file=name, line=line, column=column, path=shown, message=message, hint=hint)
