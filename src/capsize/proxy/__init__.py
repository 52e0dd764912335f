"""A TCP proxy that disturbs what passes it: toxics on bytes, rules on PostgreSQL statements.

:class:`ProxyProcess` runs it as a process with Toxiproxy's HTTP control API. Within one process,
:class:`Proxies` does the same without HTTP, and rules can call a Python function.
"""

from __future__ import annotations

from capsize.proxy.attached import Attached
from capsize.proxy.collection import Proxies
from capsize.proxy.errors import ApiError
from capsize.proxy.postgres.actions.base import Fired
from capsize.proxy.postgres.match import Match
from capsize.proxy.postgres.rule import Rule
from capsize.proxy.process import ProxyProcess
from capsize.proxy.proxy import Proxy
from capsize.proxy.reading import ProxyInput
from capsize.proxy.server import ControlServer

__all__ = [
    "ApiError",
    "Attached",
    "ControlServer",
    "Fired",
    "Match",
    "Proxies",
    "Proxy",
    "ProxyInput",
    "ProxyProcess",
    "Rule",
]
