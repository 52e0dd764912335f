"""The command line, run in this process, with an environment that holds none of its variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from capsize.cli.app import entry


@dataclass(frozen=True)
class Ran:
    """What a command line came to."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def not_on_github(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep runs that are only played from annotating the job that tests them."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


@pytest.fixture
def capsize(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Return a function that runs a command line and tells code, stdout and stderr."""
    for name in ("PORT", "BASE_URL", "OUTPUT_DIR", "VERBOSE"):
        monkeypatch.delenv(name, raising=False)

    def run(*argv: str) -> Ran:
        code = entry(argv)
        told = capsys.readouterr()
        return Ran(code, told.out, told.err)

    return run
