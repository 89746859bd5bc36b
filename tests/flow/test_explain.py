"""Why anything happened or did not, told from a real store: by the command line, the API, the page and the issue."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from triaged import rulefiles
from triaged.backends.issue import render
from triaged.cli import main
from triaged.explaining.former import REMEMBERED, Former
from triaged.intake.units import Rules
from triaged.ports.backend import Issue, Places
from triaged.ports.store import Fate
from triaged.web.auth import ApiTokens, TokenSource
from triaged.workers.report import gather
from web_desk import RULES, WebDesk

ONE = "/api/v1/incidents/INC-1/explain"
OWN = """
- {name: noise, match: ['alertname="Noise"'], drop: Nobody reads it., because: Noise.}
- name: pods
  match: ['alertname="PodCrash"']
  impact: minor
  urgency: low
  because: One pod.
  grows:
  - {when: {distinct: {pod: 3}}, impact: significant, because: It is no single pod.}
  - {when: {alerts: 90, firing_for: 9h, refires: {count: 9, within: 1h}}, impact: extensive}
- {name: staging, match: ['env="staging"'], at_most: sev4}
"""
TEXTS = {**RULES, "triage.yaml": RULES["triage.yaml"].replace("rules:\n", f"rules:{OWN}")}


@dataclass(frozen=True)
class Said:
    """What a command wrote, and its exit status."""

    status: int
    out: str
    err: str


def in_force(texts: dict[str, str]) -> Rules:
    found = rulefiles.read(texts)
    policy_files = {name: found.files[name] for name in ("severities.yaml", "calendars.yaml")}
    return Rules(rule_set=found.rules, policy=found.policy, files=found.files, policy_files=policy_files)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[WebDesk]:
    desk = WebDesk(tmp_path)
    desk.intake.use(in_force(TEXTS))
    yield desk
    desk.close()


@pytest.fixture
def explain(desk: WebDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[..., Said]:
    """Runs `triaged explain …` on the desk's store, at the desk's time, with the desk's rules."""
    folder = tmp_path / "rules"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({"rules": "rules", "store": "sqlite:///triaged.db"}))

    def run(*arguments: object) -> Said:
        argv = ["triaged", "explain", "--config", file, *arguments]
        monkeypatch.setattr("triaged.cli.explain.SystemClock", lambda: desk.clock)
        monkeypatch.setattr(sys, "argv", [str(one) for one in argv])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Said(status=int(ended.value.code or 0), out=out, err=err)

    return run


def payload(folder: Path, *alerts: dict[str, Any]) -> Path:
    file = folder / "payload.json"
    file.write_text(json.dumps({"alerts": list(alerts)}))
    return file


def fires(name: str, **labels: str) -> dict[str, Any]:
    return {"status": "firing", "labels": {"alertname": name, **labels}}


def arriving(said: Said) -> list[str]:
    assert said.status == 0, said
    lines = (line.strip() for line in said.out.splitlines())
    return [line.removeprefix("arriving   it ") for line in lines if line.startswith("arriving ")]


def stored(desk: WebDesk) -> tuple[int, ...]:
    with desk.store.read() as reader:
        run = reader.connection.exec_driver_sql
        tables = ("incidents", "episodes", "timeline", "alert_records", "verdicts")
        return (
            *(run(f"SELECT count(*) FROM {table}").scalar_one() for table in tables),
            run("SELECT sum(value) FROM sequences").scalar_one(),
        )


# ---------------------------------------------------------------- an incident, from the API


def test_an_incident_is_explained_with_rules_arithmetic_key_and_deadlines(desk: WebDesk) -> None:
    desk.fire("DiskFull", grave="1", app="checkout", env="staging")
    told = desk.get(ONE).json()
    (judged,) = told["judgements"]
    assert told["keys"] == [{"alertname": "DiskFull", "service": "checkout"}]
    assert judged["arithmetic"]["cell"] == "sev1"
    assert judged["arithmetic"]["at_most_by"] == ["staging"]
    assert judged["verdict"]["severity"] == "sev4"
    rules = {one["rule"]: one for one in judged["rules"]}
    assert rules["grave"]["conditions"] == [{"condition": 'grave="1"', "saw": "1"}]
    assert rules["grave"]["sets"] == {"impact": "extensive", "urgency": "critical"}
    assert rules["serious"]["matched"] is False
    assert rules["serious"]["conditions"] == [{"condition": 'grave="2"', "saw": "1"}]
    assert [(one["objective"], one["outcome"]) for one in told["objectives"]] == [
        ("response", None),
        ("resolution", None),
    ]
    assert told["objectives"][1]["derived"] == "opened 2026-11-23 08:00 UTC + 5d (sev4, elapsed time)"
    assert {one["kind"] for one in told["deadlines"]} >= {"response", "resolution"}
    assert told["decisions"][0]["text"].startswith("opened as sev4")


