"""Evidence over HTTP: the incident's page with its drawing, the API's field, and who may see neither."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from triaged.core.changes import Change, ChangeKind
from triaged.core.charts import Chart, Line
from triaged.core.effects import KeepEvidence
from triaged.core.evidence import Evidence, LogLink, Seen, Similar
from triaged.core.model import Severity
from triaged.ports.store import Batch
from triaged.web.auth import ApiTokens, Role, TokenSource
from web_desk import START, WebDesk

EVIL = '<script>alert(1)</script>"&'


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[WebDesk]:
    desk = WebDesk(tmp_path)
    yield desk
    desk.close()


def find(desk: WebDesk, text: str = "plain") -> Evidence:
    """Evidence of INC-1, with that text wherever others may have written it."""
    lines = (Line(labels={"pod": text}, points=(0.0, None, 0.5)), Line(labels={"pod": "b"}, points=(1.0, 1.0, 1.0)))
    deployed = Change(
        kind=ChangeKind.DEPLOYMENT,
        repository="acme/checkout",
        at=START,
        ref="v2",
        title=text,
        url="javascript:alert(1)",
        before="v1",
    )
    similar = Similar(incident_id=7, title=text, opened_at=START, took_seconds=90, root_cause="", fix=text, same=True)
    found = Evidence(
        round=1,
        severity=Severity.SEV1,
        at=START,
        seen=Seen(month=8, quarter=8, last_at=START - timedelta(days=2)),
        charts=(Chart(query=text, begins_at=START, step_seconds=60, lines=lines, sign=">", bound=0.25, left_out=3),),
        links=(LogLink(name="logs", url="https://logs.example.com/"), LogLink(name="bad", url="javascript:alert(1)")),
        changes=(deployed,),
        changed=4,
        similar=(similar,),
        failures=(text,),
    )
    kept = KeepEvidence(incident_id=1, key="k", service="", category="error", evidence=found)
    with desk.store.begin() as transaction:
        transaction.save(Batch(findings={1: kept}), START)
    return found


def test_before_anybody_looked_there_is_none(desk: WebDesk) -> None:
    desk.fire("A")
    assert desk.get("/api/v1/incidents/INC-1").json()["evidence"] is None
    assert "Evidence" not in desk.get("/incidents/INC-1").text


def test_the_page_draws_what_was_found(desk: WebDesk) -> None:
    desk.fire("A")
    find(desk)
    page = desk.get("/incidents/INC-1").text
    for shown in (
        "frequent (9 in 30 days, the last one 2 d ago)",
        '<polyline class="s1" points="0.0,4.0 300.0,4.0 600.0,4.0"/>',
        '<line class="bound"',
        "&gt; 0.25",
        "… and 3 more series",
        "before: v1",
        "… and 3 more changes.",
        "took 1 min 30 s",
        "Not found: plain",
        '<a href="https://logs.example.com/" rel="noreferrer">logs of that time</a>',
    ):
        assert shown in page


def test_the_api_tells_what_was_found(desk: WebDesk) -> None:
    desk.fire("A")
    find(desk)
    told = desk.get("/api/v1/incidents/INC-1").json()["evidence"]
    assert told["seen"] == {
        "rarity": "frequent",
        "in_30_days": 9,
        "in_90_days": 9,
        "last_at": "2026-11-21T08:00:00Z",
    }
    (chart,) = told["charts"]
    assert (chart["sign"], chart["bound"], chart["series"][0]["points"]) == (">", 0.25, [0.0, None, 0.5])
    assert (told["changes"][0]["before"], told["changes_found"]) == ("v1", 4)
    assert (told["similar"][0]["id"], told["similar"][0]["fix"]) == ("INC-7", "plain")
    assert told["failures"] == ["plain"]


def test_text_of_others_is_text_and_leads_nowhere(desk: WebDesk) -> None:
    desk.fire("A")
    find(desk, EVIL)
    page = desk.get("/incidents/INC-1").text
    assert "<script>alert" not in page
    assert "javascript:" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_of_a_restricted_incident_nobody_sees_it_without_a_token(tmp_path: Path) -> None:
    tokens = ApiTokens({"look": TokenSource(role=Role.READ, token="look")})
    guarded = WebDesk(tmp_path, tokens=tokens, loopback=False)
    guarded.fire("A", intruder="yes", service="x")
    with guarded.store.begin() as transaction:
        transaction.connection.exec_driver_sql("UPDATE incidents SET restricted = 1")
    find(guarded, "secret-text")
    assert "secret-text" not in guarded.get("/incidents/INC-1").text
    assert guarded.get("/api/v1/incidents/INC-1").json()["evidence"] is None
    told = guarded.get("/api/v1/incidents/INC-1", authorization="Bearer look").json()
    assert told["evidence"]["failures"] == ["secret-text"]
    guarded.close()
