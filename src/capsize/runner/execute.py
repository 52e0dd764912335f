"""One run from beginning to end."""

from __future__ import annotations

import asyncio
import platform as host
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from time import time

import msgspec

from capsize.core.clock import Clock, MonotonicClock
from capsize.core.errors import CapsizeError
from capsize.core.events import Event, Noted, RunBegan, RunEnded
from capsize.core.experiment import Experiment
from capsize.core.guardrail import Aborted, Guardrails
from capsize.core.http import Send
from capsize.core.hypothesis import Steadiness
from capsize.core.platform import Bridged, Dependable, Leavable, Platform, Startable, name_of
from capsize.core.protocols import Probe, Record, Stage
from capsize.core.system import System
from capsize.journal import Journal
from capsize.load.dependency import NAME as DEPENDENCY
from capsize.load.dependency import Dependency
from capsize.load.http import HttpClient
from capsize.load.progress import LiveProgress
from capsize.load.witness import Witness
from capsize.platforms.choose import make_platform
from capsize.rundir import LeftUp, RunDirectory, encode
from capsize.runner.guarding import guardian
from capsize.runner.lastlooks import last_looks
from capsize.runner.limits import Limits
from capsize.runner.parts import Parts
from capsize.runner.phases import Loads, NotSteady, play
from capsize.runner.stage import RunningStage
from capsize.runner.striker import Striker

Observer = Callable[[Event], None]
Drive = Callable[[Stage, Experiment, Loads, Striker, Steadiness, Limits], Awaitable[None]]
"""Leads the system that stands through the run; :func:`capsize.runner.phases.play` by the experiment's phases."""


async def execute(
    experiment: Experiment,
    *,
    directory: RunDirectory,
    system: System,
    platform: str = "local",
    observer: Observer | None = None,
    keep: bool = False,
    base_url: str | None = None,
    drive: Drive = play,
) -> None:
    """Carry an experiment out and write down what happens; judge nothing.

    1. Make every part that the experiment names, and see that the platform can do what the faults need.
    2. Open the journal: from here on everything is written down as it happens.
    3. Start the guardian, which heals should capsize die; the witness and the outside service that tasks can call, then the system under test, then the probes.
    4. Go through the phases; loads come and go with them, strikes belong to the chaos phase.
    5. Heal every strike, whatever happened.
    6. Ask the service for its final word on every task that it accepted, and look at what is in its database.
    7. Stop everything that was started, and write down how the run ended.

    Cancelling the run, or a guardrail that is reached, heals, stops and ends in the same order. ``keep`` leaves the system up afterwards.
    ``drive`` takes the place of step 4, for a run that is led by something else than its phases.
    Raises UsageError and NotSupported before anything is started, StartError when the system does not
    start, and what a part raised when capsize itself broke; the run directory tells the story up to there.
    """
    parts = Parts.of(experiment)
    clock = MonotonicClock()
    progress, steadiness = LiveProgress(), Steadiness(experiment.hypothesis)
    guardrails = Guardrails(experiment.abort_when)
    own = [progress.observe, steadiness.observe, guardrails.observe]
    with _Recording(directory, clock, [*own, *([observer] if observer else [])]) as record:
        guard = guardian(directory, record, clock)
        witness, outside = Witness(record, clock), _outside(record, clock, parts)
        fields: dict[str, str] = {}
        under = make_platform(
            platform,
            directory=directory.logs,
            record=record,
            clock=clock,
            fields=fields,
            base_url=base_url,
            outlives=keep,
            links=experiment.links,
            seed=experiment.seed,
            guard=guard,
        )
        # A service that capsize did not start may be anywhere: it is not asked to call this machine.
        dependency = outside if isinstance(under, Startable) else None
        try:
            parts.require(under, system, dependency)
        except BaseException:
            # Looking at what the machine allows may have started it.
            await guard.close()
            raise
        async with (
            _ending(record, clock, experiment, directory, under.name, system.name),
            guard,
            _listening(under, witness, outside, fields),
            _standing(under, system, experiment, parts, directory if keep else None),
        ):
            stage = await _stage(under, system, clock, record, progress, experiment.seed, dependency)
            loads = Loads(stage, parts.loads)
            striker = Striker(stage, experiment.strikes, parts.faults, guard.log, experiment.max_harm)
            await guard.ready()
            async with _probing(stage, parts.probes):
                await drive(stage, experiment, loads, striker, steadiness, Limits(guardrails, guard))
            await audit(stage)
            await last_looks(stage, parts.probes)


def _outside(record: Record, clock: Clock, parts: Parts) -> Dependency:
    """Return the outside service, called by its name when names are to fail."""
    return Dependency(record, clock, called=name_of(DEPENDENCY) if parts.by_name else None)