def test_rules_that_changed_since_are_told_with_what_they_would_say(desk: WebDesk) -> None:
    desk.fire("DiskFull", grave="1")
    before = desk.get(ONE).json()
    assert before["rule_set"] == before["rule_set_now"]
    assert before["judgements"][0]["today"] == []
    changed = TEXTS["triage.yaml"].replace("impact: extensive, urgency: critical", "impact: moderate, urgency: high")
    desk.intake.use(in_force({**TEXTS, "triage.yaml": changed}))
    told = desk.get(ONE).json()
    assert told["rule_set"] == before["rule_set"] != told["rule_set_now"]
    (judged,) = told["judgements"]
    assert judged["rules"] == before["judgements"][0]["rules"]
    assert {"of": "severity", "then": "sev1", "now": "sev3"} in judged["today"]


def test_a_former_rule_set_that_is_kept_no_more_leaves_the_stored_verdict(desk: WebDesk) -> None:
    desk.fire("DiskFull", grave="1")
    desk.intake.use(in_force({**TEXTS, "triage.yaml": TEXTS["triage.yaml"] + "- {name: more, labels: [x]}\n"}))
    with desk.store.begin() as transaction:
        transaction.connection.exec_driver_sql("DELETE FROM rule_sets")
    (judged,) = desk.get(ONE).json()["judgements"]
    assert judged["rules"] == []
    assert judged["verdict"]["matched"] == ["grave"]
    assert judged["note"].startswith("its rule set is not kept")


def test_a_former_rule_set_that_this_release_cannot_read_is_no_error(desk: WebDesk) -> None:
    desk.fire("DiskFull", grave="1")
    desk.intake.use(in_force({**TEXTS, "triage.yaml": TEXTS["triage.yaml"] + "- {name: more, labels: [x]}\n"}))
    with desk.store.begin() as transaction:
        transaction.connection.exec_driver_sql("""UPDATE rule_sets SET files = '{"triage.yaml": "old: words"}'""")
    assert desk.get(ONE).json()["judgements"][0]["note"].startswith("its rule set is not kept")


def test_growth_tells_what_it_waits_for_and_what_it_sees(desk: WebDesk) -> None:
    for pod in "ab":
        desk.fire("PodCrash", pod=pod)
    desk.clock.advance(timedelta(minutes=4))
    (judged,) = desk.get(ONE).json()["judgements"]
    first, second = judged["growth"]
    assert judged["alike"] == 2
    assert (first["when"], first["sees"], first["held"]) == (
        "3 different values of pod",
        "2 alerts, 2 of pod",
        False,
    )
    assert second["sees"] == "2 alerts, firing for 4 min, 0 refires"
    desk.fire("PodCrash", pod="c")
    told = desk.get(ONE).json()
    grown = told["judgements"][0]
    assert grown["growth"][0]["held"]
    assert grown["arithmetic"]["impact_by"] == ["pods#0"]
    assert told["severity"] == grown["arithmetic"]["severity"]


def test_a_severity_that_no_alert_has_any_more_is_told_as_kept(desk: WebDesk) -> None:
    desk.fire("DiskFull", grave="1")
    lighter = TEXTS["triage.yaml"].replace("impact: extensive, urgency: critical", "impact: minor, urgency: low")
    desk.intake.use(in_force({**TEXTS, "triage.yaml": lighter}))
    desk.clock.advance(timedelta(minutes=1))
    desk.fire("DiskFull", grave="1", annotations={"summary": "now judged by other rules"})
    told = desk.get(ONE).json()
    assert told["severity"] == "sev1"
    assert told["standing"] == ["judged sev1 earlier, by rule grave: the daemon never lowers it"]


def test_a_persons_severity_and_close_are_told_as_theirs(desk: WebDesk) -> None:
    desk.fire("DiskFull", grave="1")
    desk.post("/api/v1/incidents/INC-1/severity", {"severity": "sev4", "by": "ann"})
    desk.post("/api/v1/incidents/INC-1/close", {"reason": "not_planned", "by": "bob"})
    assert desk.get(ONE).json()["standing"] == [
        "sev4 because ann chose it; the rules judge sev1",
        "closed by bob while 1 alert still fires: those never reopen it",
    ]


