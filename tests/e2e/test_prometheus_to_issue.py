"""The main job with real parts: a Prometheus rule fires, Alertmanager delivers, GitHub's fake has the issue."""

from __future__ import annotations

from pathlib import Path

from e2e.servers import Alertmanager, Prometheus, Run
from fakes.github import FakeGitHub
from process.daemon import Daemon
from waiting import wait_until

RULES = """
groups:
- name: shop
  rules:
  - alert: HighErrorRate
    expr: {expression}
    labels: {{severity: warning, cluster: eu-1, namespace: shop, service: search}}
    annotations: {{summary: "{{{{ $value }}}} % of the requests fail", runbook_url: https://runbooks.example.com/errors}}
"""
# Shorter windows than the shipped ones: real time passes here.
POLICY = Path(__file__).parents[2] / "rules"


def short_rules(folder: Path) -> Path:
    """The shipped rules with a verification window of three seconds."""
    rules = folder / "rules"
    rules.mkdir()
    for file in POLICY.glob("*.yaml"):
        text = file.read_text()
        if file.name == "severities.yaml":
            lines = ["  verify_for: 3s" if line.startswith("  verify_for:") else line for line in text.splitlines()]
            text = "\n".join(lines) + "\n"
        (rules / file.name).write_text(text)
    return rules


def test_a_real_rule_that_fires_becomes_an_issue_and_closes_it_when_it_ends(tmp_path: Path, run: Run) -> None:
    rules = short_rules(tmp_path)
    (tmp_path / "daemon").mkdir()
    (tmp_path / "am-token").write_text("a-token\n")
    sources = {"alertmanager": {"tokens_file": str(tmp_path / "am-token")}}
    with (
        FakeGitHub() as github,
        Daemon(tmp_path / "daemon", github=github, rules=str(rules), sources=sources) as daemon,
    ):
        alertmanager = run(
            Alertmanager(
                tmp_path,
                f"{daemon.url}/api/v1/alerts/alertmanager",
                http_config=f"{{authorization: {{credentials_file: '{tmp_path}/am-token'}}}}",
            )
        )
        expression = "vector(7)"
        prometheus = run(
            Prometheus(tmp_path, RULES.format(expression=expression), alertmanager_address=alertmanager.address)
        )
        github.wait_until(lambda fake: len(fake.issues) == 1, seconds=30)
        (issue,) = github.issues
        text = issue.body or ""
        assert "HighErrorRate" in issue.title
        assert "7 % of the requests fail" in text
        assert "https://runbooks.example.com/errors" in text

        prometheus.use_rules(RULES.format(expression="vector(7) > 8"))
        github.wait_until(lambda fake: fake.issue(issue.number).state == "closed", seconds=40)
        wait_until(lambda: len(github.comments(issue.number)) == 1, what="the comment that it is resolved")
        assert len(github.writes) <= 5
        assert daemon.metric("triaged_incidents_resolved_total") == 1
