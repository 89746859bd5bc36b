"""Effectively once, proven: whatever goes wrong with a write, one issue stands at the end, each comment once, nothing is lost.

`tests/faulting.py` says what a life is; run as a program it has the daemon die at every instant of every one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from faulting import CELLS, Cell, live, template


@pytest.fixture(scope="module")
def like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("faults") / "template")


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_fault_leaves_one_issue_each_comment_once_and_nothing_lost(cell: Cell, like: Path) -> None:
    assert live(cell, like) > 0
