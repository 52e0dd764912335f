"""Templates, and what a page carries with it: style, scripts and data, all inside the one file."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from capsize.report.wording import count, percent, seconds

_AROUND = re.compile(r"\s*[\d.]+ (strike |phase |\S+ (starting|ready|exited|stopped|gave_up)\b)")
"""A line of a story that is about the world around the task: strikes, phases, instances."""

UPLOT = "vendor/uplot/uPlot.iife.min.js"
UPLOT_STYLE = "vendor/uplot/uPlot.min.css"


def render(template: str, scripts: tuple[str, ...], styles: tuple[str, ...], **values: Any) -> str:
    """Return a page. ``scripts`` and ``styles`` are files of this package that it carries.

    The page's own policy forbids every request, and every script but these: whatever a service wrote into its
    logs or task ids can't run, even if it got past the escaping.
    """
    carried = [_asset(name) for name in scripts]
    policy = "; ".join(
        (
            "default-src 'none'",
            "style-src 'unsafe-inline'",
            "img-src data:",
            "script-src " + (" ".join(_digest(text) for text in carried) or "'none'"),
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return (
        _environment()
        .get_template(template)
        .render(
            policy=policy,
            scripts=[Markup(text) for text in carried],
            styles=[Markup(_asset(name)) for name in styles],
            **values,
        )
    )


def embedded(value: Any) -> Markup:
    """Return a value as JSON that can stand in a script element, whatever its strings hold."""
    text = msgspec.json.encode(value).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@cache
def _asset(name: str) -> str:
    text = files("capsize.report.html").joinpath(name).read_text(encoding="utf-8")
    if "</script" in text.lower() or "</style" in text.lower():
        raise ValueError(f"{name} can't be carried inside a page: it would end its own element")
    return text


@cache
def _digest(text: str) -> str:
    """Return the source expression that allows exactly this script."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("capsize.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"seconds": _seconds, "percent": _percent, "at": _at, "number": _number}
    made.globals["count"] = count
    made.tests["around"] = lambda line: _AROUND.match(line) is not None
    return made


def _seconds(value: float | None) -> str:
    return "–" if value is None else seconds(value)


def _percent(value: float | None) -> str:
    return "–" if value is None else percent(value)


def _at(value: float | None) -> str:
    """Return a moment of the run."""
    return "–" if value is None else f"{value:.2f} s"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"
