"""Scenarios as tests: each function is carried out once, and each promise of its scenario is a result of its own."""

import pytest


# time_scale makes a quick look of it: leave it away for the level itself.
@pytest.mark.chaos(scenario="worker-restart", level=1, time_scale=0.3)
def test_tasks_survive_their_worker(history, chaos_run):
    """The worker is killed inside a task; beside the scenario's promises this test has its own."""
    history.assert_nothing_lost()
    assert chaos_run.results["lost"].measures["accepted"] >= 10


@pytest.mark.chaos(scenario="my_scenario.py", level=1, time_scale=0.3)
def test_a_frozen_api_makes_no_task_twice():
    """A scenario of one's own; all that it promises are the results."""
