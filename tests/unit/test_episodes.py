"""What an arriving alert means for its episode: one firing of an alert, from a firing to its end."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building import START, episode, minutes
from triaged.core.episodes import Change, Step, follow
from triaged.core.model import Alert, AlertStatus, Episode

NOW = minutes(60)
GOING_ON = episode(starts_at=minutes(10))
ENDED = episode(starts_at=minutes(10), ended_at=minutes(20))


def alert(status: AlertStatus, *, starts_at: datetime | None = None, ends_at: datetime | None = None) -> Alert:
    return Alert(
        fingerprint="f",
        source="alertmanager",
        status=status,
        labels={"alertname": "HighErrorRate"},
        annotations={},
        starts_at=starts_at,
        ends_at=ends_at,
        generator_url="",
        digest=b"",
        raw=b"",
    )


def firing(starts_at: datetime | None) -> Alert:
    return alert(AlertStatus.FIRING, starts_at=starts_at)


def resolved(ends_at: datetime | None) -> Alert:
    return alert(AlertStatus.RESOLVED, starts_at=minutes(10), ends_at=ends_at)


def test_the_first_firing_of_an_alert_begins_an_episode_at_its_starts_at() -> None:
    assert follow(None, firing(minutes(50)), NOW) == Step(change=Change.BEGAN, at=minutes(50))


def test_a_firing_after_a_resolve_begins_an_episode_at_its_starts_at() -> None:
    assert follow(ENDED, firing(minutes(50)), NOW) == Step(change=Change.BEGAN, at=minutes(50))


def test_a_firing_that_started_before_the_ended_episode_begins_one_too_for_order_of_arrival_decides() -> None:
    assert follow(ENDED, firing(minutes(5)), NOW) == Step(change=Change.BEGAN, at=minutes(5))


@pytest.mark.parametrize("last", [None, ENDED])
def test_a_source_without_starts_at_begins_an_episode_at_the_first_firing_after_none_or_after_a_resolve(
    last: Episode | None,
) -> None:
    assert follow(last, firing(None), NOW) == Step(change=Change.BEGAN, at=NOW)


def test_a_firing_without_starts_at_while_the_episode_goes_on_is_the_same_episode() -> None:
    assert follow(GOING_ON, firing(None), NOW) == Step(change=Change.HEARD, at=minutes(10))


def test_a_firing_with_a_later_starts_at_while_the_former_has_not_ended_is_the_same_episode() -> None:
    assert follow(GOING_ON, firing(minutes(50)), NOW) == Step(change=Change.HEARD, at=minutes(10))


def test_a_firing_with_an_earlier_starts_at_makes_the_episode_start_earlier() -> None:
    assert follow(GOING_ON, firing(minutes(5)), NOW) == Step(change=Change.HEARD, at=minutes(5))


def test_a_firing_after_a_resolve_with_an_equal_starts_at_continues_the_episode() -> None:
    assert follow(ENDED, firing(minutes(10)), NOW) == Step(change=Change.CONTINUED, at=minutes(10))


def test_a_resolve_ends_the_episode_at_its_ends_at() -> None:
    assert follow(GOING_ON, resolved(minutes(40)), NOW) == Step(change=Change.ENDED, at=minutes(40))


def test_a_resolve_without_ends_at_ends_the_episode_when_it_arrives() -> None:
    assert follow(GOING_ON, resolved(None), NOW) == Step(change=Change.ENDED, at=NOW)


def test_a_resolve_that_ended_in_the_future_ends_the_episode_when_it_arrives() -> None:
    assert follow(GOING_ON, resolved(minutes(90)), NOW) == Step(change=Change.ENDED, at=NOW)


def test_a_resolve_at_the_very_starts_at_of_the_episode_ends_it() -> None:
    assert follow(GOING_ON, resolved(minutes(10)), NOW) == Step(change=Change.ENDED, at=minutes(10))


def test_a_resolve_older_than_the_episodes_starts_at_is_stale() -> None:
    assert follow(GOING_ON, resolved(minutes(9)), NOW).change is Change.STALE


def test_a_resolve_without_ends_at_is_never_older_than_its_episode_even_where_the_senders_clock_is_ahead() -> None:
    ahead = episode(starts_at=minutes(65))
    assert follow(ahead, resolved(None), NOW) == Step(change=Change.ENDED, at=NOW)


@pytest.mark.parametrize("last", [None, ENDED])
def test_a_resolve_for_the_unknown_changes_nothing(last: Episode | None) -> None:
    assert follow(last, resolved(minutes(40)), NOW).change is Change.UNKNOWN


# ---- of one alert, order of arrival decides, except that a resolve older than the episode's startsAt is ignored

INSTANTS = st.none() | st.integers(-90, 90).map(minutes)
ARRIVALS = st.lists(st.builds(firing, INSTANTS) | st.builds(resolved, INSTANTS), max_size=12)


def after(last: Episode | None, sent: Alert, now: datetime) -> Episode | None:
    """The newest episode once the alert has arrived."""
    step = follow(last, sent, now)
    match step.change:
        case Change.BEGAN:
            return episode(starts_at=step.at)
        case Change.CONTINUED | Change.HEARD:
            return episode(starts_at=step.at)
        case Change.ENDED:
            assert last is not None
            return episode(starts_at=last.starts_at, ended_at=step.at)
        case Change.STALE | Change.UNKNOWN:
            return last


@given(ARRIVALS)
def test_the_last_arrival_that_is_not_stale_says_whether_the_alert_fires(arrivals: list[Alert]) -> None:
    last: Episode | None = None
    fires = False
    for number, sent in enumerate(arrivals):
        stale = follow(last, sent, minutes(number)).change is Change.STALE
        last = after(last, sent, minutes(number))
        fires = fires if stale else sent.status is AlertStatus.FIRING
        assert (last is not None and last.ended_at is None) == fires


@given(ARRIVALS, st.integers(-90, 90))
def test_a_resolve_is_ignored_only_when_it_is_older_than_a_starts_at_that_has_been(
    arrivals: list[Alert], ended: int
) -> None:
    last: Episode | None = None
    for number, sent in enumerate(arrivals):
        last = after(last, sent, minutes(number))
    going_on = last is not None and last.ended_at is None
    ends = follow(last, resolved(minutes(ended)), minutes(20)).change is Change.ENDED
    begins_later = last is not None and last.starts_at > minutes(20)
    assert ends == (last is not None and going_on and (begins_later or minutes(ended) >= last.starts_at))


@given(ARRIVALS)
def test_the_same_arrival_again_at_once_changes_nothing(arrivals: list[Alert]) -> None:
    last: Episode | None = None
    for number, sent in enumerate(arrivals):
        last = after(last, sent, minutes(number))
        assert after(last, sent, minutes(number)) == last


@given(st.lists(INSTANTS, min_size=1))
def test_an_episode_that_goes_on_starts_at_the_earliest_that_was_told(starts: list[datetime | None]) -> None:
    last: Episode | None = None
    for starts_at in starts:
        last = after(last, firing(starts_at), START)
    assert last is not None
    assert last.starts_at == min(starts_at or START for starts_at in starts)
