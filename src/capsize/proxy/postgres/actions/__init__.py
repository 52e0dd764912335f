"""What rules do, one file each. The name in the table is the ``type`` of the API."""

from __future__ import annotations

from types import MappingProxyType

from capsize.proxy.postgres.actions.base import Action
from capsize.proxy.postgres.actions.callback import Callback
from capsize.proxy.postgres.actions.delay import Delay
from capsize.proxy.postgres.actions.drop import Drop
from capsize.proxy.postgres.actions.error import Error

ACTIONS: MappingProxyType[str, type[Action]] = MappingProxyType(
    {action.name: action for action in (Drop, Delay, Error, Callback)}
)

__all__ = ["ACTIONS", "Action"]
