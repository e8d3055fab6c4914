"""Child processes, free ports, and waits with a deadline: everything that could hang or be left behind.

Every wait says what it waited for. Every process is ended by its own id, with all that it started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

# Time between two looks at a condition. Short against every deadline, long enough to leave the CPU to the servers.
POLL_SECONDS = 0.05

# How much of a dead process's log goes into the error message, in characters.
LOG_TAIL_LEN = 3000

T = TypeVar("T")


class WaitedTooLong(Exception):
    """A deadline passed; the text says what for."""


class ProcessDied(Exception):
    """A process ended when it was needed; the text holds the end of its log."""


def wait_for(what: str, seconds: float, probe: Callable[[], T | None]) -> T:
    """Calls `probe` until it returns something other than `None`, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        result = probe()
        if result is not None:
            return result
        if time.monotonic() > deadline:
            raise WaitedTooLong(f"waited {seconds:g} s for {what}")
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    """A port of the loopback interface that is free now.

    It could be taken before it is used; all ports of a run are chosen from the kernel's whole range, and a server that
    finds its port taken ends with a clear message.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """One child process with a log file, in a session of its own so that its children end with it. `env` is its whole
    environment; without it, the child gets ours.
    """

    def __init__(self, name: str, command: list[str | Path], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            self._child = subprocess.Popen(
                [str(part) for part in command],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its session and group."""
        return self._child.pid

    def check_alive(self) -> None:
        """Raises `ProcessDied` when the process has ended."""
        status = self._child.poll()
        if status is not None:
            raise ProcessDied(f"{self.name} ended with status {status}; its log ends with:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The end of the log."""
        return self.log.read_text(errors="replace")[-LOG_TAIL_LEN:]

    def terminate(self, seconds: float) -> int:
        """Sends SIGTERM and returns the exit status; raises `WaitedTooLong` when it does not end in time."""
        if self._child.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
        return wait_for(f"{self.name} to end after SIGTERM", seconds, self._child.poll)

    def wait(self, seconds: float) -> int:
        """Waits for the process to end by itself and returns the exit status."""
        return wait_for(f"{self.name} to end", seconds, self._child.poll)

    def kill(self) -> None:
        """Ends the process and all it started, at once. Does nothing when all are gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()

    def stop(self, seconds: float = 5.0) -> None:
        """Ends the process: asks first, then insists."""
        with contextlib.suppress(WaitedTooLong):
            self.terminate(seconds)
        self.kill()
