"""The configuration: every key, the environment over the file, and what is said of every mistake."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triaged import defaults
from triaged.config import (
    ApiTokenSettings,
    BackendSettings,
    GitHubSettings,
    HeartbeatSettings,
    LocalSettings,
    RetentionSettings,
    Settings,
    SourceSettings,
    embedded,
    load,
)
from triaged.errors import ConfigError

EVERY_KEY = """
listen: '[::1]:9000'
public_url: https://triaged.example.com/
store: postgresql://triaged@db.example.com/triaged
rules: ./rules
backend:
  type: github
  github:
    repository: acme/incidents
    api_url: https://github.example.com/api/v3
    token_file: secrets/github
  local: {directory: ./incidents}
sources:
  alertmanager: {tokens_file: secrets/tokens}
  eu-2: {basic_auth_file: /run/secrets/eu, tokens: [first, second]}
api_tokens:
  ann: {token_file: secrets/ann}
  dashboard: {token: look, role: read}
retention: {deliveries: 36h, incidents: 5y}
insecure_no_auth: true
"""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine that runs the tests has set."""
    for key in Settings.model_fields:
        monkeypatch.delenv(f"TRIAGED_{key.upper()}", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def loaded(file: Path, text: str) -> Settings:
    file.write_text(text, encoding="utf-8")
    return load(file)


def refused(file: Path, text: str) -> str:
    """What is said of a file; each line without the name of the folder."""
    with pytest.raises(ConfigError) as caught:
        loaded(file, text)
    return str(caught.value).replace(f"{file.parent}/", "")


# ---------------------------------------------------------------- what it gives


def test_every_key_of_a_file_is_read_with_paths_relative_to_the_files_folder(file: Path) -> None:
    here = file.parent
    assert loaded(file, EVERY_KEY) == Settings(
        listen="[::1]:9000",
        public_url="https://triaged.example.com",
        store="postgresql://triaged@db.example.com/triaged",
        rules=here / "rules",
        backend=BackendSettings(
            type="github",
            github=GitHubSettings(
                repository="acme/incidents",
                api_url="https://github.example.com/api/v3",
                token_file=here / "secrets/github",
            ),
            local=LocalSettings(directory=here / "incidents"),
        ),
        sources={
            "alertmanager": SourceSettings(tokens_file=here / "secrets/tokens"),
            "eu-2": SourceSettings(basic_auth_file=Path("/run/secrets/eu"), tokens=("first", "second")),
        },
        api_tokens={
            "ann": ApiTokenSettings(token_file=here / "secrets/ann"),
            "dashboard": ApiTokenSettings(token="look", role="read"),
        },
        retention=RetentionSettings(deliveries=timedelta(hours=36), incidents=timedelta(days=5 * 365)),
        insecure_no_auth=True,
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "{}"])
def test_an_empty_file_gives_the_defaults(file: Path, text: str) -> None:
    found = loaded(file, text)
    assert found.listen == "127.0.0.1:9876"
    assert found.public_url == "http://localhost:9876"
    assert found.store == f"sqlite:///{file.parent}/var/triaged.db"
    assert found.rules is None
    assert found.backend == BackendSettings(local=LocalSettings(directory=file.parent / "incidents"))
    assert found.sources == {}
    assert found.api_tokens == {}
    assert found.retention == RetentionSettings(deliveries=timedelta(days=90), incidents=timedelta(days=1095))
    assert not found.insecure_no_auth


def test_without_a_file_relative_paths_begin_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = load(None)
    assert found.store == f"sqlite:///{tmp_path}/var/triaged.db"
    assert found.backend.local.directory == tmp_path / "incidents"


@pytest.mark.parametrize("store", ["sqlite:////var/lib/triaged.db", "postgresql://me@db/triaged"])
def test_a_store_that_is_no_relative_file_stays_as_it_was_written(file: Path, store: str) -> None:
    assert loaded(file, f"store: {store}").store == store


def test_the_example_file_says_the_defaults(tmp_path: Path) -> None:
    text = defaults.CONFIG.read_text(encoding="utf-8")
    found = loaded(tmp_path / "config.yaml", text)
    plain = loaded(tmp_path / "plain.yaml", "")
    assert found.rules == tmp_path / "rules"
    assert found.model_copy(update={"rules": None}) == plain


