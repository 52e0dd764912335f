"""What ``capsize fault list`` shows: each fault, its fields, and whether the stack that is up can have it now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from capsize.cli.fault_fields import describe, fields
from capsize.cli.injections import Open, injected
from capsize.cli.listing import first_paragraph, plain
from capsize.core.platform import Proxied
from capsize.faults import FAULTS, why_not
from capsize.guardian.registry import state_folder
from capsize.platforms.local import stack
from capsize.platforms.local.attached import AttachedPlatform, attach


def now() -> list[dict[str, Any]]:
    """Return an entry for each fault; ``why_not`` is None when it can be injected now."""
    platform = attach() if stack.read_state(state_folder()) is not None else None
    held = injected(platform) if platform is not None else []
    return [_entry(name, platform, held) for name in FAULTS]


def told(found: list[dict[str, Any]]) -> str:
    """Return it for a terminal."""
    rows = []
    for one in found:
        can = "yes" if one["why_not"] is None else f"no: {one['why_not']}"
        rows.append((one["name"], one["about"], ", ".join(one["needs"]), ", ".join(one["fields"]), can))
    text = plain(("Fault", "What it does", "Needs", "Fields", "Now"), rows)
    for one in found:
        for held in one["injected"]:
            text += f"\nInjected now: {held['id']} on {', '.join(held['victims'])}\n"
    return text


def _entry(name: str, platform: AttachedPlatform | None, held: list[Open]) -> dict[str, Any]:
    fault = FAULTS[name]
    return {
        "name": name,
        "about": first_paragraph(fault.__doc__),
        "needs": [ability.__name__ for ability in fault.requires],
        "fields": [f"{f.name}={_default(f)}" for f in fields(name)],
        "why_not": _not_yet(fault) if platform is None else _why_not(fault, platform),
        "injected": [
            {"id": one.strike.strike, "victims": list(one.strike.victims)}
            for one in held
            if one.strike.fault == name
        ],
    }


def _default(field: Any) -> str:
    return describe(field.type) if field.required else f"{describe(field.type)} [{_shown(field)}]"


def _shown(field: Any) -> str:
    value = field.default
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or value == () or value == "":
        return "none"
    return str(value)


def _why_not(fault: Any, platform: AttachedPlatform) -> str | None:
    reason = why_not(fault, platform)
    needed = getattr(fault, "prepares", None)
    if reason is None and needed and not any(needed in ready for ready in platform.offer.prepared.values()):
        return f"no service was started ready for it; start the stack with: capsize up --prepare {needed}"
    return reason


def _not_yet(fault: Any) -> str:
    """Return what is missing as long as no stack is up: that alone, or something that none could have here."""
    from capsize.core.clock import MonotonicClock
    from capsize.platforms.local import LocalPlatform

    reason = why_not(fault, LocalPlatform(Path(), lambda _: None, MonotonicClock(), {}))
    if reason is not None:
        return reason
    more = " --proxied" if Proxied in fault.requires else ""
    more += f" --prepare {fault.prepares}" if hasattr(fault, "prepares") else ""
    return f"no stack is up; start one with: capsize up{more}"
