"""What is decided of heartbeats: heard, missing, forgotten, expected; and the alerts that tell it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from triaged.core.heartbeats import (
    MOST_SERIES,
    SOURCE,
    Beat,
    Changes,
    Heartbeat,
    Key,
    Sign,
    Unheard,
    due_at,
    expect,
    hear,
    heartbeat_of,
    leave,
    look,
    named,
    next_at,
    told,
)
from triaged.core.matchers import parse_all
from triaged.core.model import Alert
from triaged.sources import alertmanager

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
WATCHDOG = Heartbeat(
    name="watchdog",
    match=parse_all('alertname="Watchdog"'),
    every=timedelta(minutes=5),
    grace=timedelta(minutes=2),
    by=("cluster",),
)
BACKUP = Heartbeat(name="backup", every=timedelta(days=1), grace=timedelta(hours=2), unheard=Unheard.WAIT)
RULES = named([WATCHDOG, BACKUP])


def minutes(count: float) -> datetime:
    return START + timedelta(minutes=count)


class Told:
    """Series as they stand, and what was told of them; each step at its minute."""

    def __init__(self, rules: Mapping[str, Heartbeat] = RULES) -> None:
        self.rules = rules
        self.beats: dict[Key, Beat] = {}

    def hear(
        self,
        at: float,
        heartbeat: Heartbeat = WATCHDOG,
        *,
        failed: bool = False,
        started: float | None = None,
        **labels: str,
    ) -> list[Alert]:
        sign = Sign(failed=failed, started_at=None if started is None else minutes(started))
        return self._apply(at, hear(heartbeat, self.beats, heartbeat.values(labels), minutes(at), sign))

    def look(self, at: float) -> list[Alert]:
        return self._apply(at, look(self.rules, self.beats, minutes(at)))

    def expect(self, at: float, rules: Mapping[str, Heartbeat] | None = None, *, started: bool = False) -> list[Alert]:
        self.rules = self.rules if rules is None else rules
        return self._apply(at, expect(self.rules, self.beats, minutes(at), started=started))

    def leave(self, at: float) -> list[Alert]:
        return self._apply(at, leave(self.beats, minutes(at)))

    def missing(self) -> list[str]:
        return sorted(",".join(beat.labels.values()) or beat.name for beat in self.beats.values() if beat.missed_at)

    def _apply(self, at: float, changes: Changes) -> list[Alert]:
        before = {**self.beats}
        for key, beat in changes.items():
            self.beats.pop(key, None)
            if beat is not None:
                self.beats[key] = beat
        return told(self.rules, before, self.beats, minutes(at))


def sent(status: str = "firing", source: str = "am", **labels: str) -> Alert:
    raw = alertmanager.kept([b'{"status":"%s","labels":{"alertname":"Watchdog"}}' % status.encode()])
    (found,) = alertmanager.read(source, raw).alerts
    return replace(found, labels={**found.labels, **labels})


# ---------------------------------------------------------------- which alert is one


def test_the_first_heartbeat_whose_matchers_all_hold_is_what_an_alert_is() -> None:
    narrow = replace_match("narrow", 'alertname="Watchdog", cluster="eu"')
    wide = replace_match("wide", 'alertname=~"Watch.*"')
    assert heartbeat_of([narrow, wide], sent(cluster="eu")) is narrow
    assert heartbeat_of([narrow, wide], sent()) is wide
    assert heartbeat_of([narrow], sent(cluster="us")) is None


def test_a_heartbeat_without_matchers_is_no_alert_and_our_own_alerts_are_no_heartbeats() -> None:
    assert heartbeat_of([BACKUP], sent()) is None
    assert heartbeat_of([WATCHDOG], sent(source=SOURCE)) is None


def replace_match(name: str, text: str) -> Heartbeat:
    return Heartbeat(name=name, match=parse_all(text), every=timedelta(minutes=1), grace=timedelta())


# ---------------------------------------------------------------- missing


def test_it_is_missing_once_every_and_grace_have_passed_and_not_before() -> None:
    now = Told()
    assert now.hear(0, cluster="eu") == []
    assert next_at(RULES, now.beats) == minutes(7)
    assert now.look(6.99) == []
    (alert,) = now.look(7)
    assert (alert.status, alert.source) == ("firing", "heartbeats")
    assert alert.labels == {"alertname": "HeartbeatMissed", "heartbeat": "watchdog", "cluster": "eu"}
    assert alert.starts_at == minutes(5)
    assert alert.annotations["summary"] == (
        "Nothing was heard of heartbeat watchdog (cluster eu) since 2026-11-23 09:00 UTC; it is expected every 5 min."
    )
    assert now.look(60) == [], "it is told once"


def test_heard_again_it_is_missing_no_more_and_the_same_alert_resolves() -> None:
    now = Told()
    now.hear(0, cluster="eu")
    (missed,) = now.look(7)
    (back,) = now.hear(9, cluster="eu")
    assert (back.status, back.fingerprint, back.ends_at) == ("resolved", missed.fingerprint, minutes(9))
    assert next_at(RULES, now.beats) == minutes(16)
    (again,) = now.look(16)
    assert again.starts_at == minutes(14)


def test_each_series_is_missing_on_its_own() -> None:
    now = Told()
    now.hear(0, cluster="eu")
    now.hear(0, cluster="us")
    now.hear(5, cluster="us")
    assert [alert.labels["cluster"] for alert in now.look(8)] == ["eu"]
    assert now.missing() == ["eu"]


def test_what_says_itself_that_it_failed_is_missing_at_once_until_it_is_heard() -> None:
    now = Told()
    (first,) = now.hear(0, failed=True, cluster="eu")
    assert first.starts_at == minutes(0)
    assert (
        first.annotations["summary"] == "The sender of heartbeat watchdog (cluster eu) says itself that it has stopped."
    )
    assert now.hear(1, failed=True, cluster="eu") == []
    assert [alert.status for alert in now.hear(2, cluster="eu")] == ["resolved"]
    (beat,) = now.beats.values()
    assert (beat.failed, beat.seen_at) == (False, minutes(2))


def test_a_resolve_of_an_older_firing_than_the_one_heard_last_is_a_late_copy() -> None:
    now = Told()
    now.hear(0, cluster="eu", started=-10)
    assert now.hear(1, cluster="eu", failed=True, started=-10.5) == []
    assert next_at(RULES, now.beats) == minutes(7), "it is no sign of life either"
    assert len(now.hear(1, cluster="eu", failed=True, started=-10)) == 1
    assert now.hear(2, cluster="eu", failed=True, started=-11) == []
    assert now.missing() == ["eu"]


@pytest.mark.parametrize(("heard", "resolved"), [(None, -10), (-10, None), (None, None), (-10, -9)])
def test_a_resolve_that_is_not_known_to_be_older_counts(heard: float | None, resolved: float | None) -> None:
    now = Told()
    now.hear(0, cluster="eu", started=heard)
    assert len(now.hear(1, cluster="eu", failed=True, started=resolved)) == 1


def test_a_request_says_nothing_of_when_an_alert_began() -> None:
    now = Told()
    now.hear(0, cluster="eu", started=-10)
    now.hear(1, cluster="eu")
    assert len(now.hear(2, cluster="eu", failed=True, started=-11)) == 1


def test_our_alert_reads_from_its_raw_text_as_it_was_made() -> None:
    now = Told()
    now.hear(0, cluster='e"u\n')
    missed = now.look(7)
    back = now.hear(8, cluster='e"u\n')
    for made in (*missed, *back):
        (read,) = alertmanager.read(SOURCE, alertmanager.kept([made.raw])).alerts
        same = ("fingerprint", "status", "labels", "annotations", "starts_at", "ends_at")
        assert [getattr(read, name) for name in same] == [getattr(made, name) for name in same]


def test_no_more_series_of_a_heartbeat_are_followed_than_fit() -> None:
    now = Told()
    for number in range(MOST_SERIES):
        now.hear(0, cluster=str(number))
    before = {**now.beats}
    assert now.hear(1, cluster="one more") == []
    assert now.beats == before
    now.hear(1, cluster="7")
    assert len(now.beats) == MOST_SERIES


# ---------------------------------------------------------------- forgotten


def test_a_series_that_is_long_gone_is_forgotten_while_others_are_heard() -> None:
    day = 24 * 60
    now = Told()
    now.hear(0, cluster="eu")
    now.look(7)
    now.hear(7 * day, cluster="us")
    assert next_at(RULES, now.beats) == minutes(7 * day + 7)
    assert now.look(7 * day + 6) == []
    now.hear(7 * day + 6, cluster="us")
    (resolved,) = now.look(7 * day + 7)
    assert (resolved.status, resolved.labels["cluster"]) == ("resolved", "eu")
    assert [beat.labels for beat in now.beats.values()] == [{"cluster": "us"}]


def test_the_last_series_of_a_heartbeat_is_never_forgotten() -> None:
    now = Told()
    now.hear(0, cluster="eu")
    now.hear(1, cluster="us")
    assert len(now.look(8)) == 2
    assert next_at(RULES, now.beats) is None
    assert now.look(60 * 24 * 365) == []
    assert now.missing() == ["eu", "us"]


# ---------------------------------------------------------------- expected


def test_what_was_never_heard_is_missing_after_its_interval_unless_it_is_not_waited_for() -> None:
    now = Told()
    now.expect(0, started=True)
    assert [beat.name for beat in now.beats.values()] == ["watchdog"]
    (alert,) = now.look(7)
    assert alert.labels == {"alertname": "HeartbeatMissed", "heartbeat": "watchdog"}
    assert alert.annotations["summary"] == "Nothing was ever heard of heartbeat watchdog; it is expected every 5 min."
    (resolved,) = now.hear(8, cluster="eu")
    assert (resolved.status, resolved.labels) == ("resolved", alert.labels)
    assert [beat.labels for beat in now.beats.values()] == [{"cluster": "eu"}]


def test_the_one_series_of_a_heartbeat_without_by_takes_the_place_of_what_was_never_heard() -> None:
    plain = Heartbeat(name="plain", every=timedelta(minutes=1), grace=timedelta(minutes=1))
    now = Told(named([plain]))
    now.expect(0)
    now.look(2)
    assert now.missing() == ["plain"]
    assert [alert.status for alert in now.hear(3, plain)] == ["resolved"]
    assert len(now.beats) == 1


def test_after_a_start_everything_gets_a_whole_interval_but_what_was_missing_stays_so() -> None:
    now = Told()
    now.hear(0, cluster="eu")
    now.look(7)
    now.hear(60, cluster="us")
    assert now.expect(500, started=True) == []
    assert now.missing() == ["eu"]
    assert next_at(RULES, now.beats) == minutes(507)
    assert now.look(506.9) == []
    (alert,) = now.look(507)
    assert (alert.labels["cluster"], alert.starts_at) == ("us", minutes(505))


def test_a_stop_shorter_than_the_grace_leaves_what_was_left_of_the_interval() -> None:
    now = Told()
    now.hear(0, cluster="eu")
    assert now.leave(5) == []
    now.expect(6.5, started=True)
    assert next_at(RULES, now.beats) == minutes(8.5), "a minute and a half nobody listened"
    now.leave(7)
    now.expect(8.9, started=True)
    assert next_at(RULES, now.beats) == minutes(10.4)
    now.leave(9)
    now.expect(11, started=True)
    assert next_at(RULES, now.beats) == minutes(18), "as long as the grace: a whole interval"


def test_a_daily_stop_does_not_put_off_a_daily_heartbeat_for_ever() -> None:
    now, hour = Told(named([BACKUP])), 60
    now.hear(0, BACKUP)
    for stopped in (23 * hour, 25 * hour):
        now.leave(stopped)
        now.expect(stopped + 5, started=True)
    assert now.look(26 * hour + 9) == []
    assert len(now.look(26 * hour + 10)) == 1


def test_after_a_death_the_last_that_any_heartbeat_tells_says_how_long_nobody_listened() -> None:
    now = Told()
    now.hear(0, BACKUP)
    now.hear(20 * 60, cluster="eu")
    now.expect(20 * 60 + 30, started=True)
    backup = next(beat for beat in now.beats.values() if beat.name == "backup")
    assert due_at(backup, BACKUP) == minutes(26 * 60 + 30)


def test_what_is_not_missing_any_more_under_a_longer_interval_is_mended() -> None:
    now = Told()
    now.hear(0, cluster="eu")
    now.hear(0, cluster="us", failed=True)
    assert len(now.look(7)) == 1
    longer = Heartbeat(name="watchdog", every=timedelta(hours=1), grace=timedelta(), by=("cluster",))
    (mended,) = now.expect(9, named([longer]))
    assert (mended.status, mended.labels["cluster"]) == ("resolved", "eu")
    assert now.missing() == ["us"], "it says itself that it failed"
    assert next_at(named([longer]), now.beats) == minutes(60)


def test_other_rules_give_no_new_interval() -> None:
    now = Told()
    now.hear(0, cluster="eu")
    now.expect(6)
    assert next_at(RULES, now.beats) == minutes(7)


def test_a_heartbeat_that_the_rules_no_longer_have_resolves_and_is_forgotten() -> None:
    now = Told()
    now.hear(0, cluster="eu")
    now.look(7)
    assert next_at({}, now.beats) is None
    assert look({}, now.beats, minutes(9)) == {}
    assert [alert.status for alert in now.expect(9, {})] == ["resolved"]
    assert now.beats == {}


def test_series_by_other_labels_than_the_rules_name_are_forgotten() -> None:
    now = Told()
    now.hear(0, cluster="eu")
    other = Heartbeat(name="watchdog", every=timedelta(minutes=5), grace=timedelta(), by=("region",))
    now.expect(1, named([other]))
    assert [beat.labels for beat in now.beats.values()] == [{}]
    waiting = Heartbeat(name="watchdog", every=timedelta(minutes=5), grace=timedelta(), unheard=Unheard.WAIT)
    now.expect(2, named([waiting]))
    assert now.beats == {}


# ---------------------------------------------------------------- whatever happens

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["hear", "fail", "look", "expect", "leave", "start"]),
        st.sampled_from(["eu", "us"]),
        st.integers(0, 20),
    ),
    max_size=30,
)


@given(events=EVENTS)
def test_the_alerts_that_fire_are_those_of_the_series_that_are_missing(events: list[tuple[str, str, int]]) -> None:
    now, at = Told(), 0
    firing: set[str] = set()
    does: dict[str, Any] = {
        "hear": lambda cluster: now.hear(at, cluster=cluster),
        "fail": lambda cluster: now.hear(at, failed=True, cluster=cluster),
        "look": lambda _: now.look(at),
        "expect": lambda _: now.expect(at),
        "leave": lambda _: now.leave(at),
        "start": lambda _: now.expect(at, started=True),
    }
    for kind, cluster, after in events:
        at += after
        for alert in does[kind](cluster):
            fires = alert.status == "firing"
            assert (alert.fingerprint in firing) != fires, "each change is told once"
            (firing.add if fires else firing.discard)(alert.fingerprint)
    assert len(firing) == sum(beat.missed_at is not None for beat in now.beats.values())
    now.look(at)
    for beat in now.beats.values():
        assert beat.missed_at is not None or due_at(beat, WATCHDOG) > minutes(at)


@pytest.mark.parametrize("name", ["watchdog", "backup"])
def test_values_are_those_of_by_and_nothing_else(name: str) -> None:
    found = RULES[name].values({"cluster": "eu", "pod": "a"})
    assert found == ({"cluster": "eu"} if name == "watchdog" else {})
