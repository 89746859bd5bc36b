"""The daemon's block inside a body that people edit: what they wrote stays, whatever they did to it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from building import issue, report
from triaged.backends.document import (
    BEGIN,
    END,
    MOST_BYTES,
    MOST_POINTS,
    actions,
    carries,
    comment,
    compose,
    fit,
    mark,
    merge,
)
from triaged.ports.backend import Issue

OPERATION = "5f3a5f3a5f3a5f3a5f3a5f3a5f3a5f3a"
FIRST = issue()
SECOND = issue(acknowledged_by="ann", summary="Rolled back.")
THIRD = issue(labels=("big",), firing=3, alerts=3)

# Anything but markers and the carriage returns of a line's end, which are tested by themselves.
LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=40)
TEXT = st.lists(LINE, max_size=6).map("\n".join)
MARKERS = st.sampled_from([BEGIN, END, mark(OPERATION, 12), mark("beef"), "<!-- triaged:sum 0123456789abcdef -->"])


def updated(body: str, *issues: Issue, first: Issue = FIRST) -> str:
    """The body after an update to each of these, one after the other."""
    last = first
    for wanted in issues:
        merged = merge(body, last.block, wanted)
        assert merged is not None
        body, last = merged, wanted
    return body


def lines(text: str) -> Counter[str]:
    return Counter(line.rstrip() for line in text.split("\n") if line.strip())


def test_a_new_body_starts_with_the_marker_on_a_line_of_its_own() -> None:
    body = compose(FIRST, OPERATION)
    assert body.startswith(f"<!-- triaged:v1 op={OPERATION} inc=12 -->\n\n{BEGIN}\n")
    assert FIRST.block in body
    assert body.endswith("## Notes\n")


def test_an_update_that_changes_nothing_gives_the_same_body_back() -> None:
    body = compose(FIRST, OPERATION)
    assert merge(body, FIRST.block, FIRST) == body


def test_an_update_changes_our_block_and_nothing_else() -> None:
    assert updated(compose(FIRST, OPERATION), SECOND) == compose(SECOND, OPERATION)


@settings(deadline=None)
@given(above=TEXT, between=TEXT, below=TEXT)
def test_text_outside_the_markers_survives_any_number_of_updates_to_the_letter(
    above: str, between: str, below: str
) -> None:
    body = compose(FIRST, OPERATION)
    top, rest = body.split("\n\n", 1)
    body = f"{above}\n{top}\n{between}\n{rest}{below}"
    after = updated(body, SECOND, THIRD, FIRST)
    assert after == body


@settings(deadline=None)
@given(text=TEXT)
def test_text_in_the_line_ends_of_a_browser_survives_to_the_letter(text: str) -> None:
    people = text.replace("\n", "\r\n")
    body = compose(FIRST, OPERATION).replace("\n", "\r\n") + people
    after = updated(body, SECOND)
    assert after.endswith(people)
    assert after == compose(SECOND, OPERATION).replace("\n", "\r\n") + people
    assert updated(after, FIRST, first=SECOND) == body


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), LINE.filter(str.strip)), max_size=8))
def test_every_line_that_a_person_adds_to_our_block_survives_as_a_line(added: list[tuple[int, str]]) -> None:
    body = compose(FIRST, OPERATION).split("\n")
    begin, end = body.index(BEGIN) + 1, body.index(END)
    for position, line in added:
        body.insert(begin + position % (end - begin + 1), line)
    after = updated("\n".join(body), SECOND, THIRD)
    missing = Counter(line.rstrip() for _, line in added) - lines(after)
    assert not missing


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 80), st.one_of(MARKERS, LINE.filter(str.strip))), max_size=6))
def test_no_line_of_people_is_lost_among_copied_nested_or_broken_markers(added: list[tuple[int, str]]) -> None:
    body = compose(FIRST, OPERATION).split("\n")
    for position, line in added:
        body.insert(position % (len(body) + 1), line)
    text = "\n".join(body)
    after, last = text, FIRST
    for wanted in (SECOND, THIRD):
        after, last = merge(after, last.block, wanted) or after, wanted
    people = Counter(line.rstrip() for _, line in added if not line.startswith("<!-- triaged:"))
    assert not people - lines(after)


def test_lines_added_to_our_block_move_below_it_once() -> None:
    body = compose(FIRST, OPERATION).replace("#### Targets", "Ann: I look at it.\nIt is the cache.\n\n#### Targets")
    after = updated(body, SECOND, THIRD)
    assert after.count("Ann: I look at it.\nIt is the cache.") == 1
    assert after.index(END) < after.index("Ann: I look at it.") < after.index("## Closure checklist")


def test_a_line_of_ours_that_a_person_changed_is_kept_below_and_true_again_in_the_block() -> None:
    body = compose(FIRST, OPERATION).replace("open, not acknowledged", "open, Ann has it")
    after = updated(body, FIRST)
    assert after.index(END) < after.index("open, Ann has it")
    assert after.index("open, not acknowledged") < after.index(END)


def test_a_block_that_a_person_edited_before_we_learnt_of_it_keeps_what_the_person_wrote_and_little_else() -> None:
    body = compose(FIRST, OPERATION).replace("#### Targets", "Ann: mine.\n\n#### Targets")
    after = merge(body, "", SECOND)
    assert after is not None
    assert after.count("#### Targets") == 1
    assert "Ann: mine." in after.split(END)[1]


def test_a_block_that_we_wrote_and_never_recorded_leaves_no_lines_behind() -> None:
    body = compose(SECOND, OPERATION)
    assert merge(body, FIRST.block, THIRD) == compose(THIRD, OPERATION)


@pytest.mark.parametrize("gone", [BEGIN, END, f"{BEGIN}\n"])
def test_a_body_without_our_markers_is_left_alone(gone: str) -> None:
    assert merge(compose(FIRST, OPERATION).replace(gone, ""), FIRST.block, SECOND) is None


def test_an_emptied_body_is_left_alone() -> None:
    assert merge("", FIRST.block, SECOND) is None


def test_of_two_copies_only_one_is_changed() -> None:
    body = compose(FIRST, OPERATION)
    copy = body.replace("## Notes", "## My copy")
    after = updated(body + copy, SECOND)
    assert after == compose(SECOND, OPERATION) + copy


def test_words_on_the_line_of_a_marker_stay_there() -> None:
    body = compose(FIRST, OPERATION).replace(END, f"{END} hello")
    assert f"{END} hello\n" in updated(body, SECOND)


@pytest.mark.parametrize("char", ["x", "ü", "語", "🔥"])
@pytest.mark.parametrize("size", [0, 1_000, 20_000, 60_000, 64_500])
def test_a_body_never_grows_past_the_limits_and_the_block_gives_way(char: str, size: int) -> None:
    people = char * size
    body = compose(FIRST, OPERATION) + people
    after = merge(body, FIRST.block, replace(SECOND, block="\n".join(["- entry " + "y" * 90] * 700)))
    assert after is not None
    assert len(after) <= MOST_POINTS
    assert len(after.encode()) <= MOST_BYTES
    assert after.endswith(people)
    assert "had no room" in after or size == 64_500


def test_a_body_that_people_filled_to_the_brim_is_left_alone() -> None:
    assert merge(compose(FIRST, OPERATION) + "x" * 64_900, FIRST.block, SECOND) is None


def test_a_shortened_block_says_how_much_is_missing_and_is_shortened_no_further_by_the_next_update() -> None:
    long = replace(FIRST, block="### Head\n\n" + "\n".join(f"- entry {number}" for number in range(9_000)))
    body = compose(long, OPERATION)
    assert len(body) <= MOST_POINTS
    assert "more lines had no room" in body
    assert merge(body, long.block, long) == body
    assert merge(body, FIRST.block, long) == body


@settings(deadline=None)
@given(st.integers(0, 4_000))
def test_a_fitted_block_keeps_to_its_room_and_to_whole_markdown(room: int) -> None:
    entries = "\n".join(f"- entry {number}" for number in range(99))
    rows = "| a | b |\n| --- | --- |\n" + "\n".join("| 1 | 2 |" for _ in range(99))
    whole = f"### Head\n\n{rows}\n\n<details>\n<summary>Timeline</summary>\n\n{entries}\n\n</details>\n\nend"
    shown = fit(whole, room)
    assert len(shown) <= room
    assert shown.count("<details>") == shown.count("</details>")
    assert "| a | b |" not in shown or "| --- | --- |" in shown


def test_a_comment_carries_its_marker_and_mentions_nobody() -> None:
    body = comment("fixed by @octocat\n\n- see #12 <!-- triaged:begin -->", OPERATION)
    assert body.startswith(f"<!-- triaged:v1 op={OPERATION} -->\n\n")
    assert "@o" not in body
    assert BEGIN not in body
    assert carries(body, OPERATION)


@pytest.mark.parametrize("operation", ["", "a -->", "XYZ", "a" * 65])
def test_a_marker_takes_no_operation_that_is_not_hexadecimal(operation: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        mark(operation)


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        f"words {mark(OPERATION)}",
        mark(OPERATION)[:-1],
        f"{mark('beef')}\n\nquoted:\n{mark(OPERATION)}\n",
        report().episodes[0].annotations["summary"],
    ],
)
def test_only_the_first_marker_on_a_line_of_its_own_counts(body: str | None) -> None:
    assert not carries(body, OPERATION)


def test_a_marker_is_found_below_what_people_wrote_on_top_in_a_browser() -> None:
    assert carries(f"Ann: mine.\r\n\r\n{mark(OPERATION, 12)}\r\n\r\n", OPERATION)


ITEMS = "#### Action items (1 of 2 done)\n\n- [ ] 1. bob: Add a limit\n- [x] 2. Write it down"


def test_ticks_of_our_action_items_are_read_and_are_no_lines_of_people() -> None:
    first, second = replace(FIRST, block=ITEMS), replace(FIRST, block=ITEMS.replace("- [ ] 1.", "- [x] 1."))
    body = compose(first, OPERATION)
    assert actions(body) == {1: False, 2: True}
    ticked = body.replace("- [ ] 1. bob", "- [X] 1. bob").replace("- [x] 2.", "- [ ] 2.")
    assert actions(ticked) == {1: True, 2: False}
    assert updated(ticked, second, first=first) == compose(second, OPERATION)


def test_what_people_list_elsewhere_is_no_action_item_of_ours() -> None:
    body = compose(FIRST, OPERATION) + "\n- [x] 1. mine\n"
    assert actions(body) == {}
    assert actions("- [x] 1. mine") == {}


def test_what_people_write_behind_an_action_item_stays() -> None:
    first = replace(FIRST, block=ITEMS)
    body = compose(first, OPERATION).replace("Add a limit", "Add a limit, done in #12")
    assert "- [ ] 1. bob: Add a limit, done in #12" in updated(body, replace(FIRST, block="other"), first=first)
