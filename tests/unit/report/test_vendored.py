"""The charting library that the pages carry is the one that was taken, at its version and with its licence."""

from __future__ import annotations

import hashlib
from importlib.resources import files


def test_the_vendored_library_is_what_was_taken() -> None:
    """Nobody edits it by hand: ./scripts/refresh-uplot.sh VERSION takes another one."""
    vendored = files("capsize.report.html").joinpath("vendor/uplot")
    name, *sums = vendored.joinpath("VERSION").read_text().splitlines()
    version = name.removeprefix("uplot@")
    assert len(sums) == 3
    for line in sums:
        digest, file = line.split()
        assert hashlib.sha256(vendored.joinpath(file).read_bytes()).hexdigest() == digest, file
    assert f"(v{version})" in vendored.joinpath("uPlot.iife.min.js").read_text()[:200]
    assert "MIT License" in vendored.joinpath("LICENSE").read_text()
