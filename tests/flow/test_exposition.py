"""`/metrics` on a real store: every series from 0, sums of the totals, and no lie when the store is down."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from web_desk import START, WebDesk

SEVERITIES = ("sev1", "sev2", "sev3", "sev4")
TEAMS = ("payments", "platform")
OBJECTIVES = ("response", "resolution")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[WebDesk]:
    desk = WebDesk(tmp_path)
    yield desk
    desk.close()


class Scrape:
    """One scrape, asked by name and labels."""

    def __init__(self, desk: WebDesk) -> None:
        self.answer = desk.get("/metrics")
        assert self.answer.status_code == 200
        self.samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parse(self.answer.text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples.get((f"triaged_{name}", tuple(sorted(labels.items()))))

    def series(self, name: str) -> list[dict[str, str]]:
        return [dict(labels) for found, labels in self.samples if found == f"triaged_{name}"]


def test_every_counter_is_there_from_the_first_scrape_with_0(desk: WebDesk) -> None:
    scrape = Scrape(desk)
    assert scrape.value("episodes_total", source="alertmanager") == 0
    for severity, team in product(SEVERITIES, TEAMS):
        for name in ("opened", "resolved", "reopened"):
            assert scrape.value(f"incidents_{name}_total", severity=severity, team=team) == 0
        for reason, by in (("completed", "person"), ("false_alarm", "person"), ("completed", "daemon")):
            assert scrape.value("incidents_closed_total", severity=severity, team=team, reason=reason, by=by) == 0
        for objective, name in product(OBJECTIVES, ("sla_met", "sla_breached", "sla_not_required")):
            assert scrape.value(f"{name}_total", severity=severity, team=team, objective=objective) == 0


def test_every_count_gauge_is_there_from_the_first_scrape_with_0(desk: WebDesk) -> None:
    scrape = Scrape(desk)
    for severity, team in product(SEVERITIES, TEAMS):
        for state in ("open", "acknowledged", "verifying", "resolved"):
            assert scrape.value("incidents_open", severity=severity, team=team, state=state) == 0
        assert scrape.value("incidents_closed_firing", severity=severity, team=team) == 0
        for objective in OBJECTIVES:
            assert scrape.value("sla_at_risk", severity=severity, objective=objective, team=team) == 0
            assert scrape.value("sla_breached_open", severity=severity, objective=objective, team=team) == 0
    assert scrape.value("backend_pending", backend="local") == 0
    assert scrape.value("deadlines_overdue") == 0
    assert scrape.value("store_up") == 1


def test_a_gauge_without_a_value_is_absent(desk: WebDesk) -> None:
    scrape = Scrape(desk)
    assert scrape.series("sla_next_deadline_timestamp_seconds") == []
    assert scrape.series("backend_oldest_pending_seconds") == []


def test_the_targets_are_exported_where_they_are_a_duration(desk: WebDesk) -> None:
    scrape = Scrape(desk)
    assert scrape.value("sla_target_seconds", severity="sev1", objective="response") == 900
    assert scrape.value("sla_target_seconds", severity="sev3", objective="resolution") == 3 * 86_400
    assert scrape.value("sla_target_seconds", severity="sev4", objective="response") is None
    assert scrape.value("sla_compliance_target_ratio", severity="sev1", objective="resolution") == 0.9
    assert scrape.value("sla_compliance_target_ratio", severity="sev4", objective="response") == 0.9


def test_an_open_incident_is_counted_once_with_its_deadlines(desk: WebDesk) -> None:
    desk.fire("A", grave="1", app="checkout")
    desk.clock.advance(timedelta(seconds=30))
    scrape = Scrape(desk)
    mine = {"severity": "sev1", "team": "payments"}
    assert scrape.value("episodes_total", source="alertmanager") == 1
    assert scrape.value("incidents_opened_total", **mine) == 1
    assert scrape.value("incidents_open", **mine, state="open") == 1
    due = scrape.value("sla_next_deadline_timestamp_seconds", **mine, objective="response")
    assert due == (START + timedelta(minutes=15)).timestamp()
    assert scrape.value("backend_pending", backend="local") == 1
    assert scrape.value("backend_oldest_pending_seconds", backend="local") == 30


def test_at_risk_and_breached_objectives_are_shown_while_the_incident_is_open(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    mine = {"severity": "sev1", "team": "platform", "objective": "response"}
    desk.pass_time(timedelta(minutes=12))
    assert Scrape(desk).value("sla_at_risk", **mine) == 1
    desk.pass_time(timedelta(minutes=4))
    scrape = Scrape(desk)
    assert scrape.value("sla_at_risk", **mine) == 0
    assert scrape.value("sla_breached_open", **mine) == 1
    assert scrape.value("sla_breached_total", **mine) == 1


def test_what_a_person_closed_while_it_fires_is_counted(desk: WebDesk) -> None:
    desk.fire("A")
    desk.post("/api/v1/incidents/INC-1/close", {"reason": "not_planned"})
    scrape = Scrape(desk)
    mine = {"severity": "sev3", "team": "platform"}
    assert scrape.value("incidents_closed_firing", **mine) == 1
    assert scrape.value("incidents_closed_total", **mine, reason="not_planned", by="person") == 1
    assert scrape.value("sla_not_required_total", **mine, objective="resolution") == 1


def test_the_durations_are_cumulative_histograms_with_every_bucket(desk: WebDesk) -> None:
    mine = {"severity": "sev1", "team": "platform"}
    for name, minutes in (("A", 3), ("B", 14), ("C", 7 * 24 * 60)):
        desk.fire(name, grave="1")
        desk.clock.advance(timedelta(minutes=minutes))
        desk.post(f"/api/v1/incidents/{desk.newest()}/ack")
    scrape = Scrape(desk)
    name = "incident_acknowledge_duration_seconds"
    found = {le: scrape.value(f"{name}_bucket", **mine, le=le) for le in ("60.0", "300.0", "900.0", "432000.0", "+Inf")}
    assert found == {"60.0": 0, "300.0": 1, "900.0": 2, "432000.0": 2, "+Inf": 3}
    assert scrape.value(f"{name}_count", **mine) == 3
    assert scrape.value(f"{name}_sum", **mine) == (3 + 14 + 7 * 24 * 60) * 60
    assert scrape.value(f"{name}_count", severity="sev2", team="payments") == 0


def test_every_bucket_list_contains_the_shipped_targets(desk: WebDesk) -> None:
    buckets = {
        name: {float(labels["le"]) for labels in Scrape(desk).series(f"{name}_bucket")}
        for name in ("incident_acknowledge_duration_seconds", "incident_resolve_duration_seconds")
    }
    assert {900, 3_600, 14_400, 86_400} <= buckets["incident_acknowledge_duration_seconds"]
    assert {14_400, 28_800, 3 * 86_400, 5 * 86_400} <= buckets["incident_resolve_duration_seconds"]


def test_store_metrics_do_not_fall_when_the_process_starts_again(desk: WebDesk, tmp_path: Path) -> None:
    desk.fire("A", grave="1")
    again = WebDesk(tmp_path)
    scrape = Scrape(again)
    assert scrape.value("incidents_opened_total", severity="sev1", team="platform") == 1
    assert scrape.value("alerts_received_total", source="alertmanager", status="firing") is None
    again.close()


def test_process_metrics_come_without_the_store_and_say_that_it_is_down(desk: WebDesk) -> None:
    desk.fire("A")
    desk.break_store()
    scrape = Scrape(desk)
    assert scrape.value("store_up") == 0
    assert scrape.value("alerts_received_total", source="alertmanager", status="firing") == 1
    assert scrape.series("incidents_open") == []


def test_a_deadline_that_nobody_acts_on_is_told(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    desk.clock.advance(timedelta(hours=1))
    # Its response, the risk of that, and a level of escalation.
    assert Scrape(desk).value("deadlines_overdue") == 3


def test_no_label_names_an_alert_an_instance_or_an_incident(desk: WebDesk) -> None:
    desk.fire("VerySpecialAlert", instance="web-77")
    text = Scrape(desk).answer.text
    assert "VerySpecialAlert" not in text
    assert "web-77" not in text
    assert "INC-" not in text


def test_the_instants_of_creation_are_left_out(desk: WebDesk) -> None:
    desk.fire("A")
    assert "_created" not in Scrape(desk).answer.text


def test_openmetrics_is_given_to_whom_asks_for_it(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    answer = desk.get("/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = list(parse_openmetrics(answer.text))  # type: ignore[no-untyped-call]  # the library leaves it out
    assert len(families) > 20


def test_prometheus_own_linter_finds_nothing(desk: WebDesk) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    desk.fire("A", grave="1")
    desk.pass_time(timedelta(minutes=20))
    body = Scrape(desk).answer.content
    checked = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
