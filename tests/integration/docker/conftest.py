"""A stack of small services on a Docker engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from capsize.platforms.docker.engine import Engine
from support.docking import Docked, make, need_docker


@pytest.fixture
def engine() -> Iterator[Engine]:
    """The engine, beside the platform's own connections."""
    found = need_docker()
    yield found
    found.close()


@pytest.fixture
async def docked(engine: Engine, tmp_path: Path) -> AsyncIterator[Docked]:
    """A platform that has started nothing yet."""
    one = make(tmp_path)
    yield one
    await one.platform.down()
