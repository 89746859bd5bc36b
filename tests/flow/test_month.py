"""A month of virtual time with random outages of Prometheus, Alertmanager, network and us; tests/month tells it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from month.month import Plan, live

# Every line of it is measured elsewhere: to follow them costs as much time as the lives do.
pytestmark = pytest.mark.no_cover

PLANS = [Plan(seed=405, pair=True, github=True, busy=0.1), Plan(seed=402, days=7, busy=0.6)]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What a month logs costs as much time as the month."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_after_a_month_of_outages_what_is_open_is_what_fires(tmp_path: Path, plan: Plan) -> None:
    month = live(plan, tmp_path)
    # That the month was one: incidents came and went, things broke, and nothing was checked in vain.
    assert month.incidents > 10
    assert month.checked > 100
    assert sum("breaks" in line for line in month.log) > 10
