"""The pytest plugin: chaos runs as tests, one result for each promise, and stacks that a test breaks by hand.

    @pytest.mark.chaos(scenario="worker-restart", level=1)
    def test_workers(history):
        history.assert_nothing_lost()

is carried out once. The function is one test; ``test_workers[lost]``, ``test_workers[overlap]`` ... are the others, one for
each claim of the scenario. FAIL fails, with the finding's story; UNKNOWN is an error, with its reason; PARTIAL passes with a
warning; a scenario that can't run here is skipped. Nothing of capsize is imported before a test asks for it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from capsize.core.experiment import Experiment
    from capsize.testing.history import RunHistory
    from capsize.testing.runs import MarkedRun, Order
    from capsize.testing.stack import Stack, StackRun

MARK = "chaos"
STACK_MARK = "chaos_stack"
ERROR = "_capsize_unproved"


class ChaosWarning(pytest.PytestWarning):
    """Something held only in part."""


# ---------------------------------------------------------------- options


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the session."""
    group = parser.getgroup("capsize", "chaos testing")
    group.addoption(
        "--chaos-seed", type=int, help="The seed of chaos tests that name none; drawn when not given."
    )
    group.addoption("--chaos-platform", help="Where chaos tests run: local or docker. Default: local.")
    group.addoption("--chaos-output", help="Where their run directories go. Default: runs/pytest.")
    parser.addini("chaos_platform", "Where chaos tests run: local or docker.", default="local")
    parser.addini("chaos_output", "Where run directories of chaos tests go.", default="runs/pytest")
    parser.addini(
        "chaos_system",
        "Which system chaos tests test: a name, or a capsize.toml. Default: the one in the root folder, else the starter.",
        default="",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and agree on one seed with the other processes of the session."""
    config.addinivalue_line(
        "markers",
        "chaos(scenario, level=1, seed=None, time_scale=1.0, platform=None, system=None, workers=None, tasks=None, "
        "task_delay=None, deadline=None, chaos_interval=None): carry a chaos scenario out; each of its claims is a test.",
    )
    config.addinivalue_line(
        "markers",
        "chaos_stack(workers=2, faults=(), platform=None, system=None, seed=None): how a stack that the test uses is laid out.",
    )
    given = config.getoption("--chaos-seed")
    told = getattr(config, "workerinput", {})
    drawn = int.from_bytes(os.urandom(4), "big") >> 1
    config.stash[_SEED] = told.get("capsize_seed", drawn) if given is None else given
    own = Path(tempfile.gettempdir()) / f"capsize-pytest-{os.urandom(8).hex()}"
    config.stash[_SHARED] = Path(told.get("capsize_shared", own))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the processes of the session told each other."""
    if not hasattr(config, "workerinput") and _SHARED in config.stash:
        shutil.rmtree(config.stash[_SHARED], ignore_errors=True)


_SEED = pytest.StashKey[int]()
_SHARED = pytest.StashKey[Path]()
_PLAN = pytest.StashKey["tuple[Order, Experiment]"]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker process of pytest-xdist the seed of this session, and where runs are shared."""
    node.workerinput["capsize_seed"] = node.config.stash[_SEED]
    node.workerinput["capsize_shared"] = str(node.config.stash[_SHARED])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Tell the seed by which the session can be repeated, when it had chaos tests."""
    reports = (report for several in terminalreporter.stats.values() for report in several)
    if any({MARK, STACK_MARK} & {*getattr(report, "keywords", ())} for report in reports):
        seed = config.stash[_SEED]
        terminalreporter.write_line(f"capsize: seed {seed} (again: --chaos-seed {seed})")


# ---------------------------------------------------------------- collection


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class) -> Any:
    """Put an item for each promise behind every function that is marked."""
    made = yield
    if not isinstance(made, list):
        return made
    items: list[Any] = []
    for item in made:
        items.append(item)
        if isinstance(item, pytest.Function) and item.get_closest_marker(MARK):
            items += _promises(collector, item)
    return items


def _promises(collector: pytest.Collector, function: pytest.Function) -> list[Promise]:
    from capsize.testing.runs import promises

    _, experiment = _plan(function)
    stem = function.name[:-1] + "-" if function.name.endswith("]") else function.name + "["
    return [
        Promise.from_parent(collector, name=f"{stem}{claim}]", function=function, claim=claim)
        for claim in promises(experiment)
    ]


