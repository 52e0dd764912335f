"""The published JSON Schemas: made from the types, and kept by what is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from capsize.core.verdict import Verdict
from capsize.report import Summary, assemble, document
from support.literal_runs import completion, experiment, finding, history, lost, result, retries, skipped

PUBLISHED = Path(__file__).parents[3] / "docs" / "schema"


def schema(name: str) -> Any:
    """Return a published schema."""
    return json.loads((PUBLISHED / f"{name}-{document.VERSION}.json").read_text())


@pytest.mark.parametrize("name", document.SCHEMAS)
def test_the_published_schema_is_that_of_the_types(name: str) -> None:
    """To renew: capsize schema NAME > docs/schema/NAME-VERSION.json; a change that breaks readers is a new version."""
    assert (PUBLISHED / f"{name}-{document.VERSION}.json").read_text() == document.schema(name)


def test_documents_keep_their_schema() -> None:
    """A failed, a passed, a skipped and a repeated run; a figure that is no number becomes null."""
    failed = assemble(result(completion(float("inf")), lost(finding())), experiment(), history())
    again = assemble(result(completion(), retries(1)), experiment(), history(whole=False))
    whole = Summary(runs=(failed, again, assemble(skipped())), duration_s=3.0, command="capsize run")
    jsonschema.validate(json.loads(document.run(failed)), schema("report"))
    jsonschema.validate(json.loads(document.summary(whole)), schema("summary"))


def test_the_schema_refuses_what_is_wrong() -> None:
    """It is no schema that lets everything through: verdicts are words, and nothing that is required may be missing."""
    good = json.loads(document.run(assemble(result(completion()))))
    for wrong in (good | {"status": int(Verdict.FAIL)}, {k: v for k, v in good.items() if k != "claims"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema("report"))
