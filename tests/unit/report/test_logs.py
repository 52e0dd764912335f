"""Log lines on the run's clock: those of a finding's moment are found beside its story."""

from __future__ import annotations

from capsize.core.verdict import Finding
from capsize.report.logs import LINES_MAX, Logs, read_logs, story_times

WALL = 1_795_472_463.0
"""2026-11-23 22:21:03 UTC."""


def finding(*story: str, task: str | None = None) -> Finding:
    """Return a finding with a story."""
    return Finding(anomaly="lost", message="", task=task, story=story)


def near(t: float, texts: dict[str, str], task: str | None = None) -> list[tuple[float, str, str]]:
    """Return the lines of a moment."""
    logs = read_logs(texts, WALL, 60.0)
    return [
        (line.t, line.instance, line.text) for line in logs.of_moments([finding(f"{t} it was", task=task)])[0]
    ]


def test_lines_are_placed_by_the_time_that_they_carry() -> None:
    """JSON with a time, PostgreSQL's own form, an offset, a comma before the milliseconds."""
    texts = {
        "api-1": '{"time":"2026-11-23T22:21:13.250Z","event":"a"}',
        "postgres-1": "2026-11-23 22:21:13.100 UTC [7] LOG:  b",
        "worker-1": "2026-11-24T00:21:13,300+02:00 c",
    }
    assert [(t, name) for t, name, _ in near(10.2, texts)] == [
        (10.1, "postgres-1"),
        (10.25, "api-1"),
        (10.3, "worker-1"),
    ]


def test_a_line_without_a_time_belongs_to_the_one_before() -> None:
    """A traceback follows its headline, and a process that prints plain text its start."""
    text = "before all\n--- capsize: start 1 of api-1 at 3.000 s ---\nTraceback\n  File x\n"
    assert [line for _, _, line in near(3.0, {"api-1": text})] == [
        "--- capsize: start 1 of api-1 at 3.000 s ---",
        "Traceback",
        "  File x",
    ]


def test_a_time_of_another_clock_is_no_time() -> None:
    """A date in a message, or a service whose clock was moved by hours, must not tear the order apart."""
    text = "--- capsize: start 1 of api-1 at 3.000 s ---\n1999-01-01 00:00:00 the epoch of the feature\n"
    assert len(near(3.0, {"api-1": text})) == 2


def test_lines_that_name_the_task_come_before_those_that_are_only_near() -> None:
    """With a flood of lines the ones about the task stay."""
    flood = "\n".join(f'{{"time":"2026-11-23T22:21:13.{n:03}Z","n":{n}}}' for n in range(100))
    own = '{"time":"2026-11-23T22:21:13.499Z","task":"t-77"}'
    found = near(10.0, {"api-1": flood, "worker-1": own}, task="t-77")
    assert len(found) == LINES_MAX
    assert found[-1][1] == "worker-1"


def test_a_line_that_names_another_task_is_not_taken_for_this_one() -> None:
    """t-7 is not t-77."""
    flood = "\n".join(f'{{"time":"2026-11-23T22:21:13.{n:03}Z","task":"t-77"}}' for n in range(100))
    own = '{"time":"2026-11-23T22:21:13.499Z","task":"t-7"}'
    found = near(10.0, {"api-1": flood, "worker-1": own}, task="t-7")
    assert found[-1][1] == "worker-1"


def test_a_long_log_is_searched_at_once() -> None:
    """A hundred findings in a flood of lines: one pass for all of them, and every one has its lines."""
    text = "\n".join(
        f'{{"time":"2026-11-23T22:21:{13 + n // 5000}.{n % 5000 // 5:03}Z","task":"t{n % 200}"}}'
        for n in range(50_000)
    )
    logs = read_logs({"worker-1": text}, WALL, 60.0)
    found = logs.of_moments([finding("10.5 a", "12.5 b", task=f"t{n}") for n in range(100)])
    assert all(len(lines) == LINES_MAX for lines in found)
    assert all(f'"t{n}"' in line.text for n, lines in enumerate(found) for line in lines)


def test_what_is_far_from_the_story_is_left_out() -> None:
    """Half a second is near, a second is not; a story without times has no lines."""
    text = '{"time":"2026-11-23T22:21:13.600Z"}\n{"time":"2026-11-23T22:21:14.900Z"}'
    assert [t for t, _, _ in near(10.2, {"api-1": text})] == [10.6]
    assert Logs().of_moments([finding("no time at all")]) == [()]


def test_the_moments_of_a_story() -> None:
    """Lines begin with their time; others have none."""
    assert story_times(finding("   2.500 b", "1.0 a", "then", "", "nan x")) == [1.0, 2.5]