def _plan(function: pytest.Function) -> tuple[Order, Experiment]:
    """Return what a marker asks for, planned; what makes no sense is an error of the collection."""
    from capsize.core.errors import UsageError

    if _PLAN not in function.stash:
        order = _order(function)
        try:
            function.stash[_PLAN] = (order, order.experiment())
        except UsageError as error:
            raise _refused(function, str(error)) from None
    return function.stash[_PLAN]


def _order(function: pytest.Function) -> Order:
    import msgspec

    from capsize.testing.runs import Order

    mark = function.get_closest_marker(MARK)
    args = dict(mark.kwargs) if mark else {}
    if mark and mark.args:
        args["scenario"], *more = mark.args
        if more:
            raise _refused(
                function, "only the scenario is given by its place; name the others, as in level=2"
            )
    given = {name: value for name, value in args.items() if value is not None}
    if isinstance(given.get("scenario"), str) and given["scenario"].endswith(".py"):
        given["scenario"] = str((function.path.parent / given["scenario"]).resolve())
    defaults = {
        "seed": function.config.stash[_SEED],
        "platform": _platform(function.config),
    }
    unknown = sorted(given.keys() - {field.name for field in msgspec.structs.fields(Order)})
    if unknown:
        raise _refused(function, f"it does not take {', '.join(unknown)}")
    given["system"] = _system(function.config, given.get("system"))
    try:
        return msgspec.convert(defaults | given, Order)
    except msgspec.ValidationError as error:
        raise _refused(function, str(error)) from None


def _refused(function: pytest.Item, why: str) -> Exception:
    return pytest.Collector.CollectError(f"{function.name}: @pytest.mark.{MARK}: {why}")


def _platform(config: pytest.Config) -> str:
    return str(config.getoption("--chaos-platform") or config.getini("chaos_platform"))


def _system(config: pytest.Config, named: Any) -> Any:
    """Return the name of a system; a file is meant as seen from the root folder."""
    from capsize.systems.choose import system_in

    name = named or config.getini("chaos_system") or system_in(config.rootpath)
    return str(config.rootpath / name) if isinstance(name, str) and name.endswith(".toml") else name


def _output(config: pytest.Config) -> Path:
    named = config.getoption("--chaos-output") or config.getini("chaos_output")
    return Path(config.rootpath, str(named))


# ---------------------------------------------------------------- marked tests


class Promise(pytest.Item):
    """One claim of a chaos run as a test of its own."""

    def __init__(self, *, function: pytest.Function, claim: str, **more: Any) -> None:
        super().__init__(**more)
        self._function, self._claim = function, claim
        self.own_markers = list(function.own_markers)
        self.keywords.update({mark.name: mark for mark in self.own_markers})

    def setup(self) -> None:
        """Have the run carried out; a claim that it can't decide is an error, and no failure of the service."""
        from capsize.core.verdict import Verdict
        from capsize.testing.history import Unproved, require

        run = _run_of(self._function)
        result = run.results.get(self._claim)
        if result is None:
            raise Unproved(run.reason or "this claim was not judged")
        if result.verdict is Verdict.UNKNOWN:
            require(result, str(run.directory))

    def runtest(self) -> None:
        """Fail when the claim does not hold."""
        from capsize.core.verdict import Verdict
        from capsize.testing.history import require, told

        run = _run_of(self._function)
        result = run.results[self._claim]
        require(result, str(run.directory))
        self.add_report_section("call", "capsize", told(result, str(run.directory)))
        if result.verdict is Verdict.PARTIAL:
            self.warn(ChaosWarning(f"{self._claim} holds only in part: {result.summary}"))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Tell the finding and its story, without a trace through capsize."""
        from capsize.core.errors import CapsizeError
        from capsize.testing.history import PromiseBroken

        if isinstance(excinfo.value, PromiseBroken | CapsizeError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Point to the marked function."""
        path, line, _ = self._function.reportinfo()
        return path, line, self.name


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Have the run of a marked function carried out before its fixtures; what no claim tells is its own error."""
    if not isinstance(item, pytest.Function) or not item.get_closest_marker(MARK):
        return
    from capsize.core.verdict import Verdict
    from capsize.testing.history import PromiseBroken, Unproved

    run = _run_of(item)
    if run.worse_than_its_claims:
        kind = PromiseBroken if run.verdict is Verdict.FAIL else Unproved
        raise kind(f"the run: {run.verdict.name}: {run.reason}")


def _run_of(function: pytest.Function) -> MarkedRun:
    """Return the run of a marked function, carried out by whoever asks first; skips where it can't be."""
    from capsize.testing.runs import obtain

    order, experiment = _plan(function)
    config = function.config
    run = obtain(order, experiment, output=_output(config), shared=config.stash[_SHARED])
    if run.skipped:
        pytest.skip(f"{order.scenario} can't run here: {run.reason}")
    return run


