"""``capsize serve``: what it shows, and all that it must refuse."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from capsize.checkers import judge
from capsize.cli.app import cli
from capsize.cli.serving.server import Server
from capsize.core.errors import UsageError
from capsize.core.events import PhaseChanged, RunEnded
from capsize.journal import Journal
from capsize.rundir import RunDirectory
from support import literal_runs

LIMIT_S = 20.0


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder with a run that was judged."""
    folder = tmp_path / "runs"
    directory = literal_runs.write_run(folder)
    directory.write_judgement(judge(directory.experiment(), directory.history()))
    return folder


@pytest.fixture
def server(runs: Path) -> Iterator[Server]:
    """Return a server of that folder."""
    with Server(runs, 0) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join(LIMIT_S)


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, str, dict[str, str]]:
    """Return status, body and headers; the path goes out as it is given."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=LIMIT_S)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()}
    finally:
        connection.close()


def only(runs: Path) -> str:
    """Return the name of the only run."""
    (found,) = runs.glob("*/experiment.json")
    return found.parent.name


def growing(runs: Path) -> tuple[RunDirectory, Journal]:
    """Return a run that goes on, with its journal open."""
    directory = RunDirectory.create(runs, literal_runs.experiment(scenario="going"))
    journal = Journal(directory.history_path)
    for event in literal_runs.events(whole=False):
        journal.record(event)
    return directory, journal


def test_the_index_lists_every_run(server: Server, runs: Path) -> None:
    """Scenario, seed and verdict, with a link to the page."""
    status, text, headers = ask(server, "/")
    assert status == 200
    assert only(runs) in text
    assert "worker-restart" in text
    assert ">PASS<" in text
    assert headers["content-security-policy"].startswith("default-src 'none'")


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    """A first look before the first run is no error."""
    from capsize.cli.serving.pages import index
    from capsize.cli.serving.shelf import Shelf

    assert "No run yet" in index(Shelf(tmp_path).entries(), "runs")


def test_a_report_is_made_on_demand_and_nothing_is_written(server: Server, runs: Path) -> None:
    """The page comes from the record, also of a run that has none; the folder stays as it was."""
    before = sorted((str(path), path.stat().st_mtime_ns) for path in runs.rglob("*"))
    status, text, _ = ask(server, f"/runs/{only(runs)}/")
    assert status == 200
    assert "<!doctype html>" in text.lower()
    assert "worker-restart" in text
    assert json.loads(ask(server, f"/runs/{only(runs)}/report.json")[1])["scenario"] == "worker-restart"
    assert sorted((str(path), path.stat().st_mtime_ns) for path in runs.rglob("*")) == before


def test_a_run_that_was_cut_off_is_told_too(server: Server, runs: Path) -> None:
    """capsize was killed: the index says so, and the page is made of what there is."""
    directory = literal_runs.write_run(runs, whole=False, torn=True)
    long_ago = time.time() - 3600
    os.utime(directory.history_path, (long_ago, long_ago))
    assert "cut off" in ask(server, "/")[1]
    status, text, _ = ask(server, f"/runs/{directory.path.name}/")
    assert status == 200
    assert "UNKNOWN" in text


def test_a_run_is_followed_while_it_goes_on(server: Server, runs: Path) -> None:
    """News come as the record grows, and the last one leads to the report."""
    directory, journal = growing(runs)
    assert ">running<" in ask(server, "/")[1]
    page = ask(server, f"/runs/{directory.path.name}/")[1]
    assert "EventSource" in page
    assert "s1 kill worker-1" in page
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=LIMIT_S)
    connection.request("GET", f"/runs/{directory.path.name}/news")
    answer = connection.getresponse()
    assert answer.getheader("content-type") == "text/event-stream"
    assert "phase" in json.loads(_message(answer))
    journal.record(PhaseChanged(t=30.0, phase="drain", what="begin"))
    journal.record(RunEnded(t=31.0, how="completed"))
    journal.close()
    rest = answer.read().decode()
    assert "drain" in rest
    assert rest.endswith("event: over\ndata: \n\n")
    connection.close()


def _message(answer: http.client.HTTPResponse) -> str:
    line = answer.readline().decode()
    assert answer.readline() == b"\n"
    return line.removeprefix("data: ")


@pytest.mark.parametrize(
    "path",
    [
        "/runs/../secret/",
        "/runs/../../../../etc/passwd",
        "/runs/%2e%2e/secret/",
        "/runs/..%2fsecret/",
        "/runs/..%5csecret/",
        "/runs/%2fetc/",
        "/runs//etc/passwd",
        "/../secret/experiment.json",
        "/runs/{run}/../../secret/",
        "/runs/{run}/history.jsonl",
        "/runs/{run}/..%2f..%2fsecret/report.json",
        "/runs/linked/",
        "/runs/%00/",
        "/secret",
        "/runs/nobody/",
        "/runs/{run}/logs/worker-1.log",
    ],
)
def test_nothing_outside_can_be_reached(server: Server, runs: Path, path: str) -> None:
    """No dots, no encodings, no links: a name is looked up among the runs, or there is nothing."""
    name, secret = only(runs), literal_runs.write_run(runs.parent / "secret").path
    (runs / "linked").symlink_to(secret, target_is_directory=True)
    status, text, _ = ask(server, path.format(run=name))
    assert status == 404
    assert text == "there is nothing here; / lists the runs\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_only_shows(server: Server, method: str) -> None:
    """Nothing can be changed from a browser."""
    status, _, headers = ask(server, "/", method)
    assert status == 405
    assert headers["allow"] == "GET, HEAD"


def test_head_has_no_body(server: Server) -> None:
    """The same headers, and nothing after them."""
    status, text, headers = ask(server, "/", "HEAD")
    assert (status, text) == (200, "")
    assert int(headers["content-length"]) > 0


@pytest.mark.parametrize(
    ("host", "status"), [("evil.example", 403), ("evil.example:80", 403), ("localhost:1", 200)]
)
def test_a_name_from_elsewhere_is_refused(server: Server, host: str, status: int) -> None:
    """A page on the web whose name was made to point to this machine reads nothing."""
    assert ask(server, "/", Host=host)[0] == status


def test_it_listens_on_loopback_alone(server: Server) -> None:
    """Nobody else on the network sees it."""
    assert server.server_address[0] == "127.0.0.1"


def test_too_many_followers_are_refused(server: Server, runs: Path) -> None:
    """A page that is left open in many tabs does not fill the machine with threads."""
    directory, journal = growing(runs)
    while server.followers.acquire(blocking=False):
        pass
    assert ask(server, f"/runs/{directory.path.name}/news")[0] == 503
    journal.close()


def test_what_runs_print_is_text_and_no_markup(server: Server, runs: Path) -> None:
    """A scenario's name, written by anybody, runs no script."""
    RunDirectory.create(runs, literal_runs.experiment(scenario="<script>alert(1)</script>"))
    assert "<script>alert" not in ask(server, "/")[1]


def test_a_folder_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    """Said before anything listens."""
    ran = CliRunner().invoke(cli, ["serve", str(tmp_path / "no")], standalone_mode=False)
    assert isinstance(ran.exception, UsageError)


def test_a_taken_port_is_a_usage_error(server: Server, runs: Path) -> None:
    """The message says what to give instead."""
    ran = CliRunner().invoke(
        cli, ["serve", str(runs), "--port", str(server.server_port)], standalone_mode=False
    )
    assert isinstance(ran.exception, UsageError)
    assert "--port" in str(ran.exception)
