"""The shipped rules: they pass the tests beside them, and hold as a set what no single test can say."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from triaged.cli import main
from triaged.core.keys import fingerprint
from triaged.core.model import Alert, AlertStatus, Category, Impact, Objective, Severity, Urgency, Verdict
from triaged.core.rule import Rule
from triaged.replay.ruletests.cases import Fire
from triaged.replay.ruletests.reading import read_all
from triaged.rulefiles import RuleFiles, load

RULES = Path(__file__).parents[2] / "rules"
SHIPPED: RuleFiles = load(RULES)
TESTS = read_all(sorted((RULES / "tests").glob("*.yaml")))
WORKING_HOURS = datetime(2026, 11, 23, 12, tzinfo=UTC)
LABELS_FROM_LIGHT_TO_GRAVE = ("info", "warning", "critical")


def alert_of(found: Mapping[str, str]) -> Alert:
    return Alert(
        fingerprint=fingerprint("alertmanager", found),
        source="alertmanager",
        status=AlertStatus.FIRING,
        labels=found,
        annotations={},
        starts_at=None,
        ends_at=None,
        generator_url="",
        digest=b"",
        raw=b"",
    )


def judge(found: Mapping[str, str]) -> Verdict:
    return SHIPPED.rules.judge(alert_of(found), WORKING_HOURS)


def judge_name(name: str) -> Verdict:
    return judge({"alertname": name})


def alerts_of_the_tests() -> list[Mapping[str, str]]:
    """The labels of every alert that fires in the rules' own tests."""
    steps = [step for file in TESTS for case in file.cases for step in case.steps]
    return [firing.labels for step in steps if isinstance(step.does, Fire) for firing in step.does.firings]


def named(name: str) -> Rule:
    return next(rule for rule in SHIPPED.rules.rules if rule.name == name)


# ---------------------------------------------------------------- the tests beside the rules


def test_the_rules_pass_their_own_tests_which_meet_every_rule_and_every_growth_condition(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["triaged", "test", str(RULES), "--fail-under", "100"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0, capsys.readouterr().out


# ---------------------------------------------------------------- the set as a whole


def test_the_shipped_files_give_no_warning() -> None:
    assert load(RULES, today=WORKING_HOURS.date()).warnings == ()


@pytest.mark.parametrize("rule", SHIPPED.rules.rules, ids=lambda rule: rule.name)
def test_a_rule_says_why_in_one_sentence(rule: Rule) -> None:
    for because in (rule.because, *(growth.because for growth in rule.grows)):
        assert because.endswith("."), because
        assert 20 < len(because) < 120, because


def test_every_alert_name_that_a_rule_lists_reaches_that_rule() -> None:
    unreached = []
    for rule in SHIPPED.rules.rules:
        names = [matcher for matcher in rule.match if matcher.name == "alertname" and matcher.values]
        others = [matcher for matcher in rule.match if matcher not in names]
        if names and not rule.service and all(matcher.matches("") for matcher in others):
            listed = sorted(names[0].values or ())
            unreached += [(rule.name, name) for name in listed if rule.name not in judge_name(name).matched]
    assert unreached == []


def test_no_alert_is_judged_graver_because_its_label_says_less() -> None:
    for labels in alerts_of_the_tests():
        ranks = [judge({**labels, "severity": word}).severity.rank for word in LABELS_FROM_LIGHT_TO_GRAVE]
        assert ranks == sorted(ranks, reverse=True), labels


def test_only_what_is_judged_as_security_is_restricted() -> None:
    for labels in alerts_of_the_tests():
        verdict = judge(labels)
        assert verdict.restricted is (verdict.category is Category.SECURITY), labels


def test_only_what_often_ends_by_itself_is_held_back() -> None:
    delayed = {rule.name for rule in SHIPPED.rules.rules if rule.delay is not None}
    assert delayed == {"crash-loop", "consumer-lag", "elasticsearch-yellow"}


def test_a_rule_about_an_alert_that_hurts_users_lists_the_same_names_as_its_siblings() -> None:
    down, degraded = named("revenue-down").match, named("revenue-degraded").match
    assert {named(name).match for name in ("most-users-down", "many-users-down")} == {down}
    assert {named(name).match for name in ("most-users-degraded", "many-users-degraded")} == {degraded}


def test_the_matrix_never_falls_when_impact_or_urgency_rises() -> None:
    matrix = SHIPPED.rules.matrix
    table = [[matrix[impact][urgency].rank for urgency in Urgency] for impact in Impact]
    assert all(row == sorted(row) for row in table)
    assert all(list(column) == sorted(column) for column in zip(*table, strict=True))


def test_the_targets_are_those_of_the_incident_process() -> None:
    targets = {
        severity: [policy.targets[objective].text for objective in Objective]
        for severity, policy in SHIPPED.policy.severities.items()
    }
    assert targets == {
        Severity.SEV1: ["15m", "4h"],
        Severity.SEV2: ["1h", "8h"],
        Severity.SEV3: ["4h", "3d"],
        Severity.SEV4: ["1bd", "5d"],
    }


def test_only_sev1_and_sev2_need_a_person_to_close_them_and_have_acknowledgements_that_end() -> None:
    for severity, policy in SHIPPED.policy.severities.items():
        grave = severity in (Severity.SEV1, Severity.SEV2)
        assert policy.close == ("person" if grave else "daemon")
        assert (policy.acknowledgement_for is not None) is grave
        assert policy.reopen_within == timedelta(hours=24)


def test_the_shipped_working_day_ends_at_the_same_time_on_the_next_working_day() -> None:
    friday = datetime(2026, 11, 27, 15, tzinfo=UTC)
    due = SHIPPED.policy.due(Severity.SEV4, Objective.RESPONSE, friday)
    assert due == datetime(2026, 11, 30, 15, tzinfo=UTC)
