"""The groups of one stack: one per instance and controller, made when they are first needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from capsize.core.errors import InjectionError
from capsize.core.undo import RemoveCgroup
from capsize.guardian import tree
from capsize.platforms.local.harm.cgroups import Controller, Group, Name, controller
from capsize.platforms.local.harm.outside import Outside

ROUNDS_MAX = 100


class Groups:
    """Groups named after the stack and the instance. They stay until the stack is taken down, empty or not.

    ``kept`` are limits that a service has for good; lifting a limit goes back to them.
    """

    def __init__(self, outside: Outside, find: Callable[[Name], Controller | str] | None = None) -> None:
        self._outside, self._find = outside, find or (lambda name: controller(name, outside.guard))
        self._made: dict[tuple[str, Name], Group] = {}
        self._kept: dict[tuple[str, Name], float] = {}
        self._open: set[tuple[str, Name]] = set()

    def why_not(self, name: Name) -> str | None:
        """Return why there are no groups for a controller; None when there are."""
        found = self._find(name)
        return found if isinstance(found, str) else None

    def of(self, instance: str, name: Name) -> Group:
        """Return an instance's group, made when it is not there. Raises InjectionError."""
        if (instance, name) not in self._made:
            found = self._find(name)
            if isinstance(found, str):
                raise InjectionError(found)
            group = found.group(f"{self._outside.place.name}-{instance}")
            self._outside.announce(RemoveCgroup(path=str(group.path)))
            try:
                group.make()
            except OSError as error:
                raise InjectionError(f"no group for {instance} could be made: {error}") from error
            self._made[instance, name] = group
        return self._made[instance, name]

    def keep(self, instance: str, name: Name, amount: float) -> None:
        """Hold every process of an instance to a limit from its start."""
        self._kept[instance, name] = amount
        self.limit(instance, name, amount)
        self._open.add((instance, name))

    def limit(self, instance: str, name: Name, amount: float | None) -> None:
        """Set the limit of an instance's group; None goes back to what is kept. Raises InjectionError."""
        amount = self._kept.get((instance, name)) if amount is None else amount
        try:
            self.of(instance, name).limit(amount)
        except OSError as error:
            raise InjectionError(f"the limit of {instance} could not be set: {error}") from error

    def lift(self, instance: str, name: Name) -> None:
        """Go back to what is kept, when there is a group at all. Its processes stay inside. Raises InjectionError."""
        if (instance, name) in self._made:
            self.limit(instance, name, None)

    def hold(self, instance: str, name: Name, leader: int | None) -> Group:
        """Have an instance's processes, and every later one, in the group. Raises InjectionError."""
        group = self.of(instance, name)
        self._open.add((instance, name))
        if leader is not None:
            self.gather(group, leader)
        return group

    def gather(self, group: Group, leader: int) -> None:
        """Move a process and all that descends from it in. Raises InjectionError."""
        try:
            for _ in range(ROUNDS_MAX):
                outside = {p.pid for p in tree.members(leader)} - group.members()
                if not outside:
                    return
                for pid in outside:
                    group.join(pid)
        except OSError as error:
            raise InjectionError(f"process {leader} could not be moved to {group.path}: {error}") from error
        raise InjectionError(f"process {leader} starts children faster than they can be moved")

    def joins(self, instance: str) -> tuple[Path, ...]:
        """Return the files by which a new process of an instance joins its groups."""
        return tuple(
            group.procs for key, group in self._made.items() if key in self._open and key[0] == instance
        )

    def remove(self) -> None:
        """Remove all of them. Their processes must be gone. Raises OSError when one stays."""
        for group in self._made.values():
            group.remove()
        self._outside.done()
        self._made.clear()
        self._open.clear()
