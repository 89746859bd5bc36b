"""The daemon's block in an issue that people opened: above their text, which stays to the letter, whatever it holds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from building import issue
from triaged.backends.document import BEGIN, END, MOST_BYTES, MOST_POINTS, adopt, carries, mark, merge

OPERATION = "5f3a5f3a5f3a5f3a5f3a5f3a5f3a5f3a"
FIRST = issue()
SECOND = issue(acknowledged_by="ann", summary="Rolled back.")
PIECES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.sampled_from(
        [
            BEGIN,
            END,
            mark("beef"),
            f"\n{BEGIN}\n",
            f"\n{END}\n",
            "\r\n",
            "<!--",
            "-->",
            "```",
            FIRST.block,
            FIRST.people,
        ]
    ),
)
TEXT = st.lists(PIECES, max_size=8).map("".join)


@settings(max_examples=60)
@given(TEXT)
def test_what_people_wrote_stays_to_the_letter_through_adoption_and_updates(text: str) -> None:
    body = adopt(text, FIRST, OPERATION)
    assert body is not None
    assert carries(body, OPERATION)
    assert body.endswith(text)
    ours = body.removesuffix(text)
    assert (ours.count(BEGIN), ours.count(END)) == (1, 1)
    assert merge(body, FIRST.block, FIRST) == body
    later = merge(body, FIRST.block, SECOND)
    assert later is not None
    assert later.endswith(text)
    assert SECOND.block in later.removesuffix(text)


@settings(max_examples=30)
@given(st.sampled_from("xé🔥"), st.integers(MOST_POINTS - 1_500, MOST_POINTS + 20))
def test_it_fits_with_a_shorter_block_or_is_left_alone(sign: str, length: int) -> None:
    text = sign * length
    body = adopt(text, FIRST, OPERATION)
    assert body is None or (body.endswith(text) and len(body) <= MOST_POINTS and len(body.encode()) <= MOST_BYTES)
    assert (body is None) or carries(body, OPERATION)
    if length > MOST_POINTS:
        assert body is None
