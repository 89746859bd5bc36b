"""GitHub's webhooks: which issue may have changed is all that is taken from one; what changed is looked up there.

Wire format: "Webhook events and payloads", "Validating webhook deliveries". The same delivery may come twice, late, out
of order or never: each is only a hint, and what none tells of is found by asking what changed.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Annotated, Final

import msgspec
import structlog
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from triaged.errors import ConfigError, NotFoundError, PayloadError, StoreError
from triaged.web import answers
from triaged.web.desk import TheDesk
from triaged.web.limits import GITHUB, SIGNATURE

log = structlog.get_logger(__name__)

_LONGEST: Final = 200
router: Final = APIRouter(
    tags=["daemon"],
    responses={"default": {"model": answers.Error, "description": "Refused: what was expected, and what came."}},
)


class Taken(BaseModel):
    """Whether the delivery is about an issue that the daemon made."""

    ours: bool


class _Repository(msgspec.Struct, frozen=True):
    full_name: str


class _Issue(msgspec.Struct, frozen=True):
    number: int


class _Payload(msgspec.Struct, frozen=True):
    """What every event about an issue has; others have less."""

    repository: _Repository | None = None
    issue: _Issue | None = None


async def _body(request: Request) -> bytes:
    return await request.body()


async def _signature(request: Request) -> str:
    return request.headers.get(SIGNATURE, "")


@router.post(GITHUB, status_code=202)
def hear(
    desk: TheDesk, body: Annotated[bytes, Depends(_body)], signature: Annotated[str, Depends(_signature)]
) -> Taken:
    """GitHub's webhook: signed with the secret of `webhook_secret_file`. 202 comes after the commit."""
    try:
        secrets = desk.webhook_secrets()
    except ConfigError as error:
        log.warning("webhook's secret unreadable", error=str(error))
        raise StoreError("the secret of the webhook cannot be read; the daemon's log tells why") from None
    if not secrets:
        raise NotFoundError("no webhook is expected: the configuration has no backend.github.webhook_secret_file")
    if not is_signed(body, signature, secrets):
        raise PayloadError(f"expected {SIGNATURE} of this body with the webhook's secret", status=401)
    place = place_of(body)
    return Taken(ours=place is not None and desk.hint(*place))


def is_signed(body: bytes, signature: str, secrets: tuple[bytes, ...]) -> bool:
    """Whether one of the secrets signs the very bytes; all are tried, in constant time each."""
    given = signature.encode(errors="replace")
    made = [b"sha256=" + hmac.new(secret, body, sha256).hexdigest().encode() for secret in secrets]
    return sum(hmac.compare_digest(one, given) for one in made) > 0


def place_of(body: bytes) -> tuple[str, int] | None:
    """Repository and number of the issue that it is about; None for whatever else may come."""
    try:
        payload = msgspec.json.decode(body, type=_Payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if payload.repository is None or payload.issue is None or not 0 < payload.issue.number < 2**62:
        return None
    name = payload.repository.full_name
    return (name, payload.issue.number) if len(name) <= _LONGEST else None
