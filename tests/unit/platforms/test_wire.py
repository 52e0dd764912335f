"""Calls of abilities from another process: all that faults ask for, with arguments of the right types."""

from __future__ import annotations

import asyncio
from typing import Any, get_type_hints

import msgspec
import pytest

from capsize.core import errors
from capsize.core.clock import MonotonicClock
from capsize.core.errors import CapsizeError, InjectionError, Missed, UsageError
from capsize.core.platform import Dependable, Service
from capsize.core.protocols import Fault
from capsize.faults import FAULTS
from capsize.platforms.local.attached import AttachedPlatform
from capsize.platforms.local.wire import Call, abilities, carry_out, methods, raised, returned
from capsize.platforms.memory import MemoryPlatform

WORKERS = Service(name="worker", role="worker", replicas=2)


async def made() -> MemoryPlatform:
    """Bring two workers up on the memory platform."""
    platform = MemoryPlatform(lambda _: None, MonotonicClock(), start_s=0.0)
    await platform.up([WORKERS])
    return platform


@pytest.mark.parametrize("name", FAULTS)
def test_every_ability_that_a_fault_needs_can_be_had_from_a_stack(name: str) -> None:
    """It is passed on, or the attached platform has it itself; only the outside service belongs to a run."""
    fault: type[Fault] = FAULTS[name]
    for need in fault.requires:
        own = all(hasattr(AttachedPlatform, method) for method in methods_of(need))
        assert need in abilities().values() or own or need is Dependable, need


def methods_of(need: type) -> list[str]:
    """Return the names of an ability's methods, also of one that is not passed on."""
    return [name for name in vars(need) if not name.startswith("_")]


@pytest.mark.parametrize("name", abilities())
def test_arguments_and_answers_can_be_written_down(name: str) -> None:
    """Every type in the methods of an ability is one that JSON can hold and that is rebuilt from it."""
    for method in methods(abilities()[name]).values():
        for hint in get_type_hints(method).values():
            kind = msgspec.inspect.type_info(hint)
            assert "CustomType" not in repr(kind), (method, hint)


def test_a_call_is_carried_out_with_arguments_by_place_and_by_name() -> None:
    """The platform gets what was sent, in the types of the ability."""

    async def main() -> None:
        platform = await made()
        sent = Call(call="stop", args=("worker-1",), more={"hard": True})
        await carry_out(platform, msgspec.json.decode(msgspec.json.encode(sent), type=Call))
        assert platform.calls[-1].args == ("worker-1", True)
        await carry_out(platform, Call(call="scale", args=("worker", 1)))
        assert len(platform.instances()) == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (Call(call="down"), "no ability 'down'"),
        (Call(call="__init__"), "no ability '__init__'"),
        (Call(call="limit_cpu", args=("worker-1", 0.5)), "no ability 'limit_cpu'"),
        (Call(call="scale", args=("worker", "many")), "scale: Expected `int`"),
        (Call(call="kill"), "kill: missing a required argument"),
        (Call(call="kill", args=("worker-1",), more={"how": "well"}), "unexpected keyword"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused(call: Call, message: str) -> None:
    """What is no ability can't be called, and nothing reaches the platform."""

    async def main() -> None:
        platform = await made()
        seen = len(platform.calls)
        with pytest.raises(UsageError, match=message):
            await carry_out(platform, call)
        assert len(platform.calls) == seen

    asyncio.run(main())


def test_errors_keep_their_kind() -> None:
    """Missed stays Missed on the other side; what is no error of capsize's becomes its root."""
    for kind in (Missed, InjectionError, UsageError):
        assert type(raised(kind.__name__, "why")) is kind
    for name in ("KeyError", "annotations", ""):
        assert type(raised(name, "why")) is CapsizeError
    assert hasattr(errors, "annotations")


def test_an_answer_gets_its_type_back() -> None:
    """Structs that an ability returns are structs again."""
    routes = methods(abilities()["Proxied"])["routes"]
    row: dict[str, Any] = {
        "name": "a>b",
        "source": "a",
        "source_service": "a",
        "target": "b",
        "target_service": "b",
    }
    assert returned(routes, [row])[0].name == "a>b"
