"""By which an App proves to GitHub that it is itself: a JSON Web Token that its private key has signed.

Form: GitHub's "Generating a JSON Web Token (JWT) for a GitHub App"; RFC 7515, appendix A.2 (RS256).
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

# GitHub refuses one that is from the future by its clock, and one that lasts longer than ten minutes.
_BACK: Final = timedelta(seconds=60)
_LASTS: Final = timedelta(minutes=9)


def assertion(app_id: str, key: RSAPrivateKey, at: datetime) -> str:
    """The token for requests at `at` by GitHub's clock; `app_id` is the App's id or its client id."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415 - as for the key's file
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - as above

    claims = {"iat": int((at - _BACK).timestamp()), "exp": int((at + _LASTS).timestamp()), "iss": app_id}
    signed = b".".join(_encoded(msgspec.json.encode(part)) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    return b".".join((signed, _encoded(key.sign(signed, PKCS1v15(), SHA256())))).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
