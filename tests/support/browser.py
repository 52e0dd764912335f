"""A headless Chromium, and a page in it that tells what it did: its errors, and what it asked the network for."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.engines import missing

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
LIMIT_MS = 100_000
"""Generous: a machine that runs other tests beside may be slow, and no test here is about speed."""
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Opened:
    """A page that was opened: itself, its errors and warnings, and the requests that were no file of its own."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


class Browser:
    """A browser; every page has a context of its own."""

    def __init__(self, driven: Any) -> None:
        self._driven = driven

    @contextmanager
    def open(self, path: Path, **context: Any) -> Iterator[Opened]:
        """Open a file and wait until it has drawn what it has to draw."""
        made = self._driven.new_context(**{"viewport": {"width": 1280, "height": 860}, **context})
        opened = Opened(made.new_page())
        page = opened.page
        page.set_default_timeout(LIMIT_MS)
        page.on("pageerror", lambda error: opened.errors.append(str(error)))
        page.on(
            "console",
            lambda said: opened.errors.append(said.text) if said.type in ("error", "warning") else None,
        )
        page.on("request", lambda asked: opened.requests.append(asked.url))
        try:
            page.goto(path.as_uri())
            page.wait_for_function(
                "!document.getElementById('data') || document.documentElement.dataset.drawn"
            )
            opened.requests = [
                url for url in opened.requests if url != path.as_uri() and not url.startswith("data:")
            ]
            yield opened
        finally:
            made.close()

    @contextmanager
    def open_plain(self, path: Path) -> Iterator[Any]:
        """Open a file in a page that runs no scripts."""
        made = self._driven.new_context(java_script_enabled=False)
        try:
            page = made.new_page()
            page.goto(path.as_uri())
            yield page
        finally:
            made.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the Chromium of this machine; skip or fail the test where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None or importlib.util.find_spec("playwright") is None:
        missing("no Chromium on PATH, or no playwright: the pages can't be opened")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        driven = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        try:
            yield Browser(driven)
        finally:
            driven.close()
