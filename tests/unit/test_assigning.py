"""To whom an issue is assigned: who has the incident, else who is on call for it."""

from __future__ import annotations

import pytest

from building import incident, minutes
from triaged.core.assigning import assignees, is_asked
from triaged.core.catalogue import Person, Team
from triaged.core.model import Fold, Process, State
from triaged.core.oncall import Rota
from triaged.core.rotation import Rotation

ROTA = Rota(
    teams={
        "shop": Team(name="shop", on_call=Rotation(people=("ann",))),
        "web": Team(name="web", on_call=Rotation(people=("bob",))),
        "night": Team(name="night", on_call=Rotation(people=("max",))),
        "none": Team(name="none"),
    },
    people={
        "ann": Person(name="ann", github="ann-acme"),
        "bob": Person(name="bob", github="bob-acme"),
        "max": Person(name="max"),
    },
)


@pytest.mark.parametrize(
    ("team", "owner", "acknowledged_by", "expected"),
    [
        ("shop", "", None, ("ann-acme",)),
        ("none", "", None, ()),
        ("unknown", "", None, ()),
        ("night", "", None, ()),
        ("shop", "", "bob", ("bob-acme",)),
        ("shop", "bob", "ann", ("bob-acme",)),
        ("shop", "web", None, ("bob-acme",)),
        ("shop", "max", None, ()),
        ("shop", "", "some-login", ()),
    ],
)
def test_the_owner_comes_first_then_who_acknowledged_it_then_who_is_on_call(
    team: str, owner: str, acknowledged_by: str | None, expected: tuple[str, ...]
) -> None:
    one = incident(team=team, acknowledged_by=acknowledged_by, process=Process(owner=owner))
    assert assignees(one, ROTA, minutes(0)) == expected


@pytest.mark.parametrize("state", State)
def test_only_of_what_is_at_work_and_not_folded_it_is_asked_whose_it_is(state: State) -> None:
    at_work = state in (State.OPEN, State.ACKNOWLEDGED)
    assert is_asked(incident(state=state)) is at_work
    assert not is_asked(incident(state=state, parent=1, fold=Fold.MERGE))
