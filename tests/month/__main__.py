"""Months of virtual time, one for each seed: python -m month FIRST [LAST]. Exits 1 when one of them failed."""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path

from month.month import Plan, live
from triaged import logs
from triaged.clock import seconds


def main(arguments: list[str]) -> int:
    try:
        first = int(arguments[0])
        last = int(arguments[1]) if len(arguments) > 1 else first
    except (ValueError, IndexError):
        print("usage: python -m month FIRST [LAST], two seeds", file=sys.stderr)
        return 2
    logs.set_up(level="critical")
    failed = [seed for seed in range(first, last + 1) if not lived(plan_of(seed))]
    print(f"{last - first + 1 - len(failed)} months are well, {len(failed)} failed" + "".join(f" {s}" for s in failed))
    return 1 if failed else 0


def plan_of(seed: int) -> Plan:
    """The seed decides what kind of month it is."""
    return Plan(seed=seed, pair=seed % 2 == 0, github=seed % 5 == 0, busy=(0.25, 0.5, 1.0)[seed % 3])


def lived(plan: Plan) -> bool:
    began = seconds()
    with tempfile.TemporaryDirectory() as folder:
        try:
            month = live(plan, Path(folder) / "month")
        except Exception:  # noqa: BLE001 - told, with the seed; the other seeds have their turn
            traceback.print_exc()
            print(f"FAILED {plan}; again: make fuzz SEEDS={plan.seed}", flush=True)
            return False
    print(f"{plan}: {month.incidents} incidents, {month.checked} quiet looks, {seconds() - began:.0f} s", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
