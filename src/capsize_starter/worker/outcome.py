"""One attempt of a handler and what came of it."""

from dataclasses import dataclass
from typing import Any

import msgspec

from capsize_starter.handlers import Context, Handler, LeaseLost, PayloadError, PermanentError

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

ERROR_MAX = 2000


@dataclass(frozen=True, slots=True)
class Completed:
    """The effect is done; `result` is JSON text."""

    result: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed. `permanent`: another one is useless. `blame_type`: it speaks against the type as a whole."""

    error: str
    permanent: bool = False
    blame_type: bool = True


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The run was given up without a verdict on the task."""

    reason: str


Outcome = Completed | Failed | Abandoned


async def attempt(handler: Handler, payload: str, context: Context) -> Outcome:
    """Run a handler once on a payload given as JSON text; raises nothing but a cancellation."""
    try:
        result: Any = await handler.run(handler.parse(_decode(payload)), context)
        return Completed(_encode(result).decode())
    except LeaseLost as error:
        return Abandoned(str(error))
    except (PayloadError, PermanentError) as error:
        return Failed(describe(error), permanent=True, blame_type=False)
    except Exception as error:
        return Failed(describe(error))


def describe(error: BaseException) -> str:
    """An error as one text that PostgreSQL can hold."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text.replace("\0", "\\0").encode("utf-8", "replace").decode()[:ERROR_MAX]
