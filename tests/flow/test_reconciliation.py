"""Reconciliation in the whole daemon, in virtual time, with an Alertmanager that the test holds."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from dripping import dripping
from fakes.alertmanager import FakeAlertmanager
from triaged.alertmanagers import client
from triaged.clock import FakeClock
from triaged.config import AlertmanagerSettings, Settings, SourceSettings
from triaged.core.model import State
from triaged.intake.units import Delivery
from triaged.sources import alertmanager
from triaged.store import standing
from world import START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def fake(clock: FakeClock) -> Iterator[FakeAlertmanager]:
    with FakeAlertmanager(clock) as running:
        yield running


def settings(folder: Path, *fakes: FakeAlertmanager, **more: Any) -> Settings:
    entry = AlertmanagerSettings(name="main", urls=tuple(fake.url for fake in fakes), receiver="tri.*", **more)
    return settings_for(folder).model_copy(update={"alertmanagers": (entry,)})


@contextmanager
def living(folder: Path, clock: FakeClock, *fakes: FakeAlertmanager) -> Iterator[World]:
    with world(settings(folder, *fakes), clock) as one:
        yield one


def get(one: World, path: str) -> httpx.Response:
    async def answered() -> httpx.Response:
        transport = httpx.ASGITransport(app=one.app.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:9876") as client:
            return await client.get(path)

    return asyncio.run(answered())


def states(one: World) -> list[tuple[str, State]]:
    return [(incident.title.split(" ")[0], incident.state) for incident in one.incidents()]


def texts(one: World, incident_id: int = 1) -> str:
    return "\n".join(one.timeline(incident_id))


def test_what_fired_while_we_were_away_opens_at_our_start(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    fake.fire("Slow", starts=START - MINUTE)
    fake.fire("Elsewhere", starts=START, receiver="other-triaged")
    with living(tmp_path, clock, fake) as one:
        one.settle()
        assert states(one) == [("Slow", State.OPEN)]
        assert "Slow fires since 2026-11-23 08:59 UTC, found in Alertmanager main" in texts(one)


def test_what_ended_while_we_were_away_ends_after_two_readings(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    with living(tmp_path, clock, fake) as one:
        one.deliver(alert("Slow"))
        one.advance(MINUTE / 2)
    clock.move_to(START + timedelta(minutes=30))
    with living(tmp_path, clock, fake) as one:
        one.settle()
        assert states(one) == [("Slow", State.OPEN)]
        one.advance(MINUTE)
        assert states(one) == [("Slow", State.VERIFYING)]
        assert "Slow resolved at 2026-11-23 09:30 UTC, no longer in Alertmanager main" in texts(one)


def test_an_alertmanager_that_restarted_or_cannot_be_read_ends_nothing(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    with living(tmp_path, clock, fake) as one:
        fake.fire("Slow", starts=START)
        one.settle()
        fake.restart()
        one.advance(timedelta(minutes=9))
        fake.down = True
        one.advance(timedelta(hours=1))
        assert states(one) == [("Slow", State.OPEN)]
        page = get(one, "/").text
        assert "/api/v2/status: expected 200, got 503" in page
        fake.down = False
        one.advance(2 * MINUTE)
        assert states(one) == [("Slow", State.VERIFYING)]


@pytest.mark.parametrize("garbage", [b"", b"<html>", b"[]", b"[1]", b'{"uptime": "now"}', b"[" * 100_000, b"\xff"])
def test_an_answer_that_is_none_of_an_alertmanager_changes_nothing(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager, garbage: bytes
) -> None:
    with living(tmp_path, clock, fake) as one:
        one.deliver(alert("Slow"))
        fake.garbage = garbage
        one.advance(timedelta(minutes=15))
        assert states(one) == [("Slow", State.OPEN)]
        assert len(one.app._reconcile.unreadable()) == 1


def test_the_members_of_a_cluster_are_read_as_one(tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager) -> None:
    with FakeAlertmanager(clock) as other, living(tmp_path, clock, fake, other) as one:
        fake.fire("Slow", starts=START)
        other.fire("Down", starts=START)
        one.settle()
        fake.down = True
        other.fire("Slow", starts=START)
        one.advance(timedelta(minutes=5))
        assert states(one) == [("Down", State.OPEN), ("Slow", State.OPEN)] or states(one) == [
            ("Slow", State.OPEN),
            ("Down", State.OPEN),
        ]


def test_what_is_suppressed_never_opens_and_opens_when_it_is_so_no_more(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    fake.fire("Slow", starts=START)
    silence = fake.silence("Slow", by="ann", comment="planned", lasting=timedelta(hours=2))
    with living(tmp_path, clock, fake) as one:
        one.advance(timedelta(minutes=5))
        assert states(one) == []
        fake.expire(silence)
        one.advance(timedelta(minutes=2))
        assert states(one) == [("Slow", State.OPEN)]


def test_a_silence_is_told_once_an_incident_and_shown_everywhere(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    for pod in "ab":
        fake.fire("Slow", starts=START, pod=pod)
    with living(tmp_path, clock, fake) as one:
        one.settle()
        hostile = "off\n<b>@everybody</b> #1 | x"
        silence = fake.silence("Slow", by="ann", comment=hostile, lasting=timedelta(hours=1))
        one.advance(timedelta(minutes=2))
        told = [text for text in one.timeline(1) if "silenced" in text]
        assert told == ["silenced by ann until 2026-11-23 10:00 UTC: off <b>@everybody</b> #1 | x"]
        shown = get(one, "/api/v1/incidents/INC-1").json()["episodes"]
        assert [[quiet["by"] for quiet in episode["suppressed"]] for episode in shown] == [["ann"], ["ann"]]
        assert "silenced by ann" in get(one, "/incidents/INC-1").text
        explained = get(one, "/api/v1/incidents/INC-1/explain").json()["standing"]
        assert explained == [
            "2 alerts in Alertmanager silenced by ann until 2026-11-23 10:00 UTC: off <b>@everybody</b> #1 | x"
        ]
        assert "<b>@everybody" not in get(one, "/incidents/INC-1").text
        (issue,) = (tmp_path / "incidents").rglob("*1*.md")
        table = next(line for line in issue.read_text().splitlines() if line.startswith("| ") and "silenced" in line)
        assert "`<b>@\u200beverybody</b>` `#1` \\| x" in table
        fake.expire(silence)
        one.advance(timedelta(minutes=2))
        assert [text for text in one.timeline(1) if "silenced" in text] == [*told, "no longer silenced by ann"]
        assert "silenced by ann until" not in issue.read_text().partition("Timeline")[0]
        assert get(one, "/api/v1/incidents/INC-1/explain").json()["standing"] == []


def test_an_inhibition_names_the_alert_that_inhibits(tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager) -> None:
    slow = fake.fire("Slow", starts=START)
    with living(tmp_path, clock, fake) as one:
        one.settle()
        fake.alerts[slow].inhibited_by = (fake.fire("NodeDown", starts=START, receiver="other"),)
        one.advance(MINUTE)
        assert "inhibited by NodeDown" in one.timeline(1)
        assert states(one) == [("Slow", State.OPEN)]


def test_a_group_that_arrived_truncated_is_completed_at_once(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    with living(tmp_path, clock, fake) as one:
        one.settle()
        for pod in "abc":
            fake.fire("Slow", starts=START, pod=pod)
        fake.fire("Waits", starts=START)
        one.deliver(alert("Slow", labels={"pod": "a"}), truncatedAlerts=2, groupLabels={"alertname": "Slow"})
        one.advance(timedelta(seconds=5))
        assert [incident.firing for incident in one.incidents()] == [3]


def test_cut_groups_by_the_dozen_cost_a_reading_every_five_seconds(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    with living(tmp_path, clock, fake) as one:
        one.settle()
        before = fake.asked.count("alerts")
        for number in range(40):
            name = f"Slow{number}"
            one.deliver(alert(name), truncatedAlerts=2, groupLabels={"alertname": name})
            one.advance(timedelta(milliseconds=250))
        assert fake.asked.count("alerts") - before == 2


MUTING = """
route: {receiver: triaged, routes: [{receiver: triaged, mute_time_intervals: [always]}]}
receivers: [{name: triaged, webhook_configs: [{url: 'http://127.0.0.1:9/'}]}, {name: 'triaged-null'}]
"""


def test_what_a_mute_time_mutes_opens_when_it_is_over(tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager) -> None:
    fake.config = MUTING
    muted = fake.fire("Slow", starts=START)
    fake.fire("Down", starts=START)
    fake.alerts[muted].muted_by = ("always",)
    with living(tmp_path, clock, fake) as one:
        one.settle()
        assert states(one) == [], "a group that waits does not know yet what is muted"
        one.advance(timedelta(minutes=10))
        assert states(one) == [("Down", State.OPEN)]
        fake.alerts[muted].muted_by = ()
        one.advance(timedelta(minutes=2))
        assert states(one) == [("Down", State.OPEN), ("Slow", State.OPEN)]


def test_after_a_restart_groups_are_given_time_to_learn_what_is_muted(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    fake.config = MUTING
    fake.alerts[fake.fire("Slow", starts=START)].muted_by = ("always",)
    with living(tmp_path, clock, fake) as one:
        one.advance(timedelta(minutes=5))
        fake.restart()
        again = fake.fire("Slow", starts=START)
        one.advance(timedelta(seconds=70))
        fake.alerts[again].muted_by = ("always",)
        one.advance(timedelta(minutes=30))
        assert states(one) == []


def test_what_is_muted_anew_does_not_profit_from_having_been_there(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    fake.config = MUTING.replace("route: {", "route: {group_wait: 3m, ")
    muted = fake.fire("Slow", starts=START)
    with living(tmp_path, clock, fake) as one:
        one.advance(timedelta(minutes=1))
        fake.end(muted)
        one.advance(timedelta(minutes=2))
        again = fake.fire("Slow", starts=clock.now())
        one.advance(timedelta(minutes=2))
        fake.alerts[again].muted_by = ("always",)
        one.advance(timedelta(minutes=30))
        assert states(one) == []


def test_what_one_member_mutes_is_muted(tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager) -> None:
    with FakeAlertmanager(clock) as other, living(tmp_path, clock, fake, other) as one:
        for member in (fake, other):
            member.config = MUTING
            member.fire("Slow", starts=START)
        fake.alerts[next(iter(fake.alerts))].muted_by = ("always",)
        one.advance(timedelta(minutes=30))
        assert states(one) == []


def test_of_one_that_mutes_and_does_not_tell_what_nothing_opens_and_the_board_says_so(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    fake.config, fake.tells_mutes = MUTING, False
    fake.fire("Slow", starts=START)
    with capture_logs() as told, living(tmp_path, clock, fake) as one:
        one.advance(timedelta(minutes=10))
        assert states(one) == []
        assert "it mutes times, and does not tell what it mutes now" in get(one, "/").text
        assert [entry["event"] for entry in told].count("alertmanager in doubt") == 1
        fake.config = MUTING.replace("mute_time_intervals", "continue")
        one.advance(timedelta(minutes=2))
        assert states(one) == [("Slow", State.OPEN)]
        assert "it mutes times" not in get(one, "/").text


def test_what_goes_to_a_receiver_that_calls_nobody_does_not_open(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    fake.config = MUTING
    fake.fire("Watchdogs", starts=START, receiver="triaged-null")
    with living(tmp_path, clock, fake) as one:
        one.advance(timedelta(minutes=10))
        assert states(one) == []


def test_a_pattern_that_fits_no_receiver_is_told(tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager) -> None:
    fake.config = MUTING.replace("name: triaged,", "name: ops,")
    with living(tmp_path, clock, fake) as one:
        one.settle()
        assert "receiver &#39;tri.*&#39; fits none that calls a webhook (ops)" in get(one, "/").text


def test_a_clock_that_is_ahead_is_told(tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager) -> None:
    fake.started_at = START + timedelta(hours=2)
    with living(tmp_path, clock, fake) as one:
        one.settle()
        assert "ends nothing: it says that it starts in 2 h" in get(one, "/").text


def test_an_alert_that_cannot_be_read_is_kept_and_counted_once(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    fake.fire("Slow", starts=START, note="x" * 20_000)
    with living(tmp_path, clock, fake) as one:
        one.advance(timedelta(minutes=10))
        assert states(one) == []
        found = re.findall(r"triaged_alerts_rejected_total{.*} (.*)", get(one, "/metrics").text)
        assert [float(number) for number in found if float(number)] == [1.0]


def test_a_member_that_drips_is_given_up_and_keeps_no_other_waiting(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_READING_SECONDS", 0.5)
    fake.fire("Slow", starts=START)
    with dripping() as url:
        slow = AlertmanagerSettings(name="slow", urls=(url,), source="other")
        known = settings(tmp_path, fake)
        update = {"alertmanagers": (slow, *known.alertmanagers), "sources": {"other": SourceSettings()}}
        with world(known.model_copy(update=update), clock) as one:
            one.settle()
            assert states(one) == [("Slow", State.OPEN)]
            assert "no whole answer within 0.5 s" in get(one, "/").text


def test_the_webhook_that_comes_after_us_changes_nothing_but_the_text(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    fake.fire("Slow", starts=START)
    with living(tmp_path, clock, fake) as one:
        one.settle()
        one.deliver(alert("Slow"))
        one.advance(timedelta(minutes=3))
        assert [(incident.alerts, incident.firing) for incident in one.incidents()] == [(1, 1)]
        assert len([text for text in one.timeline(1) if "fires since" in text]) == 1


def test_a_refire_that_comes_between_the_reading_and_its_commit_is_not_ended(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    with living(tmp_path, clock, fake) as one:
        one.deliver(alert("Slow"))
        with one.app.store.read() as reader:
            ((fingerprint, seen),) = standing.unfinished(reader.connection, "alertmanager").items()
        later = START + timedelta(minutes=5)
        clock.move_to(later)
        one.deliver(alert("Slow", "resolved", ends=later))
        one.deliver(alert("Slow", starts=later))
        gone = alert("Slow", "resolved", ends=later, triagedFoundIn="main")
        body = alertmanager.kept([json.dumps(gone).encode()])
        late = Delivery(id="late", source="alertmanager", body=body, expects={fingerprint: seen.digest})
        assert one.app.writer.ask(late).counts == {"changed since": 1}
        assert [incident.firing for incident in one.incidents()] == [1]


def test_what_is_heard_anew_while_a_reading_without_it_is_under_way_does_not_end(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    with living(tmp_path, clock, fake) as one:
        one.deliver(alert("Slow"))
        one.settle()
        fake.meanwhile = lambda: one.deliver(alert("Slow", annotations={"summary": "It is worse."}))
        one.advance(MINUTE)
        assert [incident.firing for incident in one.incidents()] == [1]
        assert "no longer in Alertmanager" not in texts(one)
        one.advance(2 * MINUTE)
        assert states(one) == [("Slow", State.VERIFYING)]


def test_what_ends_while_the_first_reading_with_it_is_under_way_does_not_open_again(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    held = fake.fire("Slow", starts=START)
    with living(tmp_path, clock, fake) as one:
        one.deliver(alert("Slow"))
        fake.meanwhile = lambda: one.deliver(alert("Slow", "resolved", ends=clock.now()))
        one.settle()
        fake.end(held)
        one.advance(2 * MINUTE)
        assert states(one) == [("Slow", State.VERIFYING)]
        assert len([text for text in one.timeline(1) if "fires since" in text]) == 1


def test_an_alert_that_alertmanager_had_given_up_continues_its_episode_though_it_shows_milliseconds(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    starts = START - timedelta(microseconds=123_456)
    with living(tmp_path, clock, fake) as one:
        one.deliver(alert("Slow", starts=starts))
        one.deliver(alert("Slow", "resolved", starts=starts, ends=START))
        fake.fire("Slow", starts=starts)
        one.settle()
        assert [(incident.alerts, incident.firing) for incident in one.incidents()] == [(1, 1)]


def test_what_the_rules_drop_is_handed_in_once(tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager) -> None:
    fake.fire("InfoInhibitor", starts=START, severity="none")
    fake.fire("Watchdog", starts=START, severity="none")
    with living(tmp_path, clock, fake) as one:
        one.advance(timedelta(minutes=5))
        with one.app.store.read() as reader:
            records = list(reader.newest(10))
        assert len([record for record in records if b"InfoInhibitor" in record.raw]) <= 1
        assert not [record for record in records if b"Watchdog" in record.raw]


def test_what_was_silenced_is_forgotten_with_the_entry_of_its_alertmanager(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager
) -> None:
    with living(tmp_path, clock, fake) as one:
        fake.fire("Slow", starts=START)
        one.settle()
        fake.silence("Slow", by="ann", comment="planned", lasting=timedelta(hours=1))
        one.advance(MINUTE)
        assert "silenced by ann" in get(one, "/incidents/INC-1").text.partition("Timeline")[0]
    with world(settings_for(tmp_path), clock) as one:
        assert "silenced by ann" not in get(one, "/incidents/INC-1").text.partition("Timeline")[0]


@pytest.mark.parametrize(
    ("key", "content", "sent"),
    [("token_file", "a-token\n", "Bearer a-token"), ("basic_auth_file", "me:secret\n", "Basic bWU6c2VjcmV0")],
)
def test_it_is_asked_with_the_credential_that_its_file_holds_now(
    tmp_path: Path, clock: FakeClock, fake: FakeAlertmanager, key: str, content: str, sent: str
) -> None:
    file = tmp_path / "credential"
    file.write_text("a:b")
    with world(settings(tmp_path, fake, **{key: file}), clock) as one:
        file.write_text(content)
        one.settle()
        assert fake.authorization == sent
        file.unlink()
        one.advance(MINUTE)
        assert "expected a file with " in one.app._reconcile.unreadable()[0]
