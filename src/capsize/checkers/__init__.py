"""What is claimed about a history, one claim per file; all of it pure."""

from __future__ import annotations

from capsize.checkers.acceptance import Acceptance
from capsize.checkers.accounts import Accounts
from capsize.checkers.attempts import Attempts
from capsize.checkers.availability import Availability
from capsize.checkers.bounded_answers import BoundedAnswers
from capsize.checkers.breaker_holds import BreakerHolds
from capsize.checkers.breaker_opens import BreakerOpens
from capsize.checkers.breaker_recovers import BreakerRecovers
from capsize.checkers.completion import Completion
from capsize.checkers.converged import Converged
from capsize.checkers.crashes import Crashes
from capsize.checkers.database_load import DatabaseLoad
from capsize.checkers.dead_letters import DeadLetters
from capsize.checkers.disturbed import Disturbed
from capsize.checkers.duplicate import Duplicate
from capsize.checkers.ended import Ended
from capsize.checkers.endpoints import Endpoints
from capsize.checkers.flapping import Flapping
from capsize.checkers.instrument import Instrument
from capsize.checkers.intact import Intact
from capsize.checkers.isolation import Isolation
from capsize.checkers.landed import Landed
from capsize.checkers.late import Late
from capsize.checkers.lost import Lost
from capsize.checkers.memory import Memory
from capsize.checkers.misreported import Misreported
from capsize.checkers.observed_circuit import ObservedCircuit
from capsize.checkers.observed_recovery import ObservedRecovery
from capsize.checkers.overlap import Overlap
from capsize.checkers.pickup import Pickup
from capsize.checkers.queue import Queue
from capsize.checkers.reconnected import Reconnected
from capsize.checkers.recovery import Recovered
from capsize.checkers.recovery_trend import RecoveryTrend
from capsize.checkers.reported import ReportedDone
from capsize.checkers.restarted import Restarted
from capsize.checkers.restraint import Restraint
from capsize.checkers.resurrected import Resurrected
from capsize.checkers.retries import Retries
from capsize.checkers.retry_backoff import RetryBackoff
from capsize.checkers.scaling import Scaling
from capsize.checkers.spread import Spread
from capsize.checkers.steady import Steady
from capsize.checkers.stuck import Stuck
from capsize.checkers.throughput import Throughput
from capsize.checkers.truthful_breaker import TruthfulBreaker
from capsize.checkers.truthful_health import TruthfulHealth
from capsize.checkers.unaccounted import Unaccounted
from capsize.checkers.unfinished import fair
from capsize.checkers.utilization import Utilization
from capsize.core.experiment import Experiment, Spec
from capsize.core.history import History
from capsize.core.protocols import Checker
from capsize.core.registry import make
from capsize.core.verdict import Judgement, Result, Verdict, worst

CHECKERS: dict[str, type[Checker]] = {
    "ended": Ended,
    "steady": Steady,
    "instrument": Instrument,
    "landed": Landed,
    "disturbed": Disturbed,
    "lost": Lost,
    "duplicate": Duplicate,
    "overlap": Overlap,
    "stuck": Stuck,
    "misreported": Misreported,
    "intact": Intact,
    "resurrected": Resurrected,
    "late": Late,
    "unaccounted": Unaccounted,
    "completion": Completion,
    "retries": Retries,
    "spread": Spread,
    "restarted": Restarted,
    "recovery": Recovered,
    "reconnected": Reconnected,
    "availability": Availability,
    "truthful_health": TruthfulHealth,
    "bounded_answers": BoundedAnswers,
    "endpoints": Endpoints,
    "flapping": Flapping,
    "breaker_opens": BreakerOpens,
    "breaker_holds": BreakerHolds,
    "breaker_recovers": BreakerRecovers,
    "truthful_breaker": TruthfulBreaker,
    "isolation": Isolation,
    "attempts": Attempts,
    "retry_backoff": RetryBackoff,
    "dead_letters": DeadLetters,
    "converged": Converged,
    "restraint": Restraint,
    "crashes": Crashes,
    "acceptance": Acceptance,
    "pickup": Pickup,
    "throughput": Throughput,
    "queue": Queue,
    "database_load": DatabaseLoad,
    "memory": Memory,
    "scaling": Scaling,
    "utilization": Utilization,
    "recovery_trend": RecoveryTrend,
    "reported": ReportedDone,
    "observed_recovery": ObservedRecovery,
    "observed_circuit": ObservedCircuit,
    "accounts": Accounts,
}
"""Every checker by the name that an experiment calls it."""

ANOMALIES = (
    "lost",
    "duplicate",
    "overlap",
    "stuck",
    "misreported",
    "intact",
    "resurrected",
    "late",
    "unaccounted",
)
"""The checkers of the design's anomaly table."""


def judge(experiment: Experiment, history: History) -> Judgement:
    """Judge a history by every claim of its experiment; the worst verdict wins.

    ``ended`` is judged in any case: no run that was cut off may pass, and none fails for what might have
    come yet. Raises UsageError for a claim that does
    not exist.
    """
    specs = experiment.checkers
    if all(spec.name != Ended.name for spec in specs):
        specs = (Spec(name=Ended.name), *specs)
    results = tuple(_judged(_made(spec, experiment), history) for spec in specs)
    return Judgement(
        scenario=experiment.scenario,
        level=experiment.level.number,
        seed=experiment.seed,
        verdict=worst(result.verdict for result in results),
        results=results,
    )


def judged(spec: Spec, experiment: Experiment, history: History) -> Result:
    """Judge one claim alone, as it would be judged among those of the experiment. Raises UsageError."""
    return _judged(_made(spec, experiment), history)


def _made(spec: Spec, experiment: Experiment) -> Checker:
    """Make a claim's checker; the hypothesis is the experiment's, told once and not again in its claim."""
    if spec.name == Steady.name:
        return Steady(hypothesis=experiment.hypothesis)
    return make(CHECKERS, spec, "checker")


def _judged(checker: Checker, history: History) -> Result:
    """Judge one claim; what the checker raises leaves it open, and is said."""
    try:
        return fair(checker.check(history), history)
    except Exception as error:
        summary = f"the checker broke: {type(error).__name__}: {error}"
        return Result(checker=checker.name, verdict=Verdict.UNKNOWN, summary=summary)


__all__ = ["ANOMALIES", "CHECKERS", "judge", "judged"]
