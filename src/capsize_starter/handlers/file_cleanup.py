"""Deletes old files in a folder under the configured root, and nowhere else."""

import asyncio
import time
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import msgspec

from capsize_starter.handlers.base import Context, FieldError, Handler, PermanentError


class FileCleanup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    directory: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    pattern: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] = "*"
    older_than_s: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0
    dry_run: bool = False


def check(payload: FileCleanup) -> list[FieldError]:
    errors = []
    path = PurePosixPath(payload.directory)
    if path.is_absolute() or ".." in path.parts or "\0" in payload.directory:
        errors.append(FieldError("directory", "must be a relative path without .."))
    if "/" in payload.pattern or "\0" in payload.pattern:
        errors.append(FieldError("pattern", "must be a file name pattern without /"))
    return errors


def matches(payload: FileCleanup, root: Path, now: float) -> list[tuple[Path, int]]:
    """The files to be deleted and their sizes.

    Raises:
        PermanentError: the folder leads out of the root, by a symbolic link for instance.
    """
    root = root.resolve()
    folder = (root / payload.directory).resolve()
    if not folder.is_relative_to(root):
        raise PermanentError(f"{payload.directory} leads out of the files root")
    found = []
    for path in sorted(folder.glob(payload.pattern)):
        if path.is_symlink() or not path.is_file():
            continue
        stat = path.stat()
        if now - stat.st_mtime >= payload.older_than_s:
            found.append((path, stat.st_size))
    return found


async def run(payload: FileCleanup, context: Context) -> dict[str, Any]:
    found = await asyncio.to_thread(matches, payload, context.files_root, time.time())
    context.check()
    if not payload.dry_run:
        await asyncio.to_thread(_delete, [path for path, _ in found])
    return {"files": len(found), "bytes": sum(size for _, size in found), "dry_run": payload.dry_run}


def _delete(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


HANDLER = Handler("file_cleanup", "Deletes old files in a folder under the root.", FileCleanup, run, check)
