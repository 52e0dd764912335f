"""Open places in requests and bodies, and where an answer has something."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_REQUEST = re.compile(r"^(GET|POST|PUT|PATCH|DELETE|HEAD)\s+(/\S*)$")


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a JSON value with its open places filled; a text that is one place becomes the value itself."""
    if isinstance(template, str):
        whole = _PLACE.fullmatch(template)
        if whole and whole[1] in values:
            return values[whole[1]]
        return _PLACE.sub(lambda found: str(values.get(found[1], found[0])), template)
    if isinstance(template, Mapping):
        return {name: fill(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [fill(value, values) for value in template]
    return template


def fill_path(template: str, values: Mapping[str, str]) -> str:
    """Return a path with its open places filled, each quoted."""
    return _PLACE.sub(lambda found: quote(values.get(found[1], found[0]), safe=""), template)


def places(template: Any) -> Iterator[str]:
    """Yield the names of all open places in a JSON value."""
    if isinstance(template, str):
        yield from _PLACE.findall(template)
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from places(value)
    elif isinstance(template, list):
        for value in template:
            yield from places(value)


def request(text: str) -> tuple[str, str] | None:
    """Return method and path of ``POST /tasks``; None when it is not of that form."""
    found = _REQUEST.match(text.strip())
    return None if found is None else (found[1], found[2])


def pick(answer: Any, where: str) -> Any:
    """Return what an answer has at ``job.id`` or ``items.0.id``; None when there is nothing."""
    for part in where.split("."):
        if isinstance(answer, Mapping):
            answer = answer.get(part)
        elif isinstance(answer, list) and part.isdigit() and int(part) < len(answer):
            answer = answer[int(part)]
        else:
            return None
    return answer
