"""Evidence with real parts: the alert's own query is asked of the Prometheus that sent it, and drawn in the issue."""

from __future__ import annotations

import json
from pathlib import Path

from e2e.servers import Alertmanager, Prometheus, Run, free_address
from fakes.github import FakeGitHub
from process.daemon import Daemon

RULES = """
groups:
- name: shop
  rules:
  - {record: 'shop:errors', expr: vector(7), labels: {pod: a, service: search}}
  - {record: 'shop:errors', expr: vector(2), labels: {pod: b, service: search}}
  - alert: HighErrorRate
    expr: shop:errors > 5
    labels: {severity: warning, cluster: eu-1}
    annotations: {summary: "{{ $value }} % of the requests fail"}
"""


def test_the_query_of_a_real_alert_is_drawn_with_the_series_that_fires_first(tmp_path: Path, run: Run) -> None:
    (tmp_path / "daemon").mkdir()
    address = free_address()
    prometheus = Prometheus(tmp_path, RULES, alertmanager_address=address)
    asked = {"prometheus": {"url": prometheus.url}}
    with FakeGitHub() as github, Daemon(tmp_path / "daemon", github=github, **asked) as daemon:
        alertmanager = Alertmanager(tmp_path, f"{daemon.url}/api/v1/alerts/alertmanager")
        alertmanager.address = address
        run(alertmanager)
        run(prometheus)
        github.wait_until(lambda fake: "xychart-beta" in "".join(one.body or "" for one in fake.issues), seconds=40)
        (issue,) = github.issues
        (chart,) = json.loads(daemon.get("/api/v1/incidents/INC-1").content)["evidence"]["charts"]
        page = daemon.get("/incidents/INC-1").text
    text = issue.body or ""
    assert "`shop:errors > 5`" in text
    assert "🟦 `pod=a`: **7**" in text
    assert "🟧 `pod=b`: **2**" in text
    assert "*Not found:*" not in text
    assert (chart["query"], chart["sign"], chart["bound"]) == ("shop:errors > 5", ">", 5.0)
    assert [(series["labels"]["pod"], series["points"][-1]) for series in chart["series"]] == [("a", 7.0), ("b", 2.0)]
    assert '<polyline class="s0"' in page
