"""A history that a test asserts on: each assertion is a checker, and its failure tells the finding's story."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from capsize.checkers import CHECKERS, judged
from capsize.core.errors import CapsizeError
from capsize.core.events import Event
from capsize.core.experiment import Experiment, Spec
from capsize.core.history import History
from capsize.core.verdict import Result, Verdict

FINDINGS_MAX = 10
"""So many findings of one claim are told in full."""


class PromiseBroken(AssertionError):
    """A claim does not hold; its text has the findings with their stories."""


class Unproved(CapsizeError):
    """A claim could be neither proved nor refuted: nothing was learned, which is no success."""


class RunHistory(History):
    """What happened in a run, with a method for each promise.

    An assertion raises :class:`PromiseBroken` when the claim failed and :class:`Unproved` when the run proves
    nothing about it, and returns the checker's result with its figures otherwise. A claim that the run's plan
    makes is judged with the plan's own figures, unless others are given.
    """

    def __init__(
        self, events: Iterable[Event], experiment: Experiment, *, truncated: bool = False, where: str = ""
    ) -> None:
        super().__init__(events, truncated=truncated)
        self.experiment = experiment
        self.where = where
        """The run directory, for the reader of a failure."""

    def assert_holds(self, claim: str, **args: Any) -> Result:
        """Judge a claim by its name (``lost``, ``recovery`` ...). Raises UsageError for one that there is not."""
        __tracebackhide__ = True
        result = self.judge(claim, **args)
        require(result, self.where)
        return result

    def judge(self, claim: str, **args: Any) -> Result:
        """Return what a checker says of this history, whatever it is."""
        planned = next((spec.args for spec in self.experiment.checkers if spec.name == claim), {})
        return judged(Spec(name=claim, args={**planned, **args}), self.experiment, self)

    def assert_nothing_lost(self, **args: Any) -> Result:
        """Every accepted task was finished, or is in the dead-letter queue."""
        __tracebackhide__ = True
        return self.assert_holds("lost", **args)

    def assert_none_twice(self, **args: Any) -> Result:
        """No task was finished twice."""
        __tracebackhide__ = True
        return self.assert_holds("duplicate", **args)

    def assert_no_overlap(self, **args: Any) -> Result:
        """No two workers were inside the same task at once."""
        __tracebackhide__ = True
        return self.assert_holds("overlap", **args)

    def assert_none_stuck(self, **args: Any) -> Result:
        """No task stayed claimed when its worker was gone and its lease over."""
        __tracebackhide__ = True
        return self.assert_holds("stuck", **args)

    def assert_reported_truthfully(self, **args: Any) -> Result:
        """The service calls completed what the witness saw finish, and nothing else."""
        __tracebackhide__ = True
        return self.assert_holds("misreported", **args)

    def assert_unaltered(self, **args: Any) -> Result:
        """What was acknowledged of a task is what the service and its database hold of it."""
        __tracebackhide__ = True
        return self.assert_holds("intact", **args)

    def assert_none_resurrected(self, **args: Any) -> Result:
        """No task ran after it was cancelled or dead-lettered."""
        __tracebackhide__ = True
        return self.assert_holds("resurrected", **args)

    def assert_all_counted(self, **args: Any) -> Result:
        """The service's own counts added up at every look."""
        __tracebackhide__ = True
        return self.assert_holds("unaccounted", **args)

    def assert_recovered(self, **args: Any) -> Result:
        """The API was back in time after every strike; ``limit_s`` and ``target_s`` are seconds."""
        __tracebackhide__ = True
        return self.assert_holds("recovery", **args)

    def assert_available(self, **args: Any) -> Result:
        """At least ``min`` of the API calls came out well."""
        __tracebackhide__ = True
        return self.assert_holds("availability", **args)

    def assert_healed(self) -> Result:
        """The run ended in order, and everything that was broken is healed."""
        __tracebackhide__ = True
        return self.assert_holds("ended")


def require(result: Result, where: str = "") -> None:
    """Raise PromiseBroken for FAIL and Unproved for UNKNOWN, with all that a reader needs."""
    __tracebackhide__ = True
    if result.verdict is Verdict.FAIL:
        raise PromiseBroken(told(result, where))
    if result.verdict is Verdict.UNKNOWN:
        raise Unproved(told(result, where))


def told(result: Result, where: str = "") -> str:
    """Return a result as text: the claim, what is wrong, each finding with its story, and where the record is."""
    lines = [f"{result.checker}: {result.verdict.name}: {result.summary}"]
    for finding in result.findings[:FINDINGS_MAX]:
        lines += ["", f"{finding.anomaly}: {finding.message}", *(f"    {line}" for line in finding.story)]
    more = len(result.findings) - FINDINGS_MAX
    if more > 0:
        lines += ["", f"and {more} more"]
    if where:
        lines += ["", f"run directory: {where}"]
    return "\n".join(lines)


def claims() -> tuple[str, ...]:
    """Return the names of all claims that can be asserted."""
    return tuple(CHECKERS)
