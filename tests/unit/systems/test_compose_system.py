"""A compose project: read, planned, refused by the key, without an engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from capsize.core.errors import UsageError
from capsize.core.platform import Service
from capsize.core.system import Tabular
from capsize.systems import Starter
from capsize.systems.compose import ComposePlan, Told, composed, plan, read
from capsize.systems.compose.words import Malformed, fill, seconds, size

ROOT = Path(__file__).resolve().parents[3]

GOOD = """
services:
  db:
    image: postgres:18
    environment: {POSTGRES_PASSWORD: secret}
    volumes: ["data:/var/lib/postgresql"]
    labels: {capsize.allow: "true", capsize.role: database}
  cache:
    image: redis:8
    healthcheck: {test: redis-cli ping}
  setup:
    image: shop
    command: ./manage migrate
    environment: ["DATABASE_URL=postgresql://shop:secret@db:5432/shop"]
    depends_on: {db: {condition: service_healthy}}
  web:
    build: {context: ., args: {VERSION: "${VERSION:-1}"}}
    entrypoint: ["./serve"]
    command: --port 8000
    ports: ["127.0.0.1:80:8000/tcp"]
    environment: {DATABASE_URL: "postgresql://shop:secret@db:5432/shop", DEBUG: false, CACHE: "redis://cache:6379"}
    depends_on: {setup: {condition: service_completed_successfully}, cache: {condition: service_healthy}}
    deploy: {resources: {limits: {cpus: "0.5", memory: 256m}}}
    restart: unless-stopped
    stop_grace_period: 1m30s
    user: "1000"
    labels: ["capsize.allow=true", "capsize.role=api"]
  jobs:
    image: shop
    volumes: ["files:/srv/files", "/tmp/scratch"]
    environment: {DATABASE_URL: "postgres://shop:secret@db/shop"}
    depends_on: [web]
    labels: {capsize.allow: "true", capsize.role: worker}
