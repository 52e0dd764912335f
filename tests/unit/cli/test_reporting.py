"""`capsize report` in every form, on one run and on a folder; `compare`, `schema`, and `--report` of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from capsize import journal
from capsize.cli.targets import ReportTargets, checked, tell_github, write_all
from capsize.core.errors import HistoryError, UsageError
from capsize.report import Summary, assemble, document
from capsize.rundir import RunDirectory
from support.literal_runs import completion, events, finding, judged, lost, result, write_run

Capsize = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a run that failed, one that was cut off, and one that recorded nothing."""
    failed = write_run(tmp_path)
    failed.write_judgement(judged(completion(0.9), lost(finding())))
    failed.path.rename(tmp_path / "20260101T000000-a")
    write_run(tmp_path, whole=False, torn=True).path.rename(tmp_path / "20260102T000000-b")
    (write_run(tmp_path).path.rename(tmp_path / "20260103T000000-c") / "history.jsonl").unlink()
    return tmp_path


def test_html_goes_into_the_run_directory(capsize: Capsize, folder: Path) -> None:
    """Its path is printed, ready to be opened."""
    ran = capsize("report", str(folder / "20260101T000000-a"), "--format", "html")
    path = folder / "20260101T000000-a" / "report.html"
    assert (ran.code, ran.out) == (0, f"{path}\n")
    assert "were lost" in path.read_text()


def test_a_run_whose_capsize_was_killed_has_its_page_from_the_journal(capsize: Capsize, folder: Path) -> None:
    """No end, no verdict, a last line cut in the middle: told up to the last whole line."""
    run = folder / "20260102T000000-b"
    assert capsize("report", str(run), "--format", "html").code == 0
    page = (run / "report.html").read_text()
    assert "The record ends at 3.50 s in phase chaos" in page
    assert "UNKNOWN" in page


@pytest.mark.parametrize(("form", "begins"), [("junit", "<?xml"), ("markdown", "# "), ("json", "{")])
def test_every_form_goes_to_stdout_or_to_a_file(
    capsize: Capsize, folder: Path, tmp_path: Path, form: str, begins: str
) -> None:
    """One run and a folder alike; with --output nothing is printed."""
    for what in (folder / "20260101T000000-a", folder):
        assert capsize("report", str(what), "--format", form).out.startswith(begins)
        target = tmp_path / "deep" / "file"
        assert capsize("report", str(what), "--format", form, "--output", str(target)).out == ""
        assert target.read_text().startswith(begins)


def test_html_to_stdout(capsize: Capsize, folder: Path) -> None:
    """A dash is stdout, for one run and for a folder; nothing else is printed."""
    for what in (folder / "20260101T000000-a", folder):
        out = capsize("report", str(what), "--format", "html", "--output", "-").out
        assert out.startswith("<!doctype html>")
        assert out.rstrip().endswith("</html>")


def test_a_folder_is_told_as_a_whole(capsize: Capsize, folder: Path) -> None:
    """A run that recorded nothing is told too, and keeps no other from being told."""
    out = capsize("report", str(folder)).out
    assert "Total scenarios: 3" in out
    told = json.loads(capsize("report", str(folder), "--format", "json").out)
    assert [run["status"] for run in told["runs"]] == ["FAIL", "UNKNOWN", "UNKNOWN"]
    assert told["runs"][0]["duration_s"] == 8.0
    assert "no history" in told["runs"][2]["reason"]


def test_the_page_of_a_folder_makes_the_pages_that_are_missing(capsize: Capsize, folder: Path) -> None:
    """Each line leads somewhere, but for the run of which nothing is known."""
    ran = capsize("report", str(folder), "--format", "html")
    assert ran.out == f"{folder / 'index.html'}\n"
    page = (folder / "index.html").read_text()
    assert 'href="20260101T000000-a/report.html"' in page
    assert 'href="20260102T000000-b/report.html"' in page
    assert "20260103T000000-c/report.html" not in page


def test_what_holds_no_run_is_refused(capsize: Capsize, tmp_path: Path) -> None:
    """One message, and 64."""
    assert capsize("report", str(tmp_path), "--format", "html").code == 64
    assert capsize("compare", str(tmp_path), str(tmp_path)).code == 64


def test_a_file_that_can_t_be_written_is_refused(capsize: Capsize, folder: Path) -> None:
    """What, where, what to do."""
    run = folder / "20260101T000000-a"
    ran = capsize("report", str(run), "--format", "json", "--output", str(run / "history.jsonl" / "x"))
    assert ran.code == 64
    assert "can't be written" in ran.err


def test_the_end_of_a_history_is_read_alone(tmp_path: Path) -> None:
    """Its last whole event, also when the line after it was cut in the middle."""
    whole = write_run(tmp_path)
    ended = journal.read_end(whole.history_path)
    assert (len(ended), ended.end_s, ended.truncated) == (1, 8.0, False)
    torn = write_run(tmp_path, whole=False, torn=True)
    ended = journal.read_end(torn.history_path)
    assert (ended.end_s, ended.truncated) == (events(whole=False)[-1].t, True)
    with pytest.raises(HistoryError):
        journal.read_end(tmp_path / "none")


