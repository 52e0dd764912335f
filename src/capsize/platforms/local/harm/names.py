"""Names that can't be resolved: a name server of ours for each instance, seen in a mount namespace of its own.

glibc asks the servers of ``/etc/resolv.conf``, always on port 53. So an instance that was prepared sees a
``resolv.conf`` of its own, which names a loopback address on which we answer: names of the stack ourselves,
others by asking the machine's own name server. Its mounts are gone when its processes are.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import sys
from contextlib import suppress
from pathlib import Path

from capsize.core.errors import InjectionError, StartError
from capsize.core.platform import NameTrouble, name_of
from capsize.core.undo import Guard
from capsize.platforms.local.harm.asking import ask, ask_now
from capsize.platforms.local.harm.resolver import PORT, Resolver
from capsize.platforms.local.harm.trials import once, trial_folder

ADDRESS = "127.0.0.1"
RESOLV, SWITCH, HOSTS = Path("/etc/resolv.conf"), Path("/etc/nsswitch.conf"), Path("/etc/hosts")
TRIES = 50
ANY, DEPENDENCY = "any", "dependency"
"""A name to ask for ourselves, and that of the outside service that capsize plays."""
RESOLVE = "import socket; print(socket.getaddrinfo({name!r}, 1, socket.AF_INET)[0][4][0])"
NO_NAME = "Name or service not known", "Temporary failure in name resolution", "No address associated"


def why_not(guard: Guard) -> str | None:
    """Return why names can't be failed on this machine; None when they can, which is tried once."""
    found: str | None = once("names", lambda: _look(guard))
    return found


def _look(guard: Guard) -> str | None:
    if not sys.platform.startswith("linux"):
        return "failing the name resolution of a process needs Linux"
    try:
        probe, _ = _listen()
    except OSError as error:
        return f"no name server can listen on port {PORT} (that needs root): {error.strerror}"
    probe.close()
    with trial_folder(guard) as folder:
        file = folder / "resolv.conf"
        file.write_text("# capsize was here\n")
        try:
            seen = ask_now("print(open('/etc/resolv.conf').read())", {}, [(file, RESOLV)])
        except InjectionError as error:
            return f"a process can't be given a resolv.conf of its own (that needs root): {error}"
    return None if "capsize was here" in seen else "glibc's resolv.conf can't be replaced here"


class Names:
    """The name servers of a stack, which is all on loopback. ``place`` is its folder."""

    def __init__(self, place: Path) -> None:
        self._folder = place / "names"
        self._resolvers: dict[str, Resolver] = {}
        self._binds: dict[str, tuple[tuple[Path, Path], ...]] = {}
        self._known: dict[str, str] = {}
        self.know(ANY, DEPENDENCY)

    def know(self, *parts: str) -> None:
        """Give parts of the stack their names."""
        self._known |= {name_of(part): ADDRESS for part in parts}

    async def prepare(self, instance: str) -> tuple[tuple[Path, Path], ...]:
        """Start an instance's name server and return the files that it is to see. Raises StartError."""
        if instance in self._binds:
            return self._binds[instance]
        resolver = Resolver(self._known, _upstream())
        try:
            listener, address = _listen()
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: resolver, sock=listener)
        except OSError as error:
            raise StartError(f"no name server for {instance}: {error}") from error
        self._resolvers[instance] = resolver
        folder = self._folder / instance
        folder.mkdir(mode=0o755, parents=True)
        self._folder.chmod(0o755)
        texts = {RESOLV: f"nameserver {address}\n", SWITCH: _switch(), HOSTS: _text(HOSTS)}
        for theirs, text in texts.items():
            (folder / theirs.name).write_text(text)
            (folder / theirs.name).chmod(0o644)
        self._binds[instance] = tuple((folder / one.name, one) for one in texts if one.exists())
        return self._binds[instance]

    async def fail(self, instance: str, how: NameTrouble) -> str:
        """Answer an instance's questions so and see that a name fails. Raises InjectionError."""
        if instance not in self._resolvers:
            raise InjectionError(f"{instance} was not started with a name server of its own")
        resolver = self._resolvers[instance]
        resolver.trouble, resolver.met = how, 0
        if await self._resolves(instance, tries=1) or resolver.met == 0:
            raise InjectionError(f"{instance} still resolves names")
        resolver.met = 0
        return f"own name server, mount namespace; {how}"

    async def mend(self, instance: str) -> str:
        """Answer again, see that a name is resolved, and return how many questions failed. Raises InjectionError."""
        resolver = self._resolvers.get(instance)
        if resolver is None or resolver.trouble is None:
            return ""
        resolver.trouble = None
        if not await self._resolves(instance):
            raise InjectionError(f"{instance} still can't resolve names")
        return f"{resolver.met} questions met it"

    def leave(self) -> None:
        """Have the names in the instances' own ``hosts``: nobody will answer when this process has gone."""
        lines = "".join(f"{address} {name}\n" for name, address in self._known.items())
        for instance in self._binds:
            with (self._folder / instance / HOSTS.name).open("a") as hosts:
                hosts.write(lines)
        self.remove()

    def remove(self) -> None:
        """Stop answering."""
        for resolver in self._resolvers.values():
            resolver.close()
        self._resolvers.clear()

    async def _resolves(self, instance: str, tries: int = 5) -> bool:
        """Return whether a process beside the instance gets an answer. Not waiting as long as others do is its own affair."""
        env = {"RES_OPTIONS": f"timeout:1 attempts:{tries}"}
        try:
            return await ask(RESOLVE.format(name=name_of(ANY)), env, self._binds[instance]) == ADDRESS
        except InjectionError as error:
            if any(text in str(error) for text in NO_NAME):
                return False
            raise


def _listen() -> tuple[socket.socket, str]:
    """Return a socket on a loopback address that nobody uses, and the address. Raises OSError."""
    for left in reversed(range(TRIES)):
        address = f"127.{64 + secrets.randbelow(128)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            listener.bind((address, PORT))
        except OSError:
            listener.close()
            if left == 0:
                raise
            continue
        listener.setblocking(False)
        return listener, address
    raise OSError(f"no free loopback address in {TRIES} tries")


def _upstream() -> tuple[str, int] | None:
    """Return the machine's own name server."""
    servers = [
        line.split()[1]
        for line in _text(RESOLV).splitlines()
        if line.startswith("nameserver") and len(line.split()) > 1
    ]
    return (servers[0], PORT) if servers else None


def _switch() -> str:
    """Return the machine's name service switch, with hosts looked for in the file and at the name server alone."""
    lines = _text(SWITCH).splitlines()
    return "\n".join([*(line for line in lines if not line.startswith("hosts:")), "hosts: files dns", ""])


def _text(file: Path) -> str:
    with suppress(OSError):
        return file.read_text()
    return ""
