"""A proxy in a process of its own, and its control API from Python."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import msgspec

from capsize.core.errors import InjectionError, StartError
from capsize.proxy.http_client import request

START_LIMIT_S = 20.0
STOP_LIMIT_S = 5.0
CALL_LIMIT_S = 30.0


class ProxyProcess:
    """Starts ``python -m capsize.proxy`` and ends it again; use it as an async context, or start and stop.

    The process ends with its owner, however that ends: its standard input is a pipe from here; only with
    ``outlives`` it goes on. Its log goes to ``log``, or nowhere. ``env`` is added to its environment.
    """

    def __init__(
        self,
        *,
        listen: str = "127.0.0.1:0",
        seed: int = 0,
        token: str | None = None,
        expose: bool = False,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        outlives: bool = False,
    ) -> None:
        self._listen, self._seed, self._token, self._expose, self._log = listen, seed, token, expose, log
        self._env, self._outlives = dict(env or {}), outlives
        self._process: asyncio.subprocess.Process | None = None
        self._url = ""

    async def __aenter__(self) -> ProxyProcess:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Return the address of the control API, ``http://host:port``."""
        if not self._url:
            raise StartError("the proxy is not running; start it first")
        return self._url

    @property
    def pid(self) -> int | None:
        """Return the id of the process, None when it does not run."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def start(self) -> None:
        """Start it and return when its API answers; nothing when it runs. Raises StartError."""
        if self.pid is not None:
            return
        command = [sys.executable, "-m", "capsize.proxy", "--listen", self._listen]
        command += ["--seed", str(self._seed), *(["--expose"] if self._expose else [])]
        if not self._outlives:
            command.append("--until-eof")
        env = os.environ | self._env
        env.pop("CAPSIZE_PROXY_TOKEN", None)
        if self._token is not None:
            # By the environment: the command line of a process can be read by everybody.
            env["CAPSIZE_PROXY_TOKEN"] = self._token
        log = os.open(self._log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL if self._outlives else asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=env,
                start_new_session=True,
            )
        finally:
            os.close(log)
        try:
            self._url = await self._announced(self._process)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it; may be called at any time, and again."""
        process, self._process, self._url = self._process, None, ""
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        else:
            process.terminate()
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def let_go(self) -> None:
        """Forget it and leave it running, if it was made to outlive its owner."""
        self._process, self._url = None, ""

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request to the control API and return the JSON of the answer, None if it has none.

        Raises InjectionError for every answer but 2xx, and when there is none.
        """
        data = None if body is None else msgspec.json.encode(body)
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                status, answer = await request(method, self.url + quote(path), data, token=self._token)
        except (OSError, TimeoutError) as error:
            raise InjectionError(f"the proxy did not answer {method} {path}: {error!r}") from error
        if not 200 <= status < 300:
            raise InjectionError(
                f"the proxy answered {method} {path} with {status}: {answer.decode().strip()}"
            )
        return msgspec.json.decode(answer) if answer else None

    async def _announced(self, process: asyncio.subprocess.Process) -> str:
        assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
        try:
            async with asyncio.timeout(START_LIMIT_S):
                line = await process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            where = f"; its log is {self._log}" if self._log else ""
            raise StartError(f"the proxy did not start (exit code {process.returncode}){where}")
        return str(msgspec.json.decode(line)["url"])
