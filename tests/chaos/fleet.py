"""The four services as processes of their own, as in production; who falls is started again, as Kubernetes would."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from services.local.child import answers
from services.local.processes import python
from services.local.supervisor import environment_of
from services.runtime.settings import Settings
from tests.brokers import answers as listens
from tests.brokers import tied
from tests.ports import free_ports

MODULES = {"collector": "collector", "identity": "identity", "attributor": "attributor", "reports": "services.reports"}
READY_SECONDS = 60.0
HANG_SECONDS = 40.0
"""Who has not ended so long after SIGTERM hangs, and is killed."""
KEEP_SECONDS = 0.3


class Exit(NamedTuple):
    """How a member ended after SIGTERM."""

    member: str
    code: int
    """-9: it hung, and was killed."""
    seconds: float
    while_: str
    """What was the matter at that time."""


class Member:
    """A process of one service. Its name is the service's, with a number after it for a further one: `identity-2`.

    It does not outlive the thread that makes it, so that nothing is left of a run that is killed.
    """

    def __init__(self, name: str, settings: Settings, folder: Path) -> None:
        service = name.partition("-")[0]
        self.name = name
        self.ops_port = free_ports(1)
        self._command = python(MODULES[service])
        ops_port = self.ops_port - list(MODULES).index(service)
        self._environment = environment_of(settings) | {"CLOSEDLOOP_OPS_PORT": str(ops_port)}
        self._output = folder / f"{name}.log"
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._output.open("ab") as output:
            return subprocess.Popen(
                [*tied(), *self._command],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def start(self) -> None:
        self.process = self._start()

    def last_line(self) -> str:
        """Of what it said."""
        return (self._output.read_text(errors="replace").splitlines() or [""])[-1]

    def has_begun(self) -> bool:
        """Whether it listens to signals; its ops port opens after that."""
        return self.process.poll() is None and listens(self.ops_port)

    def is_ready(self) -> bool:
        return self.process.poll() is None and answers("127.0.0.1", self.ops_port)


class Fleet:
    """The members by name, while the context lasts; at its end all are stopped, the collector first."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self._folder = folder
        self.members: dict[str, Member] = {}
        self.exits: list[Exit] = []
        self.fallen: list[str] = []
        """Who ended without being asked."""

    async def __aenter__(self) -> Self:
        for name in MODULES:
            self.add(name)
        self._keeping = asyncio.create_task(self._keep())
        try:
            await self.ready()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    def add(self, name: str) -> None:
        self.members[name] = Member(name, self.settings, self._folder)

    async def begun(self) -> None:
        """Returns when all members have begun; who is asked to stop before that just ends."""
        await self._until(Member.has_begun)

    async def ready(self) -> None:
        """Returns when all members are ready. Raises TimeoutError that names the first that is not."""
        await self._until(Member.is_ready)

    async def _until(self, holds: Callable[[Member], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        for member in list(self.members.values()):
            while not await asyncio.to_thread(holds, member):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{member.name} is not ready after {READY_SECONDS:.0f} s: {member.last_line()}")
                await asyncio.sleep(0.05)

    def has_begun(self, name: str) -> bool:
        return name in self.members and self.members[name].has_begun()

    def kill(self, name: str) -> None:
        """`kill -9`, and a start at once."""
        member = self.members[name]
        member.process.kill()
        member.process.wait()
        member.start()

    async def restart(self, names: Iterable[str], while_: str) -> None:
        """SIGTERM to all of these at once, and a start of each when it has ended."""

        async def one(name: str) -> None:
            await self.remove(name, while_)
            self.add(name)

        async with asyncio.TaskGroup() as tasks:
            for name in names:
                tasks.create_task(one(name))

    async def remove(self, name: str, while_: str) -> None:
        """SIGTERM, and no start."""
        process, began = self.members.pop(name).process, time.monotonic()
        process.terminate()
        while process.poll() is None and time.monotonic() - began < HANG_SECONDS:
            await asyncio.sleep(0.02)
        with suppress(ProcessLookupError):
            process.kill()
        self.exits.append(Exit(name, process.wait(), time.monotonic() - began, while_))

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            for member in self.members.values():
                code = member.process.poll()
                if code is not None:
                    cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                    self.fallen.append(f"{member.name} ({cause})")
                    member.start()

    async def _end(self) -> None:
        self._keeping.cancel()
        for intake in (True, False):
            async with asyncio.TaskGroup() as tasks:
                for name in [name for name in self.members if name.startswith("collector") == intake]:
                    tasks.create_task(self.remove(name, "at the end"))
