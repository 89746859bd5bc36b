"""The demo: its day as data, and one real run whose story agrees with what the daemon did."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from process.daemon import free_port
from triaged import defaults
from triaged.cli import main
from triaged.clock import FakeClock
from triaged.core.model import Incident
from triaged.intake.units import Delivery
from triaged.replay.day import Day, Moment
from triaged.rulefiles.words import span
from triaged.sources import alertmanager
from triaged.web.acts import Ack, Choose, Close
from world import World, settings_for, world

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
ZERO = "0001-01-01T00:00:00Z"


def day(tmp_path: Path, told: dict[str, Any]) -> list[Moment]:
    """The moments of two hours of a small day."""
    file = tmp_path / "day.yaml"
    alerts = {name: {"labels": {"alertname": name, "n": 1}, "query": "up == 0"} for name in ("a", "b", "c")}
    file.write_text(yaml.safe_dump({"alerts": alerts, **told}))
    return list(Day(file, START).moments(timedelta(hours=2)))


def at(moments: list[Moment], offset: str) -> dict[str, Any]:
    """The one body at an offset."""
    (body,) = [body for moment in moments if moment.at == span(offset) for body in moment.bodies]
    return body


def alerts(body: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Status, start and end of each alert of a body."""
    return {a["labels"]["alertname"]: (a["status"], a["startsAt"], a["endsAt"]) for a in body["alerts"]}


def instant(offset: str) -> str:
    return (START + span(offset)).isoformat()


# ---------------------------------------------------------------- the day as data


def test_a_firing_is_one_notification_whose_alerts_start_with_the_step_or_where_they_say(tmp_path: Path) -> None:
    fire = ["a", {"alert": "b", "started": "7m"}]
    (moment,) = day(tmp_path, {"day": [{"at": "10m", "story": "It breaks.", "fire": fire}]})
    assert (moment.at, moment.story, moment.acts) == (span("10m"), "It breaks.", ())
    (body,) = moment.bodies
    assert (body["version"], body["status"], body["truncatedAlerts"]) == ("4", "firing", 0)
    assert alerts(body) == {"a": ("firing", instant("10m"), ZERO), "b": ("firing", instant("7m"), ZERO)}
    assert body["alerts"][0]["labels"] == {"alertname": "a", "n": "1"}
    assert body["alerts"][0]["generatorURL"].endswith("/graph?g0.expr=up%20%3D%3D%200")


def test_repeats_come_after_each_span_with_what_still_fires_until_nothing_does(tmp_path: Path) -> None:
    moments = day(
        tmp_path,
        {
            "day": [
                {"at": "10m", "fire": ["a", "b"], "repeat_every": "10m"},
                {"at": "25m", "resolve": ["a"]},
                {"at": "45m", "resolve": ["b"]},
            ]
        },
    )
    told = {
        moment.at: {name: one[0] for name, one in alerts(body).items()} for moment in moments for body in moment.bodies
    }
    both = {"a": "firing", "b": "firing"}
    assert told == {
        span("10m"): both,
        span("20m"): both,
        span("25m"): {"b": "firing", "a": "resolved"},
        span("30m"): {"b": "firing"},
        span("40m"): {"b": "firing"},
        span("45m"): {"b": "resolved"},
    }
    assert at(moments, "25m")["status"] == "firing"
    assert at(moments, "45m")["status"] == "resolved"


def test_a_resolve_and_every_repeat_carry_the_start_of_their_firing(tmp_path: Path) -> None:
    steps = [
        {"at": "10m", "fire": [{"alert": "a", "started": "4m"}], "repeat_every": "15m"},
        {"at": "30m", "resolve": ["a"]},
        {"at": "40m", "fire": ["a"]},
        {"at": "50m", "resolve": ["a"]},
    ]
    moments = day(tmp_path, {"day": steps})
    assert alerts(at(moments, "25m"))["a"] == ("firing", instant("4m"), ZERO)
    assert alerts(at(moments, "30m"))["a"] == ("resolved", instant("4m"), instant("30m"))
    assert alerts(at(moments, "40m"))["a"] == ("firing", instant("40m"), ZERO)
    assert alerts(at(moments, "50m"))["a"] == ("resolved", instant("40m"), instant("50m"))


