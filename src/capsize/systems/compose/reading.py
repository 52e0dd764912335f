"""From a compose file to data. What can't be understood, or can't be kept, is an error that names its key."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from capsize.core.errors import UsageError
from capsize.systems.compose import words
from capsize.systems.compose.project import Build, ComposeService

PASSED_ON = {
    "user": "user",
    "working_dir": "working_dir",
    "read_only": "read_only",
    "init": "init",
    "tmpfs": "tmpfs",
    "cap_drop": "cap_drop",
    "security_opt": "security_opt",
    "shm_size": "shm_size",
}
"""Keys that are taken over as they are, and what the engine's API calls them."""
READ = frozenset(
    {
        "image",
        "build",
        "command",
        "entrypoint",
        "environment",
        "env_file",
        "ports",
        "depends_on",
        "healthcheck",
    }
    | {"labels", "restart", "cpus", "mem_limit", "deploy", "stop_grace_period", "volumes"}
)
IMMATERIAL = frozenset(
    {
        "container_name",
        "expose",
        "hostname",
        "logging",
        "networks",
        "scale",
        "stop_signal",
        "stdin_open",
        "tty",
    }
    | {"pull_policy", "develop", "mem_reservation", "memswap_limit", "platform", "links"}
)
"""Keys that change nothing in a run: it has a network, names, sizes and logs of its own."""

Env = Mapping[str, str]


class Where:
    """A place in the file, for messages: ``services.api.ports``."""

    def __init__(self, file: Path, key: str = "") -> None:
        self.file, self.key = file, key

    def at(self, key: object) -> Where:
        """Return the place of a key below."""
        return Where(self.file, f"{self.key}.{key}" if self.key else str(key))

    def error(self, message: str) -> UsageError:
        """Return the error that names the place."""
        return UsageError(f"{self.file}: {self.key}: {message}" if self.key else f"{self.file}: {message}")

    def read(self, how: Callable[..., Any], *args: Any) -> Any:
        """Read a value. Raises UsageError with the place for one that is malformed."""
        try:
            return how(*args)
        except words.Malformed as error:
            raise self.error(str(error)) from None


def read(path: Path, environment: Env | None = None) -> dict[str, ComposeService]:
    """Return the services of a compose file by name, with variables from the environment and the ``.env`` beside it.

    Asks no engine and starts nothing. Raises UsageError, which names the key.
    """
    where = Where(path)
    env = {**_dotenv(path.parent / ".env"), **(os.environ if environment is None else environment)}
    found = _filled(_loaded(path, where), where, env)
    for key in ("include", "secrets", "configs"):
        if found.get(key):
            raise where.at(key).error(
                "capsize can't give this to the containers; leave it out of the file for chaos"
            )
    services = found.get("services")
    if not isinstance(services, dict) or not services:
        raise where.at("services").error("it must be a map with at least one service")
    return {
        str(name): _service(str(name), table, where.at("services").at(name), env)
        for name, table in services.items()
    }


