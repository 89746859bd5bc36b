"""The fake's Apps: how they prove who they are, where they are installed, which tokens their installations have."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fakes.github.exchange import Answer, Call, Refusal, forbidden, invalid, not_found
from fakes.github.render import instant
from fakes.github.state import Repository, Role, User

AS_APP: Final = frozenset({"app", "list_installations", "installation", "access_token"})
LASTS: Final = timedelta(hours=1)
LONGEST_JWT: Final = timedelta(minutes=10)
ENOUGH: Final[Mapping[str, str]] = {"issues": "write", "metadata": "read"}
_RANK: Final = {"": 0, "read": 1, "write": 2, "admin": 3}


@cache
def key_pair(name: str) -> rsa.RSAPrivateKey:
    """A key of 2,048 bits, as GitHub makes them; made once for all tests."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@cache
def pem(name: str) -> bytes:
    """The key as the file that GitHub offers for download: PKCS#1."""
    return key_pair(name).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@dataclass(slots=True, kw_only=True)
class App:
    """`key` is the name of the key pair in force; another name is another key."""

    id: int
    client_id: str
    slug: str
    bot: User
    permissions: dict[str, str]
    created_at: datetime
    key: str = "first"

    @property
    def pem(self) -> bytes:
        return pem(self.key)


@dataclass(slots=True, kw_only=True)
class Installation:
    """`repository_ids` None is all of the account's."""

    id: int
    app: App
    account: User
    permissions: dict[str, str]
    created_at: datetime
    repository_ids: frozenset[int] | None = None
    suspended: bool = False

    def covers(self, repository: Repository) -> bool:
        ours = repository.owner == self.account
        return ours and (self.repository_ids is None or repository.id in self.repository_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An installation's token: what it may, and until when."""

    installation: Installation
    permissions: Mapping[str, str]
    repository_ids: frozenset[int] | None
    minted_at: datetime
    expires_at: datetime

    def role_in(self, repository: Repository) -> Role:
        narrowed = self.repository_ids is not None and repository.id not in self.repository_ids
        if narrowed or not self.installation.covers(repository):
            return Role.NONE
        return Role.WRITE if self.allows("issues", "write") else Role.READ

    def allows(self, permission: str, level: str) -> bool:
        return _RANK[self.permissions.get(permission, "")] >= _RANK[level]


@dataclass(slots=True, kw_only=True)
class Apps:
    """All of them. A token younger than `lag` is refused with `young_status`: not every server knows it yet."""

    apps: list[App] = field(default_factory=list)
    installations: dict[int, Installation] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    lag: timedelta = timedelta()
    young_status: Literal[401, 403] = 401
    lasts: timedelta = LASTS

    def authenticated(self, token: str, at: datetime) -> User:
        """The bot of the App that has signed the JWT; 401 or 404 in GitHub's words."""
        header, claims, signature, signed = _parts(token)
        app = next((app for app in self.apps if claims.get("iss") in (str(app.id), app.client_id)), None)
        if app is None:
            raise Refusal(404, "Integration not found")
        try:
            key_pair(app.key).public_key().verify(signature, signed, padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            raise Refusal(401, "A JSON web token could not be decoded") from None
        issued, expires, now = claims.get("iat"), claims.get("exp"), int(at.timestamp())
        if header.get("alg") != "RS256" or not isinstance(issued, int) or issued > now:
            words = "must be an Integer representing the time that the assertion was issued"
            raise Refusal(401, f"'Issued at' claim ('iat') {words}")
        if not isinstance(expires, int) or expires <= now:
            words = "must be a numeric value representing the future time at which the assertion expires"
            raise Refusal(401, f"'Expiration time' claim ('exp') {words}")
        if expires > now + LONGEST_JWT.total_seconds():
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")
        return app.bot

    def grant_of(self, token: str, at: datetime) -> Grant | None:
        """The token's grant, None where it is no installation's; 401 where it is over, 401 or 403 where too young."""
        grant = self.grants.get(token)
        if grant is None:
            return None
        if grant.installation.id not in self.installations or at >= grant.expires_at:
            raise Refusal(401, "Bad credentials")
        if grant.installation.suspended:
            raise Refusal(403, "This installation has been suspended")
        if at < grant.minted_at + self.lag:
            words = {401: "Bad credentials", 403: "Resource not accessible by integration"}
            raise Refusal(self.young_status, words[self.young_status])
        return grant

    def payer(self, token: str) -> str:
        """Whose limits a request counts for: an App's installation keeps them from token to token."""
        grant = self.grants.get(token)
        return token if grant is None else f"installation {grant.installation.id}"

    def of(self, bot: User) -> App:
        return next(app for app in self.apps if app.bot == bot)

    def mint(self, installation: Installation, fields: Mapping[str, Any], at: datetime) -> tuple[str, Grant]:
        permissions = dict(fields.get("permissions") or installation.permissions)
        for name, level in permissions.items():
            if _RANK[level] > _RANK[installation.permissions.get(name, "")]:
                raise Refusal(422, "The permissions requested are not granted to this installation.")
        wanted = fields.get("repository_ids")
        grant = Grant(
            installation=installation,
            permissions=permissions,
            repository_ids=installation.repository_ids if wanted is None else frozenset(wanted),
            minted_at=at,
            expires_at=(at + self.lasts).replace(microsecond=0),
        )
        token = _token(installation.app.id, len(self.grants))
        self.grants[token] = grant
        return token, grant


def needed(template: str, method: str) -> tuple[str, str]:
    """The permission that an operation asks of an installation, by the path that GitHub's description writes."""
    level = "read" if method == "GET" else "write"
    words = {"/issues": "issues", "/labels": "issues", "/contents": "contents", "/hooks": "repository_hooks"}
    return next(((name, level) for word, name in words.items() if word in template), ("metadata", "read"))


def check(grant: Grant, template: str, method: str) -> None:
    """403 that names the permission, where the token lacks it."""
    permission, level = needed(template, method)
    if not grant.allows(permission, level):
        raise forbidden(f"{permission}={level}")


# ---------------------------------------------------------------- operations


def app(call: Call) -> Answer:
    found = call.world.apps.of(call.actor)
    return Answer(
        200,
        {
            "id": found.id,
            "client_id": found.client_id,
            "slug": found.slug,
            "node_id": f"A_{found.id}",
            "owner": call.render.user(call.world.user("acme", kind="Organization")),
            "name": found.slug,
            "description": None,
            "external_url": call.render.base,
            "html_url": f"{call.render.base}/apps/{found.slug}",
            "created_at": instant(found.created_at),
            "updated_at": instant(found.created_at),
            "permissions": found.permissions,
            "events": ["issues", "issue_comment"],
        },
    )


def list_installations(call: Call) -> Answer:
    """The description wants each account to be a user and an enterprise at once, which none is."""
    ours = [one for one in call.world.apps.installations.values() if one.app.bot == call.actor]
    return Answer(200, [_rendered(call, one) for one in ours], undocumented=True)


def installation(call: Call) -> Answer:
    """404 where the App is not installed, or not for this repository."""
    ours = (one for one in call.world.apps.installations.values() if one.app.bot == call.actor)
    found = next((one for one in ours if one.covers(call.repository)), None)
    if found is None:
        raise not_found()
    return Answer(200, _rendered(call, found))


def access_token(call: Call) -> Answer:
    number = call.params["installation_id"]
    found = call.world.apps.installations.get(int(number)) if number.isdecimal() else None
    if found is None or found.app.bot != call.actor:
        raise not_found()
    if found.suspended:
        raise Refusal(403, "This installation has been suspended")
    unknown = call.fields.keys() - {"permissions", "repositories", "repository_ids"}
    if unknown:
        raise invalid({"resource": "Installation", "code": "invalid", "field": min(unknown)})
    token, grant = call.world.apps.mint(found, call.fields, call.at)
    selection = "all" if grant.repository_ids is None else "selected"
    body = {"token": token, "expires_at": instant(grant.expires_at), "permissions": dict(grant.permissions)}
    return Answer(201, {**body, "repository_selection": selection})


def _rendered(call: Call, found: Installation) -> dict[str, Any]:
    url = f"{call.render.base}/app/installations/{found.id}"
    suspended = instant(call.at) if found.suspended else None
    return {
        "id": found.id,
        "account": call.render.user(found.account),
        "repository_selection": "all" if found.repository_ids is None else "selected",
        "access_tokens_url": f"{url}/access_tokens",
        "repositories_url": f"{call.render.base}/installation/repositories",
        "html_url": f"{call.render.base}/organizations/{found.account.login}/settings/installations/{found.id}",
        "app_id": found.app.id,
        "app_slug": found.app.slug,
        "target_id": found.account.id,
        "target_type": found.account.type,
        "permissions": found.permissions,
        "events": ["issues", "issue_comment"],
        "created_at": instant(found.created_at),
        "updated_at": instant(found.created_at),
        "single_file_name": None,
        "suspended_at": suspended,
        "suspended_by": call.render.user(found.account) if suspended else None,
    }


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Header, claims, signature and what was signed of a JWT; 401 where it is none."""
    try:
        head, body, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split("."))
        return json.loads(head), json.loads(body), signature, token.rpartition(".")[0].encode()
    except ValueError:
        raise Refusal(401, "A JSON web token could not be decoded") from None


def _token(app_id: int, number: int) -> str:
    """Some 520 characters, as since 2026: `ghs_APPID_JWT` with dots, dashes and underscores."""
    noise = b"".join(hashlib.sha512(f"{app_id} {number} {part}".encode()).digest() for part in range(6))
    text = base64.urlsafe_b64encode(noise).decode().rstrip("=")
    return f"ghs_{app_id}_eyJ{text[:40]}.{text[40:300]}-_.{text[300:]}"
