"""All proxies of a process, by name."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple

from capsize.proxy import address, reading
from capsize.proxy.attached import Attached
from capsize.proxy.errors import (
    MISSING_FIELD,
    NOT_LOOPBACK,
    PROXY_ALREADY_EXISTS,
    PROXY_NOT_FOUND,
    RULE_ALREADY_EXISTS,
    RULES_DO_NOT_APPLY,
    TOXIC_ALREADY_EXISTS,
    ApiError,
)
from capsize.proxy.postgres.rule import Rule
from capsize.proxy.proxy import Proxy
from capsize.proxy.reading import PopulateInput, ProxyInput


class Planned(NamedTuple):
    """A proxy of a populate request that has passed every check."""

    given: PopulateInput
    toxics: list[Attached] | None
    rules: list[Rule] | None


class Proxies:
    """Makes, changes and removes proxies; use it as an async context, at whose end all are closed.

    ``expose`` allows proxies to listen elsewhere than on the loopback. ``seed`` is what toxics and rules draw
    by unless they or their proxy have one.
    """

    def __init__(self, *, seed: int = 0, expose: bool = False) -> None:
        self.seed, self.expose = seed, expose
        self._all: dict[str, Proxy] = {}

    async def __aenter__(self) -> Proxies:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for proxy in tuple(self._all.values()):
            await proxy.close()
        self._all.clear()

    def all(self) -> dict[str, Proxy]:
        """Return all by name."""
        return dict(self._all)

    def get(self, name: str) -> Proxy:
        """Return one. Raises ApiError 404."""
        try:
            return self._all[name]
        except KeyError:
            raise PROXY_NOT_FOUND from None

    async def create(self, given: ProxyInput) -> Proxy:
        """Make a proxy and start it unless it is to be disabled. Raises ApiError."""
        self._check(given)
        if given.name in self._all:
            raise PROXY_ALREADY_EXISTS
        proxy = self._make(given)
        if given.enabled is not False:
            await proxy.start()
        self._all[proxy.name] = proxy
        return proxy

    async def update(self, name: str, given: ProxyInput) -> Proxy:
        """Change a proxy; other addresses drop its connections. Raises ApiError."""
        proxy = self.get(name)
        listen = proxy.listen if given.listen is None else given.listen
        upstream = proxy.upstream_text if given.upstream is None else given.upstream
        self._check_listen(listen)
        if given.protocol is not None:
            if given.protocol == "tcp" and proxy.rules.listed():
                raise RULES_DO_NOT_APPLY.because("remove them before the protocol becomes tcp")
            proxy.protocol = given.protocol
        enabled = proxy.enabled if given.enabled is None else given.enabled
        if not _same(listen, proxy.listen) or upstream != proxy.upstream_text:
            await proxy.move(listen, upstream)
        if enabled:
            await proxy.start()
        elif proxy.enabled:
            await proxy.stop()
        return proxy

    async def remove(self, name: str) -> None:
        """Close a proxy and forget it. Raises ApiError 404."""
        proxy = self.get(name)
        del self._all[name]
        await proxy.close()

    async def reset(self) -> None:
        """Enable all, and remove all toxics and rules. Raises ApiError."""
        for proxy in tuple(self._all.values()):
            await proxy.start()
            proxy.toxics.clear()
            proxy.rules.clear()

    async def populate(self, body: Sequence[PopulateInput]) -> list[Proxy]:
        """Make or replace proxies; those that are as given already stay as they are. Raises ApiError.

        Everything is checked before anything is changed.
        """
        planned = [self._plan(number, given) for number, given in enumerate(body, 1)]
        names = [plan.given.name for plan in planned]
        for name in names:
            if names.count(name) > 1:
                raise PROXY_ALREADY_EXISTS.because(f"{name!r} is given twice")
        return [await self._apply(plan) for plan in planned]

    # ------------------------------------------------------------

    def _plan(self, number: int, given: PopulateInput) -> Planned:
        self._check(given, f" at proxy {number}")
        seed = self.seed if given.seed is None else given.seed
        toxics = rules = None
        if given.toxics is not None:
            toxics = [reading.toxic(reading.convert(one, reading.ToxicInput), seed) for one in given.toxics]
        if given.rules is not None:
            rules = [reading.rule(reading.convert(one, reading.RuleInput), seed) for one in given.rules]
        _unique([one.name for one in toxics or ()], TOXIC_ALREADY_EXISTS)
        _unique([one.name for one in rules or ()], RULE_ALREADY_EXISTS)
        if rules and given.protocol == "tcp":
            raise RULES_DO_NOT_APPLY.because(f"the proxy {given.name!r} has protocol tcp")
        return Planned(given, toxics, rules)

    async def _apply(self, plan: Planned) -> Proxy:
        given = plan.given
        proxy = self._all.get(given.name)
        same = (
            proxy is not None
            and _same(given.listen or "", proxy.listen)
            and given.upstream == proxy.upstream_text
        )
        if proxy is None or not same or given.protocol not in (None, proxy.protocol):
            if proxy is not None:
                await self.remove(given.name)
            proxy = self._all[given.name] = self._make(given)
        if given.enabled is not False:
            await proxy.start()
        else:
            await proxy.stop()
        if plan.toxics is not None:
            proxy.toxics.replace(plan.toxics)
        if plan.rules is not None:
            proxy.rules.replace(plan.rules)
        return proxy

    def _make(self, given: ProxyInput) -> Proxy:
        return Proxy(
            given.name,
            given.listen or "",
            given.upstream or "",
            seed=self.seed if given.seed is None else given.seed,
            protocol=given.protocol or "auto",
        )

    def _check(self, given: ProxyInput, where: str = "") -> None:
        if not given.name:
            raise MISSING_FIELD.because(f"name{where}")
        if not given.upstream:
            raise MISSING_FIELD.because(f"upstream{where}")
        address.parse(given.upstream)
        self._check_listen(given.listen or "")

    def _check_listen(self, listen: str) -> None:
        host, _ = address.parse(listen)
        if not self.expose and not address.is_loopback(host):
            raise NOT_LOOPBACK.because(host)


def _same(wanted: str, actual: str) -> bool:
    return address.text(*address.listening(wanted)) == actual or wanted == actual


def _unique(names: list[str], error: ApiError) -> None:
    for name in names:
        if names.count(name) > 1:
            raise error.because(name)


def shown(proxy: Proxy) -> dict[str, Any]:
    """Return a proxy as the API shows it: Toxiproxy's fields first, then ours."""
    return {
        "name": proxy.name,
        "listen": proxy.listen,
        "upstream": proxy.upstream_text,
        "enabled": proxy.enabled,
        "toxics": [attached.shown() for attached in proxy.toxics.listed()],
        "protocol": proxy.protocol,
        "seed": proxy.seed,
        "rules": [rule.shown() for rule in proxy.rules.listed()],
        "connections": len(proxy.links),
        "accepted": proxy.accepted,
        "cannot_apply": proxy.rules.cannot_apply(),
    }
