"""Who is heeded that commands something in a comment, whom it names, and how it is answered."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from building import incident, minutes
from triaged.core.commanding import DONE, HELP, REFUSED, Command, Refused, answer, heeds, meant, rank, refusal
from triaged.core.effects import Comment, CommentKind
from triaged.core.events import Acknowledged, ActionAsked, Assigned, EscalateAsked, Noted, RoleGiven, Said
from triaged.core.model import Actor, ActorKind, Process, Reporter, Role, Severity
from triaged.core.observed import Commanded, Looked, Remark, Seen, compare
from triaged.core.solving import ProblemNoted

BOB = Actor(name="bob", kind=ActorKind.PERSON)
NOBODY = Actor(name="", kind=ActorKind.PERSON)
ACK = Command(said="/ack", act=Acknowledged(actor=NOBODY))
NOTE = Command(said="/note", act=Noted(actor=NOBODY, text="It is the disk."))
WRONG = Command(said="/eta", error="in: expected a duration")
HELPED = Command(said=HELP)
LACKING = Refused(why="Not you.", lacking=True)
EDITED = Refused(why="It was edited.")
ONE = incident(opened_at=minutes(0))
REPORTED = replace(ONE, process=Process(reporter=Reporter(login="Eve", name="eve")))


def reply(text: str, kind: CommentKind = CommentKind.ANSWER) -> Comment:
    return Comment(incident_id=4, kind=kind, key="answer:9", text=text, to_comment=9)


def test_what_is_all_done_is_answered_by_a_reaction() -> None:
    assert answer(4, 9, [ACK, NOTE], ["", ""]) == replace(reply(""), reaction=DONE)


@pytest.mark.parametrize(
    ("commands", "errors", "text"),
    [
        ([WRONG], [WRONG.error], "/eta: in: expected a duration"),
        ([ACK, WRONG], ["", WRONG.error], "/eta: in: expected a duration\nThe rest is done."),
        ([ACK, NOTE], ["it is closed", "it is so"], "/ack: it is closed\n/note: it is so"),
    ],
)
def test_what_is_not_done_is_said_in_one_reply(commands: list[Command], errors: list[str], text: str) -> None:
    assert answer(4, 9, commands, errors) == reply(text)


def test_help_is_one_reply_that_also_says_what_was_done() -> None:
    helped = answer(4, 9, [HELPED], [""])
    assert helped.kind is CommentKind.HELP
    assert helped.text.startswith("Each at the beginning of a line")
    assert answer(4, 9, [HELPED, ACK], ["", ""]).text.startswith("Done.\nEach")
    assert answer(4, 9, [HELPED, WRONG, ACK], ["", WRONG.error, ""]).text.startswith(
        "/eta: in: expected a duration\nThe rest is done.\nEach"
    )
    assert answer(4, 9, [replace(HELPED, error="not here")], ["not here"]) == reply("/help: not here")


def test_who_lacks_a_permission_is_told_once_after_all_others() -> None:
    first, again = [*refusal(4, 9, "Eve", LACKING)], [*refusal(4, 10, "eve", LACKING)]
    assert [one.key for one in first] == [one.key for one in again] == ["refused:eve", "refused:eve:confused"]
    assert {rank(one, Severity.SEV1) for one in first} == {Severity.SEV4}
    assert rank(reply("Done."), Severity.SEV1) is Severity.SEV1
    assert [(one.text, one.reaction) for one in first] == [("Not you.", ""), ("", REFUSED)]
    assert [*refusal(4, 9, "eve", EDITED)] == [reply("It was edited.")]


def test_only_who_may_is_heeded_and_who_reported_it_in_what_is_his() -> None:
    assert heeds([ACK, WRONG], "eve", None, None) == [True, True]
    assert heeds([ACK, NOTE], "eve", EDITED, REPORTED) == [False, False]
    assert heeds([ACK, NOTE], "eve", LACKING, None) == [False, False]
    assert heeds([ACK, NOTE], "eve", LACKING, ONE) == [False, False]
    assert heeds([ACK, NOTE, WRONG], "eve", LACKING, REPORTED) == [False, True, False]
    assert heeds([NOTE], "mallory", LACKING, REPORTED) == [False]
    problem = Command(said="/note", act=ProblemNoted(actor=NOBODY, text="It is the disk."))
    assert heeds([problem], "eve", LACKING, REPORTED) == [False]


@pytest.mark.parametrize(
    "act",
    [
        Assigned(actor=NOBODY, to="@ann-acme"),
        RoleGiven(actor=NOBODY, role=Role.SCRIBE, person="@ann-acme"),
        EscalateAsked(actor=NOBODY, to="@ann-acme"),
        ActionAsked(actor=NOBODY, text="x", owner="@ann-acme"),
    ],
)
def test_whom_an_act_names_is_called_by_a_name_of_ours(act: Assigned | RoleGiven) -> None:
    found = meant(act, BOB, {"@ann-acme": "ann"}.__getitem__)
    assert found.actor == BOB
    assert "ann" in {getattr(found, name, "") for name in ("to", "person", "owner")}


def test_an_act_that_names_nobody_is_only_given_its_actor() -> None:
    assert meant(Assigned(actor=NOBODY, to=""), BOB, str) == Assigned(actor=BOB, to="")
    assert meant(Acknowledged(actor=NOBODY), BOB, str) == Acknowledged(actor=BOB)


REMARK = Remark(id=9, by="eve", text="Hm.\n/note x", url="https://x/9", at=minutes(50), commands=(NOTE,), around="Hm.")
LOOKED = Looked(closed=False, remarks=(REMARK,))
SEEN = Seen(closed=False)


def test_of_a_comment_only_what_is_around_its_commands_is_told_and_what_is_refused_whole() -> None:
    said, commanded = compare(LOOKED, SEEN, ONE)
    assert isinstance(said, Said)
    assert (said.text, commanded) == ("Hm.", Commanded(remark=REMARK))
    refused = replace(REMARK, refused=LACKING)
    said, _ = compare(replace(LOOKED, remarks=(refused,)), SEEN, ONE)
    assert isinstance(said, Said)
    assert said.text == REMARK.text
    alone = replace(REMARK, around="")
    assert compare(replace(LOOKED, remarks=(alone,)), SEEN, ONE) == (Commanded(remark=alone),)


def test_a_comment_that_was_seen_is_no_news_whoever_tells_it_again() -> None:
    assert compare(LOOKED, replace(SEEN, remark=9), ONE) == ()


def test_what_was_written_after_a_close_is_asked_of_what_is_closed() -> None:
    before, after = replace(REMARK, around=""), replace(REMARK, id=10, around="", at=minutes(61))
    looked = Looked(closed=True, closed_at=minutes(60), remarks=(before, after))
    first, _, last = compare(looked, SEEN, ONE)
    assert (first, last) == (Commanded(remark=before), Commanded(remark=after))
