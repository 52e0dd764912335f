"""The pytest plugin on runs that are written out by hand: which results a marked test has, and how they are told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from capsize.core.verdict import Judgement, Result, Verdict, worst
from capsize.testing import Order, runs
from capsize.testing.runs import named, promises
from support import literal_runs

MARKED = """
    import pytest

    @pytest.mark.chaos(scenario="worker-restart", level=1, seed=7)
    def test_it(history):
        assert len(history) > 3
"""


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Leave away the plugins that cost seconds of start for each session within this one."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:asyncio -p no:anyio -p no:xdist")
    return pytester


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[Order]]:
    """Have runs written out by hand in the place of real ones; returns the orders that were carried out."""

    def prepare(*odd: Result, **told: Any) -> list[Order]:
        orders: list[Order] = []

        def write(order: Order, output: Path) -> dict[str, Any]:
            orders.append(order)
            directory = literal_runs.write_run(tmp_path / "runs")
            by_name = {one.checker: one for one in odd}
            results = tuple(by_name.get(name, passed(name)) for name in promises(order.experiment()))
            verdict = worst(one.verdict for one in results)
            directory.write_judgement(
                Judgement(
                    scenario=order.scenario,
                    level=order.level,
                    seed=order.seed,
                    verdict=verdict,
                    results=results,
                )
            )
            return {"verdict": verdict.name, "directory": str(directory.path)} | told

        monkeypatch.setattr(runs, "_carry_out", write)
        return orders

    return prepare


def passed(name: str, verdict: Verdict = Verdict.PASS, summary: str = "fine") -> Result:
    """Return what a checker says."""
    return Result(checker=name, verdict=verdict, summary=summary)


def test_each_promise_is_a_result_and_the_run_is_carried_out_once(
    pytester: pytest.Pytester, carried_out: Callable[..., list[Order]]
) -> None:
    """One function, one run, one test for itself and one for each claim of the scenario."""
    orders = carried_out()
    pytester.makepyfile(MARKED)
    ran = pytester.runpytest_inprocess("-v")
    ran.assert_outcomes(passed=1 + len(promises(orders[0].experiment())))
    ran.stdout.fnmatch_lines(
        ["*::test_it PASSED*", "*::test_it?lost? PASSED*", "*::test_it?overlap? PASSED*"]
    )
    assert len(orders) == 1
    assert (orders[0].scenario, orders[0].level, orders[0].seed) == ("worker-restart", 1, 7)


def test_a_broken_promise_fails_alone_and_tells_its_story(
    pytester: pytest.Pytester, carried_out: Callable[..., list[Order]]
) -> None:
    """CI shows which promise broke, and the finding's story instead of a trace through capsize."""
    carried_out(literal_runs.lost(literal_runs.finding("t9")))
    pytester.makepyfile(MARKED)
    ran = pytester.runpytest_inprocess()
    assert ran.parseoutcomes()["failed"] == 1
    assert "errors" not in ran.parseoutcomes()
    ran.stdout.fnmatch_lines(
        [
            "*test_it?lost?*",
            "lost: FAIL: 1 of 10 acknowledged tasks were lost",
            "lost: task t9 was acknowledged*",
            "    2.000 worker-1 started attempt 1",
            "run directory: *",
        ]
    )
    assert "Traceback" not in ran.stdout.str()
    assert "test_plugin.py:" not in ran.stdout.str()


def test_what_was_not_proved_is_an_error_with_its_reason(
    pytester: pytest.Pytester, carried_out: Callable[..., list[Order]]
) -> None:
    """UNKNOWN is neither a success nor a failure of the service, in the terminal and in JUnit XML."""
    carried_out(passed("landed", Verdict.UNKNOWN, "0 of 1 strike landed, 1 needed"))
    pytester.makepyfile(MARKED)
    ran = pytester.runpytest_inprocess("--junitxml=out.xml", "-v")
    assert ran.parseoutcomes()["errors"] == 1
    assert "failed" not in ran.parseoutcomes()
    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    ran.stdout.fnmatch_lines(["*test_it?landed? UNKNOWN*", "*landed: UNKNOWN: 0 of 1 strike landed*"])
    text = (pytester.path / "out.xml").read_text()
    assert 'errors="1" failures="0"' in text


