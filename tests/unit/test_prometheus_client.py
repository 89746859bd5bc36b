"""A Prometheus is asked within bounds; what is no answer is told in words that people can read."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from dripping import dripping
from fakes.prometheus import FakePrometheus
from triaged.clock import FakeClock
from triaged.errors import ConfigError
from triaged.prometheus.client import LONGEST_QUERY, MOST_BYTES, Prometheus, UnansweredError

T0 = datetime(2026, 11, 23, 3, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
def fake(clock: FakeClock) -> Iterator[FakePrometheus]:
    with FakePrometheus(clock) as served:
        yield served


def asking(fake: FakePrometheus) -> Prometheus:
    return Prometheus(fake.url, lambda: "Bearer s3cret")


def instant(client: Prometheus, query: str, *, at: datetime | None = None, seconds: float = 5) -> dict[str, float]:
    """Values by the label `pod`."""
    found = asyncio.run(client.instant(query, seconds=seconds, at=at))
    return {one.labels.get("pod", ""): one.value for one in found}


def refused(fake: FakePrometheus, query: str = "up") -> str:
    with pytest.raises(UnansweredError) as refusal:
        instant(asking(fake), query)
    return str(refusal.value).replace(fake.url.removeprefix("http://"), "HOST")


def test_a_query_gives_the_values_of_that_instant_and_the_credential_is_shown(
    fake: FakePrometheus, clock: FakeClock
) -> None:
    fake.says("errors", 0.5, pod="a")
    fake.says("errors", 0.1, pod="b")
    clock.advance(timedelta(minutes=1))
    fake.says("errors", 0.25, pod="a")
    assert instant(asking(fake), "errors") == {"a": 0.25, "b": 0.1}
    assert instant(asking(fake), "errors", at=T0) == {"a": 0.5, "b": 0.1}
    assert instant(asking(fake), "errors < 0.2") == {"b": 0.1}
    assert instant(asking(fake), "never said") == {}
    assert fake.authorization == "Bearer s3cret"


def test_a_span_gives_points_in_their_order_and_leaves_gaps_out(fake: FakePrometheus, clock: FakeClock) -> None:
    fake.says("errors", 1, pod="a")
    clock.advance(timedelta(minutes=1))
    fake.ends("errors")
    clock.advance(timedelta(minutes=1))
    fake.says("errors", math.inf, pod="a")
    between = (T0, T0 + timedelta(minutes=3))
    (series,) = asyncio.run(asking(fake).span("errors", seconds=5, between=between, step=timedelta(minutes=1)))
    assert [(at - T0, value) for at, value in series.points] == [
        (timedelta(0), 1),
        (timedelta(minutes=2), math.inf),
        (timedelta(minutes=3), math.inf),
    ]
    assert series.labels == {"pod": "a"}


def test_a_scalar_is_one_value_without_labels_and_histograms_are_none(fake: FakePrometheus) -> None:
    fake.garbage = b'{"status":"success","data":{"resultType":"scalar","result":[1.5,"NaN"]}}'
    assert math.isnan(instant(asking(fake), "vector(1)")[""])
    fake.garbage = (
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"2"}]}]}}'
    )
    assert instant(asking(fake), "latency") == {}


def test_a_refusal_is_told_in_its_own_words(fake: FakePrometheus) -> None:
    assert refused(fake, "broken(") == (
        'HOST answered 400: invalid parameter "query": 1:8: parse error: unclosed left parenthesis'
    )
    fake.down = True
    assert refused(fake) == "HOST answered 503: upstream is not there"


@pytest.mark.parametrize(
    ("garbage", "expected"),
    [
        (b"<html>", "HOST: expected a Prometheus' answer: "),
        (b"\xff", "HOST: expected a Prometheus' answer: "),
        (b"[" * 100_000, "HOST: expected a Prometheus' answer: "),
        (
            b'{"data":{"resultType":"vector","result":[{"metric":{},"value":[1]}]}}',
            "HOST: expected a Prometheus' answer",
        ),
        (b'{"data":{"resultType":"vector","result":[{"metric":{},"value":[1,"many"]}]}}', "HOST: expected an instant"),
        (b'{"data":{"resultType":"vector","result":[{"metric":{},"value":[1e300,"1"]}]}}', "HOST: expected an instant"),
        (
            b'{"data":{"resultType":"string","result":[1,"x"]}}',
            "HOST: expected a query that gives a vector, got string",
        ),
        (b" " * (MOST_BYTES + 1), "HOST: expected an answer of at most 4,194,304 bytes, got more"),
    ],
)
def test_an_answer_that_is_none_is_told(fake: FakePrometheus, garbage: bytes, expected: str) -> None:
    fake.garbage = garbage
    assert refused(fake).startswith(expected)


def test_one_that_hangs_drips_or_is_not_there_ends_in_time(fake: FakePrometheus) -> None:
    fake.hangs = threading.Event()
    with pytest.raises(UnansweredError, match=r"127\.0\.0\.1:\d+ did not answer within 0\.2 s"):
        instant(asking(fake), "up", seconds=0.2)
    with dripping() as url, pytest.raises(UnansweredError, match=r"did not answer within 0\.2 s"):
        instant(Prometheus(url, lambda: ""), "up", seconds=0.2)
    with pytest.raises(UnansweredError, match=r"^127\.0\.0\.1:1 cannot be asked: ConnectError$"):
        instant(Prometheus("http://127.0.0.1:1/", lambda: ""), "up")


def test_many_questions_at_once_each_have_their_own_end(fake: FakePrometheus) -> None:
    fake.says("errors", 1)
    client = asking(fake)

    async def both() -> list[object]:
        asked = (client.instant(query, seconds=5) for query in ("errors", "broken("))
        return await asyncio.gather(*asked, return_exceptions=True)

    good, bad = asyncio.run(both())
    assert isinstance(good, tuple)
    assert isinstance(bad, UnansweredError)


def test_a_credential_that_is_gone_and_a_query_without_end_are_told_without_asking(fake: FakePrometheus) -> None:
    def gone() -> str:
        raise ConfigError("/run/secrets/prometheus: expected a file with a token, got: No such file or directory")

    with pytest.raises(UnansweredError, match="expected a file with a token"):
        instant(Prometheus(fake.url, gone), "up")
    assert refused(fake, "x" * (LONGEST_QUERY + 1)) == "expected a query of at most 10,000 characters, got more"
    assert fake.asked == []


def test_the_query_goes_as_it_is(fake: FakePrometheus) -> None:
    query = 'sum(rate(http_requests_total{code=~"5..|&=%"}[5m])) / 2 + 1 < 0.01'
    fake.garbage = json.dumps({"data": {"resultType": "vector", "result": []}}).encode()
    assert instant(asking(fake), query) == {}
    assert fake.asked == [query]
