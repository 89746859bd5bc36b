"""The doors of mapped sources as senders see them: who may send, what each is answered, and what becomes of it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from process.daemon import Daemon, free_port
from triaged.app import App
from triaged.clock import FakeClock
from triaged.core.model import State
from triaged.door.ingest import Ingest
from triaged.errors import StoreError
from triaged.intake.units import Answer, Delivery
from triaged.ports.store import Fate
from triaged.ports.tally import Tally
from triaged.sources import mapped
from triaged.sources.sns import Handshake
from triaged.workers.subscribe import MOST_WAITING, SubscribeWorker
from waiting import wait_until
from web_desk import RULES
from world import START, World, settings_for, world

FIXTURES = Path(__file__).parents[1] / "fixtures" / "sources"
TOPIC = "arn:aws:sns:us-west-2:123456789012:MyTopic"
TOOL = "labels: {alertname: title, grave: grave}\nstatus: state\n"


def body(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def basic(user: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The shipped rules on loopback; PagerDuty's and CloudWatch's senders have to prove themselves."""
    folder = tmp_path_factory.mktemp("mapped")
    (folder / "keys").write_text("samplekeyhere\nanother-routing-key\n")
    (folder / "passwords").write_text("sns:secret\n")
    sources = {"pagerduty": {"tokens_file": "keys"}, "cloudwatch": {"basic_auth_file": "passwords"}}
    with Daemon(folder, sources=sources) as one:
        yield one


