"""A replica vanishes without a FIN or RST: its link goes down under load. See vanish.sh."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fleet import Answer, Crowd, Fleet

from processes import ProcessDied, WaitedTooLong, free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]

# The pool: what the times below are held against.
INTERVAL_SECONDS, TIMEOUT_SECONDS, FAILURES, IDLE_SECONDS = 0.5, 0.5, 3, 3.0

# So many probes have to go without an answer, the last of them for its whole timeout. Requests that cannot connect
# make it sooner.
OUT_SECONDS = FAILURES * INTERVAL_SECONDS + TIMEOUT_SECONDS

# What a busy machine may add to a time.
SLACK_SECONDS = 1.0

# Streams that run when the link goes down, and clients that ask all the while.
STREAMS, CLIENTS = 20, 8

# From the block for tests of networks (RFC 2544): routed nowhere.
NEAR, FAR = "198.18.201.1", "198.18.201.2"


def ip(*words: str) -> None:
    """Runs `ip`; raises with what it said."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=10, check=False)
    if done.returncode != 0:
        raise PermissionError(f"`ip {' '.join(words)}`: {done.stderr.strip()}")


@contextlib.contextmanager
def namespace() -> Iterator[tuple[str, str]]:
    """A network namespace with a link to ours; the namespace and the name of the link at its end."""
    name, near, far = f"streamgauge-{os.getpid()}", f"sgn{os.getpid()}", f"sgf{os.getpid()}"
    ip("netns", "add", name)
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", far)
        ip("link", "set", far, "netns", name)
        ip("addr", "add", f"{NEAR}/30", "dev", near)
        ip("link", "set", near, "up")
        ip("-n", name, "addr", "add", f"{FAR}/30", "dev", far)
        ip("-n", name, "link", "set", far, "up")
        yield name, far
    finally:
        # The namespace would take the link with it, but only when its last connection has given up, minutes later:
        # the next run would find two such routes.
        with contextlib.suppress(PermissionError):
            ip("link", "del", near)
        ip("netns", "del", name)


def run(fleet: Fleet, name: str, link: str) -> bool:
    """The link goes down under load; whether all promises were kept."""
    near = fleet.replica("127.0.0.1", free_port(), 200)
    gone = fleet.replica(FAR, 9000, 200, inside=("ip", "netns", "exec", name))
    fleet.start({
        "name": "default", "replicas": [near, gone], "timeouts": {"connect": "500ms", "idle": f"{IDLE_SECONDS:g}s"},
        "health": {"interval": "500ms", "timeout": "500ms", "failures": FAILURES},
    })
    crowd = Crowd(fleet)
    crowd.stream(STREAMS)
    crowd.keep_asking(CLIENTS)
    time.sleep(2.0)
    ip("-n", name, "link", "set", link, "down")
    down = time.monotonic()
    wait_for("the replica to be out of rotation", 30, lambda: fleet.ups() == 1 or None)
    out = time.monotonic() - down
    time.sleep(2.0)
    crowd.over()

    running = crowd.streams + [answer for answer in crowd.asked if answer.begun < down < answer.begun + answer.seconds]
    cut = [stream for stream in running if not stream.whole]
    ends = [stream.begun + stream.seconds - down for stream in cut]
    records = [fleet.record(stream.rid) for stream in cut]
    host = gone.removeprefix("http://")
    as_idle = sum(record["outcome"] == "timeout_idle" and host in str(record["replica"]) for record in records)
    between = [answer for answer in crowd.asked if down <= answer.begun < down + out]
    after = [answer for answer in crowd.asked if answer.begun >= down + out]
    rows = [
        ("out of rotation after", f"{out:.2f} s", out <= OUT_SECONDS + SLACK_SECONDS, f"{OUT_SECONDS:g} s"),
        ("requests until then: asked, failed", counted(between), failed(between) == 0, "0 failed"),
        ("slowest of them", f"{max((answer.seconds for answer in between), default=0):.2f} s", True, ""),
        ("requests after: asked, failed", counted(after), bool(after) and failed(after) == 0, "0 failed"),
        ("answers that ran: whole, cut", f"{len(running) - len(cut)}, {len(cut)}", 0 < len(cut) < len(running), ""),
        ("cut ones: ended after", f"{min(ends, default=0):.2f} to {max(ends, default=0):.2f} s",
         max(ends, default=99) <= IDLE_SECONDS + SLACK_SECONDS, f"{IDLE_SECONDS:g} s"),
        ("... with an error event", f"{sum(stream.error_event for stream in cut)} of {len(cut)}",
         all(stream.error_event for stream in cut), "all"),
        ("... recorded as timeout_idle", f"{as_idle} of {len(cut)}", as_idle == len(cut), "all"),
    ]
    for what, seen, kept, promise in rows:
        print(f"{what:<44}{seen:<18}{promise:<12}{'ok' if kept else 'FAILED'}")
    return all(kept for _, _, kept, _ in rows)


def counted(answers: list[Answer]) -> str:
    """How many there were, and how many failed."""
    return f"{len(answers)}, {failed(answers)}"


def failed(answers: list[Answer]) -> int:
    """Answers that were not whole."""
    return sum(not answer.whole for answer in answers)


def main() -> int:
    """The exit code: 0 as well when this machine may not make a namespace."""
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    binary = Path(os.environ.get("STREAMGAUGE_BIN", f"{target}/release/streamgauge")).resolve()
    if not binary.exists():
        print(f"error: there is no {binary}; build it with `make build`, or set STREAMGAUGE_BIN", file=sys.stderr)
        return 1
    # An exception, so that all is cleaned up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="streamgauge-vanish-"))
        try:
            name, link = stack.enter_context(namespace())
        except (OSError, subprocess.TimeoutExpired) as reason:
            print(f"skipped: no network namespace can be made here (that takes root and iproute2): {reason}")
            return 0
        fleet = stack.enter_context(contextlib.closing(Fleet(binary, Path(folder))))
        try:
            return 0 if run(fleet, name, link) else 1
        except (OSError, RuntimeError, ProcessDied, WaitedTooLong) as error:
            print(f"FAILED: {error}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
