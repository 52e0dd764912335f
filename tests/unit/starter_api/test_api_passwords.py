"""Passwords: argon2id off the event loop, with a bound on how many at once."""

import asyncio

import argon2
import pytest

from capsize_starter.users import HasherBusy, UserSettings
from capsize_starter.users.passwords import Passwords


@pytest.fixture
def light() -> Passwords:
    return Passwords(time_cost=1, memory_kib=64, parallelism=1)


async def test_a_password_fits_its_own_hash_only(light: Passwords) -> None:
    """And two hashes of one password differ."""
    one, two = await light.hash("correct horse"), await light.hash("correct horse")
    assert one != two
    assert one.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert await light.verify(one, "correct horse")
    assert not await light.verify(one, "wrong horse")


async def test_nothing_fits_the_hash_of_nobody(light: Passwords) -> None:
    """The decoy is a hash that is worked through in full and never fits."""
    assert not await light.verify(None, "correct horse")
    argon2.extract_parameters(light._decoy)  # raises unless the decoy is well formed
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        hasher.verify(light._decoy, "correct horse")


async def test_a_hash_that_is_none_fits_nothing(light: Passwords) -> None:
    """A damaged row refuses the login instead of breaking it."""
    assert not await light.verify("not a hash", "correct horse")


async def test_the_hash_tells_when_its_parameters_are_old(light: Passwords) -> None:
    """So that a login can replace it."""
    encoded = await light.hash("correct horse")
    assert not light.needs_rehash(encoded)
    assert Passwords(time_cost=2, memory_kib=64, parallelism=1).needs_rehash(encoded)


async def test_too_many_at_once_are_refused_and_the_place_is_free_again_later() -> None:
    """The queue is bounded, and a refusal takes nothing from it."""
    passwords = Passwords(time_cost=20, memory_kib=1024, parallelism=1, threads=1, queue=1)
    tries = await asyncio.gather(*(passwords.hash("x") for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, HasherBusy) for one in tries) == 3
    for _ in range(3):
        assert await passwords.hash("x")


async def test_a_caller_that_gives_up_does_not_make_room_before_its_hash_is_done() -> None:
    """Otherwise clients that hang up could pile up any number of hashes."""
    passwords = Passwords(time_cost=200, memory_kib=8192, parallelism=1, threads=1, queue=0)
    first = asyncio.create_task(passwords.hash("x"))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(HasherBusy):
        await passwords.hash("x")


async def test_hashing_leaves_the_event_loop_free() -> None:
    """The loop turns many times while one hash is worked on."""
    passwords = Passwords(time_cost=30, memory_kib=8192, parallelism=1)
    hashing = asyncio.create_task(passwords.hash("x"))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 20


def test_the_defaults_are_those_that_the_library_recommends() -> None:
    """Light parameters are a choice of test runs, never the default."""
    settings = UserSettings()
    assert (settings.argon2_time_cost, settings.argon2_memory_kib, settings.argon2_parallelism) == (
        argon2.DEFAULT_TIME_COST,
        argon2.DEFAULT_MEMORY_COST,
        argon2.DEFAULT_PARALLELISM,
    )
