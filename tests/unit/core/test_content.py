"""What a service holds of a task is compared by value: no spelling of the same JSON differs, no other value is the same."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsize.core.content import SHORT, canonical, content, parsed

QUICK = settings(max_examples=150, deadline=None, derandomize=True)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def respelled(value: Any, draw: random.Random) -> str:
    """Write a value as JSON in another way: members in another order, spaces, escapes, other forms of numbers."""
    space = draw.choice(("", " ", "\n  "))
    match value:
        case bool() | None:
            return json.dumps(value)
        case int():
            return draw.choice((str(value), f"{value}.0", f"{value}.000", f"{value}e0", f"{value}0e-1"))
        case float():
            return draw.choice((repr(value), f"{value:.17g}", f"{value:.17e}", f"{value:.16E}"))
        case str():
            return json.dumps(value, ensure_ascii=draw.random() < 0.5)
        case list():
            return "[" + f",{space}".join(respelled(item, draw) for item in value) + "]"
        case _:
            members = draw.sample(list(value.items()), len(value))
            told = (f"{json.dumps(name)}{space}:{space}{respelled(item, draw)}" for name, item in members)
            return "{" + f",{space}".join(told) + "}"


def small(value: Any) -> Any:
    """Keep whole numbers to what a double holds: beyond that a point or an exponent may lose digits."""
    match value:
        case bool():
            return value
        case int():
            return value % 2**53
        case list():
            return [small(item) for item in value]
        case dict():
            return {name: small(item) for name, item in value.items()}
        case _:
            return value


@QUICK
@given(values, st.integers(0, 2**32))
def test_no_spelling_raises_an_alarm(value: Any, seed: int) -> None:
    """Order of members, white space, escapes and the form of numbers make no difference."""
    whole = small(value)
    assert canonical(parsed(respelled(whole, random.Random(seed)))) == canonical(whole)


@QUICK
@given(values)
def test_the_encoders_on_the_way_change_nothing(value: Any) -> None:
    """What was ordered is the same after the client's encoder, the standard library's, and back."""
    whole = small(value)
    for encoded in (msgspec.json.encode(whole), json.dumps(whole).encode()):
        assert canonical(parsed(encoded)) == canonical(whole)


@QUICK
@given(values, values)
def test_different_values_differ(one: Any, two: Any) -> None:
    """Two values have one canonical text only when they are equal; true is not 1, and order in a list counts."""
    same = canonical(one) == canonical(two)
    assert same == (one == two and _kinds(one) == _kinds(two))


def _kinds(value: Any) -> Any:
    match value:
        case dict():
            return {name: _kinds(item) for name, item in value.items()}
        case list():
            return [_kinds(item) for item in value]
        case bool():
            return "truth"
        case int() | float():
            return "number"
        case _:
            return type(value).__name__


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("0.30000000000000004", "0.3", False),
        ("0.1", "0.1000000000000000055", True),
        ("100", "1e2", True),
        ("-0.0", "0", True),
        ("9007199254740993", "9007199254740992", False),
        ("1e400", "1e401", True),
        ('"e\\u0301"', '"\\u00e9"', False),
        ('"\\u00e9"', '"é"', True),
        ("{}", "null", False),
        ("1", "true", False),
        ('"1"', "1", False),
    ],
)
def test_cases_that_are_easily_wrong(one: str, two: str, same: bool) -> None:
    """Doubles by value; integers by every digit; text by every character; nothing and empty are two things."""
    assert (canonical(parsed(one)) == canonical(parsed(two))) is same


def test_long_fields_are_digested_and_short_ones_stay_readable() -> None:
    """A digest tells lengths apart and is never a value of its own."""
    found = content({"payload": {"b": 1.0, "a": "x"}, "long": "y" * SHORT, "longer": "y" * (SHORT + 1)})
    assert found["payload"] == '{"a":"x","b":1}'
    assert found["long"].startswith("sha256:")
    assert found["long"] != found["longer"]
    with pytest.raises(ValueError, match="Expecting value"):
        parsed(found["long"])
