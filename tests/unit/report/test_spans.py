"""A run as OpenTelemetry spans: phases and strikes where they were, and the verdict on the run's own span."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from capsize.cli import telemetry
from capsize.core.events import RunBegan, Struck
from capsize.core.history import History
from capsize.core.verdict import Judgement
from capsize.report.spans import trace
from support import literal_runs

WALL_NS = 10**18
"""When the literal run began."""


def spans(history: History, judgement: Judgement | None = None) -> dict[str, ReadableSpan]:
    """Return the spans of a history by name."""
    made = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(made))
    trace(provider.get_tracer("test"), literal_runs.experiment(), history, judgement)
    return {span.name: span for span in made.get_finished_spans()}


def test_the_run_its_phases_and_its_strikes_are_spans_at_their_times() -> None:
    """They stand beside the service's own traces, on the same wall clock, under one root."""
    found = spans(literal_runs.history())
    assert {*found} == {"chaos worker-restart", "phase steady", "phase chaos", "strike kill"}
    root, strike = found["chaos worker-restart"], found["strike kill"]
    assert root.start_time == WALL_NS
    assert root.end_time == WALL_NS + 8 * 10**9
    assert (strike.start_time, strike.end_time) == (WALL_NS + 3 * 10**9, WALL_NS + int(4.6 * 10**9))
    assert strike.parent is not None
    assert root.context is not None
    assert strike.parent.span_id == root.context.span_id
    assert strike.attributes is not None
    assert strike.attributes["capsize.victims"] == ("worker-1",)
    assert [event.name for event in strike.events] == ["begin", "landed", "healed"]
    assert "worker-1 exited" in [event.name for event in root.events]


def test_a_broken_promise_makes_the_run_an_error() -> None:
    """Whoever looks for errors finds the run, and which claim broke."""
    judgement = literal_runs.judged(literal_runs.lost(literal_runs.finding()))
    root = spans(literal_runs.history(), judgement)["chaos worker-restart"]
    assert root.status.status_code is StatusCode.ERROR
    assert root.attributes is not None
    assert root.attributes["capsize.verdict"] == "FAIL"
    assert root.attributes["capsize.broken"] == ("lost",)


def test_a_kept_promise_makes_no_error() -> None:
    """A strike that did its work is no error of anybody's."""
    found = spans(literal_runs.history(), literal_runs.judged(literal_runs.lost()))
    assert {span.status.status_code for span in found.values()} == {StatusCode.UNSET}


def test_a_strike_that_was_not_healed_is_an_error() -> None:
    """What is left broken must not look like what was planned."""
    began = RunBegan(t=0.0, run="one", scenario="s", level=1, seed=1, wall=1e9)
    steps = [
        Struck(t=1.0, strike="s1", stage="begin", fault="stop"),
        Struck(t=3.0, strike="s1", stage="heal_failed", fault="stop", detail="it does not start"),
    ]
    assert spans(History([began, *steps]))["strike stop"].status.status_code is StatusCode.ERROR


def test_a_run_that_was_cut_off_has_whole_spans() -> None:
    """What was open ends with the record, and the root says that it was cut off."""
    found = spans(literal_runs.history(whole=False))
    root = found["chaos worker-restart"]
    assert root.attributes is not None
    assert root.attributes["capsize.ended"] == "cut off"
    assert found["strike kill"].end_time == root.end_time


def test_a_run_without_a_beginning_has_no_spans() -> None:
    """Without a wall clock they would stand in 1970."""
    assert spans(History(())) == {}


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Return the address of a collector of this machine, and what it was sent."""
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            got.append((self.path, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no exporter configured."""
    for name in (telemetry.SWITCH, *telemetry.ENDPOINTS, "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)


def test_a_collector_gets_them(
    collector: tuple[str, list[tuple[str, bytes]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With an endpoint configured, a real OTLP receiver can read what comes."""
    address, got = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    telemetry.send(literal_runs.experiment(), literal_runs.history(), None)
    ((path, body),) = got
    assert path == "/v1/traces"
    sent = ExportTraceServiceRequest.FromString(body)
    names = {span.name for one in sent.resource_spans for scope in one.scope_spans for span in scope.spans}
    assert {"chaos worker-restart", "strike kill"} <= names
    assert capsys.readouterr().err == ""


def test_nothing_is_sent_or_imported_unasked(collector: tuple[str, list[tuple[str, bytes]]]) -> None:
    """Without configuration there is no traffic."""
    telemetry.send(literal_runs.experiment(), literal_runs.history(), None)
    assert collector[1] == []


def test_an_sdk_that_is_disabled_stays_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SDK_DISABLED is obeyed."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not telemetry.wanted()


def test_without_the_sdk_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--otel is refused before anything is started; a variable of the environment gets a remark."""
    monkeypatch.setattr(telemetry, "_installed", lambda: False)
    with pytest.raises(telemetry.UsageError, match="capsize\\[otel\\]"):
        telemetry.switch_on()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    telemetry.send(literal_runs.experiment(), literal_runs.history(), None)
    assert "not installed" in capsys.readouterr().err


def test_a_collector_that_fails_is_said_and_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verdict does not depend on a collector."""

    def fail(*_: object) -> bool:
        raise ConnectionError("refused")

    monkeypatch.setattr(telemetry, "_send", fail)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    telemetry.send(literal_runs.experiment(), literal_runs.history(), None)
    assert "ConnectionError: refused" in capsys.readouterr().err
