"""What an Alertmanager's answers say against our episodes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from triaged.core.reconciling import APART, SETTLED_AFTER, Found, Member, Memory, Standing, compare, same_start

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
READ = Memory(read_before=True)


def found(*, wanted: bool = True, ends: datetime | None = None) -> Found:
    return Found(wanted=wanted, starts_at=NOW - MINUTE, ends_at=ends)


def member(at: datetime = NOW, *, running: timedelta = timedelta(days=1), **alerts: Found) -> Member:
    return Member(at=at, started_at=at - running, alerts=alerts)


def ours(*fingerprints: str, starts: datetime = NOW - timedelta(hours=1)) -> dict[str, Standing]:
    return {one: Standing(digest=one.encode(), starts_at=starts) for one in fingerprints}


def test_what_fires_there_and_not_here_is_missed_at_once_after_our_start_and_else_after_two_rounds() -> None:
    assert compare(Memory(), [member(a=found())], {}).missed == ("a",)
    once = compare(READ, [member(a=found())], {})
    assert once.missed == ()
    assert compare(once.memory, [member(NOW + MINUTE, a=found())], {}).missed == ("a",)
    assert compare(READ, [member(a=found())], {}, eager={"a"}).missed == ("a",)


def test_what_is_suppressed_or_routed_elsewhere_or_fires_here_is_not_missed() -> None:
    assert compare(Memory(), [member(a=found(wanted=False))], {}, eager={"a"}).missed == ()
    assert compare(Memory(), [member(a=found())], ours("a"), eager={"a"}).missed == ()


def test_what_one_member_of_a_cluster_holds_is_neither_missed_twice_nor_gone() -> None:
    said = [member(a=found()), member(b=found(wanted=False))]
    first = compare(Memory(), said, ours("b", "c"))
    later = compare(first.memory, [member(NOW + MINUTE, a=found()), member(NOW + MINUTE, b=found())], ours("b"))
    assert first.missed == ("a",)
    assert later.gone == {}


def test_what_two_readings_do_not_hold_is_gone_with_its_last_known_end() -> None:
    ends = NOW + timedelta(seconds=90)
    seen = compare(READ, [member(a=found(ends=ends))], ours("a"))
    first = compare(seen.memory, [member(NOW + 2 * MINUTE)], ours("a"))
    second = compare(first.memory, [member(NOW + 3 * MINUTE)], ours("a"))
    assert first.gone == {}
    assert second.gone == {"a": ends}


def test_an_end_that_lies_ahead_or_is_not_known_is_the_first_reading_without_the_alert() -> None:
    ahead = compare(READ, [member(a=found(ends=NOW + timedelta(hours=1)))], ours("a", "b"))
    first = compare(ahead.memory, [member(NOW + MINUTE)], ours("a", "b"))
    second = compare(first.memory, [member(NOW + 2 * MINUTE)], ours("a", "b"))
    assert second.gone == {"a": NOW + MINUTE, "b": NOW}


def test_an_end_never_lies_before_the_start_that_we_know() -> None:
    starts = NOW + timedelta(seconds=30)
    memory = Memory(read_before=True, ends={"a": NOW})
    first = compare(memory, [member(NOW + MINUTE)], ours("a", starts=starts))
    assert compare(first.memory, [member(NOW + 2 * MINUTE)], ours("a", starts=starts)).gone == {"a": starts}


def test_a_start_in_the_future_does_not_keep_an_alert_from_ending() -> None:
    standing = ours("a", starts=NOW + timedelta(days=1))
    first = compare(READ, [member()], standing)
    assert compare(first.memory, [member(NOW + MINUTE)], standing).gone == {"a": NOW}


def test_two_readings_within_a_moment_are_one() -> None:
    first = compare(READ, [member()], ours("a"))
    soon = compare(first.memory, [member(NOW + APART / 2)], ours("a"), eager={"a"})
    assert soon.gone == {}
    assert compare(soon.memory, [member(NOW + APART)], ours("a")).gone == {"a": NOW}


def test_nothing_is_gone_while_every_member_that_answers_has_just_restarted() -> None:
    young = SETTLED_AFTER - timedelta(seconds=1)
    first = compare(READ, [member(running=young)], ours("a"))
    second = compare(first.memory, [member(NOW + MINUTE, running=young)], ours("a"))
    assert first.gone == second.gone == {}
    third = compare(second.memory, [member(NOW + 2 * MINUTE, running=SETTLED_AFTER)], ours("a"))
    fourth = compare(third.memory, [member(NOW + 3 * MINUTE, running=SETTLED_AFTER)], ours("a"))
    assert third.gone == {}
    assert fourth.gone == {"a": NOW + 2 * MINUTE}


def test_a_round_without_an_answer_parts_two_readings() -> None:
    first = compare(READ, [member()], ours("a"))
    silent = compare(first.memory, [], ours("a"))
    assert (silent.missed, silent.gone) == ((), {})
    assert compare(silent.memory, [member(NOW + 2 * MINUTE)], ours("a")).gone == {}


def test_a_first_round_without_an_answer_leaves_the_next_one_the_first() -> None:
    silent = compare(Memory(), [], {})
    assert compare(silent.memory, [member(a=found())], {}).missed == ("a",)


def test_an_alert_that_came_back_meanwhile_has_to_be_absent_twice_again() -> None:
    first = compare(READ, [member()], ours("a"))
    changed = {"a": Standing(digest=b"another", starts_at=NOW)}
    assert compare(first.memory, [member(NOW + MINUTE)], changed).gone == {}


def test_one_start_is_one_to_the_millisecond() -> None:
    assert same_start(NOW, NOW + timedelta(microseconds=999))
    assert not same_start(NOW, NOW + timedelta(milliseconds=1))


_ALERTS = st.frozensets(st.sampled_from("abcd"))


@given(st.lists(st.tuples(_ALERTS, _ALERTS, st.booleans(), st.booleans()), max_size=8))
def test_whatever_was_answered_only_absent_alerts_of_ours_are_gone_and_only_unknown_ones_missed(
    rounds: list[tuple[frozenset[str], frozenset[str], bool, bool]],
) -> None:
    memory, at = Memory(), NOW
    for there, here, readable, settled in rounds:
        at += MINUTE
        running = SETTLED_AFTER if settled else timedelta()
        said = [member(at, running=running, **{one: found() for one in there})] if readable else []
        result = compare(memory, said, ours(*here))
        assert set(result.missed) <= there - here
        assert result.gone.keys() <= here - there
        assert (readable and settled) or not result.gone
        memory = result.memory
