"""The token cache: quick, never beyond a token's or a session's end."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from capsize_starter.users.tokens import Identity, TokenCache, new_token, token_hash


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def identity(lasts_s: float = 3600.0) -> Identity:
    return Identity(uuid4(), uuid4(), datetime.now(UTC) + timedelta(seconds=lasts_s))


def test_tokens_differ_and_their_hash_does_not_show_them() -> None:
    """A hundred tokens are a hundred, long enough not to be guessed, and hashed to 32 bytes."""
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) >= 43 for token in tokens)
    assert all(len(token_hash(token)) == 32 for token in tokens)
    assert token_hash("\udcff") != token_hash("x")


def test_a_token_is_remembered_for_its_time() -> None:
    """Up to the time to live, and not from then on."""
    clock = Clock()
    cache = TokenCache(5.0, clock=clock)
    who = identity()
    cache.put(b"k", who, cache.generation)
    clock.now += 4.99
    assert cache.get(b"k") is who
    clock.now += 0.01
    assert cache.get(b"k") is None


def test_an_expired_token_is_not_remembered() -> None:
    """However fresh the memory is."""
    cache = TokenCache(5.0)
    cache.put(b"k", identity(lasts_s=-1), cache.generation)
    assert cache.get(b"k") is None


def test_a_session_is_forgotten_with_all_its_tokens_and_no_others() -> None:
    """Logout reaches every token of the session."""
    cache = TokenCache(5.0)
    who, other = identity(), identity()
    cache.put(b"a", who, cache.generation)
    cache.put(b"b", who, cache.generation)
    cache.put(b"c", other, cache.generation)
    cache.forget(who.session_id)
    assert (cache.get(b"a"), cache.get(b"b"), cache.get(b"c")) == (None, None, other)


def test_a_lookup_that_overlaps_a_logout_is_not_remembered() -> None:
    """It may have read the session before its end; remembering it would bring the session back."""
    cache = TokenCache(5.0)
    who = identity()
    began = cache.generation
    cache.forget(who.session_id)
    cache.put(b"k", who, began)
    assert cache.get(b"k") is None


def test_the_cache_is_bounded() -> None:
    """The oldest entries go first."""
    cache = TokenCache(5.0, capacity=3)
    for number in range(5):
        cache.put(bytes([number]), identity(), cache.generation)
    assert [cache.get(bytes([number])) is not None for number in range(5)] == [False, False, True, True, True]


def test_zero_turns_the_cache_off() -> None:
    """Then every request looks the token up."""
    cache = TokenCache(0.0)
    cache.put(b"k", identity(), cache.generation)
    assert cache.get(b"k") is None
