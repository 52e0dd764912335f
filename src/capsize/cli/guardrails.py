"""``--abort-when`` and ``--max-harm``: checked before anything starts, and part of the plan, so that a replay has them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from capsize.core.experiment import Experiment
from capsize.core.guardrail import condition


def guarded(
    experiments: Iterable[Experiment], abort_when: tuple[str, ...], max_harm: int | None
) -> tuple[Experiment, ...]:
    """Return the experiments with these guardrails beside their own. Raises UsageError for a bad condition."""
    texts = tuple(condition(text).text for text in abort_when)
    return tuple(
        msgspec.structs.replace(
            experiment,
            abort_when=tuple(dict.fromkeys((*experiment.abort_when, *texts))),
            max_harm=min((n for n in (experiment.max_harm, max_harm) if n is not None), default=None),
        )
        for experiment in experiments
    )
