"""A GitHub App on the command line: what `triaged check` says of its key, and that `triaged serve` needs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from commands import Run, config_in
from fakes.github.apps import key_pair, pem

LOCKED = key_pair("first").private_bytes(
    Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"secret")
)
CONFIG = {"repository": "acme/incidents", "app": {"id": 123456, "private_key_file": "app.pem"}}


@pytest.fixture
def config(tmp_path: Path, rules: Path) -> Path:
    backend = {"type": "github", "github": CONFIG}
    return config_in(rules.parent, rules="rules", store="sqlite:///triaged.db", backend=backend)


def key(config: Path, data: bytes, mode: int = 0o600) -> None:
    file = config.parent / "app.pem"
    file.write_bytes(data)
    file.chmod(mode)


def test_a_good_key_leaves_nothing_to_say(triaged: Run, config: Path) -> None:
    key(config, pem("first"))
    said = triaged("check", "--strict", "--config", config)
    assert (said.status, said.err) == (0, "")
    assert "app.pem" not in said.out


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"github_pat_11AFAKE0SECRET", "found no such line"),
        (pem("first")[:-300], "it is damaged, or lines are missing"),
        (LOCKED, "got one with a passphrase; remove it: openssl rsa -in FILE -out NEW"),
    ],
)
def test_a_file_that_is_no_such_key_is_an_error_that_shows_nothing_of_it(
    triaged: Run, config: Path, data: bytes, words: str
) -> None:
    key(config, data)
    said = triaged("check", "--config", config)
    assert said.status == 1
    assert "error: backend.github.app.private_key_file: " in said.out
    assert words in " ".join(said.out.split())
    for line in data.decode().splitlines():
        assert line.startswith("-----") or not line or line not in said.out
    assert triaged("check", "--config", config, "--no-secrets").status == 0


def test_a_key_that_everybody_may_read_is_a_warning(triaged: Run, config: Path) -> None:
    key(config, pem("first"), mode=0o644)
    said = triaged("check", "--config", config)
    assert said.status == 0
    assert "warning: backend.github.app.private_key_file: " in said.out
    assert "got 0644" in said.out
    assert triaged("check", "--strict", "--config", config).status == 1


def test_serve_without_the_key_says_so(triaged: Run, config: Path) -> None:
    said = triaged("serve", "--config", config)
    assert said.status == 2
    assert "app.pem: expected a GitHub App's private key in PEM, got: No such file or directory" in said.err
    assert "Traceback" not in said.err
