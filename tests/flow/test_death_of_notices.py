"""Death at every instant of telling people: before and after each commit and each request; then a new daemon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dying import Fate, Killed
from town import MEANT, TRIAGE, WHOLE, Town
from town import town as build_town
from triaged.channels.opening import open_channel
from triaged.clock import FakeClock
from triaged.config import ChannelSettings, Settings
from triaged.core.events import Acknowledged, CloseAsked, Record, Updated
from triaged.core.model import CloseReason, Entry, State
from triaged.errors import DeliveryError, StoreError
from triaged.intake.units import Answer, Unit
from triaged.ports.channel import Channel, Letter
from triaged.store import notices
from triaged.workers import post
from triaged.workers.notify import NotifyWorker
from triaged.workers.post import PostWorker
from world import ANN, START, World, alert, settings_for, world

# Every line of it is measured elsewhere: to follow them costs as much time as the lives do.
pytestmark = pytest.mark.no_cover

MINUTE = timedelta(minutes=1)
RULES = Path(__file__).parents[2] / "rules"


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with build_town() as running:
        yield running


def settings_in(folder: Path, town: Town) -> Settings:
    for name in ("calendars.yaml", "severities.yaml"):
        (folder / name).write_text((RULES / name).read_text())
    (folder / "triage.yaml").write_text(TRIAGE)
    (folder / "services.yaml").write_text(town.services)
    channels = {name: ChannelSettings(url=url) for name, url in town.channels.items()}
    return settings_for(folder).model_copy(update={"rules": folder, "channels": channels})


# ---------------------------------------------------------------- the play

Around = Callable[[Callable[[Letter], None]], Callable[[Letter], None]]
Step = tuple[timedelta, Callable[[World], object]]


def fire(one: World) -> None:
    assert one.deliver(alert("Down", starts=START)).status == 200


def acknowledge(one: World) -> None:
    assert one.act(1, Acknowledged(actor=ANN)).status == 200


def update(one: World) -> None:
    assert one.act(1, Updated(actor=ANN, text="We know why.")).status == 200


def resolve(one: World) -> None:
    assert one.deliver(alert("Down", "resolved", starts=START, ends=one.clock.now())).status == 200


EVERY = 7
"""One more than a message takes instants: at each death at least one more is told."""
PLAY: tuple[Step, ...] = (
    (0 * MINUTE, fire),
    (16 * MINUTE, acknowledge),
    (17 * MINUTE, update),
    (18 * MINUTE, resolve),
    (49 * MINUTE, lambda _: None),
)
"""A Sev-1 that climbs to its last level (of the second nobody is found), is taken, told of, and over."""
EXPECTED = {
    ("news", "INCIDENT ALERT - [Service Name]"): 1,
    ("news", "INCIDENT UPDATE - [Service Name]"): 1,
    ("news", "INCIDENT RESOLVED - [Service Name]"): 1,
    ("ops", "INCIDENT UPDATE - [Service Name]"): 1,
    ("ops", "INC-1 is resolved: Down"): 1,
    ("mail", "INC-1 Critical: Down"): 1,
    ("mail", "INC-1 Critical needs you: Down"): 1,
}


@dataclass
class Player:
    """Plays it with one daemon after the other on one store, or with one: where it broke off it goes on."""

    settings: Settings
    fate: Fate
    clock: FakeClock = field(default_factory=lambda: FakeClock(START))
    pause: timedelta = timedelta()
    done: int = 0
    deaths: int = 0

    def whole(self) -> None:
        while not self._lived():
            self.deaths += 1

    def _lived(self) -> bool:
        with world(self.settings, self.clock) as one:
            mortal(one, self.fate)
            return self.goes_on(one)

    def goes_on(self, one: World) -> bool:
        """Whether it came to its end."""
        try:
            while self.done < len(PLAY):
                after, act = PLAY[self.done]
                one.advance(max(START + after - self.clock.now(), timedelta()))
                act(one)
                self.done += 1
            one.advance(5 * MINUTE)
        except (Killed, StoreError):
            self.clock.advance(self.pause)
            return False
        return True


def mortal(one: World, fate: Fate | Neighbour) -> None:
    """Put whoever tells people into the hands of fate, at every commit and at every request."""
    at_commits(one, fate)
    around_requests(one, fate.around)


def at_commits(one: World, fate: Fate | Neighbour) -> None:
    for loop in one.app.loops:
        if isinstance(loop.worker, NotifyWorker):
            vars(loop.worker).update(_run=fate.around(one.app.writer.run), _ask=fate.around(one.app.writer.ask))
        elif isinstance(loop.worker, PostWorker):
            vars(loop.worker)["_run"] = fate.around(one.app.writer.run)


def around_requests(one: World, around: Around, *, to: str = "") -> None:
    """Put something around each request to the services of a scheme, or of all."""
    vars(one.app._addresses)["_opened"] = lambda url: (
        MortalChannel(open_channel(url), around) if url.startswith(to) else open_channel(url)
    )


class MortalChannel:
    """A channel to which something happens around each request."""

    def __init__(self, channel: Channel, around: Around) -> None:
        self.pages = channel.pages
        self.pace = channel.pace
        self._send = around(channel.send)

    def send(self, letter: Letter) -> None:
        self._send(letter)


def lost(send: Callable[[Letter], None]) -> Callable[[Letter], None]:
    """The letter arrives and its answer does not."""

    def sent(letter: Letter) -> None:
        send(letter)
        raise DeliveryError("no answer", reason="timeout", ambiguous=True)

    return sent


def play(folder: Path, town: Town, fate: Fate) -> tuple[Player, list[str]]:
    """The play, and what the timeline says of who was told."""
    folder.mkdir()
    town.forget()
    player = Player(settings_in(folder, town), fate)
    player.whole()
    with world(player.settings, player.clock) as one:
        (incident,) = one.incidents()
        assert incident.state is State.RESOLVED
        return player, notified(one)


def notified(one: World) -> list[str]:
    with one.app.store.read() as reader:
        entries = reader.timeline(1, 1_000)
    return [entry.text for entry in entries if entry.entry is Entry.NOTIFIED]


# ---------------------------------------------------------------- one daemon after the other


@pytest.mark.parametrize("kill_at", range(1, 1 + EVERY))
def test_death_at_any_instant_loses_no_message_marks_what_came_twice_and_pages_once(
    kill_at: int, tmp_path: Path, town: Town
) -> None:
    """So many lives with so many deaths each: together they die at each instant."""
    player, told = play(tmp_path / "dying", town, Fate(kill_at, every=EVERY))
    letters = town.letters()
    assert set(letters) == set(EXPECTED)
    twice = {name for (name, _), times in letters.items() if times > 1}
    assert player.deaths >= 10
    assert letters.total() - len(EXPECTED) <= player.deaths
    marked = " ".join(text for text in told if "perhaps told twice" in text)
    assert {name for name in twice if MEANT[name] not in marked} == set()
    assert town.pages() == {"pager": WHOLE, "genie": WHOLE}


def test_without_a_death_each_message_comes_once_and_nothing_is_marked(tmp_path: Path, town: Town) -> None:
    player, told = play(tmp_path / "living", town, Fate(0))
    assert (player.deaths, town.letters()) == (0, Counter(EXPECTED))
    assert told == [
        "initial notification: channel news told",
        "opened: ann, channel page told",
        "nobody is told (escalated): on_call.next is nobody now",
        "escalated: ann, channel page told",
        "status update: channel news, channel ops told",
        "resolved: channel ops told",
        "resolution notice: channel news told",
    ]
    assert town.pages() == {"pager": WHOLE, "genie": WHOLE}


# ---------------------------------------------------------------- pages that are overtaken


def close(one: World) -> None:
    assert one.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record())).status == 200


def test_a_page_that_was_in_flight_at_a_death_and_is_over_by_then_is_ended_at_its_service(
    tmp_path: Path, town: Town
) -> None:
    """Whether it arrived nobody knows: an incident that stays open there would go on calling somebody."""
    town.forget()
    settings, clock = settings_in(tmp_path, town), FakeClock(START)
    with world(settings, clock) as one:
        around_requests(one, Fate(2).around, to="pagerduty")
        fire(one)
        with pytest.raises(Killed):
            one.settle()
    with world(settings, clock) as one:
        close(one)
        one.advance(MINUTE)
    assert town.pages()["pager"] == ["trigger", "resolve"]


def test_a_page_that_was_given_up_without_an_answer_is_ended_at_its_service(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "GIVEN_UP_AFTER", 5 * MINUTE)
    town.forget()
    with world(settings_in(tmp_path, town), FakeClock(START)) as one:
        around_requests(one, lost, to="pagerduty")
        fire(one)
        acknowledge(one)
        one.advance(11 * MINUTE)
        assert "channel page could not be told" in " ".join(one.timeline(1))
        around_requests(one, lambda send: send)
        close(one)
        one.advance(MINUTE)
    assert town.pages()["pager"] == WHOLE


def test_a_page_that_is_under_way_when_all_is_over_is_ended_after_it_and_wakes_nobody_again(
    tmp_path: Path, town: Town
) -> None:
    town.forget()
    with world(settings_in(tmp_path, town), FakeClock(START)) as one:
        fire(one)
        one.advance(9 * MINUTE)
        *_, other = [loop.worker for loop in one.app.loops if loop.worker.name.startswith("post-people")]

        def meanwhile(send: Callable[[Letter], None]) -> Callable[[Letter], None]:
            def sent(letter: Letter) -> None:
                if one.incidents()[0].state is not State.CLOSED:
                    close(one)
                    other.step(one.clock.now())
                send(letter)

            return sent

        around_requests(one, meanwhile, to="opsgenie")
        one.advance(2 * MINUTE)
    assert [request.path.partition("?")[0].rpartition("/")[2] for request in town.genie.requests][:2] == ["alerts"] * 2
    assert town.pages()["genie"] == ["trigger", "resolve"]


# ---------------------------------------------------------------- a store that refuses


@pytest.mark.parametrize("refuse_at", range(1, 1 + EVERY, 2))
def test_a_store_that_refuses_at_any_commit_loses_no_message_and_pages_nobody_twice(
    refuse_at: int, tmp_path: Path, town: Town
) -> None:
    """A full disk: the daemon lives on, and does again what it could not write down."""
    town.forget()
    fate = Fate(refuse_at, every=EVERY, how=StoreError("the store cannot be written: disk full"))
    player = Player(settings_in(tmp_path, town), fate, pause=timedelta(seconds=1))
    with world(player.settings, player.clock) as one:
        at_commits(one, fate)
        while not player.goes_on(one):
            player.deaths += 1
        told = notified(one)
    letters = town.letters()
    assert set(letters) == set(EXPECTED)
    assert player.deaths >= 5
    assert letters.total() - len(EXPECTED) <= player.deaths
    marked = " ".join(text for text in told if "perhaps told twice" in text)
    assert {name for (name, _), times in letters.items() if times > 1 and MEANT[name] not in marked} == set()
    assert town.pages() == {"pager": WHOLE, "genie": WHOLE}


def test_that_nobody_could_be_told_is_said_again_to_a_store_that_would_not_take_it(tmp_path: Path, town: Town) -> None:
    """Else the next level would never be told at once."""
    town.forget()
    with world(settings_in(tmp_path, town), FakeClock(START)) as one:
        fire(one)
        one.advance(9 * MINUTE)
        (worker,) = [loop.worker for loop in one.app.loops if isinstance(loop.worker, NotifyWorker)]
        refused: list[Unit] = []

        def ask(unit: Unit) -> Answer:
            refused.append(unit)
            return one.app.writer.ask(unit) if len(refused) > 1 else Answer(status=503, error="the disk is full")

        vars(worker)["_ask"] = ask
        with pytest.raises(StoreError, match="the disk is full"):
            one.advance(2 * MINUTE)
        one.settle()
        assert len(refused) == 2
        assert notified(one)[-2:] == [
            "nobody is told (escalated): on_call.next is nobody now",
            "escalated: ann, channel page told",
        ]


# ---------------------------------------------------------------- a clock that jumps


@pytest.mark.parametrize("back", [5 * MINUTE, timedelta(hours=1), timedelta(days=400)])
def test_a_clock_that_is_put_back_holds_up_nothing_that_waits(back: timedelta, tmp_path: Path, town: Town) -> None:
    town.forget()
    clock = FakeClock(START)
    town.news.statuses = [503]
    with world(settings_in(tmp_path, town), clock) as one:
        fire(one)
        one.settle()
        acknowledge(one)
        clock.move_to(START - back)
        update(one)
        one.advance(MINUTE)
        assert town.letters()["ops", "INCIDENT UPDATE - [Service Name]"] == 1
        assert town.letters()["news", "INCIDENT UPDATE - [Service Name]"] == 1
        assert town.pages()["pager"] == ["trigger", "acknowledge"]
        one.advance(notices.FARTHEST)
        assert town.letters()["news", "INCIDENT ALERT - [Service Name]"] == 2


def test_what_was_in_flight_before_the_clock_was_put_back_is_sent_once_more(tmp_path: Path, town: Town) -> None:
    town.forget()
    settings, clock = settings_in(tmp_path, town), FakeClock(START)
    with world(settings, clock) as one:
        around_requests(one, Fate(2).around, to="json")
        fire(one)
        with pytest.raises(Killed):
            one.settle()
        clock.move_to(START - timedelta(hours=1))
        around_requests(one, lambda send: send)
        one.advance(MINUTE)
        assert town.letters()["news", "INCIDENT ALERT - [Service Name]"] == 2
        assert "channel news perhaps told twice" in " ".join(notified(one))


def test_after_hours_of_sleep_a_first_try_that_fails_is_not_the_last_one(tmp_path: Path, town: Town) -> None:
    """A machine that wakes has no network in its first seconds."""
    town.forget()
    clock = FakeClock(START)
    town.news.statuses = [503, 503, 503]
    with world(settings_in(tmp_path, town), clock) as one:
        fire(one)
        one.settle()
        clock.move_to(START + timedelta(hours=9))
        one.advance(MINUTE)
        assert town.letters()["news", "INCIDENT ALERT - [Service Name]"] == 4
        assert "initial notification: channel news told" in notified(one)


# ---------------------------------------------------------------- two daemons on one store


class Neighbour:
    """Another daemon on the same store, which does all that it finds to do at each instant of the first one."""

    def __init__(self, other: World) -> None:
        self._other = other
        self._at_it = False
        self.worked = 0

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self._work()
            answer = call(*args, **kwargs)
            self._work()
            return answer

        return watched

    def _work(self) -> None:
        if not self._at_it:
            self._at_it = True
            now = self._other.clock.now()
            workers = [loop.worker for loop in self._other.app.loops]
            tell = [worker for worker in workers if isinstance(worker, NotifyWorker | PostWorker)]
            while any(worker.step(now) for worker in tell):
                self.worked += 1
            self._at_it = False


class Apart(FakeClock):
    """A clock of another machine, so far ahead of the first one's."""

    def __init__(self, clock: FakeClock, ahead: timedelta) -> None:
        super().__init__(clock.now())
        self._first = clock
        self._ahead = ahead

    def now(self) -> datetime:
        return self._first.now() + self._ahead


