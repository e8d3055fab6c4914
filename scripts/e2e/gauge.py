"""The streamgauge under test: how to find and start it, and its API."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exposition import Exposition
from install import PROJECT
from processes import Process, free_port, wait_for
from replicas import ANSWER_SECONDS, get_text

# One request as the API shows it.
Record = dict[str, Any]

START_SECONDS = 30.0

# A record is promised within a second; the deadline leaves room to say how late it was.
RECORD_SECONDS = 10.0

# Running requests are drained after SIGTERM; those of these tests need a few seconds at most.
STOP_SECONDS = 30.0

# A page that holds all requests of a run.
PAGE_LEN = 500


class NoBinary(Exception):
    """There is no streamgauge to test."""


def find_binary() -> Path:
    """The program under test: `STREAMGAUGE_BIN`, or what cargo has built, an optimised build first."""
    named = os.environ.get("STREAMGAUGE_BIN")
    candidates = (
        [Path(named)] if named else [PROJECT / "target" / kind / "streamgauge" for kind in ("release", "debug")]
    )
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate.resolve()
    looked = " nor ".join(str(candidate) for candidate in candidates)
    raise NoBinary(f"neither {looked} is there: build it (`cargo build --release`) or set STREAMGAUGE_BIN")


def clean_environment() -> dict[str, str]:
    """Our environment without what streamgauge would take for configuration: the tests say all of it in flags."""
    legacy = {"BACKEND_HOST", "BACKEND_PORT", "PROXY_PORT", "METRICS_PORT", "DB_PATH"}
    return {
        name: value for name, value in os.environ.items() if not (name.startswith("STREAMGAUGE_") or name in legacy)
    }


@dataclass(frozen=True)
class Stored:
    """A record, and how long after the end of its request the API showed it."""

    record: Record
    lag_s: float


class Streamgauge:
    """One `streamgauge up` on free ports with a ledger of its own; `settings` are variables of its configuration."""

    def __init__(self, name: str, upstreams: list[str], folder: Path, settings: dict[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.proxy_port = free_port()
        self.proxy_url = f"http://127.0.0.1:{self.proxy_port}"
        self.ops_url = f"http://127.0.0.1:{free_port()}"
        self.api_url = f"http://127.0.0.1:{free_port()}"
        self.ledger = f"sqlite://{folder / f'{name}.db'}"
        self._name = name
        self._folder = folder
        command: list[str | Path] = [find_binary(), "up"]
        for upstream in upstreams:
            command += ["--upstream", upstream]
        command += ["--listen", self.proxy_url.removeprefix("http://")]
        command += ["--api-listen", self.api_url.removeprefix("http://")]
        command += ["--ops-listen", self.ops_url.removeprefix("http://")]
        command += ["--ledger", self.ledger]
        self.process = Process(name, command, folder / f"{name}.log", env={**clean_environment(), **(settings or {})})

    def wait_ready(self) -> None:
        """Returns when proxy and API say that they are ready."""
        for url in (f"{self.ops_url}/readyz", f"{self.api_url}/readyz"):
            self._wait_for_200(self.process, url)

    def read_only_api(self) -> Process:
        """Starts `streamgauge metrics-api` alone on the same ledger and API address, after `up` has ended."""
        command: list[str | Path] = [find_binary(), "metrics-api", "--ledger", self.ledger]
        command += ["--api-listen", self.api_url.removeprefix("http://")]
        process = Process(f"{self._name}-api", command, self._folder / f"{self._name}-api.log", env=clean_environment())
        self._wait_for_200(process, f"{self.api_url}/readyz")
        return process

    def get(self, path: str, **query: str) -> Any:
        """A JSON answer of the API; raises `OSError` for anything but a 200."""
        suffix = f"?{urllib.parse.urlencode(query)}" if query else ""
        return json.loads(get_text(f"{self.api_url}/api/v1/{path}{suffix}"))

    def record(self, request_id: str) -> Record | None:
        """The record of one request; `None` when the API does not know it."""
        try:
            found: Record = self.get(f"requests/{urllib.parse.quote(request_id, safe='')}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        return found

    def wait_for_record(self, request_id: str) -> Stored:
        """The record of a request that has just ended."""
        ended = time.monotonic()
        what = f"the record of {request_id} in the API"
        record = wait_for(what, RECORD_SECONDS, lambda: self.record(request_id))
        return Stored(record, time.monotonic() - ended)

    def records(self) -> list[Record]:
        """All records, newest first."""
        records: list[Record] = []
        query = {"from": "now-1h", "limit": str(PAGE_LEN)}
        while True:
            page = self.get("requests", **query)
            records += page["requests"]
            if page["next"] is None:
                return records
            query["cursor"] = page["next"]

    def summary(self) -> dict[str, Any]:
        """The figures over everything that this process has seen."""
        answer: dict[str, Any] = self.get("summary", **{"from": "now-1h"})
        return answer

    def exposition(self) -> Exposition:
        """`/metrics` of the API: every proxy's, as of its last pulse."""
        return Exposition(get_text(f"{self.api_url}/metrics"))

    def ops_exposition(self) -> Exposition:
        """`/metrics` of the proxy's own ops port: as of now."""
        return Exposition(get_text(f"{self.ops_url}/metrics"))

    def _wait_for_200(self, process: Process, url: str) -> None:
        def probe() -> bool | None:
            process.check_alive()
            try:
                with urllib.request.urlopen(url, timeout=ANSWER_SECONDS):
                    return True
            except OSError:
                return None

        wait_for(f"{url} to answer 200", START_SECONDS, probe)
