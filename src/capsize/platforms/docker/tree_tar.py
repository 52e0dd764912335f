"""A file system for an image, gathered file by file from this machine into a tar."""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import IO

from capsize.core.errors import StartError

Skip = Callable[[Path], bool]

_FOUND = re.compile(r"^\s*(?P<name>\S+)(?: => (?P<path>/\S+))? \(0x", re.MULTILINE)
LDD_LIMIT_S = 20.0
LDD_AT_ONCE = 200


class TreeTar:
    """Gathers files under the paths that they are to have; owner root, readable by all, times kept.

    The times matter: Python takes a ``.pyc`` only beside the source that it was made from.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w")  # noqa: SIM115 - closed by close()
        self._there: set[str] = set()
        self._binaries: list[Path] = []

    def folder(self, at: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """Add a folder and all above it."""
        parent = str(PurePosixPath(at).parent)
        if parent != at and parent not in ("/", "."):
            self.folder(parent)
        name = at.strip("/")
        if name and name not in self._there:
            self._add(name, kind=tarfile.DIRTYPE, mode=mode, uid=uid, gid=gid)

    def text(self, at: str, text: str, *, mode: int = 0o644) -> None:
        """Add a file with a text."""
        self.folder(str(PurePosixPath(at).parent))
        data = text.encode()
        if at.strip("/") not in self._there:
            self._add(at.strip("/"), mode=mode, data=io.BytesIO(data), size=len(data))

    def link(self, at: str, to: str) -> None:
        """Add a symbolic link."""
        self.folder(str(PurePosixPath(at).parent))
        if at.strip("/") not in self._there:
            self._add(at.strip("/"), kind=tarfile.SYMTYPE, mode=0o777, linkname=to)

    def file(self, source: Path, at: str) -> None:
        """Add a file; a link is followed. What it links against is added by :meth:`libraries`."""
        self.folder(str(PurePosixPath(at).parent))
        if at.strip("/") in self._there:
            return
        state = source.stat()
        mode = 0o755 if state.st_mode & 0o111 else 0o644
        with source.open("rb") as data:
            if data.read(4) == b"\x7fELF":
                self._binaries.append(source)
            data.seek(0)
            self._add(at.strip("/"), mode=mode, data=data, size=state.st_size, mtime=state.st_mtime)

    def tree(self, source: Path, at: str, skip: Skip = lambda _: False) -> None:
        """Add all files below a folder, except what ``skip`` names by its path relative to that folder."""
        for folder, names, files in os.walk(source):
            here = Path(folder)
            names[:] = sorted(n for n in names if not skip((here / n).relative_to(source)))
            for name in sorted(files):
                relative = (here / name).relative_to(source)
                if not skip(relative) and (source / relative).is_file():
                    self.file(source / relative, f"{at}/{relative.as_posix()}")

    def libraries(self) -> None:
        """Add the shared libraries of all programs and modules so far, where the loader looks for them.

        One from outside the system's own folders (Python's, perhaps) goes beside the C library. Raises StartError.
        """
        found: dict[str, Path] = {}
        for first in range(0, len(self._binaries), LDD_AT_ONCE):
            found |= _linked(self._binaries[first : first + LDD_AT_ONCE])
        home = next((path.parent for name, path in found.items() if name == "libc.so.6"), Path("/usr/lib"))
        for name, path in found.items():
            system = (
                path.is_absolute() and path.parts[1] in ("lib", "lib64", "usr") and "local" not in path.parts
            )
            self.file(path.resolve(), str(path if system else home / name))

    def close(self) -> None:
        """Finish the archive."""
        self._tar.close()

    def _add(
        self,
        name: str,
        *,
        kind: bytes = tarfile.REGTYPE,
        mode: int,
        uid: int = 0,
        gid: int = 0,
        data: io.BufferedIOBase | io.BytesIO | None = None,
        size: int = 0,
        mtime: float = 0.0,
        linkname: str = "",
    ) -> None:
        self._there.add(name)
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.uid, info.gid, info.linkname = kind, mode, uid, gid, linkname
        info.size, info.mtime = size, int(mtime)
        self._tar.addfile(info, data)


def _linked(binaries: Iterable[Path]) -> dict[str, Path]:
    """Return the libraries of programs by name; the loader itself has its path as its name."""
    try:
        done = subprocess.run(
            ["ldd", *map(str, binaries)], capture_output=True, text=True, timeout=LDD_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartError(
            f"an image can't be made from this machine: ldd does not work ({error}). "
            "Load one, and name it in CAPSIZE_PYTHON_IMAGE or CAPSIZE_POSTGRES_IMAGE"
        ) from error
    found: dict[str, Path] = {}
    for match in _FOUND.finditer(done.stdout):
        name, path = match["name"], match["path"] or match["name"]
        if path.startswith("/"):
            found.setdefault(name, Path(path))
    return found
