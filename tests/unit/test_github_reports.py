"""What is read from an issue that somebody opened from the template or the form of incident reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from filing import FIELDS, FORM, TEMPLATE, form, markdown
from triaged.backends.github import reports
from triaged.backends.github.reports import HEADINGS, LABEL, is_report, read
from triaged.core.model import Category, Impact, Urgency
from triaged.core.reports import Filed

OPENED = datetime(2026, 11, 24, 13, 30, tzinfo=UTC)
ANSWERS = {
    "summary": "Customers cannot pay by card",
    "impact": "significant",
    "urgency": "high",
    "category": "data loss",
    "services": "checkout, payments",
    "symptoms": "```\nTraceback\n```\nsince the release",
    "started": "2026-11-24 13:05",
}
READ = Filed(
    summary="Customers cannot pay by card",
    impact=Impact.SIGNIFICANT,
    urgency=Urgency.HIGH,
    category=Category.DATA_LOSS,
    services=("checkout", "payments"),
    symptoms="```\nTraceback\n```\nsince the release",
    started_at=datetime(2026, 11, 24, 13, 5, tzinfo=UTC),
)


# ---------------------------------------------------------------- both, filled in and left empty


@pytest.mark.parametrize("make", [form, markdown])
def test_what_was_filled_in_is_read_from_form_and_template_alike(make: object) -> None:
    assert callable(make)
    assert read(make(**ANSWERS), OPENED) == READ
    assert read(make(**ANSWERS).replace("\n", "\r\n"), OPENED) == READ


@pytest.mark.parametrize("make", [form, markdown])
def test_an_untouched_body_is_a_report_that_says_nothing(make: object) -> None:
    assert callable(make)
    assert is_report(make())
    assert read(make(), OPENED) == Filed()


@pytest.mark.parametrize("name", ["impact", "urgency", "category"])
def test_every_option_of_the_form_is_understood_and_every_word_has_its_option(name: str) -> None:
    kind = {"impact": Impact, "urgency": Urgency, "category": Category}[name]
    options = FIELDS[name]["attributes"]["options"]
    found = [getattr(read(form(**{name: option}), OPENED), name) for option in options]
    assert found == [*kind, None]
    assert options[-1] == "I do not know"


def test_form_and_template_have_the_headings_that_are_read() -> None:
    assert [field["attributes"]["label"].lower() for field in FIELDS.values()] == list(HEADINGS)
    assert list(FIELDS) == list(HEADINGS.values())
    assert [line[4:].lower() for line in TEMPLATE.splitlines() if line.startswith("### ")] == list(HEADINGS)


def test_form_and_template_give_the_issue_the_label_by_which_it_is_known() -> None:
    front = yaml.safe_load(TEMPLATE.split("---\n")[1])
    assert FORM["labels"] == [LABEL]
    assert front["labels"] == LABEL
    assert front["name"] != FORM["name"]


def test_the_form_has_only_what_github_s_syntax_knows() -> None:
    assert set(FORM) == {"name", "description", "labels", "body"}
    for field in FORM["body"]:
        assert field["type"] in {"markdown", "input", "textarea", "dropdown"}
        assert set(field) <= {"type", "id", "attributes", "validations"}
        known = {"label", "description", "placeholder", "options", "value"}
        assert set(field["attributes"]) <= known
        options = field["attributes"].get("options", [])
        assert len({option.lower() for option in options}) == len(options)
        # GitHub reads these as its own words: https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/common-validation-errors-when-creating-issue-forms
        assert not {option.lower() for option in options} & {"none", "true", "false", "yes", "no"}


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Extensive", Impact.EXTENSIVE),
        ("**moderate**", Impact.MODERATE),
        ("minor, perhaps moderate", Impact.MODERATE),
        ("Moderate: minor things, too", Impact.MODERATE),
        ("- [ ] extensive\n- [x] significant\n- [ ] minor", Impact.SIGNIFICANT),
        ("- [ ] extensive\n- [ ] minor", None),
        ("immoderate", None),
        ("sev1", None),
    ],
)
def test_of_the_words_of_an_answer_the_gravest_counts(answer: str, expected: Impact | None) -> None:
    assert read(form(impact=answer), OPENED).impact == expected


def test_of_several_categories_the_first_counts() -> None:
    assert read(form(category="data_loss or an outage"), OPENED).category is Category.DATA_LOSS


def test_services_are_parted_by_commas_and_lines_each_named_once() -> None:
    filed = read(form(services="- checkout\n- `search`; checkout,, \n"), OPENED)
    assert filed.services == ("checkout", "search")


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2026-11-24T13:05:30Z", "2026-11-24T13:05"),
        ("2026-11-24 14:05 +01:00", "2026-11-24T13:05"),
        ("2026-11-24, 13:05 UTC, after the release", "2026-11-24T13:05"),
        ("13:05", "2026-11-24T13:05"),
        ("23:50", "2026-11-23T23:50"),
        ("2026-11-24 13:31", None),
        ("2026-13-24 13:05", None),
        ("25:61", None),
        ("0000-01-01 00:00", None),
        ("0001-01-01 00:00 +23:00", None),
        ("this morning", None),
        ("-", None),
    ],
)
def test_an_instant_is_utc_where_no_offset_stands_and_never_later_than_the_issue(said: str, at: str | None) -> None:
    expected = None if at is None else datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert read(form(started=said), OPENED).started_at == expected
    elsewhere = OPENED.astimezone(timezone(timedelta(hours=-9)))
    assert read(form(started=said), elsewhere).started_at == expected


# ---------------------------------------------------------------- hostile and half filled


def test_an_issue_about_something_else_is_no_report() -> None:
    assert not is_report(None)
    assert not is_report("## Impact\n\nI like it\n\n### Summary\n")
    assert read(None, OPENED) == Filed()


def test_a_heading_that_comes_again_is_part_of_the_answer_in_which_it_stands() -> None:
    body = form(impact="minor", symptoms="### Impact\n\nextensive\n\n## Steps\n\nnone")
    filed = read(body, OPENED)
    assert filed.impact is Impact.MINOR
    assert filed.symptoms == "### Impact\n\nextensive\n\n## Steps\n\nnone"


def test_a_heading_in_a_block_of_code_is_code_and_an_open_fence_hides_nothing() -> None:
    assert read(form(symptoms="~~~\n### When it began\n12:00\n~~~"), OPENED).started_at is None
    filed = read(form(symptoms="```\nlost", started="13:05"), OPENED)
    assert (filed.symptoms, filed.started_at) == ("```\nlost", READ.started_at)


def test_a_hint_that_says_all_words_says_nothing_and_one_without_end_stays_text() -> None:
    body = markdown().replace("-->", "", 1)
    assert read(body, OPENED).impact is None
    assert read(form(summary="<!-- a", impact="minor"), OPENED) == Filed(summary="<!-- a", impact=Impact.MINOR)


def test_lengths_are_bounded() -> None:
    filed = read(
        form(summary="x" * 5_000, symptoms="y\n" * 9_000, services=",".join(f"{n:0>500}" for n in range(50))), OPENED
    )
    assert len(filed.summary) <= reports.LONGEST_SUMMARY
    assert len(filed.symptoms) <= reports.LONGEST_SYMPTOMS
    assert len(filed.services) <= reports.MOST_SERVICES
    assert all(len(name) <= reports.LONGEST_SERVICE for name in filed.services)


PIECES = st.sampled_from(
    [
        *(f"### {heading}" for heading in HEADINGS),
        *("```", "~~~~", "<!--", "-->", "_No response_", "- [x] minor", "extensive", "critical", "outage", "13:05"),
        *("@ann", "\u202e", "\ud800", "\0", "```x", "    # Impact", "### Impact ###", "2026-02-30 10:00", ""),
    ]
)
BODIES = st.lists(st.one_of(PIECES, st.text(max_size=30)), max_size=60).map("\n".join)


@given(BODIES)
def test_whatever_a_body_holds_reading_it_gives_bounded_values(body: str) -> None:
    filed = read(body, OPENED)
    assert "\n" not in filed.summary
    assert len(filed.summary) <= reports.LONGEST_SUMMARY
    assert len(filed.symptoms) <= reports.LONGEST_SYMPTOMS
    assert len(filed.services) <= reports.MOST_SERVICES
    assert filed.started_at is None or filed.started_at <= OPENED
    assert read(body, OPENED) == filed


@given(
    st.fixed_dictionaries(
        {
            "summary": st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=80),
            "impact": st.sampled_from([*Impact]),
            "urgency": st.sampled_from([*Urgency]),
            "category": st.sampled_from([one.replace("_", " ") for one in Category]),
            "symptoms": BODIES,
        }
    )
)
def test_whatever_stands_in_the_symptoms_the_answers_before_them_are_read(answers: dict[str, str]) -> None:
    # What begins a comment or a fence there and ends it below is the author's own word about the rest.
    filed = read(form(**answers), OPENED)
    assert filed.summary == answers["summary"]
    assert (filed.impact, filed.urgency) == (answers["impact"], answers["urgency"])
    assert filed.category == answers["category"].replace(" ", "_")


@pytest.mark.parametrize(
    "body",
    [
        "<!--" * 20_000,
        "```\n" * 20_000,
        "".join(f"{'`' * n}\n" for n in range(3, 360)),
        "".join(f"{'`' * n} x\n" for n in range(360, 3, -1)),
        "### Impact\n" * 6_000,
        "###" + " " * 65_000 + "x",
        "### When it began\n\n" + "1" * 60_000 + " " * 5_000,
        "### Impact\n\n" + "minor-" * 11_000,
        "### Impact\n" + "- [ ] x\n" * 8_000,
    ],
    ids=range(9),
)
def test_the_worst_bodies_say_no_more_than_others(body: str) -> None:
    """What took time that grows with the square of the length would keep the suite for minutes here."""
    filed = read(body * 20, OPENED)
    assert (filed.summary, filed.services, filed.started_at) == ("", (), None)
    assert len(filed.symptoms) <= reports.LONGEST_SYMPTOMS
