"""Service level policy as values, and the instants at which its objectives are due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from triaged.core.calendars import Calendar
from triaged.core.model import Objective, Role, Severity

ALWAYS = "always"
BUSINESS = "business"
HOOK = "hook"
"""The bridge that a service of the operator's makes, when it is asked."""


Clock = tuple[datetime, datetime]
"""When an objective is due, and when it is at risk."""
Pause = tuple[datetime, datetime]
"""When a clock stood still, from and until."""


def waited(at: datetime, pause: Pause) -> datetime:
    """An instant that waits in a pause: as much later in elapsed time, where it had not come when the pause began.

    What was planned within the pause counts from its beginning: that is what a clock shows that stands still.
    """
    began_at, ended_at = pause
    return at if at < began_at else at + max(ended_at - began_at, timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How long an objective may take: a duration, or whole working days (`1bd`); `text` is as ops wrote it."""

    text: str
    within: timedelta | None = None
    business_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of escalation: who is told, so long after the response was asked for.

    `notify` are words for recipients (see `core.effects.Notify`). Of the last level, `repeat` is after how long it acts
    again while nobody acknowledges. The message waits until the calendar `during` is open; the clock does not.
    """

    after: timedelta
    notify: tuple[str, ...]
    repeat: timedelta | None = None
    during: str = ALWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Flapping:
    """What flaps is watched for longer: when it fired again so often, after it had been quiet, within that time."""

    refires: int
    within: timedelta
    verify_for: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityPolicy:
    """What `severities.yaml` says of one severity.

    `compliance` is the share of objectives to be met, `at_risk` the share of a target after which it is at risk;
    `calendar` names the calendar in which durations count (`always`: elapsed time); `close` is who closes.
    `update_every` is how often stakeholders are told, None: not regularly; `review` the earliest and the latest time
    after resolution for a review, None: none; `escalation` the levels in order. `bridge` is where people meet, a
    link with `{{ incident }}` in it or HOOK; `roles` are those that somebody should hold, who are asked every
    `check_in_every` how it goes.
    `flapping` is what is watched for longer; `close_unattended` has the daemon close what nobody took and what was over
    before the response was due. `ask_reporter_for` is how long whoever reported it by its issue is waited for before it
    is closed, None: nobody is asked.
    """

    targets: Mapping[Objective, Target]
    compliance: Mapping[Objective, float]
    calendar: str
    at_risk: float
    verify_for: timedelta
    reopen_within: timedelta
    acknowledgement_for: timedelta | None
    close: Literal["person", "daemon"]
    update_every: timedelta | None = None
    review: tuple[timedelta, timedelta] | None = None
    escalation: tuple[Level, ...] = ()
    bridge: str = ""
    roles: tuple[Role, ...] = ()
    check_in_every: timedelta | None = None
    flapping: Flapping | None = None
    close_unattended: bool = False
    ask_reporter_for: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All severities with their calendars, as frozen on an incident by `hash`."""

    hash: str
    severities: Mapping[Severity, SeverityPolicy]
    calendars: Mapping[str, Calendar]

    def due(self, severity: Severity, objective: Objective, start: datetime) -> datetime:
        """Instant (UTC) at which the objective is due when its clock starts at `start`.

        Durations count in the severity's calendar, working days in it too, or in `business` where it is `always`. Where
        the calendar has no more open time they are elapsed time: a calendar that ran out must cost no incident.
        """
        target = self.severities[severity].targets[objective]
        try:
            return self._due(severity, target, start)
        except ValueError:
            return start + (target.within or timedelta(days=target.business_days or 0))

    def reaches(self, severity: Severity, objective: Objective, start: datetime) -> bool:
        """Whether the objective is due in its calendar's own time, and not in elapsed time for want of it."""
        try:
            self._due(severity, self.severities[severity].targets[objective], start)
        except ValueError:
            return False
        return True

    def _due(self, severity: Severity, target: Target, start: datetime) -> datetime:
        calendar = self._calendar(severity, target)
        if target.business_days is not None:
            assert calendar is not None  # noqa: S101 - working days have a calendar: `_calendar` says so
            return calendar.add_business_days(start, target.business_days)
        assert target.within is not None  # noqa: S101 - a target is one or the other; rulefiles builds no third
        return start + target.within if calendar is None else calendar.add(start, target.within)

    def _calendar(self, severity: Severity, target: Target) -> Calendar | None:
        """The calendar in which a target counts; None: elapsed time."""
        name = self.severities[severity].calendar
        if name == ALWAYS:
            return None if target.business_days is None else self.calendars[BUSINESS]
        return self.calendars[name]

    def after_pause(self, severity: Severity, clock: Clock, pause: Pause) -> Clock:
        """The resolution clock as it is after a pause: what was left of open time then counts on from its end.

        Working days that are left count as their open hours. No instant becomes earlier, and one that had come before
        the pause stays. Where the calendar has no more open time they move by the elapsed time of the pause.
        """
        due_at, at_risk_at = (self._after(severity, at, pause) for at in clock)
        return due_at, min(at_risk_at, due_at)

    def _after(self, severity: Severity, at: datetime, pause: Pause) -> datetime:
        began_at, ended_at = pause
        if at <= began_at or ended_at <= began_at:
            return at
        calendar = self._calendar(severity, self.severities[severity].targets[Objective.RESOLUTION])
        elapsed = at + (ended_at - began_at)
        if calendar is None:
            return elapsed
        try:
            return max(at, calendar.add(ended_at, calendar.between(began_at, at)))
        except ValueError:
            return elapsed

    def at_risk(self, severity: Severity, start: datetime, due: datetime) -> datetime:
        """Instant (UTC) at which the severity's share of the way from `start` to `due` has passed."""
        return start + (due - start) * self.severities[severity].at_risk
