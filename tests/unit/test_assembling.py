"""The people of a major incident come together once: who asks for it, and what is shown of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from building import incident
from playing import ANN, POLICY, Play, Played, choose, close, entries, publishes, told
from triaged.core.assembling import is_wanted, link
from triaged.core.effects import Assemble
from triaged.core.events import Assembled, RoleGiven
from triaged.core.model import Entry, Role, Severity, State

SEV1, SEV2, SEV3, SEV4 = Severity
LINK = "https://meet.example.com/{{ incident }}"
MEETS = replace(
    POLICY, severities={**POLICY.severities, SEV1: replace(POLICY.severities[SEV1], bridge=LINK, roles=tuple(Role))}
)
MET = Assembled(bridge="https://meet.example.com/INC-1", commander="ann")


def started(severity: Severity = SEV1) -> Play:
    play = Play(MEETS)
    play.fire(says=severity)
    return play


def wanted(played: Iterable[Played]) -> list[int]:
    effects = (effect for one in played for effect in one.decision.effects)
    return [effect.incident_id for effect in effects if isinstance(effect, Assemble)]


def test_it_is_asked_for_when_such_a_severity_opens_and_once() -> None:
    play = started()
    assert wanted(play.played) == [1]
    play.fire("Other", says=SEV1)
    play.to(60)
    assert wanted(play.played) == [1]


def test_another_severity_asks_for_nothing_until_it_is_raised() -> None:
    play = started(SEV2)
    play.to(10)
    assert wanted(play.played) == []
    assert wanted(play.act(choose(SEV1))) == [1]


def test_a_severity_with_roles_and_no_bridge_asks_for_a_commander() -> None:
    policy = replace(MEETS, severities={**MEETS.severities, SEV1: replace(MEETS.severities[SEV1], bridge="")})
    play = Play(policy)
    play.fire(says=SEV1)
    assert wanted(play.played) == [1]
    played = play.tell(Assembled(commander="ann"))
    assert told(played) == ["incident commander: ann, who is on call for payments"]
    assert play.incident.process.assembled_at == play.now


def test_the_bridge_and_who_is_on_call_are_shown_and_told() -> None:
    play = started()
    played = play.tell(MET)
    process = play.incident.process
    assert (process.bridge, process.roles, process.assembled_at) == (MET.bridge, {Role.COMMANDER: "ann"}, play.now)
    assert told(played) == ["incident commander: ann, who is on call for payments", f"bridge: {MET.bridge}"]
    assert [one.urgent for one in publishes(played)] == [True]


def test_what_is_told_twice_counts_once() -> None:
    play = started()
    play.tell(MET)
    before = play.incident
    played = play.tell(Assembled(bridge="https://elsewhere.example.com", commander="bob"))
    assert (play.incident, told(played), publishes(played)) == (before, [], [])


def test_who_commands_already_goes_on() -> None:
    play = started()
    play.act(RoleGiven(actor=ANN, role=Role.COMMANDER, person="cem"))
    assert told(play.tell(MET)) == [f"bridge: {MET.bridge}"]
    assert play.incident.process.roles == {"commander": "cem"}


def test_other_roles_stay_with_whoever_has_them_behind_the_commander() -> None:
    play = started()
    play.act(RoleGiven(actor=ANN, role=Role.SCRIBE, person="cem"))
    play.tell(MET)
    assert list(play.incident.process.roles.items()) == [("commander", "ann"), ("scribe", "cem")]


def test_where_nobody_is_on_call_the_timeline_says_so() -> None:
    play = started()
    played = play.tell(Assembled(bridge=MET.bridge))
    assert told(played, Entry.ROLE) == ["incident commander: nobody yet, for nobody is on call for payments"]
    assert play.incident.process.roles == {}


def test_a_severity_that_asks_for_no_commander_gets_none() -> None:
    only = replace(MEETS.severities[SEV1], roles=(Role.SCRIBE,))
    play = Play(replace(MEETS, severities={**MEETS.severities, SEV1: only}))
    play.fire(says=SEV1)
    assert told(play.tell(MET)) == [f"bridge: {MET.bridge}"]


def test_a_bridge_that_is_tried_again_is_told_and_somebody_commands_meanwhile() -> None:
    play = started()
    played = play.tell(Assembled(commander="ann", failure="expected 200, got 500", again=True))
    assert told(played, Entry.BRIDGE) == ["no bridge yet: expected 200, got 500; it is tried again"]
    assert (play.incident.process.roles, play.incident.process.assembled_at) == ({"commander": "ann"}, None)
    assert told(play.tell(MET)) == [f"bridge: {MET.bridge}"]


def test_a_bridge_that_is_given_up_is_told_and_not_asked_for_again() -> None:
    play = started()
    assert told(play.tell(Assembled(failure="no answer", again=True)), Entry.ROLE) == []
    played = play.tell(Assembled(failure="no answer"))
    assert told(played) == [
        "incident commander: nobody yet, for nobody is on call for payments",
        "no bridge: no answer",
    ]
    assert not is_wanted(play.incident, MEETS)


def test_what_is_found_when_it_is_over_is_of_no_use() -> None:
    play = started()
    play.act(close())
    assert told(play.tell(MET)) == []
    assert play.incident.process.bridge == ""


def test_what_is_folded_has_its_parents_and_what_is_watched_keeps_its_own() -> None:
    grave = incident(severity=SEV1, judged=SEV1)
    assert is_wanted(grave, MEETS)
    assert not is_wanted(changed(grave, parent=3), MEETS)
    assert not is_wanted(changed(grave, state=State.VERIFYING), MEETS)
    play = started()
    play.resolve()
    assert Entry.BRIDGE in entries(play.tell(MET))


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ("https://m.example.com/{{ incident }}", "https://m.example.com/INC-12"),
        ("https://m.example.com/{{incident}}?of={{ incident }}", "https://m.example.com/INC-12?of=INC-12"),
        ("https://m.example.com/room", "https://m.example.com/room"),
        ("https://m.example.com/{{ incident.title }}", "https://m.example.com/{{ incident.title }}"),
    ],
)
def test_nothing_but_the_name_is_put_into_the_link(template: str, made: str) -> None:
    assert link(template, incident()) == made


@given(st.text(max_size=60))
def test_no_text_of_others_gets_into_the_link(title: str) -> None:
    assert link(LINK, incident(title=title, service=title)) == "https://meet.example.com/INC-12"


def test_where_there_is_nothing_to_tell_nothing_is_published() -> None:
    policy = replace(MEETS, severities={**MEETS.severities, SEV1: replace(MEETS.severities[SEV1], bridge="")})
    play = Play(policy)
    play.fire(says=SEV1)
    play.act(RoleGiven(actor=ANN, role=Role.COMMANDER, person="cem"))
    played = play.tell(Assembled(commander="ann"))
    assert (told(played), publishes(played)) == ([], [])
    assert not is_wanted(play.incident, policy)
