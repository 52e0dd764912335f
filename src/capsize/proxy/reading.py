"""From the JSON of a request to proxies, toxics and rules; every fault of the request is an ApiError 400."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import msgspec

from capsize.proxy.attached import Attached
from capsize.proxy.errors import (
    BAD_REQUEST_BODY,
    INVALID_RULE_TYPE,
    INVALID_STREAM,
    INVALID_TOXIC_TYPE,
    MISSING_FIELD,
)
from capsize.proxy.flow import Stream
from capsize.proxy.postgres.actions import ACTIONS, Action
from capsize.proxy.postgres.match import Match
from capsize.proxy.postgres.rule import Rule
from capsize.proxy.proxy import Protocol
from capsize.proxy.rules import RuleChange
from capsize.proxy.toxic_list import Change
from capsize.proxy.toxics import TOXICS, Toxic
from capsize.proxy.toxics.base import Count, Positive, Probability

T = TypeVar("T")


class ProxyInput(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a proxy; unknown ones are ignored, since clients send back what they were shown."""

    name: str = ""
    listen: str | None = None
    upstream: str | None = None
    enabled: bool | None = None
    protocol: Protocol | None = None
    seed: int | None = None


class PopulateInput(ProxyInput, frozen=True, kw_only=True):
    """A proxy of ``/populate``: also what is attached to it. None leaves what an existing proxy has."""

    toxics: list[dict[str, Any]] | None = None
    rules: list[dict[str, Any]] | None = None


class ToxicInput(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a toxic, Toxiproxy's and ours."""

    name: str = ""
    type: str = ""
    stream: str = "downstream"
    toxicity: Probability | None = None
    attributes: dict[str, Any] | None = None
    ttl: Positive | None = None
    first_n: Count | None = None
    seed: int | None = None


class RuleInput(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a rule."""

    name: str = ""
    type: str = ""
    match: dict[str, Any] | None = None
    attributes: dict[str, Any] | None = None
    probability: Probability | None = None
    first_n: Count | None = None
    skip: Count | None = None
    ttl: Positive | None = None
    seed: int | None = None


def decode(body: bytes, kind: type[T]) -> T:
    """Read a body."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise BAD_REQUEST_BODY.because(error) from error


def convert(value: Any, kind: type[T]) -> T:
    """Read a part of a body."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BAD_REQUEST_BODY.because(error) from error


def toxic(given: ToxicInput, seed: int) -> Attached:
    """Make a toxic."""
    if given.stream not in ("upstream", "downstream"):
        raise INVALID_STREAM
    if given.type not in TOXICS:
        raise INVALID_TOXIC_TYPE
    return Attached(
        given.name or f"{given.type}_{given.stream}",
        cast(Stream, given.stream),
        convert(given.attributes or {}, TOXICS[given.type]),
        toxicity=1.0 if given.toxicity is None else given.toxicity,
        ttl=given.ttl,
        first_n=given.first_n,
        seed=seed if given.seed is None else given.seed,
    )


def toxic_change(body: bytes, attached: Attached) -> Change:
    """Read an update; attributes that are not given stay."""
    given = decode(body, ToxicInput)
    return Change(
        toxic=_merged(attached.toxic, given.attributes),
        toxicity=given.toxicity,
        ttl=given.ttl,
        first_n=given.first_n,
    )


def rule(given: RuleInput, seed: int) -> Rule:
    """Make a rule."""
    if given.type not in ACTIONS:
        raise INVALID_RULE_TYPE.because(f"{given.type!r}; there are {', '.join(ACTIONS)}")
    if given.match is None:
        raise MISSING_FIELD.because("match")
    action = convert(given.attributes or {}, ACTIONS[given.type])
    if getattr(action, "url", None) == "":
        raise MISSING_FIELD.because("attributes.url")
    return Rule(
        given.name or f"{given.type}_{action.moment}",
        convert(given.match, Match),
        action,
        probability=1.0 if given.probability is None else given.probability,
        first_n=given.first_n,
        skip=given.skip or 0,
        ttl=given.ttl,
        seed=seed if given.seed is None else given.seed,
    )


def rule_change(body: bytes, existing: Rule) -> RuleChange:
    """Read an update; attributes that are not given stay, a match is replaced as a whole."""
    given = decode(body, RuleInput)
    return RuleChange(
        match=None if given.match is None else convert(given.match, Match),
        action=_merged(existing.action, given.attributes),
        probability=given.probability,
        first_n=given.first_n,
        skip=given.skip,
        ttl=given.ttl,
    )


A = TypeVar("A", bound=Toxic | Action)


def _merged(existing: A, attributes: dict[str, Any] | None) -> A | None:
    if attributes is None:
        return None
    return convert({**msgspec.to_builtins(existing), **attributes}, type(existing))