volumes: {data: , files: }
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a compose file."""

    def write(text: str) -> Path:
        path = tmp_path / "compose.yaml"
        path.write_text(text)
        return path

    return write


def _plan(path: Path, told: Told = Told(), **env: str) -> ComposePlan:  # noqa: B008  # frozen
    return plan(path, read(path, env), told)


def _services(made: ComposePlan, **replicas: int) -> dict[str, Service]:
    images = {part.service.name: f"image-of-{part.service.name}" for part in made.parts}
    system = composed(Starter(), made, images)
    return {one.name: one for one in system.services({"api": 1, "worker": 2, **replicas}, {"lease_s": "2"})}


def test_the_file_says_who_is_who_and_what_comes_first(write: Callable[[str], Path]) -> None:
    """Roles by label, a job because others wait for its end, the order of the dependencies, the port inside."""
    made = _plan(write(GOOD))
    found = [(part.service.name, part.role) for part in made.parts]
    assert found == [
        ("db", "database"),
        ("cache", "other"),
        ("setup", "job"),
        ("web", "api"),
        ("jobs", "worker"),
    ]
    assert [part.port for part in made.parts if part.role == "api"] == [8000]
    assert made.lines()[-2] == "  web: api (an image of its own, port 8000)"


def test_services_run_as_the_file_has_them(write: Callable[[str], Path]) -> None:
    """Commands, limits, restart, volumes and other keys are kept; addresses of the database are those of the run."""
    services = _services(_plan(write(GOOD), VERSION="7"))
    assert list(services) == ["postgres", "cache", "setup", "api", "worker"]
    web = services["api"]
    assert web.command == ("./serve", "--port", "8000")
    assert (web.cpu, web.memory, web.restart, web.stop_grace_s) == (0.5, 256 * 1024**2, True, 90.0)
    assert (web.env["DATABASE_URL"], web.env["DEBUG"]) == ("{database_url}", "false")
    assert web.env["CACHE"] == "redis://cache:6379"
    assert web.container is not None
    assert (web.container.port, web.container.names, web.container.own_entry) == (8000, ("web",), False)
    assert web.container.more == {"user": "1000"}
    worker = services["worker"]
    assert (worker.replicas, worker.command) == (2, ())
    assert worker.container is not None
    assert worker.container.mounts == {"/srv/files": "files", "/tmp/scratch": ""}
    assert worker.env["DATABASE_URL"] == "{database_url}"
    assert services["setup"].command == ("./manage", "migrate")
    assert services["cache"].ready.healthy
    assert services["postgres"].image == "image-of-db"
    assert services["postgres"].container is not None
    assert services["postgres"].container.names == ("db",)


def test_the_adapter_tells_its_services_of_the_run(write: Callable[[str], Path]) -> None:
    """The witness, the lease and the name of a worker come from the adapter; where the API listens does not."""
    services = _services(_plan(write(GOOD)))
    assert services["worker"].env["WITNESS_URL"] == "{witness_url}"
    assert services["worker"].env["STARTER_LEASE_S"] == "2"
    assert "PORT" not in services["api"].env
    assert services["api"].ready.http == "/health/ready"


def test_what_the_adapter_can_do_it_still_can(write: Callable[[str], Path]) -> None:
    """Claims about the table are made of a composed starter too, and its name says that it was composed."""
    made = composed(Starter(), _plan(write(GOOD)), {})
    assert isinstance(made, Tabular)
    assert made.name == "compose:starter"


def test_the_project_s_own_file_can_be_planned() -> None:
    """compose.yaml of this repository needs no flag."""
    made = _plan(ROOT / "compose.yaml")
    assert [(part.service.name, part.role) for part in made.parts] == [
        ("postgres", "database"),
        ("migrate", "job"),
        ("api", "api"),
        ("worker", "worker"),
    ]
    assert made.parts[0].service.image == "postgres:18"
    assert made.parts[2].service.memory == 512 * 1024**2


BAD = [
    ("services: [", "it is not YAML"),
    ("- a list", "it holds no map of services"),
    ("services: {}", "services: it must be a map"),
    (GOOD.replace("image: redis:8", "ports: []"), "services.cache: it has neither image nor build"),
    (
        GOOD.replace("image: redis:8", "image: redis:8\n    network_mode: host"),
        "services.cache.network_mode: ",
    ),
    (GOOD.replace("image: redis:8", "image: redis:8\n    privileged: true"), "services.cache.privileged: "),
    (
        GOOD.replace("files:/srv", "./files:/srv"),
        "services.jobs.volumes.0: './files' is a folder of this machine",
    ),
    (GOOD.replace("8000/tcp", "8000-8010"), "services.web.ports: "),
    (GOOD.replace("1m30s", "soon"), "services.web.stop_grace_period: 'soon' is no duration"),
    (GOOD.replace("256m", "lots"), "services.web.mem_limit: 'lots' is no size"),
    (GOOD.replace("service_completed_successfully", "done"), "services.web.depends_on.setup.condition: "),
    (
        GOOD.replace("depends_on: [web]", "depends_on: [webb]"),
        "services.jobs.depends_on: there is no service 'webb'",
    ),
    (GOOD.replace("image: redis:8", "image: redis:8\n    depends_on: [jobs]"), "it goes in a circle: "),
    (GOOD.replace("capsize.role: worker", "capsize.role: labourer"), "services.jobs.labels.capsize.role: "),
    (
        GOOD.replace("${VERSION:-1}", "${VERSION:?give one}"),
        "services.web.build.args.VERSION: the variable VERSION is not set: give one",
    ),
    (GOOD.replace("${VERSION:-1}", "$-"), "services.web.build.args.VERSION: "),
    (
        GOOD.replace('"redis://cache:6379"', "db"),
        "services.web.environment.CACHE: 'db' leads to the database",
    ),
    (
        GOOD.replace("postgres://shop", "postgresql+asyncpg://shop"),
        "services.jobs.environment.DATABASE_URL: ",
    ),
    (GOOD.replace("redis-cli ping", "[redis-cli]"), "services.cache.healthcheck.test: "),
    (GOOD + "secrets: {key: {file: ./key}}\n", "secrets: "),
    (GOOD.replace("build: {context: .,", "build: {context: ., ssh: [default],"), "services.web.build.ssh: "),
]


@pytest.mark.parametrize(("text", "told"), BAD, ids=[told for _, told in BAD])
def test_what_can_t_be_kept_is_one_message_that_names_the_key(
    write: Callable[[str], Path], text: str, told: str
) -> None:
    """File, key and what to do, in one error; nothing is left out in silence."""
    path = write(text)
    with pytest.raises(UsageError) as raised:
        _plan(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert told in str(raised.value)


UNKNOWN: list[tuple[Callable[[str], str], Told, str]] = [
    (lambda text: text.replace(", capsize.role: database", ""), Told(), "--role SERVICE=database"),
    (lambda text: text.replace(", capsize.role: worker", ""), Told(), "nothing says which service is the worker"),
    (lambda text: text, Told(roles={"cache": "api"}), "cache and web are both the api"),
    (lambda text: text, Told(roles={"kache": "other"}), "did you mean 'cache'"),
    (lambda text: text.replace('["127.0.0.1:80:8000/tcp"]', "[]"), Told(), "services.web.ports: it has no port"),
    (lambda text: text.replace("8000/tcp", '8000", "9000:9000'), Told(), "it has several ports; say"),
    (lambda text: text.replace('capsize.allow: "true", capsize.role: worker', "capsize.role: worker"), Told(), "nothing allows capsize to break jobs"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "told", "message"), UNKNOWN, ids=[message for *_, message in UNKNOWN])
def test_what_can_t_be_known_is_asked_for(
    write: Callable[[str], Path], change: Callable[[str], str], told: Told, message: str
) -> None:
    """Nothing is guessed: the message says what is missing, and the flag or label that says it."""
    with pytest.raises(UsageError) as raised:
        _plan(write(change(GOOD)), told)
    assert message in str(raised.value)


def test_flags_say_what_the_file_does_not(write: Callable[[str], Path]) -> None:
    """Without one label a project can be planned: roles, port and leave are said on the command line."""
    bare = "\n".join(line for line in GOOD.splitlines() if "capsize." not in line)
    told = Told(roles={"db": "database", "web": "api", "jobs": "worker"}, api_port=9000, yes=True)
    made = _plan(write(bare), told)
    assert [part.port for part in made.parts if part.role == "api"] == [9000]


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("a$$b", "a$b"),
        ("$A-${A}", "x-x"),
        ("${B:-y}", "y"),
        ("${EMPTY:-y}${EMPTY-y}", "y"),
        ("${A:+z}${B:+z}", "z"),
        ("${B}", ""),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, filled: str) -> None:
    """Its forms of defaults, and a dollar sign that is one."""
    assert fill(text, {"A": "x", "EMPTY": ""}) == filled


def test_durations_and_sizes() -> None:
    """In compose's spelling, and nothing else."""
    assert [seconds(one) for one in ("1h2m3s", "1m30s", "250ms", "2.5s", 10)] == [
        3723.0,
        90.0,
        0.25,
        2.5,
        10.0,
    ]
    assert [size(one) for one in ("512m", "1gb", "1.5k", 100)] == [512 * 1024**2, 1024**3, 1536, 100]
    for bad in ("", "1 day", "-1s"):
        with pytest.raises(Malformed):
            seconds(bad)


