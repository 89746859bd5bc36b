"""When objectives are due: elapsed time, open time, working days, and the share after which they are at risk."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from triaged.core.calendars import Calendar
from triaged.core.model import Objective, Severity
from triaged.core.sla import ALWAYS, BUSINESS, Policy, SeverityPolicy, Target

BERLIN = ZoneInfo("Europe/Berlin")
NINE_TO_FIVE = ((time(9), time(17)),)
FRIDAY_AFTERNOON = datetime(2026, 11, 27, 16, tzinfo=UTC)


def office(name: str, zone: str) -> Calendar:
    return Calendar(name=name, zone=ZoneInfo(zone), weekly=dict.fromkeys(range(5), NINE_TO_FIVE))


def severity(response: Target, resolution: Target, *, calendar: str = ALWAYS, at_risk: float = 0.75) -> SeverityPolicy:
    return SeverityPolicy(
        targets={Objective.RESPONSE: response, Objective.RESOLUTION: resolution},
        compliance={Objective.RESPONSE: 0.95, Objective.RESOLUTION: 0.9},
        calendar=calendar,
        at_risk=at_risk,
        verify_for=timedelta(minutes=30),
        reopen_within=timedelta(hours=24),
        acknowledgement_for=None,
        close="daemon",
    )


def within(text: str, **span: int) -> Target:
    return Target(text=text, within=timedelta(**span))


POLICY = Policy(
    hash="0",
    severities={
        Severity.SEV1: severity(within("15m", minutes=15), within("4h", hours=4)),
        Severity.SEV2: severity(within("1h", hours=1), within("8h", hours=8), calendar="berlin", at_risk=0.5),
        Severity.SEV3: severity(within("4h", hours=4), Target(text="2bd", business_days=2), calendar="berlin"),
        Severity.SEV4: severity(Target(text="1bd", business_days=1), within("5d", days=5)),
    },
    calendars={BUSINESS: office(BUSINESS, "UTC"), "berlin": office("berlin", "Europe/Berlin")},
)


def test_a_duration_is_elapsed_time_where_the_calendar_is_always() -> None:
    assert POLICY.due(Severity.SEV1, Objective.RESPONSE, FRIDAY_AFTERNOON) == FRIDAY_AFTERNOON + timedelta(minutes=15)
    assert POLICY.due(Severity.SEV4, Objective.RESOLUTION, FRIDAY_AFTERNOON) == FRIDAY_AFTERNOON + timedelta(days=5)


def test_elapsed_time_does_not_care_for_a_change_of_clocks() -> None:
    before_the_change = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    due = POLICY.due(Severity.SEV1, Objective.RESOLUTION, before_the_change)
    assert due - before_the_change == timedelta(hours=4)


def test_a_duration_counts_only_open_time_where_the_severity_has_a_calendar() -> None:
    due = POLICY.due(Severity.SEV2, Objective.RESOLUTION, datetime(2026, 11, 27, 15, tzinfo=BERLIN).astimezone(UTC))
    assert due == datetime(2026, 11, 30, 15, tzinfo=BERLIN)


def test_working_days_are_those_of_the_severitys_own_calendar() -> None:
    due = POLICY.due(Severity.SEV3, Objective.RESOLUTION, datetime(2026, 11, 27, 16, 30, tzinfo=BERLIN).astimezone(UTC))
    assert due == datetime(2026, 12, 1, 16, 30, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("target", "span"),
    [(within("4h", hours=4), timedelta(hours=4)), (Target(text="2bd", business_days=2), timedelta(days=2))],
)
def test_where_a_calendar_has_no_more_open_time_a_target_is_elapsed_time(target: Target, span: timedelta) -> None:
    sale = (datetime(2025, 12, 1, tzinfo=UTC), FRIDAY_AFTERNOON + timedelta(hours=1))
    over = Calendar(name="sale", zone=ZoneInfo("UTC"), weekly={}, periods=(sale,))
    policy = Policy(
        hash="0", severities={Severity.SEV1: severity(target, target, calendar="sale")}, calendars={"sale": over}
    )
    assert policy.due(Severity.SEV1, Objective.RESPONSE, FRIDAY_AFTERNOON) == FRIDAY_AFTERNOON + span


def test_working_days_are_those_of_business_where_the_calendar_is_always() -> None:
    due = POLICY.due(Severity.SEV4, Objective.RESPONSE, FRIDAY_AFTERNOON)
    assert due == datetime(2026, 11, 30, 16, tzinfo=UTC)


def test_an_incident_of_the_night_has_its_working_day_from_the_next_opening() -> None:
    due = POLICY.due(Severity.SEV4, Objective.RESPONSE, datetime(2026, 11, 28, 3, tzinfo=UTC))
    assert due == datetime(2026, 12, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("level", "share"), [(Severity.SEV1, timedelta(minutes=60)), (Severity.SEV2, timedelta(minutes=40))]
)
def test_an_objective_is_at_risk_after_the_severitys_share_of_its_time(level: Severity, share: timedelta) -> None:
    due = FRIDAY_AFTERNOON + timedelta(minutes=80)
    assert POLICY.at_risk(level, FRIDAY_AFTERNOON, due) == FRIDAY_AFTERNOON + share


def test_an_objective_is_at_risk_before_it_is_due_even_over_a_weekend() -> None:
    due = POLICY.due(Severity.SEV4, Objective.RESPONSE, FRIDAY_AFTERNOON)
    assert FRIDAY_AFTERNOON < POLICY.at_risk(Severity.SEV4, FRIDAY_AFTERNOON, due) < due
