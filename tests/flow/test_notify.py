"""People are told by their channels: the whole daemon in virtual time, with local services that keep what they get."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest

from fakes.services import Mailbox, Receiver, mail_server
from triaged.app import App
from triaged.clock import FakeClock
from triaged.config import ChannelSettings, Settings
from triaged.core.events import Acknowledged, ActionAsked, CloseAsked, EscalateAsked, MergeAsked, PauseAsked, Record
from triaged.core.model import CloseReason
from triaged.ports.channel import Ending
from triaged.store import notices
from triaged.workers import post
from waiting import wait_until
from world import ANN, START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)
PACE = timedelta(seconds=1)
RULES = Path(__file__).parents[2] / "rules"
GRAVE = {"namespace": "shop", "deployment": "checkout", "severity": "critical"}
TEAMS = """
teams:
  platform: {channels: [ops], on_call: {rotation: [ann, bob], handover: 'monday 09:00', zone: UTC}}
  stakeholders: {channels: [news]}
  management: {channels: [page]}
people:
  ann: {notify: ['%s']}
  bob: {}
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def ops() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def news() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def pager() -> Iterator[Receiver]:
    with Receiver(status=202) as running:
        yield running


@pytest.fixture
def mail() -> Iterator[Mailbox]:
    with mail_server() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, ops: Receiver, news: Receiver, pager: Receiver, mail: Mailbox) -> Settings:
    rules = tmp_path / "rules"
    rules.mkdir()
    for name in ("calendars.yaml", "severities.yaml"):
        (rules / name).write_text((RULES / name).read_text())
    (rules / "services.yaml").write_text(TEAMS % f"mailto://{mail.place}?from=triaged@example.com&to=ann@example.com")
    (rules / "triage.yaml").write_text(
        "matrix:\n"
        "  extensive: [sev1, sev1, sev2, sev3]\n"
        "  significant: [sev1, sev2, sev3, sev3]\n"
        "  moderate: [sev2, sev3, sev3, sev4]\n"
        "  minor: [sev3, sev3, sev4, sev4]\n"
        "default: {impact: moderate, urgency: high, category: error, team: platform}\n"
        "key: [alertname]\n"
        "rules:\n"
        "- {name: low, match: ['sev=\"4\"'], impact: minor, urgency: low, because: 'Hardly anybody notices.'}\n"
        "- {name: high, match: ['sev=\"2\"'], impact: moderate, urgency: critical, because: 'Some purchases fail.'}\n"
        "- {name: top, match: ['sev=\"1\"'], impact: extensive, urgency: critical, because: 'No purchase works.'}\n"
        "- {name: secret, match: ['secret=\"yes\"'], restricted: true, category: security}\n"
    )
    channels = {
        "ops": ChannelSettings(url=f"json://{ops.place}/hook"),
        "news": ChannelSettings(url=f"json://{news.place}/hook"),
        "page": ChannelSettings(url=f"pagerduty://thekey?api=http://{pager.place}"),
    }
    return settings_for(tmp_path).model_copy(update={"rules": rules, "channels": channels})


@pytest.fixture
def running(settings: Settings, clock: FakeClock) -> Iterator[World]:
    with world(settings, clock) as one:
        yield one


def fire(running: World, name: str = "Down", sev: int = 2, **more: str) -> None:
    assert running.deliver(alert(name, labels={"sev": str(sev), **more}, starts=running.clock.now())).status == 200
    running.settle()


def resolve(running: World, name: str = "Down", sev: int = 2) -> None:
    now = running.clock.now()
    ended = alert(name, "resolved", labels={"sev": str(sev)}, starts=START, ends=now)
    assert running.deliver(ended).status == 200


def acknowledge(running: World, incident_id: int = 1) -> None:
    assert running.act(incident_id, Acknowledged(actor=ANN)).status == 200
    running.settle()


def titles(receiver: Receiver) -> list[str]:
    return [body["title"] for body in receiver.bodies]


def told(running: World, incident_id: int = 1) -> list[str]:
    """What the timeline says of who was told."""
    with running.app.store.read() as reader:
        entries = reader.timeline(incident_id, 1_000)
    return [entry.text for entry in entries if entry.entry.value == "notified"]


def count(running: World, channel: str, outcome: str) -> float:
    value: float = running.app.metrics.notifications.labels(channel, outcome)._value.get()
    return value


