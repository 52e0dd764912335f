"""The site of the docs: it builds without a warning, and its reference is that of the code."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from capsize.checkers import CHECKERS
from capsize.cli.app import cli

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site, built."""
    if importlib.util.find_spec("material") is None:
        assert not os.environ.get("CI"), "mkdocs-material is not installed; CI installs the extra docs"
        pytest.skip("mkdocs-material is not installed; pip install -c constraints.txt -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    ran = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return folder


def test_every_command_is_in_the_reference(site: Path) -> None:
    """Made from the code, so that none is missing and no flag is of yesterday."""
    text = (site / "reference" / "commands" / "index.html").read_text()
    for name in cli.commands:
        assert f"capsize {name}" in text
    assert "--abort-when" in text


def test_every_claim_is_in_the_reference(site: Path) -> None:
    """Each checker, in its own words."""
    text = (site / "reference" / "claims" / "index.html").read_text()
    for name in CHECKERS:
        assert f'id="{name}"' in text


def test_every_page_of_the_docs_and_every_decision_is_there(site: Path) -> None:
    """A page that somebody adds is never lost, whether the navigation names it or not."""
    for path in [*ROOT.glob("docs/*.md"), *ROOT.glob("docs/adr/*.md")]:
        name = path.relative_to(ROOT / "docs").with_suffix("")
        assert (site / ("" if path.stem == "index" else name) / "index.html").is_file(), name
    index = (site / "adr" / "index.html").read_text()
    assert all(path.stem in index for path in ROOT.glob("docs/adr/*.md"))


def test_the_site_asks_nobody(site: Path) -> None:
    """No font, script or style from elsewhere: it works on a plane."""
    for page in site.rglob("*.html"):
        found = re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="(https?:[^"]+)"', page.read_text())
        found += re.findall(
            r'<link[^>]*rel="(?:stylesheet|preconnect)"[^>]*href="(https?:[^"]+)"', page.read_text()
        )
        assert found == [], page
