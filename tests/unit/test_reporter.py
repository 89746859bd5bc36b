"""Who reported an incident by opening its issue: what they are asked, when it is closed then, and what they may do."""

from __future__ import annotations

from dataclasses import replace as changed
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from building import incident as made
from building import minutes
from playing import ANN, POLICY
from triaged.core import reporter, verification
from triaged.core.commanding import HELP, Command, Refused, answer, heeds
from triaged.core.draft import Context, Decision
from triaged.core.effects import Comment, CommentKind, PublishIssue
from triaged.core.events import (
    Acknowledged,
    Act,
    Adopted,
    CloseAsked,
    DeadlinePassed,
    FoldAsked,
    MergeAsked,
    Noted,
    Record,
    ReopenAsked,
    Said,
    SplitAsked,
)
from triaged.core.lifecycle import decide
from triaged.core.model import Actor, ActorKind, CloseReason, DeadlineKind, Fold, Incident, Reporter, Severity, State
from triaged.core.objectives import standing
from triaged.core.sla import Policy

A_DAY = timedelta(days=1)
URL = "https://github.com/acme/incidents/issues/7"
ZOE = Reporter(login="Zoe-Acme", name="zoe")


def policy(**changes: Any) -> Policy:
    """All severities with these changes."""
    return changed(POLICY, severities={one: changed(of, **changes) for one, of in POLICY.severities.items()})


def questions(decision: Decision) -> list[Comment]:
    kinds = (CommentKind.LIKE, CommentKind.WORKS_AGAIN)
    return [one for one in decision.effects if isinstance(one, Comment) and one.kind in kinds]


def adopted(incident: Incident, like: int | None = None) -> Decision:
    event = Adopted(actor=ANN, login="ann-acme", url=URL, like=like)
    return decide(incident, event, Context(policy=POLICY), minutes(1))


def resolves(ask_reporter_for: timedelta | None = A_DAY, **changes: Any) -> Decision:
    """INC-12, reported by zoe, is quiet for its window: what follows."""
    incident = made(
        state=State.VERIFYING,
        former_state=State.OPEN,
        acknowledged_at=minutes(2),
        firing=0,
        restored_at=minutes(10),
        last_ended_at=minutes(10),
        **changes,
    )
    if "process" not in changes:
        incident = replace(incident, process=replace(incident.process, reporter=ZOE))
    due_at = verification.due_at(incident, POLICY)
    assert due_at is not None
    event = DeadlinePassed(kind=DeadlineKind.VERIFICATION, due_at=due_at)
    return decide(incident, event, Context(policy=policy(ask_reporter_for=ask_reporter_for)), due_at)


@pytest.mark.parametrize("like", [None, 5])
def test_who_opened_the_issue_is_kept_and_asked_once_where_it_may_be_another_problem(like: int | None) -> None:
    decision = adopted(made(), like)
    process = decision.incident.process
    assert (process.reporter, process.like) == (Reporter(login="ann-acme", name="ann"), like)
    assert PublishIssue(incident_id=12, urgent=True) in decision.effects
    assert [("INC-5" in one.text, one.key) for one in questions(decision)] == [(True, "like:INC-5")] * (
        like is not None
    )
    (told,) = decision.timeline
    assert URL in told.text
    assert ("INC-5" in told.text) == (like is not None)


def test_of_what_waits_to_open_nothing_shows_on_the_issue() -> None:
    decision = adopted(made(state=State.PENDING, opened_at=None), 5)
    assert decision.effects == ()
    assert decision.incident.process.reporter is not None


def test_what_was_folded_at_once_shows_that_on_the_issue() -> None:
    decision = adopted(made(parent=3, fold=Fold.DEPENDENCY))
    assert PublishIssue(incident_id=12, urgent=True) in decision.effects


@pytest.mark.parametrize("restricted", [False, True])
def test_who_reported_it_is_asked_before_the_daemon_closes_it(restricted: bool) -> None:
    decision = resolves(close="daemon", restricted=restricted)
    resolved = decision.incident
    assert resolved.state is State.RESOLVED
    assert resolved.process.asked_until == resolved.resolved_at + A_DAY if resolved.resolved_at else False
    (question,) = questions(decision)
    assert "/close" in question.text
    assert "/reopen" in question.text
    (due,) = [one for one in standing(resolved, POLICY) if one.kind is DeadlineKind.REPORTER]
    passed = DeadlinePassed(kind=DeadlineKind.REPORTER, due_at=due.due_at)
    closed = decide(resolved, passed, Context(policy=policy(ask_reporter_for=A_DAY)), due.due_at)
    assert (closed.incident.state, closed.incident.closed_by) == (State.CLOSED, "triaged")
    assert questions(closed) == []
    assert [one for one in standing(closed.incident, POLICY) if one.kind is DeadlineKind.REPORTER] == []


def test_what_a_person_closes_has_no_such_time_but_the_question() -> None:
    decision = resolves(close="person")
    assert decision.incident.state is State.RESOLVED
    assert decision.incident.process.asked_until is None
    assert len(questions(decision)) == 1


@pytest.mark.parametrize(
    "changes", [{"ask_reporter_for": None}, {"process": made().process}, {"parent": 3, "fold": Fold.MERGE}]
)
def test_else_nobody_is_asked_and_the_daemon_closes_at_once(changes: dict[str, Any]) -> None:
    decision = resolves(close="daemon", **changes)
    assert decision.incident.state is State.CLOSED
    assert questions(decision) == []


def test_each_resolution_asks_anew() -> None:
    first = resolves(close="daemon").incident
    again = decide(first, ReopenAsked(actor=ANN, reason="no"), Context(policy=POLICY), minutes(60)).incident
    assert [one for one in standing(again, POLICY) if one.kind is DeadlineKind.REPORTER] == []
    second = resolves(close="daemon", round=again.round, process=again.process)
    assert questions(second)[0].key != questions(resolves(close="daemon"))[0].key


