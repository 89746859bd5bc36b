"""An App's private key: what is taken, what is refused in words, and that no word of it is ever shown."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from fakes.github.apps import key_pair, pem
from triaged.backends.github import keyfile
from triaged.errors import ConfigError

SECRET = key_pair("first")
LOCKED = BestAvailableEncryption(b"passphrase")


def pkcs8(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def locked(form: PrivateFormat, by: KeySerializationEncryption = LOCKED) -> bytes:
    return SECRET.private_bytes(Encoding.PEM, form, by)


def refused(file: Path) -> str:
    """The words of the refusal, which hold nothing of the file, nor does anything that hangs on them."""
    with pytest.raises(ConfigError) as caught:
        keyfile.load(file)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    content = file.read_text(errors="replace") if file.is_file() else ""
    assert not [line for line in content.splitlines() if len(line) > 30 and line in shown]
    return str(caught.value)


@pytest.mark.parametrize(
    "data", [pem("first"), pkcs8(SECRET), b"# a comment\n\n" + pem("first").replace(b"\n", b"\r\n")]
)
def test_an_rsa_key_in_either_form_is_taken(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(data)
    assert keyfile.load(file).private_numbers() == SECRET.private_numbers()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "found no such line"),
        (b"ghs_16C7e42F292c6912E7710c838347Ae178B4a_and_some_more", "found no such line"),
        (b"\xff\xfe\x00", "found no such line"),
        (b"-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEAuV2QmzB6yLmN0sQbJ1kT\n", "cannot be read: it is damaged"),
        (pem("first")[:-200], "cannot be read: it is damaged"),
        (pem("first").replace(b"M", b"N"), "cannot be read: it is damaged"),
        (locked(PrivateFormat.TraditionalOpenSSL), "one with a passphrase; remove it"),
        (locked(PrivateFormat.PKCS8), "one with a passphrase; remove it"),
        (pkcs8(ec.generate_private_key(ec.SECP256R1())), "one of another algorithm"),
        (pkcs8(ed25519.Ed25519PrivateKey.generate()), "one of another algorithm"),
        (pkcs8(rsa.generate_private_key(65_537, 1_024)), "of at least 2,048 bits, got 1,024"),
        (
            SECRET.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "got the PEM of PUBLIC KEY",
        ),
        (
            b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n",
            "got the PEM of OPENSSH PRIVATE KEY",
        ),
        (b"-----BEGIN CERTIFICATE-----\n", "got the PEM of CERTIFICATE"),
        (b"x" * 70_000, "a file of more than 65,536 bytes"),
    ],
)
def test_what_is_no_such_key_is_refused_in_words_and_never_shown(tmp_path: Path, data: bytes, words: str) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(data)
    said = refused(file)
    assert said.startswith(f"{file}: expected a GitHub App's private key in PEM")
    assert words in said


def test_a_file_that_is_not_there_or_is_a_folder_is_told(tmp_path: Path) -> None:
    assert "got: No such file" in refused(tmp_path / "absent.pem")
    assert "got: Is a directory" in refused(tmp_path)


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640])
def test_a_key_that_only_its_owner_and_its_group_read_is_beyond_doubt(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(pem("first"))
    file.chmod(mode)
    assert keyfile.doubt(file) == ""


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602])
def test_a_key_that_others_may_read_or_write_is_doubted_with_its_mode(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(pem("first"))
    file.chmod(mode)
    assert f"neither read nor write (mode 0600 or 0440), got 0{mode:o}" in keyfile.doubt(file)


def test_of_a_file_that_is_not_there_no_mode_is_doubted(tmp_path: Path) -> None:
    assert keyfile.doubt(tmp_path / "absent.pem") == ""
