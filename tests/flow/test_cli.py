"""The command line: what it says, where, and with which exit status; a refusal is a sentence, never a traceback."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from commands import Run, Said, config_in
from process.daemon import Daemon, free_port
from triaged import __version__
from triaged.clock import FakeClock
from triaged.ports.store import AlertRecord, Batch, Fate
from waiting import wait_until
from world import START, alert, body, settings_for, world

FIXTURES = Path(__file__).parents[1] / "fixtures"
PAYLOADS = sorted((FIXTURES / "alertmanager").glob("am*.json"))


@pytest.fixture
def run(triaged: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `triaged …` in an empty working directory, on a wide terminal."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setenv("COLUMNS", "200")
    return triaged


def refused(said: Said) -> str:
    """The sentences on standard error of a command that was refused."""
    assert said.status == 2, said
    assert said.out == ""
    assert said.err.endswith("\n")
    return said.err.strip()


def payload_in(folder: Path, content: bytes) -> Path:
    file = folder / "payload.json"
    file.write_bytes(content)
    return file


# ---------------------------------------------------------------- the command itself


def test_python_m_triaged_is_triaged_and_tells_its_release() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "triaged", "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"triaged {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--help"], "serve demo check explain incidents db"),
        (["incidents", "--help"], "list show ack severity resolve close reopen"),
        (["db", "--help"], "migrate backup retry"),
    ],
)
def test_help_names_every_command(run: Run, arguments: list[str], expected: str) -> None:
    said = run(*arguments)
    assert said.status == 0
    assert all(word in said.out for word in expected.split())


def test_an_unknown_command_or_option_exits_with_2(run: Run) -> None:
    assert "No such command" in refused(run("sreve"))
    assert "No such option" in refused(run("check", "--cofnig", "x"))


# ---------------------------------------------------------------- wrong configuration


@pytest.mark.parametrize("command", [["explain", "payload.json"], ["serve"], ["db", "migrate"]])
def test_every_command_refuses_a_wrong_configuration_with_its_place(
    run: Run, tmp_path: Path, command: list[str]
) -> None:
    file = config_in(tmp_path, backend={"type": "gitlab"})
    assert refused(run(*command, "--config", file)) == f"{file}:2:3: backend.type: expected 'github' or 'local'"
    assert refused(run(*command, "--config", tmp_path / "no.yaml")).endswith(
        "expected a configuration file, found none"
    )


def test_a_folder_of_rules_that_is_not_there_is_told(run: Run, tmp_path: Path) -> None:
    assert "expected a folder with rules" in refused(run("check", "--rules", tmp_path / "nowhere"))


# ---------------------------------------------------------------- explain


@pytest.mark.parametrize("file", PAYLOADS, ids=lambda file: file.stem)
def test_explain_tells_a_verdict_or_the_reason_of_a_drop_for_every_alert_of_a_captured_payload(
    run: Run, file: Path
) -> None:
    said = run("explain", file)
    assert said.status == 0
    alerts = json.loads(file.read_bytes())["alerts"]
    judged = len(re.findall(r"^  (severity   sev[1-4]  \(impact|dropped: )", said.out, re.MULTILINE))
    assert judged == len(alerts)
    for one in alerts:
        assert f'alertname="{one["labels"]["alertname"]}"' in said.out


def test_explain_tells_the_arithmetic_the_key_and_the_targets(run: Run, rules: Path) -> None:
    file = payload_in(rules.parent, body([alert("Broken", labels={"grave": "2", "app": "checkout"})]))
    lines = run("explain", file, "--rules", rules).out.splitlines()
    told = [line.strip() for line in lines]
    assert "severity   sev2  (impact significant (rule serious) × urgency high (rule serious) = sev2)" in told
    assert "category   error   team payments   service checkout" in told
    assert 'key        alertname="Broken", service="checkout"' in told
    assert "targets    response 1h, resolution 8h" in told
    assert any(line.startswith("✓") and "serious" in line and "Some cannot pay." in line for line in told)
    assert any("4 rules did not match (--every shows why)" in line for line in told)


def test_explain_shows_on_demand_why_the_other_rules_did_not_match(run: Run, rules: Path) -> None:
    file = payload_in(rules.parent, body([alert("Broken", labels={"grave": "2"})]))
    out = run("explain", file, "--rules", rules, "--every").out
    assert "did not match" not in out
    assert re.search(r"– +grave +grave=\"1\", saw '2'", out)
    assert re.search(r'– +slow +slow="yes"', out)


def test_explain_tells_why_an_alert_is_dropped_or_held_back(run: Run, rules: Path) -> None:
    text = (rules / "triage.yaml").read_text()
    drop = "- {name: noise, match: ['alertname=\"Noise\"'], drop: Nobody reads it., because: Noise.}\n"
    (rules / "triage.yaml").write_text(text.replace("rules:\n", f"rules:\n{drop}"))
    file = payload_in(rules.parent, body([alert("Noise"), alert("Slow", labels={"slow": "yes"})]))
    out = run("explain", file, "--rules", rules).out
    assert "dropped: Nobody reads it." in out
    assert out.count("severity   ") == 1
    assert re.search(r"targets .*; held back for 15 min", out)


def test_explain_tells_of_an_unreadable_alert_and_goes_on_with_the_others(run: Run, tmp_path: Path) -> None:
    content = json.dumps({"alerts": [{"labels": 5}, alert("Good"), None]}).encode()
    said = run("explain", payload_in(tmp_path, content))
    assert said.status == 0
    assert said.out.count("unreadable (") == 2
    assert 'alertname="Good"' in said.out


def test_explain_tells_what_was_mended(run: Run, tmp_path: Path) -> None:
    file = payload_in(tmp_path, body([{**alert("Odd"), "startsAt": "soon"}]))
    assert "  mended: " in run("explain", file).out


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "expected a JSON object"), (b"[]", "got a list"), (b"\xff\xfe", "no readable JSON"), (b"{", "no readable")],
)
def test_explain_of_what_is_no_webhook_body_names_the_file_and_what_was_expected(
    run: Run, tmp_path: Path, content: bytes, expected: str
) -> None:
    file = payload_in(tmp_path, content)
    said = refused(run("explain", file))
    assert said.startswith(f"{file}: ")
    assert expected in said


def test_explain_of_a_file_that_cannot_be_read_says_so(run: Run, tmp_path: Path) -> None:
    missing = tmp_path / "missing.json"
    assert refused(run("explain", missing)) == f"{missing}: cannot be read: No such file or directory"
    assert refused(run("explain", tmp_path)) == f"{tmp_path}: cannot be read: Is a directory"


def test_explain_sends_no_control_characters_of_an_alert_to_the_terminal(run: Run, tmp_path: Path) -> None:
    odd = alert("Odd", labels={"x": "\x1b[2J\x07", "\x1b]0;": "1"})
    assert "\x1b" not in run("explain", payload_in(tmp_path, body([odd, {"labels": "\x1b[2J"}])), "--every").out


# ---------------------------------------------------------------- serve


def test_serve_on_a_taken_address_says_so(run: Run, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        file = config_in(tmp_path, listen=address, store="sqlite:///triaged.db")
        assert refused(run("serve", "--config", file)) == f"listen: cannot use {address}: Address already in use"


@pytest.mark.parametrize("listen", ["a..b:9876", "no-such-host.invalid:9876", f"{'a' * 80}.example:1"])
def test_serve_on_an_address_that_is_none_says_so(run: Run, tmp_path: Path, listen: str) -> None:
    file = config_in(tmp_path, listen=listen, store="sqlite:///triaged.db", insecure_no_auth=True)
    assert f"listen: cannot use {listen}: " in refused(run("serve", "--config", file))


def test_serve_with_a_github_token_file_that_is_not_there_says_so(run: Run, tmp_path: Path) -> None:
    github = {"repository": "acme/incidents", "token_file": "token"}
    file = config_in(tmp_path, store="sqlite:///triaged.db", backend={"type": "github", "github": github})
    assert f"{tmp_path}/token: expected a file with a token" in refused(run("serve", "--config", file))


# ---------------------------------------------------------------- db


def test_migrate_makes_the_store_once(run: Run, tmp_path: Path) -> None:
    file = config_in(tmp_path, store="sqlite:///deep/triaged.db")
    assert run("db", "migrate", "--config", file).out == "migrated\n"
    assert run("db", "migrate", "--config", file).out == "nothing to do\n"
    with closing(sqlite3.connect(tmp_path / "deep/triaged.db")) as store:
        assert store.execute("SELECT count(*) FROM incidents").fetchone() == (0,)


@pytest.mark.parametrize("command", [["db", "migrate"], ["db", "retry"], ["db", "backup", "copy.db"], ["serve"]])
def test_a_store_that_cannot_be_made_is_told_by_every_command_that_needs_one(
    run: Run, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    file = config_in(tmp_path, listen=f"127.0.0.1:{free_port()}", store="sqlite:///file/triaged.db")
    assert "store: " in refused(run(*command, "--config", file))


def test_a_store_that_is_no_database_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "triaged.db").write_text("Dear diary, " * 100)
    file = config_in(tmp_path, store="sqlite:///triaged.db")
    assert "file is not a database" in refused(run("db", "migrate", "--config", file))


def test_backup_copies_the_store_and_tells_its_size(run: Run, tmp_path: Path) -> None:
    with world(settings_for(tmp_path), FakeClock(START)) as daemon:
        daemon.deliver(alert())
    file = config_in(tmp_path, store="sqlite:///triaged.db")
    said = run("db", "backup", tmp_path / "copy.db", "--config", file)
    assert said.status == 0
    assert re.fullmatch(rf"{tmp_path}/copy\.db: [\d,]+ bytes, whole\n", said.out)
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT count(*) FROM episodes").fetchone() == (1,)
    again = refused(run("db", "backup", tmp_path / "copy.db", "--config", file))
    assert again == f"{tmp_path}/copy.db exists: expected a new file"


def test_backup_of_a_store_that_is_not_there_is_refused_and_makes_nothing(run: Run, tmp_path: Path) -> None:
    file = config_in(tmp_path, store="sqlite:///misspelt/triaged.db")
    said = refused(run("db", "backup", tmp_path / "copy.db", "--config", file))
    assert f"{tmp_path}/misspelt/triaged.db" in said
    assert not (tmp_path / "copy.db").exists()
    assert not (tmp_path / "misspelt").exists()


def test_retry_takes_in_what_had_failed(run: Run, tmp_path: Path) -> None:
    failed = AlertRecord(
        delivery="d-1",
        source="alertmanager",
        received_at=START,
        fate=Fate.FAILED,
        fingerprint="",
        incident_id=None,
        rule_set="",
        raw=json.dumps(alert("Poison")).encode(),
        reason="ZeroDivisionError",
    )
    with world(settings_for(tmp_path), FakeClock(START)) as daemon:
        daemon.app.writer.run(lambda transaction, now: transaction.save(Batch(records=[failed]), now))
    file = config_in(tmp_path, store="sqlite:///triaged.db")
    assert run("db", "retry", "--config", file).out == "1 taken in, 0 failed again\n"
    assert run("db", "retry", "--config", file).out == "0 taken in, 0 failed again\n"
    with closing(sqlite3.connect(tmp_path / "triaged.db")) as store:
        assert store.execute("SELECT count(*) FROM incidents").fetchone() == (1,)


# ---------------------------------------------------------------- incidents


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose acts need a token."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "ann").write_text("# rotated in May\n\nann-s3cret\nann-former\n")
    (folder / "looker").write_text("looker-s3cret\n")
    tokens = {"ann": {"token_file": "ann"}, "looker": {"token_file": "looker", "role": "read"}}
    with Daemon(folder, api_tokens=tokens) as one:
        yield one


@pytest.fixture
def desk(run: Run, daemon: Daemon) -> Run:
    """Runs `triaged incidents …` against the daemon as ann."""

    def incidents(*arguments: object) -> Said:
        return run("incidents", *arguments, "--url", daemon.url, "--token-file", daemon.folder / "ann")

    return incidents


@pytest.fixture
def opened(daemon: Daemon, request: pytest.FixtureRequest) -> str:
    """A new incident, named as the test is."""
    before = {incident["id"] for incident in daemon.incidents()}
    assert daemon.deliver(body([alert(request.node.name, labels={"severity": "critical"})])).status_code == 200
    (new,) = {incident["id"] for incident in daemon.incidents()} - before
    return str(new)


def test_list_shows_incidents_newest_first_and_filters(desk: Run, opened: str) -> None:
    said = desk("list")
    assert said.status == 0
    lines = said.out.splitlines()
    assert lines[0].split() == ["incident", "severity", "state", "opened", "firing", "team", "title"]
    assert lines[1].split()[:3] == [opened, "sev2", "open"]
    assert len(desk("list", "--limit", 1).out.splitlines()) == 2
    assert opened in desk("list", "--state", "open", "--severity", "sev2").out
    assert desk("list", "--severity", "sev4").out == "no incidents\n"


def test_show_tells_targets_and_timeline(desk: Run, opened: str) -> None:
    said = desk("show", opened)
    assert said.status == 0
    assert said.out.startswith(f"{opened}  ")
    assert "sev2, open, 1 firing" in said.out
    assert re.search(r"response +due \d{4}-\d\d-\d\dT.* running", said.out)
    assert re.search(r"resolution +due \d{4}-\d\d-\d\dT.* running", said.out)
    assert re.search(r"^  \d{4}-\d\d-\d\dT\d\d:\d\d  triaged +\S", said.out, re.MULTILINE)


def test_the_acts_follow_an_incident_from_ack_to_reopening(desk: Run, opened: str, daemon: Daemon) -> None:
    said = desk("ack", opened, "--for", "4h")
    assert said.status == 0
    assert "sev2, acknowledged, 1 firing" in said.out
    assert re.search(r"response +due .* met", said.out)
    assert "sev3 by ann, judged sev2, acknowledged" in desk("severity", opened, "sev3", "--reason", "One pod only.").out
    assert desk("resolve", opened, "--summary", "It works again.").status == 0
    assert re.search(r"ann +ann says that it is fixed", desk("show", opened).out)
    record = ["--root-cause", "A typo.", "--fix", "Reverted.", "--prevention", "A test."]
    assert ", closed, " in desk("close", opened, "--reason", "false_alarm", *record).out
    shown = daemon.get(f"/api/v1/incidents/{opened}").json()
    assert (shown["closed_by"], shown["close_reason"], shown["root_cause"]) == ("ann", "false_alarm", "A typo.")
    assert (shown["summary"], shown["fix"], shown["prevention"]) == ("It works again.", "Reverted.", "A test.")
    assert ", open, " in desk("reopen", opened, "--reason", "It was none.").out


def test_a_published_incident_is_shown_with_where_it_is(desk: Run, opened: str, daemon: Daemon) -> None:
    wait_until(lambda: daemon.get(f"/api/v1/incidents/{opened}").json()["issue"], what="the issue")
    assert f"{opened}.md" in desk("show", opened).out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["show", "INC-99999"], "INC-99999"),
        (["show", "checkout"], "INC-"),
        (["show", "../../-/healthy"], "there is nothing at"),
        (["ack", "INC-99999"], "INC-99999"),
        (["list", "--state", "broken"], "state: expected"),
        (["list", "--severity", "sev9"], "severity: expected"),
    ],
)
def test_what_is_not_there_is_refused_with_a_sentence(desk: Run, arguments: list[str], expected: str) -> None:
    assert expected in refused(desk(*arguments))


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (["severity", "sev9"], "severity: expected 'sev1'".replace("'", "")),
        (["ack", "--for", "soon"], "for: expected a duration"),
        (["close", "--reason", "boredom"], "reason: expected completed"),
        (["reopen"], "open"),
        (["ack", "--by", "bob"], "by: expected on_behalf_of instead"),
    ],
)
def test_an_act_that_is_refused_says_why_and_changes_nothing(
    desk: Run, opened: str, daemon: Daemon, act: list[str], expected: str
) -> None:
    before = daemon.get(f"/api/v1/incidents/{opened}").json()
    said = refused(desk(act[0], opened, *act[1:]))
    assert expected in said
    after = daemon.get(f"/api/v1/incidents/{opened}").json()
    # What the daemon itself finds and publishes meanwhile is no change of theirs.
    for one in (before, after):
        one.update(issue=None, evidence=None)
        one["timeline"] = [entry for entry in one["timeline"] if entry["by"] != "triaged"]
    assert after == before


def test_an_act_without_a_valid_token_of_the_right_role_is_refused(
    run: Run, daemon: Daemon, opened: str, tmp_path: Path
) -> None:
    (tmp_path / "wrong").write_text("s3cret-but-wrong")
    files = [None, tmp_path / "wrong", daemon.folder / "looker"]
    for file in files:
        more = [] if file is None else ["--token-file", file]
        said = refused(run("incidents", "ack", opened, "--url", daemon.url, *more))
        assert "token" in said
        assert "s3cret" not in said
    assert daemon.get(f"/api/v1/incidents/{opened}").json()["state"] == "open"


@pytest.mark.parametrize("content", [b"", b"# none yet\n\n"])
def test_a_token_file_without_a_token_is_told(run: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    said = refused(run("incidents", "list", "--url", "http://127.0.0.1:1", "--token-file", tmp_path / "token"))
    assert said == f"{tmp_path}/token: expected a token on a line, found none"


def test_a_token_file_that_cannot_be_read_is_told(run: Run, tmp_path: Path) -> None:
    said = refused(run("incidents", "list", "--url", "http://127.0.0.1:1", "--token-file", tmp_path / "none"))
    assert said == f"{tmp_path}/none: cannot be read: No such file or directory"


@pytest.mark.parametrize("content", [b"s3cret\x01", "s3cret–ä".encode(), b"s3cret\xff"])
def test_an_odd_token_is_refused_without_showing_it(
    run: Run, daemon: Daemon, opened: str, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "token").write_bytes(content)
    said = refused(run("incidents", "ack", opened, "--url", daemon.url, "--token-file", tmp_path / "token"))
    assert "s3cret" not in said


@pytest.mark.parametrize(
    "url",
    [f"http://127.0.0.1:{free_port()}", "127.0.0.1:9876", "http://[::1", "ftp://127.0.0.1", "http://", "http://a b"],
)
def test_without_a_daemon_at_the_address_it_says_what_was_expected_where(run: Run, url: str) -> None:
    assert refused(run("incidents", "list", "--url", url)).startswith(f"expected a daemon at {url} (--url): ")


class Stranger(BaseHTTPRequestHandler):
    """Another web server that says 200 to everything."""

    def do_GET(self) -> None:
        content = b"<h1>Welcome</h1>" if "html" in self.path else b'["welcome"]'
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.mark.parametrize("path", ["/html", "/json"])
def test_another_server_at_the_address_is_told_from_a_daemon(run: Run, path: str) -> None:
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}{path}"
        try:
            said = run("incidents", "list", "--url", url)
        finally:
            server.shutdown()
            thread.join(20)
    assert refused(said).startswith(f"expected a daemon at {url} (--url): ")


def test_show_sends_no_control_characters_of_an_alert_to_the_terminal(desk: Run, daemon: Daemon) -> None:
    odd = alert("Odd\x1b[2J\nINC-99  sev1", annotations={"summary": "\x1b]0;owned\x07 \x9b2J\r\u202e"})
    assert daemon.deliver(body([odd])).status_code == 200
    shown = desk("show", daemon.incidents()[0]["id"]).out + desk("list").out
    assert not re.search("[\x07\x1b\x9b\r\u202e]", shown)
    assert "\\nINC-99  sev1" in shown
    assert not re.search(r"^\s*INC-99", shown, re.MULTILINE)


def test_migrating_a_store_in_use_is_refused(run: Run, daemon: Daemon) -> None:
    said = refused(run("db", "migrate", "--config", daemon.folder / "config.yaml"))
    assert said == f"store: {daemon.folder}/triaged.db is in use by another triaged"
