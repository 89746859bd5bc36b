"""On-call as people meet it: the worker that reads calendars, the API, the page, the terminal, and `check`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from commands import Run, config_in
from severities import severities
from triaged import rulefiles
from triaged.app import rules_of
from triaged.clock import SystemClock
from triaged.core.oncall import Reading
from triaged.core.rotation import Shift
from triaged.errors import DeliveryError
from triaged.intake.units import Job
from triaged.store import shifts
from triaged.store.store import Store
from triaged.workers.ical import Asked
from triaged.workers.shifts import EVERY, ShiftsWorker
from web_desk import RULES, START, WebDesk

SERVICES = """
services:
  checkout: {match: ['app="checkout"'], team: payments}
teams:
  platform: {}
  payments: {on_call: {ical_file: FILE, zone: Europe/Berlin}}
  web: {on_call: {rotation: [ann, bob], handover: 'monday 09:00', zone: Europe/Berlin, from: 2026-11-23}}
people:
  ann: {notify: ['mailto://ann@example.com']}
  bob: {github: bob-acme}
"""
WEEK = timedelta(weeks=1)


class Calendar:
    """A calendar elsewhere: its shifts, or the failure of asking for them."""

    def __init__(self) -> None:
        self.shifts: tuple[Shift, ...] = ()
        self.failure = ""
        self.asked: list[Asked] = []

    def ask(self, asked: Asked) -> tuple[Shift, ...]:
        self.asked.append(asked)
        if self.failure:
            raise DeliveryError(self.failure, reason="status")
        return self.shifts


class Place:
    """A desk whose team payments has a calendar, and the worker that reads it."""

    def __init__(self, folder: Path) -> None:
        self.secret = folder / "calendar-url"
        self.secret.write_text("https://calendar.example.com/private-1/basic.ics\n")
        self.desk = WebDesk(folder)
        self.use(SERVICES)
        self.calendar = Calendar()
        self.worker = ShiftsWorker(
            lambda: self.desk.intake.rules.rule_set,
            read=self.desk.store.read,
            run=self._run,
            ask=self.calendar.ask,
        )

    def use(self, services: str) -> None:
        text = services.replace("FILE", str(self.secret))
        self.desk.intake.use(rules_of(rulefiles.read({**RULES, "services.yaml": text})))

    def work(self) -> None:
        """As the loop does: steps while there is work."""
        while self.worker.step(self.desk.clock.now()):
            pass

    def shown(self, team: str, **query: str) -> dict[str, Any]:
        words = "&".join(f"{name}={value}" for name, value in {"team": team, **query}.items())
        answer = self.desk.get(f"/api/v1/on-call?{words}")
        assert answer.status_code == 200, answer.text
        (one,) = answer.json()["teams"]
        found: dict[str, Any] = one
        return found

    def _run(self, job: Callable[[Any, datetime], Any]) -> Any:
        (answer,) = self.desk.intake.process([Job(run=job)], self.desk.clock.now())
        assert answer.status == 200, answer.error
        return answer.value


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    one = Place(tmp_path)
    yield one
    one.desk.close()


def shift(who: str, begins: timedelta, span: timedelta = WEEK) -> Shift:
    return Shift(who=(who,), begins_at=START + begins, ends_at=START + begins + span)


# ---------------------------------------------------------------- the worker


def test_a_calendar_is_read_at_the_start_and_then_every_quarter_of_an_hour(place: Place) -> None:
    place.calendar.shifts = (shift("ann@example.com", -WEEK / 2), shift("bob-acme", WEEK / 2))
    place.work()
    assert place.shown("payments")["order"] == ["ann", "bob"]
    assert [one.url for one in place.calendar.asked] == ["https://calendar.example.com/private-1/basic.ics"]
    assert place.worker.next_at(START) == START + EVERY

    place.desk.clock.move_to(START + EVERY - timedelta(seconds=1))
    place.work()
    assert len(place.calendar.asked) == 1
    place.desk.clock.move_to(START + EVERY)
    place.calendar.shifts = (shift("bob", -WEEK),)
    place.work()
    assert len(place.calendar.asked) == 2
    place.desk.clock.move_to(START - timedelta(days=7) + WEEK)
    assert place.shown("payments", at="2026-11-22T12:00Z")["order"] == ["bob"]


def test_a_calendar_that_fails_leaves_what_was_read_and_is_tried_again(place: Place) -> None:
    place.calendar.shifts = (shift("ann", -WEEK, 8 * WEEK),)
    place.work()
    place.calendar.failure = "expected 200, got 503"
    place.desk.clock.move_to(START + EVERY)
    with capture_logs() as logs:
        place.work()
    assert [(log["event"], log["why"]) for log in logs] == [("calendar not read", "expected 200, got 503")]
    calendar = place.shown("payments")["calendar"]
    assert calendar == {
        "read_at": "2026-11-23T08:00:00Z",
        "stale": False,
        "failure": "expected 200, got 503",
        "strangers": [],
    }
    assert place.shown("payments")["order"] == ["ann"]


def test_a_calendar_that_goes_on_failing_is_told_once_and_again_when_it_is_read(place: Place) -> None:
    place.calendar.failure = "expected 200, got 503"
    told = []
    for turn in range(4):
        place.desk.clock.move_to(START + turn * EVERY)
        if turn == 3:
            place.calendar.failure = ""
        with capture_logs() as logs:
            place.work()
        told.append([log["event"] for log in logs])
    assert told == [["calendar not read"], [], [], ["calendar read again"]]


def test_the_url_is_read_from_its_file_each_time_and_is_in_no_message(place: Place) -> None:
    place.secret.write_text("gopher://private-1\n")
    with capture_logs() as logs:
        place.work()
    place.secret.unlink()
    place.desk.clock.move_to(START + EVERY)
    with capture_logs() as more:
        place.work()
    assert place.calendar.asked == []
    assert "private-1" not in str(logs)
    assert [log["why"] for log in (*logs, *more)] == [
        f"{place.secret}: expected one URL like https://…, got something else",
        f"{place.secret}: expected a file with a URL: No such file or directory",
    ]


def test_another_calendar_in_the_rules_is_read_at_once(place: Place) -> None:
    place.work()
    place.use(SERVICES.replace("ical_file: FILE", "ical: 'https://calendar.example.com/other.ics'"))
    place.work()
    assert [one.url for one in place.calendar.asked][1:] == ["https://calendar.example.com/other.ics"]


def test_what_was_read_for_a_team_without_calendar_is_forgotten(place: Place) -> None:
    place.calendar.shifts = (shift("ann", -WEEK),)
    place.work()
    place.use(SERVICES.replace("{ical_file: FILE, zone: Europe/Berlin}", "{rotation: [bob]}"))
    place.work()
    assert place.worker.next_at(START) is None
    assert place.shown("payments")["order"] == ["bob"]
    with place.desk.store.read() as reader:
        assert shifts.readings(reader.connection) == {}


def test_strangers_are_told_once_and_again_when_they_are_others(place: Place) -> None:
    place.calendar.shifts = (shift("Zoe", -WEEK),)
    told = []
    for turn in range(3):
        place.desk.clock.move_to(START + turn * EVERY)
        if turn == 2:
            place.calendar.shifts = (shift("Zoe", -WEEK), shift("Yann", WEEK))
        with capture_logs() as logs:
            place.work()
        told.append([log["names"] for log in logs if log["event"] == "calendar names strangers"])
    assert told == [["Zoe"], [], ["Zoe, Yann"]]


# ---------------------------------------------------------------- API and pages


def test_the_api_tells_who_is_on_call_and_the_next_two_handovers(place: Place) -> None:
    assert place.shown("web") == {
        "team": "web",
        "origin": "rotation",
        "now": [
            {"person": "ann", "said": "ann", "from": "2026-11-23T08:00:00Z", "to": "2026-11-30T08:00:00Z"},
        ],
        "next": [
            {"person": "bob", "said": "bob", "from": "2026-11-30T08:00:00Z", "to": "2026-12-07T08:00:00Z"},
            {"person": "ann", "said": "ann", "from": "2026-12-07T08:00:00Z", "to": "2026-12-14T08:00:00Z"},
        ],
        "order": ["ann", "bob"],
        "calendar": None,
    }
    assert place.shown("web", at="2026-12-01T00:00Z")["order"] == ["bob", "ann"]
    assert place.shown("platform")["origin"] == "none"
    teams = place.desk.get("/api/v1/on-call").json()["teams"]
    assert [one["team"] for one in teams] == ["platform", "payments", "web"]


def test_a_calendar_that_was_never_read_is_stale_and_nobody_is_on_call(place: Place) -> None:
    one = place.shown("payments")
    assert (one["origin"], one["now"], one["order"]) == ("calendar", [], [])
    assert one["calendar"] == {"read_at": None, "stale": True, "failure": "", "strangers": []}


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("team=paymnets", 404, "there is no team 'paymnets': did you mean payments?"),
        ("at=now", 400, "expected a date with time and offset like"),
        ("at=2026-11-23T09:00", 400, "expected a date with time and offset like"),
        ("when=now", 400, "when"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(place: Place, query: str, status: int, words: str) -> None:
    answer = place.desk.get(f"/api/v1/on-call?{query}")
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_an_incident_says_who_is_on_call_for_its_team(place: Place) -> None:
    place.calendar.shifts = (shift("ann", -WEEK, 8 * WEEK), shift("bob", WEEK))
    place.work()
    place.desk.fire("HighErrorRate", app="checkout", grave="1")
    name = place.desk.newest()
    assert place.desk.get(f"/api/v1/incidents/{name}").json()["on_call"] == ["ann", "bob"]
    assert "on call: ann, then bob" in place.desk.get(f"/incidents/{name}").text


def test_the_board_says_who_is_on_call_and_how_old_that_is(place: Place) -> None:
    assert "nobody is on call; the calendar was never read" in place.desk.get("/").text
    place.calendar.shifts = (shift("ann", -WEEK, 2 * WEEK), shift("Zoe", WEEK))
    place.work()
    page = place.desk.get("/").text
    assert "<b>payments</b> <span>ann, from 2026-11-30 08:00 UTC Zoe (unknown)</span>" in page
    assert "<b>web</b> <span>ann, from 2026-11-30 08:00 UTC bob</span>" in page
    assert "<b>platform</b>" not in page

    place.calendar.failure = "expected 200, got 503"
    place.desk.clock.move_to(START + timedelta(days=2))
    place.work()
    assert "ann, from 2026-11-30 08:00 UTC Zoe (unknown); the calendar was not read for 2 d: expected 200, got 503" in (
        place.desk.get("/").text
    )


# ---------------------------------------------------------------- the terminal


@pytest.fixture
def run(triaged: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return triaged


def test_the_terminal_shows_a_line_for_each_team(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    place.calendar.shifts = (shift("Zoe", -WEEK, 2 * WEEK),)
    place.work()

    def request(method: str, url: str, **more: Any) -> Any:
        return place.desk.send(method, url, params=more["params"])

    monkeypatch.setattr(httpx, "request", request)
    said = run("on-call")
    assert said.status == 0, said.err
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[0] == ["team", "on", "call", "until", "next", "then"]
    assert ["platform", "–"] in lines
    assert ["web", "ann", "11-30", "08:00", "bob", "11-30", "08:00", "ann", "12-07", "08:00"] in lines
    assert "payments: unknown in services.yaml: Zoe" in said.out

    place.calendar.failure = "expected 200, got 503"
    place.desk.clock.move_to(START + timedelta(days=2))
    place.work()
    said = run("on-call", "--team", "payments")
    assert (
        "payments: calendar last read at 11-23 08:00; expected 200, got 503; unknown in services.yaml: Zoe" in said.out
    )

    one = run("on-call", "--team", "web", "--at", "2026-12-01T09:00+01:00")
    assert [line.split()[:2] for line in one.out.splitlines()[1:]] == [["web", "bob"]]
    assert run("on-call", "--team", "wbe").err == "there is no team 'wbe': did you mean web?\n"


# ---------------------------------------------------------------- check


ESCALATING = severities(more="  escalation: [{after: 0m, notify: [on_call]}]\n")


def checked(
    run: Run,
    folder: Path,
    found: tuple[Shift, ...] | None,
    *more: str,
    services: str = SERVICES,
    age: timedelta = timedelta(),
) -> str:
    """What `check` says of a folder whose store holds this reading."""
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    text = services.replace("FILE", str(folder / "nowhere"))
    for name, content in {**RULES, "services.yaml": text, "severities.yaml": ESCALATING}.items():
        (rules / name).write_text(content)
    config = config_in(folder, rules="rules", store=f"sqlite:///{folder}/triaged.db")
    now = SystemClock().now()
    store = Store(f"sqlite:///{folder}/triaged.db")
    store.migrate()
    with store.begin() as transaction:
        if found is not None:
            one = Reading(team="payments", source="", tried_at=now, read_at=now - age, until=now + 8 * WEEK)
            shifts.keep(transaction.connection, one, found)
    store.close()
    said = run("check", "--config", config, *more)
    assert said.err == ""
    return said.out


def test_a_gap_in_the_coming_weeks_is_an_error_at_the_line_of_the_on_call(run: Run, tmp_path: Path) -> None:
    now = SystemClock().now().astimezone(UTC)
    gap = now + WEEK
    found = (
        Shift(who=("ann",), begins_at=now - WEEK, ends_at=gap),
        Shift(who=("bob",), begins_at=gap + timedelta(hours=2), ends_at=now + 8 * WEEK),
    )
    said = checked(run, tmp_path, found)
    assert "services.yaml:6:23: error: teams.payments.on_call: " in said
    assert f"got nobody from {gap:%Y-%m-%d %H:%M} UTC to {gap + timedelta(hours=2):%Y-%m-%d %H:%M} UTC" in said


def test_a_calendar_that_covers_all_of_them_is_no_finding(run: Run, tmp_path: Path) -> None:
    now = SystemClock().now()
    said = checked(run, tmp_path, (Shift(who=("ann",), begins_at=now - WEEK, ends_at=now + 5 * WEEK),))
    assert "payments.on_call" not in said


def test_a_stranger_in_a_calendar_is_a_warning_and_does_not_cover(run: Run, tmp_path: Path) -> None:
    now = SystemClock().now()
    said = checked(run, tmp_path, (Shift(who=("Zoe",), begins_at=now - WEEK, ends_at=now + 8 * WEEK),))
    assert (
        "warning: teams.payments.on_call: the calendar of payments names Zoe, whom services.yaml does not know" in said
    )
    assert "error: teams.payments.on_call: expected somebody on call all the time of the next 4 weeks" in said


def test_nothing_is_said_of_a_calendar_that_was_not_read_yet_unless_it_is_asked(run: Run, tmp_path: Path) -> None:
    assert "payments.on_call" not in checked(run, tmp_path, None)
    said = checked(run, tmp_path, None, "--live")
    assert "error: teams.payments.on_call: expected a calendar that can be read: " in said
    assert "nowhere: expected a file with a URL: No such file or directory" in said


def test_a_calendar_that_was_not_read_for_a_day_is_a_warning(run: Run, tmp_path: Path) -> None:
    now = SystemClock().now()
    found = (Shift(who=("ann",), begins_at=now - WEEK, ends_at=now + 8 * WEEK),)
    said = checked(run, tmp_path, found, age=timedelta(hours=25))
    assert f"the calendar of payments was last read at {now - timedelta(hours=25):%Y-%m-%d}" in said


def test_a_team_that_answers_for_services_without_on_call_is_a_warning(run: Run, tmp_path: Path) -> None:
    bare = SERVICES.replace("{on_call: {ical_file: FILE, zone: Europe/Berlin}}", "{}")
    said = checked(run, tmp_path, None, services=bare)
    assert "warning: teams.payments: team payments answers for checkout, and nobody of it is on call" in said
    assert "platform" not in said
