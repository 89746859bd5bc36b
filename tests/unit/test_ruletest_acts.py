"""The acts of people at work in tests of rules: their fields are those of the API, and mistakes have their place."""

from __future__ import annotations

from datetime import timedelta

import pytest

from triaged.core.events import (
    Act,
    Assigned,
    Expected,
    Noted,
    RoleGiven,
    Unacknowledged,
    Updated,
    WorkedAround,
)
from triaged.core.model import Actor, ActorKind, Role
from triaged.errors import Finding
from triaged.replay.ruletests import reading
from triaged.replay.ruletests.cases import Do

ANN = Actor(name="ann", kind=ActorKind.PERSON)


def read(step: str) -> tuple[Act | None, list[Finding]]:
    text = f"- test: t\n  steps:\n  - {{at: 1m, by: ann, {step}}}\n  - {{at: 1m, expect: {{state: open}}}}\n"
    findings: list[Finding] = []
    cases = reading.read("t.yaml", text, findings)
    does = cases[0].steps[0].does if cases else None
    return (does.act if isinstance(does, Do) else None), findings


@pytest.mark.parametrize(
    ("step", "act"),
    [
        ("act: unack, reason: home", Unacknowledged(actor=ANN, reason="home")),
        ("act: assign, to: bob, reason: r", Assigned(actor=ANN, to="bob", reason="r")),
        ("act: role, role: scribe, person: bob", RoleGiven(actor=ANN, role=Role.SCRIBE, person="bob")),
        ("act: note, text: x", Noted(actor=ANN, text="x")),
        (
            "act: update, text: x, eta: 2h, status: s, impact: i, next_steps: n",
            Updated(actor=ANN, text="x", eta_in=timedelta(hours=2), status="s", impact="i", next_steps="n"),
        ),
        ("act: eta, in: 2h", Expected(actor=ANN, lasting=timedelta(hours=2))),
        ("act: eta, none: true", Expected(actor=ANN)),
        ("act: workaround, text: x", WorkedAround(actor=ANN, text="x")),
    ],
)
def test_what_people_do_is_read_with_all_its_fields(step: str, act: Act) -> None:
    assert read(step) == (act, [])


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("act: assign", "expected a key to beside it, got none"),
        ("act: role, person: bob", "expected a key role beside it, got none"),
        ("act: role, role: boss, person: bob", "role: expected commander"),
        ("act: note", "expected a key text beside it, got none"),
        ("act: note, txt: x", "txt"),
        ("act: eta", "expected either `in` or `none: true` beside it"),
        ("act: eta, none: false", "expected either `in` or `none: true` beside it"),
        ("act: eta, in: 2h, none: true", "expected either `in` or `none: true` beside it"),
        ("act: update, text: x, eta: soon", "eta: expected a duration like 15m"),
    ],
)
def test_a_mistake_is_told_with_its_place(step: str, said: str) -> None:
    _, findings = read(step)
    assert any(said in str(one) and "t.yaml:3:" in str(one) for one in findings), [str(one) for one in findings]
