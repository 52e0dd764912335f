"""Claims about strikes on connections: what they hit, what they excuse, and who has to be back after them."""

from __future__ import annotations

from capsize.checkers.bounded_answers import BoundedAnswers
from capsize.checkers.disturbed import Disturbed
from capsize.checkers.duplicate import Duplicate
from capsize.checkers.overlap import Overlap
from capsize.checkers.reconnected import Reconnected
from capsize.checkers.truthful_health import TruthfulHealth
from capsize.core.events import Struck
from capsize.core.verdict import Verdict
from support.histories import Past

TWO = ("worker-1", "worker-2")


def on_link(
    past: Past, fault: str, source: str, id: str = "s1", hits: int | None = 3, **stages: float
) -> Past:
    """A strike on the connections of an instance to the database."""
    for stage, t in stages.items():
        past.add(
            Struck(
                t=t,
                strike=id,
                stage=stage,  # type: ignore[arg-type]
                fault=fault,
                victims=(source,),
                links=(f"{source}>postgres-1",) if stage in ("landed", "healing") else (),
                mechanism="proxy" if stage in ("landed", "healing") else "",
                hits=hits if stage == "healing" else None,
            )
        )
    return past


HELD = {"begin": 5.0, "landed": 5.1, "healing": 9.0, "healed": 9.1}


# ---------------------------------------------------------------- disturbed


def test_strikes_that_met_traffic_are_counted() -> None:
    """Each kind was struck; the mechanism and the hits are told."""
    past = on_link(
        on_link(Past(*TWO), "latency", "worker-1", "a.1", **HELD), "reset", "worker-2", "b.1", **HELD
    )
    result = Disturbed(min=2, each=("a", "b")).check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["mechanism"] == "proxy"
    assert (result.measures["hits"], result.measures["hits_a"]) == (6, 3)


def test_a_kind_that_was_never_met_leaves_the_claim_open() -> None:
    """A strike that landed elsewhere, one without a hit and one that can't tell prove nothing."""
    for hits in (0, None):
        past = on_link(Past(*TWO), "lost_reply", "worker-1", "a.1", hits=hits, **HELD)
        result = Disturbed(min=1, each=("a",)).check(past.history())
        assert result.verdict is Verdict.UNKNOWN
        assert "never struck: a" in result.summary
    past = on_link(Past(*TWO), "lost_reply", "worker-1", "ab.1", **HELD)
    assert Disturbed(each=("a",)).check(past.history()).verdict is Verdict.UNKNOWN
    assert Disturbed(min=2).check(past.history()).verdict is Verdict.UNKNOWN


# ---------------------------------------------------------------- what excuses what


def test_a_lost_answer_excuses_no_second_run() -> None:
    """The result was recorded: whoever does it again did not look. A cut connection is another matter."""
    for fault, verdict in (("lost_reply", Verdict.FAIL), ("partition", Verdict.PASS)):
        past = Past(*TWO).submit(1.0, "T1").starts(4.0, "worker-1", "T1")
        on_link(past, fault, "worker-1", begin=5.0, landed=5.1, healing=7.0, healed=7.1)
        past.says(6.0, "worker-1", "finished", "T1").says(8.0, "worker-1", "abandoned", "T1")
        past.runs(8.5, 9.0, "worker-2", "T1", 2)
        result = Duplicate().check(past.history())
        assert result.verdict is verdict, fault


def test_a_lost_answer_explains_no_overlap() -> None:
    """One heartbeat without an answer loses no lease; a cut that outlasts it does."""
    for fault, verdict in (("lost_reply", Verdict.FAIL), ("partition", Verdict.PASS)):
        past = Past(*TWO).submit(1.0, "T1").starts(4.0, "worker-1", "T1")
        on_link(past, fault, "worker-1", begin=5.0, landed=5.1, healing=9.0, healed=9.1)
        past.runs(8.5, 9.5, "worker-2", "T1", 2).says(8.9, "worker-1", "abandoned", "T1")
        assert Overlap().check(past.history()).verdict is verdict, fault


def test_a_worker_that_is_cut_off_and_goes_on_is_an_overlap() -> None:
    """It is inside the task for seconds after another one began it."""
    past = Past(*TWO).submit(1.0, "T1").starts(4.0, "worker-1", "T1")
    on_link(past, "partition", "worker-1", begin=5.0, landed=5.1, healing=12.0, healed=12.1)
    past.runs(8.5, 13.0, "worker-2", "T1", 2).says(11.0, "worker-1", "finished", "T1")
    assert Overlap().check(past.history()).verdict is Verdict.FAIL


# ---------------------------------------------------------------- a submission made twice


def test_a_task_that_nobody_was_told_of_was_made_twice() -> None:
    """The first try made T0 and its answer was lost; the second made T1."""
    past = Past(*TWO).op(1.0, "submit", "info", key="key").op(1.5, "submit", key="key", task="T1")
    past.runs(2.0, 3.0, "worker-1", "T0").runs(2.0, 3.0, "worker-2", "T1")
    result = Duplicate().check(past.history())
    assert result.verdict is Verdict.FAIL
    assert [finding.task for finding in result.findings] == ["T0"]


