"""From ``--set FIELD=VALUE`` to a fault's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast, get_args, get_origin

import msgspec

from capsize.core.errors import UsageError
from capsize.core.experiment import Spec
from capsize.core.registry import make, unknown
from capsize.faults import FAULTS


def spec(name: str, settings: Sequence[str]) -> Spec:
    """Return a fault of the registry with its fields set. Raises UsageError that names what there is."""
    if name not in FAULTS:
        raise UsageError(unknown("fault", name, FAULTS))
    known = {field.name: field for field in fields(name)}
    args: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting!r} is not FIELD=VALUE")
        if key not in known:
            raise UsageError(
                f"fault {name!r}: {unknown('field', key, known) if known else 'it has no fields'}"
            )
        args[key] = _value(name, key, text, known[key].type)
    missing = [key for key, field in known.items() if field.required and key not in args]
    if missing:
        raise UsageError(f"fault {name!r} needs --set {missing[0]}={describe(known[missing[0]].type)}")
    made = Spec(name=name, args=args)
    make(FAULTS, made, "fault")
    return made


def fields(name: str) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Return the fields of a fault."""
    return msgspec.structs.fields(cast("type[msgspec.Struct]", FAULTS[name]))


def describe(kind: Any) -> str:
    """Return in a word or a few what a field takes."""
    inner = [one for one in get_args(kind) if one is not type(None)]
    if get_origin(kind) is not None and "Literal" in str(get_origin(kind)):
        return "|".join(map(str, inner))
    if get_origin(kind) is tuple:
        return f"{describe(inner[0])},..."
    if hasattr(kind, "__metadata__") or type(None) in get_args(kind):
        return describe(inner[0])
    return {str: "TEXT", float: "NUMBER", int: "NUMBER", bool: "true|false"}.get(kind, "VALUE")


def _value(name: str, key: str, text: str, kind: Any) -> Any:
    given: Any = text
    if get_origin(_plain(kind)) is tuple:
        given = [part for part in text.split(",") if part]
    elif text == "null" and type(None) in get_args(kind):
        given = None
    try:
        return msgspec.to_builtins(msgspec.convert(given, kind, strict=False))
    except msgspec.ValidationError as error:
        raise UsageError(
            f"fault {name!r}: {key}={text!r} does not fit, it takes {describe(kind)}: {error}"
        ) from error


def _plain(kind: Any) -> Any:
    """Return the type without what is said about it."""
    return get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
