"""Everybody who is told, as local services: webhooks, a mail server, and two paging services as they would show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import unquote

from fakes.services import Mailbox, Receiver, mail_server

MATRIX = """
matrix:
  extensive: [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate: [sev2, sev3, sev3, sev4]
  minor: [sev3, sev3, sev4, sev4]
"""
TRIAGE = f"""{MATRIX}
default: {{impact: extensive, urgency: critical, category: error, team: platform}}
key: [alertname]
rules: []
"""
"""A triage.yaml by which everything is a Sev-1."""
WHOLE = ["trigger", "acknowledge", "resolve"]
"""How an incident of a paging service goes that called somebody once."""
MEANT = {"news": "channel news", "ops": "channel ops", "mail": "ann"}
"""What timelines call the services that cannot tell what comes twice."""


@dataclass(kw_only=True)
class Town:
    """Ann is on call, and told by mail and by Opsgenie; bob has no address.

    The channels are `news`, `ops` and PagerDuty.
    """

    news: Receiver
    ops: Receiver
    pager: Receiver
    genie: Receiver
    mail: Mailbox

    @property
    def receivers(self) -> tuple[Receiver, ...]:
        return self.news, self.ops, self.pager, self.genie

    @property
    def channels(self) -> dict[str, str]:
        """The URLs of the configuration."""
        return {
            "news": f"json://{self.news.place}/hook",
            "ops": f"json://{self.ops.place}/hook",
            "page": f"pagerduty://thekey?api=http://{self.pager.place}",
        }

    @property
    def services(self) -> str:
        """A services.yaml."""
        return (
            "teams:\n"
            "  platform: {channels: [ops], on_call: {rotation: [ann], handover: 'monday 09:00', zone: UTC}}\n"
            "  stakeholders: {channels: [news]}\n"
            "  management: {channels: [page]}\n"
            "people:\n"
            "  ann:\n"
            "    notify:\n"
            f"    - mailto://{self.mail.place}?from=triaged@example.com&to=ann@example.com\n"
            f"    - opsgenie://thekey?api=http://{self.genie.place}\n"
            "  bob: {}\n"
        )

    def forget(self) -> None:
        for service in self.receivers:
            service.requests.clear()
            service.statuses.clear()
        self.mail.mails.clear()

    def letters(self) -> Counter[tuple[str, str]]:
        """What came to services that cannot tell what comes twice, each by its subject."""
        hooks = (("news", self.news), ("ops", self.ops))
        found = Counter((name, body["title"]) for name, receiver in hooks for body in receiver.bodies)
        return found + Counter(("mail", _subject(mail.content)) for mail in self.mail.mails)

    def pages(self) -> dict[str, list[str]]:
        """How the incident of each paging service went; there must be one of each."""
        keys = {body["dedup_key"] for body in self.pager.bodies}
        keys |= {request.json.get("alias") or unquote(request.path.split("/")[3]) for request in self.genie.requests}
        assert len(keys) <= 1, keys
        verbs = {"acknowledge": "acknowledge", "close": "resolve"}
        last = [one.path.partition("?")[0].rpartition("/")[2] for one in self.genie.requests]
        return {
            "pager": _shown([body["event_action"] for body in self.pager.bodies]),
            "genie": _shown([verbs.get(one, "trigger") for one in last]),
        }


@contextmanager
def town() -> Iterator[Town]:
    with ExitStack() as stack:
        receivers = {name: stack.enter_context(Receiver()) for name in ("news", "ops", "pager", "genie")}
        yield Town(mail=stack.enter_context(mail_server()), **receivers)


def _shown(acts: Sequence[str]) -> list[str]:
    """The states of an incident at a paging service: of a key that is open there a trigger calls nobody again."""
    states: list[str] = []
    for act in acts:
        last = states[-1] if states else "resolve"
        if (act == "trigger" and last == "resolve") or (act != "trigger" and last not in (act, "resolve")):
            states.append(act)
    return states


def _subject(content: bytes) -> str:
    (line,) = [line for line in content.decode().splitlines() if line.startswith("Subject: ")]
    return line.removeprefix("Subject: ")
