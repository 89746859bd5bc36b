"""Health queries with the real Prometheus: what it answers decides, and the tests' fake answers as it does."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from building import RULES
from e2e.servers import Prometheus, Run, free_address
from fakes.prometheus import FakePrometheus
from triaged.clock import FakeClock, SystemClock
from triaged.config import PrometheusSettings
from triaged.core.model import State
from triaged.prometheus.client import Prometheus as Client
from triaged.prometheus.client import UnansweredError
from triaged.workers.health import EVERY
from waiting import wait_until
from world import alert, settings_for, world

SERVICES = """
services:
  checkout: {match: ['namespace="shop"'], healthy: ['shop:errors < 1']}
teams: {security: {}, platform: {}}
"""
RECORDED = """
groups:
- name: shop
  rules:
  - {{record: 'shop:errors', expr: vector({a}), labels: {{pod: a}}}}
  - {{record: 'shop:errors', expr: vector({b}), labels: {{pod: b}}}}
"""


@pytest.fixture
def prometheus(tmp_path: Path, run: Run) -> Prometheus:
    return run(Prometheus(tmp_path, RECORDED.format(a="0.5", b="7"), alertmanager_address=free_address()))


def said(url: str, query: str) -> list[tuple[dict[str, str], float]]:
    found = asyncio.run(Client(url, lambda: "").instant(query, seconds=5))
    return sorted(
        (({"pod": one.labels.get("pod", "")}, one.value) for one in found), key=lambda pair: (pair[0]["pod"], pair[1])
    )


def test_what_a_real_prometheus_says_keeps_an_incident_watched_until_it_holds(
    tmp_path: Path, prometheus: Prometheus
) -> None:
    wait_until(lambda: len(said(prometheus.url, "shop:errors")) == 2, what="both series")
    rules = tmp_path / "rules"
    shutil.copytree(RULES, rules, ignore=shutil.ignore_patterns("tests"))
    (rules / "services.yaml").write_text(SERVICES)
    asked = PrometheusSettings(url=prometheus.url)
    settings = settings_for(tmp_path).model_copy(update={"rules": rules, "prometheus": asked})
    clock = FakeClock(SystemClock().now())
    with world(settings, clock) as running:
        began = clock.now()
        running.deliver(alert(labels={"namespace": "shop"}, starts=began))
        running.deliver(alert(status="resolved", labels={"namespace": "shop"}, starts=began, ends=began))
        running.settle()
        assert running.incidents()[0].state is State.VERIFYING
        assert any("shop:errors < 1 (7) does not hold" in text for text in running.timeline(1))
        prometheus.use_rules(RECORDED.format(a="0.5", b="0.25"))
        wait_until(lambda: {value for _, value in said(prometheus.url, "shop:errors")} == {0.5, 0.25}, what="health")
        running.advance(EVERY)
        assert any("all health queries hold" in text for text in running.timeline(1))


def test_the_fake_answers_as_the_real_one(prometheus: Prometheus) -> None:
    wait_until(lambda: len(said(prometheus.url, "shop:errors")) == 2, what="both series")
    with FakePrometheus(SystemClock()) as fake:
        fake.says("shop:errors", 0.5, pod="a")
        fake.says("shop:errors", 7, pod="b")
        for query in ("shop:errors", "shop:errors < 1", "shop:errors >= 0.5", "shop:errors == 7", "never:said"):
            assert said(fake.url, query) == said(prometheus.url, query), query
        refusals = []
        for url in (fake.url, prometheus.url):
            with pytest.raises(UnansweredError) as refused:
                said(url, "broken(")
            refusals.append(str(refused.value).partition(" answered ")[2])
    assert refusals[0] == refusals[1]
