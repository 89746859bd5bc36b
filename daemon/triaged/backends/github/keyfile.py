"""The private key of a GitHub App: its file read, what is wrong with it in words, never a character of it.

GitHub makes it as PKCS#1 in PEM without a passphrase ("Managing private keys for GitHub Apps"); PKCS#8 is read as well.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from triaged.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_LONGEST: Final = 64 * 1024
_FEWEST_BITS: Final = 2_048
_LABEL: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_EXPECTED: Final = "expected a GitHub App's private key in PEM"


def load(path: Path) -> RSAPrivateKey:
    """The key, ready to sign. Raises ConfigError; its words hold nothing of the file but the kind of its PEM."""
    # Some 10 MB of memory, which a daemon with a token does not need.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - see above

    data = _content(path)
    problem = ""
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:
        problem = "one with a passphrase; remove it: openssl rsa -in FILE -out NEW"
    except (ValueError, UnsupportedAlgorithm):
        problem = "one that cannot be read: it is damaged, or lines are missing"
    # Raised out here: inside, the library's error would hang on it, and with it parts of the file.
    if problem:
        raise ConfigError(f"{path}: {_EXPECTED}, got {problem}")
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError(f"{path}: {_EXPECTED} (RSA, because GitHub takes RS256 only), got one of another algorithm")
    if key.key_size < _FEWEST_BITS:
        raise ConfigError(f"{path}: {_EXPECTED} of at least {_FEWEST_BITS:,} bits, got {key.key_size:,}")
    return key


def doubt(path: Path) -> str:
    """What is unwise about the file's permissions, in words; "" where nothing is, or the file cannot be looked at.

    A group may read it: that is how Kubernetes gives a secret to a program that is not root.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return ""
    if not mode & (stat.S_IWGRP | stat.S_IRWXO):
        return ""
    return f"{path}: expected a private key that others may neither read nor write (mode 0600 or 0440), got {mode:04o}"


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {_EXPECTED}, got: {error.strerror}") from error
    if len(data) > _LONGEST:
        raise ConfigError(f"{path}: {_EXPECTED}, got a file of more than {_LONGEST:,} bytes")
    found = _LABEL.search(data)
    if found is None:
        raise ConfigError(f"{path}: {_EXPECTED}, which begins with -----BEGIN RSA PRIVATE KEY-----, found no such line")
    kind = found[1].decode()
    if kind not in {"RSA PRIVATE KEY", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"}:
        raise ConfigError(f"{path}: {_EXPECTED}, got the PEM of {kind}")
    return data