# ---------------------------------------------------------------- who is told of what


def test_a_sev1_tells_on_call_management_and_stakeholders_at_once(
    running: World, news: Receiver, pager: Receiver, mail: Mailbox
) -> None:
    fire(running, sev=1)
    assert titles(news) == ["INCIDENT ALERT - [Service Name]"]
    assert "Impact: No purchase works." in news.bodies[0]["message"]
    assert [body["event_action"] for body in pager.bodies] == ["trigger"]
    assert [one.to for one in mail.mails] == [("ann@example.com",)]
    assert b"Subject: INC-1 Critical: Down" in mail.mails[0].content
    assert told(running) == ["initial notification: channel news told", "opened: ann, channel page told"]


def test_a_level_whose_team_has_no_channel_goes_on_to_who_is_on_call(
    settings: Settings, clock: FakeClock, mail: Mailbox
) -> None:
    assert settings.rules is not None
    services = settings.rules / "services.yaml"
    services.write_text(services.read_text().replace("platform: {channels: [ops], ", "platform: {"))
    with world(settings, clock) as one:
        fire(one, sev=3)
        assert [sent.to for sent in mail.mails] == [("ann@example.com",)]


def test_a_sev4_tells_stakeholders_nothing(running: World, news: Receiver) -> None:
    fire(running, sev=4)
    running.advance(120 * MINUTE)
    assert news.requests == []


def test_stakeholders_hear_the_end_and_the_team_too(running: World, news: Receiver, ops: Receiver) -> None:
    fire(running)
    acknowledge(running)
    resolve(running)
    running.advance(30 * MINUTE)
    assert titles(news) == ["INCIDENT ALERT - [Service Name]", "INCIDENT RESOLVED - [Service Name]"]
    assert titles(ops)[-1] == "INC-1 is resolved: Down"


def test_a_close_by_a_person_is_told_to_stakeholders_as_the_end(running: World, news: Receiver) -> None:
    fire(running)
    running.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record(root_cause="A full disk.")))
    running.advance(PACE)
    assert titles(news)[-1] == "INCIDENT RESOLVED - [Service Name]"
    assert "Root Cause: A full disk." in news.bodies[-1]["message"]


@pytest.mark.parametrize(
    ("reason", "ends"),
    [(CloseReason.FALSE_ALARM, 1), (CloseReason.NOT_PLANNED, 0), (CloseReason.DUPLICATE, 0)],
)
def test_only_what_is_over_is_told_to_stakeholders_as_resolved(
    running: World, news: Receiver, reason: CloseReason, ends: int
) -> None:
    fire(running)
    running.act(1, CloseAsked(actor=ANN, reason=reason, record=Record()))
    running.advance(MINUTE)
    assert titles(news).count("INCIDENT RESOLVED - [Service Name]") == ends


def test_what_is_still_to_be_done_of_a_merged_incident_is_told_to_its_owner(running: World, mail: Mailbox) -> None:
    fire(running, "Down", sev=3)
    fire(running, "Up", sev=3)
    asked = ActionAsked(actor=ANN, text="Test the rollback", owner="ann", due_in=60 * MINUTE)
    assert running.act(1, asked).status == 200
    assert running.act(1, MergeAsked(actor=ANN, into=2)).status == 200
    running.advance(3 * 24 * 60 * MINUTE)
    assert told(running).count("action: ann told") == 2
    assert len(mail.mails) >= 2


def test_one_that_is_judged_graver_is_told_to_the_team_and_now_to_stakeholders(
    running: World, news: Receiver, ops: Receiver
) -> None:
    fire(running, sev=4)
    running.advance(MINUTE)
    fire(running, sev=1)
    assert titles(news) == ["INCIDENT ALERT - [Service Name]"]
    assert "INC-1 is Critical now: Down" in titles(ops)


def test_of_a_restricted_incident_stakeholders_hear_nothing_and_responders_no_detail(
    running: World, news: Receiver, mail: Mailbox
) -> None:
    fire(running, name="RootLogin", sev=1, secret="yes")
    assert news.requests == []
    assert len(mail.mails) == 1
    assert b"restricted" in mail.mails[0].content
    assert b"RootLogin" not in mail.mails[0].content


