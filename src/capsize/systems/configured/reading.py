"""From the file to its description: what is wrong is said with the key, the line and what to do."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from capsize.core.errors import UsageError
from capsize.core.registry import unknown
from capsize.systems.configured.lines import line_of
from capsize.systems.configured.model import CallTable, Description, LevelTable, ServiceTable
from capsize.systems.configured.sense import mistakes

Keys = tuple[str, ...]

_AT = re.compile(r"^(.*) - at `(?:key in )?\$(.*)`$")
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*)`$")
_MISSING = re.compile(r"^Object missing required field `(.*)`$")


def read(path: Path) -> Description:
    """Read and check a description. Raises UsageError with one message, before anything is started."""
    if path.name == "pyproject.toml":
        return _read(path, "tool", "capsize")
    return _read(path)


def _read(path: Path, *under: str) -> Description:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}. `docs/your-service.md` shows how to write one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}") from error
    try:
        raw: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}. It has to be TOML") from error
    for name in under:
        raw = raw.get(name)
        if raw is None:
            raise UsageError(f"{path} has no table [{'.'.join(under)}]")
    try:
        description = msgspec.convert(raw, Description, strict=True)
    except msgspec.ValidationError as error:
        keys, message = _first(raw) or _explained(str(error), Description)
        raise UsageError(_placed(path, text, (*under, *keys), keys, message)) from error
    for keys, message in mistakes(description, path):
        raise UsageError(_placed(path, text, (*under, *keys), keys, message))
    return description


def _placed(path: Path, text: str, full: Keys, keys: Keys, message: str) -> str:
    line = line_of(text, full)
    where = f"{path}:{line}" if line else str(path)
    return f"{where}: {'.'.join(keys) + ': ' if keys else ''}{message}"


def _first(raw: Any) -> tuple[Keys, str] | None:
    """Return the first mistake within a named or numbered table, whose own error does not tell which one it is."""
    for table, kind in (("services", ServiceTable), ("levels", LevelTable), ("calls", CallTable)):
        found = raw.get(table)
        entries = found.items() if isinstance(found, dict) else enumerate(found or ())
        for name, entry in entries:
            try:
                msgspec.convert(entry, kind, strict=True)
            except msgspec.ValidationError as error:
                keys, message = _explained(str(error), kind)
                return (table, str(name), *keys), message
    return None


def _explained(error: str, kind: type) -> tuple[Keys, str]:
    """Return the key that a conversion failed at, and why, in the words of this file."""
    found = _AT.match(error)
    reason, where = (found[1], found[2]) if found else (error, "")
    keys = tuple(re.findall(r"[\w-]+", where))
    foreign, missing = _UNKNOWN.match(reason), _MISSING.match(reason)
    if foreign is not None:
        return (*keys, foreign[1]), unknown("key", foreign[1], _fields(kind, keys))
    if missing is not None:
        return keys, f"the key {missing[1]!r} is missing"
    return keys, reason[:1].lower() + reason[1:]


def _fields(kind: Any, keys: Keys) -> list[str]:
    """Return the keys that may stand in the table at a path."""
    for key in keys:
        kind = _inner(get_type_hints(kind).get(key))
    return [field.name for field in msgspec.structs.fields(kind)]


def _inner(kind: Any) -> Any:
    """Return a type without ``| None``."""
    if get_origin(kind) in (Union, UnionType):
        return next((one for one in get_args(kind) if one is not type(None)), None)
    return kind
