"""The fake's Apps behave as GitHub's do: what proves an App, what an installation's token may, and until when."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from fakes.github import FakeGitHub
from fakes.github.apps import App, Installation, key_pair
from triaged.backends.github.assertion import assertion
from triaged.clock import FakeClock

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
REPOSITORY = "/repos/acme/incidents"
ISSUES = f"{REPOSITORY}/issues"


class Desk:
    """A fake with an App at acme, and requests under any token."""

    def __init__(self, fake: FakeGitHub, clock: FakeClock) -> None:
        self.fake = fake
        self.clock = clock
        self.app: App = fake.add_app()
        self.installation: Installation = fake.install(self.app)
        self.http = httpx.Client(base_url=fake.url, timeout=5.0, trust_env=False)

    def ask(self, method: str, path: str, token: str, body: object = None) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "User-Agent": "test",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        return self.http.request(method, path, headers=headers, json=body)

    def as_app(self, method: str, path: str, body: object = None, *, at: datetime | None = None) -> httpx.Response:
        jwt = assertion(str(self.app.id), key_pair(self.app.key), at or self.clock.now())
        return self.ask(method, path, jwt, body)

    def token(self, body: object = None) -> str:
        made = self.as_app("POST", f"/app/installations/{self.installation.id}/access_tokens", body)
        assert made.status_code == 201
        return str(made.json()["token"])


def signed(claims: dict[str, Any]) -> str:
    """A JWT with these claims."""
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = key_pair("first").sign(text, PKCS1v15(), SHA256())
    return b".".join((text, base64.urlsafe_b64encode(signature).rstrip(b"="))).decode()


@pytest.fixture
def desk() -> Iterator[Desk]:
    clock = FakeClock(START)
    with FakeGitHub(now=clock.now) as fake:
        desk = Desk(fake, clock)
        yield desk
        desk.http.close()


def test_an_app_is_told_about_itself_and_where_it_is_installed(desk: Desk) -> None:
    assert desk.as_app("GET", "/app").json()["slug"] == "triaged"
    assert [one["account"]["login"] for one in desk.as_app("GET", "/app/installations").json()] == ["acme"]
    found = desk.as_app("GET", f"{REPOSITORY}/installation").json()
    assert (found["id"], found["repository_selection"]) == (desk.installation.id, "all")


def test_an_installation_is_found_by_the_repository_s_former_name_through_a_redirect(desk: Desk) -> None:
    desk.fake.person("ann").rename_repository("acme/alarms")
    moved = desk.as_app("GET", f"{REPOSITORY}/installation")
    place = f"{desk.fake.url}/repositories/{desk.fake.repository.id}/installation"
    assert (moved.status_code, moved.headers["Location"]) == (301, place)
    assert desk.as_app("GET", place).json()["id"] == desk.installation.id


def test_an_app_is_not_installed_for_what_is_not_its_owner_s_nor_for_what_was_not_chosen(desk: Desk) -> None:
    desk.fake.add_repository("other/incidents")
    chosen = desk.fake.add_repository("acme/chosen")
    assert desk.as_app("GET", "/repos/other/incidents/installation").status_code == 404
    desk.fake.uninstall(desk.installation)
    desk.fake.install(desk.app, repositories=[chosen])
    assert desk.as_app("GET", f"{REPOSITORY}/installation").status_code == 404
    assert desk.as_app("GET", "/repos/acme/chosen/installation").json()["repository_selection"] == "selected"


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=61), "'Issued at' claim ('iat') must be an Integer"),
        (timedelta(minutes=-9), "'Expiration time' claim ('exp') must be a numeric value"),
    ],
)
def test_an_assertion_from_the_future_or_the_past_is_refused(desk: Desk, span: timedelta, words: str) -> None:
    refused = desk.as_app("GET", "/app", at=START + span)
    assert refused.status_code == 401
    assert refused.json()["message"].startswith(words)


def test_an_assertion_that_lasts_longer_than_ten_minutes_is_refused(desk: Desk) -> None:
    now = int(START.timestamp())
    longest = signed({"iat": now, "exp": now + 600, "iss": desk.app.client_id})
    assert desk.ask("GET", "/app", longest).status_code == 200
    longer = desk.ask("GET", "/app", signed({"iat": now, "exp": now + 601, "iss": desk.app.client_id}))
    assert (longer.status_code, "is too far in the future" in longer.json()["message"]) == (401, True)


def test_an_assertion_signed_by_another_key_or_of_no_app_or_none_at_all_is_refused(desk: Desk) -> None:
    wrong = assertion(str(desk.app.id), key_pair("another"), START)
    assert desk.ask("GET", "/app", wrong).json()["message"] == "A JSON web token could not be decoded"
    assert desk.ask("GET", "/app", "ghs_1_x").status_code == 401
    unknown = desk.ask("GET", "/app", assertion("4711", key_pair("first"), START))
    assert (unknown.status_code, unknown.json()["message"]) == (404, "Integration not found")


def test_a_token_lasts_an_hour_and_writes_as_the_app_s_bot(desk: Desk) -> None:
    token = desk.token()
    made = desk.ask("POST", ISSUES, token, {"title": "x", "labels": ["sev1"]})
    assert (made.json()["user"]["login"], made.json()["user"]["type"]) == ("triaged[bot]", "Bot")
    assert [label["name"] for label in made.json()["labels"]] == ["sev1"]
    desk.clock.advance(timedelta(minutes=59, seconds=59))
    assert desk.ask("GET", ISSUES, token).status_code == 200
    desk.clock.advance(timedelta(seconds=1))
    assert desk.ask("GET", ISSUES, token).status_code == 401


def test_a_token_is_no_user_and_no_app(desk: Desk) -> None:
    token = desk.token()
    assert desk.ask("GET", "/user", token).status_code == 403
    assert desk.ask("GET", "/app", token).status_code == 401


@pytest.mark.parametrize(
    ("permissions", "status"), [({"issues": "read"}, 403), ({"metadata": "read"}, 403), ({"issues": "write"}, 201)]
)
def test_a_token_with_narrowed_permissions_may_do_no_more_than_those(
    desk: Desk, permissions: dict[str, str], status: int
) -> None:
    answer = desk.ask("POST", ISSUES, desk.token({"permissions": permissions}), {"title": "x"})
    assert answer.status_code == status
    if status == 403:
        assert answer.headers["X-Accepted-GitHub-Permissions"] == "issues=write"


def test_a_token_may_not_have_what_the_installation_has_not(desk: Desk) -> None:
    path = f"/app/installations/{desk.installation.id}/access_tokens"
    refused = desk.as_app("POST", path, {"permissions": {"contents": "write"}})
    assert refused.status_code == 422


def test_a_token_narrowed_to_a_repository_sees_no_other(desk: Desk) -> None:
    other = desk.fake.add_repository("acme/other")
    token = desk.token({"repository_ids": [other.id]})
    assert desk.ask("GET", ISSUES, token).status_code == 404
    assert desk.ask("GET", "/repos/acme/other/issues", token).status_code == 200


def test_an_uninstalled_app_s_tokens_end_and_a_suspended_one_s_are_refused(desk: Desk) -> None:
    token = desk.token()
    desk.installation.suspended = True
    assert desk.ask("GET", ISSUES, token).json()["message"] == "This installation has been suspended"
    path = f"/app/installations/{desk.installation.id}/access_tokens"
    assert desk.as_app("POST", path).status_code == 403
    desk.installation.suspended = False
    desk.fake.uninstall(desk.installation)
    assert desk.ask("GET", ISSUES, token).status_code == 401
    assert desk.as_app("POST", path).status_code == 404


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_too_young_is_refused_as_chosen(desk: Desk, status: Any) -> None:
    desk.fake.apps.lag, desk.fake.apps.young_status = timedelta(seconds=3), status
    token = desk.token()
    assert desk.ask("GET", ISSUES, token).status_code == status
    desk.clock.advance(timedelta(seconds=3))
    assert desk.ask("GET", ISSUES, token).status_code == 200


def test_limits_are_the_installation_s_whichever_token_is_used(desk: Desk) -> None:
    desk.fake.limits.creations_per_minute = 2
    statuses = [desk.ask("POST", ISSUES, desk.token(), {"title": "x"}).status_code for _ in range(3)]
    assert statuses == [201, 201, 403]


def test_answers_tell_the_fake_s_own_time(desk: Desk) -> None:
    assert desk.as_app("GET", "/app").headers.get_list("Date") == ["Mon, 23 Nov 2026 03:00:00 GMT"]