def _loaded(path: Path, where: Where) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise where.error(f"it can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise where.error("it is not UTF-8 text") from error
    except yaml.YAMLError as error:
        raise where.error(f"it is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise where.error("it holds no map of services")
    return found


def _filled(value: Any, where: Where, env: Env) -> Any:
    if isinstance(value, dict):
        return {name: _filled(one, where.at(name), env) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, where.at(number), env) for number, one in enumerate(value)]
    return where.read(words.fill, value, env) if isinstance(value, str) else value


def _service(name: str, table: Any, where: Where, env: Env) -> ComposeService:
    if not isinstance(table, dict):
        raise where.error("it must be a map")
    for key in table:
        if key not in READ | PASSED_ON.keys() | IMMATERIAL and not str(key).startswith("x-"):
            raise where.at(key).error(
                "capsize can't keep this key in the containers of a run; leave it out for chaos"
            )
    if not table.get("image") and not table.get("build"):
        raise where.error("it has neither image nor build")
    limits = _limits(table, where)
    return ComposeService(
        name=name,
        image=table.get("image"),
        build=_build(table.get("build"), where),
        command=_command(table, where),
        env=_environment(table, where, env),
        ports=tuple(where.at("ports").read(words.port_inside, one) for one in _list(table, "ports", where)),
        needs=_needs(table.get("depends_on"), where.at("depends_on")),
        health=_health(table.get("healthcheck"), where.at("healthcheck")),
        labels={key: value or "" for key, value in _pairs(table, "labels", where).items()},
        restart=str(table.get("restart", "no")) not in ("no", "False"),
        cpu=limits[0],
        memory=limits[1],
        stop_grace_s=where.at("stop_grace_period").read(words.seconds, table.get("stop_grace_period", 10)),
        own_entry=table.get("entrypoint") is None,
        mounts=_mounts(table, where),
        more={PASSED_ON[key]: value for key, value in table.items() if key in PASSED_ON},
    )


def _build(value: Any, where: Where) -> Build | None:
    if value is None:
        return None
    at = where.at("build")
    table = {"context": value} if isinstance(value, str) else value
    if not isinstance(table, dict) or not isinstance(table.get("context"), str):
        raise at.error("it must be a folder, or a map with a context")
    for key in table:
        if key not in ("context", "dockerfile", "args", "target"):
            raise at.at(key).error(
                "capsize can't build with this; build the image yourself and leave build out"
            )
    args = at.at("args").read(words.pairs, table.get("args") or {})
    return Build(
        context=str((where.file.parent / table["context"]).resolve()),
        dockerfile=str(table.get("dockerfile", "Dockerfile")),
        args={name: os.environ.get(name, "") if text is None else text for name, text in args.items()},
        target=table.get("target"),
    )


def _command(table: dict[str, Any], where: Where) -> tuple[str, ...] | None:
    """Return what is run; an entry point of the file's own and its command are one."""
    entry, command = table.get("entrypoint"), table.get("command")
    first = () if entry is None else where.at("entrypoint").read(words.words, entry)
    rest = () if command is None else where.at("command").read(words.words, command)
    return (*first, *rest) or None


def _environment(table: dict[str, Any], where: Where, env: Env) -> dict[str, str]:
    files = table.get("env_file") or []
    found: dict[str, str] = {}
    for one in files if isinstance(files, list) else [files]:
        path = where.file.parent / str(one["path"] if isinstance(one, dict) and "path" in one else one)
        if not path.is_file():
            raise where.at("env_file").error(f"there is no file {path}")
        found |= _dotenv(path)
    for name, text in _pairs(table, "environment", where).items():
        if text is not None or name in env:
            found[name] = env[name] if text is None else text
    return found


def _needs(value: Any, where: Where) -> dict[str, str]:
    if value is None:
        return {}
    if isinstance(value, list):
        return {str(name): "service_started" for name in value}
    if not isinstance(value, dict):
        raise where.error("it must be a list or a map of services")
    known = ("service_started", "service_healthy", "service_completed_successfully")
    found = {}
    for name, table in value.items():
        condition = table.get("condition", known[0]) if isinstance(table, dict) else None
        if condition not in known:
            raise where.at(name).at("condition").error(f"it must be one of {', '.join(known)}")
        found[str(name)] = str(condition)
    return found


def _health(value: Any, where: Where) -> tuple[str, ...]:
    """Return the command that tells whether it is well, in the engine's form; nothing when there is none."""
    if value is None or (isinstance(value, dict) and value.get("disable")):
        return ()
    test = value.get("test") if isinstance(value, dict) else None
    if isinstance(test, str):
        return ("CMD-SHELL", test)
    if isinstance(test, list) and test and test[0] in ("CMD", "CMD-SHELL", "NONE"):
        return () if test[0] == "NONE" else tuple(str(part) for part in test)
    raise where.at("test").error("it must be a line, or a list that begins with CMD or CMD-SHELL")


def _limits(table: dict[str, Any], where: Where) -> tuple[float | None, int | None]:
    deploy = table.get("deploy") or {}
    limits = (deploy.get("resources") or {}).get("limits") or {} if isinstance(deploy, dict) else {}
    cpu, memory = table.get("cpus", limits.get("cpus")), table.get("mem_limit", limits.get("memory"))
    try:
        cores = None if cpu is None else float(cpu)
    except ValueError:
        raise where.at("cpus").error(f"{cpu!r} is no number of cores") from None
    return cores, None if memory is None else where.at("mem_limit").read(words.size, memory)


def _mounts(table: dict[str, Any], where: Where) -> dict[str, str]:
    """Return the volumes by where they are mounted; each run has fresh ones. Folders of this machine are refused."""
    found = {}
    for number, one in enumerate(_list(table, "volumes", where)):
        kind, source, target = _mount(one)
        if kind == "bind" or source.startswith((".", "/", "~")):
            raise (
                where.at("volumes")
                .at(number)
                .error(
                    f"{source or one!r} is a folder of this machine, and a run would write to it. "
                    "Copy it into the image, or use a named volume: each run gets a fresh one"
                )
            )
        found[target] = source
    return found


def _mount(value: Any) -> tuple[str, str, str]:
    if isinstance(value, dict):
        return str(value.get("type", "volume")), str(value.get("source", "")), str(value.get("target", ""))
    parts = str(value).split(":")
    return "volume", parts[0] if len(parts) > 1 else "", parts[1] if len(parts) > 1 else parts[0]


def _list(table: dict[str, Any], key: str, where: Where) -> list[Any]:
    value = table.get(key) or []
    if not isinstance(value, list):
        raise where.at(key).error("it must be a list")
    return value


def _pairs(table: dict[str, Any], key: str, where: Where) -> dict[str, str | None]:
    found: dict[str, str | None] = where.at(key).read(words.pairs, table.get(key) or {})
    return found


def _dotenv(path: Path) -> dict[str, str]:
    """Return the variables of a file of NAME=VALUE lines; nothing when there is none."""
    if not path.is_file():
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    kept = (
        line.removeprefix("export ").partition("=") for line in lines if line and not line.startswith("#")
    )
    return {name.strip(): text.strip().strip("\"'") for name, equals, text in kept if equals}