def test_a_cut_list_says_so_in_its_notification_and_its_repeats(tmp_path: Path) -> None:
    moments = day(tmp_path, {"day": [{"at": "1h", "fire": ["a"], "truncated": 9, "repeat_every": "30m"}]})
    assert [body["truncatedAlerts"] for moment in moments for body in moment.bodies] == [9, 9, 9]


def test_alerts_of_two_groups_that_end_together_are_two_notifications(tmp_path: Path) -> None:
    steps = [{"at": "1m", "fire": ["a", "b"]}, {"at": "2m", "fire": ["c"]}, {"at": "3m", "resolve": ["a", "c"]}]
    bodies = day(tmp_path, {"day": steps})[-1].bodies
    assert [(body["status"], sorted(alerts(body))) for body in bodies] == [("firing", ["a", "b"]), ("resolved", ["c"])]


def test_repeats_of_several_groups_come_in_order_with_the_steps_between(tmp_path: Path) -> None:
    steps = [
        {"at": "0m", "fire": ["a"], "repeat_every": "7m"},
        {"at": "3m", "fire": ["b"], "repeat_every": "5m"},
        {"at": "30m", "story": "Nothing."},
    ]
    instants = [moment.at for moment in day(tmp_path, {"day": steps})]
    assert instants == sorted(instants)
    assert instants[-1] <= timedelta(hours=2)
    assert len([moment for moment in instants if moment == span("28m")]) == 2


def test_nothing_happens_after_the_end(tmp_path: Path) -> None:
    steps = [{"at": "1h", "fire": ["a"], "repeat_every": "50m"}, {"at": "3h", "resolve": ["a"]}]
    assert [moment.at for moment in day(tmp_path, {"day": steps})] == [span("1h"), span("1h50m")]


def test_the_shipped_day_is_in_order_and_every_body_of_it_is_one_that_alertmanager_could_send() -> None:
    moments = list(Day(defaults.DEMO_DAY, START).moments(DAY))
    instants = [moment.at for moment in moments]
    assert instants == sorted(instants)
    assert instants[-1] <= DAY
    bodies = [body for moment in moments for body in moment.bodies]
    assert len(bodies) > 400
    for body in bodies:
        reading = alertmanager.read("alertmanager", json.dumps(body).encode())
        assert (len(reading.alerts), reading.rejected) == (len(body["alerts"]), ())
        assert [one.mended for one in reading.alerts if "alertname" in one.labels and one.mended] == []


# ---------------------------------------------------------------- the story is true


class Story:
    """The shipped day played to a daemon in virtual time, up to any instant of it."""

    def __init__(self, one: World) -> None:
        self._world = one
        self._day = Day(defaults.DEMO_DAY, START)
        self._moments = iter(list(self._day.moments(DAY)))
        self._next: Moment | None = next(self._moments)

    def play(self, until: str) -> None:
        """Let all happen that happens up to and at an offset."""
        while self._next is not None and self._next.at <= span(until):
            self._world.advance(START + self._next.at - self._world.clock.now())
            for body in self._next.bodies:
                content = json.dumps(body).encode()
                answer = self._world.app.writer.ask(Delivery(id="d", source="alertmanager", body=content))
                assert answer.status == 200
            for act in self._next.acts:
                self._act(dict(act))
            self._next = next(self._moments, None)
        self._world.advance(START + span(until) - self._world.clock.now())

    def incident(self, alert: str) -> Incident | None:
        """The incident that an alert of the day belongs to."""
        with self._world.app.store.read() as reader:
            fingerprint = self._day.fingerprint(alert)
            number = reader.incidents_of([fingerprint]).get(fingerprint)
            row = None if number is None else reader.incident(number)
        return None if row is None else row.incident

    def told(self, alert: str) -> str:
        """Severity and state."""
        incident = self.incident(alert)
        return "" if incident is None else f"{incident.severity} {incident.state}"

    def _act(self, act: dict[str, Any]) -> None:
        kinds: dict[str, type[Ack | Choose | Close]] = {"ack": Ack, "severity": Choose, "close": Close}
        kind = kinds[act.pop("act")]
        incident = self.incident(act.pop("alert"))
        assert incident is not None
        asked = kind.model_validate(act)
        assert self._world.act(incident.id, asked.act(asked.actor(None))).status == 200


