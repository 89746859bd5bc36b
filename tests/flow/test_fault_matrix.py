"""Effectively once, proven: whatever goes wrong with a write, one issue stands, each comment once, nothing is lost.

`tests/faulting.py` says what a life is; run as a program it has the daemon die at every instant of every one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from faulting import CELLS, Cell, live, template

# Every line of it is measured elsewhere: to follow them costs as much time as the lives do.
pytestmark = pytest.mark.no_cover

# Of the server's errors one whose write was done all the same; the program has both of each.
MATRIX = [cell for cell in CELLS if cell.fault not in {"500 after the commit", "502", "503 after the commit"}]


@pytest.fixture(scope="module")
def like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("faults") / "template")


@pytest.mark.parametrize("cell", MATRIX, ids=str)
def test_a_fault_and_a_fault_with_a_death_leave_one_issue_each_comment_once_and_nothing_lost(
    cell: Cell, like: Path
) -> None:
    instants = live(cell, like)
    assert instants > 0
    # Another instant for each cell; `python -m faulting` has them all.
    live(cell, like, kill_at=1 + MATRIX.index(cell) * 7 % instants)
