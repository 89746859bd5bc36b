"""The fake GitHub behaves as the documented one does: its limits, errors, redirects, lags and faults on demand."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from fakes.github import (
    FakeGitHub,
    Fault,
    Garbled,
    Hang,
    Held,
    LateCommit,
    Limited,
    LostAnswer,
    Redirect,
    Reset,
    Role,
    ServerError,
    Slow,
)
from triaged.clock import FakeClock

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
ISSUES = "/repos/acme/incidents/issues"
LABELS = "/repos/acme/incidents/labels"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def fake(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as running:
        yield running


@pytest.fixture
def http(fake: FakeGitHub) -> Iterator[httpx.Client]:
    with connect(fake) as client:
        yield client


def connect(fake: FakeGitHub, *, token: str | None = None) -> httpx.Client:
    headers = {
        "Authorization": f"Bearer {token or fake.token}",
        "Accept": "application/vnd.github+json",
        "User-Agent": "test",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    return httpx.Client(base_url=fake.url, headers=headers, timeout=5.0, trust_env=False)


def create(http: httpx.Client, title: str = "Checkout fails", **fields: Any) -> httpx.Response:
    return http.post(ISSUES, json={"title": title, **fields})


def errors(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 422
    found: list[dict[str, Any]] = response.json()["errors"]
    return found


# ---------------------------------------------------------------- issues


def test_a_created_issue_has_number_address_labels_and_the_clock_s_instant(
    http: httpx.Client, fake: FakeGitHub
) -> None:
    response = create(http, body="It burns.", labels=["sev1", "team: pay"])
    issue = response.json()
    assert response.status_code == 201
    assert (issue["number"], issue["state"], issue["body"]) == (1, "open", "It burns.")
    assert issue["created_at"] == "2026-11-23T03:00:00Z"
    assert response.headers["Location"] == issue["url"] == f"{fake.url}{ISSUES}/1"
    assert fake.labels(1) == ["sev1", "team: pay"]
    assert http.get(f"{ISSUES}/1").json()["title"] == "Checkout fails"


def test_pull_requests_share_their_numbers_with_issues_and_appear_in_the_list(
    http: httpx.Client, fake: FakeGitHub
) -> None:
    fake.person("ann").open("Fix it", pull_request=True)
    create(http)
    listed = http.get(ISSUES).json()
    assert [(issue["number"], "pull_request" in issue) for issue in listed] == [(2, False), (1, True)]


def test_closing_without_a_reason_is_completed_and_reopening_says_reopened(http: httpx.Client) -> None:
    create(http)
    closed = http.patch(f"{ISSUES}/1", json={"state": "closed"}).json()
    assert (closed["state_reason"], closed["closed_by"]["login"]) == ("completed", "triaged-bot")
    assert closed["closed_at"] == "2026-11-23T03:00:00Z"
    reopened = http.patch(f"{ISSUES}/1", json={"state": "open"}).json()
    assert (reopened["state_reason"], reopened["closed_at"], reopened["closed_by"]) == ("reopened", None, None)


def test_a_reason_without_a_change_of_state_is_ignored(http: httpx.Client) -> None:
    create(http)
    http.patch(f"{ISSUES}/1", json={"state": "closed", "state_reason": "not_planned"})
    again = http.patch(f"{ISSUES}/1", json={"state": "closed", "state_reason": "completed"}).json()
    assert again["state_reason"] == "not_planned"


def test_a_duplicate_must_name_an_issue_that_exists(http: httpx.Client, fake: FakeGitHub) -> None:
    first = create(http).json()
    create(http)
    fields = {"state": "closed", "state_reason": "duplicate"}
    wrong = http.patch(f"{ISSUES}/2", json={**fields, "duplicate_issue_id": 99})
    assert errors(wrong)[0]["field"] == "duplicate_issue_id"
    assert http.patch(f"{ISSUES}/2", json={**fields, "duplicate_issue_id": first["id"]}).status_code == 200
    assert fake.issue(2).duplicate_of == first["id"]


def test_an_edit_that_changes_nothing_leaves_updated_at(http: httpx.Client, clock: FakeClock) -> None:
    create(http, body="same")
    clock.advance(timedelta(minutes=5))
    assert http.patch(f"{ISSUES}/1", json={"body": "same"}).json()["updated_at"] == "2026-11-23T03:00:00Z"
    assert http.patch(f"{ISSUES}/1", json={"body": "other"}).json()["updated_at"] == "2026-11-23T03:05:00Z"


def test_assignees_are_added_and_removed_and_the_eleventh_is_silently_left_out(
    http: httpx.Client, fake: FakeGitHub
) -> None:
    create(http)
    people = [f"p{number}" for number in range(12)]
    for login in people:
        fake.person(login)
    added = http.post(f"{ISSUES}/1/assignees", json={"assignees": people})
    assert added.status_code == 201
    assert [user["login"] for user in added.json()["assignees"]] == people[:10]
    removed = http.request("DELETE", f"{ISSUES}/1/assignees", json={"assignees": people[1:]})
    assert [user["login"] for user in removed.json()["assignees"]] == ["p0"]


def test_creating_with_an_unknown_assignee_is_refused_with_the_name(http: httpx.Client, fake: FakeGitHub) -> None:
    assert errors(create(http, assignees=["nobody"])) == [
        {"value": "nobody", "resource": "Issue", "field": "assignees", "code": "invalid"}
    ]
    assert fake.issues == []


# ---------------------------------------------------------------- lengths


def test_a_body_one_character_too_long_is_refused_in_github_s_words(http: httpx.Client, fake: FakeGitHub) -> None:
    assert create(http, body="é" * 65_536).status_code == 201
    assert errors(create(http, body="é" * 65_537)) == [
        {
            "resource": "Issue",
            "code": "custom",
            "field": "body",
            "message": "body is too long (maximum is 65536 characters)",
        }
    ]
    assert len(fake.issues) == 1


def test_a_title_one_character_too_long_is_refused(http: httpx.Client) -> None:
    assert create(http, "x" * 256).status_code == 201
    assert errors(create(http, "x" * 257))[0]["message"] == "title is too long (maximum is 256 characters)"
    assert errors(create(http, "  "))[0]["code"] == "missing_field"


def test_a_comment_that_is_too_long_is_refused_in_another_shape_than_an_issue(http: httpx.Client) -> None:
    create(http)
    assert errors(http.post(f"{ISSUES}/1/comments", json={"body": "x" * 65_537})) == [
        {
            "resource": "IssueComment",
            "code": "unprocessable",
            "field": "data",
            "message": "Body is too long (maximum is 65536 characters)",
        }
    ]


def test_a_label_name_that_is_too_long_is_refused_differently_on_an_issue_and_in_the_repository(
    http: httpx.Client,
) -> None:
    name = "x" * 51
    on_issue = {"resource": "Label", "code": "invalid", "field": "name", "value": name}
    create(http)
    assert errors(create(http, labels=[name])) == [on_issue]
    assert errors(http.post(f"{ISSUES}/1/labels", json={"labels": [name]})) == [on_issue]
    assert errors(http.post(LABELS, json={"name": name}))[0]["message"] == "name is too long (maximum is 50 characters)"


def test_re_adding_labels_counts_against_the_hundred_of_an_issue(http: httpx.Client, fake: FakeGitHub) -> None:
    names = [f"l{number}" for number in range(51)]
    create(http, labels=names)
    again = http.post(f"{ISSUES}/1/labels", json={"labels": names})
    assert (again.status_code, again.json()["message"]) == (500, "Server Error")
    assert len(fake.labels(1)) == 51


def test_the_2501st_comment_is_forbidden_for_ever(http: httpx.Client, fake: FakeGitHub) -> None:
    create(http)
    ann = fake.person("ann")
    for _ in range(2_499):
        ann.comment(1, "again")
    assert http.post(f"{ISSUES}/1/comments", json={"body": "the last"}).status_code == 201
    refused = http.post(f"{ISSUES}/1/comments", json={"body": "one more"})
    assert refused.status_code == 403
    assert refused.json()["message"] == "Commenting is disabled on issues with more than 2500 comments"


# ---------------------------------------------------------------- labels


def test_label_names_are_one_without_regard_to_case(http: httpx.Client, fake: FakeGitHub) -> None:
    assert http.post(LABELS, json={"name": "Sev1", "color": "ff0000"}).status_code == 201
    create(http, labels=["sev1"])
    assert fake.labels(1) == ["Sev1"]
    assert errors(http.post(LABELS, json={"name": "SEV1"}))[0]["code"] == "already_exists"


def test_a_bad_colour_and_a_long_description_of_a_label_are_refused(http: httpx.Client) -> None:
    bad = {"resource": "Label", "code": "invalid", "field": "color"}
    assert errors(http.post(LABELS, json={"name": "a", "color": "invalid"})) == [bad]
    assert errors(http.post(LABELS, json={"name": "a", "description": "x" * 101}))[0]["field"] == "description"


def test_a_label_with_a_slash_is_removed_only_under_its_encoded_name(http: httpx.Client, fake: FakeGitHub) -> None:
    create(http, labels=["team/pay", "sev1"])
    assert http.delete(f"{ISSUES}/1/labels/team/pay").status_code == 404
    assert len(fake.violations) == 1
    fake.violations.clear()
    assert [label["name"] for label in http.delete(f"{ISSUES}/1/labels/team%2Fpay").json()] == ["sev1"]
    gone = http.delete(f"{ISSUES}/1/labels/team%2Fpay")
    assert (gone.status_code, gone.json()["message"]) == (404, "Label does not exist")


def test_setting_labels_replaces_them_and_a_renamed_label_stays_on_its_issues(
    http: httpx.Client, fake: FakeGitHub
) -> None:
    create(http, labels=["a", "b"])
    http.put(f"{ISSUES}/1/labels", json={"labels": ["b", "c"]})
    assert http.patch(f"{LABELS}/B", json={"new_name": "better", "color": "00ff00"}).status_code == 200
    assert fake.labels(1) == ["better", "c"]
    assert [label["name"] for label in http.get(f"{ISSUES}/1/labels").json()] == ["better", "c"]
    assert http.get(f"{LABELS}/better").json()["color"] == "00ff00"
    assert http.get(f"{LABELS}/b").status_code == 404
    assert [label["name"] for label in http.get(LABELS).json()] == ["a", "better", "c"]


# ---------------------------------------------------------------- permissions


def test_without_push_access_labels_and_assignees_are_silently_dropped(http: httpx.Client, fake: FakeGitHub) -> None:
    fake.person("ann")
    fake.grant("triaged-bot", Role.READ)
    issue = create(http, labels=["sev1"], assignees=["ann"])
    assert (issue.status_code, issue.json()["labels"], issue.json()["assignees"]) == (201, [], [])
    changed = http.patch(f"{ISSUES}/1", json={"title": "New", "labels": ["sev1"]}).json()
    assert (changed["title"], changed["labels"]) == ("New", [])
    assert http.post(f"{ISSUES}/1/labels", json={"labels": ["sev1"]}).status_code == 403


def test_someone_else_s_issue_cannot_be_edited_without_push_access(http: httpx.Client, fake: FakeGitHub) -> None:
    fake.person("ann").open("Mine")
    fake.grant("triaged-bot", Role.READ)
    refused = http.patch(f"{ISSUES}/1", json={"title": "Yours"})
    assert (refused.status_code, refused.json()["message"]) == (403, "Resource not accessible by integration")
    assert refused.headers["X-Accepted-GitHub-Permissions"] == "issues=write"


def test_a_private_repository_that_may_not_be_read_does_not_exist(http: httpx.Client, fake: FakeGitHub) -> None:
    fake.grant("triaged-bot", Role.NONE)
    assert create(http).status_code == 404
    assert http.get("/repos/acme/incidents").status_code == 404


def test_a_wrong_and_a_missing_token_are_401(fake: FakeGitHub) -> None:
    with connect(fake, token="wrong") as http:
        assert create(http).json()["message"] == "Bad credentials"
        del http.headers["Authorization"]
        assert create(http).json()["message"] == "Requires authentication"
    assert [request.status for request in fake.requests] == [401, 401]
    assert fake.issues == []
    assert "no Authorization header" in fake.violations.pop()


def test_a_revoked_token_stops_working_and_a_new_one_works(http: httpx.Client, fake: FakeGitHub) -> None:
    fake.add_token("ghs_1_next", "triaged-bot")
    fake.revoke(fake.token)
    assert create(http).status_code == 401
    with connect(fake, token="ghs_1_next") as renewed:
        assert create(renewed).status_code == 201


def test_a_request_without_a_user_agent_is_refused(http: httpx.Client, fake: FakeGitHub) -> None:
    http.headers["User-Agent"] = ""
    response = create(http)
    assert response.status_code == 403
    assert "User-Agent header" in response.text
    assert fake.issues == []


def test_an_unknown_api_version_is_400(http: httpx.Client) -> None:
    http.headers["X-GitHub-Api-Version"] = "1999-01-01"
    assert create(http).status_code == 400


def test_the_newer_version_of_the_api_leaves_out_what_it_has_dropped(http: httpx.Client, fake: FakeGitHub) -> None:
    create(http)
    assert "assignee" in http.get(f"{ISSUES}/1").json()
    http.headers["X-GitHub-Api-Version"] = "2026-03-10"
    assert "assignee" not in http.get(f"{ISSUES}/1").json()
    assert "rate" not in http.get("/rate_limit").json()
    http.headers["X-GitHub-Api-Version"] = "2022-11-28"
    fake.speak("2026-03-10")
    assert [sorted({"assignee"} & issue.keys()) for issue in http.get(ISSUES).json()] == [[]]


def test_the_account_the_repository_and_a_permission_can_be_asked_for(http: httpx.Client, fake: FakeGitHub) -> None:
    fake.grant("ann", Role.TRIAGE)
    assert http.get("/user").json()["login"] == "triaged-bot"
    assert http.get("/repos/acme/incidents").json()["permissions"]["push"] is True
    permission = http.get("/repos/acme/incidents/collaborators/ann/permission").json()
    assert (permission["permission"], permission["role_name"]) == ("read", "triage")
    assert http.get("/repos/acme/incidents/collaborators/nobody/permission").status_code == 404
    fake.grant("triaged-bot", Role.TRIAGE)
    refused = http.get("/repos/acme/incidents/collaborators/ann/permission")
    assert (refused.status_code, refused.json()["message"]) == (
        403,
        "Must have push access to view collaborator permission.",
    )


def test_an_app_s_installation_is_no_user_but_a_bot_in_its_issues(fake: FakeGitHub) -> None:
    fake.add_token("ghs_1_app", "triaged[bot]")
    fake.grant("triaged[bot]", Role.WRITE)
    with connect(fake, token="ghs_1_app") as http:
        assert http.get("/user").status_code == 403
        assert create(http).json()["user"]["type"] == "Bot"


# ---------------------------------------------------------------- closed doors


def test_an_archived_repository_can_be_read_but_not_written(http: httpx.Client, fake: FakeGitHub) -> None:
    create(http)
    fake.person("ann").archive_repository()
    refused = http.patch(f"{ISSUES}/1", json={"title": "New"})
    assert (refused.status_code, refused.json()["message"]) == (403, "Repository was archived so is read-only.")
    assert http.get(f"{ISSUES}/1").status_code == 200
    assert http.get("/repos/acme/incidents").json()["archived"] is True


def test_disabled_issues_and_a_deleted_issue_are_410_with_different_words(http: httpx.Client, fake: FakeGitHub) -> None:
    create(http)
    ann = fake.person("ann")
    ann.disable_issues()
    disabled = create(http)
    assert (disabled.status_code, disabled.json()["message"]) == (410, "Issues are disabled for this repo")
    ann.disable_issues(enabled=True)
    ann.delete_issue(1)
    deleted = http.get(f"{ISSUES}/1")
    assert (deleted.status_code, deleted.json()["message"]) == (410, "This issue was deleted")
    assert http.get(ISSUES).json() == []
    assert http.get(f"{ISSUES}/7").status_code == 404


def test_a_locked_issue_takes_no_comment_from_who_may_not_push(http: httpx.Client, fake: FakeGitHub) -> None:
    create(http)
    fake.person("ann").lock_issue(1)
    assert http.post(f"{ISSUES}/1/comments", json={"body": "allowed"}).status_code == 201
    fake.grant("triaged-bot", Role.READ)
    refused = http.post(f"{ISSUES}/1/comments", json={"body": "not allowed"})
    assert refused.status_code == 403
    assert refused.json()["message"] == "Unable to create comment because issue is locked."


def test_a_renamed_repository_answers_reads_with_301_and_writes_with_307_to_its_id(
    http: httpx.Client, fake: FakeGitHub
) -> None:
    create(http)
    fake.person("ann").rename_repository("acme/alarms")
    read = http.get(ISSUES, params={"state": "all", "per_page": 5})
    wrote = http.patch(f"{ISSUES}/1", json={"title": "New"})
    place = f"{fake.url}/repositories/{fake.repository.id}/issues"
    assert (read.status_code, read.headers["Location"]) == (301, f"{place}?state=all&per_page=5")
    assert (wrote.status_code, wrote.headers["Location"]) == (307, f"{place}/1")
    assert wrote.json()["message"] == "Moved Permanently"
    assert http.patch(wrote.headers["Location"], json={"title": "New"}).json()["title"] == "New"
    assert http.get("/repos/acme/alarms/issues/1").json()["repository_url"] == f"{fake.url}/repos/acme/alarms"


def test_a_transferred_issue_redirects_to_its_new_place_unless_that_may_not_be_read(
    http: httpx.Client, fake: FakeGitHub
) -> None:
    create(http, labels=["sev1"])
    target = fake.add_repository("acme/pay")
    ann = fake.person("ann")
    ann.comment(1, "This is ours.")
    ann.transfer(1, target)
    moved = http.post(f"{ISSUES}/1/comments", json={"body": "hello"})
    assert moved.headers["Location"] == f"{fake.url}/repositories/{target.id}/issues/1/comments"
    arrived = http.get(f"{ISSUES}/1", follow_redirects=True).json()
    assert ([label["name"] for label in arrived["labels"]], arrived["comments"]) == (["sev1"], 1)
    fake.grant("triaged-bot", Role.NONE, repository=target)
    assert http.get(f"{ISSUES}/1").status_code == 404


# ---------------------------------------------------------------- lists


def test_a_list_is_paged_by_links_that_name_the_repository_by_id(http: httpx.Client, fake: FakeGitHub) -> None:
    for number in range(5):
        create(http, f"Issue {number}")
    numbers, url = [], f"{ISSUES}?per_page=2&direction=asc"
    while url:
        response = http.get(url)
        numbers.append([issue["number"] for issue in response.json()])
        url = response.links.get("next", {}).get("url", "")
        assert not url or f"/repositories/{fake.repository.id}/issues?" in url
    assert numbers == [[1, 2], [3, 4], [5]]
    assert set(http.get(f"{ISSUES}?per_page=2&page=2").links) == {"next", "last", "first", "prev"}


def test_a_page_holds_30_where_nothing_is_asked_and_never_more_than_100(http: httpx.Client, fake: FakeGitHub) -> None:
    ann = fake.person("ann")
    for _ in range(101):
        ann.open("Again")
    assert len(http.get(ISSUES).json()) == 30
    assert len(http.get(f"{ISSUES}?per_page=500").json()) == 100


def test_lists_are_filtered_and_sorted_as_asked(http: httpx.Client, fake: FakeGitHub, clock: FakeClock) -> None:
    for labels in (["a"], ["a", "b"], []):
        create(http, labels=labels)
        clock.advance(timedelta(minutes=1))
    ann = fake.person("ann")
    ann.close(1)
    ann.open("Hers")

    def numbers(**query: str) -> list[int]:
        return [issue["number"] for issue in http.get(ISSUES, params=query).json()]

    assert numbers() == [4, 3, 2]
    assert numbers(state="all", sort="updated", direction="asc") == [2, 3, 1, 4]
    assert numbers(state="closed") == [1]
    assert numbers(state="all", labels="a,B") == [2]
    assert numbers(creator="ann") == [4]
    assert numbers(state="all", since="2026-11-23T03:02:00Z") == [4, 3, 1]
    assert errors(http.get(ISSUES, params={"since": "2026-13-01T00:00:00Z"}))
    fake.violations.clear()


def test_comments_are_listed_oldest_first_from_the_last_change_on(
    http: httpx.Client, fake: FakeGitHub, clock: FakeClock
) -> None:
    create(http)
    ann = fake.person("ann")
    first = ann.comment(1, "one")
    clock.advance(timedelta(minutes=1))
    ann.comment(1, "two")
    since = {"since": "2026-11-23T03:01:00Z"}
    assert [comment["body"] for comment in http.get(f"{ISSUES}/1/comments", params=since).json()] == ["two"]
    changed = http.patch(f"{ISSUES}/comments/{first.id}", json={"body": "one, edited"})
    assert changed.json()["updated_at"] == "2026-11-23T03:01:00Z"
    assert [c["body"] for c in http.get(f"{ISSUES}/1/comments", params=since).json()] == ["one, edited", "two"]
    assert http.get(f"{ISSUES}/comments/{first.id}").json()["body"] == "one, edited"
    ann.edit_comment(first.id, "again")
    ann.delete_comment(first.id)
    assert http.get(f"{ISSUES}/comments/{first.id}").status_code == 404


def test_a_lagging_list_hides_what_is_young_while_the_issue_itself_is_there(
    http: httpx.Client, fake: FakeGitHub, clock: FakeClock
) -> None:
    fake.list_lag = timedelta(seconds=60)
    create(http)
    clock.advance(timedelta(seconds=59))
    assert http.get(ISSUES).json() == []
    assert http.get(f"{ISSUES}/1").status_code == 200
    clock.advance(timedelta(seconds=1))
    assert len(http.get(ISSUES).json()) == 1


# ---------------------------------------------------------------- people


def test_what_people_do_on_the_pages_shows_in_the_api_and_counts_as_no_request(
    http: httpx.Client, fake: FakeGitHub
) -> None:
    create(http, labels=["sev1"])
    ann = fake.person("ann")
    ann.edit_title(1, "Checkout is slow")
    ann.edit_body(1, "See the dashboard.\r\n")
    ann.label(1, "customer")
    ann.unlabel(1, "SEV1")
    ann.assign(1, "ann", "bob")
    ann.unassign(1, "bob")
    ann.close(1, "not_planned")
    seen = http.get(f"{ISSUES}/1").json()
    assert (seen["title"], seen["body"]) == ("Checkout is slow", "See the dashboard.\r\n")
    assert [label["name"] for label in seen["labels"]] == ["customer"]
    assert [user["login"] for user in seen["assignees"]] == ["ann"]
    assert (seen["closed_by"]["login"], seen["state_reason"]) == ("ann", "not_planned")
    ann.reopen(1)
    assert http.get(f"{ISSUES}/1").json()["state_reason"] == "reopened"
    assert len(fake.requests) == 3
    assert [request.operation for request in fake.writes] == ["create_issue"]


# ---------------------------------------------------------------- rate limits


def test_every_answer_tells_the_primary_limit_and_the_last_request_of_the_hour_is_refused(
    http: httpx.Client, fake: FakeGitHub, clock: FakeClock
) -> None:
    fake.limits.primary = 2
    first = http.get("/user")
    assert first.headers["X-RateLimit-Remaining"] == "1"
    http.get("/user")
    refused = http.get("/user")
    assert (refused.status_code, refused.headers["X-RateLimit-Remaining"]) == (403, "0")
    assert refused.headers["X-RateLimit-Reset"] == str(int((START + timedelta(hours=1)).timestamp()))
    assert refused.json()["message"].startswith("API rate limit exceeded")
    assert http.get("/rate_limit").json()["resources"]["core"]["remaining"] == 0
    clock.advance(timedelta(hours=1))
    assert http.get("/user").status_code == 200


def test_asking_again_before_the_wait_is_over_is_counted(
    http: httpx.Client, fake: FakeGitHub, clock: FakeClock
) -> None:
    fake.limits.exhaust(fake.token, at=START)
    for _ in range(3):
        http.get("/user")
    assert fake.limits.impatient == 2
    clock.advance(timedelta(hours=1))
    http.get("/user")
    assert fake.limits.impatient == 2


def test_the_81st_creation_in_a_minute_is_refused_with_the_seconds_to_wait(
    http: httpx.Client, fake: FakeGitHub, clock: FakeClock
) -> None:
    create(http)
    for _ in range(39):
        create(http)
        http.post(f"{ISSUES}/1/comments", json={"body": "x"})
        clock.advance(timedelta(seconds=1))
    assert http.post(f"{ISSUES}/1/comments", json={"body": "the 80th"}).status_code == 201
    refused = create(http)
    assert (refused.status_code, refused.headers["Retry-After"]) == (403, "22")
    assert "temporarily blocked from content creation" in refused.json()["message"]
    assert http.patch(f"{ISSUES}/1", json={"title": "Still allowed"}).status_code == 200
    clock.advance(timedelta(seconds=22))
    assert create(http).status_code == 201


def test_the_501st_creation_in_an_hour_is_refused_as_429_without_retry_after_where_chosen(
    fake: FakeGitHub, clock: FakeClock
) -> None:
    fake.limits.status, fake.limits.tells_retry_after = 429, False
    fake.limits.creations_per_hour = 5
    with connect(fake) as http:
        for _ in range(5):
            assert create(http).status_code == 201
            clock.advance(timedelta(minutes=2))
        refused = create(http)
        assert (refused.status_code, refused.headers.get("Retry-After")) == (429, None)
        clock.advance(timedelta(minutes=50))
        assert create(http).status_code == 201


def test_900_points_a_minute_are_all_there_is_and_a_write_costs_five(
    http: httpx.Client, fake: FakeGitHub, clock: FakeClock
) -> None:
    fake.limits.points_per_minute = 12
    create(http)
    assert http.patch(f"{ISSUES}/1", json={"title": "New"}).status_code == 200
    assert http.get("/user").status_code == 200
    refused = http.patch(f"{ISSUES}/1", json={"title": "Newer"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (403, "61")
    assert "exceeded a secondary rate limit" in refused.json()["message"]
    clock.advance(timedelta(seconds=61))
    assert http.patch(f"{ISSUES}/1", json={"title": "Newer"}).status_code == 200


def test_an_enterprise_server_has_another_prefix_and_no_limits(clock: FakeClock) -> None:
    with FakeGitHub(now=clock.now, prefix="/api/v3") as fake, connect(fake) as http:
        fake.limits.enabled = False
        response = create(http)
        assert response.json()["url"] == f"{fake.url}{ISSUES}/1"
        assert fake.url.endswith("/api/v3")
        assert not [name for name in response.headers if name.startswith("x-ratelimit")]
        for _ in range(100):
            assert create(http).status_code == 201


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        (LostAnswer(), True),
        (Reset(), False),
        (Hang(), False),
        (Hang(after_commit=True), True),
    ],
)
def test_a_fault_without_an_answer_leaves_the_write_done_or_not_as_it_says(
    http: httpx.Client, fake: FakeGitHub, fault: Fault, *, done: bool
) -> None:
    fake.fail("create_issue", fault)
    with pytest.raises(httpx.TransportError):
        http.post(ISSUES, json={"title": "Checkout fails"}, timeout=0.2)
    assert [(request.status, request.committed) for request in fake.creates] == [(None, done)]
    assert len(fake.issues) == done
    assert create(http).status_code == 201


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("done", [True, False])
def test_a_server_error_leaves_the_write_done_or_not_as_it_says(
    http: httpx.Client, fake: FakeGitHub, status: Any, *, done: bool
) -> None:
    fake.fail("create_issue", ServerError(status=status, after_commit=done))
    assert create(http).status_code == status
    assert len(fake.issues) == done


def test_a_reset_is_a_reset_and_no_orderly_end(fake: FakeGitHub, http: httpx.Client) -> None:
    fake.fail("whoami", Reset())
    with pytest.raises(httpx.ReadError, match=r"(?i)reset"):
        http.get("/user")


def test_a_late_write_is_done_when_the_clock_has_come_so_far(
    http: httpx.Client, fake: FakeGitHub, clock: FakeClock
) -> None:
    fake.fail("create_issue", LateCommit(timedelta(seconds=8)))
    with pytest.raises(httpx.RemoteProtocolError):
        create(http)
    clock.advance(timedelta(seconds=7))
    assert http.get(ISSUES).json() == []
    clock.advance(timedelta(seconds=3))
    assert http.get(ISSUES).json()[0]["created_at"] == "2026-11-23T03:00:08Z"
    assert fake.creates[0].committed


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("retry_after", [None, 7])
def test_a_limit_on_demand_has_its_true_words_and_does_nothing(
    http: httpx.Client, fake: FakeGitHub, status: Any, retry_after: int | None
) -> None:
    fake.fail("create_issue", Limited(status=status, retry_after=retry_after))
    fake.fail("create_issue", Limited(status=status, retry_after=retry_after, kind="secondary"))
    refused = create(http)
    assert refused.status_code == status
    assert refused.headers.get("Retry-After") == (str(retry_after) if retry_after else None)
    assert "blocked from content creation" in refused.json()["message"]
    assert re.match("You have exceeded a secondary rate limit. Please wait", create(http).json()["message"])
    assert fake.issues == []


def test_too_fast_may_also_look_like_a_validation_error(http: httpx.Client, fake: FakeGitHub) -> None:
    fake.fail("create_issue", Limited(status=422))
    assert errors(create(http))[0]["message"] == "was submitted too quickly"


def test_a_slow_answer_comes_and_a_garbled_one_cannot_be_read(http: httpx.Client, fake: FakeGitHub) -> None:
    fake.fail("create_issue", Slow(timedelta(milliseconds=20)))
    fake.fail("create_issue", Garbled())
    assert create(http).json()["number"] == 1
    garbled = create(http)
    assert garbled.status_code == 201
    with pytest.raises(ValueError, match="Expecting value"):
        garbled.json()
    assert len(fake.issues) == 2


def test_a_redirect_on_demand_may_lead_anywhere(http: httpx.Client, fake: FakeGitHub) -> None:
    fake.fail("whoami", Redirect(location="https://elsewhere.example{path}", status=302))
    assert http.get("/user").headers["Location"] == "https://elsewhere.example/user"


@pytest.mark.parametrize("after_commit", [True, False])
def test_a_held_request_stands_still_until_it_is_released(
    http: httpx.Client, fake: FakeGitHub, *, after_commit: bool
) -> None:
    held = fake.fail("create_issue", Held(after_commit=after_commit))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(create, http)
        assert held.arrived.wait(5)
        assert len(fake.issues) == after_commit
        held.release()
        assert answer.result(5).status_code == 201
    assert len(fake.issues) == 1


def test_a_client_that_dies_while_held_before_the_commit_has_done_nothing(fake: FakeGitHub) -> None:
    fake.fail("create_issue", Held())
    with connect(fake) as http, pytest.raises(httpx.ReadTimeout):
        http.post(ISSUES, json={"title": "Checkout fails"}, timeout=0.1)
    assert fake.issues == []


def test_faults_meet_the_operation_in_the_order_they_were_queued_and_no_other(
    http: httpx.Client, fake: FakeGitHub
) -> None:
    fake.fail("create_issue", ServerError(status=500), times=2)
    fake.fail("*", ServerError(status=503))
    assert [create(http).status_code for _ in range(2)] == [500, 500]
    assert [http.get("/user").status_code for _ in range(2)] == [503, 200]
    assert create(http).status_code == 201
    with pytest.raises(ValueError, match="no operation of the fake"):
        fake.fail("create_isue", Reset())


def test_while_github_is_down_everything_is_503_or_no_connection_at_all(http: httpx.Client, fake: FakeGitHub) -> None:
    url = fake.url
    fake.down()
    assert create(http).status_code == 503
    fake.down(refuse=True)
    with pytest.raises(httpx.ConnectError):
        create(http)
    fake.up()
    assert create(http).status_code == 201
    assert fake.url == url
    assert len(fake.issues) == 1


def test_a_hanging_request_does_not_keep_the_fake_from_stopping() -> None:
    failures: list[Exception] = []

    def ask(fake: FakeGitHub) -> None:
        try:
            with connect(fake) as http:
                create(http)
        except httpx.TransportError as error:
            failures.append(error)

    with FakeGitHub() as fake:
        fake.fail("create_issue", Hang())
        asking = threading.Thread(target=ask, args=(fake,))
        asking.start()
        fake.wait_until(lambda now: len(now.creates) == 1)
    asking.join(5)
    assert len(failures) == 1


def test_many_writers_at_once_get_a_number_each(fake: FakeGitHub) -> None:
    with ThreadPoolExecutor(8) as pool, connect(fake) as http:
        numbers = list(pool.map(lambda _: create(http).json()["number"], range(40)))
    assert sorted(numbers) == list(range(1, 41))


# ---------------------------------------------------------------- the oracle


def test_waiting_for_something_that_does_not_happen_fails(fake: FakeGitHub) -> None:
    with pytest.raises(AssertionError, match="did not happen"):
        fake.wait_until(lambda now: bool(now.creates), seconds=0.01)


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", ISSUES, {"title": "x", "labels": "sev1"}, "sev1"),
        ("POST", ISSUES, {"body": "no title"}, "title"),
        ("POST", ISSUES, {"title": "x", "assignee": "ann"}, "no use for the field 'assignee'"),
        ("PATCH", f"{ISSUES}/1", {"state": "resolved"}, "resolved"),
        ("GET", f"{ISSUES}?order=desc", None, "no query parameter 'order'"),
        ("GET", f"{ISSUES}?per_page=many", None, "many"),
        ("GET", "/search/issues?q=x", None, "no operation that the backend may use"),
        ("GET", f"{ISSUES}/", None, "no operation that the backend may use"),
    ],
)
def test_a_request_that_github_does_not_describe_fails_the_test(
    method: str, path: str, body: object, words: str
) -> None:
    with pytest.raises(AssertionError, match=words), FakeGitHub() as fake, connect(fake) as http:
        http.request(method, path, json=body) if body else http.request(method, path)


def test_an_answer_that_github_does_not_describe_fails_the_test(fake: FakeGitHub, http: httpx.Client) -> None:
    issue = fake.person("ann").open("Odd")
    issue.state_reason = "because"
    http.get(f"{ISSUES}/1")
    assert "because" in fake.violations.pop()


def test_a_request_without_the_api_version_fails_the_test(fake: FakeGitHub, http: httpx.Client) -> None:
    del http.headers["X-GitHub-Api-Version"]
    assert http.get("/user").status_code == 200
    assert "no X-GitHub-Api-Version header" in fake.violations.pop()


def test_a_violation_does_not_hide_the_failure_of_the_test_itself() -> None:
    def failing_test() -> None:
        with FakeGitHub() as fake, connect(fake) as http:
            http.get("/search/issues?q=x").json()["the test's own mistake"]

    with pytest.raises(KeyError) as failed:
        failing_test()
    assert "no operation" in failed.value.__notes__[0]


def test_without_the_oracle_nothing_is_held_against_the_description() -> None:
    with FakeGitHub(oracle=False) as fake, connect(fake) as http:
        assert http.get("/search/issues?q=x").status_code == 404
