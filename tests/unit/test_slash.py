"""Which lines of a comment are commands, and what they ask for: never more, and never other than the API takes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from triaged.core.commanding import HELP as ASKS_FOR_HELP
from triaged.core.commanding import Command, Heard
from triaged.core.events import Acknowledged, Assigned, Noted, Updated
from triaged.core.model import Actor, ActorKind
from triaged.errors import PayloadError
from triaged.ports.backend import Kind
from triaged.web import acts, problems
from triaged.web.acts import Asked
from triaged.web.refusals import in_words
from triaged.web.slash import MOST, read
from triaged.web.slash_words import HELP, OF_PROBLEMS, WORDS

NOBODY = Actor(name="", kind=ActorKind.PERSON)


def heard(text: str, kind: Kind = Kind.INCIDENT) -> Heard:
    return read(text, by="bob-acme", kind=kind, numbered=lambda number: "INC-70" if number == 7 else "")


def one(text: str, kind: Kind = Kind.INCIDENT) -> Command:
    (command,) = heard(text, kind).commands
    return command


def by_api(model: type[Asked], fields: dict[str, object]) -> tuple[object, str]:
    """The act that the API makes of these fields, or its refusal."""
    try:
        asked = model.model_validate(fields)
        make = getattr(asked, "act", None) or asked.asked  # type: ignore[attr-defined] # one of the two
        return make(NOBODY), ""
    except ValidationError as error:
        return None, in_words(error.errors())
    except PayloadError as error:
        return None, str(error)


SAME: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("/ack", "ack", {}),
    ("/ack 4h", "ack", {"for": "4h"}),
    ("/ACK for 1h30m", "ack", {"for": "1h30m"}),
    ("/ack 4 hours", "ack", {"for": "4 hours"}),
    ("/unack wrong team", "unack", {"reason": "wrong team"}),
    ("/sev 2 grows", "severity", {"severity": "sev2", "reason": "grows"}),
    ("/sev2 grows", "severity", {"severity": "sev2", "reason": "grows"}),
    ("/severity Sev1", "severity", {"severity": "sev1"}),
    ("/sev 9", "severity", {"severity": "sev9"}),
    ("/sev", "severity", {"severity": ""}),
    ("/sev2: grows", "severity", {"severity": "sev2", "reason": "grows"}),
    ("/severity: sev2", "severity", {"severity": "sev2"}),
    ("/sev-2", "severity", {"severity": "sev2"}),
    ("/sev sev-3: staging", "severity", {"severity": "sev3", "reason": "staging"}),
    ("/ack.", "ack", {}),
    ("/ack, please", "ack", {}),
    ("/ack\u00a04h", "ack", {"for": "4h"}),
    ("\uff0fack 4h", "ack", {"for": "4h"}),
    ("/ack -1h", "ack", {"for": "-1h"}),
    ("/take", "ack", {}),
    ("/assign me", "assign", {"to": "@bob-acme"}),
    ("/assign @\u200bann-acme knows it", "assign", {"to": "@ann-acme", "reason": "knows it"}),
    ("/assign Nobody", "assign", {"to": ""}),
    ("/assign", "assign", {}),
    ("/role scribe ann", "role", {"role": "scribe", "person": "ann"}),
    ("/role Incident commander none", "role", {"role": "commander", "person": ""}),
    ("/role boss ann", "role", {"role": "boss", "person": "ann"}),
    ("/escalate", "escalate", {}),
    ("/escalate 2", "escalate", {"to": "2"}),
    ("/escalate @ann-acme hers", "escalate", {"to": "@ann-acme", "reason": "hers"}),
    ("/escalate 2nd disk fails", "escalate", {"reason": "2nd disk fails"}),
    ("/escalate to ann it is hers", "escalate", {"to": "ann", "reason": "it is hers"}),
    ("/escalate\nto: 2\ntake over: yes", "escalate", {"to": "2", "take_over": True}),
    ("/escalate\ntake_over: maybe", "escalate", {"take_over": "maybe"}),
    ("/note a\nb", "note", {"text": "a\nb"}),
    ("/note", "note", {}),
    ("/update Better.\nNext steps: none\n\neta: 2h", "update", {"text": "Better.", "next_steps": "none", "eta": "2h"}),
    ("/eta in 2h", "eta", {"in": "2h"}),
    ("/eta 2026-12-24T08:00+01:00", "eta", {"at": "2026-12-24T08:00+01:00"}),
    ("/eta 17:00", "eta", {"at": "17:00"}),
    ("/eta none", "eta", {"none": True}),
    ("/eta", "eta", {}),
    ("/workaround by invoice", "workaround", {"text": "by invoice"}),
    ("/workaround none", "workaround", {"text": ""}),
    ("/pause for 2h vendor", "pause", {"for": "2h", "reason": "vendor"}),
    ("/pause until 2026-12-24T08:00Z vendor", "pause", {"until": "2026-12-24T08:00Z", "reason": "vendor"}),
    ("/pause vendor", "pause", {"reason": "vendor"}),
    ("/resume", "resume", {}),
    ("/silence 1h noisy", "silence", {"for": "1h", "reason": "noisy"}),
    ("/silence noisy", "silence", {"reason": "noisy"}),
    ("/merge into INC-3 same disk", "merge", {"into": "INC-3", "reason": "same disk"}),
    ("/merge #7", "merge", {"into": "INC-70"}),
    ("/split", "split", {}),
    ("/resolve\nRoot cause: disk\nfull\n- Fix: space", "resolve", {"root_cause": "disk\nfull", "fix": "space"}),
    ("/resolve It works.", "resolve", {"summary": "It works."}),
    ("/resolve\nreason: duplicate", "resolve", {"reason": "duplicate"}),
    ("/close", "close", {}),
    ("/close False-alarm, the probe was wrong", "close", {"reason": "false_alarm", "summary": "the probe was wrong"}),
    ("/close as false positive", "close", {"reason": "false_alarm"}),
    ("/close, won't fix", "close", {"reason": "not_planned"}),
    ("/close dup", "close", {"reason": "duplicate"}),
    ("/close duplicat", "close", {"reason": "duplicat"}),
    ("/close mended", "close", {"summary": "mended"}),
    ("/close not planned", "close", {"reason": "not_planned"}),
    ("/close duplicated effort", "close", {"summary": "duplicated effort"}),
    ("/reopen again", "reopen", {"reason": "again"}),
    ("/review held", "review", {"outcome": "held"}),
    ("/review", "review", {"outcome": ""}),
    ("/action Test it\nowner: me\ndue: 3d", "action", {"text": "Test it", "owner": "@bob-acme", "due": "3d"}),
    ("/action done #2", "action", {"done": "2"}),
    ("/action 2 done", "action", {"done": "2"}),
    ("/knowledge https://w.example/x How", "knowledge", {"url": "https://w.example/x", "title": "How"}),
    ("/knowledge [How](https://w.example/x)", "knowledge", {"url": "https://w.example/x", "title": "How"}),
)  # fmt: skip


@pytest.mark.parametrize(("text", "act", "fields"), SAME, ids=[text for text, _, _ in SAME])
def test_a_command_says_the_same_as_the_api_with_these_fields(text: str, act: str, fields: dict[str, object]) -> None:
    command = one(text)
    assert (command.act, command.error) == by_api(WORDS[act].model, fields)


OF_A_PROBLEM: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("/close an index\nroot cause: none", "close", {"fix": "an index", "root_cause": "none"}),
    ("/close not planned", "close", {"reason": "not_planned"}),
    ("/reopen", "reopen", {}),
    ("/note it is the disk", "note", {"text": "it is the disk"}),
    ("/workaround restart\nroot_cause: a leak", "workaround", {"text": "restart", "root_cause": "a leak"}),
    ("/knowledge https://w.example/x How", "knowledge", {"url": "https://w.example/x", "title": "How"}),
)  # fmt: skip


@pytest.mark.parametrize(("text", "act", "fields"), OF_A_PROBLEM, ids=[text for text, _, _ in OF_A_PROBLEM])
def test_on_the_issue_of_a_problem_it_is_the_act_of_a_problem(text: str, act: str, fields: dict[str, object]) -> None:
    command = one(text, Kind.PROBLEM)
    assert (command.act, command.error) == by_api(OF_PROBLEMS[act].model, fields)
    assert command.act is not None


@pytest.mark.parametrize("text", ["/ack", "/help"])
def test_what_cannot_be_asked_of_a_problem_says_what_can(text: str) -> None:
    expected = "expected one of /close, /reopen, /note, /workaround or /knowledge on the issue of a problem"
    assert one(text, Kind.PROBLEM) == Command(said=text, error=expected)


def test_every_act_has_its_command_and_its_line_in_the_help() -> None:
    assert WORDS.keys() == {*acts.ACTS}
    assert OF_PROBLEMS.keys() == {*problems.ACTS}
    assert [usage for usage, _ in HELP] == [word.usage for word in WORDS.values()]
    for act in acts.ACTS:
        assert any(usage.startswith((f"/{act}", "/sev")) for usage, _ in HELP)


def test_every_command_stands_in_the_documents() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "github.md").read_text(encoding="utf-8")
    section = text[text.index("## Commands") : text.index("## Exactly one")]
    assert [usage for usage, _ in HELP if f"| `{usage}` |" not in section] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I will /ack it.",
        "    /ack",
        "\t/ack",
        "> /ack",
        "- /ack",
        "```\n/ack\n```",
        "~~~sh\n/ack\n```\n/close\n~~~",
        "```\n/ack",
        "<!-- /ack -->",
        "<!--\n/ack\n-->",
        "see <!-- this\n/ack\n--> there",
        "<!-- --> /ack",
        "\\/ack",
        "//ack",
        "/ack/4h",
        "/ack.sh",
        "/akc.",
        "\uff0fakc",
        "/etc: full",
        "x\u2028/ack",
        "\u200b/ack",
        "/var/log is full",
        "/etc is full",
        "/lgtm",
        "/retest all",
        "First.\n/akc",
    ],
)
def test_what_is_no_line_of_its_own_or_no_word_of_ours_is_no_command(text: str) -> None:
    assert heard(text).commands == ()


@pytest.mark.parametrize("text", ["/akc", "/asign bob", "/sevrity 2", "/ack\n/reslove", "\n/unassign"])
def test_a_misspelt_word_alone_or_among_commands_is_told_the_nearest(text: str) -> None:
    last = heard(text).commands[-1]
    assert (last.known, last.act) == (False, None)
    assert last.error.startswith("expected a command that /help lists; did you mean /")


def test_what_stands_around_commands_is_said() -> None:
    found = heard("Look:\r\n\r\n/ack on my way\r\n/note Seen:\r\n```\r\n/close\r\n\r\nlog\r\n```\r\n\r\nMore later.")
    assert [command.act for command in found.commands] == [
        Acknowledged(actor=NOBODY),
        Noted(actor=NOBODY, text="Seen:\n```\n/close\n\nlog\n```"),
    ]
    assert found.around == "Look:\n\nMore later.\non my way"


def test_an_empty_line_ends_the_text_of_a_command_but_not_its_fields() -> None:
    found = heard("/update We roll back.\n\nstatus: Mitigating\n\nSee you.\nimpact: none")
    (command,) = found.commands
    assert command.act == Updated(actor=NOBODY, text="We roll back.", status="Mitigating")
    assert found.around == "See you.\nimpact: none"


def test_what_is_said_twice_is_refused() -> None:
    assert one("/resolve works\nsummary: works").error == "summary: expected it once, got it twice"
    assert one("/resolve\nfix: a\nFix: b").error == "fix: expected it once, got it twice"


def test_an_issue_that_is_no_incidents_is_told_so() -> None:
    assert one("/merge #8").error == "into: expected an incident like INC-7; none here has the issue #8"


def test_who_asks_is_nobody_that_a_comment_names() -> None:
    assert one("/assign ann\nby: eve\non behalf of: eve").act == Assigned(
        actor=NOBODY, to="ann", reason="by: eve\non behalf of: eve"
    )


def test_so_many_commands_and_no_more_are_done() -> None:
    found = heard("/note more\n" * (MOST + 5))
    assert len(found.commands) == MOST + 1
    assert found.commands[-1].act is None
    assert "at most 10" in found.commands[-1].error


def test_help_is_no_act() -> None:
    assert heard("/help\n/ack 1h").commands == (
        Command(said=ASKS_FOR_HELP),
        Command(said="/ack", act=Acknowledged(actor=NOBODY, lasting=timedelta(hours=1))),
    )


PIECES = st.sampled_from(
    ["/ack", "/note ", "/sev2", "/update x", "\n", "\n\n", "\r\n", "```", "~~~~", "<!--", "-->", "`", "> ", "    ",
     "/close dup", "/ack!", "\uff0fack\u00a0", "/escalate @",
     "eta: 2h", "/akc", "summary:", "\u2028", "\x00", "é", "/close false alarm", "/merge #7"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=5), max_size=40).map("".join), st.sampled_from([*Kind]))
def test_any_text_is_read_and_nothing_in_it_is_lost_or_done_twice(text: str, kind: Kind) -> None:
    found = heard(text, kind)
    assert len(found.commands) <= MOST + 1
    assert all(
        (command.act is None) == (bool(command.error) or command.said == ASKS_FOR_HELP) for command in found.commands
    )
    assert len(found.around) <= len(text)
    fenced = heard("~~~~~~~~\n" + text.replace("~", "") + "\n~~~~~~~~", kind)
    assert fenced.commands == ()


@pytest.mark.parametrize(
    "text",
    [
        "`" * 60_000,
        "<!---->" * 9_000,
        "\n" * 65_000,
        "/note x\n" * 8_000,
        "` `` " * 12_000 + "<!--",
        " " * 65_000 + ":",
    ],
)
def test_a_hostile_comment_is_read_in_time(text: str) -> None:
    assert len(heard(text).commands) <= MOST + 1
