"""From a name and arguments to a part: one way for faults, loads, probes and checkers."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar, cast

import msgspec

from capsize.core.errors import UsageError
from capsize.core.experiment import Spec

T = TypeVar("T")


def make(registry: Mapping[str, type[T]], spec: Spec, kind: str) -> T:
    """Make the part that a spec names; its arguments are checked against the part's field types.

    Raises :class:`UsageError` for an unknown name and for arguments that do not fit.
    """
    if spec.name not in registry:
        raise UsageError(unknown(kind, spec.name, registry))
    known = {
        field.name for field in msgspec.structs.fields(cast("type[msgspec.Struct]", registry[spec.name]))
    }
    for name in spec.args:
        if name not in known:
            # Left out in silence, it would run as something else than what was asked for.
            raise UsageError(f"{kind} {spec.name!r}: {unknown('argument', name, known)}")
    try:
        return msgspec.convert(spec.args, registry[spec.name], strict=True)
    except msgspec.ValidationError as error:
        raise UsageError(f"{kind} {spec.name!r} does not take these arguments: {error}") from error


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that is not known, with the nearest known one as a hint."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"there is no {kind} {name!r}{hint} Known: {', '.join(names)}"