def test_every_example_behind_a_comment_sign_in_the_example_file_is_well_formed(file: Path) -> None:
    lines = defaults.CONFIG.read_text(encoding="utf-8").splitlines()
    text = "\n".join(re.sub(r"^( *)# (?=type: github|github:|  \w+: |\w+:$)", r"\1", line) for line in lines)
    found = loaded(file, text.replace("  type: local\n", ""))
    assert found.backend.github == GitHubSettings(
        repository="acme/incidents",
        token_file=Path("/run/secrets/github"),
        webhook_secret_file=Path("/run/secrets/github-webhook"),
        restricted_repository="acme/security",
        repositories=("acme/pay", "acme-shop/*"),
        labels=("namespace", "cluster"),
    )
    assert sorted(found.sources) == ["alertmanager", "eu", "pagerduty"]
    assert {name: token.role for name, token in found.api_tokens.items()} == {"ann": "act", "dashboard": "read"}


def test_the_source_alertmanager_exists_and_comes_first_whatever_is_configured(file: Path) -> None:
    assert loaded(file, "").source_names == ("alertmanager",)
    assert loaded(file, "sources: {eu: {}, alertmanager: {}}").source_names == ("alertmanager", "eu")


@pytest.mark.parametrize(
    ("listen", "host", "port", "loopback"),
    [
        ("127.0.0.1:9876", "127.0.0.1", 9876, True),
        ("127.9.9.9:1", "127.9.9.9", 1, True),
        ("localhost:80", "localhost", 80, True),
        ("[::1]:9876", "::1", 9876, True),
        ("0.0.0.0:9876", "0.0.0.0", 9876, False),
        ("[::]:0", "::", 0, False),
        ("10.1.2.3:9876", "10.1.2.3", 9876, False),
        ("triaged.example.com:65535", "triaged.example.com", 65535, False),
        ("localhost.example.com:80", "localhost.example.com", 80, False),
    ],
)
def test_an_address_has_a_host_a_port_and_is_loopback_or_not(listen: str, host: str, port: int, loopback: bool) -> None:
    found = Settings(listen=listen)
    assert (found.host, found.port, found.loopback) == (host, port, loopback)


# ---------------------------------------------------------------- the environment


def test_the_environment_wins_over_the_file_key_by_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGED_LISTEN", "127.0.0.1:1111")
    monkeypatch.setenv("TRIAGED_BACKEND__GITHUB__REPOSITORY", "acme/other")
    monkeypatch.setenv("TRIAGED_RETENTION__DELIVERIES", "7d")
    found = loaded(file, EVERY_KEY)
    assert found.listen == "127.0.0.1:1111"
    assert found.backend.github == GitHubSettings(
        repository="acme/other",
        api_url="https://github.example.com/api/v3",
        token_file=file.parent / "secrets/github",
    )
    assert found.retention == RetentionSettings(deliveries=timedelta(days=7), incidents=timedelta(days=5 * 365))


def test_every_key_can_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    variables = {
        "LISTEN": "0.0.0.0:9000",
        "PUBLIC_URL": "https://triaged.example.com",
        "STORE": "sqlite:///here.db",
        "RULES": "my-rules",
        "BACKEND__TYPE": "github",
        "BACKEND__GITHUB__REPOSITORY": "acme/incidents",
        "BACKEND__GITHUB__API_URL": "https://github.example.com/api/v3",
        "BACKEND__GITHUB__TOKEN": "ghp_1",
        "BACKEND__LOCAL__DIRECTORY": "files",
        "SOURCES__ALERTMANAGER__TOKENS": '["one", "two"]',
        "SOURCES__EU__TOKENS_FILE": "tokens",
        "SOURCES__EU__BASIC_AUTH_FILE": "/run/passwords",
        "API_TOKENS__ANN__TOKEN_FILE": "ann",
        "API_TOKENS__BOB__TOKEN": "123456",
        "API_TOKENS__BOB__ROLE": "read",
        "RETENTION__DELIVERIES": "12h",
        "RETENTION__INCIDENTS": "1y",
        "INSECURE_NO_AUTH": "true",
    }
    with monkeypatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(f"TRIAGED_{name}", value)
        found = load(None)
    assert found == Settings(
        listen="0.0.0.0:9000",
        public_url="https://triaged.example.com",
        store=f"sqlite:///{tmp_path}/here.db",
        rules=tmp_path / "my-rules",
        backend=BackendSettings(
            type="github",
            github=GitHubSettings(
                repository="acme/incidents", api_url="https://github.example.com/api/v3", token="ghp_1"
            ),
            local=LocalSettings(directory=tmp_path / "files"),
        ),
        sources={
            "alertmanager": SourceSettings(tokens=("one", "two")),
            "eu": SourceSettings(tokens_file=tmp_path / "tokens", basic_auth_file=Path("/run/passwords")),
        },
        api_tokens={
            "ann": ApiTokenSettings(token_file=tmp_path / "ann"),
            "bob": ApiTokenSettings(token="123456", role="read"),
        },
        retention=RetentionSettings(deliveries=timedelta(hours=12), incidents=timedelta(days=365)),
        insecure_no_auth=True,
    )


