"""A Sev-1 from its first alert to its closing with a real daemon over HTTP: kill -9 changes nothing of how it goes."""

from __future__ import annotations

import re
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random  # noqa: TID251 - a seed makes a failure happen again
from typing import Any

import httpx
import pytest

from process.daemon import Daemon
from town import MEANT, TRIAGE, WHOLE, Town, town
from triaged.clock import SystemClock
from waiting import wait_until
from world import alert, body

KILLS = 3
NOW = SystemClock().now
SECONDS = 60
ASKED_FOR = ("notified", "evidence")
"""Entries of what workers asked others: they come when the answers come."""
TWICE = r"; [^;]* perhaps told twice, for it is not known whether the first one arrived"
COUNTERS = ("triaged_incidents_", "triaged_sla_", "triaged_escalations_total", "triaged_episodes_total")
# The response is breached by the time that anybody is called a second time, and of the second level nobody can be:
# whatever the machine is busy with, and however long the daemon is dead, this goes one way.
SEVERITIES = """
sev1:
  targets: {response: 1s, resolution: 1h}
  compliance: {response: 0.95, resolution: 0.9}
  verify_for: 2s
  acknowledgement_for: 2h
  close: person
  update_every: 30m
  escalation:
  - {after: 0s, notify: [on_call, management]}
  - {after: 20m, notify: [bob]}
  - {after: 30m, notify: [on_call, management], repeat: 1h}
"""
OTHERS = """
{}:
  targets: {{response: 1h, resolution: 8h}}
  compliance: {{response: 0.95, resolution: 0.9}}
  verify_for: 2s
  close: daemon
"""
EXPECTED = {
    ("news", "INCIDENT ALERT - [Service Name]"),
    ("news", "INCIDENT UPDATE - [Service Name]"),
    ("news", "INCIDENT RESOLVED - [Service Name]"),
    ("ops", "INCIDENT UPDATE - [Service Name]"),
    ("ops", "INC-1 is resolved: Down"),
    ("mail", "INC-1 Critical: Down"),
    ("mail", "INC-1 Critical needs you: Down"),
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a play, without its instants."""

    incident: Mapping[str, Any]
    timeline: list[tuple[str, str, str]]
    told: Counter[str]
    counters: Mapping[str, float]
    marked: str


def daemon_for(folder: Path, people: Town) -> Daemon:
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "severities.yaml").write_text(SEVERITIES + "".join(map(OTHERS.format, ("sev2", "sev3", "sev4"))))
    (rules / "triage.yaml").write_text(TRIAGE)
    (rules / "services.yaml").write_text(people.services)
    channels = {name: {"url": url} for name, url in people.channels.items()}
    return Daemon(folder, rules=str(rules), channels=channels)


class Play:
    """What people and Alertmanager do, each until it is done: whoever got no answer looks, and asks again."""

    def __init__(self, daemon: Daemon, people: Town) -> None:
        self.daemon = daemon
        self.people = people

    def whole(self) -> None:
        began = NOW()
        self._until(lambda: self._deliver(alert("Down", starts=began)))
        self._until(lambda: len(self.people.mail.mails) >= 2 and self._tells("level 3 of 3"))
        self._until(lambda: self._act("ack", {"by": "ann"}, "acknowledged by ann"))
        self._until(lambda: self._act("update", {"by": "ann", "text": "We know why."}, "update by ann"))
        self._until(lambda: self.people.letters()["ops", "INCIDENT UPDATE - [Service Name]"])
        self._until(lambda: self._deliver(alert("Down", "resolved", starts=began, ends=NOW())))
        self._until(lambda: self._show()["state"] == "resolved")
        self._until(lambda: self._act("close", {"by": "ann", "root_cause": "A full disk."}, "closed by ann"))
        self._until(lambda: set(self.people.letters()) >= EXPECTED and self._is_told_everywhere())

    def outcome(self) -> Outcome:
        shown = self._show()
        entries = [(one["entry"], one["by"], _timeless(one["text"])) for one in shown["timeline"]]
        told = [text for entry, _, text in entries if entry == "notified"]
        samples = (line.rpartition(" ") for line in self.daemon.get("/metrics").text.splitlines())
        return Outcome(
            incident={
                **{name: shown[name] for name in ("id", "state", "severity", "round", "firing", "acknowledged_by")},
                **{name: shown[name] for name in ("closed_by", "close_reason", "root_cause", "missing")},
                **{name: shown[name]["outcome"] for name in ("response", "resolution")},
            },
            timeline=[one for one in entries if one[0] not in ASKED_FOR],
            told=Counter(re.sub(TWICE, "", text) for text in told),
            counters={name: float(value) for name, _, value in samples if name.startswith(COUNTERS)},
            marked=" ".join(re.findall(TWICE, " ".join(told))),
        )

    def _is_told_everywhere(self) -> bool:
        if self.people.pages() != {"pager": WHOLE, "genie": WHOLE}:
            return False
        with sqlite3.connect(self.daemon.folder / "triaged.db") as store:
            waiting = "SELECT (SELECT count(*) FROM messages WHERE done_at IS NULL) + "
            waiting += "(SELECT count(*) FROM notices WHERE done_at IS NULL)"
            (left,) = store.execute(waiting).fetchone()
        store.close()
        return bool(left == 0)

    def _until(self, done: Callable[[], object]) -> None:
        """Ask again and again; while the daemon is dead nobody answers."""

        def answered() -> object:
            try:
                return done()
            except httpx.HTTPError:
                return False

        wait_until(answered, seconds=SECONDS, what="the next step of the play")

    def _deliver(self, one: Mapping[str, Any]) -> bool:
        return self.daemon.deliver(body([one])).is_success

    def _act(self, act: str, fields: Mapping[str, str], entry: str) -> bool:
        if not self._tells(entry):
            assert self.daemon.post(f"/api/v1/incidents/INC-1/{act}", json=fields).is_success
        return True

    def _tells(self, words: str) -> bool:
        return any(words in one["text"] for one in self._show()["timeline"])

    def _show(self) -> dict[str, Any]:
        answer = self.daemon.get("/api/v1/incidents/INC-1")
        answer.raise_for_status()
        shown: dict[str, Any] = answer.json()
        return shown


def _timeless(text: str) -> str:
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "…", text)
    return re.sub(r"\d+ (s|min|h)\b", "…", text)


class Reaper:
    """Kills a daemon at random instants and starts it again: every other time while an answer to it is under way."""

    def __init__(self, daemon: Daemon, people: Town, seed: int) -> None:
        self._daemon = daemon
        self._people = people
        self._random = Random(seed)
        self._over = threading.Event()
        self._failed: list[BaseException] = []
        self.kills = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        thread = threading.Thread(target=self._reap)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
        assert not self._failed, self._failed

    def _reap(self) -> None:
        try:
            while self.kills < KILLS and not self._over.is_set():
                if self.kills % 2:
                    self._over.wait(self._random.uniform(0, 1.5))
                    self._kill()
                else:
                    self._kill_in_flight(self._random.choice(self._people.receivers))
                self.kills += 1
        except BaseException as error:  # noqa: BLE001 - told to the test, which fails with it
            self._failed.append(error)

    def _kill_in_flight(self, to: Any) -> None:
        """When it was sent something, and was not answered; where nothing comes for a while, then."""
        before = len(to.requests)
        to.slow = answers = threading.Event()
        try:
            deadline = time.monotonic() + self._random.uniform(0.5, 2)
            wait_until(lambda: len(to.requests) > before or time.monotonic() > deadline or self._over.is_set())
            self._daemon.end(signal.SIGKILL)
        finally:
            to.slow = None
            answers.set()
        self._daemon.start()

    def _kill(self) -> None:
        self._daemon.end(signal.SIGKILL)
        self._daemon.start()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """How it goes when nobody is killed."""
    with town() as people, daemon_for(tmp_path_factory.mktemp("undisturbed"), people) as daemon:
        play = Play(daemon, people)
        play.whole()
        assert people.letters() == Counter(EXPECTED)
        outcome = play.outcome()
    assert outcome.marked == ""
    return outcome


def test_a_sev1_goes_from_its_alert_to_its_closing(undisturbed: Outcome) -> None:
    assert undisturbed.incident == {
        "id": "INC-1",
        "state": "closed",
        "severity": "sev1",
        "round": 1,
        "firing": 0,
        "acknowledged_by": "ann",
        "closed_by": "ann",
        "close_reason": "completed",
        "root_cause": "A full disk.",
        "missing": ["summary", "fix", "prevention"],
        "response": "breached",
        "resolution": "met",
    }
    assert undisturbed.told == Counter(
        {
            "initial notification: channel news told": 1,
            "opened: ann, channel page told": 1,
            "nobody is told (escalated): the rules have no address of bob": 1,
            "escalated: ann, channel page told": 1,
            "status update: channel news, channel ops told": 1,
            "resolved: channel ops told": 1,
            "resolution notice: channel news told": 1,
        }
    )


def test_kill_9_at_random_instants_changes_no_outcome_and_loses_no_message(
    undisturbed: Outcome, tmp_path: Path
) -> None:
    with town() as people, daemon_for(tmp_path, people) as daemon:
        play, reaper = Play(daemon, people), Reaper(daemon, people, seed=1)
        with reaper.at_work():
            play.whole()
        outcome = play.outcome()
        letters = people.letters()
        pages = people.pages()
    assert reaper.kills
    assert outcome.incident == undisturbed.incident
    assert outcome.timeline == undisturbed.timeline
    assert outcome.told == undisturbed.told
    assert outcome.counters == undisturbed.counters
    assert set(letters) == EXPECTED
    assert {name for (name, _), times in letters.items() if times > 1 and MEANT[name] not in outcome.marked} == set()
    assert pages == {"pager": WHOLE, "genie": WHOLE}
