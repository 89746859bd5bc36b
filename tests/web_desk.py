"""A desk on a real store and a real intake, and a client that asks it without a socket or a thread of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from migrated import lay_store
from triaged import rulefiles
from triaged.clock import FakeClock
from triaged.intake.intake import Intake
from triaged.intake.known import Known
from triaged.intake.units import Answer, Delivery, Passed, Rules, Unit
from triaged.metrics import Metrics
from triaged.sources import alertmanager
from triaged.store.store import Store
from triaged.web.api import build
from triaged.web.auth import ApiTokens
from triaged.web.desk import Desk

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
RULES = {
    "triage.yaml": """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname, service]
rules:
- {name: grave, match: ['grave="1"'], impact: extensive, urgency: critical, because: Nobody can pay.}
- {name: serious, match: ['grave="2"'], impact: significant, urgency: high, because: Some cannot pay.}
- {name: light, match: ['grave="4"'], impact: minor, urgency: low, because: Nobody notices.}
- {name: slow, match: ['slow="yes"'], delay: 15m, impact: minor, because: It may pass.}
- {name: break-in, match: ['intruder="yes"'], category: security, impact: significant, because: Somebody is in.}
""",
    "services.yaml": """
services:
  checkout:
    match: ['app="checkout"']
    team: payments
    runbook: https://runbooks.example.com/checkout
    links: {logs: 'https://logs.example.com/?from={{ from }}'}
teams: {platform: {}, payments: {}}
""",
    "severities.yaml": """
sev1:
  targets: {response: 15m, resolution: 4h}
  calendar: always
  compliance: {response: 0.95, resolution: 0.9}
  at_risk: 0.75
  verify_for: 30m
  reopen_within: 24h
  acknowledgement_for: 2h
  close: person
sev2:
  targets: {response: 1h, resolution: 8h}
  calendar: always
  compliance: {response: 0.95, resolution: 0.9}
  at_risk: 0.75
  verify_for: 20m
  reopen_within: 24h
  close: person
sev3:
  targets: {response: 4h, resolution: 3d}
  calendar: always
  compliance: {response: 0.9, resolution: 0.9}
  at_risk: 0.75
  verify_for: 15m
  reopen_within: 24h
  close: daemon
sev4:
  targets: {response: 1bd, resolution: 5d}
  calendar: always
  compliance: {response: 0.9, resolution: 0.9}
  at_risk: 0.75
  verify_for: 10m
  reopen_within: 24h
  close: daemon
""",
    "calendars.yaml": """
business: {zone: Europe/Berlin, hours: {monday-friday: ['09:00-17:00']}}
""",
}
HERE = "http://127.0.0.1:9876"
_JSON = {"content-type": "application/json"}


class WebDesk:
    """The daemon without its threads: `fire` and `resolve` go through the intake, `pass_time` through the deadlines."""

    def __init__(
        self, folder: Path, *, tokens: ApiTokens | None = None, loopback: bool = True, public_url: str = HERE
    ) -> None:
        found = rulefiles.read(RULES)
        policy_files = {n: t for n, t in found.files.items() if n in ("severities.yaml", "calendars.yaml")}
        rules = Rules(rule_set=found.rules, policy=found.policy, files=found.files, policy_files=policy_files)
        lay_store(folder / "triaged.db")
        self.store = Store(f"sqlite:///{folder}/triaged.db", replica="one")
        self.clock = FakeClock(START)
        self.metrics = Metrics()
        self.intake = Intake(
            self.store,
            rules,
            readers={"alertmanager": alertmanager.read},
            read_policy=rulefiles.read_policy,
            known=Known(),
            metrics=self.metrics,
        )
        self.is_ready = True
        self.problems: list[str] = []
        self.instead: Answer | Exception | None = None
        self.desk = Desk(
            store=self.store,
            ask=self._ask,
            clock=self.clock,
            metrics=self.metrics,
            tokens=tokens or ApiTokens(),
            rules=lambda: self.intake.rules,
            public_url=public_url,
            ready=lambda: self.is_ready,
            reload=lambda: self.problems,
            loopback=loopback,
        )
        self.app = build(self.desk)

    # ---- what happens

    def fire(self, name: str, *, annotations: Mapping[str, str] | None = None, **labels: str) -> None:
        self.post_alert({"status": "firing", "labels": {"alertname": name, **labels}, "annotations": annotations or {}})

    def resolve(self, name: str, **labels: str) -> None:
        ends = self.clock.now().isoformat()
        self.post_alert({"status": "resolved", "labels": {"alertname": name, **labels}, "endsAt": ends})

    def post_alert(self, alert: Mapping[str, Any]) -> None:
        alert = {"startsAt": self.clock.now().isoformat(), **alert}
        body = json.dumps({"version": "4", "status": "firing", "alerts": [alert]}).encode()
        answer = self._process(Delivery(id="d", source="alertmanager", body=body))
        assert answer.status == 200, answer

    def pass_time(self, span: timedelta) -> None:
        """Let time pass, and every deadline on the way act at its instant."""
        until = self.clock.now() + span
        while True:
            with self.store.read() as reader:
                deadline = reader.next_due()
            if deadline is None or deadline.due_at > until:
                break
            self.clock.move_to(max(self.clock.now(), deadline.due_at))
            assert self._process(Passed(deadline=deadline)).status == 200
        self.clock.move_to(until)

    def break_store(self) -> None:
        """As if the database had been exchanged for an empty one."""
        with self.store.begin() as transaction:
            for table in ("deadlines", "timeline", "totals", "publications"):
                transaction.connection.exec_driver_sql(f"DROP TABLE {table}")

    # ---- what is asked

    def newest(self) -> str:
        name: str = self.get("/api/v1/incidents?limit=1").json()["incidents"][0]["id"]
        return name

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.send("GET", path, headers=headers)

    def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        """POST JSON; a header's name is written with underscores."""
        content = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("POST", path, content=content, headers={**_JSON, **named})

    def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
                return await client.request(method, path, **request)

        return asyncio.run(ask())

    def close(self) -> None:
        self.store.close()

    def _process(self, unit: Unit) -> Answer:
        return self.intake.process([unit], self.clock.now())[0]

    def _ask(self, unit: Unit) -> Answer:
        if isinstance(self.instead, Exception):
            raise self.instead
        return self.instead or self._process(unit)
