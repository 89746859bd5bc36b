#!/usr/bin/env python3
"""Recorded alerts replayed per second by `triaged backtest`, and the memory of its processes.

usage: backtest.py [--alerts 1000000] [--pods 20000] [--rules DIR] [--folder DIR]
A history of random firings and ends, one alert a delivery, each at an instant of its own, is written into a new store
in --folder (default: the temporary folder); the replays lie in TMPDIR. Prints one line.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import connect

from triaged import rulefiles
from triaged.core.keys import fingerprint
from triaged.store.codec import to_us
from triaged.store.store import Store

NAMES = ("HighErrorRate", "KubePodCrashLooping", "KubeNodeNotReady", "LatencyP99High", "NodeFilesystemSpaceFillingUp")
START = datetime(2026, 1, 1, tzinfo=UTC)
INSERT = (
    "INSERT INTO alert_records (delivery, received_at, source, fingerprint, fate, reason, rule_set, raw)"
    " VALUES (?, ?, 'alertmanager', ?, ?, '', ?, ?)"
)


def alerts(number: int, pods: int, rule_set: str) -> Iterator[tuple[object, ...]]:
    """Rows of recorded alerts, one every two seconds or so."""
    chance = random.Random(1)
    at = START
    firing: dict[int, datetime] = {}
    for count in range(number):
        at += timedelta(seconds=chance.expovariate(0.5))
        pod = chance.randrange(pods)
        labels = {
            "alertname": NAMES[pod % len(NAMES)],
            "namespace": f"team-{pod % 2_000}",
            "pod": f"pod-{pod}",
            "cluster": "eu-1",
            "severity": ("critical", "warning", "info")[pod % 3],
        }
        starts = firing.pop(pod, None)
        if starts is None:
            firing[pod] = at
        raw = {
            "status": "firing" if starts is None else "resolved",
            "labels": labels,
            "annotations": {"summary": f"{labels['pod']} does not do what it should.", "description": "x" * 120},
            "startsAt": (starts or at).isoformat(),
            "endsAt": "0001-01-01T00:00:00Z" if starts is None else at.isoformat(),
            "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
        }
        fate = "began" if starts is None else "ended"
        yield f"d{count}", to_us(at), fingerprint("alertmanager", labels), fate, rule_set, json.dumps(raw).encode()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--alerts", type=int, default=1_000_000)
    options.add_argument("--pods", type=int, default=20_000)
    options.add_argument("--rules", type=Path, default=Path(__file__).resolve().parents[2] / "rules")
    options.add_argument("--folder", type=Path, default=None)
    chosen = options.parse_args()
    files = rulefiles.load(chosen.rules)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        file = Path(folder) / "triaged.db"
        store = Store(f"sqlite:///{file}")
        store.migrate()
        store.close()
        with closing(connect(file)) as connection:
            connection.execute(
                "INSERT INTO rule_sets VALUES (?, ?, ?)", (files.hash, json.dumps(dict(files.files)), to_us(START))
            )
            connection.executemany(INSERT, alerts(chosen.alerts, chosen.pods, files.hash))
            connection.commit()
        config = Path(folder) / "config.yaml"
        config.write_text(f"store: sqlite:///{file}\n", encoding="utf-8")
        command = [sys.executable, "-m", "triaged", "backtest", "--rules", str(chosen.rules), "--config", str(config)]
        before = time.perf_counter()
        subprocess.run([*command, "--format", "markdown"], check=True, stdout=sys.stderr)
        took = time.perf_counter() - before
    # Linux tells of the largest of all children; the two replays are the largest.
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{chosen.alerts:,} alerts in {took:.0f} s, both replays and the comparison: {chosen.alerts / took:,.0f} a"
        f" second on {os.cpu_count()} processors; the largest process took {largest:.0f} MB"
    )


if __name__ == "__main__":
    main()
