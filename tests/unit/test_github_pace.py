"""The pacer keeps GitHub's published limits whatever is asked of it, and always leaves room for what is urgent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triaged.backends.github.pace import Pacer, Write
from triaged.errors import DeliveryError

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)

wishes = st.lists(
    st.tuples(st.sampled_from(Write), st.booleans(), st.integers(min_value=0, max_value=90)), min_size=1, max_size=12
)


def send_all(pacer: Pacer, plan: list[tuple[Write, bool, int]], times: int) -> list[tuple[datetime, Write, bool]]:
    """Sends the plan over and over, each write as early as the pacer allows or so many tenths of a second later."""
    now, sent = START, []
    for kind, urgent, idle in plan * times:
        now = pacer.not_before(kind, now, urgent=urgent) + timedelta(seconds=idle / 10)
        pacer.record(kind, now)
        sent.append((now, kind, urgent))
    return sent


def most_in(window: timedelta, instants: list[datetime]) -> int:
    """The most instants in any closed window of that length."""
    first = most = 0
    for last, at in enumerate(instants):
        while at - instants[first] > window:
            first += 1
        most = max(most, last - first + 1)
    return most


@settings(max_examples=40, deadline=None)
@given(plan=wishes, times=st.sampled_from([1, 20, 90]))
def test_in_no_minute_are_there_more_than_80_creations_and_in_no_hour_more_than_500(
    plan: list[tuple[Write, bool, int]], times: int
) -> None:
    created = [at for at, kind, _ in send_all(Pacer(), plan, times) if kind is Write.CREATION]
    assert most_in(timedelta(minutes=1), created) <= 80
    assert most_in(timedelta(hours=1), created) <= 500


@settings(max_examples=40, deadline=None)
@given(plan=wishes, times=st.sampled_from([1, 20, 90]))
def test_two_writes_are_never_less_than_a_second_apart(plan: list[tuple[Write, bool, int]], times: int) -> None:
    instants = [at for at, _, _ in send_all(Pacer(), plan, times)]
    assert all(later - earlier >= SECOND for earlier, later in pairwise(instants))


@settings(max_examples=40, deadline=None)
@given(plan=wishes, times=st.sampled_from([1, 20, 90]))
def test_what_is_not_urgent_never_takes_the_last_creations_of_a_window(
    plan: list[tuple[Write, bool, int]], times: int
) -> None:
    created = [(at, urgent) for at, kind, urgent in send_all(Pacer(), plan, times) if kind is Write.CREATION]
    for index, (at, urgent) in enumerate(created):
        if not urgent:
            before = [earlier for earlier, _ in created[: index + 1]]
            assert sum(at - earlier <= timedelta(minutes=1) for earlier in before) <= 70
            assert sum(at - earlier <= timedelta(hours=1) for earlier in before) <= 400


@settings(max_examples=40, deadline=None)
@given(plan=wishes, times=st.sampled_from([1, 90]), kind=st.sampled_from(Write), urgent=st.booleans())
def test_at_the_promised_instant_the_write_may_really_be_sent(
    plan: list[tuple[Write, bool, int]], times: int, kind: Write, *, urgent: bool
) -> None:
    pacer = Pacer()
    now = send_all(pacer, plan, times)[-1][0]
    promised = pacer.not_before(kind, now, urgent=urgent)
    assert pacer.not_before(kind, promised, urgent=urgent) == promised
    assert promised - now <= timedelta(hours=1, seconds=1)


def test_a_fresh_pacer_lets_the_first_write_go_at_once() -> None:
    assert Pacer().not_before(Write.CREATION, START, urgent=False) == START


def test_an_urgent_creation_goes_in_the_next_second_while_others_wait_for_the_hour() -> None:
    pacer = Pacer()
    now = send_all(pacer, [(Write.CREATION, False, 80)], 400)[-1][0]
    assert pacer.not_before(Write.CREATION, now, urgent=True) == now + SECOND
    assert pacer.not_before(Write.CREATION, now, urgent=False) > now + SECOND


def test_changes_are_not_held_back_by_the_limits_on_creations() -> None:
    pacer = Pacer()
    now = send_all(pacer, [(Write.CREATION, True, 0)], 500)[-1][0]
    assert pacer.not_before(Write.CHANGE, now, urgent=False) == now + SECOND


def limited(retry_at: datetime | None, reason: str = "secondary_limit") -> DeliveryError:
    return DeliveryError("limited", reason=reason, retry_at=retry_at)


def test_a_refusal_blocks_every_write_of_the_credential_until_github_may_be_asked_again() -> None:
    pacer = Pacer()
    pacer.refused(limited(START + timedelta(seconds=90)), START)
    for kind in Write:
        assert pacer.not_before(kind, START, urgent=True) == START + timedelta(seconds=90)


def test_refusals_in_a_row_wait_twice_as_long_each_time_up_to_an_hour() -> None:
    pacer, now, waits = Pacer(), START, []
    for _ in range(9):
        pacer.refused(limited(now + SECOND), now)
        until = pacer.not_before(Write.CHANGE, now, urgent=True)
        waits.append((until - now).total_seconds())
        now = until
    assert waits == [1, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_a_refusal_long_after_the_last_one_begins_anew() -> None:
    pacer = Pacer()
    pacer.refused(limited(START + SECOND), START)
    pacer.refused(limited(START + SECOND), START)
    later = START + timedelta(hours=2)
    pacer.refused(limited(later + SECOND), later)
    assert pacer.blocked_until == later + SECOND


def test_a_shorter_block_never_ends_a_longer_one() -> None:
    pacer = Pacer()
    pacer.refused(limited(START + timedelta(minutes=30), "rate_limited"), START)
    pacer.refused(limited(START + SECOND), START)
    assert pacer.blocked_until == START + timedelta(minutes=30)


def test_refusals_of_requests_that_were_under_way_together_count_once() -> None:
    pacer = Pacer()
    for _ in range(5):
        pacer.refused(limited(START + SECOND), START)
    assert pacer.blocked_until == START + SECOND


@pytest.mark.parametrize("reason", ["server_error", "invalid", "not_found", "timeout"])
def test_a_failure_that_says_nothing_about_the_credential_blocks_nothing(reason: str) -> None:
    pacer = Pacer()
    pacer.refused(limited(START + timedelta(hours=1), reason), START)
    assert pacer.blocked_until is None


# ---------------------------------------------------------------- what is stored


@settings(max_examples=30, deadline=None)
@given(plan=wishes, times=st.sampled_from([20, 90]), idle=st.integers(min_value=0, max_value=4_000))
def test_after_a_restart_the_limits_hold_for_what_a_former_process_created_too(
    plan: list[tuple[Write, bool, int]], times: int, idle: int
) -> None:
    before = [at for at, kind, _ in send_all(Pacer(), plan, times) if kind is Write.CREATION]
    pacer, now = Pacer(), (before[-1] if before else START) + idle * SECOND / 10
    sent = [*before]
    for _ in range(100):
        pacer.remember(at for at in sent if now - at < timedelta(hours=1))
        now = pacer.not_before(Write.CREATION, now, urgent=True)
        pacer.record(Write.CREATION, now)
        sent.append(now)
    assert most_in(timedelta(minutes=1), sent) <= 80
    assert most_in(timedelta(hours=1), sent) <= 500
    assert all(later - earlier >= SECOND for earlier, later in pairwise(sent[len(before) - 1 :] if before else sent))


def test_what_another_process_created_counts_for_what_is_not_urgent_too() -> None:
    pacer = Pacer()
    pacer.remember(START - timedelta(minutes=30) + n * SECOND for n in range(400))
    assert pacer.not_before(Write.CREATION, START, urgent=True) == START
    assert pacer.not_before(Write.CREATION, START, urgent=False) == START + timedelta(minutes=30) + SECOND
    pacer.remember(())
    assert pacer.not_before(Write.CREATION, START, urgent=False) == START, "what was stored is read anew each time"


def test_a_creation_is_not_counted_twice_for_being_sent_and_stored() -> None:
    pacer, now = Pacer(), START
    sent = []
    for _ in range(60):
        sent.append(now)
        pacer.remember(sent)
        now = pacer.not_before(Write.CREATION, now, urgent=False)
        pacer.record(Write.CREATION, now)
    assert now - START < timedelta(seconds=75)