@pytest.fixture
def chaos_run(request: pytest.FixtureRequest) -> MarkedRun:
    """The run of a test that is marked with ``chaos``: its verdict, the result of each claim, its directory."""
    if not request.node.get_closest_marker(MARK):
        raise pytest.UsageError(
            "chaos_run and history belong to tests that are marked with @pytest.mark.chaos(scenario=...)"
        )
    return _run_of(request.node)


@pytest.fixture
def history(chaos_run: MarkedRun) -> RunHistory:
    """What happened in the run of a test that is marked with ``chaos``; it has an assertion for each promise."""
    return chaos_run.history


# ---------------------------------------------------------------- stacks


@pytest.fixture
def chaos_stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack of this test's own that stands: API, workers and database, with a witness and a record."""
    yield from _standing(request.config, _laid(request.node.get_closest_marker(STACK_MARK)))


@pytest.fixture(scope="session")
def _chaos_session_stack(pytestconfig: pytest.Config) -> Iterator[Stack]:
    yield from _standing(pytestconfig, {})


@pytest.fixture
def shared_chaos_stack(_chaos_session_stack: Stack) -> Stack:
    """The stack that all tests of the session (of each process of pytest-xdist) share, as this test sees it."""
    from capsize.testing.stack import Stack

    return Stack(_chaos_session_stack._run)


def _laid(mark: pytest.Mark | None) -> dict[str, Any]:
    known = {"workers", "faults", "platform", "system", "seed"}
    if mark is None:
        return {}
    if mark.args or not mark.kwargs.keys() <= known:
        raise pytest.UsageError(
            f"@pytest.mark.{STACK_MARK} takes {', '.join(sorted(known))}, each by its name"
        )
    return dict(mark.kwargs)


def _standing(config: pytest.Config, laid: dict[str, Any]) -> Iterator[Stack]:
    from capsize.core.errors import NotSupported
    from capsize.testing.stack import Stack

    run = _stack_run(config, laid)
    try:
        run.begin()
    except NotSupported as error:
        pytest.skip(str(error))
    try:
        yield Stack(run)
    finally:
        run.end()


def _stack_run(config: pytest.Config, laid: dict[str, Any]) -> StackRun:
    from capsize.core.errors import UsageError
    from capsize.systems.choose import choose_system
    from capsize.testing.laying import laid_out
    from capsize.testing.stack import StackRun

    seed = laid.get("seed")
    try:
        system = choose_system(_system(config, laid.get("system")))
        experiment = laid_out(
            system,
            workers=laid.get("workers", 2),
            faults=laid.get("faults", ()),
            seed=config.stash[_SEED] if seed is None else seed,
        )
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    return StackRun(experiment, system, laid.get("platform") or _platform(config), _output(config))


# ---------------------------------------------------------------- results


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Mark what was not proved, wherever a test found it out."""
    report = yield
    if call.excinfo is not None and _unproved(call.excinfo.value):
        setattr(report, ERROR, True)
        report.user_properties.append(("capsize", "UNKNOWN"))
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> Any:
    """Tell what was not proved as an error, not as a failure: nothing is known of the service."""
    if getattr(report, ERROR, False) and report.failed:
        return "error", "E", ("UNKNOWN", {"red": True})
    return None


def _unproved(error: BaseException) -> bool:
    # By name: whoever raised it has imported it, and nobody else should.
    return (type(error).__module__, type(error).__qualname__) == ("capsize.testing.history", "Unproved")
