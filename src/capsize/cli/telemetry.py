"""Traces for whoever collects them: sent when a run is over, if an exporter is configured."""

from __future__ import annotations

import importlib.util
import os

from capsize.cli.exits import complain
from capsize.core.errors import UsageError
from capsize.core.experiment import Experiment
from capsize.core.history import History
from capsize.core.verdict import Judgement

SWITCH = "CAPSIZE_OTEL"
"""Set by ``--otel``, so that runs in processes of their own know too."""
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
FLUSH_MS = 10_000
INSTALL = "pip install 'capsize[otel]'"


def switch_on() -> None:
    """Have the traces of all runs from now on sent. Raises UsageError when what that needs is not installed."""
    if not _installed():
        raise UsageError(f"--otel needs the OpenTelemetry SDK and its OTLP exporter: {INSTALL}")
    os.environ[SWITCH] = "1"


def wanted() -> bool:
    """Return whether an exporter is configured."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return any(os.environ.get(name) for name in (SWITCH, *ENDPOINTS))


def send(experiment: Experiment, history: History, judgement: Judgement | None) -> None:
    """Send the spans of a run, if anybody wants them. What goes wrong is said, and changes no verdict."""
    if not wanted():
        return
    if not _installed():
        complain(f"an exporter of OpenTelemetry is configured, and its SDK is not installed: {INSTALL}")
        return
    try:
        arrived = _send(experiment, history, judgement)
    except Exception as error:
        complain(f"the traces could not be sent: {type(error).__name__}: {error}")
        return
    if not arrived:
        complain("the traces could not be sent: the collector did not take them")


def _send(experiment: Experiment, history: History, judgement: Judgement | None) -> bool:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from capsize.report.spans import trace

    # Collected first and sent as one: whether it arrived is then one answer.
    made = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "capsize"}))
    provider.add_span_processor(SimpleSpanProcessor(made))
    trace(provider.get_tracer("capsize"), experiment, history, judgement)
    exporter = OTLPSpanExporter(timeout=FLUSH_MS // 1000)
    try:
        spans: tuple[ReadableSpan, ...] = made.get_finished_spans()
        return not spans or exporter.export(spans) is SpanExportResult.SUCCESS
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]
        provider.shutdown()


def _installed() -> bool:
    names = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
    try:
        return all(importlib.util.find_spec(name) is not None for name in names)
    except ModuleNotFoundError:
        return False
