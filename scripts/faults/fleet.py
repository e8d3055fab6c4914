"""`streamgauge up` in front of simulated replicas, with clients of the standard library that are told apart.

Everything listens on the loopback interface, but for what a caller puts into a network namespace of its own.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from processes import Process, free_port, wait_for  # noqa: E402

# How long a start, an end, or a single answer may take at most.
PATIENCE_SECONDS = 60.0


@dataclass
class Answer:
    """What a client saw of one request."""

    status: int | None = None
    rid: str = ""
    events: int = 0
    whole: bool = False
    error_event: bool = False
    begun: float = 0.0
    seconds: float = 0.0
    words: str = ""


@dataclass
class Fleet:
    """The supervisor under test and the replicas behind it."""

    binary: Path
    folder: Path
    replicas: list[Process] = field(default_factory=list)
    up: Process | None = None

    def replica(self, host: str, port: int, tokens: int, inside: tuple[str, ...] = ()) -> str:
        """Starts a replica and waits until it listens. Its answers have this many tokens, 50 ms apart. `inside` is put
        before the command. Returns its URL.
        """
        name = f"replica-{len(self.replicas)}"
        command: list[str | Path] = [
            *inside, self.binary, "simulate", "--host", host, "--port", str(port), "--ttft", "20ms", "--itl", "50ms",
            "--jitter", "0", "--contention", "0", "--tokens", f"{tokens}..{tokens}", "--model", "m",
        ]
        replica = Process(name, command, self.folder / f"{name}.log", {"PATH": os.environ["PATH"]})
        self.replicas.append(replica)

        def is_well() -> bool | None:
            replica.check_alive()
            with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=5):
                return True
            return None

        wait_for(f"{name} to listen", PATIENCE_SECONDS, is_well)
        return f"http://{host}:{port}"

    def start(self, pool: dict[str, Any]) -> None:
        """Starts `up` with this pool (JSON is YAML) and waits until it serves."""
        config = self.folder / "streamgauge.yaml"
        config.write_text(json.dumps({"pools": [pool]}))
        self.port, self.ops, self.api = free_port(), free_port(), free_port()
        command: list[str | Path] = [
            self.binary, "up", "--config", config, "--listen", f"127.0.0.1:{self.port}", "--ops-listen",
            f"127.0.0.1:{self.ops}", "--api-listen", f"127.0.0.1:{self.api}", "--ledger",
            f"sqlite://{self.folder}/gauge.db",
        ]
        self.up = Process("up", command, self.folder / "up.log", {"PATH": os.environ["PATH"]})
        wait_for("the proxy and its replicas to be ready", PATIENCE_SECONDS, self._ready)

    def _ready(self) -> bool | None:
        assert self.up is not None
        self.up.check_alive()
        with contextlib.suppress(OSError):
            self.get(self.api, "/healthz")
            return self.ups() == len(self.replicas) or None
        return None

    def get(self, port: int, path: str) -> str:
        """A page of the ops port or of the API."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def ups(self) -> int:
        """How many replicas take requests."""
        lines = self.get(self.ops, "/metrics").splitlines()
        return sum(line.startswith("streamgauge_replica_up{") and line.endswith(" 1") for line in lines)

    def record(self, rid: str) -> dict[str, Any]:
        """The record of a request, as soon as it is in the ledger."""

        def look() -> dict[str, Any] | None:
            with contextlib.suppress(OSError):
                record: dict[str, Any] = json.loads(self.get(self.api, f"/api/v1/requests/{rid}"))
                return record
            return None

        return wait_for(f"the record of {rid}", PATIENCE_SECONDS, look)

    def ask(self, connection: http.client.HTTPConnection | None = None, max_tokens: int = 10_000) -> Answer:
        """One stream, read to its end; on a connection of its own when none is given."""
        own = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        answer = Answer(begun=time.monotonic())
        body = json.dumps({"model": "m", "stream": True, "max_tokens": max_tokens,
                           "messages": [{"role": "user", "content": "hello"}]})
        try:
            own.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
            response = own.getresponse()
            answer.status, answer.rid = response.status, response.getheader("x-request-id", "")
            for line in response:
                answer.events += line.startswith(b"data: ")
                answer.whole = answer.whole or line.startswith(b"data: [DONE]")
                answer.error_event = answer.error_event or b'"error"' in line
        except (OSError, http.client.HTTPException) as error:
            answer.words = repr(error)
        finally:
            if connection is None:
                own.close()
        answer.seconds = time.monotonic() - answer.begun
        return answer

    def close(self) -> None:
        """Ends everything, the supervisor first."""
        for process in (self.up, *self.replicas):
            if process is not None:
                process.stop()


class Crowd:
    """Clients in threads, and what they saw."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.streams: list[Answer] = []
        self.asked: list[Answer] = []

    def stream(self, count: int) -> None:
        """So many long streams begin."""
        for _ in range(count):
            self._run(lambda: self._keep(self.streams, self._fleet.ask()))

    def keep_asking(self, clients: int, keep_alive: bool = False) -> None:
        """So many clients ask for three tokens again and again, on new connections or on one that is kept."""

        def work() -> None:
            kept = None
            if keep_alive:
                kept = http.client.HTTPConnection("127.0.0.1", self._fleet.port, timeout=PATIENCE_SECONDS)
            while not self._over.wait(0.05):
                self._keep(self.asked, self._fleet.ask(kept, max_tokens=3))

        for _ in range(clients):
            self._run(work)

    def _keep(self, where: list[Answer], answer: Answer) -> None:
        with self._lock:
            where.append(answer)

    def _run(self, work: Any) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def over(self) -> None:
        """Clients that ask again stop; all answers are read to their end."""
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            if thread.is_alive():
                raise RuntimeError("a client still waits for its answer")
