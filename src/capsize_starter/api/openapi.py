"""The OpenAPI document: the framework's own, with the schemas of what the API answers put in."""

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from capsize_starter.api.health import Detailed, Health
from capsize_starter.api.routes.tasks import BreakerList, Purged, TaskTypeList
from capsize_starter.queue import Page, Stats, Task
from capsize_starter.users import Session, User

STRUCTS = (BreakerList, Detailed, Health, Page, Purged, Session, Stats, Task, TaskTypeList, User)

PROBLEM = {
    "type": "object",
    "description": "An error, as RFC 9457 has it.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/task-not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def install(app: FastAPI) -> None:
    """Make `app.openapi()` build the whole document, once, when it is first asked for."""
    app.openapi = _builder(app)  # type: ignore[method-assign]


def _builder(app: FastAPI) -> Callable[[], dict[str, Any]]:
    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas |= _struct_schemas() | {"Problem": PROBLEM}
            _drop_framework_errors(document)
            app.openapi_schema = document
        return app.openapi_schema

    return build


def _drop_framework_errors(document: dict[str, Any]) -> None:
    """Take out the framework's own 422, which this API never answers with."""
    for methods in document["paths"].values():
        for operation in methods.values():
            content = operation["responses"].get("422", {}).get("content", {})
            if "HTTPValidationError" in str(content):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _struct_schemas() -> dict[str, Any]:
    _, components = msgspec.json.schema_components(STRUCTS, ref_template="#/components/schemas/{name}")
    return components
