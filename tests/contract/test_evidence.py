"""What explanations ask of the store, and a rehearsal that keeps nothing, on every engine."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from triaged import rulefiles
from triaged.core.growth import Refires
from triaged.core.model import Severity
from triaged.explaining.arrival import prospects
from triaged.explaining.former import Former
from triaged.intake.intake import Intake
from triaged.intake.known import Known
from triaged.intake.units import Delivery, Rules
from triaged.metrics import Metrics
from triaged.sources import alertmanager
from triaged.store import evidence
from triaged.store.store import Store
from web_desk import RULES, START


@pytest.fixture
def intake(store: Store) -> Intake:
    """An intake whose rule `pods` waits for three pods."""
    grows = (
        "rules:\n- {name: pods, match: ['pod!=\"\"'], impact: minor, urgency: low,"
        " grows: [{when: {alerts: 9, distinct: {pod: 3}, refires: {count: 9, within: 1h}}, impact: extensive}]}\n"
    )
    found = rulefiles.read({**RULES, "triage.yaml": RULES["triage.yaml"].replace("rules:\n", grows)})
    policy_files = {name: found.files[name] for name in ("severities.yaml", "calendars.yaml")}
    rules = Rules(rule_set=found.rules, policy=found.policy, files=found.files, policy_files=policy_files)
    return Intake(
        store,
        rules,
        readers={"alertmanager": alertmanager.read},
        read_policy=rulefiles.read_policy,
        known=Known(),
        metrics=Metrics(),
    )


def body(*alerts: dict[str, Any]) -> bytes:
    return json.dumps({"alerts": list(alerts)}).encode()


def fires(**labels: str) -> dict[str, Any]:
    return {"status": "firing", "labels": {"alertname": "X", **labels}}


def post(intake: Intake, *alerts: dict[str, Any]) -> None:
    delivery = Delivery(id="d", source="alertmanager", body=body(*alerts))
    assert intake.process([delivery], START)[0].status == 200


def test_verdicts_come_gravest_first_with_their_earliest_alert_and_how_many_share_them(
    store: Store, intake: Intake
) -> None:
    post(intake, fires(pod="a"), fires(pod="b"), fires(grave="1"), fires(grave="2"))
    with store.read() as reader:
        found, more = evidence.judged(reader, 1, 2)
        everything, none = evidence.judged(reader, 1, 10)
    assert more == 1
    assert none == 0
    assert [one.verdict and one.verdict.severity for one in everything] == [Severity.SEV1, Severity.SEV2, Severity.SEV4]
    assert [one.alerts for one in everything] == [1, 1, 2]
    assert everything[2].example.labels == {"alertname": "X", "pod": "a"}
    assert {one.rule_set for one in everything} == {intake.rules.rule_set.hash}
    assert found == everything[:2]


def test_keys_rule_sets_and_records_are_found_again(store: Store, intake: Intake) -> None:
    post(intake, fires(pod="a"), fires(pod="b"), fires(alertname="Y"))
    with store.read() as reader:
        assert [key.pairs for key in evidence.keys(reader, 1, 5)] == [(("alertname", "X"), ("service", ""))]
        assert evidence.count_keys(reader, 1) == 1
        assert evidence.rule_set_files(reader, intake.rules.rule_set.hash) == dict(intake.rules.files)
        assert evidence.rule_set_files(reader, "none") is None
        assert evidence.verdicts(reader, []) == {}
        newest = [record.fingerprint for record in evidence.recorded(reader, 10_000)]
        assert len(newest) == 3
        assert newest == [record.fingerprint for record in sorted(evidence.recorded(reader, 9), key=lambda r: -r.id)]
        assert list(evidence.recorded(reader, 0)) == []


def test_growth_is_counted_as_its_condition_sees_it(store: Store, intake: Intake) -> None:
    post(intake, fires(pod="a"), fires(pod="b"), fires(pod="b", x="1"))
    (asked,) = (growth for rule in intake.rules.rule_set.rules for growth in rule.grows)
    growth = replace(asked, distinct={"pod": 3, "zone": 1}, refires=Refires(count=9, within=timedelta(hours=1)))
    with store.read() as reader:
        counts = evidence.counts(reader, 1, growth, START)
        nothing = evidence.counts(reader, 7, growth, START)
    assert counts == evidence.Counts(alerts=3, distinct={"pod": 2, "zone": 0}, refires=0, since_at=None)
    assert nothing == evidence.Counts(alerts=0, distinct={"pod": 0, "zone": 0}, refires=0, since_at=None)


def test_a_rehearsal_sees_what_is_committed_and_leaves_the_store_as_it_was(store: Store, intake: Intake) -> None:
    post(intake, fires(pod="a"))
    alerts = alertmanager.read("alertmanager", body(fires(pod="b"), fires(alertname="New"))).alerts
    for _ in range(2):
        found = prospects(store, alerts, intake.rules, Former(), START)
        assert [one.words for one in found] == [
            "joins INC-1 (open)",
            "opens a new incident (INC-2 as things are) as sev3",
        ]
    post(intake, fires(alertname="New"))
    with store.read() as reader:
        row = reader.incident(2)
    assert row is not None
    assert row.incident.alerts == 1


def test_numbers_of_a_rehearsal_are_those_that_would_come_next_each_once(store: Store, intake: Intake) -> None:
    with store.rehearse() as transaction:
        assert [transaction.next_id("incident") for _ in range(3)] == [1, 2, 3]
    post(intake, fires(pod="a"))
    with store.rehearse() as transaction:
        assert [transaction.next_id("incident") for _ in range(2)] == [2, 3]