def test_a_submission_that_was_never_acknowledged_explains_its_task() -> None:
    """It may have taken effect: no more is known of it."""
    past = Past(*TWO).op(1.0, "submit", "info", key="key").submit(1.5, "T1")
    past.runs(2.0, 3.0, "worker-1", "T0").runs(2.0, 3.0, "worker-2", "T1")
    assert Duplicate().check(past.history()).verdict is Verdict.PASS


# ---------------------------------------------------------------- reconnected


def test_a_worker_goes_back_to_work() -> None:
    """Half a second after its connections were healed; what it did before does not count."""
    past = Past(*TWO).submit(1.0, "T1", "T2", "T3").runs(2.0, 3.0, "worker-1", "T1")
    on_link(past, "partition", "worker-1", **HELD)
    past.runs(9.5, 10.0, "worker-1", "T2").runs(30.0, 31.0, "worker-2", "T3").phase("chaos", 1.0, 40.0)
    result = Reconnected().check(past.history())
    assert result.verdict is Verdict.PASS
    assert result.measures["reconnected_max_s"] == 0.5


def busy(past: Past, worker: str, begin: float, number: int) -> Past:
    """A worker that does one short task after the other."""
    for n in range(number):
        past.runs(begin + n, begin + n + 0.5, worker, f"T{n + 10}")
    return past


def test_a_worker_that_stays_away_while_others_work() -> None:
    """The other one began twenty tasks, and this one none; with fifteen it may be chance."""
    for tasks, verdict in ((20, Verdict.FAIL), (15, Verdict.UNKNOWN)):
        past = busy(Past(*TWO).runs(2.0, 3.0, "worker-1", "T1"), "worker-2", 9.2, tasks)
        on_link(past, "partition", "worker-1", **HELD).phase("chaos", 1.0, 40.0)
        result = Reconnected().check(past.history())
        assert result.verdict is verdict
    past = busy(Past(*TWO).runs(2.0, 3.0, "worker-1", "T1"), "worker-2", 9.2, 20)
    on_link(past, "partition", "worker-1", **HELD).phase("chaos", 1.0, 40.0)
    past.runs(35.0, 36.0, "worker-1", "T2")
    message = Reconnected().check(past.history()).findings[0].message
    assert "worker-1 went back to work only after 26.0 s; the others began 20 runs" in message


def test_what_it_says_of_its_old_run_is_no_work() -> None:
    """A run that is given up after the healing does not show that the worker takes up new ones."""
    past = busy(Past(*TWO).starts(4.5, "worker-1", "T1"), "worker-2", 9.2, 20)
    on_link(past, "partition", "worker-1", **HELD).says(9.1, "worker-1", "abandoned", "T1")
    assert Reconnected().check(past.phase("chaos", 1.0, 40.0).history()).verdict is Verdict.FAIL


def test_without_such_a_strike_nothing_is_known() -> None:
    """A strike on the API's connections is not about workers, and one that was overtaken is not judged."""
    past = Past(*TWO, "api-1").submit(1.0, "T1", "T2").runs(2.0, 3.0, "worker-1", "T1")
    on_link(past, "latency", "api-1", **HELD).phase("chaos", 1.0, 12.0)
    assert Reconnected().check(past.history()).verdict is Verdict.UNKNOWN
    on_link(past, "latency", "worker-1", "s2", begin=5.0, landed=5.1, healing=10.0, healed=10.1)
    result = Reconnected().check(past.history())
    assert (result.verdict, result.measures["not_judged"]) == (Verdict.UNKNOWN, 1)


# ---------------------------------------------------------------- an API that is cut off


def cut_off_api(ok: bool, takes: float = 0.5) -> Past:
    """An API whose connections are cut from 5 to 9 s, the database itself being well."""
    past = Past("api-1", *TWO).runs(1.0, 2.0, "worker-1", "T1")
    past.ready(0.0, 5.0).ready(5.0, 9.0, ok).ready(9.0, 20.0).database(0.0, 20.0, True)
    past.api(5.2, 8.0, ok, takes=takes, **({} if ok else {"status": 503}))
    return on_link(past, "partition", "api-1", **HELD)


def test_health_while_the_api_is_cut_off() -> None:
    """Not ready is the truth then, though the database is well; ready is a lie."""
    truth = TruthfulHealth().check(cut_off_api(ok=False).history())
    assert truth.verdict is Verdict.PASS
    assert truth.measures["compared"] > 100
    assert TruthfulHealth().check(cut_off_api(ok=True).history()).verdict is Verdict.FAIL


def test_answers_while_the_api_is_cut_off() -> None:
    """A clear 503 in time is what is asked for; the same after four seconds is not."""
    good = BoundedAnswers(limit_s=3.0).check(cut_off_api(ok=False).history())
    assert good.verdict is Verdict.PASS
    assert good.measures["refused"] > 50
    assert (
        BoundedAnswers(limit_s=3.0).check(cut_off_api(ok=False, takes=4.0).history()).verdict is Verdict.FAIL
    )
