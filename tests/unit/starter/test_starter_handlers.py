"""Validation of payloads, and the pure parts of the handlers."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from capsize_starter.handlers import HANDLERS, PayloadError, PermanentError, validate
from capsize_starter.handlers.email import Email, render
from capsize_starter.handlers.file_cleanup import FileCleanup, matches

GOOD: list[tuple[str, Any]] = [
    ("delay", {"seconds": 0}),
    ("delay", {"seconds": 3600.0}),
    ("webhook", {"url": "https://example.org/x?y=1", "method": "PUT", "body": {"a": 1}, "timeout_s": 1}),
    ("email", {"to": "a@example.org", "subject": "s"}),
    ("data_processing", {"data": [1, 2.5]}),
    ("report_generation", {"title": "t", "columns": ["a"], "rows": [[1], [None]]}),
    ("file_cleanup", {"directory": "a/b", "pattern": "*.log", "older_than_s": 5}),
    ("never_heard_of", ["anything"]),
]

BAD: list[tuple[str, Any, set[str]]] = [
    ("delay", {}, {"seconds"}),
    ("delay", {"seconds": -1}, {"seconds"}),
    ("delay", {"seconds": 3600.1}, {"seconds"}),
    ("delay", {"seconds": float("nan")}, {"seconds"}),
    ("delay", {"seconds": "1"}, {"seconds"}),
    ("delay", [1], {""}),
    ("delay", {"seconds": "x", "more": 1}, {"seconds", "more"}),
    ("webhook", {"url": "ftp://x", "method": "GET"}, {"url"}),
    ("webhook", {"url": "http://", "timeout_s": 5}, {"url"}),
    ("webhook", {"url": "http://x/\r\nevil: 1"}, {"url"}),
    ("webhook", {"url": "http://x:99999/"}, {"url"}),
    ("webhook", {"url": 1, "method": "BREW", "timeout_s": 0}, {"url", "method", "timeout_s"}),
    ("email", {"to": "nobody", "subject": ""}, {"to", "subject"}),
    ("email", {"to": "a@b", "subject": "a\nBcc: c@d"}, {"subject"}),
    ("data_processing", {"data": []}, {"data"}),
    ("data_processing", {"data": [1], "operations": ["guess"]}, {"operations"}),
    ("report_generation", {"title": "t", "columns": ["a", "b"], "rows": [[1, 2], [3]]}, {"rows[1]"}),
    ("file_cleanup", {"directory": "/etc"}, {"directory"}),
    ("file_cleanup", {"directory": "a/../../b", "pattern": "x/*"}, {"directory", "pattern"}),
]


@pytest.mark.parametrize(("type", "payload"), GOOD)
def test_a_good_payload_is_accepted(type: str, payload: Any) -> None:
    """Every type accepts what it is for; a type that is not known accepts anything."""
    validate(type, payload)


@pytest.mark.parametrize(("type", "payload", "fields"), BAD)
def test_every_wrong_field_is_named(type: str, payload: Any, fields: set[str]) -> None:
    """All faults are reported at once, each under its field."""
    with pytest.raises(PayloadError) as caught:
        validate(type, payload)
    assert {error.field for error in caught.value.errors} == fields


def test_every_type_has_a_case_here() -> None:
    """A new handler needs a good and a bad payload above."""
    assert set(HANDLERS) <= {type for type, _ in GOOD}
    assert set(HANDLERS) == {type for type, _, _ in BAD}


def test_a_mail_is_rendered_with_its_values() -> None:
    """Placeholders are filled, unknown ones stay, and the id makes the message unmistakable."""
    mail = render(Email(to="a@b.c", subject="Grüße", body="{a} {b}", values={"a": 1}), "id-1")
    assert b"1 {b}" in mail
    assert b"Message-ID: <id-1@capsize-starter>" in mail


def test_cleanup_stays_under_its_root_and_spares_the_young(tmp_path: Path) -> None:
    """Only old plain files that match are taken; links are left, and a link out of the root is refused."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "d").mkdir(parents=True)
    outside.mkdir()
    for name in ("old.tmp", "young.tmp", "old.txt"):
        (root / "d" / name).write_text("12345")
    for name in ("old.tmp", "old.txt"):
        os.utime(root / "d" / name, (0, 0))
    (root / "d" / "link.tmp").symlink_to(root / "d" / "old.txt")
    (root / "out").symlink_to(outside)
    found = matches(FileCleanup(directory="d", pattern="*.tmp", older_than_s=60), root, time.time())
    assert [(path.name, size) for path, size in found] == [("old.tmp", 5)]
    with pytest.raises(PermanentError):
        matches(FileCleanup(directory="out"), root, time.time())