def test_whoever_has_no_address_is_passed_over_and_the_next_level_is_told(running: World, pager: Receiver) -> None:
    fire(running, sev=1)
    running.advance(10 * MINUTE)
    assert "nobody is told (escalated): the rules have no address of bob" in told(running)
    assert len(pager.bodies) == 2


@pytest.mark.parametrize(("to", "status"), [("page", 200), ("ann", 200), ("management", 200), ("pgae", 409)])
def test_only_whom_rules_or_configuration_know_can_be_called(running: World, to: str, status: int) -> None:
    fire(running)
    answer = running.act(1, EscalateAsked(actor=ANN, to=to))
    assert (answer.status, "did you mean page?" in answer.error) == (status, status == 409)


def test_when_a_pause_is_over_whoever_has_it_is_told_and_no_pager_wakes(
    running: World, mail: Mailbox, pager: Receiver
) -> None:
    fire(running)
    acknowledge(running)
    running.act(1, PauseAsked(actor=ANN, lasting=20 * MINUTE, reason="the vendor looks"))
    running.advance(19 * MINUTE)
    before = len(mail.mails)
    running.advance(2 * MINUTE)
    (last,) = mail.mails[before:]
    assert b"Subject: INC-1 High goes on: Down" in last.content
    assert b"The pause is over: the resolution clock runs again." in last.content
    assert pager.requests == []
    assert told(running)[-1] == "pause over: ann told"


# ---------------------------------------------------------------- paging services


def test_a_page_has_one_key_is_acknowledged_and_resolved(running: World, pager: Receiver) -> None:
    fire(running, sev=1)
    running.advance(16 * MINUTE)
    acknowledge(running)
    resolve(running, sev=1)
    running.advance(31 * MINUTE)
    assert [body["event_action"] for body in pager.bodies] == ["trigger", "trigger", "acknowledge", "resolve"]
    assert {body["dedup_key"] for body in pager.bodies} == {"http://localhost:9876/incidents/INC-1"}


def test_a_resolve_that_the_paging_service_does_not_take_is_sent_again(running: World, pager: Receiver) -> None:
    fire(running, sev=1)
    pager.statuses = [500, 500]
    running.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
    running.advance(MINUTE)
    assert [body["event_action"] for body in pager.bodies] == ["trigger", "resolve", "resolve", "resolve"]


def test_a_page_that_was_in_flight_at_a_death_is_sent_again_and_nobody_marks_it(
    settings: Settings, clock: FakeClock, pager: Receiver
) -> None:
    with world(settings, clock) as running:
        _die_while_sending(running, "page")
    with world(settings, clock) as running:
        running.settle()
        assert [body["event_action"] for body in pager.bodies] == ["trigger"]
        assert not [text for text in told(running) if "twice" in text]


# ---------------------------------------------------------------- failures


def test_a_message_is_sent_again_until_the_channel_takes_it(running: World, news: Receiver) -> None:
    news.statuses = [503, 503]
    fire(running, sev=1)
    assert len(news.requests) == 1
    running.advance(MINUTE)
    assert len(news.requests) == 3
    assert "initial notification: channel news told" in told(running)
    assert (count(running, "news", "failed"), count(running, "news", "sent")) == (2, 1)


def test_a_channel_that_fails_is_told_of_in_the_timeline_and_given_up_after_hours(
    running: World, news: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "GIVEN_UP_AFTER", 10 * MINUTE)
    news.status = 500
    fire(running, sev=1)
    acknowledge(running)
    running.advance(MINUTE)
    late = [text for text in told(running) if "channel news not told yet" in text]
    assert len(late) == 1
    assert "500" in late[0]
    assert "hook" not in late[0]
    running.advance(15 * MINUTE)
    assert len([text for text in told(running) if "channel news could not be told" in text]) == 1
    assert count(running, "news", "given_up") == 1
    with running.app.store.read() as reader:
        first = notices.messages_of(reader.connection, 1)[0]
    assert (first.channel, first.ending) == ("news", Ending.GIVEN_UP)
    assert len(news.requests) < 50


def test_one_channel_that_is_down_delays_no_other(running: World, news: Receiver, pager: Receiver) -> None:
    news.status = 500
    fire(running, sev=1)
    assert len(pager.requests) == 1