@pytest.mark.parametrize(
    "name", ["TRIAGED_LISEN", "TRIAGED_BACKEND_TYPE", "TRIAGED_", "TRIAGED_LISTEN__HOST", "TRIAGED_STORE__URL"]
)
def test_an_unknown_variable_is_refused_by_name_with_those_that_there_are(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "s3cret")
    with pytest.raises(ConfigError, match=f"unknown variable {name}: expected .*TRIAGED_LISTEN") as caught:
        load(None)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["TRIAGED_SERVICE_HOST", "TRIAGED_SERVICE_PORT", "TRIAGED_SERVICE_PORT_HTTP", "TRIAGED_PORT"]
    + [f"TRIAGED_PORT_9876_TCP{rest}" for rest in ("", "_PROTO", "_PORT", "_ADDR")],
)
def test_what_kubernetes_sets_for_a_service_named_triaged_is_no_mistake(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:9876")
    assert load(None).listen == "127.0.0.1:9876"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("TRIAGED_LISTEN", "here", "TRIAGED_LISTEN: expected HOST:PORT such as 127.0.0.1:9876, got 'here'"),
        ("TRIAGED_BACKEND__TYPE", "gitlab", "TRIAGED_BACKEND__TYPE: expected 'github' or 'local'"),
        ("TRIAGED_BACKEND__TYP", "local", "TRIAGED_BACKEND__TYP: unknown key 'typ': .*; did you mean type\\?"),
        ("TRIAGED_INSECURE_NO_AUTH", "perhaps", "TRIAGED_INSECURE_NO_AUTH: expected true or false"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable_and_not_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)
    text = refused(file, "listen: 127.0.0.1:9876\nbackend: {type: local}\n")
    assert re.match(rf"environment:1:1: {expected}$", text), text
    assert "config.yaml" not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRIAGED_SOURCES", "s3cret"),
        ("TRIAGED_BACKEND", "{s3cret"),
        ("TRIAGED_SOURCES__EU__TOKENS", "s3cret"),
    ],
)
def test_a_list_or_table_in_the_environment_that_is_no_json_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name}: expected JSON") as caught:
        load(None)
    assert "s3cret" not in str(caught.value)


def test_embedded_settings_are_out_of_reach_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGED_STORE", "postgresql://production/triaged")
    monkeypatch.setenv("TRIAGED_BACKEND__TYPE", "github")
    found = embedded(listen="127.0.0.1:1")
    assert (found.listen, found.store, found.backend.type) == ("127.0.0.1:1", "sqlite:///var/triaged.db", "local")
    with pytest.raises(ConfigError, match="listen: expected HOST:PORT such as"):
        embedded(listen="here")


# ---------------------------------------------------------------- mistakes


