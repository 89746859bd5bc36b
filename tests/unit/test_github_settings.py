"""backend.github: one credential of three, and a GitHub App's id, key and installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.github.apps import pem
from triaged.config import GitHubAppSettings, GitHubSettings, doubtful_secrets, load, unreadable_secrets
from triaged.errors import ConfigError

APP = "app: {id: 123456, private_key_file: app.pem}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def written(file: Path, keys: str) -> Path:
    file.write_text(f"backend:\n  type: github\n  github:\n    repository: acme/incidents\n    {keys}\n")
    return file


def github(file: Path, keys: str) -> GitHubSettings:
    found = load(written(file, keys)).backend.github
    assert found is not None
    return found


def refused(file: Path, keys: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(written(file, keys))
    return str(caught.value)


@pytest.mark.parametrize("given", ["123456", "'123456'", "Iv1.8a61f9b3a7aba766", "Iv23liABCdefGHIjkl12"])
def test_an_app_is_named_by_its_id_or_its_client_id(file: Path, given: str) -> None:
    app = github(file, f"app: {{id: {given}, private_key_file: app.pem}}").app
    assert app == GitHubAppSettings(id=given.strip("'"), private_key_file=file.parent / "app.pem")


def test_an_app_may_be_told_by_a_number_and_with_its_installation(file: Path) -> None:
    given = GitHubAppSettings(id=123456, private_key_file=Path("/app.pem"), installation_id=42)  # type: ignore[arg-type] # as a program may
    assert (given.id, given.installation_id) == ("123456", 42)
    app = github(file, "app: {id: 123456, private_key_file: app.pem, installation_id: 42}").app
    assert app is not None
    assert app.installation_id == 42


def test_an_app_may_come_from_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAGED_BACKEND__GITHUB__APP__ID", "Iv23liX")
    monkeypatch.setenv("TRIAGED_BACKEND__GITHUB__APP__PRIVATE_KEY_FILE", "/run/secrets/app.pem")
    app = github(file, "api_url: https://ghes.example.com/api/v3").app
    assert app == GitHubAppSettings(id="Iv23liX", private_key_file=Path("/run/secrets/app.pem"))


@pytest.mark.parametrize(
    ("keys", "got"),
    [
        ("api_url: https://api.github.com", "none"),
        ("token: t\n    token_file: f", "token_file and token"),
        (f"token_file: f\n    {APP}", "app and token_file"),
        (f"token: t\n    token_file: f\n    {APP}", "app and token_file and token"),
    ],
)
def test_exactly_one_of_app_token_file_and_token_is_expected(file: Path, keys: str, got: str) -> None:
    said = refused(file, keys)
    assert f"3:3: backend.github: expected one of app (best), token_file and token, got {got}" in said


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        ("{id: 'my app', private_key_file: f}", "app.id: expected the App's id, such as 123456, or its client id"),
        ("{id: '', private_key_file: f}", "app.id: expected the App's id"),
        ("{private_key_file: f}", "app.id: expected this key, found none"),
        ("{id: 1}", "app.private_key_file: expected this key, found none"),
        ("{id: 1, private_key: x}", "app.private_key: unknown key 'private_key'"),
        ("{id: 1, private_key_file: f, installation_id: 0}", "app.installation_id: expected greater than 0"),
        ("{id: 1, private_key_file: f, installation_id: acme}", "app.installation_id: expected a valid integer"),
        ("1", "app: expected keys below it"),
    ],
)
def test_a_wrong_app_is_told_at_its_key(file: Path, app: str, expected: str) -> None:
    assert f"backend.github.{expected}" in refused(file, f"app: {app}")


def test_a_key_that_cannot_be_used_is_an_error_at_its_place_and_one_that_others_may_read_a_doubt(file: Path) -> None:
    settings = load(written(file, APP))
    key = file.parent / "app.pem"
    (absent,) = unreadable_secrets(settings, file)
    assert (absent.path, absent.line) == ("backend.github.app.private_key_file", 5)
    assert "app.pem: expected a GitHub App's private key in PEM, got: No such file" in absent.message
    key.write_bytes(pem("first"))
    key.chmod(0o644)
    assert unreadable_secrets(settings, file) == ()
    (doubt,) = doubtful_secrets(settings, file)
    assert (doubt.path, doubt.line) == (absent.path, absent.line)
    assert "got 0644" in doubt.message
    key.chmod(0o600)
    assert doubtful_secrets(settings, file) == ()


def test_a_key_of_a_backend_that_is_not_used_is_not_looked_at(file: Path) -> None:
    file.write_text(f"backend:\n  type: local\n  github:\n    repository: acme/incidents\n    {APP}\n")
    settings = load(file)
    assert (unreadable_secrets(settings, file), doubtful_secrets(settings, file)) == ((), ())
