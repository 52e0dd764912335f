"""What a service holds of a task, field by field, in a form in which equal values are equal texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SHORT = 120
"""A field's canonical text up to this length stands in a history as it is: a reader sees what was altered."""


def content(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the canonical form of each field; one that is longer than ``SHORT`` as its SHA-256 and its length."""
    return {name: _digest(canonical(value)) for name, value in fields.items()}


def canonical(value: Any) -> str:
    """Return a JSON value as the one text that all its spellings share.

    Members are sorted by their names and there is no white space. A number that is whole is written as an
    integer, with all its digits, whether it was spelled ``2``, ``2.0`` or ``2e0``; every other number as the
    shortest decimal that reads back as the same double. Text is kept character by character.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def parsed(text: str | bytes) -> Any:
    """Read JSON so that whole numbers of any size keep all their digits. Raises ValueError."""
    return json.loads(text)


def _plain(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {str(name): _plain(member) for name, member in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def _digest(text: str) -> str:
    # No JSON begins like this, so a digest is never taken for a value.
    return (
        text if len(text) <= SHORT else f"sha256:{hashlib.sha256(text.encode()).hexdigest()} of {len(text)}"
    )
