"""Silences with real Alertmanagers: made once, seen, acknowledging, removed; and that the fake does as they do.

The daemon's clock is the test's and starts at the real time, as a real Alertmanager's silences are of real time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e.servers import Run
from e2e.test_reconciliation import MINUTE, PARTS, Real, daemon, shape
from fakes.alertmanager import FakeAlertmanager
from triaged.alertmanagers.client import Client
from triaged.clock import FakeClock, SystemClock
from triaged.core.events import CloseAsked, Record, SilenceAsked
from triaged.core.model import CloseReason, State
from triaged.errors import DeliveryError
from waiting import wait_until
from world import ANN, World

HOSTILE = '.*"} or {x=~"\n\\ 🦄'


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(SystemClock().now())


def live(real: Real) -> list[dict[str, Any]]:
    told = json.loads(real.get("/api/v2/silences"))
    return [one for one in told if one["status"]["state"] != "expired"]


def held(real: Real, name: str) -> str:
    state: str = real.held()[name]["status"]["state"]
    return state


def silence(one: World, incident_id: int = 1) -> None:
    asked = SilenceAsked(actor=ANN, lasting=timedelta(hours=2), reason="the deploy")
    answer = one.act(incident_id, asked)
    assert answer.status == 200, answer.error
    one.settle()


def close(one: World) -> None:
    one.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
    one.settle()


@pytest.mark.parametrize("part", PARTS)
def test_the_act_silences_acknowledges_and_is_removed_at_the_close(
    tmp_path: Path, clock: FakeClock, run: Run, part: str
) -> None:
    real = run(Real(tmp_path, part))
    real.fire("Slow", namespace=HOSTILE)
    real.fire("Slow2", namespace=HOSTILE)
    with daemon(tmp_path, clock, real) as one:
        (slow,) = [incident.id for incident in one.incidents() if incident.title.startswith("Slow ")]
        silence(one, slow)
        (made,) = live(real)
        assert {m["name"]: m["value"] for m in made["matchers"]} == {
            "alertname": "Slow",
            "cluster": "eu-1",
            "namespace": HOSTILE,
            "service": "",
        }
        assert {(m["isRegex"], m["isEqual"]) for m in made["matchers"]} == {(False, True)}
        assert made["createdBy"] == "ann"
        assert made["comment"].startswith(f"INC-{slow}: the deploy (by ann) [triaged ")
        wait_until(lambda: held(real, "Slow") == "suppressed", what="the silence to work")
        assert held(real, "Slow2") == "active"
        one.advance(2 * MINUTE)
        states = {incident.title.split(" ")[0]: incident for incident in one.incidents()}
        assert (states["Slow"].state, states["Slow"].acknowledged_by) == (State.ACKNOWLEDGED, "ann")
        assert states["Slow2"].state is State.OPEN
        one.act(slow, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
        one.settle()
        assert live(real) == []
        wait_until(lambda: held(real, "Slow") == "active", what="the silence to end")


@pytest.mark.parametrize("part", PARTS)
def test_a_lost_answer_leaves_one_silence(
    tmp_path: Path, clock: FakeClock, run: Run, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = run(Real(tmp_path, part))
    real.fire("Slow")
    makes = Client.make_silence
    made: list[str] = []

    def loses(self: Client, wanted: Mapping[str, Any]) -> str:
        made.append(makes(self, wanted))
        raise DeliveryError("no answer", reason="unreachable", ambiguous=True)

    monkeypatch.setattr(Client, "make_silence", loses)
    with daemon(tmp_path, clock, real) as one:
        silence(one)
    with daemon(tmp_path, clock, real) as one:
        one.advance(MINUTE)
        assert [found["id"] for found in live(real)] == made
        assert len(made) == 1
        close(one)
        assert live(real) == []


@pytest.mark.parametrize("part", PARTS)
def test_in_a_pair_one_member_is_told_and_all_keep_quiet(tmp_path: Path, clock: FakeClock, run: Run, part: str) -> None:
    first = run(Real(tmp_path / "a", part))
    second = run(Real(tmp_path / "b", part, peer=first.cluster))
    for member in (first, second):
        member.fire("Slow")
    wait_until(lambda: len(json.loads(first.get("/api/v2/status"))["cluster"]["peers"]) == 2, what="the cluster")
    with daemon(tmp_path, clock, first, second) as one:
        silence(one)
        wait_until(lambda: len(live(second)) == 1, what="the other member to hear of it")
        wait_until(lambda: held(second, "Slow") == "suppressed", what="the silence to work")
        first.stop()
        close(one)
        one.advance(MINUTE)
        assert live(second) == []


@pytest.mark.parametrize("part", PARTS)
def test_a_silence_that_a_person_ended_and_one_that_alertmanager_refuses_do_no_harm(
    tmp_path: Path, clock: FakeClock, run: Run, part: str
) -> None:
    real = run(Real(tmp_path, part))
    real.fire("Slow")
    with daemon(tmp_path, clock, real) as one:
        silence(one)
        client = Client(real.url, lambda: "")
        (made,) = live(real)
        client.remove_silence(made["id"])
        one.advance(2 * MINUTE)
        assert one.incidents()[0].state is State.OPEN
        close(one)
        assert any(text.startswith("closed by ann") for text in one.timeline(1)[-3:])
        with pytest.raises(DeliveryError, match="expected 200, got 400") as refused:
            client.make_silence({"matchers": [], "startsAt": "x"})
        assert refused.value.reason == "refused"


@pytest.mark.parametrize("part", PARTS)
def test_the_fake_takes_and_answers_changes_as_the_real_one(
    tmp_path: Path, clock: FakeClock, run: Run, part: str
) -> None:
    real = run(Real(tmp_path, part))
    real.fire("Slow")
    with daemon(tmp_path, clock, real) as one:
        silence(one)
    told = live(real)
    with FakeAlertmanager(clock) as fake:
        wanted = {name: told[0][name] for name in ("matchers", "startsAt", "endsAt", "createdBy", "comment")}
        status, body = fake.change("POST /api/v2/silences", json.dumps(wanted).encode())
        assert (status, set(json.loads(body))) == (200, {"silenceID"})
        _, listed = fake.answer("/api/v2/silences")
        assert shape(json.loads(listed)) <= shape(told)
        status, _ = fake.change("DELETE /api/v2/silence/silence-1", b"")
        assert status == 200