def test_an_incident_that_is_watched_or_follows_another_says_so(desk: WebDesk) -> None:
    desk.fire("DiskFull")
    desk.resolve("DiskFull")
    assert desk.get(ONE).json()["standing"][0].startswith("quiet since 2026-11-23 08:00 UTC and watched")
    desk.pass_time(timedelta(days=3))
    desk.fire("DiskFull")
    assert desk.get("/api/v1/incidents/INC-2/explain").json()["standing"][0].startswith("follows INC-1")


def test_different_verdicts_are_told_gravest_first_and_the_rest_is_counted(desk: WebDesk) -> None:
    desk.fire("X", grave="4")
    for number in range(8):
        changed = TEXTS["triage.yaml"] + f"- {{name: r{number}, labels: [x]}}\n"
        desk.intake.use(in_force({**TEXTS, "triage.yaml": changed}))
        desk.fire("X", grave="2" if number == 7 else "4", pod=str(number))
    told = desk.get(ONE).json()
    assert len(told["judgements"]) == 5
    assert told["verdicts_left_out"] == 4
    assert told["judgements"][0]["verdict"]["severity"] == "sev2"


def test_an_alert_judged_anew_meanwhile_says_where_the_rules_shown_differ(desk: WebDesk) -> None:
    ending = {
        **TEXTS,
        "triage.yaml": TEXTS["triage.yaml"] + "- {name: soon, match: ['x=\"1\"'], until: 2026-11-23, urgency: low}\n",
    }
    desk.intake.use(in_force(ending))
    desk.fire("X", x="1")
    desk.clock.advance(timedelta(days=1))
    desk.fire("X", x="1", annotations={"summary": "Another text is judged anew."})
    (judged,) = desk.get(ONE).json()["judgements"]
    assert judged["note"].startswith("judged anew meanwhile")
    assert "matched soon, recorded none" in judged["note"]


@pytest.mark.parametrize("name", ["INC-9", "INC-x", "9"])
def test_what_does_not_exist_is_not_explained(desk: WebDesk, name: str) -> None:
    answer = desk.get(f"/api/v1/incidents/{name}/explain")
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]


def test_what_is_held_back_is_no_incident_to_the_api_yet(desk: WebDesk) -> None:
    desk.fire("Slow", slow="yes")
    assert desk.get(ONE).status_code == 404


def test_of_a_restricted_incident_only_a_token_sees_the_reasons(tmp_path: Path) -> None:
    tokens = ApiTokens({"ops": TokenSource(token="s3cret")})
    desk = WebDesk(tmp_path, tokens=tokens)
    desk.fire("BreakIn", intruder="yes", host="secret-host")
    hidden, whole = desk.get(ONE), desk.get(ONE, authorization="Bearer s3cret")
    desk.close()
    assert hidden.json()["judgements"] == []
    assert "secret-host" not in hidden.text
    assert "Somebody is in" not in hidden.text
    assert "secret-host" in whole.text


def test_the_page_tells_how_it_was_judged(desk: WebDesk) -> None:
    desk.fire("PodCrash", pod="<script>alert(1)</script>")
    shown = desk.get("/incidents/INC-1").text
    assert "impact minor (rule pods) × urgency low (rule pods) = sev4" in shown
    assert "at 3 different values of pod" in shown
    assert 'href="/api/v1/incidents/INC-1/explain"' in shown
    assert "<script>alert" not in shown


def test_the_issue_stays_the_same_while_time_passes_and_other_rules_come_into_force(desk: WebDesk) -> None:
    desk.fire("PodCrash", pod="a", grave="2")

    def issue() -> Issue:
        with desk.store.read() as reader:
            report = gather(
                reader, 1, rules=desk.intake.rules, former=Former(), public_url="http://here", places=Places()
            )
        assert report is not None
        return render(report)

    before = issue()
    assert "<summary>Why Sev-2?</summary>" in before.block
    assert "- Grows to impact `significant` at 3 different values of pod (`pods#0`)" in before.block
    desk.clock.advance(timedelta(hours=1))
    changed = TEXTS["triage.yaml"].replace("Some cannot pay.", "Other words.")
    desk.intake.use(in_force({**TEXTS, "triage.yaml": changed}))
    assert issue().digest == before.digest


