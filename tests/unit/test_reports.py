"""What a person reports is an alert: which, what it says, and how it ends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from building import minutes, verdict
from playing import CONTEXT, close, fixed
from triaged.core.draft import Context
from triaged.core.episodes import Change
from triaged.core.events import AlertFired
from triaged.core.lifecycle import begin, decide
from triaged.core.model import Category, CloseReason, Entry, Impact, Incident, Severity, State, Urgency
from triaged.core.reports import IDENTITY, SOURCE, Report, Reported, alert_of, references, reported
from triaged.sources import alertmanager

BEGAN = datetime(2026, 11, 23, 2, 40, tzinfo=UTC)


def report(**said: Any) -> Report:
    return Report(**{"key": "k", "by": "ann", "summary": "Nobody can pay", **said})


WHOLE = report(
    service="checkout",
    category=Category.OUTAGE,
    impact=Impact.EXTENSIVE,
    urgency=Urgency.CRITICAL,
    users="most",
    functions=("payment", "orders"),
    symptoms="The button spins.",
    links=("https://tickets.example.com/1", "https://tickets.example.com/2"),
    started_at=BEGAN,
)


def test_what_is_said_becomes_labels_and_what_is_not_said_none() -> None:
    alert = alert_of(WHOLE)
    assert {name: value for name, value in alert.labels.items() if name != IDENTITY} == {
        "alertname": "Nobody can pay",
        "service": "checkout",
        "category": "outage",
        "impact": "extensive",
        "urgency": "critical",
        "users": "most",
        "functions": "payment,orders",
    }
    assert alert_of(report()).labels.keys() == {"alertname", IDENTITY}
    assert (alert.source, alert.starts_at, alert.ends_at) == (SOURCE, BEGAN, None)


def test_the_timeline_tells_all_of_it_and_who_said_it() -> None:
    assert reported(alert_of(WHOLE)) == Reported(
        by="ann",
        text="reported by ann: Nobody can pay. symptoms: The button spins. affected: checkout, payment,orders."
        " users: most. impact: extensive. urgency: critical."
        " see: https://tickets.example.com/1 https://tickets.example.com/2",
    )
    assert reported(alert_of(report(summary="It burns."))) == Reported(by="ann", text="reported by ann: It burns")


def test_an_alert_of_another_source_is_no_report() -> None:
    assert reported(replace(alert_of(WHOLE), source="alertmanager")) is None


def test_of_links_so_many_are_kept() -> None:
    many = tuple(f"https://example.com/{number}" for number in range(9))
    assert references(alert_of(report(links=many)).annotations) == [*many[:5]]


def test_the_same_report_of_the_same_person_is_the_same_alert_and_any_other_is_none() -> None:
    one = alert_of(WHOLE)
    assert alert_of(report(summary="Something else")).fingerprint == one.fingerprint
    assert alert_of(report(key="l")).fingerprint != one.fingerprint
    assert alert_of(report(by="bob")).fingerprint != one.fingerprint


texts = st.text(max_size=40)


@given(key=texts, by=texts, summary=st.text(min_size=1, max_size=40), symptoms=texts, service=texts)
def test_what_is_kept_reads_as_the_same_alert(**said: str) -> None:
    """Retry, replay and backtest read the kept text, whatever stands in it."""
    alert = alert_of(report(**{name: text.replace("\0", "") or "x" for name, text in said.items()}))
    (read,) = alertmanager.read(SOURCE, alertmanager.kept([alert.raw])).alerts
    assert read == alert


# ---------------------------------------------------------------- what it does to an incident


def event(change: Change = Change.BEGAN, severity: Severity = Severity.SEV2) -> AlertFired:
    said = Reported(by="ann", text="reported by ann: It burns")
    return AlertFired(
        name="It burns",
        source=SOURCE,
        verdict=verdict(severity=severity),
        change=change,
        starts_at=minutes(0),
        reported=said,
    )


def reported_incident() -> Incident:
    return begin(event(), CONTEXT, minutes(0), incident_id=1, rule_set="rules").incident


ENDING = Context(policy=CONTEXT.policy, reports=1)


def test_who_reported_it_stands_in_the_timeline() -> None:
    decision = begin(event(), CONTEXT, minutes(0), incident_id=1, rule_set="rules")
    first = decision.timeline[0]
    assert (first.entry, first.by, first.text) == (Entry.FIRED, "ann", "reported by ann: It burns")
    assert decision.incident.state is State.OPEN


def test_its_identity_is_no_part_of_the_title() -> None:
    key = replace(verdict().key, pairs=((IDENTITY, "0123456789abcdef"), ("service", "checkout")))
    fired = replace(event(), verdict=verdict(key=key))
    decision = begin(fired, CONTEXT, minutes(0), incident_id=1, rule_set="rules")
    assert decision.incident.title == "It burns · checkout"


def test_when_a_person_says_that_it_is_fixed_it_is_verified_from_then() -> None:
    decision = decide(reported_incident(), fixed(), ENDING, minutes(9))
    incident = decision.incident
    assert (incident.state, incident.firing, incident.restored_at) == (State.VERIFYING, 0, minutes(9))
    assert "ann says that it is fixed; watched for 20 min" in decision.timeline[-1].text


def test_what_alerts_fire_beside_it_still_counts() -> None:
    both = replace(reported_incident(), firing=3, alerts=3)
    decision = decide(both, fixed(), ENDING, minutes(9))
    assert (decision.incident.state, decision.incident.firing) == (State.OPEN, 2)
    assert "2 alerts of it fire" in decision.timeline[-1].text


def test_a_close_ends_it_too_so_that_nothing_of_it_fires_on() -> None:
    decision = decide(reported_incident(), close(), ENDING, minutes(9))
    assert (decision.incident.state, decision.incident.firing) == (State.CLOSED, 0)


def test_a_report_of_what_was_closed_as_no_problem_is_recorded_and_nothing_fires() -> None:
    closed = decide(reported_incident(), close(CloseReason.NOT_PLANNED), ENDING, minutes(9)).incident
    decision = decide(closed, event(), CONTEXT, minutes(20))
    assert (decision.incident.state, decision.incident.firing, decision.incident.alerts) == (State.CLOSED, 0, 2)
    assert [entry.text for entry in decision.timeline] == ["reported by ann: It burns"]


def test_a_report_of_what_was_closed_as_done_opens_it_again() -> None:
    closed = decide(reported_incident(), close(), ENDING, minutes(9)).incident
    decision = decide(closed, event(), CONTEXT, minutes(20))
    assert (decision.incident.state, decision.incident.firing, decision.incident.round) == (State.OPEN, 1, 2)
