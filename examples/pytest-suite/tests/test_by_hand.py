"""A stack that stands for one test, and what is true of it after it was broken."""

import json
import urllib.error
import urllib.request

import pytest


@pytest.mark.chaos_stack(workers=2)
def test_a_killed_worker_loses_nothing(chaos_stack):
    """Whatever was accepted is done once, although its worker died inside it."""
    chaos_stack.submit(6, seconds=0.5)
    with chaos_stack.fault("kill", "worker", busy=True) as hit:
        assert len(hit) == 1

    history = chaos_stack.history()
    history.assert_nothing_lost()
    history.assert_none_twice()
    history.assert_no_overlap()
    history.assert_none_stuck()
    history.assert_healed()


@pytest.mark.chaos_stack(workers=1, faults=["latency"])
def test_without_its_database_the_api_says_so(chaos_stack):
    """The service's own answers can be looked at while a fault is in place."""
    with chaos_stack.fault("latency", "api", latency_ms=20):
        assert status(chaos_stack, "/health/ready") == 200
    with chaos_stack.fault("stop", "postgres"):
        assert status(chaos_stack, "/health/ready") == 503
    assert "created" in answer(chaos_stack, "/tasks/stats")


def status(stack, path):
    """Return the status of an answer."""
    try:
        with urllib.request.urlopen(stack.api_url + path, timeout=10) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


def answer(stack, path):
    """Return an answer."""
    with urllib.request.urlopen(stack.api_url + path, timeout=10) as reply:
        return json.load(reply)
