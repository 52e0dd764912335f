"""Reports as JUnit XML: a suite for each run, a case for each claim, so that CI names the promise that broke.

FAIL is a failure. UNKNOWN is an error: nothing was proved, and the exit code says so too. PARTIAL passes, with
what it names in the case's output. A scenario that was skipped is one skipped case.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from capsize.core.verdict import Result, ScenarioResult, Verdict
from capsize.report.model import RunReport, Summary
from capsize.report.wording import status

STORIES_MAX = 20
"""So many findings of one claim are told in its case."""

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML can't hold, not even escaped; a log line may have it."""


def run(report: RunReport) -> str:
    """Return the document of one run."""
    return summary(Summary(runs=(report,), duration_s=report.result.duration_s))


def summary(whole: Summary) -> str:
    """Return the document of an invocation."""
    root = ET.Element("testsuites")
    for report in whole.runs:
        root.append(_suite(report))
    totals = [
        (name, sum(int(suite.get(name, "0")) for suite in root)) for name in ("tests", "failures", "errors")
    ]
    root.attrib |= {"name": "capsize", "time": f"{whole.duration_s:.3f}"}
    root.attrib |= {name: str(number) for name, number in totals}
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(report: RunReport) -> ET.Element:
    result = report.result
    name = f"{result.scenario} level {result.level} seed {result.seed}"
    suite = ET.Element("testsuite", name=_clean(name), time=f"{result.duration_s:.3f}")
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(report):
        ET.SubElement(properties, "property", name=key, value=_clean(value))
    cases = [_case(result, claim) for claim in (result.judgement.results if result.judgement else ())]
    if _only_the_run_tells(result):
        cases.append(_whole(result))
    suite.extend(cases)
    for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(key, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("tests", str(len(cases)))
    return suite


def _properties(report: RunReport) -> list[tuple[str, str]]:
    result = report.result
    rows = [
        ("verdict", status(result)),
        ("level", str(result.level)),
        ("seed", str(result.seed)),
        ("time_scale", f"{result.time_scale:g}"),
        ("run_dir", result.run_dir or ""),
        ("replay", report.replay),
    ]
    return [(name, value) for name, value in rows if value]


def _only_the_run_tells(result: ScenarioResult) -> bool:
    """Return whether the run is worse than its claims, or has none: then it needs a case of its own."""
    return result.judgement is None or result.verdict > result.judgement.verdict


def _whole(result: ScenarioResult) -> ET.Element:
    case = ET.Element("testcase", classname=_class(result), name="the run", time=f"{result.duration_s:.3f}")
    reason = _clean(result.reason or "it was not judged")
    if result.skipped and not result.invalid:
        ET.SubElement(case, "skipped", message=reason)
    else:
        tag = "failure" if result.verdict is Verdict.FAIL else "error"
        ET.SubElement(case, tag, message=reason, type=status(result)).text = reason
    return case


def _case(result: ScenarioResult, claim: Result) -> ET.Element:
    case = ET.Element("testcase", classname=_class(result), name=_clean(claim.checker), time="0")
    if claim.verdict in (Verdict.FAIL, Verdict.UNKNOWN):
        tag = "failure" if claim.verdict is Verdict.FAIL else "error"
        told = ET.SubElement(case, tag, message=_clean(claim.summary), type=claim.verdict.name)
        told.text = _clean(_stories(claim))
    else:
        ET.SubElement(case, "system-out").text = _clean(f"{claim.verdict.name}: {claim.summary}")
    return case


def _class(result: ScenarioResult) -> str:
    return _clean(f"capsize.{result.scenario}")


def _stories(claim: Result) -> str:
    lines = [claim.summary]
    for finding in claim.findings[:STORIES_MAX]:
        lines += ["", f"{finding.anomaly}: {finding.message}", *(f"    {line}" for line in finding.story)]
    more = len(claim.findings) - STORIES_MAX
    if more > 0:
        lines += ["", f"And {more} more; verdict.json has all of them."]
    return "\n".join(lines)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