def post(daemon: Daemon, path: str, content: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    return daemon.post(f"/api/v1/alerts/{path}", content=content, headers=headers or {})


def counted(daemon: Daemon, path: str, name: str, headers: dict[str, str] | None = None) -> Any:
    answer = post(daemon, path, body(name), headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["alerts"]


# ---------------------------------------------------------------- from the first alert to its end


def test_a_monitor_that_goes_down_and_comes_back_is_one_incident(daemon: Daemon) -> None:
    assert counted(daemon, "uptime-kuma", "uptime-kuma-test") == {}
    assert counted(daemon, "uptime-kuma", "uptime-kuma-down") == {"began": 1}
    assert "alerts" not in post(daemon, "uptime-kuma", body("uptime-kuma-down")).json(), "a repeat touches no disk"
    (incident,) = [one for one in daemon.incidents() if "Testing" in one["title"]]
    assert (incident["state"], incident["firing"]) == ("open", 1)
    assert counted(daemon, "uptime-kuma", "uptime-kuma-up") == {"ended": 1}
    assert daemon.metric("triaged_alerts_duplicate_total") >= 1


def test_grafanas_alerts_end_one_by_one(daemon: Daemon) -> None:
    assert counted(daemon, "grafana", "grafana") == {"began": 2}
    assert counted(daemon, "grafana", "grafana-resolved") == {"ended": 1}


def test_plain_json_is_taken_in(daemon: Daemon) -> None:
    assert counted(daemon, "generic", "generic") == {"began": 1, "unchanged": 1}


def test_an_alarm_over_sns_is_taken_in(daemon: Daemon) -> None:
    sender = basic("sns:secret")
    assert counted(daemon, "cloudwatch", "cloudwatch-alarm", sender) == {"began": 1}
    assert counted(daemon, "cloudwatch", "cloudwatch-no-data", sender) == {}
    assert counted(daemon, "cloudwatch", "cloudwatch-ok", sender) == {"ended": 1}
    assert counted(daemon, "cloudwatch", "sns-text", sender) == {"rejected": 1}


def test_sns_is_asked_for_basic_authentication_alone(daemon: Daemon) -> None:
    answer = post(daemon, "cloudwatch", body("cloudwatch-alarm"))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="triaged"')
    assert post(daemon, "cloudwatch", body("cloudwatch-alarm"), basic("sns:wrong")).status_code == 401


def test_a_subscription_that_no_mapping_allows_is_told_to_a_person(daemon: Daemon) -> None:
    assert counted(daemon, "cloudwatch", "sns-subscription", basic("sns:secret")) == {}
    assert counted(daemon, "cloudwatch", "sns-unsubscribed", basic("sns:secret")) == {}
    wait_until(lambda: "subscription ended" in daemon.log.read_text(), what="the daemon to tell of the end")
    told = daemon.log.read_text()
    assert "subscription waits for a person" in told
    assert "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription" in told


# ---------------------------------------------------------------- PagerDuty's clients


@pytest.mark.parametrize("path", ["pagerduty", "pagerduty/v2/enqueue"])
def test_a_client_of_pagerduty_is_answered_as_by_pagerduty(daemon: Daemon, path: str) -> None:
    answers = [post(daemon, path, body(f"pagerduty-{act}")) for act in ("trigger", "trigger", "acknowledge", "resolve")]
    assert [answer.status_code for answer in answers] == [202] * 4
    success = {"status": "success", "message": "Event processed", "dedup_key": "samplekeyhere"}
    assert [answer.json() for answer in answers] == [success] * 4
    (incident,) = [one for one in daemon.incidents() if "deploy" in one["title"]]
    assert (incident["firing"], incident["state"]) == (0, "verifying")
    shown = daemon.get(f"/api/v1/incidents/{incident['id']}").json()
    assert any(entry["text"].startswith("deploy resolved at") for entry in shown["timeline"])


def test_the_second_routing_key_and_a_bearer_token_are_valid_too(daemon: Daemon) -> None:
    event = {**json.loads(body("pagerduty-acknowledge")), "routing_key": "another-routing-key"}
    assert post(daemon, "pagerduty", json.dumps(event).encode()).status_code == 202
    del event["routing_key"]
    bearer = {"authorization": "Bearer samplekeyhere"}
    assert post(daemon, "pagerduty", json.dumps(event).encode(), bearer).status_code == 202


@pytest.mark.parametrize("key", ["wrong", "", None, 5, "samplekeyher\ud800"])
def test_without_a_valid_routing_key_nothing_is_stored(daemon: Daemon, key: object) -> None:
    event = {**json.loads(body("pagerduty-trigger")), "routing_key": key, "dedup_key": "forged"}
    before = daemon.metric("triaged_episodes_total")
    answer = post(daemon, "pagerduty/v2/enqueue", json.dumps(event).encode())
    assert (answer.status_code, answer.json()) == (
        401,
        {"error": "expected a valid bearer token or basic authentication or a routing_key"},
    )
    assert daemon.metric("triaged_episodes_total") == before


def test_a_wrong_header_is_not_mended_by_the_body(daemon: Daemon) -> None:
    assert post(daemon, "pagerduty", body("pagerduty-trigger"), {"authorization": "Bearer wrong"}).status_code == 401


def test_an_event_that_cannot_be_read_is_invalid_and_kept(daemon: Daemon) -> None:
    event = {"routing_key": "samplekeyhere", "event_action": "snooze", "dedup_key": "x"}
    for _ in range(2):
        answer = post(daemon, "pagerduty", json.dumps(event).encode())
        assert answer.status_code == 400
        assert answer.json()["status"] == "invalid event"
        assert answer.json()["errors"][0].startswith("status: expected one of trigger, resolve, acknowledge")
    assert "unknown_status" in daemon.get("/").text


def test_who_sends_no_header_may_send_no_more_than_pagerduty_takes(daemon: Daemon) -> None:
    assert post(daemon, "pagerduty", b" " * (512 * 1024 + 1)).status_code == 413
    assert post(daemon, "pagerduty", b"{").status_code == 400


# ---------------------------------------------------------------- the door


def test_what_can_never_be_read_is_400(daemon: Daemon) -> None:
    answer = post(daemon, "grafana", b'{"alert": []}')
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "expected alerts at alerts, as sources/grafana.yaml says, got nothing",
    )


def test_a_large_body_is_read_whole(daemon: Daemon) -> None:
    alerts = [{"name": "Many", "labels": {"n": n}, "summary": "x" * 100} for n in range(2_000)]
    assert post(daemon, "generic", json.dumps(alerts).encode()).json()["alerts"] == {"began": 2_000}


def test_a_web_page_cannot_send_where_no_token_is_asked(daemon: Daemon) -> None:
    assert post(daemon, "generic", b'{"name": "Forged"}', {"origin": "https://evil.example"}).status_code == 403


def test_a_mapping_closes_no_door_of_an_alertmanager_with_its_name(daemon: Daemon) -> None:
    bearer = {"authorization": "Bearer samplekeyhere"}
    assert post(daemon, "alertmanager/pagerduty", b'{"alerts": []}', bearer).status_code == 200
    assert post(daemon, "alertmanager/pagerduty", b'{"alerts": []}').status_code == 401


def test_other_methods_and_paths_say_what_was_expected(daemon: Daemon) -> None:
    assert daemon.get("/api/v1/alerts/pagerduty").status_code == 405
    answer = post(daemon, "pagerduty/v2/change/enqueue", b"{}")
    assert answer.status_code == 404
    assert "/api/v1/alerts/pagerduty/v2/enqueue" in answer.json()["error"]


def test_beyond_loopback_a_mapped_source_without_tokens_is_closed(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("the-token\n")
    port = free_port()
    daemon = Daemon(
        tmp_path,
        listen=f"0.0.0.0:{port}",
        sources={name: {"tokens_file": "token"} for name in ("alertmanager", "grafana")},
        api_tokens={"ann": {"token_file": "token"}},
    )
    daemon.url = f"http://127.0.0.1:{port}"
    with daemon:
        told = daemon.log.read_text()
        assert "sources closed" in told
        assert "uptime-kuma" in told
        bearer = {"authorization": "Bearer the-token"}
        for headers in ({}, bearer):
            answer = post(daemon, "generic", b'{"name": "Forged"}', headers)
            assert (answer.status_code, answer.json()["error"]) == (
                403,
                "expected tokens for this source: the configuration has none at sources.generic",
            )
        assert post(daemon, "grafana", body("grafana")).status_code == 401
        assert counted(daemon, "grafana", "grafana", bearer) == {"began": 2}
        assert len(daemon.incidents()) == 2


# ---------------------------------------------------------------- in virtual time


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of rules with one mapped source."""
    rules = tmp_path / "rules"
    (rules / "sources").mkdir(parents=True)
    for name, text in RULES.items():
        (rules / name).write_text(text)
    (rules / "sources" / "tool.yaml").write_text(TOOL)
    return rules


@pytest.fixture
def one(tmp_path: Path, folder: Path) -> Iterator[World]:
    settings = settings_for(tmp_path).model_copy(update={"rules": folder})
    with world(settings, FakeClock(START)) as found:
        yield found


def sent(app: App, source: str, **document: object) -> Delivery:
    """What the door makes of a body."""
    door = app.door.doors[source]
    assert door.mapping is not None
    content = json.dumps(document).encode()
    return Delivery(id="test", source=source, body=content, reading=mapped.open_letter(door.mapping, content).reading)


def knock(app: App, content: bytes) -> httpx.Response:
    """What the door of the source `tool` answers, without a socket."""

    async def submit(delivery: Delivery) -> Answer:
        return await asyncio.to_thread(app.writer.ask, delivery)

    door = Ingest(
        app.application, doors=app.door.doors, known=app.known.status, submit=submit, tally=Tally, shake=app.shake
    )

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(door)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/api/v1/alerts/tool", content=content)

    return asyncio.run(ask())


def test_a_reload_brings_changes_and_takes_sources(one: World, folder: Path) -> None:
    assert {"alertmanager", "tool"} <= one.app.door.doors.keys()
    one.app.writer.ask(sent(one.app, "tool", title="Before", grave="2"))
    (folder / "sources" / "tool.yaml").rename(folder / "sources" / "other.yaml")
    assert one.app.reload() == []
    assert "tool" not in one.app.door.doors
    one.app.writer.ask(sent(one.app, "other", title="After", grave="2"))
    (folder / "sources" / "other.yaml").write_text("labels: {alertname: name}")
    assert one.app.reload() == []
    assert sent(one.app, "other", name="x").reading is not None
    assert [incident.source for incident in one.incidents()] == ["tool", "other"]


def test_a_bad_mapping_keeps_the_former_doors(one: World, folder: Path) -> None:
    before = one.app.door.doors
    (folder / "sources" / "tool.yaml").write_text("labels: {alertname: 'title['}")
    (problem,) = one.app.reload()
    assert problem.startswith("sources/tool.yaml:1:21: labels.alertname: expected a JMESPath expression")
    assert one.app.door.doors is before


def test_an_alert_that_failed_is_taken_in_again_though_its_mapping_is_gone(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "sources" / "tool.yaml").write_text(TOOL + "identity: [alertname]\n")
    settings = settings_for(tmp_path).model_copy(update={"rules": folder})
    with world(settings, FakeClock(START)) as broken:
        delivery = sent(broken.app, "tool", title="Lost", grave="2")
        with monkeypatch.context() as patch:
            patch.setattr("triaged.intake.deciding.follow", lambda *_: 1 / 0)
            assert broken.app.writer.ask(delivery).counts == {Fate.FAILED: 1}
    (folder / "sources" / "tool.yaml").unlink()
    app = App(settings, FakeClock(START))
    assert app.retry() == (1, 0)
    (folder / "sources" / "tool.yaml").write_text(TOOL + "identity: [alertname]\n")
    with world(settings, FakeClock(START)) as mended:
        (incident,) = mended.incidents()
        assert (incident.source, incident.severity.value) == ("tool", "sev2")
        ended = mended.app.writer.ask(sent(mended.app, "tool", title="Lost", state="resolved"))
        assert ended.counts == {Fate.ENDED: 1}
        assert mended.incidents()[0].state is State.VERIFYING


def test_what_becomes_graver_while_it_fires_raises_its_incident(one: World, folder: Path) -> None:
    (folder / "sources" / "tool.yaml").write_text(TOOL + "identity: [alertname]\n")
    assert one.app.reload() == []
    for grave in ("3", "1"):
        one.app.writer.ask(sent(one.app, "tool", title="Growing", grave=grave))
    (incident,) = one.incidents()
    assert (incident.severity.value, incident.firing) == ("sev1", 1)


# ---------------------------------------------------------------- subscriptions

URL = "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription"


def asked(**changes: Any) -> Handshake:
    return Handshake(**{"source": "cloudwatch", "topic": TOPIC, "url": URL, **changes})


class Net:
    """Answers GETs with what the test says, and remembers what was fetched."""

    def __init__(self, *answers: int | OSError) -> None:
        self.answers = list(answers)
        self.fetched: list[str] = []

    def get(self, url: str) -> int:
        self.fetched.append(url)
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer


def steps(worker: SubscribeWorker) -> list[str]:
    """What is logged until the worker rests."""
    with capture_logs() as logs:
        while worker.step(START):
            """Until nothing waits."""
    assert worker.next_at(START) is None
    return [entry["event"] for entry in logs]


def test_a_subscription_is_confirmed_by_the_worker_and_never_by_the_door() -> None:
    net = Net(200)
    worker = SubscribeWorker(net.get)
    assert worker.offer(asked(), frozenset({TOPIC}))
    assert (net.fetched, worker.next_at(START)) == ([], START)
    assert steps(worker) == ["subscription confirmed"]
    assert net.fetched == [URL]


@pytest.mark.parametrize("answer", [403, 302, OSError("ConnectTimeout: no route")])
def test_a_subscription_that_cannot_be_confirmed_is_told_with_its_address(answer: int | OSError) -> None:
    worker = SubscribeWorker(Net(answer).get)
    worker.offer(asked(), frozenset({TOPIC}))
    with capture_logs() as logs:
        worker.step(START)
    assert [(entry["event"], entry["url"]) for entry in logs] == [("subscription not confirmed", URL)]


@pytest.mark.parametrize(
    ("handshake", "event"),
    [
        (asked(topic="arn:aws:sns:us-west-2:123456789012:Other"), "subscription waits for a person"),
        (asked(url="https://evil.example/"), "subscription waits for a person"),
        (asked(ended=True), "subscription ended"),
    ],
)
def test_what_is_not_wanted_is_told_and_not_fetched(handshake: Handshake, event: str) -> None:
    net = Net()
    worker = SubscribeWorker(net.get)
    with capture_logs() as logs:
        assert not worker.offer(handshake, frozenset({TOPIC}))
    assert [entry["event"] for entry in logs] == [event]
    assert (steps(worker), net.fetched) == ([], [])


def test_no_more_wait_than_there_is_room_for() -> None:
    net = Net(*[200] * MOST_WAITING)
    worker = SubscribeWorker(net.get)
    offered = [worker.offer(asked(), frozenset({TOPIC})) for _ in range(MOST_WAITING + 3)]
    assert offered.count(True) == MOST_WAITING
    assert len(steps(worker)) == MOST_WAITING


def test_a_confirmation_reaches_the_worker_through_the_door(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Net(200)
    monkeypatch.setattr("triaged.app.fetch", net.get)
    (folder / "sources" / "tool.yaml").write_text(f"{TOOL}protocol: sns\ntopics: ['{TOPIC}']\n")
    settings = settings_for(tmp_path).model_copy(update={"rules": folder})
    with world(settings, FakeClock(START)) as found:
        answer = knock(found.app, body("sns-subscription"))
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "alerts": {}})
        assert net.fetched == []
        found.settle()
    assert net.fetched[0].startswith(f"{URL}&TopicArn={TOPIC}&Token=")


def test_what_cannot_be_stored_is_503(one: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(one.app.store, "begin", full)
    answer = knock(one.app, b'{"title": "x"}')
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
