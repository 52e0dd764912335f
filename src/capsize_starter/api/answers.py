"""Answers with a body: Structs encoded to JSON, and their entries in the OpenAPI document."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from capsize_starter.api.problems import MEDIA_TYPE, Kind

encode = msgspec.json.Encoder().encode

Documented = dict[int | str, dict[str, Any]]


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer; encoded here, so the framework does not look at every field again."""
    return Response(encode(body), status, headers, "application/json")


def documented(status: int, description: str, schema: str | None, *errors: Kind) -> Documented:
    """The `responses` of a route: what it answers when all is well, and each problem it may answer with.

    `schema` names a component that `openapi.py` puts into the document; None means no body.
    """
    entries: Documented = {status: {"description": description}}
    if schema is not None:
        entries[status]["content"] = {"application/json": {"schema": _ref(schema)}}
    for kind in errors:
        entry = entries.setdefault(
            kind.status,
            {"description": kind.title, "content": {MEDIA_TYPE: {"schema": _ref("Problem")}}},
        )
        if kind.title not in entry["description"]:
            entry["description"] += f"; or: {kind.title}"
    return entries


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
