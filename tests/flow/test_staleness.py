"""Staleness through the whole daemon in virtual time: what repeats, falls silent and is heard again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from sqlalchemy import select

from fakes.alertmanager import FakeAlertmanager
from fakes.github import FakeGitHub
from triaged.clock import FakeClock
from triaged.config import AlertmanagerSettings
from triaged.core.events import Acknowledged, CloseAsked, Record
from triaged.core.model import CloseReason, State
from triaged.core.staleness import Unheard
from triaged.errors import StoreError
from triaged.intake.hearing import Hearings
from triaged.intake.units import Answer, Stale
from triaged.ports.store import IncidentRow
from triaged.sources import alertmanager
from triaged.store import schema as s
from triaged.workers.staleness import StalenessWorker
from world import ANN, START, World, alert, body, settings_for, world

REPEAT = timedelta(minutes=20)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def daemon(tmp_path: Path, clock: FakeClock) -> Iterator[World]:
    with world(settings_for(tmp_path), clock) as one:
        one.settle()
        yield one


def post(one: World, *alerts: Mapping[str, Any], source: str = "alertmanager") -> bool:
    """Deliver as the door does; whether it answered alone."""
    digests = alertmanager.digests(source, body(alerts)) or []
    alone = all(one.app.known.status(digest) for digest in digests)
    if alone:
        one.app.hearings.answered(digests)
    else:
        assert one.deliver(*alerts).status == 200
    one.settle()
    return alone


def repeat(one: World, *alerts: Mapping[str, Any], times: int = 3) -> None:
    """Each time after the interval."""
    for _ in range(times):
        one.advance(REPEAT)
        assert post(one, *alerts), "expected a repeat"


def rows(one: World) -> dict[str, tuple[datetime, str]]:
    """When which incident was heard of last, by title, where that was too long ago."""
    return {row.incident.title: (row.unheard.since_at, row.unheard.words) for row in one.rows() if row.unheard}


def told(one: World, incident_id: int = 1) -> list[str]:
    return [text for text in one.timeline(incident_id) if "heard of" in text]


def only(one: World) -> IncidentRow:
    (row,) = one.rows()
    return row


def test_what_repeats_is_never_told_of_and_what_stops_is_told_once(daemon: World, clock: FakeClock) -> None:
    post(daemon, alert())
    repeat(daemon, alert(), times=6)
    last = clock.now()
    daemon.advance(3 * REPEAT - timedelta(minutes=5))
    assert rows(daemon) == {}
    daemon.advance(timedelta(minutes=10))
    before = only(daemon).incident
    assert rows(daemon)[before.title][0] - last <= timedelta(minutes=1)
    assert before.state is State.OPEN
    daemon.advance(6 * REPEAT)
    assert len(told(daemon)) == 1
    assert "more than three times its usual 20 min" in told(daemon)[0]
    assert only(daemon).incident.state is State.OPEN, "it is not closed"


def test_heard_again_the_flag_goes_and_the_next_silence_is_told_anew(daemon: World) -> None:
    post(daemon, alert())
    repeat(daemon, alert())
    daemon.advance(4 * REPEAT)
    assert rows(daemon)
    assert post(daemon, alert())
    daemon.advance(timedelta(minutes=2))
    assert rows(daemon) == {}
    repeat(daemon, alert())
    daemon.advance(4 * REPEAT)
    assert [text[:15] for text in told(daemon)] == ["not heard of si", "heard of again;", "not heard of si"]


def test_no_clock_of_it_moves_and_an_acknowledgement_stays(daemon: World) -> None:
    post(daemon, alert(labels={"severity": "warning"}))
    repeat(daemon, alert(labels={"severity": "warning"}), times=2)
    daemon.act(1, Acknowledged(actor=ANN, lasting=timedelta(days=5)))
    before = only(daemon).incident
    daemon.advance(3 * REPEAT + timedelta(minutes=2))
    assert rows(daemon)
    assert only(daemon).incident == before


@pytest.mark.parametrize("through", ["the door", "the writer"])
def test_repeats_count_whoever_answers_them(daemon: World, through: str) -> None:
    post(daemon, alert())
    for number in range(3):
        daemon.advance(REPEAT)
        if through == "the writer":
            # Another text of the same state, as the other member of a pair would send it.
            daemon.deliver(alert(generatorURL=f"http://prometheus-{number}/"))
            daemon.settle()
        else:
            assert post(daemon, alert())
    daemon.advance(3 * REPEAT - timedelta(minutes=5))
    assert rows(daemon) == {}
    daemon.advance(timedelta(minutes=10))
    assert rows(daemon)


def test_annotations_that_change_with_each_repeat_do_not_hinder_learning(daemon: World) -> None:
    for number in range(3):
        post(daemon, alert(annotations={"summary": f"{number} % fail."}))
        daemon.advance(REPEAT)
    daemon.advance(2 * REPEAT + timedelta(minutes=5))
    assert rows(daemon)


def test_a_group_that_changes_often_teaches_nothing_but_is_heard(daemon: World) -> None:
    """With each change Alertmanager sends all of the group, minutes after it sent last."""
    post(daemon, alert())
    repeat(daemon, alert(), times=2)
    for number in range(20):
        daemon.advance(timedelta(minutes=5))
        assert not post(daemon, alert(), alert("Disk", labels={"pod": f"p{number}"}))
    daemon.advance(2 * REPEAT)
    assert "HighErrorRate · eu-1" not in rows(daemon)
    daemon.advance(REPEAT + timedelta(minutes=5))
    assert any(title.startswith("HighErrorRate") for title in rows(daemon))


def test_copies_of_a_pair_teach_nothing(daemon: World) -> None:
    post(daemon, alert())
    for _ in range(5):
        daemon.advance(REPEAT)
        for _ in range(3):
            assert post(daemon, alert())
            daemon.advance(timedelta(seconds=30))
    daemon.advance(2 * REPEAT)
    assert rows(daemon) == {}


def test_an_alert_that_never_repeated_is_expected_as_others_of_its_source(daemon: World) -> None:
    post(daemon, alert())
    repeat(daemon, alert(), times=2)
    post(daemon, alert("Lost"))
    repeat(daemon, alert(), times=2)
    daemon.advance(REPEAT + timedelta(minutes=5))
    assert [title.partition(" ")[0] for title in rows(daemon)] == ["Lost"]


def test_nothing_is_told_where_nothing_ever_repeated(daemon: World) -> None:
    post(daemon, alert())
    repeat(daemon, alert(), times=1)
    daemon.advance(8 * REPEAT)
    assert rows(daemon) == {}
    assert told(daemon) == []


def test_one_alert_that_is_heard_of_is_enough(daemon: World) -> None:
    pods = [alert(labels={"pod": name}) for name in "ab"]
    post(daemon, *pods)
    repeat(daemon, *pods, times=2)
    for _ in range(5):
        repeat(daemon, pods[0], times=1)
    assert only(daemon).incident.firing == 2
    assert rows(daemon) == {}
    daemon.advance(4 * REPEAT)
    assert len(rows(daemon)) == 1


def test_what_is_quiet_or_closed_is_not_told_of(daemon: World) -> None:
    alerts = [alert("Resolved"), alert("ClosedFiring")]
    for one in alerts:
        post(daemon, one)
    repeat(daemon, *alerts, times=2)
    post(daemon, alert("Resolved", "resolved", ends=START + 2 * REPEAT))
    daemon.act(2, CloseAsked(actor=ANN, reason=CloseReason.NOT_PLANNED, record=Record()))
    daemon.advance(4 * REPEAT)
    assert [told(daemon, number) for number in (1, 2)] == [[], []]


def test_closing_takes_the_flag_along_without_a_word(daemon: World) -> None:
    post(daemon, alert())
    repeat(daemon, alert(), times=2)
    daemon.advance(4 * REPEAT)
    assert rows(daemon)
    daemon.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
    assert rows(daemon) == {}
    daemon.advance(4 * REPEAT)
    assert len(told(daemon)) == 1
    with daemon.app.store.read() as reader:
        assert reader.connection.execute(select(s.unheard.c.incident_id)).all() == []


@contextmanager
def restarted(folder: Path, clock: FakeClock) -> Iterator[World]:
    with world(settings_for(folder), clock) as one:
        one.settle()
        yield one


def test_what_was_learned_and_told_outlives_a_restart_and_everyone_gets_a_whole_span(
    tmp_path: Path, clock: FakeClock
) -> None:
    with restarted(tmp_path, clock) as one:
        post(one, alert(), alert("Disk"))
        repeat(one, alert(), alert("Disk"), times=2)
        repeat(one, alert("Disk"), times=2)
        one.advance(REPEAT + timedelta(minutes=5))
        assert [title.partition(" ")[0] for title in rows(one)] == ["HighErrorRate"]
    clock.advance(timedelta(days=5))
    with restarted(tmp_path, clock) as one:
        assert len(rows(one)) == 1, "nothing was heard of it since"
        one.advance(3 * REPEAT - timedelta(minutes=1))
        assert len(rows(one)) == 1
        one.advance(timedelta(minutes=2))
        assert len(rows(one)) == 2
        assert (len(told(one, 1)), len(told(one, 2))) == (1, 1)


def test_a_gap_over_our_own_downtime_is_not_learned(tmp_path: Path, clock: FakeClock) -> None:
    with restarted(tmp_path, clock) as one:
        post(one, alert())
        repeat(one, alert(), times=2)
    clock.advance(timedelta(days=1))
    with restarted(tmp_path, clock) as one:
        assert post(one, alert()), "it is known again"
        repeat(one, alert(), times=2)
        one.advance(3 * REPEAT + timedelta(minutes=5))
        assert "usual 20 min" in next(iter(rows(one).values()))[1]


def test_what_was_heard_just_before_the_end_is_written_down(tmp_path: Path, clock: FakeClock) -> None:
    with restarted(tmp_path, clock) as one:
        post(one, alert())
        one.advance(REPEAT)
        one.app.hearings.answered(alertmanager.digests("alertmanager", body([alert()])) or [])
    with restarted(tmp_path, clock) as one, one.app.store.read() as reader:
        found = reader.connection.execute(select(s.hearings.c.gaps)).scalars().all()
        assert found == [f"[{int(REPEAT.total_seconds())}]"]


def test_where_an_alertmanager_is_asked_nothing_is_guessed(tmp_path: Path, clock: FakeClock) -> None:
    with FakeAlertmanager(clock) as fake:
        asked = AlertmanagerSettings(name="main", urls=(fake.url,), receiver="triaged")
        with world(settings_for(tmp_path).model_copy(update={"alertmanagers": [asked]}), clock) as one:
            one.app.loops = tuple(loop for loop in one.app.loops if loop is not one.app.reconcile)
            one.settle()
            post(one, alert())
            assert not one.app.hearings, "nothing is to be written down"
            repeat(one, alert(), times=3)
            one.advance(4 * REPEAT)
            assert rows(one) == {}
            with one.app.store.read() as reader:
                assert reader.connection.execute(select(s.hearings)).all() == []


def test_the_mark_goes_when_an_alertmanager_is_asked_from_now_on(tmp_path: Path, clock: FakeClock) -> None:
    with world(settings_for(tmp_path), clock) as one:
        post(one, alert())
        repeat(one, alert())
        one.advance(4 * REPEAT)
        assert rows(one)
    with FakeAlertmanager(clock) as fake:
        asked = AlertmanagerSettings(name="main", urls=(fake.url,), receiver="triaged")
        with world(settings_for(tmp_path).model_copy(update={"alertmanagers": [asked]}), clock) as again:
            again.app.loops = tuple(loop for loop in again.app.loops if loop is not again.app.reconcile)
            again.settle()
            assert rows(again) == {}
            again.advance(4 * REPEAT)
            assert told(again)[1:] == [
                "whether it was heard of counts no more: its Alertmanager is asked; it was not since"
                " 2026-11-23 10:00 UTC"
            ]


def test_a_silence_is_shown_and_told_on_github_and_closes_nothing(tmp_path: Path, clock: FakeClock) -> None:
    with FakeGitHub(now=clock.now) as fake, world(settings_for(tmp_path, fake), clock) as one:
        post(one, alert())
        repeat(one, alert(), times=2)
        one.advance(3 * REPEAT + timedelta(minutes=5))
        issue = fake.issue(1)
        assert "**Not heard of since 2026-11-23 09:40 UTC, more than three times its usual 20 min.**" in (
            issue.body or ""
        )
        assert not [one for one in fake.comments(1) if "eard of" in one.body], "that notifies nobody"
        post(one, alert())
        one.advance(timedelta(minutes=5))
        assert "**Not heard of" not in (fake.issue(1).body or "")


def test_the_api_and_the_pages_show_it(daemon: World) -> None:
    post(daemon, alert())
    repeat(daemon, alert(), times=2)
    daemon.advance(3 * REPEAT + timedelta(minutes=5))
    transport = httpx.ASGITransport(app=daemon.app.application)

    async def get(path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:9876") as client:
            return await client.get(path)

    (listed,) = asyncio.run(get("/api/v1/incidents")).json()["incidents"]
    assert listed["unheard"] == {"since_at": "2026-11-23T09:40:00Z", "every_seconds": 1_200}
    assert asyncio.run(get("/api/v1/incidents/INC-1")).json()["unheard"] == listed["unheard"]
    assert "not heard of</span>" in asyncio.run(get("/")).text
    assert "Not heard of since 2026-11-23 09:40 UTC, more" in asyncio.run(get("/incidents/INC-1")).text


def test_what_changed_since_it_was_looked_at_is_left_alone(daemon: World, clock: FakeClock) -> None:
    post(daemon, alert())
    silent = Unheard(incident_id=1, since_at=clock.now(), every_seconds=1_200)

    def tell(*began: Unheard, ended: tuple[int, ...] = ()) -> None:
        assert daemon.app.writer.ask(Stale(began=began, ended=ended)).status == 200

    tell(replace(silent, since_at=START - REPEAT), replace(silent, incident_id=99), ended=(1, 98))
    assert told(daemon) == []
    tell(silent)
    tell(silent)
    assert len(told(daemon)) == 1
    tell(ended=(1,))
    tell(ended=(1,))
    assert len(told(daemon)) == 2


def test_what_the_store_refuses_is_told_when_it_can_be(daemon: World, clock: FakeClock) -> None:
    post(daemon, alert())
    repeat(daemon, alert(), times=2)
    answers = [Answer(status=503, error="full"), Answer()]
    worker = StalenessWorker(
        Hearings(),
        daemon.app.known,
        read=daemon.app.store.read,
        run=daemon.app.writer.run,
        ask=lambda _unit: answers.pop(0),
        since=START,
    )
    clock.advance(4 * REPEAT)
    with pytest.raises(StoreError, match="full"):
        worker.step(clock.now())
    assert worker.step(clock.now())
    assert not worker.step(clock.now())
    assert answers == []
