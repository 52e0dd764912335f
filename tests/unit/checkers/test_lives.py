"""The lives of tasks and instances, as the checkers see them."""

from __future__ import annotations

from capsize.checkers.fleet import fleet
from capsize.checkers.lives import lives
from capsize.checkers.spans import less, merged, shared_s
from capsize.checkers.stories import story
from support.histories import Past


def test_a_run_knows_how_it_ended() -> None:
    """Finished, failed, given up, lost with its process, or open."""
    past = Past("worker-1").runs(1.0, 2.0, "worker-1", "done")
    for word in ("failed", "abandoned"):
        past.starts(1.0, "worker-1", word).says(2.0, "worker-1", word, word)  # type: ignore[arg-type]
    past.starts(2.5, "worker-1", "lost").kill(3.0, "worker-1", back=4.0).starts(5.0, "worker-1", "open")
    how = {life.task: life.runs[0].how for life in lives(past.history())}
    assert how == {
        "done": "finished",
        "failed": "failed",
        "abandoned": "abandoned",
        "lost": "exited",
        "open": "open",
    }


def test_a_killed_process_is_dead_from_the_blow_or_its_last_word() -> None:
    """Not only from when its supervisor noticed."""
    past = Past("worker-1").strike("kill", "worker-1", begin=3.0, landed=3.2).exits(3.2, "worker-1", back=4.0)
    assert fleet(past.history()).incarnations["worker-1"][0].died == 3.0
    past.starts(3.1, "worker-1", "T1")
    assert fleet(past.history()).incarnations["worker-1"][0].died == 3.1


def test_a_start_before_its_process_was_called_ready_belongs_to_that_process() -> None:
    """The platform may learn of the readiness after the first claim."""
    past = Past("worker-1").exits(3.0, "worker-1", back=5.0).starts(4.5, "worker-1", "T1")
    assert [run.how for run in lives(past.history()).of("T1").runs] == ["open"]


def test_a_story_tells_the_task_its_worker_and_the_database_and_nothing_else() -> None:
    """What is far off in time, or happened to others, is left out."""
    past = Past("worker-1", "worker-2").submit(20.0, "T1").starts(21.0, "worker-1", "T1")
    past.kill(21.5, "worker-1", back=22.0).kill(21.6, "worker-2", back=22.1, id="s2")
    past.strike("stop", "postgres", "s3", begin=23.0, landed=23.1, healing=24.0, healed=24.1)
    past.runs(26.0, 27.0, "worker-1", "T1", 2).runs(26.0, 27.0, "worker-2", "T2").kill(
        60.0, "worker-1", back=61.0
    )
    told = story(past.history(), "T1")
    assert told[0] == "  20.000 client: submit acknowledged"
    assert "  21.510 worker-1 exited (code -9)" in told
    assert "  23.000 strike s3: stop postgres: begin" in told
    assert told[-1] == "  27.005 worker-1 recorded attempt 2"
    assert not [line for line in told if "worker-2" in line or "T2" in line]


def test_spans() -> None:
    """Joined, cut, and measured."""
    assert merged([(3, 4), (1, 2), (2, 2.5)]) == ((1, 2.5), (3, 4))
    assert less([(0, 10)], [(2, 3), (9, 12)]) == ((0, 2), (3, 9))
    assert shared_s([(0, 2), (3, 4)], 1, 3.5) == 1.5