# ---------------------------------------------------------------- what is folded


FAMILY = {
    **TEXTS,
    "triage.yaml": TEXTS["triage.yaml"].replace(
        "rules:\n", "storm: {opened: 4, within: 5m, severity: sev2}\nrules:\n", 1
    ),
    "services.yaml": """
services:
  checkout: {match: ['app="checkout"'], team: payments, depends_on: [db]}
  db: {match: ['app="db"'], team: platform}
teams: {platform: {}, payments: {}}
""",
}


def test_a_symptom_says_into_which_cause_it_is_folded_and_why(desk: WebDesk) -> None:
    desk.intake.use(in_force(FAMILY))
    desk.fire("DbDown", app="db", grave="2")
    desk.fire("Slow", app="checkout")
    told = desk.get("/api/v1/incidents/INC-2/explain").json()
    assert told["parent"] == "INC-1"
    assert told["standing"] == [
        "folded into INC-1 (DbDown · db) since 2026-11-23 08:00 UTC (checkout depends on db): "
        "issue, notifications and clocks are the parent's"
    ]
    assert told["deadlines"] == told["objectives"] == []
    assert told["decisions"][-1]["text"] == "folded into INC-1 (dependency)"
    assert desk.get(ONE).json()["standing"] == ["1 incident folded into it"]


def test_a_storm_is_no_rules_doing_and_says_so(desk: WebDesk) -> None:
    desk.intake.use(in_force(FAMILY))
    for number in range(4):
        desk.fire(f"Light{number}", grave="4")
    storm = next(one["id"] for one in desk.get("/api/v1/incidents").json()["incidents"] if "Storm" in one["title"])
    told = desk.get(f"/api/v1/incidents/{storm}/explain").json()
    (judged,) = told["judgements"]
    assert judged["note"].startswith("the daemon's own alert: it stands for a storm")
    assert judged["rules"] == judged["today"] == []
    assert {"kind": "storm", "derived": "it is asked then whether the storm goes on"}.items() <= told["deadlines"][
        0
    ].items()
    assert "How it was judged" not in desk.get(f"/incidents/{storm}").text


def test_an_alert_that_would_be_folded_says_so(desk: WebDesk, explain: Callable[..., Said], tmp_path: Path) -> None:
    for name, text in FAMILY.items():
        (tmp_path / "rules" / name).write_text(text)
    desk.intake.use(in_force(FAMILY))
    desk.fire("DbDown", app="db", grave="2")
    said = explain(payload(tmp_path, fires("Slow", app="checkout")))
    assert arriving(said) == ["opens a new incident (INC-2 as things are) as sev3, folded into INC-1 (dependency)"]
    assert "INC-1: INC-2 is folded in (dependency)" in said.out


# ---------------------------------------------------------------- an incident, from a terminal


def test_a_terminal_tells_all_of_an_incident(desk: WebDesk, explain: Callable[..., Said]) -> None:
    desk.fire("DiskFull", grave="1", app="checkout")
    said = explain("INC-1")
    assert said.status == 0
    assert said.out.startswith("INC-1  sev1  open  DiskFull · checkout\n")
    assert "severity   sev1  (impact extensive (rule grave) × urgency critical (rule grave) = sev1)" in said.out
    assert 'key        alertname="DiskFull", service="checkout"' in said.out
    assert "today      the same rules, the same verdict" in said.out
    assert "response   due 2026-11-23 08:15 UTC: opened 2026-11-23 08:00 UTC + 15m (sev1, elapsed time)" in said.out
    assert "opened as sev1: Nobody can pay." in said.out


def test_a_terminal_tells_what_other_rules_would_say_of_an_incident(
    desk: WebDesk, explain: Callable[..., Said], tmp_path: Path
) -> None:
    desk.fire("DiskFull", grave="1")
    other = tmp_path / "other"
    other.mkdir()
    lighter = TEXTS["triage.yaml"].replace("urgency: critical", "urgency: low")
    for name, text in {**TEXTS, "triage.yaml": lighter}.items():
        (other / name).write_text(text)
    out = explain("inc-1", "--rules", other).out
    assert "today      severity: sev3, then sev1" in out
    assert "judged it first, now " in out


