"""What happens in that month: which alerts there are, how often what breaks and for how long, drawn from a seed."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Final

from month.alertmanager import Inhibition, Route
from month.prometheus import Labels, labels

DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)
NOW: Final = timedelta()
# A group is looked at when it is not quite as old as its interval says.
_A_LITTLE: Final = timedelta(seconds=6)

NODE_DOWN: Final = labels(alertname="NodeDown", cluster="eu-1", severity="critical", kind="node")
ELSEWHERE: Final = labels(alertname="Slow", cluster="eu-1", severity="critical", team="other")
DROPPED: Final = labels(alertname="Noise", cluster="eu-1", severity="info")
FLAPS: Final = labels(alertname="Flaps", cluster="eu-2", severity="warning")
WATCHDOG: Final = labels(alertname="Watchdog", cluster="eu-1", severity="none")

ALERTS: Final[dict[Labels, timedelta]] = {
    **{labels(alertname="Slow", cluster="eu-1", severity="critical", kind="app", pod=pod): NOW for pod in "abcde"},
    **{labels(alertname="Slow", cluster="eu-2", severity="critical", kind="app", pod=pod): MINUTE for pod in "ab"},
    NODE_DOWN: NOW,
    labels(alertname="Full", cluster="eu-1", severity="warning"): 5 * MINUTE,
    labels(alertname="Late", cluster="eu-2", severity="warning"): 2 * MINUTE,
    ELSEWHERE: NOW,
    DROPPED: NOW,
    FLAPS: NOW,
    WATCHDOG: NOW,
}
"""Each alert with its `for`."""

TRIAGE: Final = """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname, cluster]
rules:
- {name: noise, match: ['alertname="Noise"'], drop: It is none., because: Nobody acts on it.}
- {name: late, match: ['alertname="Late"'], delay: 15m, because: It matters when it lasts.}
- name: slow
  match: ['alertname="Slow"']
  impact: moderate
  urgency: high
  because: Some wait.
  grows:
  - {when: {distinct: {pod: 3}}, urgency: critical, because: It is no single pod.}
- name: missed
  match: ['alertname="HeartbeatMissed"']
  impact: extensive
  urgency: critical
  because: Nobody looks.
"""

HEARTBEATS: Final = """
watchdog: {match: ['alertname="Watchdog"'], every: 4h, grace: 15m, unheard: wait}
"""

INHIBITIONS: Final = (Inhibition(source=("kind", "node"), target=("kind", "app"), equal="cluster"),)


def routes(most: int) -> tuple[Route, ...]:
    ours = ("alertname", "cluster")
    five = 5 * MINUTE
    return (
        Route(
            label=("alertname", "Watchdog"),
            receiver="triaged",
            group_by=ours,
            wait=NOW,
            interval=five,
            repeat=4 * HOUR - _A_LITTLE,
        ),
        Route(
            label=("team", "other"), receiver="other", group_by=ours, wait=MINUTE / 2, interval=five, repeat=4 * HOUR
        ),
        Route(
            label=None, receiver="triaged", group_by=ours, wait=MINUTE / 2, interval=five, repeat=4 * HOUR, most=most
        ),
    )


def lasts(random: Random, longest: timedelta) -> timedelta:
    """Mostly short; now and then very long."""
    return min(longest, timedelta(seconds=random.lognormvariate(6.5, 1.4)))


def until_next(random: Random, mean: timedelta) -> timedelta:
    return timedelta(seconds=random.expovariate(1 / mean.total_seconds()))