def test_every_sentence_of_the_story_that_names_a_severity_or_state_is_what_the_daemon_did(
    tmp_path: Path,
) -> None:
    sentences = {
        str(step["at"]): str(step.get("story", "")) for step in yaml.safe_load(defaults.DEMO_DAY.read_text())["day"]
    }
    with world(settings_for(tmp_path), FakeClock(START)) as one:
        story = Story(one)
        checked: set[str] = set()

        def check(offset: str, words: str, alert: str, expected: str) -> None:
            assert words in sentences[offset], offset
            checked.add(offset)
            story.play(offset)
            assert story.told(alert) == expected, f"{offset}: {sentences[offset]}"

        check("3m", "a rule drops it", "info-inhibitor", "")
        check("1h10m", "wait 15 minutes", "recommendations-crash", "sev3 pending")
        check("1h30m", "Sev-4 at most", "staging-errors", "sev4 open")
        check("3h5m", "Bob takes", "indexer-crash", "sev3 acknowledged")
        check("4h1m", "Sev-3 closes by itself", "indexer-crash", "sev3 verifying")
        story.play("4h17m")
        assert story.told("indexer-crash") == "sev3 closed"
        first_indexer = story.incident("indexer-crash")
        check("4h32m", "stays one incident", "recommendations-slow", "sev3 open")
        flapping = story.incident("recommendations-slow")
        story.play("4h50m")
        assert flapping is not None
        assert (again := story.incident("recommendations-slow")) is not None
        assert again.id == flapping.id
        story.play("6h14m")
        checkout = story.incident("checkout-errors-a")
        slow = story.incident("checkout-slow")
        assert checkout is not None
        assert slow is not None
        assert slow.id == checkout.id, sentences["6h14m"]
        check("6h17m", "hour that a Sev-2 has", "checkout-errors-a", "sev2 acknowledged")
        story.play("6h19m")
        assert story.told("checkout-errors-b") == "sev2 acknowledged", "the second pod is not yet a Sev-1"
        check("6h22m", "grows to Sev-1, and Ann's acknowledgement of a Sev-2 ends", "checkout-errors-c", "sev1 open")
        check("6h27m", "acknowledges the Sev-1", "checkout-errors-c", "sev1 acknowledged")
        check("6h44m", "For half an hour it is watched", "checkout-slow", "sev1 verifying")
        story.play("7h15m")
        assert story.told("checkout-slow") == "sev1 resolved"
        check("8h10m", "A Sev-1 needs a person", "checkout-errors-a", "sev1 closed")
        check("9h5m", "becomes a Sev-2", "disk-node-3-critical", "sev2 open")
        story.play("13h0m")
        assert story.told("replication-lag") == "sev3 open"
        check("13h25m", "made it a Sev-2. Bob acknowledges", "replication-lag", "sev2 acknowledged")
        check("13h35m", "is a Sev-1 by now. Still nobody", "search-down", "sev1 open")
        check("14h10m", "The breach stays on record", "search-down", "sev1 acknowledged")
        search = story.incident("search-down")
        assert search is not None
        assert search.response_outcome == "breached"
        check("16h0m", "closes it while it fires", "batch-node-busy", "sev4 closed")
        story.play("17h0m")
        assert story.told("batch-node-busy") == "sev4 closed", sentences["16h0m"]
        check("18h30m", "A Sev-1 at once", "website-down", "sev1 open")
        check("18h36m", "no response is required", "website-down", "sev1 verifying")
        story.play("19h6m")
        website = story.incident("website-down")
        assert website is not None
        assert website.response_outcome == "not_required"
        story.play("19h25m")
        second_indexer = story.incident("indexer-crash")
        assert first_indexer is not None
        assert second_indexer is not None
        assert (second_indexer.id, second_indexer.round) == (first_indexer.id, 2), sentences["19h5m"]
        check("20h10m", "In doubt it is a Sev-3", "report-late", "sev3 open")
        check("21h15m", "A person's severity wins", "build-disk", "sev4 open")
        check("22h42m", "Ann takes it", "rule-failures", "sev2 acknowledged")
        story.play("23h3m")
        assert story.told("rule-failures") == "sev1 open", sentences["23h4m"]
        check("23h4m", "She acknowledges again", "rule-failures", "sev1 acknowledged")
        check("23h46m", "Nobody has answered yet; the clock runs", "connections", "sev2 open")
        graded = {offset for offset, sentence in sentences.items() if re.search(r"Sev-\d", sentence)}
        assert graded <= checked, "a sentence names a severity that nothing checks"


