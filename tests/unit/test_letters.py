"""Templates and letters: the mission's formats word for word, bounded, and safe in text, Markdown and HTML."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from building import incident, minutes, rule_files
from triaged.channels.writing import Format, subject, write
from triaged.core.effects import Audience, NoticeKind
from triaged.core.model import Process, Severity, State, Update
from triaged.errors import ConfigError, Finding
from triaged.ports.backend import Address
from triaged.ports.channel import Letter, PieceKind
from triaged.ports.store import IncidentRow, Notice
from triaged.rulefiles import folder, templates
from triaged.rulefiles.templates import NAMES, VARIABLES, link, say, shipped
from triaged.workers.letters import Desk, letter_of, several

NASTY = "@all <!here> <@U1> [click](http://evil.example) **b** `c` # h\n- x\n1. y <img src=x onerror=1> | &lt;"


def text_of(name: str, **values: str) -> str:
    """A shipped template as plain text."""
    first, rest = shipped()[name].render({key: say(key, value) for key, value in values.items()})
    return f"{write(first, Format.TEXT, markdown=False)}\n\n{write(rest, Format.TEXT, markdown=False)}"


def read(name: str, text: str) -> list[Finding]:
    findings: list[Finding] = []
    templates.read({f"templates/{name}": text}, findings)
    return findings


# ---------------------------------------------------------------- the mission's formats


def test_an_initial_notification_without_any_value_reads_as_the_process_says() -> None:
    assert text_of("initial_notification", severity="Critical") == (
        "INCIDENT ALERT - [Service Name]\n\n"
        "Status: Investigating\n"
        "Severity: Critical\n"
        "Impact: [Brief description]\n"
        "Affected Services: [List]\n"
        "Start Time: [Time]\n\n"
        "We are aware of an issue affecting [Service Name]. Our team is\n"
        "investigating and will provide updates every [X] minutes.\n\n"
        "Next Update: [Time]\n"
        "Expected Resolution: Under investigation\n"
        "Status Page: [Link]"
    )


def test_a_status_update_without_any_value_reads_as_the_process_says() -> None:
    assert text_of("status_update", status="Identified") == (
        "INCIDENT UPDATE - [Service Name]\n\n"
        "Status: Identified\n"
        "Update: Under investigation\n"
        "Impact: [Current impact]\n"
        "Next Steps: [What we're doing next]\n\n"
        "Next Update: [Time]\n"
        "Expected Resolution: Under investigation"
    )


def test_a_resolution_notice_without_any_value_reads_as_the_process_says() -> None:
    assert text_of("resolution_notice") == (
        "INCIDENT RESOLVED - [Service Name]\n\n"
        "Status: Resolved\n"
        "Resolution Time: [Time]\n"
        "Duration: [Duration]\n\n"
        "Summary: [Brief description of issue and resolution]\n"
        "Root Cause: Under investigation\n"
        "Prevention: Under investigation\n\n"
        "We apologize for the inconvenience. If you continue to\n"
        "experience issues, please contact support."
    )


def test_a_workaround_stands_in_an_update_only_while_there_is_one() -> None:
    assert "Workaround: Pay by invoice." in text_of("status_update", workaround="Pay by invoice.")
    assert "Workaround" not in text_of("status_update")


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_template_says_something_with_and_without_values(name: str) -> None:
    full = text_of(name, **dict.fromkeys(VARIABLES, "something"))
    assert "something" in full
    assert len(text_of(name).splitlines()) >= 3


# ---------------------------------------------------------------- what templates can do


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("one\n{{ servise }}", 2, "got 'servise'; service"),
        ("{{ service", 1, "expected Jinja2"),
        ("a\n\n{% for x in services %}{% endfor %}", 3, "got a for"),
        ("{{ service() }}", 1, "got a call"),
        ("{{ 'x' * 10 ** 9 }}", 1, "got a mul"),
        ("{{ service.__class__ }}", 1, "got a getattr"),
        ("{{ service['x'] }}", 1, "got a getitem"),
        ("{{ service | center(1000000000) }}", 1, "got 'center'"),
        ("{% set x = service %}", 1, "got a assign"),
        ("{% include 'x' %}", 1, "got a include"),
        ("{% macro a() %}{% endmacro %}", 1, "got a macro"),
        ("\ue000", 1, "private use"),
        ("x" * 20_000, 1, "at most 16 KiB"),
        ("{{ service < 3 }}", 1, "expected a template that can be printed"),
    ],
)
def test_a_template_that_is_more_than_a_text_with_variables_is_refused_at_its_line(
    text: str, line: int, message: str
) -> None:
    found = read("status_update.txt", text)
    assert [one.line for one in found][:1] == [line]
    assert any(message in f"{one.message}; {one.hint}".replace("did you mean ", "").rstrip("?") for one in found)
    assert found[0].file == "templates/status_update.txt"


def test_a_template_of_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    (found,) = read("status_updates.txt", "x")
    assert "status_update" in found.hint


def test_a_template_stands_in_one_file_only() -> None:
    findings: list[Finding] = []
    templates.read({"templates/raised.md": "# a", "templates/raised.txt": "a"}, findings)
    assert [one.message for one in findings] == ["expected one file raised.txt or raised.md, got both"]


def test_templates_belong_to_the_rule_set_and_its_hash() -> None:
    files = dict(rule_files().files)
    assert "templates/raised.txt" in files
    changed = folder.read({**files, "templates/raised.txt": "{{ incident }} rose"})
    assert changed.hash != rule_files().hash
    assert changed.templates["raised"].render({})[0][0].kind is PieceKind.THEIRS


def test_rules_without_templates_use_the_shipped_ones() -> None:
    files = {name: text for name, text in rule_files().files.items() if not name.startswith("templates/")}
    assert folder.read(files).templates == shipped()


def test_a_broken_template_refuses_the_rule_set() -> None:
    with pytest.raises(ConfigError, match=r"templates/raised\.txt:1:1: expected one of the variables, got 'x'"):
        folder.read({**rule_files().files, "templates/raised.txt": "{{ x }}"})


# ---------------------------------------------------------------- letters


def notice(kind: NoticeKind = NoticeKind.OPENED, audience: Audience = Audience.STAKEHOLDERS, text: str = "") -> Notice:
    return Notice(
        id=1,
        incident_id=12,
        kind=kind,
        audience=audience,
        key="k",
        recipients=("stakeholders",),
        text=text,
        rank=1,
        created_at=minutes(1),
    )


def desk() -> Desk:
    return Desk(rules=rule_files().rules, templates=shipped(), public_url="https://triaged.example.com")


def letter(of: Notice, *, issue: str = "", **changes: object) -> Letter:
    address = Address(backend="github", repository="acme/i", number=7, url=issue) if issue else None
    row = IncidentRow(incident=incident(**changes), address=address, failure="")
    return letter_of(of, row, desk(), every=None)


def plain(one: Letter) -> str:
    return f"{subject(one.subject)}\n{write(one.body, Format.TEXT, markdown=one.markdown)}"


def test_stakeholders_read_the_reason_of_the_rules_and_nothing_of_the_alert() -> None:
    text = plain(letter(notice(), title="HighErrorRate · pod-7", process=Process(update_due_at=minutes(61))))
    assert text.startswith("INCIDENT ALERT - checkout\nStatus: Investigating\nSeverity: High\n")
    assert "Impact: Some purchases fail or take too long." in text
    assert "Affected Services: checkout, website" in text
    assert "Next Update: 2026-11-23 04:01 UTC" in text
    assert "Status Page: https://triaged.example.com/status" in text
    assert "HighErrorRate" not in text


def test_an_update_says_what_a_person_wrote_and_always_when_the_next_one_comes() -> None:
    said = Update(
        at=minutes(30), by="ann", text="The database is full.", status="Identified", next_steps="We add a disk."
    )
    process = Process(update=said, eta=minutes(90), update_due_at=minutes(60))
    text = plain(letter(notice(NoticeKind.UPDATE), process=process))
    assert "Status: Identified\nUpdate: The database is full." in text
    assert "Next Steps: We add a disk." in text
    assert "Next Update: 2026-11-23 04:00 UTC\nExpected Resolution: 2026-11-23 04:30 UTC" in text


def test_a_reopened_incident_is_told_to_stakeholders_as_an_update() -> None:
    text = plain(letter(notice(NoticeKind.REOPENED)))
    assert "Status: Investigating\nUpdate: The issue has come back." in text


def test_a_resolution_says_how_long_it_lasted() -> None:
    text = plain(letter(notice(NoticeKind.RESOLVED), state=State.RESOLVED, restored_at=minutes(95), firing=0))
    assert "Resolution Time: 2026-11-23 04:35 UTC\nDuration: 1 h 35 min" in text


def test_responders_get_the_context_and_the_link_of_the_issue_where_there_is_one() -> None:
    of = notice(NoticeKind.ESCALATED, Audience.RESPONDERS, text="Why you: nobody has acknowledged it.")
    text = plain(letter(of, issue="https://github.com/acme/i/issues/7"))
    assert text.startswith("INC-12 High needs you: HighErrorRate · checkout · eu-1\nWhy you: nobody")
    assert "Incident: https://triaged.example.com/incidents/INC-12\nIssue: https://github.com/acme/i/issues/7" in text
    assert "Issue: none yet" in plain(letter(of))


def test_a_restricted_incident_is_told_without_a_word_of_the_alert() -> None:
    of = notice(NoticeKind.ESCALATED, Audience.RESPONDERS, text="the root password leaked")
    one = letter(of, restricted=True, title="RootLogin")
    assert plain(one) == (
        "INC-12 High: restricted (escalated)\nIts own page says more: https://triaged.example.com/incidents/INC-12"
    )
    assert "RootLogin" not in one.page.summary


def test_many_notices_are_one_letter_that_lists_them_with_their_links() -> None:
    rows = [incident(id=number, title=f"T{number}", severity=Severity.SEV3) for number in (1, 2)]
    letters = [
        (
            letter_of(
                notice(NoticeKind.OPENED, Audience.RESPONDERS),
                IncidentRow(incident=one, address=None, failure=""),
                desk(),
                every=None,
            ),
            one,
        )
        for one in rows
    ]
    assert plain(several(letters)) == (
        "2 notices about 2 incidents\n"
        "- INC-1 Medium: T1 https://triaged.example.com/incidents/INC-1\n"
        "- INC-2 Medium: T2 https://triaged.example.com/incidents/INC-2\n"
    )


# ---------------------------------------------------------------- what others wrote does nothing


def written(value: str, form: Format) -> str:
    first, rest = shipped()["escalated"].render({"text": say("text", value), "title": say("title", value)})
    return write(first + rest, form, markdown=False)


def test_text_of_others_mentions_nobody_and_links_nowhere_in_any_format() -> None:
    for form in Format:
        shown = written(NASTY, form)
        assert not re.search(r"@(?!\u200b)\w|<!|<@|\]\(|(?<!localhost:9876)://", shown), form


def test_markup_of_others_is_read_as_it_was_written() -> None:
    html = MarkdownIt("commonmark", {"html": True}).render(written(NASTY, Format.MARKDOWN))
    assert not re.search(r"<(a|img|strong|em|code|h1|ul|ol|li)\b", html)
    assert not re.search(r"<(?!br|/?a\b)", written(NASTY, Format.HTML))


@given(st.text(max_size=200))
def test_no_text_makes_a_link_a_tag_or_a_mention(value: str) -> None:
    html = MarkdownIt("commonmark", {"html": True}).render(written(value, Format.MARKDOWN))
    assert not re.search(r"<(?!/?p>|br /?>)", html)
    assert not re.search(r"<(?!br>)", written(value, Format.HTML))
    assert not re.search(r"@(?!\u200b)", written(value, Format.TEXT))


def test_a_link_of_ours_stays_one() -> None:
    first, rest = shipped()["raised"].render({"url": link("url", "https://t.example.com/incidents/INC-1")})
    pieces = first + rest
    assert "Incident: https://t.example.com/incidents/INC-1" in write(pieces, Format.TEXT, markdown=False)
    assert "Incident: https://t.example.com/incidents/INC-1" in write(pieces, Format.MARKDOWN, markdown=False)
    anchor = '<a href="https://t.example.com/incidents/INC-1">'
    assert anchor in write(pieces, Format.HTML, markdown=False)


def test_a_template_in_markdown_is_shown_as_such_in_mail() -> None:
    findings: list[Finding] = []
    made = templates.read({"templates/raised.md": "# {{ incident }}\n\n**Why:** {{ text }}"}, findings)
    assert not findings
    first, rest = made["raised"].render({"incident": say("incident", "INC-1"), "text": say("text", "<b>*x*")})
    assert subject(first) == "INC-1"
    html = write(rest, Format.HTML, markdown=True)
    assert "<strong>Why:</strong>" in html
    assert "<b>" not in html
    assert "<em>" not in html
