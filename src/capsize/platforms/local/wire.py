"""How the abilities of a platform are called from another process: which there are, and what their calls look like.

Nothing is listed by hand: an ability that :mod:`capsize.core.platform` gains can be called at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, get_type_hints

import msgspec

from capsize.core import errors, platform
from capsize.core.errors import CapsizeError, UsageError
from capsize.core.platform import Dependable, Leavable, Platform, Queryable, Selective

NOT_PASSED_ON = (Platform, Leavable, Dependable, Selective, Queryable)
"""What is no ability to break something, what capsize itself is, and what the caller does by itself: SQL."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of an ability's method, on one line."""

    call: str
    args: tuple[Any, ...] = ()
    more: dict[str, Any] = msgspec.field(default_factory=dict)


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a stack can be asked for: its abilities, each with why it is not to be had here, if so.

    ``superuser_url`` is for SQL; ``prepared`` says for each service what its instances were started ready for.
    """

    name: str
    abilities: dict[str, str | None]
    superuser_url: str | None = None
    prepared: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


@cache
def abilities() -> dict[str, type]:
    """Return every ability that can be passed on, by its name."""
    return {
        name: kind
        for name, kind in vars(platform).items()
        if getattr(kind, "_is_runtime_protocol", False)
        and kind not in NOT_PASSED_ON
        and kind.__module__ == platform.__name__
    }


@cache
def methods(ability: type) -> dict[str, Callable[..., Any]]:
    """Return the methods of an ability, also those that it has from another one."""
    return {
        name: method
        for kind in reversed(ability.__mro__)
        if getattr(kind, "_is_protocol", False) and kind not in NOT_PASSED_ON
        for name, method in vars(kind).items()
        if inspect.isfunction(method) and not name.startswith("_")
    }


async def carry_out(on: Any, call: Call) -> Any:
    """Call the method on a platform, with arguments of the types that it asks for. Raises what it raises."""
    known = {name: method for kind in abilities().values() for name, method in methods(kind).items()}
    method = known.get(call.call)
    if method is None or not hasattr(on, call.call):
        raise UsageError(f"there is no ability {call.call!r}")
    try:
        bound = inspect.signature(method).bind(on, *call.args, **call.more)
        hints = get_type_hints(method)
        for name in [*bound.arguments][1:]:
            bound.arguments[name] = msgspec.convert(bound.arguments[name], hints.get(name, Any))
    except (TypeError, msgspec.ValidationError) as error:
        raise UsageError(f"{call.call}: {error}") from error
    result = getattr(on, call.call)(*bound.args[1:], **bound.kwargs)
    return await result if inspect.isawaitable(result) else result


def returned(method: Callable[..., Any], value: Any) -> Any:
    """Return what a method answered, in the type that it says."""
    return msgspec.convert(value, get_type_hints(method).get("return", Any))


def raised(kind: str, message: str) -> CapsizeError:
    """Return the error of a kind, as it was raised on the other side."""
    found = getattr(errors, kind, None)
    if isinstance(found, type) and issubclass(found, CapsizeError):
        return found(message)
    return CapsizeError(message)
