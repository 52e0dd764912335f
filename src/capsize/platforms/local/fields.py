"""Fills the places held open in commands and environments: ``{port}``, ``{instance}`` and the like."""

from __future__ import annotations

import re
from collections.abc import Mapping

from capsize.core.errors import StartError

# Only bare lower-case names: a JSON value in an environment has braces too.
_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def fill(text: str, values: Mapping[str, str], where: str) -> str:
    """Return the text with every place filled. Raises StartError for one that is not known."""

    def one(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise StartError(
                f"{where} asks for {{{name}}}, which is not known here. Known: {', '.join(sorted(values))}"
            )
        return values[name]

    return _PLACE.sub(one, text)
