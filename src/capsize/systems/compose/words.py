"""The forms in which a compose file writes durations, sizes, commands and variables."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?:(?P<how>:?[-?+])(?P<other>[^{}]*))?\}|(?P<bad>))"
)
_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?"
)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


class Malformed(ValueError):
    """A value is not in the form that it has to have; the message says what is wrong."""


def fill(text: str, env: Mapping[str, str]) -> str:
    """Put variables in, with compose's forms of defaults. Raises Malformed."""

    def one(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        name = found["plain"] or found["braced"]
        if not name:
            raise Malformed(f"{text!r} has a $ that begins no variable; a dollar sign is written $$")
        value, how, other = env.get(name), found["how"] or "", found["other"] or ""
        there = value is not None and (value != "" or not how.startswith(":"))
        if how.endswith("?") and not there:
            raise Malformed(f"the variable {name} is not set: {other or 'it is required'}")
        if how.endswith("+"):
            return other if there else ""
        return (value or "") if there else other

    return _VARIABLE.sub(one, text)


def seconds(value: Any) -> float:
    """Read a duration, as in ``1m30s``. Raises Malformed."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = _DURATION.fullmatch(str(value))
    if not found or not any(found.groups()):
        raise Malformed(f"{value!r} is no duration; write one as in 1m30s")
    hours, minutes, whole, thousandths = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + whole + thousandths / 1000


def size(value: Any) -> int:
    """Read a size in bytes, as in ``512m``. Raises Malformed."""
    found = _SIZE.fullmatch(str(value))
    if not found:
        raise Malformed(f"{value!r} is no size; write one as in 512m")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def words(value: Any) -> tuple[str, ...]:
    """Read a command, a list or a line. Raises Malformed."""
    if isinstance(value, list):
        return tuple(str(part) for part in value)
    if not isinstance(value, str):
        raise Malformed(f"{value!r} is neither a list nor a line of text")
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise Malformed(f"{value!r}: {error}") from None


def pairs(value: Any) -> dict[str, str | None]:
    """Read a map, or a list of NAME=VALUE; a name without a value maps to None. Raises Malformed."""
    if isinstance(value, dict):
        return {str(name): None if one is None else _text(one) for name, one in value.items()}
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return {
            name: text if equals else None for name, equals, text in (one.partition("=") for one in value)
        }
    raise Malformed("it is neither a map nor a list of NAME=VALUE")


def port_inside(value: Any) -> int:
    """Return the port inside the container of one entry of ``ports``. Raises Malformed."""
    text = str(value.get("target", "")) if isinstance(value, dict) else str(value).rpartition(":")[2]
    number, _, protocol = text.partition("/")
    if not number.isdigit() or not 0 < int(number) < 65536 or protocol not in ("", "tcp"):
        raise Malformed(f"{value!r} names no single TCP port inside the container")
    return int(number)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
