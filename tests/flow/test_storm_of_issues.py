"""A thousand incidents at once: what is grave goes out in the next slot, no limit is ever passed, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from fakes.github import FakeGitHub
from faulting import template
from triaged.clock import FakeClock
from triaged.config import Settings
from triaged.ports.backend import Issue
from triaged.store.reading import Reader
from world import START, World, alert, settings_for, world

# Every line of it is measured elsewhere: to follow them costs as much time as the lives do.
pytestmark = pytest.mark.no_cover

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
STORM = 1_000
AT_ONCE = 100
RULES = """
matrix:
  extensive: [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate: [sev2, sev3, sev3, sev4]
  minor: [sev3, sev3, sev4, sev4]
default: {impact: minor, urgency: low, category: error, team: platform}
key: [alertname, namespace]
rules:
- {name: grave, match: ['severity="page"'], impact: extensive, urgency: critical}
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now, oracle=False) as fake:
        yield fake


@pytest.fixture
def settings(tmp_path: Path, github: FakeGitHub) -> Settings:
    folder = template(tmp_path / "storm")
    (folder / "rules" / "triage.yaml").write_text(RULES)
    return settings_for(folder, github).model_copy(update={"rules": folder / "rules"})


def storm(daemon: World, count: int, *, severity: str = "info", name: str = "DiskFull") -> None:
    for start in range(0, count, AT_ONCE):
        daemon.deliver(
            *(
                alert(name, labels={"severity": severity, "namespace": f"n{number}"})
                for number in range(start, min(start + AT_ONCE, count))
            )
        )


def plain(reader: Reader, number: int, chosen: str) -> Issue | None:
    """An issue of few words: a thousand are many, and their words are nobody's matter here."""
    row = reader.incident(number)
    if row is None:
        return None
    return Issue(
        incident_id=number,
        repository=chosen,
        title=f"{row.incident.name} {row.incident.title}",
        block="It fires.",
        people="",
        labels=(f"severity: {row.incident.severity}",),
        closed=False,
        close_reason=None,
        urgent=row.incident.severity.pages,
    )


def publish(daemon: World, span: timedelta) -> None:
    """Let time pass for who publishes, alone."""
    worker, clock = daemon.app.publish.worker, daemon.clock
    worker._render = plain  # type: ignore[attr-defined]
    until = clock.now() + span
    while (now := clock.now()) < until:
        if not worker.step(now):
            next_at = worker.next_at(now)
            clock.move_to(until if next_at is None else min(max(next_at, now), until))


def created(github: FakeGitHub) -> list[datetime]:
    """When GitHub was asked to create something; whatever it answered counts."""
    return sorted(request.at for request in github.creates)


def most_in(window: timedelta, instants: list[datetime]) -> int:
    """The most instants in any window of that length."""
    first = most = 0
    for last, at in enumerate(instants):
        while at - instants[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most


def judge(github: FakeGitHub) -> None:
    """No limit was passed, in any window, and GitHub never had to say so."""
    instants = created(github)
    assert most_in(MINUTE, instants) <= 80
    assert most_in(HOUR, instants) <= 500
    writes = [request.at for request in github.writes]
    assert all(later - earlier >= SECOND for earlier, later in pairwise(writes))
    assert github.limits.impatient == 0
    assert not [request for request in github.requests if request.status in {403, 429}]


def waiting(daemon: World) -> tuple[int, timedelta]:
    """How many wait, and since when the oldest does, as the metrics and the page say it."""
    with daemon.app.store.read() as reader:
        gauges = reader.gauges(daemon.clock.now())
    oldest = gauges.oldest_pending
    age = timedelta() if oldest is None else daemon.clock.now() - START - timedelta(microseconds=oldest - _us(START))
    return gauges.pending, age


def _us(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def test_a_storm_of_a_thousand_holds_every_limit_lets_the_grave_through_and_loses_nothing(
    settings: Settings, clock: FakeClock, github: FakeGitHub
) -> None:
    with world(settings, clock) as daemon:
        storm(daemon, STORM)
        publish(daemon, 20 * MINUTE)
        sent = len(github.issues)
        assert 300 < sent <= 400
        count, age = waiting(daemon)
        assert count >= STORM - sent
        assert age == clock.now() - START
        for number in range(3):
            daemon.deliver(alert("DataLoss", labels={"severity": "page", "namespace": f"grave{number}"}))
            asked_at = clock.now()
            publish(daemon, 2 * SECOND)
            newest = github.issues[-1]
            assert "severity: sev1" in github.labels(newest.number), "in the next slot"
            assert newest.created_at - asked_at <= 2 * SECOND
            publish(daemon, 7 * MINUTE)
    with world(settings, clock) as daemon:
        # A restart in the midst of it knows what the hour has had.
        publish(daemon, 3 * HOUR)
        assert len(github.issues) == STORM + 3
        assert waiting(daemon) == (0, timedelta())
        assert not [row for row in daemon.rows() if row.failure or row.address is None]
    judge(github)
    titles = [issue.title for issue in github.issues]
    assert len(set(titles)) == len(titles), "each once"