def test_an_unknown_key_is_told_with_its_place_the_known_ones_and_the_nearest(file: Path) -> None:
    assert refused(file, "# ours\nlisen: 127.0.0.1:1\n") == (
        "config.yaml:2:1: lisen: unknown key 'lisen': expected one of alertmanagers, api_tokens, backend, bridge, "
        "channels, heartbeat, insecure_no_auth, listen, prometheus, public_url, retention, rules, sources, store; "
        "did you mean listen?"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("backend:\n  typ: local", "config.yaml:2:3: backend.typ: .* github, local, type; did you mean type?"),
        ("backend: {local: {folder: x}}", "config.yaml:1:19: backend.local.folder: .* expected one of directory"),
        ("backend:\n  github: {repository: a/b, token: t, api-url: x}", "2:39: .* did you mean api_url?"),
        ("sources:\n  eu:\n    token_file: x", "3:5: sources.eu.token_file: .* did you mean tokens_file?"),
        ("api_tokens: {ann: {token: x, rle: act}}", "1:30: api_tokens.ann.rle: .* did you mean role?"),
        ("retention: {delivery: 90d}", "1:13: retention.delivery: .* did you mean deliveries?"),
    ],
)
def test_an_unknown_key_inside_another_is_told_with_the_keys_of_that_place(
    file: Path, text: str, expected: str
) -> None:
    said = refused(file, text)
    assert re.search(expected.replace("?", r"\?"), said), said


