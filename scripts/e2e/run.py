"""The end-to-end test: real servers, the official clients, and streamgauge between them.

Called by `run.sh` with the Python that has the clients. Ends with 0 when nothing failed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from byte_checks import check_bytes
from cases import LLAMA, VLLM, Server
from endings import check_endings
from gauge import NoBinary, Streamgauge, find_binary
from install import Skip
from install_vllm import vllm_home
from play import Scene, play_all
from replicas import Replica, llama_model, start_llama, start_vllm
from report import Report
from totals import check_totals
from truth import check_truth

# Replicas of each kind: the smallest number with a choice in it.
REPLICAS = 2

# Set to 1, a part that this machine cannot run is a failure.
REQUIRE = "STREAMGAUGE_E2E_REQUIRE"

Start = Callable[[str, Path], Replica]


def test_server(server: Server, start: Start, prepare: Callable[[], object], report: Report, logs: Path) -> None:
    """Everything for one kind of server."""
    name = server.name
    try:
        report.say(f"{name}: making ready ...")
        prepare()
        with contextlib.ExitStack() as running:
            replicas: list[Replica] = []
            for number in range(REPLICAS):
                replicas.append(start(f"{name}-{number}", logs))
                running.callback(replicas[-1].process.stop)
            for replica in replicas:
                replica.wait_healthy()
            gauge = Streamgauge(f"{name}-gauge", [replica.url for replica in replicas], logs)
            running.callback(gauge.process.stop)
            gauge.wait_ready()
            report.say(f"{name}: {REPLICAS} replicas and streamgauge are up")
            report.header()
            scene = Scene(server, gauge, replicas, report, logs)
            play_all(scene)
            check_truth(scene)
            check_totals(scene)
            check_bytes(server, replicas[0], report, logs)
            check_endings(scene)
        report.say(f"{name}: done")
    except Skip as reason:
        report.skip(name, str(reason))
    except Exception as error:  # noqa: BLE001 - a server that does not start must not hide the other one's results.
        report.broken(name, error)


def end_on_signal(number: int, _frame: FrameType | None) -> None:
    """Turns a signal into an exception, so that every process is ended on the way out."""
    raise SystemExit(128 + number)


def main() -> int:
    """Runs the parts that were asked for and returns the exit status."""
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__)
    parser.add_argument("--llama-only", action="store_true", help="leave out vLLM (2.5 GB, some minutes)")
    parser.add_argument("--vllm-only", action="store_true", help="leave out llama-server")
    parser.add_argument("--logs", type=Path, help="keep the logs and ledgers of this run in this folder")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_on_signal)

    report = Report()
    try:
        report.say(f"testing {find_binary()}")
    except NoBinary as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with contextlib.ExitStack() as stack:
        logs: Path = options.logs or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamgauge-e2e-")))
        logs.mkdir(parents=True, exist_ok=True)
        if not options.vllm_only:
            test_server(LLAMA, start_llama, llama_model, report, logs)
        if not options.llama_only:
            test_server(VLLM, start_vllm, vllm_home, report, logs)
        report.finish()
    skipped = bool(report.skipped) and os.environ.get(REQUIRE) == "1"
    return 1 if report.failures or skipped else 0


if __name__ == "__main__":
    sys.exit(main())