def test_what_a_rule_added_later_would_drop_stays_where_it_is(
    desk: WebDesk, explain: Callable[..., Said], tmp_path: Path
) -> None:
    desk.fire("DiskFull", grave="2", app="checkout")
    rule = "rules:\n- {name: mute, match: [alertname=DiskFull], drop: Known noise.}\n"
    (tmp_path / "rules" / "triage.yaml").write_text(TEXTS["triage.yaml"].replace("rules:\n", rule))
    told = [line.strip() for line in explain("INC-1").out.splitlines() if line.startswith("  today ")]
    assert told == ["today      a new alert like it would be dropped (Known noise.); this one stays as it was judged"]
    labels = 'alertname="DiskFull", grave="2", app='
    assert arriving(explain("--alert", f'{labels}"checkout"')) == [
        "changes nothing: it fires in INC-1 already, and a rule added later drops nothing from there"
    ]
    assert arriving(explain("--alert", f'{labels}"other"')) == ["is dropped by rule mute: Known noise."]


def test_a_pending_incident_says_what_it_waits_for(desk: WebDesk, explain: Callable[..., Said]) -> None:
    desk.fire("Slow", slow="yes")
    out = explain("INC-1").out
    assert "held back until 2026-11-23 08:15 UTC: no issue and no clocks" in out
    assert "opening: first fired 2026-11-23 08:00 UTC" in out
    desk.resolve("Slow", slow="yes")
    assert "it opens if it fires again then" in explain("INC-1").out
    desk.pass_time(timedelta(minutes=20))
    assert "never opened: nothing fired when its delay had passed" in explain("INC-1").out


def test_an_incident_that_the_store_does_not_have_is_refused_in_words(
    desk: WebDesk, explain: Callable[..., Said], tmp_path: Path
) -> None:
    said = explain("INC-7")
    assert (said.status, said.err) == (2, f"INC-7 does not exist in {tmp_path}/triaged.db\n")


# ---------------------------------------------------------------- what an alert would do


def test_each_alert_of_a_payload_tells_what_it_would_do(
    desk: WebDesk, explain: Callable[..., Said], tmp_path: Path
) -> None:
    desk.fire("Here", grave="2")
    desk.fire("Slow", slow="yes")
    desk.fire("Done", grave="4")
    desk.post("/api/v1/incidents/INC-3/close", {"reason": "false_alarm", "by": "ann"})
    desk.fire("Fixed", grave="4")
    desk.post("/api/v1/incidents/INC-4/close", {"reason": "completed", "by": "ann"})
    before = stored(desk)
    desk.clock.advance(timedelta(minutes=1))
    file = payload(
        tmp_path,
        fires("Here", grave="2"),
        fires("Here", grave="1"),
        {**fires("Never"), "status": "resolved"},
        {**fires("Here", grave="2"), "status": "resolved"},
        fires("Noise"),
        fires("New"),
        fires("New", pod="b"),
        fires("Later", slow="yes"),
        fires("Slow", pod="b"),
        fires("Done", grave="4", pod="b"),
        fires("Fixed", grave="4", pod="b"),
    )
    assert arriving(explain(file)) == [
        "changes nothing: it fires in INC-1 already, and is judged as before (a repeat)",
        "joins INC-1 (open)",
        "changes nothing: it ends, and did not fire",
        "ends in INC-1 (open)",
        "is dropped by rule noise: Nobody reads it.",
        "opens a new incident (INC-5 as things are) as sev3",
        "joins INC-5 (open)",
        "is held back until 2026-11-23 08:16 UTC (INC-6 as things are): no issue and no clocks until it opens",
        "joins INC-2, which was held back and opens by it as sev3",
        "is only recorded on INC-3, which stays closed by ann",
        "reopens INC-4, which was closed",
    ]
    assert stored(desk) == before


def test_what_would_happen_is_what_then_happens(desk: WebDesk, explain: Callable[..., Said], tmp_path: Path) -> None:
    desk.fire("Here", grave="2")
    alerts = [fires("Here", grave="1"), fires("New", slow="yes"), fires("Other", env="staging")]
    said = explain(payload(tmp_path, *alerts)).out
    told = {line.strip() for line in said.splitlines()}
    for one in alerts:
        desk.post_alert(one)
    with desk.store.read() as reader:
        happened = [entry.text for n in (1, 2, 3) for entry in reader.timeline(n, 100)][3:]
    assert len(happened) == 7
    assert set(happened) <= told