def test_an_unproved_assertion_in_a_test_is_an_error_too(pytester: pytest.Pytester) -> None:
    """Also when the test itself finds it out, in the middle."""
    pytester.makepyfile("""
        from capsize.testing import Unproved
        def test_it():
            raise Unproved("nothing was learned")
    """)
    ran = pytester.runpytest_inprocess()
    assert ran.parseoutcomes() == {"errors": 1}
    assert ran.ret == pytest.ExitCode.TESTS_FAILED


def test_what_holds_in_part_passes_with_a_warning(
    pytester: pytest.Pytester, carried_out: Callable[..., list[Order]]
) -> None:
    """PARTIAL is a known weakness: CI goes on, and somebody is told."""
    carried_out(passed("completion", Verdict.PARTIAL, "late, all of it"))
    pytester.makepyfile(MARKED)
    ran = pytester.runpytest_inprocess()
    assert ran.parseoutcomes()["warnings"] == 1
    assert "failed" not in ran.parseoutcomes()
    ran.stdout.fnmatch_lines(["*completion holds only in part: late, all of it*"])


def test_a_scenario_that_can_t_run_here_is_skipped(
    pytester: pytest.Pytester, carried_out: Callable[..., list[Order]]
) -> None:
    """Nothing of it passes, and each result says why."""
    carried_out(skipped=True, reason="needs a platform that is Pausable", directory=None)
    pytester.makepyfile(MARKED)
    ran = pytester.runpytest_inprocess("-rs")
    assert {*ran.parseoutcomes()} == {"skipped"}
    ran.stdout.fnmatch_lines(["*worker-restart can't run here: needs a platform that is Pausable*"])


@pytest.mark.parametrize(("verdict", "kind"), [("FAIL", "PromiseBroken"), ("UNKNOWN", "Unproved")])
def test_what_no_claim_tells_is_the_function_s_own_error(
    pytester: pytest.Pytester, carried_out: Callable[..., list[Order]], verdict: str, kind: str
) -> None:
    """A heal or a start that failed, with every claim fine, must not pass."""
    carried_out(verdict=verdict, reason="the API did not start")
    pytester.makepyfile(MARKED)
    ran = pytester.runpytest_inprocess()
    assert ran.parseoutcomes()["errors"] == 1
    ran.stdout.fnmatch_lines([f"*{kind}: the run: {verdict}: the API did not start"])


def test_a_claim_that_was_not_judged_is_an_error(
    pytester: pytest.Pytester, carried_out: Callable[..., list[Order]]
) -> None:
    """Without a run directory there is not a single promise that held."""
    orders = carried_out(directory=None, verdict="UNKNOWN", reason="the database did not start")
    pytester.makepyfile(MARKED)
    ran = pytester.runpytest_inprocess()
    assert ran.parseoutcomes() == {"errors": 1 + len(promises(orders[0].experiment()))}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('scenario="worker-restrat"', "did you mean 'worker-restart'?"),
        ('scenario="worker-restart", level=9', "there is no difficulty level 9"),
        ('scenario="worker-restart", sede=9', "it does not take sede"),
        ('scenario="worker-restart", level="high"', "Expected `int`"),
        ('"worker-restart", 2', "only the scenario is given by its place"),
        ("level=2", "missing required field `scenario`"),
        ('scenario="mine.py"', "mine.py"),
    ],
)
def test_a_marker_that_makes_no_sense_is_told_at_collection(
    pytester: pytest.Pytester, carried_out: Callable[..., list[Order]], given: str, said: str
) -> None:
    """One clear message, and nothing is started."""
    orders = carried_out()
    pytester.makepyfile(f"import pytest\n@pytest.mark.chaos({given})\ndef test_it(): pass\n")
    ran = pytester.runpytest_inprocess()
    assert ran.ret == pytest.ExitCode.INTERRUPTED
    assert said in ran.stdout.str()
    assert "Traceback" not in ran.stdout.str()
    assert orders == []


