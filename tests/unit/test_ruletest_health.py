"""What health queries say in tests of rules: numbers, no value, and what no service has."""

from __future__ import annotations

import pytest

from building import rule_files
from triaged.app import rules_of
from triaged.errors import Finding
from triaged.replay.ruletests.cases import Says
from triaged.replay.ruletests.outcomes import Result
from triaged.replay.ruletests.reading import read
from triaged.replay.ruletests.running import Runner

QUERY = "shop:error_ratio < 0.01"
FIRE = "{alertname: CheckoutDown, severity: critical, namespace: shop, deployment: checkout}"


def played(*steps: str) -> Result:
    findings: list[Finding] = []
    text = "- test: t\n  steps:\n" + "".join(f"  - {step}\n" for step in steps)
    (case,) = read("t.yaml", text, findings)
    assert not findings
    with Runner(rules_of(rule_files()), rule_files().sources) as runner:
        return runner.run(case)


def findings_of(said: str) -> list[str]:
    findings: list[Finding] = []
    read("t.yaml", f"- test: t\n  steps:\n  - {{at: 0m, health: {said}, expect: {{incidents: 0}}}}\n", findings)
    return [finding.message for finding in findings]


def test_a_step_says_numbers_or_no_value() -> None:
    findings: list[Finding] = []
    text = "- {test: t, steps: [{at: 0m, health: {a: -1.5e-3, b: none}, expect: {incidents: 0}}]}"
    (case,) = read("t.yaml", text, findings)
    assert case.steps[0].does == Says(values={"a": -0.0015, "b": None})


@pytest.mark.parametrize("said", ["{a: much}", "{a: .nan}", "{a: .inf}", "{a: }", "{a: [1]}", "{}", "[a]", "{'': 1}"])
def test_anything_else_is_refused(said: str) -> None:
    assert findings_of(said)


def test_a_query_that_no_service_has_is_told() -> None:
    failure = played(f"{{at: 0m, health: {{'{QUERY} ': 1}}, expect: {{incidents: 0}}}}").failure
    assert failure is not None
    assert failure.problems[0].text.startswith("health: expected a query that services.yaml has under `healthy`, got")


@pytest.mark.parametrize(("value", "state"), [("0.2", "acknowledged"), ("0.001", "resolved"), ("none", "verifying")])
def test_what_it_says_decides_whether_an_incident_is_over(value: str, state: str) -> None:
    result = played(
        f"{{at: 0m, fire: {FIRE}}}",
        "{at: 1m, act: ack, by: ann}",
        f"{{at: 2m, health: {{'{QUERY}': {value}}}}}",
        "{at: 5m, resolve: all}",
        f"{{at: 25m, expect: {{state: {state}}}}}",
    )
    assert result.failure is None


def test_a_test_that_says_nothing_of_health_waits_for_none() -> None:
    steps = (f"{{at: 0m, fire: {FIRE}}}", "{at: 1m, act: ack}", "{at: 5m, resolve: all}")
    assert played(*steps, "{at: 25m, expect: {state: resolved}}").failure is None
