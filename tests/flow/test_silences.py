"""Silences in the whole daemon, in virtual time, with an Alertmanager that the test holds."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.alertmanager import FakeAlertmanager
from triaged.clock import FakeClock
from triaged.config import AlertmanagerSettings, Settings, SourceSettings
from triaged.core.events import (
    Acknowledged,
    CloseAsked,
    MergeAsked,
    Record,
    ReopenAsked,
    SeverityChosen,
    SilenceAsked,
    SplitAsked,
    Unacknowledged,
)
from triaged.core.model import CloseReason, Incident, Severity, State
from triaged.explaining.incident import explain
from triaged.intake.units import Ask
from triaged.ports.silences import WantedSilence
from triaged.store import silences
from waiting import wait_until
from world import ANN, START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
CLOSE = CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record())


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def fake(clock: FakeClock) -> Iterator[FakeAlertmanager]:
    with FakeAlertmanager(clock) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, fake: FakeAlertmanager) -> Settings:
    entry = AlertmanagerSettings(name="main", urls=(fake.url,))
    return settings_for(tmp_path).model_copy(update={"alertmanagers": (entry,)})


@pytest.fixture
def one(settings: Settings, clock: FakeClock, fake: FakeAlertmanager) -> Iterator[World]:
    """A daemon with INC-1, an open Sev-2 of which one alert fires."""
    fake.fire("Slow", starts=START)
    with world(settings, clock) as running:
        running.settle()
        yield running


def silence(running: World, *, lasting: timedelta = HOUR, reason: str = "known", incident_id: int = 1) -> None:
    answer = running.act(incident_id, SilenceAsked(actor=ANN, lasting=lasting, reason=reason))
    assert answer.status == 200, answer.error


def stored(running: World, incident_id: int = 1) -> list[WantedSilence]:
    """Those that are not over."""
    with running.app.store.read() as reader:
        return silences.of_incident(reader.connection, incident_id)


def first(running: World) -> Incident:
    return running.incidents()[0]


def taken(running: World) -> tuple[State, str | None]:
    return first(running).state, first(running).acknowledged_by


def get(running: World, path: str) -> httpx.Response:
    return ask(running, "GET", path)


def post(running: World, path: str, body: object) -> httpx.Response:
    return ask(running, "POST", path, json=body)


def ask(running: World, method: str, path: str, **more: Any) -> httpx.Response:
    async def answered() -> httpx.Response:
        transport = httpx.ASGITransport(app=running.app.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:9876") as client:
            return await client.request(method, path, **more)

    return asyncio.run(answered())


# ---------------------------------------------------------------- the act


def test_the_act_makes_a_silence_of_the_labels_of_the_key(one: World, fake: FakeAlertmanager) -> None:
    answer = post(one, "/api/v1/incidents/INC-1/silence", {"for": "2h", "reason": "the\ndeploy", "by": "bob"})
    assert answer.status_code == 200, answer.text
    one.settle()
    (made,) = fake.live()
    assert made["matchers"] == {"alertname": "Slow", "cluster": "eu-1", "namespace": "", "service": ""}
    assert made["ends_at"] == START + 2 * HOUR
    assert made["by"] == "bob"
    assert made["comment"].startswith("INC-1: the deploy (by bob) [triaged ")
    text = 'alertname="Slow", cluster="eu-1", namespace="", service="" in Alertmanager main until 2026-11-23 11:00 UTC'
    assert f"bob silences {text}: the\ndeploy" in one.timeline(1)
    (row,) = post(one, "/api/v1/incidents/INC-1/ack", {}).json()["silences"]
    assert (row["by"], row["stage"], row["matchers"]) == ("bob", "made", made["matchers"])


def test_an_hour_is_the_usual_length_and_four_the_longest(one: World, fake: FakeAlertmanager) -> None:
    assert post(one, "/api/v1/incidents/INC-1/silence", {}).status_code == 200
    one.settle()
    assert [made["ends_at"] for made in fake.live()] == [START + HOUR]
    refused = post(one, "/api/v1/incidents/INC-1/silence", {"for": "5h"})
    assert (refused.status_code, refused.json()) == (409, {"error": "expected a silence of at most 4 h, got 5 h"})


def test_hostile_values_are_equality_matchers_as_they_are(one: World, fake: FakeAlertmanager) -> None:
    value = '.*"} or {x=~"\n\\ 🦄 ' + "a" * 1_000
    fake.fire("Slow", starts=START, namespace=value)
    one.advance(2 * MINUTE)
    silence(one, incident_id=2, reason="[triaged 00000000000000000000000000000000] " + "r" * 900)
    one.advance(2 * MINUTE)
    (made,) = fake.live()
    assert made["matchers"]["namespace"] == value
    assert len(made["comment"]) < 500
    assert [(incident.state, incident.acknowledged_by) for incident in one.incidents()] == [
        (State.OPEN, None),
        (State.ACKNOWLEDGED, "ann"),
    ]


def test_without_an_alertmanager_the_act_says_so(tmp_path: Path, clock: FakeClock) -> None:
    with world(settings_for(tmp_path), clock) as running:
        running.deliver(alert("Slow"))
        refused = post(running, "/api/v1/incidents/INC-1/silence", {})
        assert refused.status_code == 409
        assert refused.json()["error"] == (
            "INC-1 cannot be silenced: its alerts come from the source alertmanager, for which the configuration names"
            " no Alertmanager (alertmanagers)"
        )
        assert stored(running) == []


def test_a_close_removes_the_silence(one: World, fake: FakeAlertmanager) -> None:
    silence(one)
    one.settle()
    assert len(fake.live()) == 1
    one.act(1, CLOSE)
    one.settle()
    assert fake.live() == []
    assert stored(one) == []


def test_a_close_before_it_was_made_leaves_nothing_to_make(one: World, fake: FakeAlertmanager) -> None:
    silence(one)
    one.act(1, CLOSE)
    one.settle()
    assert fake.changes == []


def test_a_close_by_the_daemon_removes_it_too(one: World, fake: FakeAlertmanager) -> None:
    one.act(1, SeverityChosen(actor=ANN, severity=Severity.SEV4))
    silence(one, lasting=4 * HOUR)
    one.settle()
    fake.alerts.clear()
    one.advance(2 * HOUR)
    assert first(one).state is State.CLOSED
    assert fake.live() == []


def test_a_newer_silence_is_made_before_the_former_one_goes(one: World, fake: FakeAlertmanager) -> None:
    silence(one)
    one.settle()
    silence(one, lasting=3 * HOUR)
    one.settle()
    assert fake.changes == ["POST /api/v2/silences", "POST /api/v2/silences", "DELETE /api/v2/silence/silence-1"]
    assert [made["ends_at"] for made in fake.live()] == [START + 3 * HOUR]


# ---------------------------------------------------------------- once, whatever happens


def test_a_lost_answer_leaves_one_silence(one: World, fake: FakeAlertmanager) -> None:
    fake.loses = 1
    silence(one)
    one.advance(MINUTE)
    assert fake.changes == ["POST /api/v2/silences"]
    (row,) = stored(one)
    assert (row.stage, row.ref, row.failure) == ("made", "silence-1", "")


def test_a_daemon_that_died_after_the_request_finds_what_it_made(
    settings: Settings, clock: FakeClock, fake: FakeAlertmanager, one: World
) -> None:
    silence(one)
    with one.app.store.begin() as transaction:
        found = silences.front(transaction.connection, clock.now())
        assert found is not None
        claimed = silences.claim(transaction.connection, found, "a" * 32, clock.now())
        assert claimed is not None
    fake._silenced({"alertname": "Slow"}, by="ann", comment=f"[triaged {'a' * 32}]", ends_at=START + HOUR)
    one.app.stop()
    with world(settings, clock) as again:
        again.advance(MINUTE)
        assert [row.ref for row in stored(again)] == ["silence-1"]
        assert fake.changes == []


def test_a_daemon_that_died_before_the_request_sends_it_once_it_is_sure(
    settings: Settings, clock: FakeClock, fake: FakeAlertmanager, one: World
) -> None:
    silence(one)
    with one.app.store.begin() as transaction:
        silences.claim(transaction.connection, 1, "a" * 32, clock.now())
    one.app.stop()
    with world(settings, clock) as again:
        again.advance(timedelta(seconds=14))
        assert fake.changes == []
        again.advance(timedelta(seconds=10))
        assert [made["comment"] for made in fake.live()] == [f"INC-1: known (by ann) [triaged {'a' * 32}]"]


def test_one_that_is_made_after_the_close_by_a_request_of_before_is_removed(
    settings: Settings, clock: FakeClock, fake: FakeAlertmanager, one: World
) -> None:
    """A request whose answer was lost may be done later: as long as it may, it is looked for."""
    silence(one)
    with one.app.store.begin() as transaction:
        silences.claim(transaction.connection, 1, "a" * 32, clock.now())
    one.app.stop()
    with world(settings, clock) as again:
        again.act(1, CLOSE)
        again.advance(timedelta(seconds=10))
        assert len(stored(again)) == 1
        fake._silenced({"alertname": "Slow"}, by="ann", comment=f"[triaged {'a' * 32}]", ends_at=START + HOUR)
        again.advance(MINUTE)
        assert (fake.live(), stored(again)) == ([], [])


def test_what_another_daemon_took_meanwhile_is_asked_for_once(one: World, fake: FakeAlertmanager) -> None:
    (worker,) = [loop.worker for loop in one.app.silences if vars(loop.worker)["_source"] is not None]
    run, others = vars(worker)["_run"], ["b" * 32]

    def late(job: Any) -> Any:
        if others:
            with one.app.store.begin() as transaction:
                silences.claim(transaction.connection, 1, others.pop(), one.clock.now())
        return run(job)

    vars(worker)["_run"] = late
    silence(one)
    one.settle()
    assert fake.changes == []
    one.advance(6 * MINUTE)
    assert [made["comment"] for made in fake.live()] == [f"INC-1: known (by ann) [triaged {'b' * 32}]"]
    assert fake.changes == ["POST /api/v2/silences"]


def test_what_cannot_be_made_is_tried_again_and_told_once(one: World, fake: FakeAlertmanager) -> None:
    fake.down = True
    silence(one)
    one.advance(5 * MINUTE)
    told = [text for text in one.timeline(1) if "is not made" in text]
    assert told == [
        "its silence is not made in Alertmanager main, it is tried again:"
        " (127.0.0.1): /api/v2/silences: expected 200, got 503".replace("127.0.0.1", fake.url.removeprefix("http://"))
    ]
    fake.down = False
    one.advance(2 * MINUTE)
    assert len(fake.live()) == 1


def test_what_is_refused_is_told_and_given_up(one: World, fake: FakeAlertmanager) -> None:
    fake.refuses = 400
    silence(one)
    one.advance(10 * MINUTE)
    assert fake.changes == ["POST /api/v2/silences"]
    told = [text for text in one.timeline(1) if "is not made" in text]
    assert told == ['its silence is not made in Alertmanager main: /api/v2/silences: expected 200, got 400: "told so"']
    assert stored(one) == []


def test_a_silence_that_cannot_be_removed_is_removed_later(one: World, fake: FakeAlertmanager) -> None:
    silence(one)
    one.settle()
    fake.refuses = 403
    one.act(1, CLOSE)
    one.advance(3 * MINUTE)
    assert any("is not removed from Alertmanager main, it is tried again" in text for text in one.timeline(1))
    fake.refuses = 0
    one.advance(2 * MINUTE)
    assert fake.live() == []


def test_a_close_while_the_answer_is_awaited_removes_what_was_made(one: World, fake: FakeAlertmanager) -> None:
    fake.loses = 1
    silence(one)
    one.settle()
    one.act(1, CLOSE)
    one.advance(MINUTE)
    assert fake.live() == []
    assert stored(one) == []


def test_nothing_is_tried_after_its_end(one: World, fake: FakeAlertmanager) -> None:
    fake.down = True
    silence(one, lasting=10 * MINUTE)
    one.advance(30 * MINUTE)
    fake.down, asked = False, len(fake.changes)
    one.advance(30 * MINUTE)
    assert len(fake.changes) == asked
    assert stored(one) == []


def test_a_member_that_is_away_is_passed_over(tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager) -> None:
    entry = AlertmanagerSettings(name="main", urls=("http://127.0.0.1:1", fake.url))
    with world(settings_for(tmp_path).model_copy(update={"alertmanagers": (entry,)}), clock) as running:
        fake.fire("Slow", starts=START)
        running.settle()
        silence(running)
        running.settle()
        assert len(fake.live()) == 1
        running.act(1, CLOSE)
        running.settle()
        assert fake.live() == []


def test_a_member_that_could_not_be_asked_at_the_close_is_asked_until_it_can_be(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    """The members cannot hear each other: the silence is known to the first one only, and that is away."""
    with FakeAlertmanager(clock) as other:
        entry = AlertmanagerSettings(name="main", urls=(fake.url, other.url))
        with world(settings_for(tmp_path).model_copy(update={"alertmanagers": (entry,)}), clock) as running:
            fake.fire("Slow", starts=START)
            running.settle()
            silence(running)
            running.settle()
            fake.down = True
            running.act(1, CLOSE)
            running.advance(3 * MINUTE)
            (row,) = stored(running)
            assert (row.stage, len(fake.live())) == ("lifting", 1)
            told = [text for text in running.timeline(1) if "is not removed" in text]
            address = fake.url.removeprefix("http://")
            assert told == [
                "its silence is not removed from Alertmanager main, it is tried again:"
                f" ({address}): /api/v2/silences: expected 200, got 503"
            ]
            fake.down = False
            running.advance(2 * MINUTE)
            assert fake.live() == []
            assert stored(running) == []


def test_one_that_hangs_keeps_no_other_waiting(tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager) -> None:
    with FakeAlertmanager(clock) as slow:
        entries = (
            AlertmanagerSettings(name="main", urls=(fake.url,)),
            AlertmanagerSettings(name="eu", urls=(slow.url,), source="eu"),
        )
        settings = settings_for(tmp_path).model_copy(
            update={"alertmanagers": entries, "sources": {"eu": SourceSettings()}}
        )
        slow.fire("Slow", starts=START, cluster="eu-2")
        with world(settings, clock) as running:
            running.settle()
            fake.fire("Slow", starts=START)
            running.advance(2 * MINUTE)
            (first_one, second) = running.incidents()
            assert (first_one.source, second.source) == ("eu", "alertmanager")
            slow.hangs = threading.Event()
            silence(running, incident_id=1)
            silence(running, incident_id=2)
            steps = [threading.Thread(target=loop.worker.step, args=(clock.now(),)) for loop in running.app.silences]
            for step in steps:
                step.start()
            wait_until(lambda: len(fake.live()) == 1, what="the one that does not hang to be told")
            assert (slow.changes, slow.live()) == (["POST /api/v2/silences"], [])
            slow.hangs.set()
            for step in steps:
                step.join()
            assert len(slow.live()) == 1


def test_of_several_asked_for_at_once_the_last_stands(one: World, fake: FakeAlertmanager) -> None:
    asked = [Ask(incident_id=1, act=SilenceAsked(actor=ANN, lasting=hours * HOUR)) for hours in (3, 1, 2)]
    answers: list[int] = []

    def together(*_: object) -> None:
        """While the writer is busy they all wait, and are its next batch."""
        for unit in asked:
            one.app.writer.submit(unit, lambda answer: answers.append(answer.status))

    one.app.writer.run(together)
    one.app.writer.run(lambda *_: None)
    assert answers == [200, 200, 200]
    one.settle()
    assert [made["ends_at"] for made in fake.live()] == [START + 2 * HOUR]
    assert [row.stage for row in stored(one)] == ["made"]


def test_a_mark_in_a_reason_makes_no_silence_another_ones(one: World, fake: FakeAlertmanager) -> None:
    fake.fire("Down", starts=START)
    one.advance(2 * MINUTE)
    silence(one)
    one.settle()
    (first_made,) = fake.live()
    silence(one, incident_id=2, reason=f"as in {first_made['comment']}")
    one.settle()
    assert fake.live()[1]["comment"].startswith("INC-2: as in INC-1: known (by ann) (by ann) [triaged ")
    one.act(1, CLOSE)
    one.settle()
    assert [made["matchers"]["alertname"] for made in fake.live()] == ["Down"]
    one.act(2, CLOSE)
    one.settle()
    assert fake.live() == []


# ---------------------------------------------------------------- a silence acknowledges


def test_our_silence_acknowledges_by_who_asked_until_it_ends(one: World, fake: FakeAlertmanager) -> None:
    silence(one)
    one.settle()
    fake.live()[0]["by"] = "a proxy's account"
    one.advance(2 * MINUTE)
    assert taken(one) == (State.ACKNOWLEDGED, "ann")
    assert first(one).acknowledged_until == START + HOUR
    assert first(one).response_outcome == "met"
    with one.app.store.read() as reader:
        row = reader.incident(1)
        assert row is not None
        found = explain(reader, row, one.app.intake.rules, one.app.former, one.clock.now())
    assert "the acknowledgement by ann ends with the silence" in [due.derived for due in found.deadlines]
    assert "acknowledged by ann, whose silence covers all that fires, until 2026-11-23 10:00 UTC" in one.timeline(1)
    one.advance(HOUR)
    assert taken(one) == (State.OPEN, None)
    assert one.timeline(1).count("the acknowledgement by ann ended with the silence") == 1


@pytest.mark.parametrize("severity", Severity)
def test_somebodys_silence_acknowledges_by_its_creator_whatever_the_severity(
    one: World, fake: FakeAlertmanager, severity: Severity
) -> None:
    # A person's own would end after two hours at Sev-1, after four or never at the others: there one tells as much.
    lasting = (3 if severity is Severity.SEV1 else 1) * HOUR
    one.act(1, SeverityChosen(actor=ANN, severity=severity))
    fake.silence("Slow", by="eve\n<b>@all</b>" + "x" * 200, comment="planned", lasting=lasting)
    one.advance(2 * MINUTE)
    state, by = taken(one)
    assert (state, (by or "")[:15]) == (State.ACKNOWLEDGED, "eve <b>@all</b>")
    assert len(by or "") == 60
    one.advance(lasting - 10 * MINUTE)
    assert first(one).state is State.ACKNOWLEDGED
    one.advance(10 * MINUTE)
    assert taken(one) == (State.OPEN, None)


def test_an_early_end_of_the_silence_ends_the_acknowledgement(one: World, fake: FakeAlertmanager) -> None:
    ref = fake.silence("Slow", by="eve", comment="", lasting=3 * HOUR)
    one.advance(2 * MINUTE)
    fake.expire(ref)
    one.advance(MINUTE)
    assert taken(one) == (State.OPEN, None)
    one.advance(5 * MINUTE)
    assert taken(one) == (State.OPEN, None)


def test_an_alertmanager_that_restarts_ends_no_acknowledgement(one: World, fake: FakeAlertmanager) -> None:
    fake.silence("Slow", by="eve", comment="", lasting=3 * HOUR)
    one.advance(2 * MINUTE)
    fake.restart()
    one.advance(3 * MINUTE)
    assert taken(one) == (State.ACKNOWLEDGED, "eve")
    fake.fire("Slow", starts=START)
    one.advance(3 * MINUTE)
    assert taken(one) == (State.ACKNOWLEDGED, "eve")
    assert [text for text in one.timeline(1) if text.startswith("no longer")] == []


def test_all_that_fires_has_to_be_silenced(one: World, fake: FakeAlertmanager) -> None:
    second = fake.fire("Slow", starts=START, pod="b")
    one.advance(2 * MINUTE)
    fake._silenced({"alertname": "Slow", "pod": ""}, by="eve", comment="", ends_at=START + 3 * HOUR)
    one.advance(2 * MINUTE)
    assert taken(one) == (State.OPEN, None)
    fake.end(second)
    one.deliver(alert("Slow", "resolved", labels={"pod": "b"}, ends=one.clock.now()))
    one.advance(2 * MINUTE)
    assert taken(one) == (State.ACKNOWLEDGED, "eve")
    fake.fire("Slow", starts=START, pod="c")
    one.advance(3 * MINUTE)
    assert first(one).firing == 2
    assert taken(one) == (State.ACKNOWLEDGED, "eve")


def test_of_several_silences_the_one_that_ends_first_gives_name_and_end(one: World, fake: FakeAlertmanager) -> None:
    fake.fire("Slow", starts=START, pod="b")
    one.advance(2 * MINUTE)
    fake._silenced({"alertname": "Slow", "pod": ""}, by="eve", comment="", ends_at=START + 3 * HOUR)
    fake._silenced({"pod": "b"}, by="bob", comment="", ends_at=START + 2 * HOUR)
    one.advance(2 * MINUTE)
    assert taken(one) == (State.ACKNOWLEDGED, "bob")
    assert first(one).acknowledged_until == START + 2 * HOUR


def test_a_silence_that_is_made_longer_lets_the_acknowledgement_last(one: World, fake: FakeAlertmanager) -> None:
    ref = fake.silence("Slow", by="eve", comment="", lasting=HOUR)
    one.advance(2 * MINUTE)
    fake.silences[ref]["ends_at"] = START + 3 * HOUR
    one.advance(2 * HOUR)
    assert taken(one) == (State.ACKNOWLEDGED, "eve")
    silence(one, lasting=4 * HOUR)
    one.advance(2 * HOUR)
    assert taken(one) == (State.ACKNOWLEDGED, "ann")


def test_a_persons_own_acknowledgement_is_left_as_it_is(one: World, fake: FakeAlertmanager) -> None:
    one.act(1, Acknowledged(actor=ANN, lasting=2 * HOUR))
    ref = fake.silence("Slow", by="eve", comment="", lasting=HOUR)
    one.advance(2 * MINUTE)
    assert (taken(one), first(one).acknowledged_until) == ((State.ACKNOWLEDGED, "ann"), START + 2 * HOUR)
    fake.expire(ref)
    one.advance(HOUR)
    assert (taken(one), first(one).acknowledged_until) == ((State.ACKNOWLEDGED, "ann"), START + 2 * HOUR)


def test_a_person_who_takes_it_from_a_silence_keeps_it_when_that_ends(one: World, fake: FakeAlertmanager) -> None:
    fake.silence("Slow", by="eve", comment="", lasting=HOUR)
    one.advance(2 * MINUTE)
    one.act(1, Acknowledged(actor=ANN, lasting=2 * HOUR))
    one.advance(MINUTE)
    assert taken(one) == (State.ACKNOWLEDGED, "ann")
    one.advance(HOUR)
    assert taken(one) == (State.ACKNOWLEDGED, "ann")
    one.advance(HOUR)
    assert taken(one) == (State.OPEN, None)


def test_judged_graver_the_same_silence_acknowledges_no_more_but_another_does(
    settings: Settings, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    fake.fire("Slow", starts=START, severity="warning")
    fake.silence("Slow", by="eve", comment="", lasting=4 * HOUR)
    with world(settings, clock) as running:
        running.deliver(alert("Slow", labels={"severity": "warning"}))
        running.advance(2 * MINUTE)
        assert taken(running) == (State.ACKNOWLEDGED, "eve")
        fake.fire("Slow", starts=START, pod="x")
        running.deliver(alert("Slow", labels={"pod": "x"}))
        assert taken(running) == (State.OPEN, None)
        running.advance(5 * MINUTE)
        assert taken(running) == (State.OPEN, None)
        fake.silence("Slow", by="bob", comment="", lasting=HOUR)
        running.advance(MINUTE)
        assert taken(running)[0] is State.ACKNOWLEDGED


def test_what_was_voided_stays_so_when_another_silence_came_and_went(
    settings: Settings, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    fake.fire("Slow", starts=START, severity="warning")
    fake.silence("Slow", by="eve", comment="", lasting=4 * HOUR)
    with world(settings, clock) as running:
        running.deliver(alert("Slow", labels={"severity": "warning"}))
        running.advance(2 * MINUTE)
        fake.fire("Slow", starts=START, pod="x")
        running.deliver(alert("Slow", labels={"pod": "x"}))
        running.advance(2 * MINUTE)
        shorter = fake.silence("Slow", by="bob", comment="", lasting=HOUR)
        running.advance(5 * MINUTE)
        assert taken(running) == (State.ACKNOWLEDGED, "bob")
        fake.expire(shorter)
        running.advance(5 * MINUTE)
        assert taken(running) == (State.OPEN, None)


def test_what_a_person_gave_back_is_not_taken_by_the_same_silence(one: World, fake: FakeAlertmanager) -> None:
    fake.silence("Slow", by="eve", comment="", lasting=4 * HOUR)
    one.advance(2 * MINUTE)
    assert one.act(1, Unacknowledged(actor=ANN)).status == 200
    one.advance(5 * MINUTE)
    assert taken(one) == (State.OPEN, None)
    fake.silence("Slow", by="bob", comment="", lasting=HOUR)
    one.advance(2 * MINUTE)
    assert taken(one) == (State.ACKNOWLEDGED, "bob")


def test_the_silence_takes_its_place_again_when_a_persons_acknowledgement_after_it_expires(
    one: World, fake: FakeAlertmanager
) -> None:
    fake.silence("Slow", by="eve", comment="", lasting=4 * HOUR)
    one.advance(2 * MINUTE)
    one.act(1, Acknowledged(actor=ANN, lasting=10 * MINUTE))
    one.advance(MINUTE)
    assert taken(one) == (State.ACKNOWLEDGED, "ann")
    one.advance(12 * MINUTE)
    assert (taken(one), first(one).acknowledged_until) == ((State.ACKNOWLEDGED, "eve"), START + 4 * HOUR)


def test_a_round_that_begins_is_acknowledged_by_the_silence_of_the_former_one(
    one: World, fake: FakeAlertmanager
) -> None:
    fake.silence("Slow", by="eve", comment="", lasting=4 * HOUR)
    one.advance(2 * MINUTE)
    one.act(1, CLOSE)
    assert one.act(1, ReopenAsked(actor=ANN)).status == 200
    one.advance(2 * MINUTE)
    assert taken(one) == (State.ACKNOWLEDGED, "eve")


def test_what_is_split_off_is_acknowledged_by_its_silence_again(one: World, fake: FakeAlertmanager) -> None:
    fake.fire("Down", starts=START)
    fake.silence("Slow", by="eve", comment="", lasting=4 * HOUR)
    one.advance(2 * MINUTE)
    assert taken(one) == (State.ACKNOWLEDGED, "eve")
    assert one.act(1, MergeAsked(actor=ANN, into=2)).status == 200
    one.advance(2 * MINUTE)
    assert one.act(1, SplitAsked(actor=ANN)).status == 200
    one.advance(2 * MINUTE)
    assert taken(one) == (State.ACKNOWLEDGED, "eve")


def test_what_is_folded_has_no_acknowledgement_of_its_own(one: World, fake: FakeAlertmanager) -> None:
    fake.fire("Down", starts=START)
    one.advance(2 * MINUTE)
    assert one.act(1, MergeAsked(actor=ANN, into=2)).status == 200
    fake.silence("Slow", by="eve", comment="", lasting=HOUR)
    one.advance(3 * MINUTE)
    assert taken(one) == (State.OPEN, None)
    refused = one.act(1, SilenceAsked(actor=ANN))
    assert (refused.status, refused.error[:31]) == (409, "INC-1 is folded into INC-2: act")


def test_a_silence_is_shown_without_our_mark(one: World, fake: FakeAlertmanager) -> None:
    silence(one, reason="the deploy")
    one.advance(2 * MINUTE)
    assert "silenced by ann until 2026-11-23 10:00 UTC: INC-1: the deploy (by ann)" in one.timeline(1)


def test_the_act_is_kept_whole_for_backtests(one: World) -> None:
    silence(one, lasting=2 * HOUR, reason="known")
    with one.app.store.read() as reader:
        (row,) = reader.connection.exec_driver_sql('SELECT act, "by", body FROM acts').all()
    assert (row[0], row[1], json.loads(row[2])["reason"]) == ("silence", "ann", "known")


def test_when_a_persons_own_acknowledgement_expires_the_silence_that_covers_all_takes_its_place(
    one: World, fake: FakeAlertmanager
) -> None:
    one.act(1, Acknowledged(actor=ANN, lasting=10 * MINUTE))
    fake.silence("Slow", by="eve", comment="", lasting=HOUR)
    one.advance(12 * MINUTE)
    assert (taken(one), first(one).acknowledged_until) == ((State.ACKNOWLEDGED, "eve"), START + HOUR)


def test_the_page_of_an_incident_shows_how_to_silence_it(one: World) -> None:
    assert "/api/v1/incidents/INC-1/silence" in get(one, "/incidents/INC-1").text


def test_a_member_that_answers_nonsense_is_looked_at_again(one: World, fake: FakeAlertmanager) -> None:
    fake.answers = b"<html>"
    silence(one)
    one.settle()
    fake.answers = None
    one.advance(MINUTE)
    assert [row.ref for row in stored(one)] == ["silence-1"]
    assert len(fake.live()) == 1


def test_a_credential_that_cannot_be_read_is_told(tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    entry = AlertmanagerSettings(name="main", urls=(fake.url,), token_file=token)
    with world(settings_for(tmp_path).model_copy(update={"alertmanagers": (entry,)}), clock) as running:
        fake.fire("Slow", starts=START)
        running.settle()
        token.unlink()
        silence(running)
        running.advance(MINUTE)
        assert any("is not made in Alertmanager main" in text and "token" in text for text in running.timeline(1))
        token.write_text("secret")
        running.advance(MINUTE)
        assert len(fake.live()) == 1


def test_an_alertmanager_that_is_configured_no_more_is_told_until_the_silence_is_over(
    settings: Settings, clock: FakeClock, one: World
) -> None:
    other = AlertmanagerSettings(name="eu", urls=("http://127.0.0.1:1",), source="eu")
    silence(one)
    one.app.stop()
    with world(settings.model_copy(update={"alertmanagers": (other,)}), clock) as again:
        again.advance(2 * HOUR)
        told = [text for text in again.timeline(1) if "is not made" in text]
        assert [text.partition("again: ")[2] for text in told] == ["the configuration names it no more"]
        assert stored(again) == []
