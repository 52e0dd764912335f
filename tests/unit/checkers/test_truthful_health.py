"""truthful_health: the readiness answer says how the database really is."""

from __future__ import annotations

from capsize.checkers.truthful_health import TruthfulHealth
from capsize.core.verdict import Verdict
from support.histories import Past


def outage(*, says_ok_until: float = 5.0, bad_until: float = 9.3, end: float = 25.0) -> Past:
    """Return a past in which PostgreSQL is stopped from 5 to 9 and the answers follow as told."""
    past = (
        Past("api-1")
        .phase("chaos", 0.0, end)
        .strike("stop", "postgres", begin=5.0, landed=5.0, healing=9.0, healed=9.0)
    )
    past.database(0.0, 5.0, True).database(5.0, 9.0, False).database(9.1, end, True)
    return past.ready(0.0, says_ok_until).ready(says_ok_until, bad_until, ok=False).ready(bad_until, end)


def test_ready_while_the_database_is_down_is_a_lie() -> None:
    """Every answer good, as from an endpoint that always says ok."""
    past = Past("api-1").strike("stop", "postgres", begin=5.0, landed=5.0, healing=9.0, healed=9.0)
    past.database(0.0, 5.0, True).database(5.0, 9.0, False).database(9.1, 15.0, True).ready(0.0, 15.0)
    result = TruthfulHealth().check(past.history())
    assert result.verdict is Verdict.FAIL
    assert "the API said ready, while the database was out of its reach" in result.findings[0].message


def test_answers_that_follow_the_database_pass() -> None:
    """Down within a second, up again at once."""
    result = TruthfulHealth().check(outage(says_ok_until=5.6).history())
    assert result.verdict is Verdict.PASS
    assert result.measures["compared"] > 100


def test_no_outage_is_unknown() -> None:
    """Nothing was compared; so it is without looks."""
    quiet = Past("api-1").database(0.0, 10.0, True).ready(0.0, 10.0)
    assert TruthfulHealth().check(quiet.history()).verdict is Verdict.UNKNOWN
    assert TruthfulHealth(required=False).check(quiet.history()).verdict is Verdict.PASS
    assert TruthfulHealth().check(Past("api-1").ready(0.0, 10.0).history()).verdict is Verdict.UNKNOWN


def test_a_lie_that_lasts_longer_than_the_margin_is_found() -> None:
    """Two seconds of good answers after the database went."""
    assert TruthfulHealth().check(outage(says_ok_until=7.0).history()).verdict is Verdict.FAIL


def test_staying_unready_long_after_the_database_is_back_is_found() -> None:
    """A pool that never reconnects."""
    result = TruthfulHealth().check(outage(bad_until=25.0).history())
    assert result.verdict is Verdict.FAIL
    assert "not ready, though the database had been back" in result.findings[0].message


def test_an_api_that_is_down_itself_may_be_unready() -> None:
    """Killed meanwhile: not a word on the database."""
    past = outage(bad_until=21.0, end=40.0).kill(10.0, "api-1", back=20.0, id="s2")
    assert TruthfulHealth().check(past.history()).verdict is Verdict.PASS


def test_a_look_that_timed_out_without_any_fault_is_no_outage() -> None:
    """The machine was slow; the independent look is no better than the answer then."""
    past = Past("api-1").database(0.0, 5.0, True).database(5.0, 9.0, False).database(9.0, 15.0, True)
    assert TruthfulHealth().check(past.ready(0.0, 15.0).history()).verdict is Verdict.UNKNOWN


def test_looks_that_broke_off_leave_it_open() -> None:
    """A probe that died saw one outage and not the next."""
    past = outage(says_ok_until=5.6, end=12.0).ready(12.0, 30.0)
    result = TruthfulHealth().check(past.history())
    assert result.verdict is Verdict.UNKNOWN
    assert "broke off" in result.summary


def test_a_cut_connection_that_no_look_noticed_excuses_a_refusal() -> None:
    """Connections were cut long after the outage: refused for 60 ms, while the independent look got through."""
    past = outage(says_ok_until=5.6, bad_until=9.3, end=20.0)
    past.strike(
        "terminate_connections", "postgres", id="s2", begin=20.0, landed=20.0, healing=20.0, healed=20.0
    )
    past.database(20.0, 30.0, True).ready(20.0, 20.06, ok=False).ready(20.06, 30.0)
    assert TruthfulHealth().check(past.history()).verdict is Verdict.PASS


def test_refusals_long_after_connections_were_cut_are_found() -> None:
    """The same cut, but the answers stay bad: the pool did not heal."""
    past = outage(says_ok_until=5.6, bad_until=9.3, end=20.0)
    past.strike(
        "terminate_connections", "postgres", id="s2", begin=20.0, landed=20.0, healing=20.0, healed=20.0
    )
    past.database(20.0, 40.0, True).ready(20.0, 40.0, ok=False)
    assert TruthfulHealth().check(past.history()).verdict is Verdict.FAIL