WRONG: list[tuple[list[str], str]] = [
    (["--yes"], "--yes is about a compose project"),
    (["--role", "web=api"], "--role is about a compose project"),
    (["--compose", "compose.yaml"], "Name the adapter"),
    (["--compose", "none.yaml", "--system", "starter"], "it can't be read"),
    (["--compose", "compose.yaml", "--system", "starter", "--jobs", "2"], "--jobs 1"),
    (["--compose", "compose.yaml", "--system", "starter", "--platform", "local"], "--platform is local"),
    (
        ["--compose", "compose.yaml", "--system", "starter", "--base-url", "http://127.0.0.1:1"],
        "leave --base-url",
    ),
    (["--compose", "compose.yaml", "--system", "starter", "--role", "web"], "SERVICE=ROLE"),
    (["--compose", "compose.yaml", "--system", "starter", "--role", "web=boss"], "boss"),
]


@pytest.mark.parametrize(("argv", "told"), WRONG, ids=[" ".join(argv) for argv, _ in WRONG])
def test_a_wrong_call_is_a_usage_error(
    write: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    told: str,
) -> None:
    """Exit code 64 and one message, before an engine is asked for anything."""
    from capsize.cli.app import entry
    from capsize.platforms.docker import engine

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("an engine was asked")

    monkeypatch.setattr(engine, "connect", never)
    monkeypatch.chdir(write(GOOD).parent)
    monkeypatch.setenv("CAPSIZE_PLATFORM", "auto")
    for name in ("PORT", "BASE_URL", "OUTPUT_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert entry(["run", *argv]) == 64
    assert told in capsys.readouterr().err
