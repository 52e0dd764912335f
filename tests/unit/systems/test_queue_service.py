"""A task queue as the system under test, and what is planned for it; without any of the libraries."""

from __future__ import annotations

import sys

import pytest

from capsize.core.errors import UsageError
from capsize.core.http import Exchange, Response
from capsize.core.levels import level
from capsize.scenarios.queue_loss import WAIT_S, broker_dies, workers_die
from capsize.systems.queue import LIBRARIES, QueueService, require


@pytest.mark.parametrize("config", ["default", "safe"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_broker_gateway_and_workers_start_in_this_order(library, config):
    """Each library gets the broker that it needs, and its workers know their names and the witness."""
    services = QueueService(library, config).services({"worker": 3}, {})
    names = [service.name for service in services]
    assert names in (["redis", "api", "worker"], ["postgres", "prepare", "api", "worker"])
    worker = services[-1]
    assert worker.replicas == 3
    assert worker.env["WORKER_ID"] == "{instance}"
    assert worker.env["QUEUE_CONFIG"] == config
    assert worker.ready.log


def test_safe_settings_are_redis_own_too():
    """A broker that forgets on SIGKILL would make every library's settings vain."""
    plain, safe = (
        QueueService("celery", config).services({}, {})[0].command for config in ("default", "safe")
    )
    assert "--appendonly" in safe
    assert "--appendonly" not in plain


@pytest.mark.parametrize("name", ["queue:celery", "queue:celery:safe", "queue:pgqueuer"])
def test_the_name_that_a_run_records_makes_the_same_system_again(name):
    """So that a replay runs the same library with the same settings."""
    assert QueueService.named(name).name == name


@pytest.mark.parametrize(("name", "said"), [("queue:cellery", "celery"), ("queue:celery:save", "safe")])
def test_an_unknown_name_says_which_are_known(name, said):
    """One message, with the name that was probably meant."""
    with pytest.raises(UsageError, match=said):
        QueueService.named(name)


def test_a_python_without_the_library_is_told_what_to_install():
    """Before anything is started."""
    with pytest.raises(UsageError, match=r"lacks .*huey.*pip install .*huey"):
        require("huey", sys.executable)


def test_a_python_that_is_none_is_told(tmp_path):
    """The path is named."""
    with pytest.raises(UsageError, match="can't be run"):
        require("huey", str(tmp_path / "python"))


@pytest.mark.parametrize(
    ("exchange", "outcome"),
    [
        (Exchange(sent=0, done=1, response=Response(status=201, body=b'{"id":"t1"}')), ("ok", "t1")),
        (Exchange(sent=0, done=1, response=Response(status=422)), ("fail", None)),
        (Exchange(sent=0, done=1, response=Response(status=503)), ("info", None)),
        (Exchange(sent=0, done=1, error="timed out"), ("info", None)),
        (Exchange(sent=0, done=1, error="refused", reached=False), ("fail", None)),
    ],
)
def test_what_nobody_knows_is_not_taken_for_refused(exchange, outcome):
    """A gateway that fails may have handed the task over before it did."""
    assert QueueService("rq").submitted(exchange) == outcome


@pytest.mark.parametrize("number", range(1, 7))
def test_the_same_seed_makes_the_same_plan(number):
    """Both plans at every level; another seed strikes at another time."""
    figures = level(number)
    assert workers_die(figures, 5) == workers_die(figures, 5)
    assert workers_die(figures, 5) != workers_die(figures, 6)
    assert broker_dies(figures, 5, "redis") == broker_dies(figures, 5, "redis")


def test_lost_tasks_are_waited_for_as_long_as_the_plan_says():
    """The drain is at least the wait beside all the work: a task that is not back by then is not coming."""
    for plan in (workers_die(level(1), 1), broker_dies(level(1), 1, "redis")):
        drain = plan.phase("drain")
        assert drain is not None
        assert drain.limit_s >= WAIT_S[plan.scenario]
