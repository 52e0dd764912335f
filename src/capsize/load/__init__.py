"""Who sends what at which rate, the HTTP client below it, and the witness that workers report to."""

from __future__ import annotations

from capsize.core.protocols import Load
from capsize.load.accounts import Accounts
from capsize.load.api import Api
from capsize.load.catalogue import Catalogue
from capsize.load.operations import Operations
from capsize.load.tasks import Tasks

LOADS: dict[str, type[Load]] = {
    Accounts.name: Accounts,
    Api.name: Api,
    Catalogue.name: Catalogue,
    Operations.name: Operations,
    Tasks.name: Tasks,
}
"""Every load by the name that an experiment calls it."""