def test_every_mistake_of_a_file_is_told_at_once(file: Path) -> None:
    said = refused(file, "listen: here\npublic_url: there\nretention: {deliveries: soon, incidents: never}\n")
    assert [line.split(" ", 1)[0] for line in said.splitlines()] == [
        "config.yaml:1:1:",
        "config.yaml:2:1:",
        "config.yaml:3:13:",
        "config.yaml:3:31:",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("listen: 9876", "1:1: listen: expected HOST:PORT such as 127.0.0.1:9876, got '9876'"),
        ("listen: ':80'", "expected HOST:PORT"),
        ("listen: here:http", "expected HOST:PORT"),
        ("listen: here:65536", "expected HOST:PORT"),
        ("listen: here:²", "expected HOST:PORT"),
        ("listen: [here]", "listen: expected a text"),
        ("listen:", "listen: expected a text"),
        ("public_url: triaged.example.com", "expected a URL with http:// or https://, got 'triaged.example.com'"),
        ("store: var/triaged.db", "store: expected sqlite:///FILE or postgresql://USER@HOST/NAME"),
        ("store: sqlite://", "store: expected sqlite:///FILE"),
        ("store: sqlite:///", "store: expected sqlite:///FILE"),
        ('store: "sqlite:///a\\0b"', "store: expected sqlite:///FILE"),
        ("store: mysql://me@db/triaged", "store: expected sqlite:///FILE or postgresql://USER@HOST/NAME"),
        ("store: postgresql://me@db:port/x", "store: expected sqlite:///FILE or postgresql://USER@HOST/NAME"),
        ("backend: {type: gitlab}", "1:11: backend.type: expected 'github' or 'local'"),
        ("backend: local", "1:1: backend: expected keys below it"),
        ("backend: {type: github}", "1:1: backend: expected the key github beside type: github"),
        ("backend: {github: {token: t}}", "backend.github.repository: expected this key, found none"),
        ("backend: {github: {repository: acme, token: t}}", "backend.github.repository: expected OWNER/NAME"),
        ("backend: {github: {repository: a/b, token: t, api_url: host}}", "api_url: expected a URL like http://HOST"),
        ("backend: {github: {repository: a/b, token: t, api_url: 'http://h/'}}", "expected a URL without / at"),
        ("backend: {github: {repository: a/b, token: t, api_url: 'http://h:x'}}", "expected a URL with a port"),
        (
            "backend: {github: {repository: a/b, token: t, repositories: [acme]}}",
            "backend.github.repositories[0]: expected OWNER/NAME, or OWNER/* for all of an owner",
        ),
        (
            "backend: {github: {repository: a/b, token: t, labels: [Severity]}}",
            "backend.github.labels[0]: expected another name: labels severity: … on issues have a meaning",
        ),
        (
            "backend: {github: {repository: a/b, token: t, labels: ['pod name']}}",
            "backend.github.labels[0]: expected the name of an alert's label, at most 30",
        ),
        ("sources:", "sources: expected keys below it"),
        ("sources: {EU: {}}", "1:11: sources.EU: expected a name of at most 41 lower-case letters, digits, _ and -"),
        ("sources: {heartbeats: {}}", "1:11: sources.heartbeats: expected another name: heartbeats is"),
        ("sources: {triaged: {}}", "1:11: sources.triaged: expected another name: triaged is the daemon's own"),
        ("sources: {eu: {tokens: one}}", "sources.eu.tokens: expected a list"),
        ("sources: {eu: {tokens: [one, ~]}}", "sources.eu.tokens[1]: expected a text"),
        ("api_tokens: {ann: one}", "api_tokens.ann: expected keys below it"),
        ("api_tokens: {ann: {token: t, role: admin}}", "api_tokens.ann.role: expected 'act' or 'read'"),
        ("alertmanagers: {name: main}", "1:1: alertmanagers: expected a list"),
        ("alertmanagers: [{name: a, urls: []}]", "1:27: alertmanagers[0].urls: expected at least one URL"),
        ("alertmanagers: [{name: a, urls: ['http://me:secret@am']}]", "urls[0]: expected a URL without"),
        (
            "alertmanagers: [{name: a, urls: ['http://a'], receiver: '('}]",
            "alertmanagers[0].receiver: expected a regular",
        ),
        ("alertmanagers: [{name: '', urls: ['http://a']}]", "alertmanagers[0].name: expected a name of at most 60"),
        ("heartbeat: {url: ftp://x}", "1:13: heartbeat.url: expected a URL like http://HOST:PORT/PATH"),
        ("alertmanagers: [{name: a, urls: ['http://a'], token_file: t, basic_auth_file: b}]", "got both"),
        (
            "alertmanagers: [{name: a, urls: ['http://a'], source: eu}]",
            "expected one of the sources alertmanager, got eu",
        ),
        (
            "alertmanagers: [{name: a, urls: ['http://a']}, {name: b, urls: ['http://b']}]",
            "expected a source of its own",
        ),
        ("alertmanagers: [{name: a, urls: ['http://a']}, {name: a, urls: ['http://b']}]", "expected names that differ"),
        ("prometheus: {}", "prometheus.url: expected this key, found none"),
        ("bridge: {}", "bridge: expected either hook_url_file (better) or hook_url"),
        ("bridge: {hook_url: 'http://a', hook_url_file: f}", "bridge: expected either hook_url_file (better)"),
        ("bridge: {hook_url: 'ftp://a'}", "bridge.hook_url: expected a URL like http://HOST:PORT/PATH"),
        ("sources: {people: {}}", "sources.people: expected another name: people is the daemon's own"),
        ("prometheus: {url: 'http://me:secret@prom'}", "prometheus.url: expected a URL without user"),
        ("prometheus: {url: 'http://prom', token_file: t, basic_auth_file: b}", "got both"),
        ("insecure_no_auth: perhaps", "insecure_no_auth: expected true or false"),
        ("retention: {deliveries: 90}", "retention.deliveries: expected a duration"),
        ("retention: {deliveries: [90d]}", "retention.deliveries: expected a duration"),
        ("retention: {deliveries: 0d}", "retention.deliveries: expected a duration of more than nothing"),
        ("retention: {incidents: 0y}", "retention.incidents: expected 1y to 100y"),
        ("retention: {incidents: 99999y}", "retention.incidents: expected 1y to 100y"),
        ("retention: {incidents: ²y}", "retention.incidents: expected a duration"),
        ("- listen", "1:1: expected keys such as listen and backend"),
        ("listen", "1:1: expected keys such as listen and backend"),
        ("listen: a:1\nlisten: b:2", "2:1: listen: expected every key once"),
        ("listen: [a", "no valid YAML"),
        ("\tlisten: a:1", "no valid YAML"),
        ("listen: &here a:1", "expected no anchors"),
        ("listen: a:1\n---\nlisten: b:2", "expected one document"),
    ],
)
def test_a_wrong_value_says_where_it_is_and_what_was_expected(file: Path, text: str, expected: str) -> None:
    said = refused(file, text)
    assert re.match(r"config\.yaml:\d+:\d+: ", said), said
    assert expected in said


@pytest.mark.parametrize(
    "text",
    [
        "api_tokens: {ann: {role: read}}",
        "api_tokens: {ann: {token: t, token_file: f}}",
    ],
)
def test_exactly_one_of_token_and_token_file_is_expected(file: Path, text: str) -> None:
    assert "expected either token_file (better) or token" in refused(file, text)


