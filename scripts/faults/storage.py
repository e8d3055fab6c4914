"""Faults of the ledger's disk under load. Clients must not notice, and nothing may be lost."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from processes import wait_for
from report import Verdict
from rig import Rig

# The promise: the ledger takes records this long after a fault has ended, without a restart.
RECOVERY_SECONDS = 5.0

# The promise: the write-ahead log stays below this while somebody reads for a minute.
WAL_BYTES_MAX = 64 << 20


@dataclass
class Pace:
    """How hard and how long."""

    rate: int
    calm_seconds: float
    fault_seconds: float


class Skipped(Exception):
    """This machine cannot make the fault; the text says why."""


def during(rig: Rig, name: str, pace: Pace, fault: Callable[[], contextlib.AbstractContextManager[None]]) -> Verdict:
    """Load, the same load with the fault, the first load again, then what is in the ledger."""
    rig.start()
    with rig.load(pace.rate, pace.calm_seconds) as calm:
        pass
    with fault(), rig.load(pace.rate, pace.fault_seconds) as hard:
        time.sleep(pace.fault_seconds / 2)
        noticed = seen(rig)
    recovery = rig.caught_up(4 * RECOVERY_SECONDS)
    with rig.load(pace.rate, pace.calm_seconds) as again:
        pass
    rig.caught_up(4 * RECOVERY_SECONDS)
    dropped = rig.metric("records_dropped_total")
    open_books = rig.metric("records_finished_total") - sum(
        rig.metric(name) for name in ("records_written_total", "record_queue_length", "records_dropped_total")
    )
    rig.terminate()
    loads = (calm, hard, again)
    answered = calm.ids | hard.ids | again.ids
    lost = len(answered - rig.rows())
    sound, without_row = rig.audit()
    failed = sum(load.failed for load in loads)
    return Verdict(
        name,
        answered=len(answered),
        failed=failed,
        lost=lost,
        p99_before_ms=calm.p99_ms,
        p99_during_ms=hard.p99_ms,
        p99_after_ms=again.p99_ms,
        recovery_seconds=recovery,
        passed=failed == 0 and lost == 0 and dropped == 0 and sound and without_row == 0
        and recovery <= RECOVERY_SECONDS and noticed != "nothing",
        words=f"seen as {noticed}"
        + ("" if sound else ", ledger not sound") + ("" if open_books == 0 else ", books open"),
    )


def seen(rig: Rig) -> str:
    """What `/healthz` says about the fault while it lasts."""
    health = rig.health()
    if health["trouble"]:
        return str(health["trouble"]["code"])
    # SQLite itself waits five seconds for a lock before it says anything; the records wait with it.
    return "a lag" if (health["lag_ms"] or 0) > 500 else "nothing"


@contextlib.contextmanager
def write_lock(rig: Rig) -> Iterator[None]:
    """Another program holds the write lock."""
    with contextlib.closing(sqlite3.connect(rig.ledger, isolation_level=None)) as stranger:
        stranger.execute("PRAGMA busy_timeout = 5000")
        stranger.execute("BEGIN IMMEDIATE")
        yield
        stranger.execute("ROLLBACK")


def locked(rig: Rig, pace: Pace) -> Verdict:
    """Another program holds the write lock."""
    return during(rig, f"locked {pace.fault_seconds:g} s", pace, lambda: write_lock(rig))


def overflowing(rig: Rig, pace: Pace) -> Verdict:
    """The ledger takes nothing for longer than records can wait: rows are dropped, sums count every request."""
    rig.environment = {"STREAMGAUGE_LEDGER__OVERFLOW": "64KiB"}
    rig.start()
    with write_lock(rig), rig.load(pace.rate, pace.fault_seconds) as load:
        pass
    recovery = rig.caught_up(4 * RECOVERY_SECONDS)
    finished, dropped = rig.metric("records_finished_total"), rig.metric("records_dropped_total")

    def summed() -> bool | None:
        return rig.metric("records_summed_total") == dropped or None

    wait_for("the sums to be written", 4 * RECOVERY_SECONDS, summed)
    rig.terminate()
    sound, without_row = rig.audit()
    return Verdict(
        f"overflow full, locked {pace.fault_seconds:g} s",
        answered=len(load.ids),
        failed=load.failed,
        lost=0,
        p99_during_ms=load.p99_ms,
        recovery_seconds=recovery,
        passed=load.failed == 0 and dropped > 0 and sound and without_row == dropped
        and rig.count() + without_row == finished and recovery <= RECOVERY_SECONDS,
        words=f"{dropped:.0f} rows dropped and counted, all {finished:.0f} requests in the sums",
    )


def full(rig: Rig, pace: Pace, disk: Path) -> Verdict:
    """No block is left on a small disk."""

    @contextlib.contextmanager
    def fault() -> Iterator[None]:
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        yield
        ballast.unlink()

    return during(rig, f"disk full {pace.fault_seconds:g} s", pace, fault)


def failing(rig: Rig, pace: Pace, letter: str, name: str) -> Verdict:
    """Calls of the proxy fail, through the preloaded library."""

    @contextlib.contextmanager
    def fault() -> Iterator[None]:
        rig.fault_file.write_text(letter)
        yield
        rig.fault_file.unlink()

    return during(rig, f"{name} {pace.fault_seconds:g} s", pace, fault)


def long_reader(rig: Rig, pace: Pace) -> Verdict:
    """Somebody holds a read transaction, so that the log cannot be used again from its begin."""
    rig.start()
    wal = Path(f"{rig.ledger}-wal")
    largest = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal largest
        while not done.wait(0.2):
            largest = max(largest, wal.stat().st_size)

    with contextlib.closing(sqlite3.connect(rig.ledger, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM request").fetchone()
        watcher = threading.Thread(target=watch)
        watcher.start()
        with rig.load(pace.rate, pace.fault_seconds) as load:
            pass
        done.set()
        watcher.join()
    rig.terminate()
    lost = len(load.ids - rig.rows())
    return Verdict(
        f"reader open {pace.fault_seconds:g} s",
        answered=len(load.ids),
        failed=load.failed,
        lost=lost,
        p99_during_ms=load.p99_ms,
        passed=load.failed == 0 and lost == 0 and largest <= WAL_BYTES_MAX,
        words=f"log up to {largest / 1e6:.1f} MB",
    )


def deleted(rig: Rig, pace: Pace) -> Verdict:
    """The file is removed; a new one takes what comes."""
    rig.start()
    with rig.load(pace.rate, pace.calm_seconds) as load:
        time.sleep(pace.calm_seconds / 2)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{rig.ledger}{suffix}").unlink(missing_ok=True)
        begun = time.monotonic()

        def has_rows() -> bool | None:
            with contextlib.suppress(sqlite3.Error):
                return rig.count() > 0 or None
            return None

        wait_for("rows in a new file", 4 * RECOVERY_SECONDS, has_rows)
        recovery = time.monotonic() - begun
    rig.terminate()
    sound, _ = rig.audit()
    return Verdict(
        "file deleted while running",
        answered=len(load.ids),
        failed=load.failed,
        p99_during_ms=load.p99_ms,
        recovery_seconds=recovery,
        passed=load.failed == 0 and recovery <= RECOVERY_SECONDS and sound,
        words="the deleted rows are gone, as they must be",
    )


def corrupt(rig: Rig, _pace: Pace) -> Verdict:
    """The file is damaged before the start."""
    with rig.ledger.open("r+b") as file:
        file.write(b"Z" * 64)
    took = rig.start()
    rig.terminate()
    kept = list(rig.ledger.parent.glob(f"{rig.ledger.name}.corrupt-*"))
    return Verdict(
        "corrupt file at the start",
        recovery_seconds=took,
        passed=len(kept) == 1 and rig.count() == 0,
        words="recovery: until ready; the old file is kept",
    )


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system in memory of this size; needs the right to mount."""
    disk = folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skipped(f"cannot mount a small disk: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def library(folder: Path) -> Path:
    """Compiles the library that makes calls fail."""
    built = folder / "fault.so"
    source = Path(__file__).with_name("fault.c")
    command = [os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", str(built), str(source), "-ldl"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Skipped("there is no C compiler") from None
    if done.returncode != 0:
        raise Skipped(f"cannot compile {source.name}: {done.stderr.strip()}")
    return built