def test_the_very_text_that_is_stored_is_a_repeat_and_a_late_end_is_late(
    desk: WebDesk, explain: Callable[..., Said], tmp_path: Path
) -> None:
    began = {**fires("Here", grave="2"), "startsAt": desk.clock.now().isoformat()}
    desk.post_alert(began)
    file = tmp_path / "payload.json"
    with desk.store.read() as reader:
        (record,) = reader.records(fates=(Fate.BEGAN,), limit=1)
    late = {
        **fires("Here", grave="2"),
        "status": "resolved",
        "startsAt": "2026-11-22T08:00:00Z",
        "endsAt": "2026-11-22T09:00:00Z",
    }
    file.write_bytes(b'{"alerts":[' + record.raw + b"," + json.dumps(late).encode() + b"]}")
    assert arriving(explain(file)) == [
        "changes nothing: INC-1 has this very text already (a repeat)",
        "changes nothing: a late end, from before its firing in INC-1 began",
    ]


def test_an_episode_whose_text_changes_and_one_that_ends_last_are_told(
    desk: WebDesk, explain: Callable[..., Said], tmp_path: Path
) -> None:
    desk.fire("Here", grave="2")
    file = payload(
        tmp_path,
        {**fires("Here", grave="2"), "annotations": {"summary": "other"}},
        {**fires("Here", grave="2"), "status": "resolved"},
        {**fires("Here", grave="2"), "startsAt": desk.clock.now().isoformat()},
    )
    assert arriving(explain(file)) == [
        "goes on in INC-1 (open): its text or its verdict differs",
        "ends in INC-1 (verifying), on which nothing fires any more",
        "joins INC-1, on which nothing fired any more: open again",
    ]


def test_without_a_store_the_rules_alone_are_told(explain: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"rules": "rules", "store": "sqlite:///none.db"}))
    said = explain(payload(tmp_path, fires("Here", grave="2")))
    assert said.status == 0
    assert f"what they would do is not told: store: expected a database at {tmp_path}/none.db, found none" in said.out
    assert "severity   sev2" in said.out
    assert not (tmp_path / "none.db").exists()


