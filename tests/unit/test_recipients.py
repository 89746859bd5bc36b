"""Whom the words of a notice mean."""

from __future__ import annotations

import pytest

from triaged.core.catalogue import Person, Team
from triaged.core.recipients import PEOPLE, Directory, Recipient

ANN, BOB = (Recipient(channel=PEOPLE, name=name) for name in ("ann", "bob"))
PAY, MAIL = (Recipient(channel=name, name=name) for name in ("pay", "mail"))
DIRECTORY = Directory(
    teams={
        "payments": Team(name="payments", channels=("pay", "mail")),
        "data": Team(name="data"),
        "ops": Team(name="ops", channels=("pay",)),
    },
    people={"ann": Person(name="ann"), "bob": Person(name="bob"), "mail": Person(name="mail")},
    channels={"pay", "mail", "ops"},
    on_call=lambda team: {"payments": ("ann", "bob"), "ops": ("bob",)}.get(team, ()),
)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("on_call",), (ANN,)),
        (("on_call.next",), (BOB,)),
        (("team",), (PAY, MAIL)),
        (("bob",), (BOB,)),
        (("payments",), (PAY, MAIL, ANN)),
        (("data",), ()),
        (("pay",), (PAY,)),
        (("ops",), (PAY, BOB)),
        (("mail",), (Recipient(channel=PEOPLE, name="mail"),)),
        (("nobody",), ()),
        (("team", "payments", "ann", "on_call"), (PAY, MAIL, ANN)),
        ((), ()),
    ],
)
def test_a_word_means_who_is_on_call_a_person_a_team_or_a_channel_in_this_order(
    words: tuple[str, ...], meant: tuple[Recipient, ...]
) -> None:
    assert DIRECTORY.answer(words, "payments") == meant


def test_in_a_gap_and_of_an_unknown_team_nobody_is_meant() -> None:
    assert DIRECTORY.answer(("on_call", "on_call.next"), "data") == ()
    assert DIRECTORY.answer(("on_call", "team"), "unknown") == ()
    assert DIRECTORY.answer(("on_call", "on_call.next"), "ops") == (BOB,)


def test_a_channel_is_called_one_and_a_person_by_name() -> None:
    assert [str(ANN), str(PAY)] == ["ann", "channel pay"]
