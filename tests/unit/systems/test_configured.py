"""capsize.toml: what it makes, and what is said of what is wrong in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from capsize.cli.parts import choose_system
from capsize.core.errors import StartError, UsageError
from capsize.core.http import Exchange, Request, Response
from capsize.core.levels import level
from capsize.runner.parts import Parts
from capsize.scenarios import SCENARIOS
from capsize.scenarios.remote import for_system
from capsize.systems.configured import ConfiguredSystem, read
from capsize.systems.configured.lines import line_of

GOOD = """\
name = "shop"

[services.redis]
command = "sh -c true --port {port} --dir {data}"
port = 0
ready_log = "Ready"

[services.api]
command = ["sh", "-c", "serve {port}"]
port = 0
health = "/health"
depends_on = ["redis"]
env = { REDIS_URL = "redis://{redis_host}:{redis_port}/0" }

[services.worker]
command = "sh -c work"
depends_on = ["redis"]

[tasks]
submit = "POST /jobs"
body = { kind = "wait", seconds = "{seconds}", note = "key {key}" }
headers = { Idempotency-Key = "{key}" }
id = "job.id"
lease_s = 7

[tasks.status]
request = "GET /jobs/{task}"
field = "state"
states = { pending = ["queued"], running = ["started"], completed = ["done", "ok"], failed = ["dead"] }

[auth]
login = "POST /login"
body = { user = "me" }
token = "access.token"
headers = { Authorization = "Bearer {token}" }

[[calls]]
name = "home"
request = "GET /"

[promises]
ignore = ["flapping"]
recovery_target_s = 5
api_success_min = 0.99

