"""A month of virtual time with random outages of Prometheus, Alertmanager, network and us; tests/month tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from month.month import Plan, live

PLANS = [Plan(seed=1, busy=0.25), Plan(seed=2, pair=True, busy=0.25), Plan(seed=3, pair=True, github=True, busy=0.15)]


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_after_a_month_of_outages_what_is_open_is_what_fires(tmp_path: Path, plan: Plan) -> None:
    month = live(plan, tmp_path)
    # That the month was one: incidents came and went, things broke, and nothing was checked in vain.
    assert month.incidents > 10
    assert month.checked > 500
    assert sum("breaks" in line for line in month.log) > 10
