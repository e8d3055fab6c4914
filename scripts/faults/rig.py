"""A proxy with two simulated replicas behind it and a client in front: started, asked, killed, counted.

Everything listens on the loopback interface, on ports that the kernel chose.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from processes import Process, free_port, wait_for  # noqa: E402

# How long a start, or an end after the last request, may take at most.
PATIENCE_SECONDS = 30.0

SUMMARY = re.compile(
    r"(?P<requests>\d+) requests in .*: (?P<whole>\d+) whole \((?P<statuses>[^)]*)\), (?P<aborted>\d+) aborted, "
    r"(?P<broken>\d+) broken, (?P<unreachable>\d+) unreachable, (?P<timed_out>\d+) timed out"
)


@dataclass
class Load:
    """What the clients saw."""

    requests: int = 0
    failed: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    ids: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, text: str, ids: Path) -> Load:
        """From the summary that `simulate --drive` printed last, and its list of whole answers."""
        found = None
        for found in SUMMARY.finditer(text):
            pass
        if found is None:
            raise RuntimeError(f"the load generator printed no summary: {text[-2000:]}")
        load = cls(requests=int(found["requests"]))
        load.failed = sum(int(found[word]) for word in ("broken", "unreachable", "timed_out"))
        for pair in filter(None, found["statuses"].split(", ")):
            status, count = pair.split(": ")
            load.failed += int(count) if status != "200" else 0
        for line in text.splitlines():
            cells = line.split()
            if len(cells) == 6 and cells[0] == "e2e":
                load.p50_ms, load.p99_ms = float(cells[2]), float(cells[4])
        load.ids = set(ids.read_text().split()) if ids.exists() else set()
        return load


class Rig:
    """The replicas, and the proxy that is under test. `folder` holds everything; the ledger may lie elsewhere."""

    def __init__(self, binary: Path, folder: Path, ledger: Path | None = None) -> None:
        self.binary = binary
        self.folder = folder
        self.ledger = ledger or folder / "ledger" / "gauge.db"
        self.fault_file = folder / "fault"
        self.library: Path | None = None
        self.environment: dict[str, str] = {}
        self.proxy: Process | None = None
        self._loads = 0
        first = free_port()
        # Replicas that answer at once: what a client waits for is the proxy.
        self._replicas = self._spawn("replicas", ["simulate", "--port", first, "--ttft", "0ms", "--prefill", "0us",
                                                  "--itl", "0ms", "--tokens", "4", "--jitter", "0", "--model", "m"])
        self.upstream = f"http://127.0.0.1:{first}"

    def _spawn(self, name: str, arguments: list[str | int | Path], env: dict[str, str] | None = None) -> Process:
        command = [self.binary, *(str(argument) for argument in arguments)]
        return Process(name, command, self.folder / f"{name}.log", {"PATH": os.environ["PATH"], **(env or {})})

    def start(self) -> float:
        """Starts the proxy on fresh ports; the seconds until it was ready."""
        begun = time.monotonic()
        self.launch()
        self.await_ready()
        return time.monotonic() - begun

    def launch(self) -> None:
        """Starts the proxy on fresh ports and waits for nothing."""
        self.port, self.ops = free_port(), free_port()
        env = dict(self.environment)
        if self.library:
            env |= {"LD_PRELOAD": str(self.library), "STREAMGAUGE_FAULT": str(self.fault_file)}
        self.proxy = self._spawn(
            "proxy",
            ["proxy", "--upstream", self.upstream, "--listen", f"127.0.0.1:{self.port}", "--ops-listen",
             f"127.0.0.1:{self.ops}", "--ledger", f"sqlite://{self.ledger}"],
            env,
        )

    def await_ready(self) -> None:
        """Waits until the proxy that was launched is ready."""
        wait_for("the proxy to be ready", PATIENCE_SECONDS, self._ready)

    def _ready(self) -> bool | None:
        assert self.proxy is not None
        self.proxy.check_alive()
        try:
            self.get("/readyz")
        except OSError:
            return None
        return True

    def get(self, path: str) -> str:
        """A page of the ops port."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ops}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def health(self) -> dict[str, Any]:
        """`/healthz`, of the ledger."""
        ledger: dict[str, Any] = json.loads(self.get("/healthz"))["ledger"]
        return ledger

    def metric(self, name: str) -> float:
        """The sum over all labels of a metric."""
        lines = (line.rsplit(" ", 1) for line in self.get("/metrics").splitlines() if not line.startswith("#"))
        return sum(float(value) for series, value in lines if series.split("{")[0] == f"streamgauge_{name}")

    @contextlib.contextmanager
    def load(self, rate: int, seconds: float) -> Iterator[Load]:
        """Requests at a steady rate while the body runs; what the clients saw is there after it."""
        self._loads += 1
        ids = self.folder / f"ids-{self._loads}.txt"
        drive = self._spawn(
            f"load-{self._loads}",
            ["simulate", "--drive", f"http://127.0.0.1:{self.port}", "--rate", rate, "--steady", "--duration",
             f"{seconds}s", "--abort-rate", 0, "--mistake-rate", 0, "--ids", ids, "--seed", self._loads],
        )
        seen = Load()
        try:
            yield seen
            drive.wait(seconds + PATIENCE_SECONDS)
            seen.__dict__.update(Load.read(drive.log.read_text(), ids).__dict__)
        finally:
            drive.kill()

    def caught_up(self, seconds: float) -> float:
        """Waits until the ledger has taken all that waited; how long that took."""
        begun = time.monotonic()

        def is_well() -> bool | None:
            health = self.health()
            return (not health["degraded"] and (health["lag_ms"] or 0) < 1000) or None

        wait_for("the ledger to take records again", seconds, is_well)
        return time.monotonic() - begun

    def terminate(self) -> None:
        """SIGTERM, and the end of the proxy."""
        assert self.proxy is not None
        status = self.proxy.terminate(PATIENCE_SECONDS)
        if status != 0:
            raise RuntimeError(f"the proxy ended with {status}: {self.proxy.log_tail()}")
        self.proxy = None

    def kill(self) -> None:
        """SIGKILL to the proxy."""
        assert self.proxy is not None
        os.kill(self.proxy.pid, signal.SIGKILL)
        self.proxy.kill()
        self.proxy = None

    def rows(self) -> set[str]:
        """The request ids of all rows."""
        with contextlib.closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as file:
            return {request_id(rid) for (rid,) in file.execute("SELECT rid FROM request")}

    def count(self) -> int:
        """How many rows there are."""
        with contextlib.closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as file:
            (count,) = file.execute("SELECT count(*) FROM request").fetchone()
            return int(count)

    def audit(self) -> tuple[bool, int]:
        """`ledger check --full`: whether the ledger is sound, and how many requests have no row."""
        command = [self.binary, "ledger", "check", "--full", "--json", "--ledger", f"sqlite://{self.ledger}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        found = json.loads(done.stdout)
        if found["findings"]:
            print(*found["findings"], sep="\n", file=sys.stderr)
        return bool(found["sound"]), int(found["requests_without_row"])

    def close(self) -> None:
        """Ends everything."""
        for process in (self.proxy, self._replicas):
            if process is not None:
                process.stop()


def request_id(rid: bytes) -> str:
    """The text of a stored request id."""
    if len(rid) == 16:
        return str(uuid.UUID(bytes=rid))
    return rid.removeprefix(b"\0").decode()