def test_an_alertmanager_speaks_for_the_source_of_its_name_else_for_the_common_one(file: Path) -> None:
    entries = "{name: eu, urls: ['http://eu:9093'], token_file: am}, {name: main, urls: ['http://am:9093/path']}"
    found = loaded(file, f"sources: {{eu: {{}}}}\nalertmanagers: [{entries}]")
    assert [found.source_of(one) for one in found.alertmanagers] == ["eu", "alertmanager"]
    assert found.alertmanagers[0].token_file == file.parent / "am"


def test_a_file_that_is_not_there_or_cannot_be_read_is_named(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml: expected a configuration file, found none"):
        load(file)
    file.write_bytes(b"listen: \xff\xfe")
    with pytest.raises(ConfigError, match=r"config\.yaml:1:9: expected UTF-8, got the byte 0xff"):
        load(file)
    with pytest.raises(ConfigError, match=r"expected a file that can be read, got: a folder"):
        load(file.parent)


# ---------------------------------------------------------------- secrets


def test_no_secret_is_in_the_text_of_settings(file: Path) -> None:
    text = """
store: postgresql://me:s3cret@db/triaged
backend: {github: {repository: a/b, token: s3cret}}
sources: {eu: {tokens: [s3cret]}}
api_tokens: {ann: {token: s3cret}}
"""
    found = loaded(file, text)
    assert "s3cret" not in f"{found!r} {found} {found.backend!r} {found.sources!r} {found.api_tokens!r}"


@pytest.mark.parametrize(
    "text",
    [
        "store: mysql://me:s3cret@db/triaged",
        "store: postgresql://me:s3cret@db:port/triaged",
        "store: [s3cret]",
        "backend: {github: {repository: a/b, token: s3cret, token_file: f}}",
        "backend: {github: {repository: a, token: s3cret}}",
        "backend: {github: {repository: a/b, token: [s3cret]}}",
        "backend: {github: s3cret}",
        "sources: {eu: {tokens: s3cret}}",
        "sources: {eu: {tokens: [[s3cret]]}}",
        "api_tokens: {ann: s3cret}",
        "api_tokens: {ann: {token: s3cret, role: admin}}",
        "api_tokens: {ann: {token: s3cret, rle: act}}",
    ],
)
def test_no_secret_is_in_what_is_said_of_a_mistake(file: Path, text: str) -> None:
    assert "s3cret" not in refused(file, text)


@pytest.mark.parametrize(
    ("store", "place"),
    [
        ("sqlite:////var/lib/triaged.db", "/var/lib/triaged.db"),
        ("postgresql://me:s3cret@db:5433/triaged", "db:5433/triaged"),
        ("postgresql://me:s3@cret@db/triaged", "db/triaged"),
        ("postgresql:///triaged?host=/run/pg&password=s3cret", "/triaged"),
    ],
)
def test_the_place_of_the_store_is_told_without_its_credentials(store: str, place: str) -> None:
    assert Settings(store=store).store_place == place


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://x:abc", "expected a URL with a port of 1 to 65535"),
        ("http://127.0.0.1:99999", "expected a URL with a port of 1 to 65535"),
        ("http://x:0", "expected a URL with a port of 1 to 65535"),
        ("http://[::1", "expected a URL like http://HOST:PORT/PATH"),
        ("http://[zz]:80", "expected a URL like http://HOST:PORT/PATH"),
        ("http://:80", "expected a URL with a host"),
        ("http://", "expected a URL with a host"),
        ("http:///path", "expected a URL with a host"),
        ("http://a..b", "expected a URL with a host"),
        (f"http://{'a' * 64}.example.com", "expected a URL with a host"),
        ("http://a b", "expected a URL like http://HOST:PORT/PATH"),
        ("http://a\tb", "expected a URL like http://HOST:PORT/PATH"),
        ("ftp://a", "expected a URL like http://HOST:PORT/PATH"),
        ("a:9093", "expected a URL like http://HOST:PORT/PATH"),
        ("http://me:s3cret@am", "expected a URL without user, query and fragment"),
        ("http://am?s3cret=1", "expected a URL without user, query and fragment"),
        ("http://am#s3cret", "expected a URL without user, query and fragment"),
    ],
)
def test_a_url_that_could_not_be_asked_is_refused_with_its_key(file: Path, url: str, expected: str) -> None:
    said = refused(file, f"alertmanagers:\n- name: a\n  urls:\n  - http://good:9093\n  - {json.dumps(url)}\n")
    assert said.startswith(f"config.yaml:5:5: alertmanagers[0].urls[1]: {expected}"), said
    assert "s3cret" not in said
    if "without user" not in expected:
        with pytest.raises(ValueError, match=re.escape(expected)):
            HeartbeatSettings(url=url)


