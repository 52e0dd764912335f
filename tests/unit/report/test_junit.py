"""JUnit XML: CI shows which promise broke."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
import xmlschema

from capsize.core.verdict import Result, Verdict
from capsize.report import RunReport, Summary, assemble, junit
from support.literal_runs import completion, finding, lost, result, skipped

SCHEMA = Path(__file__).parents[3] / "docs" / "schema" / "junit.xsd"


def claim(verdict: Verdict, summary: str = "so it was") -> Result:
    """Return a claim with a verdict."""
    return Result(checker=f"claim-{verdict.name.lower()}", verdict=verdict, summary=summary)


def read(*reports: RunReport) -> ET.Element:
    """Return the document of some runs, having validated it."""
    text = junit.summary(Summary(runs=reports, duration_s=3.25))
    xmlschema.XMLSchema(SCHEMA).validate(text)
    return ET.fromstring(text.encode())


def test_every_claim_is_a_case_and_says_how_it_came_out() -> None:
    """FAIL is a failure, UNKNOWN an error, PASS and PARTIAL pass and say which."""
    suite = read(assemble(result(*(claim(verdict) for verdict in Verdict))))[0]
    kinds = {case.get("name"): [child.tag for child in case] for case in suite.iter("testcase")}
    assert kinds == {
        "claim-pass": ["system-out"],
        "claim-partial": ["system-out"],
        "claim-unknown": ["error"],
        "claim-fail": ["failure"],
    }
    assert suite.findtext(".//testcase[@name='claim-partial']/system-out") == "PARTIAL: so it was"
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "0",
    }


def test_a_failure_carries_its_evidence() -> None:
    """The story of each finding is in the case, as CI shows it."""
    failure = read(assemble(result(lost(finding("t7")))))[0].find(".//failure")
    assert failure is not None
    assert failure.get("message") == "1 of 10 acknowledged tasks were lost"
    assert "lost: task t7 was acknowledged and never finished" in (failure.text or "")
    assert "1.020 acknowledged (201)" in (failure.text or "")


def test_a_skipped_scenario_is_a_skipped_case() -> None:
    """It neither passes nor fails, and its reason is told."""
    suite = read(assemble(skipped(reason="no docker here")))[0]
    assert suite.find(".//skipped").get("message") == "no docker here"  # type: ignore[union-attr]
    assert (suite.get("tests"), suite.get("skipped"), suite.get("errors")) == ("1", "1", "0")


def test_a_scenario_that_is_broken_itself_is_an_error() -> None:
    """Its exit code is not 0, and CI must not show it green."""
    broken = msgspec.structs.replace(skipped(), invalid=True)
    assert read(assemble(broken))[0].find(".//error").get("type") == "ERROR"  # type: ignore[union-attr]


def test_a_run_that_is_worse_than_its_claims_has_a_case_of_its_own() -> None:
    """Capsize was interrupted or broke: all claims may hold, and still the run is no pass."""
    worse = msgspec.structs.replace(result(completion()), verdict=Verdict.UNKNOWN, reason="interrupted")
    case = read(assemble(worse))[0].find(".//testcase[@name='the run']")
    assert case is not None
    assert case.find("error").get("message") == "interrupted"  # type: ignore[union-attr]


def test_totals_are_those_of_the_suites() -> None:
    """Some readers look at the first line alone."""
    root = read(assemble(result(claim(Verdict.FAIL))), assemble(result(claim(Verdict.UNKNOWN))))
    assert [root.get(name) for name in ("tests", "failures", "errors")] == ["2", "1", "1"]


@pytest.mark.parametrize("text", ["\x00\x1b[31m\x0b", "]]><!--", "<script>&", "\ud800"])
def test_no_text_of_a_service_breaks_the_document(text: str) -> None:
    """What XML can't hold is replaced, what means something to it is escaped."""
    root = read(assemble(result(claim(Verdict.FAIL, f"the log said {text}."))))
    assert "the log said" in (root.find(".//failure").get("message") or "")  # type: ignore[union-attr]