CLOSES = CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record())


@pytest.mark.parametrize(
    ("act", "may"),
    [
        (CLOSES, True),
        (ReopenAsked(actor=ANN), True),
        (Noted(actor=ANN, text="It began at noon."), True),
        (SplitAsked(actor=ANN), True),
        (MergeAsked(actor=ANN, into=5), True),
        (MergeAsked(actor=ANN, into=6), False),
        (Acknowledged(actor=ANN), False),
    ],
)
def test_who_reported_it_may_say_that_it_is_over_or_not_and_join_what_was_offered(act: Act, may: bool) -> None:
    incident = made(severity=Severity.SEV2)
    reported = replace(incident, process=replace(incident.process, reporter=ZOE, like=5))
    assert reporter.may(reported, "zoe-acme", act) is may
    assert not reporter.may(reported, "eve", act)
    assert not reporter.may(incident, "zoe-acme", act)


def test_what_may_be_the_same_is_named_with_its_title() -> None:
    event = Adopted(actor=ANN, login="ann-acme", url=URL, like=5, titled="Nobody can pay")
    (question,) = questions(decide(made(), event, Context(policy=POLICY), minutes(1)))
    assert "INC-5 (Nobody can pay) looks like the same problem" in question.text


# ---------------------------------------------------------------- folded by people only


def reported(**changes: Any) -> Incident:
    incident = made(**changes)
    return replace(incident, process=replace(incident.process, reporter=ZOE))


CAUSE = made(id=5, severity=Severity.SEV2, title="Kafka is down", firing=1)


@pytest.mark.parametrize("fold", [Fold.DEPENDENCY, Fold.STORM])
def test_what_a_person_reported_by_an_issue_the_daemon_never_folds(fold: Fold) -> None:
    mine = reported(severity=Severity.SEV3, judged=Severity.SEV3, round_at=minutes(0))
    context = Context(policy=POLICY, parents=((fold, CAUSE),))
    theirs = made(severity=Severity.SEV3, judged=Severity.SEV3, round_at=minutes(0))
    assert decide(theirs, FoldAsked(), context, minutes(1)).incident.parent == 5
    assert decide(mine, FoldAsked(), context, minutes(1)).incident.parent is None


def told_of_the_merge(actor: Actor, **changes: Any) -> list[Comment]:
    parent = replace(CAUSE, **changes)
    context = Context(policy=POLICY, parents=((Fold.MERGE, parent),))
    decision = decide(reported(), MergeAsked(actor=actor, into=5), context, minutes(1))
    assert decision.incident.parent == 5
    return [one for one in decision.effects if isinstance(one, Comment) and one.kind is CommentKind.MERGED]


def test_who_reported_it_is_told_once_where_it_goes_on_when_another_person_merged_it() -> None:
    (told,) = told_of_the_merge(ANN)
    assert "INC-5 (Kafka is down)" in told.text
    assert "/split" in told.text
    (told,) = told_of_the_merge(ANN, restricted=True)
    assert "Kafka" not in told.text
    assert told_of_the_merge(Actor(name="zoe", kind=ActorKind.PERSON)) == []


# ---------------------------------------------------------------- an answer in words


def says(incident: Incident, name: str, **changes: Any) -> Decision:
    at = incident.resolved_at
    assert at is not None
    said = Said(actor=Actor(name=name, kind=ActorKind.PERSON), text="No, it is broken.", url=URL, at=at)
    return decide(incident, replace(said, **changes), Context(policy=POLICY), at + timedelta(minutes=1))


@pytest.mark.parametrize("name", ["zoe", "zoe-acme"])
def test_an_answer_in_words_leaves_the_close_to_a_person(name: str) -> None:
    decision = says(resolves(close="daemon").incident, name)
    assert decision.incident.state is State.RESOLVED
    assert decision.incident.process.asked_until is None
    assert any("before a person closes it" in one.text for one in decision.timeline)
    assert [one for one in standing(decision.incident, POLICY) if one.kind is DeadlineKind.REPORTER] == []


@pytest.mark.parametrize(
    ("name", "changes"), [("eve", {}), ("zoe", {"where": "review-3"}), ("zoe", {"at": minutes(5)})]
)
def test_what_is_no_answer_changes_nothing_of_that(name: str, changes: dict[str, Any]) -> None:
    incident = resolves(close="daemon").incident
    assert says(incident, name, **changes).incident.process.asked_until == incident.process.asked_until


def test_what_who_reported_it_may_ask_for_is_said_to_them_alone() -> None:
    incident = reported()
    assert "/merge" not in reporter.offers(incident, "zoe-acme")
    incident = replace(incident, process=replace(incident.process, like=5))
    for word in ("/close", "/reopen", "/note", "/split", "/merge INC-5"):
        assert word in reporter.offers(incident, "ZOE-acme")
    assert reporter.offers(incident, "eve") == reporter.offers(made(), "zoe-acme") == ""


def test_help_of_who_reported_it_is_heeded_and_says_that_alone() -> None:
    refused, help_me = Refused(why="no", lacking=True), Command(said=HELP)
    commands = [help_me, Command(said="/x", error="unknown"), Command(said="/ack", act=Acknowledged(actor=ANN))]
    assert heeds(commands, "zoe-acme", refused, reported()) == [True, False, False]
    assert heeds(commands, "eve", refused, reported()) == [False, False, False]
    told = answer(7, 1, [help_me], [""], offers="Only this.")
    assert (told.kind, told.text) == (CommentKind.ANSWER, "Only this.")