[levels.2]
workers = 4
"""


def described(tmp_path: Path, text: str = GOOD) -> ConfiguredSystem:
    path = tmp_path / "capsize.toml"
    path.write_text(text)
    return ConfiguredSystem(read(path), path)


def answered(status: int, body: bytes = b"{}") -> Exchange:
    return Exchange(sent=0.0, done=0.1, response=Response(status=status, body=body))


WRONG = {
    "no toml": ('name = "shop"', "name = shop", r"toml: .*line 1.*TOML"),
    "an unknown key": ('health = "/health"', 'helth = "/health"', r":11: services.api.helth: .*did you mean 'health'"),
    "an unknown table": ("[promises]", "[promisses]", r": promisses: .*did you mean 'promises'"),
    "a wrong type": ("lease_s = 7", 'lease_s = "7"', r":24: tasks.lease_s: expected"),
    "a port that is none": ('port = 0\nhealth', 'port = 70000\nhealth', r":10: services.api.port: .*65535"),
    "a missing key": ('submit = "POST /jobs"\n', "", r":19: tasks: the key 'submit' is missing"),
    "no api": ("[services.api]", "[services.web]", r"services: no service is named 'api'"),
    "no worker": ("[services.worker]", "[services.wrker]", r"tasks: .*'worker'"),
    "an api without a port": ('port = 0\nhealth = "/health"', "", r"services.api: it has no port"),
    "the database's name": ("[services.redis]", "[services.postgres]", r"postgres: this name"),
    "a circle": ('ready_log = "Ready"', 'ready_log = "Ready"\ndepends_on = ["api"]', r"wait for each other: .*->"),
    "an unknown dependency": ('depends_on = ["redis"]\n\n[tasks]', 'depends_on = ["rdis"]\n\n[tasks]', r"did you mean 'redis'"),
    "an open quotation": ('command = "sh -c work"', "command = \"sh -c 'work\"", r":16: services.worker.command: .*split"),
    "an empty command": ('command = "sh -c work"', 'command = ""', r":16: services.worker.command: it is empty"),
    "a program that is not there": ('command = "sh -c work"', 'command = "no-such-program"', r"no program 'no-such-program'"),
    "an unknown place": ("{redis_port}", "{rediss_port}", r":13: services.api.env: .*did you mean 'redis_port'"),
    "a database url without a database": ("{redis_port}", "{database_url}", r"env: there is no place 'database_url'"),
    "a path without a slash": ('health = "/health"', 'health = "health"', r":11: services.api.health: .*slash"),
    "no request": ('submit = "POST /jobs"', 'submit = "/jobs"', r":20: tasks.submit: .*POST /path"),
    "a foreign place in a body": ('"{seconds}"', '"{second}"', r":21: tasks.body: .*did you mean 'seconds'"),
    "a status of no task": ("GET /jobs/{task}", "GET /jobs", r":27: tasks.status.request: it has no \{task\}"),
    "no word for completed": ("completed", "cancelled", r":29: tasks.status.states: no word means completed"),
    "an unknown state": ("running =", "runing =", r"tasks.status.states"),
    "a login without a token": ('token = "access.token"\n', "", r"auth: the login's answer"),
    "an unknown promise": ('ignore = ["flapping"]', 'ignore = ["flaping"]', r"promises.ignore: .*did you mean 'flapping'"),
    "an unknown level": ("[levels.2]", "[levels.7]", r"levels.7: there is no level 7"),
    "no replicas": ('command = "sh -c work"', 'command = "sh -c work"\nreplicas = 0', r":17: services.worker.replicas"),
    "a folder that is not there": ('command = "sh -c work"', 'command = "sh -c work"\nfolder = "src"', r"no folder"),
    "a job that must go on": ('command = "sh -c work"', 'command = "sh -c work"\njob = true', r"a job ends"),
    "two calls of one name": ("[promises]", '[[calls]]\nname = "home"\nrequest = "GET /x"\n[promises]', r"two calls are named"),
    "a request of a call": ('request = "GET /"', 'request = "FETCH /"', r"calls.0.request: .*GET /path"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_each_mistake_has_its_own_clear_message(what, tmp_path):
    """One line: the file, the line where it is known, the key, and what to do."""
    old, new, message = WRONG[what]
    assert old in GOOD
    with pytest.raises(UsageError) as raised:
        described(tmp_path, GOOD.replace(old, new))
    said = str(raised.value)
    assert re.search(message, said), said
    assert str(tmp_path / "capsize.toml") in said
    assert "\n" not in said


def test_a_file_that_is_not_there_is_named(tmp_path):
    """The message says where a description is explained."""
    with pytest.raises(UsageError, match=r"no file .*nothing.toml.*your-service.md"):
        choose_system(str(tmp_path / "nothing.toml"))


def test_a_description_may_stand_in_pyproject(tmp_path):
    """Under [tool.capsize], with the lines of that file."""
    path = tmp_path / "pyproject.toml"
    table = re.sub(r"^(\[+)", r"\1tool.capsize.", GOOD, flags=re.MULTILINE).replace('name = "shop"', "", 1)
    path.write_text(table)
    assert set(read(path).services) == {"redis", "api", "worker"}
    path.write_text(table.replace('health = "/health"', "helth = 1"))
    with pytest.raises(UsageError, match=r"pyproject.toml:11: services.api.helth"):
        read(path)
    path.write_text("[project]\n")
    with pytest.raises(UsageError, match=r"no table \[tool.capsize\]"):
        read(path)


def test_services_start_after_what_they_depend_on(tmp_path):
    """The witness's address and the worker's name reach the workers; the folder is the file's own."""
    services = described(tmp_path).services({"api": 1, "worker": 3}, {})
    assert [service.name for service in services] == ["redis", "api", "worker"]
    redis, api, worker = services
    assert (redis.role, api.role, worker.role) == ("other", "api", "worker")
    assert redis.ready.log == "Ready"
    assert api.ready.http == "/health"
    assert worker.replicas == 3
    assert worker.env["WITNESS_URL"] == "{witness_url}"
    assert worker.folder == str(tmp_path.resolve())


def test_a_database_comes_first(tmp_path):
    """It is asked for with one line."""
    services = described(tmp_path, GOOD + "\n[database]\n").services({}, {})
    assert (services[0].name, services[0].role) == ("postgres", "database")


def test_a_submission_is_made_from_its_template(tmp_path):
    """A place alone becomes the value, a number stays one; within a text it becomes text."""
    system = described(tmp_path)
    request = system.submit(system.delay_order(1.5, "k1"), (("X-User", "me"),))
    assert (request.method, request.path) == ("POST", "/jobs")
    assert request.body == b'{"kind":"wait","seconds":1.5,"note":"key k1"}'
    assert ("X-User", "me") in request.headers
    assert ("Idempotency-Key", "k1") in request.headers