def test_history_belongs_to_marked_tests(pytester: pytest.Pytester) -> None:
    """Without a run there is no history; the message says how to get one."""
    pytester.makepyfile("def test_it(history): pass")
    ran = pytester.runpytest_inprocess()
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines(["*belong to tests that are marked with @pytest.mark.chaos*"])


def test_promises_can_be_selected_like_tests(
    pytester: pytest.Pytester, carried_out: Callable[..., list[Order]]
) -> None:
    """By node id, by word and by marker; in classes, with parameters, from a module's mark."""
    carried_out()
    pytester.makepyfile(
        test_m="""
        import pytest
        pytestmark = pytest.mark.chaos(scenario="worker-restart", seed=7)

        class TestIt:
            @pytest.mark.parametrize("word", ["a", "b"])
            def test_each(self, word):
                pass
    """
    )
    one = pytester.runpytest_inprocess("test_m.py::TestIt::test_each[a-lost]", "-v")
    one.assert_outcomes(passed=1)
    several = pytester.runpytest_inprocess("-k", "overlap", "-m", "chaos")
    several.assert_outcomes(passed=2, deselected=several.parseoutcomes()["deselected"])


def test_the_seed_is_told_and_can_be_given(
    pytester: pytest.Pytester, carried_out: Callable[..., list[Order]]
) -> None:
    """What was drawn can be repeated; a marker's own seed stands above it."""
    orders = carried_out()
    pytester.makepyfile(MARKED.replace(", seed=7", ""))
    ran = pytester.runpytest_inprocess("--chaos-seed", "4711")
    ran.stdout.fnmatch_lines(["capsize: seed 4711 (again: --chaos-seed 4711)"])
    assert orders[0].seed == 4711
    pytester.runpytest_inprocess()
    assert orders[1].seed != 4711


def test_settings_of_the_project_reach_the_run(
    pytester: pytest.Pytester, carried_out: Callable[..., list[Order]]
) -> None:
    """Where runs go and on what platform is said once, in pytest's own settings."""
    orders = carried_out()
    pytester.makeini("[pytest]\nchaos_platform = docker\n")
    pytester.makepyfile(MARKED)
    pytester.runpytest_inprocess()
    pytester.runpytest_inprocess("--chaos-platform", "local")
    assert [order.platform for order in orders] == ["docker", "local"]
    words = orders[0].command(Path("out"))
    assert words[words.index("--platform") + 1] == "docker"


def test_two_claims_of_one_kind_have_two_names() -> None:
    """Node ids differ, or pytest would run one of them twice."""
    assert named(["lost", "recovery", "recovery", "lost"]) == ["lost", "recovery", "recovery-2", "lost-2"]


def test_tests_that_use_nothing_of_it_pay_nothing(tmp_path: Path) -> None:
    """No module of capsize is imported in a session without a chaos test, and the plugin itself is a few milliseconds."""
    (tmp_path / "test_plain.py").write_text("""
import sys
def test_plain(request):
    assert request.config.pluginmanager.has_plugin("capsize")
    assert not [name for name in sys.modules if name.startswith("capsize.")]
    assert not {"msgspec", "asyncpg", "rich.live"} & {*sys.modules}
""")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout


def test_the_project_s_own_service_is_tested_when_it_is_described(
    pytester: pytest.Pytester, carried_out: Callable[..., list[Order]]
) -> None:
    """A capsize.toml in the root folder is taken, wherever pytest is called; a marker's own system stands above it."""
    orders = carried_out()
    pytester.path.joinpath("capsize.toml").write_text("nonsense = true\n")
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(MARKED)
    ran = pytester.runpytest_inprocess()
    assert "capsize.toml" in ran.stdout.str()
    assert orders == []
    pytester.makepyfile(MARKED.replace("seed=7", 'seed=7, system="starter"'))
    pytester.runpytest_inprocess()
    assert orders[0].system == "starter"


def test_an_unknown_system_is_told_at_collection(
    pytester: pytest.Pytester, carried_out: Callable[..., list[Order]]
) -> None:
    """Nothing is started for a service that there is not."""
    orders = carried_out()
    pytester.makepyfile(MARKED.replace("seed=7", 'system="stater"'))
    assert "did you mean 'starter'" in pytester.runpytest_inprocess().stdout.str()
    assert orders == []
