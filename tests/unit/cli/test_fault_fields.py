"""`--set FIELD=VALUE`: texts become what the fault's field takes, or one message says what that is."""

from __future__ import annotations

from typing import Any

import pytest

from capsize.cli.fault_fields import describe, fields, spec
from capsize.cli.holding import _text
from capsize.core.errors import UsageError
from capsize.core.registry import make
from capsize.faults import FAULTS

GOOD: list[tuple[str, list[str], dict[str, Any]]] = [
    ("kill", [], {}),
    ("stop", ["hard=true"], {"hard": True}),
    ("scale", ["to=3", "back_to=null"], {"to": 3, "back_to": None}),
    ("slow_queries", ["delay_s=1", "tables=tasks,users"], {"delay_s": 1.0, "tables": ("tasks", "users")}),
    ("slow_queries", ["tables="], {"tables": ()}),
    ("lock_table", ["table=a=b", "mode=share"], {"table": "a=b", "mode": "share"}),
    ("dependency", ["mode=slow", "slow_s=2.5"], {"mode": "slow", "slow_s": 2.5}),
]


@pytest.mark.parametrize(("name", "settings", "args"), GOOD)
def test_texts_become_values(name: str, settings: list[str], args: dict[str, Any]) -> None:
    """Each in the type of its field; a process in the background is told the same by the same texts."""
    found = spec(name, settings)
    assert found.args == args
    assert spec(name, [f"{key}={_text(value)}" for key, value in found.args.items()]) == found


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("kil", [], "did you mean 'kill'"),
        ("kill", ["hard=true"], "it has no fields"),
        ("stop", ["hard"], "'hard' is not FIELD=VALUE"),
        ("stop", ["hrd=true"], "did you mean 'hard'"),
        ("stop", ["hard=maybe"], "it takes true|false"),
        ("scale", [], "needs --set to=NUMBER"),
        ("scale", ["to=-1"], ">= 0"),
        ("dependency", ["mode=bad"], "it takes ok|slow|fail"),
    ],
)
def test_what_does_not_fit_is_said(name: str, settings: list[str], message: str) -> None:
    """One message, with what is known or taken."""
    with pytest.raises(UsageError) as caught:
        spec(name, settings)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", FAULTS)
def test_every_field_can_be_described_and_its_default_given(name: str) -> None:
    """No field of any fault is only VALUE, and every default goes through the command line unchanged."""
    defaults = [field for field in fields(name) if not field.required]
    assert "VALUE" not in [describe(field.type) for field in fields(name)]
    needed = {"table": "tasks", "to": "1", "mode": "fail", "statement": "commit", "sqlstate": "40001"}
    required = [f"{f.name}={needed.get(f.name, '1')}" for f in fields(name) if f.required]
    given = [f"{f.name}={_text(f.default)}" for f in defaults if f.default != ""]
    bare, full = spec(name, required), spec(name, required + given)
    assert make(FAULTS, full, "fault") == make(FAULTS, bare, "fault")