@pytest.mark.parametrize(
    ("exchange", "outcome"),
    [
        (answered(201, b'{"job": {"id": 17}}'), ("ok", "17")),
        (answered(202, b'{"job": {}}'), ("info", None)),
        (answered(202, b"no json"), ("info", None)),
        (answered(409), ("fail", None)),
        (answered(503), ("info", None)),
        (Exchange(sent=0.0, done=1.0, error="refused", reached=False), ("fail", None)),
    ],
)
def test_an_acknowledgement_is_one_with_an_id(exchange, outcome, tmp_path):
    """Without an id nobody can say which task was accepted: that is in doubt, and not a failure."""
    assert described(tmp_path).submitted(exchange) == outcome


async def test_the_last_word_is_read_in_the_services_own_words(tmp_path):
    """Several words may mean one state; a word that is not listed is no answer; 404 means missing."""
    answers = {
        "a": answered(200, b'{"state": "ok"}'),
        "b": answered(200, b'{"state": "dead"}'),
        "c": answered(404),
        "d": answered(200, b'{"state": "confused"}'),
    }

    async def send(request: Request, limit_s: float) -> Exchange:
        return answers[request.path.removeprefix("/jobs/")]

    found = await described(tmp_path).audit(send, (), list(answers))
    assert {(one.task, one.status) for one in found} == {
        ("a", "completed"),
        ("b", "failed"),
        ("c", "missing"),
    }


async def test_a_login_hands_its_token_to_every_call(tmp_path):
    """The token is where the file says; without it the start fails, with the answer in the message."""

    async def send(request: Request, limit_s: float) -> Exchange:
        return answered(200, b'{"access": {"token": "abc"}}')

    async def refuse(request: Request, limit_s: float) -> Exchange:
        return answered(401, b"who?")

    system = described(tmp_path)
    assert await system.login(send, "x") == (("Authorization", "Bearer abc"),)
    with pytest.raises(StartError, match="who"):
        await system.login(refuse, "x")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_is_claimed_of_what_the_service_does_not_have(scenario, tmp_path):
    """Every scenario's plan can be made into parts; claims on counts, contents and the database are gone."""
    system = described(tmp_path)
    plan = for_system(SCENARIOS[scenario].plan(level(1), 1), system)
    Parts.of(plan)
    claims = {claim.name: claim.args for claim in plan.checkers}
    assert not {"unaccounted", "intact", "database_load", "flapping"} & set(claims)
    assert not {"stats", "database"} & {probe.name for probe in plan.probes}
    assert "postgres" not in plan.hypothesis.instances
    if "stuck" in claims:
        assert claims["stuck"]["lease_s"] == 7
    if "availability" in claims:
        assert claims["availability"]["min"] == 0.99


def test_a_service_without_tasks_is_judged_by_its_answers(tmp_path):
    """No claim on tasks is left, and no load of them."""
    text = re.sub(r"\[services.worker\].*?\[auth\]", "[auth]", GOOD, flags=re.DOTALL)
    plan = for_system(SCENARIOS["server-restart"].plan(level(1), 1), described(tmp_path, text))
    assert not {"lost", "duplicate", "completion", "stuck"} & {claim.name for claim in plan.checkers}
    assert {one.load.name for one in plan.loads} == {"api"}
    assert "worker" not in plan.replicas


def test_a_level_has_the_files_own_figures(tmp_path):
    """Only those that it names."""
    assert described(tmp_path).figures(2) == {"workers": 4}
    assert described(tmp_path).figures(3) == {}


def test_a_key_is_found_on_its_line():
    """In tables, in arrays of tables, with dots and quotation marks."""
    text = 'a = 1\n[b]\nc.d = 2\n"e f" = 3\n[[g]]\nh = 4\n[[g]]\nh = 5\n'
    assert line_of(text, ("a",)) == 1
    assert line_of(text, ("b", "c", "d")) == 3
    assert line_of(text, ("b", "nothing")) == 2
    assert line_of(text, ("g", "1", "h")) == 8
    assert line_of(text, ("z",)) is None
