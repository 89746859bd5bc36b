"""Maintenance through the real intake and the HTTP API: what windows hold back, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from triaged import rulefiles
from triaged.app import rules_of
from triaged.core.maintenance import Plan
from triaged.core.model import CloseReason, Incident, State
from triaged.intake.planning import LONGEST, MOST_AT_ONCE, MOST_UNFINISHED, ask_whole
from triaged.intake.units import Answer, Delivery, EndWindow, Passed, PlanWindow, WindowsChanged
from triaged.replay.world import World, empty_store
from triaged.sources import alertmanager
from triaged.store.store import Store
from triaged.web.auth import ApiTokens, Role, TokenSource
from triaged.web.maintenance import MOST_LISTED, MOST_MATCHERS
from web_desk import RULES, START, WebDesk
from world import alert, body

WORK = {"match": ['service="checkout"'], "for": "1h", "reason": "Deploy 7"}
PATH = "/api/v1/maintenance"
# `from` is no name in Python.
FROM_TEN: dict[str, Any] = {"from": "2026-11-23T08:10Z"}
FOR_AN_HOUR: dict[str, Any] = {"for": "1h"}
FOR_SEVEN_DAYS: dict[str, Any] = {"for": "7d"}
FROM_TWO_HOURS: dict[str, Any] = {"from": "2026-11-23T10:00Z"}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebDesk]:
    desk = WebDesk(tmp_path)
    yield desk
    desk.close()


def plan(web: WebDesk, *, status: int = 201, **changes: Any) -> dict[str, Any]:
    asked = {name: value for name, value in {**WORK, **changes}.items() if value is not None}
    answer = web.post(PATH, asked)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def opened(web: WebDesk) -> list[str]:
    rows = web.get("/api/v1/incidents").json()["incidents"]
    return [row["title"].partition(" ·")[0] for row in rows]


def pending(web: WebDesk) -> list[Incident]:
    with web.store.read() as reader:
        return reader.pending(100)


def at(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


# ---- asked for


def test_a_window_is_answered_with_its_id_and_holds_alerts_back_until_its_end(web: WebDesk) -> None:
    found = plan(web, by="ci")
    assert found == {
        "id": "MW-1", "origin": "api", "state": "running", "match": ['service="checkout"'], "reason": "Deploy 7",
        "from": "2026-11-23T08:00:00Z", "to": "2026-11-23T09:00:00Z", "by": "ci", "all": False, "name": None,
        "ended_by": None,
    }  # fmt: skip
    web.fire("SlowCheckout", service="checkout")
    web.fire("SlowSearch", service="search")
    assert opened(web) == ["SlowSearch"]
    (held,) = pending(web)
    assert (held.held_by, held.held_for) == ("MW-1", "Deploy 7, by ci")
    web.pass_time(timedelta(hours=1))
    assert opened(web) == ["SlowSearch", "SlowCheckout"]


def test_an_incident_that_was_held_back_says_so_when_it_is_explained(web: WebDesk) -> None:
    plan(web, by="ci")
    web.fire("SlowCheckout", service="checkout")
    web.pass_time(timedelta(hours=1))
    explained = web.get(f"/api/v1/incidents/{web.newest()}/explain").json()
    assert "was held back by maintenance until 2026-11-23 09:00 UTC (MW-1: Deploy 7, by ci)" in explained["standing"]
    shown = web.get(f"/api/v1/incidents/{web.newest()}").json()
    assert shown["opened_at"] == "2026-11-23T09:00:00Z"
    assert {due["kind"]: due["due_at"] for due in shown["deadlines"]}["response"] == "2026-11-23T13:00:00Z"


def test_a_window_that_ends_early_opens_what_fires_at_once(web: WebDesk) -> None:
    plan(web)
    web.fire("SlowCheckout", service="checkout")
    web.pass_time(timedelta(minutes=10))
    assert opened(web) == []
    ended = web.post(f"{PATH}/MW-1/end", {"by": "ann"}).json()
    assert (ended["state"], ended["to"], ended["ended_by"]) == ("past", "2026-11-23T08:10:00Z", "ann")
    assert opened(web) == ["SlowCheckout"]


def test_ending_a_window_twice_changes_nothing_and_one_that_is_unknown_is_not_found(web: WebDesk) -> None:
    plan(web, name="deploy")
    first = web.post(f"{PATH}/deploy/end", {"by": "ann"}).json()
    web.pass_time(timedelta(minutes=1))
    for same in ("MW-1", "mw-1"):
        assert web.post(f"{PATH}/{same}/end", {"by": "bob"}).json() == first
    for unknown in ("MW-2", "other", "MW-" + "9" * 30, "a b"):
        assert web.post(f"{PATH}/{unknown}/end", {}).status_code == 404


def test_a_planned_window_that_is_ended_never_runs(web: WebDesk) -> None:
    plan(web, **FROM_TEN)
    web.post(f"{PATH}/MW-1/end", {})
    web.pass_time(timedelta(minutes=20))
    web.fire("SlowCheckout", service="checkout")
    assert opened(web) == ["SlowCheckout"]


def test_the_same_name_again_replaces_the_window_and_moves_what_it_holds(web: WebDesk) -> None:
    plan(web, name="deploy")
    web.fire("SlowCheckout", service="checkout")
    web.pass_time(timedelta(minutes=10))
    again = plan(web, status=200, name="deploy", reason="Deploy 8", **{"for": "2h"})
    assert (again["id"], again["from"], again["to"]) == ("MW-1", "2026-11-23T08:00:00Z", "2026-11-23T10:10:00Z")
    assert [held.pending_until for held in pending(web)] == [START + timedelta(minutes=130)]
    web.post(f"{PATH}/deploy/end", {})
    assert plan(web, name="deploy")["id"] == "MW-2"


def test_a_slash_at_the_end_of_the_address_is_taken(web: WebDesk) -> None:
    assert web.post(f"{PATH}/", {**WORK, "name": "deploy"}).status_code == 201
    assert web.post(f"{PATH}/deploy/end/", {}).json()["state"] == "past"


def test_a_lost_answer_and_a_second_try_leave_one_window(web: WebDesk) -> None:
    plan(web, name="deploy")
    plan(web, status=200, name="deploy")
    assert len(web.get(PATH).json()["windows"]) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"match": []}, "match"),
        ({"match": ["service"]}, "expected an operator"),
        ({"match": ["{}"]}, "expected a matcher"),
        ({"match": ['a=~"("']}, "RE2 accepts"),
        ({"match": ['a="b"'] * (MOST_MATCHERS + 1)}, "match"),
        ({"match": [f'a="{"x" * 500}"']}, "match"),
        ({"for": None}, "either for"),
        ({"to": at(60)}, "either for"),
        ({"for": None, "to": at(-1)}, "expected an instant after"),
        ({"for": None, "to": "2026-11-23T12:00"}, "with time and offset"),
        ({"for": None, "to": 7}, "with time and offset"),
        ({"for": "0m"}, "more than nothing"),
        ({"for": 60}, "expected a duration"),
        ({"for": "7d1s"}, f"at most {LONGEST.days} days"),
        ({"for": None, "from": at(0), "to": at(10_081)}, f"at most {LONGEST.days} days"),
        ({"reason": " "}, "one line"),
        ({"reason": "a\nb"}, "one line"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": None}, "reason"),
        ({"name": "mw-7"}, "name: expected a name that is no id, got mw-7"),
        ({"all": "true"}, "all: expected true or false, got 'true'"),
        ({"all": 1}, "all: expected true or false, got '1'"),
        ({"name": "a b"}, "name"),
        ({"untill": at(60)}, "untill"),
        ({"all": "maybe"}, "all"),
    ],
)
def test_what_cannot_be_a_window_is_refused_and_says_why(web: WebDesk, changes: dict[str, Any], expected: str) -> None:
    asked = {name: value for name, value in {**WORK, **changes}.items() if value is not None}
    answer = web.post(PATH, asked)
    assert answer.status_code in (400, 422)
    assert expected in answer.json()["error"]
    assert web.get(PATH).json() == {"windows": []}


def test_a_window_needs_a_token_with_the_role_act_where_tokens_are_configured(tmp_path: Path) -> None:
    tokens = ApiTokens({"ci": TokenSource(role=Role.ACT, token="s3cret-of-the-pipeline")})
    web = WebDesk(tmp_path, tokens=tokens)
    assert web.post(PATH, WORK).status_code == 401
    assert web.post(f"{PATH}/MW-1/end", {}).status_code == 401
    known = {"authorization": "Bearer s3cret-of-the-pipeline"}
    assert web.post(PATH, {**WORK, "on_behalf_of": "ann"}, **known).json()["by"] == "ann (via ci)"
    assert web.post(PATH, {**WORK, "by": "ann"}, **known).status_code == 400
    web.close()


def test_no_more_windows_are_taken_than_can_be_asked_of_every_alert(web: WebDesk) -> None:
    with web.store.begin() as transaction:
        for _ in range(MOST_UNFINISHED):
            transaction.keep_plan(_plan(0, 60))
    refused = web.post(PATH, WORK)
    assert (refused.status_code, "at most 500" in refused.json()["error"]) == (409, True)


def test_a_store_that_cannot_be_written_is_said(web: WebDesk) -> None:
    web.instead = Answer(status=503, error="the store cannot be written: full")
    assert web.post(PATH, WORK).status_code == 503
    web.instead = Answer(status=500, error="a bug")
    assert web.post(PATH, WORK).status_code == 500


# ---- of both origins

RULE_WINDOW = """
- {match: ['service="search"'], from: 2026-11-23T08:30+00:00, to: 2026-11-23T09:30+00:00, reason: Reindex, all: true}
"""


def use(web: WebDesk, text: str) -> None:
    """As a reload does."""
    rules = rules_of(rulefiles.read({**RULES, "maintenance.yaml": text}))
    web.intake.use(rules)
    web.intake.process([WindowsChanged()], web.clock.now())


def test_windows_of_rules_and_of_the_api_are_listed_with_what_begins_last_first(web: WebDesk) -> None:
    use(web, RULE_WINDOW)
    plan(web)
    plan(web, **FROM_TWO_HOURS)
    listed = web.get(PATH).json()["windows"]
    assert [(one["origin"], one["state"]) for one in listed] == [
        ("api", "planned"), ("rules", "planned"), ("api", "running"),
    ]  # fmt: skip
    web.pass_time(timedelta(minutes=100))
    assert [one["state"] for one in web.get(PATH).json()["windows"]] == ["planned", "past", "past"]
    assert len(web.get(f"{PATH}?limit=1").json()["windows"]) == 1
    assert web.get(f"{PATH}?limit={MOST_LISTED + 1}").status_code in (400, 422)


def test_a_window_of_the_rules_is_ended_in_the_rules(web: WebDesk) -> None:
    use(web, RULE_WINDOW)
    (window,) = web.intake.rules.rule_set.windows
    ended = web.post(f"{PATH}/{window.id}/end", {})
    assert (ended.status_code, ended.json()["error"]) == (
        409,
        f"{window.id} stands in the rules: end it there, by its `to`",
    )
    assert web.get(PATH).json()["windows"][0]["state"] == "planned"


def test_an_edited_window_moves_what_it_holds_and_a_removed_one_lets_it_go(web: WebDesk) -> None:
    use(web, RULE_WINDOW)
    web.pass_time(timedelta(minutes=30))
    web.fire("SlowSearch", service="search", grave="1")
    assert [held.pending_until for held in pending(web)] == [START + timedelta(minutes=90)]
    use(web, RULE_WINDOW.replace("09:30", "10:30"))
    assert [held.pending_until for held in pending(web)] == [START + timedelta(minutes=150)]
    use(web, RULE_WINDOW.replace("09:30", "10:30").replace(", all: true", ""))
    assert opened(web) == ["SlowSearch"]


def test_the_board_shows_planned_running_and_past_windows_and_what_they_hold(web: WebDesk) -> None:
    use(web, RULE_WINDOW)
    plan(web, by="ci")
    web.fire("SlowCheckout", service="checkout")
    page = web.get("/").text
    for words in ("Deploy 7", "ends in 1 h", "Reindex", "begins in 30 min", "maintenance: Deploy 7, by ci"):
        assert words in page
    web.post(f"{PATH}/MW-1/end", {"by": "<ann>"})
    web.pass_time(timedelta(minutes=5))
    page = web.get("/").text
    assert "ended 5 min ago, by &lt;ann&gt;" in page
    web.pass_time(timedelta(days=3))
    assert "<h2>Maintenance" not in web.get("/").text


# ---- what happens within


def test_a_second_window_that_begins_meanwhile_holds_on_what_the_first_held(web: WebDesk) -> None:
    plan(web)
    web.fire("SlowCheckout", service="checkout")
    web.pass_time(timedelta(minutes=30))
    plan(web, reason="Deploy 8")
    web.pass_time(timedelta(minutes=59))
    assert [held.held_by for held in pending(web)] == ["MW-2"]
    web.pass_time(timedelta(minutes=1))
    assert opened(web) == ["SlowCheckout"]


def test_what_fires_again_within_a_window_pages_nobody_and_follows_what_it_would_have_reopened(web: WebDesk) -> None:
    web.fire("SlowCheckout", service="checkout", grave="2")
    web.resolve("SlowCheckout", service="checkout", grave="2")
    web.pass_time(timedelta(hours=1))
    plan(web)
    web.fire("SlowCheckout", service="checkout", grave="2")
    (held,) = pending(web)
    assert (held.follows, opened(web)) == (1, ["SlowCheckout"])
    web.pass_time(timedelta(hours=1))
    assert web.get(f"/api/v1/incidents/{web.newest()}").json()["id"] == f"INC-{held.id}"


def test_after_a_window_in_which_it_ended_a_firing_reopens_the_former_incident(web: WebDesk) -> None:
    web.fire("SlowCheckout", service="checkout", grave="2")
    web.resolve("SlowCheckout", service="checkout", grave="2")
    web.pass_time(timedelta(hours=1))
    plan(web)
    web.fire("SlowCheckout", service="checkout", grave="2")
    web.resolve("SlowCheckout", service="checkout", grave="2")
    web.pass_time(timedelta(hours=2))
    web.fire("SlowCheckout", service="checkout", grave="2")
    assert [(row["id"], row["state"]) for row in web.get("/api/v1/incidents").json()["incidents"]] == [
        ("INC-1", "open")
    ]


def test_one_alert_that_no_window_covers_any_more_opens_the_incident(web: WebDesk) -> None:
    plan(web, status=201, **{"for": "2h"})
    web.fire("Slow", service="checkout", pod="a")
    plan(web, match=['pod="b"'])
    web.fire("Slow", service="checkout", pod="b")
    web.post("/api/v1/maintenance/MW-1/end", {})
    assert opened(web) == ["Slow"]


def test_an_end_in_the_same_commit_as_the_end_of_a_wait_is_seen() -> None:
    with _quick_world() as world:
        for length, pod in ((10, "a"), (60, "b")):
            world.ask(PlanWindow(plan=_plan(0, length, match=(f'pod="{pod}"',))))
        for pod in ("a", "b"):
            _deliver(world, alert("Slow", labels={"service": "checkout", "severity": "none", "pod": pod}, starts=START))
        assert _incident(world, 1).pending_until == START + timedelta(minutes=10)
        world.clock.move_to(START + timedelta(minutes=10))
        with world.store.read() as reader:
            (deadline,) = reader.due(world.clock.now(), 9)
        labels = {"service": "checkout", "severity": "none", "pod": "a"}
        over = alert("Slow", "resolved", labels=labels, starts=START, ends=world.clock.now())
        world.ask(Delivery(id="d", source="am", body=body([over])), Passed(deadline=deadline))
        found = _incident(world, 1)
    assert (found.state, found.pending_until) == (State.PENDING, START + timedelta(minutes=60))


def test_held_incidents_make_no_storm(tmp_path: Path) -> None:
    stormy = RULES["triage.yaml"].replace("rules:\n", "storm: {opened: 3, within: 5m}\nrules:\n", 1)
    rules = rules_of(rulefiles.read({**RULES, "triage.yaml": stormy}))
    with World(rules, START, readers={"am": alertmanager.read}) as world:
        world.ask(PlanWindow(plan=_plan(0, 60)))
        for number in range(5):
            _deliver(world, alert(f"Slow{number}", labels={"service": "checkout", "severity": "none"}, starts=START))
        assert {_incident(world, number).state for number in range(1, 6)} == {State.PENDING}
        assert world.incident(6) is None


def test_windows_are_kept_over_a_restart(tmp_path: Path) -> None:
    first = WebDesk(tmp_path)
    plan(first)
    first.close()
    again = WebDesk(tmp_path)
    again.fire("SlowCheckout", service="checkout")
    assert (opened(again), len(pending(again))) == ([], 1)
    again.close()


def test_what_failed_to_be_committed_is_no_window(web: WebDesk) -> None:
    class FullError(Exception):
        pass

    with suppress(FullError), web.store.begin() as transaction:
        assert transaction.keep_plan(_plan(0, 60)).number == 1
        raise FullError
    web.fire("SlowCheckout", service="checkout")
    assert opened(web) == ["SlowCheckout"]


# ---- what began before, and what people ask for


def test_an_alert_that_began_before_the_window_is_not_held_back(web: WebDesk) -> None:
    plan(web)
    before = (START - timedelta(minutes=5)).isoformat()
    labels = {"alertname": "SlowCheckout", "service": "checkout"}
    web.post_alert({"status": "firing", "labels": labels, "startsAt": before})
    assert (opened(web), pending(web)) == (["SlowCheckout"], [])


def test_an_alert_that_began_before_and_is_delayed_opens_what_waits_after_its_delay(web: WebDesk) -> None:
    plan(web)
    web.fire("Slow", service="checkout", pod="a")
    before = (START - timedelta(minutes=5)).isoformat()
    labels = {"alertname": "Slow", "service": "checkout", "slow": "yes"}
    web.post_alert({"status": "firing", "labels": labels, "startsAt": before})
    plan(web, match=['service="search"'], name="other")
    web.post(f"{PATH}/other/end", {})
    web.pass_time(timedelta(minutes=14))
    assert opened(web) == []
    web.pass_time(timedelta(minutes=1))
    assert opened(web) == ["Slow"]


def test_an_alert_that_waited_for_its_delay_when_the_window_began_opens_after_it_whatever_joined(web: WebDesk) -> None:
    web.fire("Slow", service="checkout", slow="yes", pod="a")
    web.pass_time(timedelta(minutes=5))
    plan(web)
    web.pass_time(timedelta(minutes=1))
    web.fire("Slow", service="checkout", pod="b")
    web.pass_time(timedelta(minutes=8))
    assert opened(web) == []
    web.pass_time(timedelta(minutes=1))
    assert opened(web) == ["Slow"]


def _reopenable(web: WebDesk) -> None:
    """INC-1 is over; a window runs, and its alert waits within it as INC-2."""
    web.fire("SlowCheckout", service="checkout", grave="2")
    web.resolve("SlowCheckout", service="checkout", grave="2")
    web.pass_time(timedelta(hours=1))
    plan(web)
    web.fire("SlowCheckout", service="checkout", grave="2")
    assert [one.follows for one in pending(web)] == [1]


def test_a_person_who_reopens_an_incident_gets_the_alerts_that_wait_of_the_same_problem(web: WebDesk) -> None:
    _reopenable(web)
    reopened = web.post("/api/v1/incidents/INC-1/reopen", {"by": "ann"})
    assert (reopened.status_code, reopened.json()["state"], reopened.json()["firing"]) == (200, "open", 1)
    assert pending(web) == []
    assert [row["id"] for row in web.get("/api/v1/incidents").json()["incidents"]] == ["INC-1"]
    web.resolve("SlowCheckout", service="checkout", grave="2")
    assert web.get("/api/v1/incidents/INC-1").json()["state"] == "verifying"
    web.pass_time(timedelta(hours=2))
    web.fire("SlowCheckout", service="checkout", grave="2")
    assert [row["id"] for row in web.get("/api/v1/incidents").json()["incidents"]] == ["INC-1"]
    gone = _stored(web, 2)
    assert (gone.state, gone.close_reason, gone.firing) == (State.CLOSED, CloseReason.UNOPENED, 0)


def test_a_person_who_reopens_an_incident_gets_what_a_rule_delays_too(web: WebDesk) -> None:
    web.fire("SlowCheckout", service="checkout")
    web.resolve("SlowCheckout", service="checkout")
    web.pass_time(timedelta(days=2))
    web.fire("SlowCheckout", service="checkout", slow="yes")
    assert [one.follows for one in pending(web)] == [1]
    assert web.post("/api/v1/incidents/INC-1/reopen", {"by": "ann"}).json()["firing"] == 1
    web.pass_time(timedelta(hours=1))
    assert [row["id"] for row in web.get("/api/v1/incidents").json()["incidents"]] == ["INC-1"]


def test_an_act_that_is_refused_leaves_waiting_what_waits(web: WebDesk) -> None:
    _reopenable(web)
    web.pass_time(timedelta(minutes=1))
    web.post("/api/v1/incidents/INC-1/close", {"by": "ann"})
    assert web.post("/api/v1/incidents/INC-2/reopen", {"by": "ann"}).status_code == 404
    assert [one.id for one in pending(web)] == [2]


def test_what_wait_of_the_same_problem_and_ended_leads_to_the_reopened_incident(web: WebDesk) -> None:
    _reopenable(web)
    web.resolve("SlowCheckout", service="checkout", grave="2")
    assert web.post("/api/v1/incidents/INC-1/reopen", {"by": "ann"}).status_code == 200
    web.fire("SlowCheckout", service="checkout", grave="2")
    assert pending(web) == []
    assert web.get("/api/v1/incidents/INC-1").json()["firing"] == 1


def _stored(web: WebDesk, number: int) -> Incident:
    with web.store.read() as reader:
        row = reader.incident(number)
    assert row is not None
    return row.incident


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"match": ['service="search"']}, "maintenance (Deploy 7, by ci) was changed and holds it back no longer"),
        ({"all": False}, "maintenance until 2026-11-23 09:00 UTC (Deploy 7, by ci) does not hold back sev1"),
        ({**FROM_TEN, "for": "50m"}, "maintenance (Deploy 7, by ci) was changed and holds it back no longer"),
    ],
)
def test_what_opens_while_maintenance_runs_on_says_why(web: WebDesk, changes: dict[str, Any], why: str) -> None:
    plan(web, name="deploy", all=True, by="ci")
    web.fire("SlowCheckout", service="checkout", grave="1")
    plan(web, status=200, **{"name": "deploy", "all": True, "by": "ci", **changes})
    shown = web.get(f"/api/v1/incidents/{web.newest()}").json()
    assert f"opened as sev1: {why}" in [entry["text"] for entry in shown["timeline"]]


def test_a_window_that_is_taken_out_of_the_rules_is_not_said_to_be_over(web: WebDesk) -> None:
    use(web, RULE_WINDOW)
    web.pass_time(timedelta(minutes=30))
    web.fire("SlowSearch", service="search")
    use(web, "[]")
    why = "maintenance (Reindex, by maintenance.yaml) was changed and holds it back no longer"
    assert web.get(f"/api/v1/incidents/{web.newest()}").json()["timeline"][-1]["text"] == f"opened as sev3: {why}"


def test_a_window_is_not_made_longer_than_allowed_by_asking_again_under_its_name(web: WebDesk) -> None:
    plan(web, name="deploy", **FOR_SEVEN_DAYS)
    web.pass_time(timedelta(minutes=59))
    assert plan(web, status=200, name="deploy", **FOR_SEVEN_DAYS)["from"] == "2026-11-23T08:00:00Z"
    web.pass_time(timedelta(minutes=2))
    refused = plan(web, status=409, name="deploy", **FOR_SEVEN_DAYS)
    assert refused["error"] == (
        "expected a window of at most 7 days in all: MW-1 began at 2026-11-23T08:00:00+00:00, and would end at "
        "2026-11-30T09:01:00+00:00"
    )
    assert plan(web, status=200, name="deploy", **FOR_AN_HOUR)["to"] == "2026-11-23T10:01:00Z"


@pytest.mark.parametrize("end", [False, True])
def test_what_many_incidents_wait_for_changes_a_slice_at_a_time(web: WebDesk, *, end: bool) -> None:
    plan(web, name="deploy")
    most = 2 * MOST_AT_ONCE + 1
    for number in range(most):
        web.fire(f"Slow{number}", service="checkout")
    first = web.intake.process([EndWindow(name="deploy", by="ann") if end else _longer()], web.clock.now())[0]
    assert (first.status, first.then) == (200, WindowsChanged(after=MOST_AT_ONCE))
    assert _moved(web) == MOST_AT_ONCE
    if end:
        assert web.post(f"{PATH}/deploy/end", {}).status_code == 200
    else:
        plan(web, status=200, name="deploy", **{"for": "2h"})
    assert _moved(web) == most


def _longer() -> PlanWindow:
    return PlanWindow(plan=_plan(0, 120, name="deploy"))


def _moved(web: WebDesk) -> int:
    with web.store.read() as reader:
        waiting = [one for one in reader.pending(9_999) if one.pending_until == START + timedelta(hours=1)]
    return 2 * MOST_AT_ONCE + 1 - len(waiting)


def test_a_store_that_fails_before_all_have_followed_is_said(web: WebDesk) -> None:
    plan(web, name="deploy")
    for number in range(MOST_AT_ONCE + 1):
        web.fire(f"Slow{number}", service="checkout")
    answers = [Answer(value=_plan(0, 60), then=WindowsChanged(after=7)), Answer(status=503, error="full")]
    assert ask_whole(lambda _unit: answers.pop(0), _longer()) == Answer(status=503, error="full")


# ---- the law, against a model

_MINUTE = st.integers(min_value=0, max_value=60)
_WINDOWS = st.lists(
    st.tuples(_MINUTE, st.integers(min_value=1, max_value=40), st.none() | _MINUTE), min_size=0, max_size=5
)


@settings(deadline=None, max_examples=60)
@given(windows=_WINDOWS, fires=_MINUTE, lasts=st.none() | st.integers(min_value=1, max_value=60))
def test_an_alert_opens_when_no_window_covers_it_any_more_and_not_at_all_where_it_ended_before(
    windows: list[tuple[int, int, int | None]], fires: int, lasts: int | None
) -> None:
    """Windows (beginning, length, ended early at) are asked for at the start; the model looks at each minute.

    What ends in the minute in which the last window does, ends after it: what is due acts before what arrives.
    """
    spans = [(begins, _ends(begins, length, early)) for begins, length, early in windows]
    ended = None if lasts is None else fires + lasts
    free = next(m for m in range(fires, 999) if not any(begins <= m < ends for begins, ends in spans))
    expected = None if ended is not None and ended < free else free
    happens: list[tuple[int, int, Any]] = [(fires, 1, _sent(fires))]
    happens += [] if ended is None else [(ended, 1, _sent(fires, ended))]
    happens += [
        (early, 0, EndWindow(name=f"MW-{number}", by="ann"))
        for number, (_, _, early) in enumerate(windows, 1)
        if early is not None
    ]
    with _quick_world() as world:
        for begins, length, _ in windows:
            world.ask(PlanWindow(plan=_plan(begins, begins + length)))
        for minute, _, unit in sorted(happens, key=lambda one: one[:2]):
            world.advance(START + timedelta(minutes=minute))
            assert world.ask(unit)[0].status == 200
        world.advance(START + timedelta(minutes=200))
        found = _incident(world, 1)
    assert found.opened_at == (None if expected is None else START + timedelta(minutes=expected))
    assert found.pending_until is None


def _ends(begins: int, length: int, early: int | None) -> int:
    """When a window is over; one that is ended before it begins never runs."""
    return begins + length if early is None else max(begins, min(begins + length, early)) if early > begins else begins


def _sent(fires: int, ended: int | None = None) -> Delivery:
    started = START + timedelta(minutes=fires)
    ends = None if ended is None else START + timedelta(minutes=ended)
    status = "firing" if ended is None else "resolved"
    one = alert("Slow", status, labels={"service": "checkout", "severity": "none"}, starts=started, ends=ends)
    return Delivery(id="d", source="am", body=body([one]))


_empty: list[Store] = []


def _quick_world() -> World:
    """A world on a store that is emptied, not made."""
    if not _empty:
        _empty.extend([empty_store(), Store("sqlite://")])
    blank, store = _empty
    store.become(blank)
    rules = rules_of(rulefiles.read(RULES))
    return World(rules, START, readers={"am": alertmanager.read}, store=store)


def _plan(begins: float, ends: float, **changes: Any) -> Plan:
    built = Plan(
        name="",
        match=('service="checkout"',),
        begins_at=START + timedelta(minutes=begins),
        ends_at=START + timedelta(minutes=ends),
        reason="Deploy 7",
        by="ci",
    )
    return replace(built, **changes)


def _deliver(world: World, sent: dict[str, Any]) -> None:
    (answer,) = world.ask(Delivery(id="d", source="am", body=body([sent])))
    assert answer.status == 200


def _incident(world: World, number: int) -> Incident:
    found = world.incident(number)
    assert found is not None
    return found
