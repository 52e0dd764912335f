"""The control API: Toxiproxy's paths, bodies and statuses, and the rules beside them."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

import msgspec

from capsize.proxy import reading
from capsize.proxy.collection import Proxies, shown
from capsize.proxy.errors import BROWSER, UNAUTHORIZED, ApiError
from capsize.proxy.http_server import Asked, Reply
from capsize.proxy.postgres.rule import Rule
from capsize.proxy.proxy import Proxy

VERSION = "2.12.0"
"""The version of Toxiproxy that clients may take this for."""

log = logging.getLogger("capsize.proxy")
Handler = Callable[["Api", tuple[str, ...], bytes], Awaitable[Reply]]


class Api:
    """Answers requests; one at a time, so that a change is never seen half done."""

    def __init__(self, proxies: Proxies, *, token: str | None = None) -> None:
        self._proxies, self._token = proxies, token
        self._lock = asyncio.Lock()

    async def answer(self, asked: Asked) -> Reply:
        """Answer one request; nothing that goes wrong ends the server."""
        try:
            self._admit(asked)
            return await self._route(asked)
        except ApiError as error:
            return failure(error)
        except Exception as error:
            log.exception("%s %s", asked.method, asked.path)
            return failure(ApiError(500, f"{type(error).__name__}: {error}"))

    def _admit(self, asked: Asked) -> None:
        # A page in a browser must not reach the API of a developer's machine.
        if asked.headers.get("user-agent", "").startswith("Mozilla/"):
            raise BROWSER
        if self._token is not None and asked.headers.get("authorization") != f"Bearer {self._token}":
            raise UNAUTHORIZED

    async def _route(self, asked: Asked) -> Reply:
        allowed = False
        for pattern, handlers in ROUTES:
            found = pattern.fullmatch(asked.path)
            if found is None:
                continue
            allowed = True
            handler = handlers.get(asked.method)
            if handler is not None:
                async with self._lock:
                    return await handler(self, tuple(map(unquote, found.groups())), asked.body)
        return Reply(405) if allowed else Reply(404, b"404 page not found\n", "text/plain; charset=utf-8")

    # ------------------------------------------------------------ proxies

    async def version(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Tell the version of the API."""
        return Reply(200, b'{"version": "%s"}\n' % VERSION.encode(), "application/json;charset=utf-8")

    async def reset(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Enable all proxies and remove all toxics and rules."""
        await self._proxies.reset()
        return Reply(204)

    async def populate(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Make or replace proxies."""
        try:
            made = await self._proxies.populate(reading.decode(body, list[reading.PopulateInput]))
        except ApiError as error:
            return json(error.status, {"error": str(error), "status": error.status, "proxies": None})
        return json(201, {"proxies": [shown(proxy) for proxy in made]})

    async def list_proxies(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Show all."""
        return json(200, {name: shown(proxy) for name, proxy in self._proxies.all().items()})

    async def create_proxy(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Make one."""
        return json(201, shown(await self._proxies.create(reading.decode(body, reading.ProxyInput))))

    async def show_proxy(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Show one."""
        return json(200, shown(self._proxy(names)))

    async def update_proxy(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Change one."""
        self._proxy(names)
        return json(
            200, shown(await self._proxies.update(names[0], reading.decode(body, reading.ProxyInput)))
        )

    async def delete_proxy(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Remove one."""
        await self._proxies.remove(names[0])
        return Reply(204)

    # ------------------------------------------------------------ toxics

    async def list_toxics(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Show all of a proxy."""
        return json(200, [attached.shown() for attached in self._proxy(names).toxics.listed()])

    async def create_toxic(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Add one."""
        proxy = self._proxy(names)
        attached = reading.toxic(reading.decode(body, reading.ToxicInput), proxy.seed)
        proxy.toxics.add(attached)
        return json(200, attached.shown())

    async def show_toxic(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Show one."""
        return json(200, self._proxy(names).toxics.get(names[1]).shown())

    async def update_toxic(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Change one."""
        toxics = self._proxy(names).toxics
        change = reading.toxic_change(body, toxics.get(names[1]))
        return json(200, toxics.update(names[1], change).shown())

    async def delete_toxic(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Remove one."""
        self._proxy(names).toxics.remove(names[1])
        return Reply(204)

    # ------------------------------------------------------------ rules

    async def list_rules(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Show all of a proxy."""
        proxy = self._proxy(names)
        return json(200, [_rule(rule, proxy) for rule in proxy.rules.listed()])

    async def create_rule(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Add one."""
        proxy = self._proxy(names)
        rule = reading.rule(reading.decode(body, reading.RuleInput), proxy.seed)
        proxy.rules.add(rule)
        return json(200, _rule(rule, proxy))

    async def show_rule(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Show one."""
        proxy = self._proxy(names)
        return json(200, _rule(proxy.rules.get(names[1]), proxy))

    async def update_rule(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Change one."""
        proxy = self._proxy(names)
        change = reading.rule_change(body, proxy.rules.get(names[1]))
        return json(200, _rule(proxy.rules.update(names[1], change), proxy))

    async def delete_rule(self, names: tuple[str, ...], body: bytes) -> Reply:
        """Remove one."""
        self._proxy(names).rules.remove(names[1])
        return Reply(204)

    def _proxy(self, names: tuple[str, ...]) -> Proxy:
        return self._proxies.get(names[0])


def json(status: int, value: Any) -> Reply:
    """Return a JSON answer."""
    return Reply(status, msgspec.json.encode(value), "application/json")


def failure(error: ApiError) -> Reply:
    """Return an error as Toxiproxy words it."""
    return json(error.status, {"error": str(error), "status": error.status})


def _rule(rule: Rule, proxy: Proxy) -> dict[str, Any]:
    return {**rule.shown(), "cannot_apply": proxy.rules.cannot_apply()}


def _path(template: str) -> re.Pattern[str]:
    return re.compile(template.replace("*", "([^/]+)"))


ROUTES: tuple[tuple[re.Pattern[str], dict[str, Handler]], ...] = (
    (_path("/version"), {"GET": Api.version}),
    (_path("/reset"), {"POST": Api.reset}),
    (_path("/populate"), {"POST": Api.populate}),
    (_path("/proxies"), {"GET": Api.list_proxies, "POST": Api.create_proxy}),
    (
        _path("/proxies/*"),
        {
            "GET": Api.show_proxy,
            "POST": Api.update_proxy,
            "PATCH": Api.update_proxy,
            "DELETE": Api.delete_proxy,
        },
    ),
    (_path("/proxies/*/toxics"), {"GET": Api.list_toxics, "POST": Api.create_toxic}),
    (
        _path("/proxies/*/toxics/*"),
        {
            "GET": Api.show_toxic,
            "POST": Api.update_toxic,
            "PATCH": Api.update_toxic,
            "DELETE": Api.delete_toxic,
        },
    ),
    (_path("/proxies/*/rules"), {"GET": Api.list_rules, "POST": Api.create_rule}),
    (
        _path("/proxies/*/rules/*"),
        {"GET": Api.show_rule, "POST": Api.update_rule, "PATCH": Api.update_rule, "DELETE": Api.delete_rule},
    ),
)