@asynccontextmanager
async def _listening(
    platform: Platform, witness: Witness, outside: Dependency, fields: dict[str, str]
) -> AsyncIterator[None]:
    """Have the witness and the outside service listen, where the instances of the platform can reach them."""
    try:
        if isinstance(platform, Bridged):
            witness.host = outside.host = await platform.bridge()
        async with witness, outside:
            fields["witness_url"] = witness.url
            yield
    finally:
        await platform.down()


class _Recording:
    """The journal and everybody who watches it, behind one function."""

    def __init__(
        self, directory: RunDirectory, clock: Clock, watchers: list[Callable[[Event], None]]
    ) -> None:
        self._path = directory.history_path
        self._clock = clock
        self._watchers = watchers

    def __enter__(self) -> Record:
        self._journal = Journal(self._path)
        return self._record

    def __exit__(self, *_: object) -> None:
        self._journal.sync()
        self._journal.close()

    def _record(self, event: Event) -> None:
        self._journal.record(event)
        for watch in self._watchers:
            watch(event)


@asynccontextmanager
async def _ending(
    record: Record,
    clock: Clock,
    experiment: Experiment,
    directory: RunDirectory,
    platform: str,
    system: str,
) -> AsyncIterator[None]:
    """Write the first line and, however the body ends, the last one."""
    record(
        RunBegan(
            t=clock.now(),
            run=directory.path.name,
            scenario=experiment.scenario,
            level=experiment.level.number,
            seed=experiment.seed,
            wall=time() - clock.now(),
            versions={"capsize": version("capsize"), "python": host.python_version(), "os": host.platform()},
            platform=platform,
            system=system,
        )
    )
    try:
        yield
    except NotSteady as error:
        record(RunEnded(t=clock.now(), how="not_steady", detail=str(error)))
    except Aborted as error:
        record(RunEnded(t=clock.now(), how="aborted", detail=str(error)))
    except asyncio.CancelledError:
        record(RunEnded(t=clock.now(), how="interrupted"))
        raise
    except BaseException as error:
        record(RunEnded(t=clock.now(), how="broke", detail=f"{type(error).__name__}: {error}"))
        raise
    else:
        record(RunEnded(t=clock.now(), how="completed"))


@asynccontextmanager
async def _standing(
    platform: Platform, system: System, experiment: Experiment, parts: Parts, keep_in: RunDirectory | None
) -> AsyncIterator[None]:
    """Have the system up while the body runs, and nothing of it left afterwards.

    With ``keep_in`` a system whose run ended in order is left up, and that run directory says how to end it.
    """
    try:
        services = system.services(experiment.replicas, experiment.settings)
        await platform.up(parts.prepared(experiment.strikes, services))
        yield
        if keep_in is not None and isinstance(platform, Leavable):
            _leave(platform, keep_in)
    finally:
        await platform.down()


def _leave(platform: Leavable, directory: RunDirectory) -> None:
    api_url, database_url = platform.api_url, platform.database_url
    left = LeftUp(place=str(platform.leave()), api_url=api_url, database_url=database_url)
    directory.left_up_path.write_bytes(encode(left))


async def _stage(
    platform: Platform,
    system: System,
    clock: Clock,
    record: Record,
    progress: LiveProgress,
    seed: int,
    dependency: Dependable | None,
) -> RunningStage:
    """Log in to the system that now stands, and return all that the parts of the run need."""
    async with _client(platform, clock) as send:
        # A name of its own for each run: a service that capsize did not start knows the old ones already.
        auth = await system.login(send, f"chaos-{seed}-{int(time() * 1000)}")
    return RunningStage(
        clock=clock,
        record=record,
        system=system,
        platform=platform,
        progress=progress,
        seed=seed,
        auth=auth,
        dependency=dependency,
    )


@asynccontextmanager
async def _probing(stage: Stage, probes: tuple[Probe, ...]) -> AsyncIterator[None]:
    """Have every probe look while the body runs. A probe that breaks is noted: its claim has no evidence then."""
    tasks = [asyncio.create_task(_look(stage, probe), name=f"probe {probe.name}") for probe in probes]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _look(stage: Stage, probe: Probe) -> None:
    try:
        await probe.run(stage)
    except Exception as error:
        message = f"the probe {probe.name!r} broke: {type(error).__name__}: {error}"
        stage.record(Noted(t=stage.clock.now(), level="error", message=message))


async def audit(stage: Stage) -> None:
    """Ask the service about every task that it accepted; without an answer there is no line about a task."""
    tasks = sorted(stage.progress.acknowledged())
    try:
        async with _client(stage.platform, stage.clock) as send:
            answers = await stage.system.audit(send, stage.auth, tasks)
    except CapsizeError as error:
        stage.record(Noted(t=stage.clock.now(), level="error", message=f"no audit: {error}"))
        return
    for answer in answers:
        stage.record(msgspec.structs.replace(answer, t=stage.clock.now()))


@asynccontextmanager
async def _client(platform: Platform, clock: Clock) -> AsyncIterator[Send]:
    client = HttpClient.to(platform.api_url, clock)
    try:
        yield client.send
    finally:
        await client.close()
