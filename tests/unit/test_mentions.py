"""Whom a comment on an incident's issue calls, and that nothing but that takes effect there."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from building import incident
from triaged.backends.document import comment
from triaged.core.catalogue import Person, Team
from triaged.core.effects import CommentKind
from triaged.core.mentions import CALLING, MOST, mentioned
from triaged.core.model import Process, Reporter
from triaged.core.recipients import Directory

PEOPLE = {
    "ann": Person(name="ann", github="ann-acme"),
    "bob": Person(name="bob", github="Bob-acme"),
    "eve": Person(name="eve"),
    "double": Person(name="double", github="ANN-ACME"),
}
DIRECTORY = Directory(
    teams={"payments": Team(name="payments", channels=("pay",)), "web": Team(name="web"), "data": Team(name="data")},
    people=PEOPLE,
    channels=("pay",),
    on_call=lambda team: {"payments": ("ann", "bob"), "web": ("bob",)}.get(team, ()),
)


def called(kind: CommentKind = CommentKind.ESCALATED, *, owner: str = "", **changes: object) -> tuple[str, ...]:
    return mentioned(kind, (), incident(process=Process(owner=owner), **changes), lambda: DIRECTORY)


@pytest.mark.parametrize("kind", CALLING)
def test_what_notifies_calls_who_is_on_call_for_the_team(kind: CommentKind) -> None:
    assert called(kind) == ("ann-acme",)


@pytest.mark.parametrize(
    ("owner", "has_it", "logins"),
    [
        ("bob", None, ("ann-acme", "Bob-acme")),
        ("", "bob", ("ann-acme", "Bob-acme")),
        ("double", "ann", ("ANN-ACME",)),
        ("eve", "a stranger", ("ann-acme",)),
        ("web", None, ("ann-acme", "Bob-acme")),
        ("pay", "team", ("ann-acme",)),
    ],
)
def test_who_has_it_is_called_too_and_each_person_once(owner: str, has_it: str | None, logins: tuple[str, ...]) -> None:
    assert called(owner=owner, acknowledged_by=has_it) == logins


def test_whom_it_is_about_is_called_first() -> None:
    for calls, logins in (
        (("bob",), ("Bob-acme", "ann-acme")),
        (("on_call.next", "a vendor"), ("Bob-acme", "ann-acme")),
    ):
        assert mentioned(CommentKind.ESCALATED, calls, incident(), lambda: DIRECTORY) == logins


def test_where_nobody_is_known_nobody_is_called() -> None:
    assert called(team="data") == ()


def test_what_notifies_nobody_calls_nobody_and_asks_no_rota() -> None:
    def never() -> Directory:
        raise AssertionError("the rota was asked")

    asking = {CommentKind.LIKE, CommentKind.WORKS_AGAIN}
    quiet = [kind for kind in CommentKind if kind not in CALLING | asking]
    assert [mentioned(kind, (), incident(), never) for kind in quiet] == [()] * len(quiet)


@pytest.mark.parametrize("kind", [CommentKind.LIKE, CommentKind.WORKS_AGAIN, CommentKind.MERGED])
def test_a_question_calls_who_reported_it_and_nobody_else(kind: CommentKind) -> None:
    asked = replace(incident(), process=Process(owner="bob", reporter=Reporter(login="carl", name="Carl")))
    assert mentioned(kind, (), asked, lambda: DIRECTORY) == ("carl",)
    assert mentioned(kind, (), incident(), lambda: DIRECTORY) == ()


def test_many_are_cut() -> None:
    many = {f"p{n}": Person(name=f"p{n}", github=f"login-{n}") for n in range(9)}
    crowd = Directory(
        teams={name: Team(name=name) for name in ("payments", "web")},
        people=many,
        channels=(),
        on_call=lambda _: [*many],
    )
    found = mentioned(CommentKind.UPDATE, (), incident(process=Process(owner="web")), lambda: crowd)
    assert len(found) <= MOST


def test_only_the_mentions_take_effect_and_no_text_of_others() -> None:
    text = "Raised for @everybody in acme/shop#7, says https://github.com/acme/shop/issues/7"
    body = comment(text, "0af1", ("ann-acme", "bob_acme", "no login", "-x", "a" * 60, "x y\n@all"))
    alive = re.findall(r"@(?!\u200b)[\w-]+", body)
    assert alive == ["@ann-acme", "@bob_acme"]
    assert body.endswith("\n\n@ann-acme @bob_acme\n")
    assert comment("It is over.", "0af1") == "<!-- triaged:v1 op=0af1 -->\n\nIt is over.\n"
