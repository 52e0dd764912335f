"""The reports for machines and for CI: JSON and Markdown, and the files that they go to."""

from __future__ import annotations

import json
from pathlib import Path

from capsize.core.verdict import Verdict
from capsize.report import Summary, assemble, document, markdown
from capsize.report.files import write_run, write_summary
from support.literal_runs import completion, experiment, finding, history, lost, result, retries, skipped


def _whole() -> Summary:
    failed = assemble(result(completion(0.9), lost(finding()), retries(2)), experiment(), history())
    return Summary(runs=(failed, assemble(skipped())), duration_s=3.0, command="capsize run --seed 42")


def test_the_json_summary_names_verdicts_and_counts() -> None:
    """A script needs no table of numbers: verdicts are words, and the exit code is given."""
    whole = json.loads(document.summary(_whole()))
    assert whole["verdict"] == "FAIL"
    assert whole["exit_code"] == 1
    assert (whole["total"], whole["passed"], whole["failed"], whole["skipped"]) == (2, 0, 1, 1)
    assert whole["runs"][1]["status"] == "SKIPPED"


def test_the_json_of_a_run_holds_its_evidence() -> None:
    """Claims with measures and findings with stories, the timeline, and how far the run got."""
    run = json.loads(document.run(_whole().runs[0]))
    claims = {claim["checker"]: claim for claim in run["claims"]}
    assert claims["lost"]["verdict"] == Verdict.FAIL.name
    assert claims["lost"]["findings"][0]["story"]
    assert claims["retries"]["measures"] == {"retries": 2}
    assert run["timeline"][0] == {"t": 1.0, "text": "phase steady begins"}
    assert run["so_far"]["strikes_landed"] == 1
    assert run["ended"] == "completed"


def test_a_figure_without_a_value_is_null() -> None:
    """Infinity is no JSON number: what can't be said is null, and the document stays readable."""
    run = json.loads(document.run(assemble(result(completion(float("inf"))))))
    assert run["claims"][0]["measures"] == {"completion_ratio": None}


def test_markdown_leads_with_the_verdict_and_a_table() -> None:
    """The first line of a step summary tells how it came out; each scenario has its row."""
    text = markdown.summary(_whole())
    assert text.startswith("# Chaos testing: FAIL\n")
    assert "| multi-worker-chaos | FAIL | 3 | 90.0%, 2 retries | 46.2 | 42 |" in text
    assert "| db-failure | SKIPPED |" in text
    assert "### lost (1)" in text


def test_markdown_escapes_what_would_break_its_tables() -> None:
    """A bar in a reason stays in its cell."""
    text = markdown.summary(Summary(runs=(assemble(skipped(reason="a|b\nc")),), duration_s=0))
    assert "a\\|b c" in text


def test_markdown_marks_a_scaled_run() -> None:
    """Its heading says that it is not the level."""
    assert "not the level" in markdown.run(assemble(result(completion(), time_scale=0.5))).splitlines()[0]


def test_files_are_written_whole(tmp_path: Path) -> None:
    """Both forms, for the run and for the invocation, and no draft is left behind."""
    write_run(_whole().runs[0], tmp_path)
    write_summary(_whole(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "index.html",
        "report.json",
        "report.md",
        "summary.json",
        "summary.md",
    ]
    assert json.loads((tmp_path / "summary.json").read_text())["command"] == "capsize run --seed 42"
