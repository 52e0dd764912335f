"""The figures for Prometheus: its own parser reads them, and they are those of the run."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from capsize.checkers import judge
from capsize.core.history import History
from capsize.report import metrics
from capsize.report.files import write_metrics
from support import literal_runs


def parsed(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample by name and the labels that are not the run's own."""
    own = {"run", "scenario", "level", "seed"}
    return {
        (sample.name, frozenset((k, v) for k, v in sample.labels.items() if k not in own)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_run_s_figures() -> None:
    """Tasks, retries, strikes, calls and the end, as the literal run has them."""
    found = parsed(metrics.exposition([("one", literal_runs.experiment(), literal_runs.history())]))
    assert found["capsize_tasks_accepted", frozenset()] == 1
    assert found["capsize_tasks_done", frozenset()] == 1
    assert found["capsize_task_retries", frozenset()] == 1
    assert found["capsize_strikes", frozenset({("stage", "landed")})] == 1
    assert found["capsize_strikes_open", frozenset()] == 0
    assert found["capsize_api_calls", frozenset({("outcome", "fail")})] == 1
    assert found["capsize_run_ended", frozenset()] == 1
    assert found["capsize_run_seconds", frozenset()] == 8.0


def test_a_run_in_the_middle_has_an_open_strike() -> None:
    """An alert can rest on it: something is broken on purpose just now."""
    found = parsed(
        metrics.exposition([("one", literal_runs.experiment(), literal_runs.history(whole=False))])
    )
    assert found["capsize_strikes_open", frozenset()] == 1
    assert found["capsize_run_ended", frozenset()] == 0


def test_the_latencies_are_a_histogram() -> None:
    """Buckets grow, the last one holds all, and the count is theirs."""
    found = parsed(metrics.exposition([("one", literal_runs.experiment(), literal_runs.history())]))
    name = "capsize_api_latency_seconds_bucket"
    buckets = sorted(
        (float(dict(labels)["le"]), value) for (family, labels), value in found.items() if family == name
    )
    assert [value for _, value in buckets] == sorted(value for _, value in buckets)
    assert buckets[-1] == (float("inf"), found["capsize_api_latency_seconds_count", frozenset()])


def test_several_runs_are_one_family_each() -> None:
    """HELP and TYPE come once, or Prometheus refuses all of it."""
    told = ("one", literal_runs.experiment(), literal_runs.history())
    text = metrics.exposition([told, ("two", *told[1:])])
    assert text.count("# TYPE capsize_run_seconds ") == 1
    runs = {
        sample.labels["run"] for family in text_string_to_metric_families(text) for sample in family.samples
    }
    assert runs == {"one", "two"}


def test_odd_names_are_escaped() -> None:
    """Quotes, backslashes and line breaks come back as they were."""
    odd = 'a"b\\c\nd'
    text = metrics.exposition([(odd, literal_runs.experiment(), History(()))])
    families = [*text_string_to_metric_families(text)]
    assert {sample.labels["run"] for family in families for sample in family.samples} == {odd}


def test_the_file_of_a_run_has_its_verdict(tmp_path: Path) -> None:
    """metrics.prom tells the verdict and each claim."""
    directory = literal_runs.write_run(tmp_path)
    judgement = judge(directory.experiment(), directory.history())
    write_metrics(directory.path, directory.experiment(), directory.history(), judgement)
    found = parsed((directory.path / "metrics.prom").read_text())
    assert found["capsize_verdict", frozenset({("verdict", "PASS")})] == 1
    assert found["capsize_verdict", frozenset({("verdict", "FAIL")})] == 0
    assert found["capsize_claim_verdict", frozenset({("claim", "ended")})] == 0
