"""What can go wrong, as types; the text of an error says what happened, where, and what to do."""

from __future__ import annotations


class CapsizeError(Exception):
    """The root of every error that capsize raises on purpose."""


class UsageError(CapsizeError):
    """The request makes no sense as given; nothing was started or harmed (exit code 64)."""


class NotSupported(CapsizeError):
    """The platform lacks an ability that the experiment needs; the scenario is SKIPPED."""


class StartError(CapsizeError):
    """A part of the system under test did not start; no verdict about the service follows from it."""


class InjectionError(CapsizeError):
    """A fault could not be carried out; the run is UNKNOWN."""


class HealError(CapsizeError):
    """A fault could not be undone; the run is FAIL and the message names what is left."""


class HistoryError(CapsizeError):
    """A run directory holds no readable history."""


class Missed(CapsizeError):
    """There was nothing to hit; the strike proves nothing, and nothing has to be undone."""