def test_what_is_over_before_it_could_be_told_is_not_told_any_more(running: World, news: Receiver) -> None:
    news.status = 500
    fire(running)
    acknowledge(running)
    resolve(running)
    running.advance(25 * MINUTE)
    news.status = 200
    running.advance(30 * MINUTE)
    delivered = news.requests[-1].json["title"]
    assert delivered == "INCIDENT RESOLVED - [Service Name]"
    assert "initial notification: channel news not told any more, it was over" in told(running)


# ---------------------------------------------------------------- restarts


def _die_while_sending(running: World, channel: str) -> None:
    """Let the message of a channel be claimed as if it were being sent, and nothing come of it."""
    assert running.deliver(alert("Down", labels={"sev": "1"}, starts=START)).status == 200
    workers = {loop.worker.name: loop.worker for loop in running.app.loops}
    now = running.clock.now()
    workers["deadlines"].step(now)
    while workers["notify"].step(now):
        pass
    with running.app.store.read() as reader:
        ids = [m.id for m in notices.messages_of(reader.connection, 1) if m.channel == channel]
    running.app.writer.run(lambda transaction, at: notices.claim(transaction.connection, ids, at))


def test_a_message_in_flight_at_a_death_goes_out_once_more_and_the_timeline_says_so(
    settings: Settings, clock: FakeClock, news: Receiver
) -> None:
    with world(settings, clock) as running:
        _die_while_sending(running, "news")
    with world(settings, clock) as running:
        running.settle()
        assert len(news.requests) == 1
        (entry,) = [text for text in told(running) if "channel news" in text]
        assert entry.endswith("channel news perhaps told twice, for it is not known whether the first one arrived")


def test_a_notice_that_waits_at_a_stop_is_taken_up_after_the_start_once(
    settings: Settings, clock: FakeClock, news: Receiver
) -> None:
    with world(settings, clock) as running:
        running.deliver(alert("Down", labels={"sev": "1"}, starts=START))
        assert news.requests == []
    for _ in range(2):
        with world(settings, clock) as running:
            running.settle()
    assert len(news.requests) == 1


# ---------------------------------------------------------------- storms


def test_a_storm_of_notices_to_one_address_becomes_one_message_a_minute(running: World, news: Receiver) -> None:
    for number in range(12):
        fire(running, name=f"Down{number}")
    assert len(news.requests) == 1
    running.advance(2 * MINUTE)
    texts = [f"{body['title']}\n{body['message']}" for body in news.bodies]
    assert len(texts) == 2
    assert titles(news)[1] == "11 notices about 11 incidents"
    assert texts[1].count("http://localhost:9876/incidents/INC-") == 11


def test_a_sev1_waits_for_no_bundle(running: World, news: Receiver) -> None:
    for number in range(6):
        fire(running, name=f"Down{number}")
    running.advance(5 * PACE)
    sent = len(news.requests)
    fire(running, name="Worst", sev=1)
    running.advance(PACE)
    assert len(news.requests) == sent + 1
    assert "Severity: Critical" in news.bodies[-1]["message"]


# ---------------------------------------------------------------- without channels, without GitHub


def test_without_any_channel_nothing_goes_out_and_the_timeline_says_what_would(
    settings: Settings, clock: FakeClock, mail: Mailbox
) -> None:
    with world(settings.model_copy(update={"channels": {}}), clock) as running:
        fire(running, sev=1)
        assert "no channel is configured: ann, channel page would be told (opened)" in told(running)
    assert mail.mails == []


def test_the_secret_of_a_channel_stands_in_no_log_and_no_store(
    running: World, pager: Receiver, logged: StringIO, tmp_path: Path
) -> None:
    pager.status = 400
    fire(running, sev=1)
    running.advance(MINUTE)
    assert "not notified" in logged.getvalue()
    assert "thekey" not in logged.getvalue()
    assert b"thekey" not in (tmp_path / "triaged.db").read_bytes()


# ---------------------------------------------------------------- threads and the real clock


def test_a_service_that_does_not_answer_keeps_nobody_else_waiting(
    settings: Settings, ops: Receiver, news: Receiver, pager: Receiver
) -> None:
    news.slow = threading.Event()
    app = App(settings)
    app.start()
    try:
        running = World(app, FakeClock(START))
        for number in range(3):
            running.deliver(alert(f"Down{number}", labels={"sev": "1"}, starts=app.clock.now()))
        wait_until(lambda: len(pager.requests) == 3, what="three pages")
        assert len(news.requests) == 1
    finally:
        news.slow.set()
        app.stop()
