"""The proxy is replaced under load, with streams under way. See upgrade.sh."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from fleet import Crowd, Fleet

from processes import ProcessDied, WaitedTooLong, free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]

# Streams that run when the proxy is replaced, and clients that ask all the while on new connections.
STREAMS, CLIENTS = 50, 8


def run(fleet: Fleet, by_signal: signal.Signals) -> bool:
    """One replacement under load; whether nobody noticed."""
    replica = fleet.replica("127.0.0.1", free_port(), 160)
    fleet.start({"name": "default", "replicas": [replica]})
    assert fleet.up is not None
    crowd = Crowd(fleet)
    crowd.stream(STREAMS)
    crowd.keep_asking(CLIENTS)
    crowd.keep_asking(1, keep_alive=True)
    time.sleep(2.0)
    begun = time.monotonic()
    os.kill(fleet.up.pid, by_signal)
    log = fleet.up.log
    wait_for("the new proxy", 30, lambda: "proxy was replaced" in log.read_text() or None)
    taken = time.monotonic() - begun
    running = STREAMS - len(crowd.streams)
    wait_for("the streams to end", 60, lambda: len(crowd.streams) == STREAMS or None)
    time.sleep(1.0)
    crowd.over()
    answers = crowd.streams + crowd.asked
    failed = [answer for answer in crowd.asked if not answer.whole]
    broken = [answer for answer in crowd.streams if not answer.whole]
    without = sum(fleet.record(answer.rid)["outcome"] != "success" for answer in answers)
    kept = running > 0 and not failed and not broken and without == 0
    print(f"{by_signal.name:<9}{taken:>8.2f} s{running:>10}{len(broken):>8}{len(crowd.asked):>8}{len(failed):>8}"
          f"{len(answers) - without:>10} of {len(answers):<7}{'ok' if kept else 'FAILED'}", flush=True)
    for answer in (*failed, *broken):
        print(f"  {answer.status} after {answer.seconds:.2f} s, {answer.events} events {answer.words}")
    return kept


def main() -> int:
    """The exit code."""
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    binary = Path(os.environ.get("STREAMGAUGE_BIN", f"{target}/release/streamgauge")).resolve()
    if not binary.exists():
        print(f"error: there is no {binary}; build it with `make build`, or set STREAMGAUGE_BIN", file=sys.stderr)
        return 1
    # An exception, so that all is cleaned up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print("signal   replaced   streams  broken   asked  failed   recorded as success")
    kept = True
    for by_signal in (signal.SIGQUIT, signal.SIGUSR2):
        with tempfile.TemporaryDirectory(prefix="streamgauge-upgrade-") as folder:
            with contextlib.closing(Fleet(binary, Path(folder))) as fleet:
                try:
                    kept = run(fleet, by_signal) and kept
                except (OSError, RuntimeError, ProcessDied, WaitedTooLong) as error:
                    print(f"{by_signal.name}: FAILED: {error}")
                    kept = False
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