@pytest.mark.parametrize("ahead", [0, 45, -45])
def test_of_two_daemons_each_message_is_sent_by_one(ahead: int, tmp_path: Path, town: Town, postgres_url: str) -> None:
    town.forget()
    settings = settings_in(tmp_path, town).model_copy(update={"store": postgres_url})
    player = Player(settings, Fate(0))
    clock = Apart(player.clock, timedelta(seconds=ahead))
    with world(settings, clock) as other, world(settings, player.clock) as one:
        neighbour = Neighbour(other)
        mortal(one, neighbour)
        assert player.goes_on(one)
        told = notified(one)
    assert neighbour.worked
    assert town.letters() == Counter(EXPECTED)
    assert not [text for text in told if "twice" in text]
    assert town.pages() == {"pager": WHOLE, "genie": WHOLE}


def test_what_was_in_flight_in_one_daemon_at_its_death_is_sent_by_the_other_after_a_while(
    tmp_path: Path, town: Town, postgres_url: str
) -> None:
    town.forget()
    settings, clock = settings_in(tmp_path, town).model_copy(update={"store": postgres_url}), FakeClock(START)
    with world(settings, clock) as other:
        with world(settings, clock) as one:
            around_requests(one, Fate(2).around, to="json")
            fire(one)
            with pytest.raises(Killed):
                one.settle()
        other.settle()
        assert town.letters()["news", "INCIDENT ALERT - [Service Name]"] == 1
        other.advance(3 * MINUTE)
        assert town.letters()["news", "INCIDENT ALERT - [Service Name]"] == 2
        assert "channel news perhaps told twice" in " ".join(notified(other))
    assert town.pages() == {"pager": ["trigger"], "genie": ["trigger"]}
