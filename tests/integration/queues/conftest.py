"""The Pythons that have the task queues' libraries."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.engines import missing, need_postgres


@pytest.fixture
def python_of() -> Callable[[str], str]:
    """Return a function from a library's name to the Python that has it; without one the test is left out."""
    need_postgres()
    if shutil.which("redis-server") is None:
        missing("there is no redis-server on the PATH")
    folder = os.environ.get("CAPSIZE_QUEUES")
    if folder is None:
        missing("CAPSIZE_QUEUES does not name the environments of the task queues; .ci/queues.sh makes them")

    def find(library: str) -> str:
        python = Path(folder or "") / ("arq" if library == "arq" else "main") / "bin" / "python"
        if not python.exists():
            missing(f"there is no {python}")
        return str(python)

    return find
