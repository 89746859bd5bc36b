"""What GitHub tells a webhook: deliveries pile up, and a test sends them signed, in any order, twice or not at all."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from fakes.github.render import Json, Renderer
from fakes.github.state import Issue, Repository, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooked:
    """One delivery, its body as it was when it happened; a redelivery has the same `id`."""

    id: str
    event: str
    body: bytes


@dataclass(slots=True, kw_only=True)
class Webhooks:
    """All that happened to issues since, oldest first; nobody is called but by `send`."""

    secret: str = "only for tests"
    waiting: list[Hooked] = field(default_factory=list)

    def tell(self, render: Renderer, repository: Repository, issue: Issue, by: User | None, **more: Any) -> None:
        """Something happened: `event` and `action`, and what else the event has."""
        event = more.pop("event")
        payload: Json = {
            "action": more.pop("action"),
            "issue": render.issue(repository, issue),
            "repository": {"id": repository.id, "name": repository.name, "full_name": repository.full_name},
            "sender": None if by is None else render.user(by),
            **more,
        }
        number = f"{len(self.waiting):08x}-0000-4000-8000-{issue.id:012x}"
        self.waiting.append(Hooked(id=number, event=event, body=json.dumps(payload).encode()))

    def send(self, url: str, deliveries: Iterable[Hooked] | None = None) -> Sequence[int]:
        """Post them, or all that wait, signed as GitHub does; the statuses."""
        taken = [*self.waiting] if deliveries is None else [*deliveries]
        if deliveries is None:
            self.waiting.clear()
        with httpx.Client(timeout=10, trust_env=False) as client:
            return [client.post(url, content=one.body, headers=self.headers(one)).status_code for one in taken]

    def headers(self, delivery: Hooked) -> dict[str, str]:
        signature = hmac.new(self.secret.encode(), delivery.body, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/fake",
            "X-GitHub-Delivery": delivery.id,
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Hook-ID": "1",
            "X-Hub-Signature-256": f"sha256={signature}",
        }