@pytest.mark.parametrize(
    "url", ["http://am", "https://am.example.com:9093/prefix", "http://[::1]:9093", "http://10.0.0.1:1", "HTTP://am/"]
)
def test_a_url_that_can_be_asked_is_taken(file: Path, url: str) -> None:
    assert loaded(file, f"alertmanagers: [{{name: a, urls: ['{url}']}}]").alertmanagers[0].urls == (url,)


@given(url=st.text(max_size=20) | st.text(alphabet="ab.:/@[]%0129-é", max_size=20).map("http://{}".format))
def test_whatever_is_taken_as_a_url_can_be_looked_up_and_asked(url: str) -> None:
    try:
        HeartbeatSettings(url=url)
    except ValueError:
        return
    asked = httpx.URL(url)
    assert asked.host
    assert asked.port is None or 0 < asked.port < 65_536
    asked.raw_host.decode("ascii").encode("idna")


# ---------------------------------------------------------------- beyond loopback


@pytest.mark.parametrize("listen", ["0.0.0.0:9876", "[::]:9876", "10.0.0.1:9876", "triaged.example.com:9876"])
def test_beyond_loopback_every_source_and_the_acts_need_tokens_and_each_missing_one_is_named(
    file: Path, listen: str
) -> None:
    said = refused(file, f"listen: '{listen}'\nsources: {{eu: {{}}, us: {{tokens: [t]}}}}\n").splitlines()
    assert [line.split(": ")[1] for line in said] == ["sources.alertmanager", "sources.eu", "api_tokens"]
    assert all(line.startswith("config.yaml:") and "insecure_no_auth: true" in line for line in said)
    assert all(listen in line for line in said)


@pytest.mark.parametrize("given_by", ["tokens: [t]", "tokens_file: t", "basic_auth_file: t"])
def test_beyond_loopback_tokens_or_passwords_for_every_source_and_an_api_token_are_enough(
    file: Path, given_by: str
) -> None:
    text = f"listen: 0.0.0.0:1\nsources: {{alertmanager: {{{given_by}}}}}\napi_tokens: {{ann: {{token: t}}}}\n"
    assert not loaded(file, text).loopback


def test_beyond_loopback_nothing_is_needed_where_the_operator_says_so(file: Path) -> None:
    assert loaded(file, "listen: 0.0.0.0:1\ninsecure_no_auth: true\n").insecure_no_auth


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "[::1]:1", "localhost:1"])
def test_on_loopback_nothing_is_needed(file: Path, listen: str) -> None:
    assert loaded(file, f"listen: '{listen}'").loopback


# ---------------------------------------------------------------- whatever is written

KEYS = st.sampled_from([*Settings.model_fields, "type", "github", "local", "tokens", "token", "role", "alertmanager"])
VALUES = st.recursive(
    st.sampled_from(["~", "true", "1", "''", "acme/x", "127.0.0.1:1", "0.0.0.0:1", "90d", "3y", "github", '"\\ud800"'])
    | st.text(alphabet="ab:[]{}'\"\\&*!#-,. \n²", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(KEYS, inner, max_size=3).map(
            lambda table: "{" + ", ".join(f"{key}: {value}" for key, value in table.items()) + "}"
        )
    ),
    max_leaves=8,
)
FILES = st.text(max_size=60) | st.dictionaries(KEYS, VALUES, max_size=4).map(
    lambda table: "".join(f"{key}: {value}\n" for key, value in table.items())
)


@given(text=FILES)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_gives_anything_but_settings_or_a_config_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        found = load(file)
    except ConfigError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(found, Settings)
