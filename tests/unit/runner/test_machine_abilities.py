"""Abilities that hang on the machine, and what a fault tells of its means: the runner's side of both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from capsize.core.errors import NotSupported
from capsize.core.events import Struck
from capsize.core.levels import level
from capsize.core.platform import Pausable
from capsize.faults import Pause
from capsize.platforms.memory import MemoryPlatform
from capsize.runner.parts import Parts
from capsize.scenario import api, experiment, strike
from capsize.systems import Starter
from support.simulated import run
from support.stages import rig
from support.stages import strike as planned


class Fussy(MemoryPlatform):
    """Has every method, and on this machine it can't freeze anybody."""

    def lacks(self, ability: type) -> str | None:
        """Lack one ability."""
        return "this kernel has no freezer" if ability is Pausable else None


def test_what_this_machine_lacks_is_known_before_anything_is_started(tmp_path: Path) -> None:
    """The run is not supported, with the machine's reason; a plan without that fault is."""

    async def main() -> None:
        bench = await rig(tmp_path, kind=Fussy)
        for fault, fits in (("kill", True), ("pause", False)):
            found = experiment(level(1), 1, loads=[api()], strikes=[strike(fault, "worker", at_s=1.0)])
            if fits:
                Parts.of(found).require(bench.platform, Starter())
                continue
            with pytest.raises(NotSupported, match="'pause' can't be had here: this kernel has no"):
                Parts.of(found).require(bench.platform, Starter())

    run(main())


def test_the_record_tells_by_which_means_a_fault_struck_and_healed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the strike and the healing return stands in the strike's lines; without it they say nothing."""

    async def strike_and_tell(self: Pause, platform: Any, victims: Sequence[str]) -> str:
        return "by the freezer"

    async def heal_and_tell(self: Pause, platform: Any, victims: Sequence[str]) -> str:
        return "thawed"

    monkeypatch.setattr(Pause, "strike", strike_and_tell)
    monkeypatch.setattr(Pause, "heal", heal_and_tell)

    async def main() -> None:
        bench = await rig(tmp_path)
        told = planned(1, 0.0, fault="pause"), planned(2, 1.0)
        await bench.striker(*told).run()
        said = {(e.strike, e.stage): e.detail for e in bench.events if isinstance(e, Struck)}
        assert said["s1", "landed"] == "by the freezer"
        assert said["s1", "healed"] == "thawed"
        assert said["s2", "landed"] == said["s2", "healed"] == ""

    run(main())