# ---------------------------------------------------------------- compare


def recorded(folder: Path, *results: Any) -> RunDirectory:
    """Write a run that was judged by these results."""
    run = write_run(folder)
    run.write_judgement(judged(*results))
    return run


def test_compare_exits_1_when_a_threshold_is_crossed(capsize: Capsize, tmp_path: Path) -> None:
    """And 0 when none is; a lost task is a change from nothing."""
    old = recorded(tmp_path, completion(), lost())
    new = recorded(tmp_path, completion(0.7), lost(finding()))
    both = (str(old.path), str(new.path))
    assert capsize("compare", *both).code == 0
    assert capsize("compare", *both, "--fail-if", "completion_ratio < -50%").code == 0
    ran = capsize("compare", *both, "--fail-if", "completion_ratio < -20%", "--fail-if", "lost > +0")
    assert ran.code == 1
    assert ran.out.count("CROSSED") == 2
    assert capsize("compare", *reversed(both), "--fail-if", "lost > +0").code == 0


def test_compare_exits_2_when_a_threshold_could_not_be_judged(capsize: Capsize, tmp_path: Path) -> None:
    """Missing on one side, or not sure when only sure ones count: nothing is proved."""
    old, new = recorded(tmp_path, lost()), recorded(tmp_path, completion(), lost(finding()))
    both = (str(old.path), str(new.path))
    assert capsize("compare", *both, "--fail-if", "completion_ratio < 0.5").code == 2
    assert capsize("compare", *both, "--sure", "--fail-if", "lost > +0").code == 2


def test_compare_takes_folders_and_writes_where_it_is_told(capsize: Capsize, tmp_path: Path) -> None:
    """All runs of a scenario are one side."""
    for side, ratio in (("old", 1.0), ("new", 0.5)):
        (tmp_path / side).mkdir()
        for _ in range(4):
            recorded(tmp_path / side, completion(ratio))
    target = tmp_path / "pr.md"
    sides = (str(tmp_path / "old"), str(tmp_path / "new"))
    assert capsize("compare", *sides, "--format", "markdown", "--output", str(target)).code == 0
    assert "4 runs before, 4 after" in target.read_text()
    ran = capsize("compare", *sides, "--sure", "--fail-if", "completion_ratio < -20%")
    assert ran.code == 1


def test_a_bad_threshold_is_refused_before_anything_is_read(capsize: Capsize, tmp_path: Path) -> None:
    """64 and the form that is asked for."""
    ran = capsize("compare", str(tmp_path), str(tmp_path), "--fail-if", "recovery 20%")
    assert ran.code == 64
    assert "FIGURE > +20%" in ran.err


def test_the_schema_is_printed(capsize: Capsize) -> None:
    """For whoever has capsize and not its repository."""
    assert capsize("schema", "report").out == document.schema("report")


# ---------------------------------------------------------------- --report and GitHub


def whole() -> Summary:
    """Return an invocation with one run that failed."""
    return Summary(runs=(assemble(result(lost(finding()))),), duration_s=1.0)


def test_reports_go_where_a_pipeline_wants_them(tmp_path: Path) -> None:
    """Every form, into directories that are made."""
    asked = ",".join(
        f"{form}={tmp_path}/ci/{form}" for form in ("junit", "json", "markdown", "html", "terminal")
    )
    targets = checked((ReportTargets().convert(asked, None, None),))
    write_all(whole(), targets)
    assert {path.name for path in (tmp_path / "ci").iterdir()} == {
        "junit",
        "json",
        "markdown",
        "html",
        "terminal",
    }
    assert ET.parse(tmp_path / "ci" / "junit").getroot().get("failures") == "1"


@pytest.mark.parametrize("given", ["junit", "junit=", "xml=a.xml", "=a", "json=a,b"])
def test_a_report_that_makes_no_sense_is_refused(capsize: Capsize, given: str) -> None:
    """Before anything is started."""
    ran = capsize("run", "--scenarios", "baseline", "--report", given)
    assert ran.code == 64
    assert "FORMAT=PATH" in ran.err


def test_a_report_that_can_t_be_written_is_refused(tmp_path: Path) -> None:
    """Before anything is started, and not after an hour of chaos."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "x"):
        with pytest.raises(UsageError, match="--report"):
            checked(((("json", path),),))


def test_github_is_told_only_where_it_listens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Annotations and the step's summary under GITHUB_ACTIONS; with --json stdout stays JSON."""
    tell_github(whole(), {}, as_json=False)
    assert capsys.readouterr() == ("", "")
    path = tmp_path / "summary"
    path.write_text("before\n")
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(path)}
    tell_github(whole(), environment, as_json=False)
    assert capsys.readouterr().out.startswith("::error title=FAIL lost")
    assert path.read_text().startswith("before\n# Chaos testing: FAIL")
    tell_github(whole(), environment, as_json=True)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("::error")