# ---------------------------------------------------------------- the command


@dataclass(frozen=True)
class Played:
    """A whole run of the command."""

    status: int
    out: str
    err: str
    folder: Path


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("demo") / "made" / "here"
    command = [sys.executable, "-m", "triaged", "demo", "--seconds", "10", "--leave"]
    done = subprocess.run(
        [*command, "--listen", f"127.0.0.1:{free_port()}", "--directory", folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=folder.parents[1],
        env={
            "PATH": "",
            "HOME": str(folder.parents[1]),
            "TRIAGED_STORE": "sqlite:////nowhere/production.db",
            "TRIAGED_BACKEND__TYPE": "github",
        },
    )
    return Played(status=done.returncode, out=done.stdout, err=done.stderr, folder=folder)


def test_a_day_in_ten_seconds_ends_with_0_and_without_an_error(played: Played) -> None:
    assert played.status == 0, played.err
    assert played.err == ""
    assert "Traceback" not in played.out
    assert "The day is over, the clock is right." in played.out


def test_it_tells_what_was_opened_raised_breached_and_closed(played: Played) -> None:
    told = re.findall(r"^  \w{3} \d\d:\d\d +INC-\d+ +(.*)$", played.out, re.MULTILINE)
    for word in ("opened", "raised", "breached", "acknowledged", "closed", "reopened"):
        assert any(word in line.lower() for line in told), (word, told)


def test_every_sentence_of_the_day_is_told_once_and_in_order(played: Played) -> None:
    sentences = [str(step["story"]) for step in yaml.safe_load(defaults.DEMO_DAY.read_text())["day"] if "story" in step]
    places = [played.out.find(f"  {sentence}\n") for sentence in sentences]
    assert -1 not in places
    assert [played.out.count(f"  {sentence}\n") for sentence in sentences if len(sentence) > 10] == [1] * len(
        [sentence for sentence in sentences if len(sentence) > 10]
    )


def test_it_leaves_an_issue_as_a_file_for_every_incident_that_is_not_part_of_another(played: Played) -> None:
    files = {file.stem for file in (played.folder / "incidents").glob("INC-*.md")}
    opened = set(re.findall(r"\b(INC-\d+) +opened", played.out))
    folded = set(re.findall(r"\b(INC-\d+) +folded into", played.out))
    assert opened - folded <= files
    assert not folded & files


def test_it_makes_its_own_folder_anew_and_refuses_one_of_somebody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("all I have")
    monkeypatch.setattr(sys, "argv", ["triaged", "demo", "--directory", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"{tmp_path}: expected an empty folder, or one that an earlier demo made\n"
    assert (tmp_path / "thesis.txt").read_text() == "all I have"


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("here", "listen: expected HOST:PORT"),
        ("0.0.0.0:9876", "listen: expected a loopback address such as 127.0.0.1:9876, got 0.0.0.0:9876"),
    ],
)
def test_an_address_that_is_none_or_that_others_reach_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], listen: str, expected: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["triaged", "demo", "--directory", str(tmp_path / "new"), "--listen", listen])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_day_that_cannot_go_on_ends_the_demo_with_1_and_a_sentence(tmp_path: Path) -> None:
    told = {
        "alerts": {"a": {"labels": {"alertname": "a"}}},
        "day": [
            {"at": "1m", "fire": ["a"]},
            {"at": "2m", "acts": [{"act": "severity", "alert": "a", "severity": "9"}]},
        ],
    }
    (tmp_path / "day.yaml").write_text(yaml.safe_dump(told))
    program = (
        "import sys; from pathlib import Path; from triaged import defaults; from triaged.cli import main\n"
        "defaults.DEMO_DAY = Path('day.yaml'); main()"
    )
    command = [sys.executable, "-c", program, "demo", "--seconds", "10", "--listen", f"127.0.0.1:{free_port()}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path)
    assert done.returncode == 1, done
    assert "The day cannot go on: " in done.stderr
    assert "400" in done.stderr
    assert "Traceback" not in done.stderr
