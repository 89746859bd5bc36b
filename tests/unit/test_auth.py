"""Who may send and act: tokens and passwords from files, compared whole, changed while the daemon runs."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from triaged.errors import ConfigError
from triaged.web.auth import ApiTokens, Role, SourceAuth, Token, TokenSource


def write(path: Path, text: str) -> Path:
    """Write it with an instant of change of its own: two writes may fall into one tick of the file system's clock."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before + 1_000_000_000, before + 1_000_000_000))
    return path


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    return write(tmp_path / "tokens", "# Alertmanager, old and new\none\n\n  two \n")


def test_a_source_without_secrets_lets_everybody_send() -> None:
    assert SourceAuth().allows(None)
    assert SourceAuth().allows("Bearer whatever")


@pytest.mark.parametrize("header", ["Bearer one", b"Bearer two", "bearer one", "BEARER   two  "])
def test_each_token_of_a_file_is_valid_at_once(tokens: Path, header: str | bytes) -> None:
    assert SourceAuth(tokens_file=tokens).allows(header)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "one",
        "Bearer",
        "Bearer ",
        "Bearer on",
        "Bearer onee",
        "Bearer one two",
        "Bearer # Alertmanager, old and new",
        "Basic one",
        "Basic b25l",
        "Digest one",
        b"Bearer \xff\xfe",
        "Bearer \udcff",
        "Basic !!!",
    ],
)
def test_anything_but_a_whole_token_is_refused(tokens: Path, header: str | bytes | None) -> None:
    assert not SourceAuth(tokens_file=tokens).allows(header)


def test_a_token_of_the_configuration_counts_beside_those_of_the_file(tokens: Path) -> None:
    auth = SourceAuth(("three", ""), tokens_file=tokens)
    assert auth.allows("Bearer three")
    assert auth.allows("Bearer one")
    assert not auth.allows("Bearer ")


def test_a_password_is_taken_with_its_user_and_never_as_a_token(tmp_path: Path) -> None:
    auth = SourceAuth(basic_auth_file=write(tmp_path / "users", "prom:s3:cret\nold:pässword\n"))
    assert auth.allows(basic("prom:s3:cret"))
    assert auth.allows(basic("old:pässword"))
    assert not auth.allows(basic("prom:other"))
    assert not auth.allows(basic("prom"))
    assert not auth.allows("Bearer prom:s3:cret")


def test_tokens_and_passwords_can_be_used_beside_each_other(tokens: Path, tmp_path: Path) -> None:
    auth = SourceAuth(tokens_file=tokens, basic_auth_file=write(tmp_path / "users", "am:pw"))
    assert auth.allows("Bearer one")
    assert auth.allows(basic("am:pw"))
    assert not auth.allows(basic("one"))


def test_a_rotated_file_is_read_again_without_a_restart(tokens: Path) -> None:
    auth = SourceAuth(tokens_file=tokens)
    write(tokens, "two\nthree\n")
    assert auth.allows("Bearer three")
    assert not auth.allows("Bearer one")


def test_a_file_that_is_exchanged_with_the_same_size_and_instant_is_read_again(tokens: Path, tmp_path: Path) -> None:
    auth = SourceAuth(tokens_file=tokens)
    stat = tokens.stat()
    other = tmp_path / "other"
    other.write_text(tokens.read_text().replace("one", "uno"))
    os.utime(other, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    other.replace(tokens)
    assert auth.allows("Bearer uno")
    assert not auth.allows("Bearer one")


@pytest.mark.parametrize("text", ["", "# nobody yet\n"])
def test_a_token_file_that_is_empty_for_a_moment_costs_no_alerts(tokens: Path, text: str) -> None:
    auth = SourceAuth(tokens_file=tokens)
    write(tokens, text)
    assert auth.allows("Bearer one")
    write(tokens, "three\n")
    assert auth.allows("Bearer three")
    assert not auth.allows("Bearer one")


def test_a_token_file_that_is_gone_for_a_moment_costs_no_alerts(tokens: Path) -> None:
    auth = SourceAuth(tokens_file=tokens)
    tokens.unlink()
    assert auth.allows("Bearer one")
    assert not auth.allows("Bearer three")


@pytest.mark.parametrize("text", ["", "\n# none\n"])
def test_a_file_without_a_secret_is_refused_at_start(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "tokens", text)
    with pytest.raises(ConfigError, match="expected a token on each line, found none"):
        SourceAuth(tokens_file=path)


def test_a_file_that_is_not_there_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a file with a token, got: No such file"):
        SourceAuth(tokens_file=tmp_path / "absent")


def test_a_password_line_without_a_colon_is_refused_without_telling_it(tmp_path: Path) -> None:
    path = write(tmp_path / "users", "a:b\nhunter2\n")
    with pytest.raises(ConfigError, match=r"users:2: expected user:password") as caught:
        SourceAuth(basic_auth_file=path)
    assert "hunter2" not in str(caught.value)


def test_an_api_token_is_known_by_its_name_and_role(tokens: Path) -> None:
    known = ApiTokens({"ops-bot": TokenSource(file=tokens), "grafana": TokenSource(role=Role.READ, token="look")})
    assert known.configured
    assert known.who("Bearer two") == Token(name="ops-bot", role=Role.ACT)
    assert known.who(b"Bearer look") == Token(name="grafana", role=Role.READ)
    assert known.who("Bearer other") is None
    assert known.who(None) is None
    assert known.who(basic("one")) is None


def test_without_api_tokens_nobody_is_known() -> None:
    assert not ApiTokens().configured
    assert ApiTokens().who("Bearer one") is None


def test_an_api_token_is_revoked_by_emptying_its_file(tokens: Path) -> None:
    known = ApiTokens({"ops-bot": TokenSource(file=tokens)})
    write(tokens, "")
    assert known.who("Bearer one") is None
    assert known.configured


def test_an_api_token_without_a_secret_is_refused_at_start() -> None:
    with pytest.raises(ConfigError, match=r"api_tokens\.ann: expected a token or a token_file"):
        ApiTokens({"ann": TokenSource()})
