"""Which incidents may want their people together, and that a report of one key is one, on every engine."""

from __future__ import annotations

from building import incident, minutes
from triaged import rulefiles
from triaged.core.model import ActorKind, CloseReason, Severity, State
from triaged.core.reports import SOURCE, Report, alert_of
from triaged.intake.intake import Intake
from triaged.intake.known import Known
from triaged.intake.units import Delivery, Rules
from triaged.metrics import Metrics
from triaged.ports.source import Reading
from triaged.ports.store import Batch
from triaged.store.assembling import working
from triaged.store.store import Store
from web_desk import RULES

CLOSED = {
    "state": State.CLOSED,
    "closed_at": minutes(9),
    "closed_by": "ann",
    "closed_by_kind": ActorKind.PERSON,
    "close_reason": CloseReason.COMPLETED,
}


def test_only_what_is_at_work_and_of_such_a_severity_may_want_it(store: Store) -> None:
    grave = {"severity": Severity.SEV1, "judged": Severity.SEV1}
    incidents = (
        incident(id=1, **grave),
        incident(id=2),
        incident(id=3, **grave, **CLOSED),
        incident(id=4, **grave, state=State.ACKNOWLEDGED, acknowledged_by="ann", acknowledged_at=minutes(3)),
    )
    with store.begin() as transaction:
        transaction.save(Batch(incidents={one.id: one for one in incidents}), minutes(9))
    with store.read() as reader:
        assert working(reader.connection, [Severity.SEV1]) == [4, 1]
        assert working(reader.connection, [Severity.SEV1, Severity.SEV2]) == [4, 2, 1]
        assert working(reader.connection, []) == []


def test_a_report_that_two_daemons_take_in_opens_one_incident(store: Store) -> None:
    found = rulefiles.read(RULES)
    rules = Rules(rule_set=found.rules, policy=found.policy, files=found.files, policy_files={})
    daemons = [
        Intake(store, rules, readers={}, read_policy=rulefiles.read_policy, known=Known(), metrics=Metrics())
        for _ in range(2)
    ]
    one = alert_of(Report(key="a", by="ann", summary="Nobody can pay"))
    reading = Reading(alerts=(one,), rejected=())
    unit = Delivery(id="r", source=SOURCE, body=b"", reading=reading, expects={one.fingerprint: None})
    counts = [dict(daemon.process([unit], minutes(1))[0].counts) for daemon in daemons]
    assert counts == [{"began": 1}, {"changed since": 1}]