def test_a_payload_is_read_from_standard_input(explain: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    body = io.TextIOWrapper(io.BytesIO(json.dumps({"alerts": [fires("Piped")]}).encode()))
    monkeypatch.setattr(sys, "stdin", body)
    assert 'alertname="Piped"' in explain("-").out


def test_a_mapped_source_is_read_by_its_mapping(explain: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "rules" / "sources").mkdir()
    (tmp_path / "rules" / "sources" / "plain.yaml").write_text("labels: {alertname: {from: name}}\n")
    file = tmp_path / "payload.json"
    file.write_text('{"name": "Mapped"}')
    assert explain(file).err.endswith("; of another sender's body say so: --source plain\n")
    said = explain(file, "--source", "plain")
    assert said.status == 0, said.err
    assert 'alertname="Mapped"' in said.out


def test_rules_are_asked_as_at_another_instant(explain: Callable[..., Said], tmp_path: Path) -> None:
    file = tmp_path / "rules" / "triage.yaml"
    file.write_text(f"{file.read_text()}- {{name: soon, match: [a=b], until: 2026-11-23, impact: extensive}}\n")
    assert "soon" in explain("--alert", 'a="b"').out
    assert "soon" in explain("--alert", 'a="b"', "--at", "2026-11-23T23:59:59Z").out
    assert "soon" not in explain("--alert", 'a="b"', "--at", "2026-11-24T01:00:00+01:00").out


# ---------------------------------------------------------------- why nothing happened


def test_one_alert_tells_what_became_of_those_like_it(desk: WebDesk, explain: Callable[..., Said]) -> None:
    desk.fire("Noise", pod="a")
    desk.clock.advance(timedelta(minutes=1))
    desk.fire("Slow", slow="yes", pod="a")
    desk.resolve("Slow", slow="yes", pod="a")
    desk.pass_time(timedelta(minutes=20))
    dropped = explain("--alert", 'alertname="Noise"').out
    assert "2026-11-23 08:00 UTC  dropped: rule noise: Nobody reads it.  rules " in dropped
    quiet = explain("--alert", 'pod="a"').out.partition("recorded so far\n")[2]
    assert [line.split("  rules")[0].strip() for line in quiet.splitlines()[:3]] == [
        "2026-11-23 08:01 UTC  ended in INC-1, closed (unopened) now",
        "2026-11-23 08:01 UTC  began in INC-1, closed (unopened) now",
        "2026-11-23 08:00 UTC  dropped: rule noise: Nobody reads it.",
    ]
    assert "3 records searched, back to 2026-11-23 08:00 UTC" in quiet


def test_an_alert_of_which_nothing_was_recorded_says_so(desk: WebDesk, explain: Callable[..., Said]) -> None:
    desk.fire("Other")
    assert "no alert with these labels: it never arrived" in explain("--alert", 'alertname="Lost"').out


def test_an_alert_that_could_not_be_read_is_found_by_its_text(desk: WebDesk, explain: Callable[..., Said]) -> None:
    desk.post_alert({"status": "strange", "labels": {"alertname": "Odd"}})
    out = explain("--alert", 'alertname="Odd"').out
    assert "rejected: unknown_status: " in out


def test_what_rules_of_then_said_is_marked_where_others_are_in_force(
    desk: WebDesk, explain: Callable[..., Said], tmp_path: Path
) -> None:
    desk.fire("Noise")
    (tmp_path / "rules" / "triage.yaml").write_text(TEXTS["triage.yaml"].replace("name: noise", "name: loud"))
    assert ", others now" in explain("--alert", 'alertname="Noise"').out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected a file, - or INC-n, or else --alert with labels"),
        (["INC-1", "--alert", 'a="b"'], "expected a file, - or INC-n, or else --alert with labels"),
        (["--alert", 'a=~"b"'], "--alert: expected labels such as"),
        (["--alert", "a"], "--alert: expected labels such as"),
        (["--alert", ""], "--alert: expected labels such as"),
        (["INC-1", "--at", "noon"], "--at: expected an instant with its zone"),
        (["INC-1", "--at", "2026-11-23T08:00"], "--at: expected an instant with its zone"),
        (["INC-1", "--at", "2026-11-23T08:00Z"], "--at: INC-1 is explained as it stands, from what came; to ask what"),
        (["inc-1", "--source", "alertmanager"], "--source: inc-1 is explained as it stands, from what came; to ask"),
        (
            ["--alert", 'a="b"', "--source", "alertmanger"],
            "--source: expected alertmanager, plain, heartbeats, triaged or people, got 'alertmanger'; did you mean",
        ),
        (
            ["-", "--source", "nope"],
            "--source: expected alertmanager, plain, heartbeats, triaged or people, got 'nope'\n",
        ),
    ],
)
def test_a_question_that_cannot_be_meant_is_refused_in_words(
    explain: Callable[..., Said], tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "rules" / "sources").mkdir()
    (tmp_path / "rules" / "sources" / "plain.yaml").write_text("labels: {alertname: {from: name}}\n")
    found = explain(*arguments)
    assert found.status == 2
    assert found.err.startswith(said)


# ---------------------------------------------------------------- former rules


def test_few_former_rule_sets_are_remembered_and_each_is_compiled_once(desk: WebDesk) -> None:
    digests = []
    for number in range(REMEMBERED + 2):
        rules = in_force({**TEXTS, "triage.yaml": TEXTS["triage.yaml"] + f"- {{name: r{number}, labels: [x]}}\n"})
        desk.intake.use(rules)
        desk.fire("X", pod=str(number))
        digests.append(rules.rule_set.hash)
    former, current = Former(), desk.intake.rules
    with desk.store.read() as reader:
        first = former.rule_set(reader, digests[0], current=current)
        assert first is not None
        assert first.hash == digests[0]
        assert former.rule_set(reader, digests[0], current=current) is first
        assert former.rule_set(reader, digests[-1], current=current) is current.rule_set
        for digest in digests[1:-1]:
            former.rule_set(reader, digest, current=current)
        assert former.rule_set(reader, digests[0], current=current) is not first
        assert former.rule_set(reader, "no such", current=current) is None
        assert former.policy(reader, "no such", current=current) is current.policy


def test_a_frozen_policy_that_this_release_cannot_read_gives_way_to_the_one_in_force(desk: WebDesk) -> None:
    desk.fire("X")
    with desk.store.begin() as transaction:
        transaction.connection.exec_driver_sql(
            """UPDATE policies SET hash = 'old', files = '{"severities.yaml": "x"}'"""
        )
        transaction.connection.exec_driver_sql("UPDATE incidents SET policy = 'old'")
    current = desk.intake.rules
    with desk.store.read() as reader:
        assert Former().policy(reader, "old", current=current) is current.policy
