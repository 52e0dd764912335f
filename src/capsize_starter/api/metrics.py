"""Counts and latencies of the API, and their Prometheus text form.

Written out by hand: the exposition format of two metric kinds is forty lines, and the usual client
library would cost a tenth of the whole start-up time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Labels = tuple[tuple[str, str], ...]


class Histogram:
    """A latency distribution in fixed buckets."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0

    def observe(self, value_s: float) -> None:
        """Count one value; a bucket holds values up to and including its bound."""
        self.counts[bisect_left(BUCKETS_S, value_s)] += 1
        self.sum_s += value_s

    def lines(self, name: str, labels: Labels) -> Iterable[str]:
        """The samples of this histogram, cumulative as the format wants them."""
        total = 0
        for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), self.counts, strict=True):
            total += count
            yield sample(f"{name}_bucket", (*labels, ("le", bound)), total)
        yield sample(f"{name}_sum", labels, round(self.sum_s, 6))
        yield sample(f"{name}_count", labels, total)


class RequestMetrics:
    """What the middleware saw: requests by route and status, latencies by route."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._requests: dict[tuple[str, str, int], int] = {}
        self._latency: dict[tuple[str, str], Histogram] = {}

    def record(self, method: str, route: str, status: int, elapsed_s: float) -> None:
        """Count one answered request. `route` is the template, so the labels stay few."""
        key = (method, route, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        histogram = self._latency.get((method, route))
        if histogram is None:
            histogram = self._latency[method, route] = Histogram()
        histogram.observe(elapsed_s)

    def lines(self) -> Iterable[str]:
        """All of it as exposition text, line by line."""
        yield from header("http_requests_total", "counter", "Requests answered.")
        for (method, route, status), count in sorted(self._requests.items()):
            labels = (("method", method), ("route", route), ("status", str(status)))
            yield sample("http_requests_total", labels, count)
        name = "http_request_duration_seconds"
        yield from header(name, "histogram", "Time from request to the end of its answer.")
        for (method, route), histogram in sorted(self._latency.items()):
            yield from histogram.lines(name, (("method", method), ("route", route)))
        yield from gauge("http_requests_in_flight", "Requests being answered.", {(): self.in_flight})


def gauge(name: str, help_text: str, values: Mapping[Labels, float]) -> Iterable[str]:
    """A whole gauge: its header and one sample per label set."""
    yield from header(name, "gauge", help_text)
    for labels, value in values.items():
        yield sample(name, labels, value)


def header(name: str, kind: str, help_text: str) -> Iterable[str]:
    """The two comment lines that introduce a metric."""
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"


def sample(name: str, labels: Labels, value: float) -> str:
    """One line: name, labels, value."""
    if not labels:
        return f"{name} {value}"
    inner = ",".join(f'{key}="{_escape(text)}"' for key, text in labels)
    return f"{name}{{{inner}}} {value}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
