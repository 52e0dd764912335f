"""A network namespace, and running programs in it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from capsize.core.errors import InjectionError

LIMIT_S = 10.0


@dataclass(frozen=True)
class Namespace:
    """The network namespace behind a path: of a process, or one that ``ip netns`` named."""

    path: str

    @classmethod
    def of_process(cls, pid: int) -> Namespace:
        """Return that of a process; of a container, that is any process in it."""
        return cls(f"/proc/{pid}/ns/net")

    @classmethod
    def named(cls, name: str) -> Namespace:
        """Return one that ``ip netns add`` made."""
        return cls(f"/run/netns/{name}")

    def inside(self, *command: str) -> tuple[str, ...]:
        """Return the command that runs a command in it; everything but the network stays as it is."""
        return ("nsenter", f"--net={self.path}", "--", *command)

    async def run(self, *command: str) -> None:
        """Run a command in it. Raises InjectionError with what it said."""
        code, said = await run(self.inside(*command))
        if code != 0:
            raise InjectionError(f"{' '.join(command)} failed in {self.path} with {code}: {said}")


async def run(command: tuple[str, ...]) -> tuple[int, str]:
    """Run a command within a limit and return its exit code and the end of what it said; 127 when there is none."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except FileNotFoundError:
        return 127, f"{command[0]} is not installed"
    try:
        async with asyncio.timeout(LIMIT_S):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 124, f"no end within {LIMIT_S:g} s"
    return process.returncode or 0, out.decode(errors="replace").strip()[-300:]
