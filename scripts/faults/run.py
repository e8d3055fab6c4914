"""Breaks the ledger's disk and the proxy itself under load, and prints what clients and ledger saw. See faults.sh."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from report import Verdict, head, show, total
from rig import Rig

import ends
import migration
import storage
from processes import ProcessDied, WaitedTooLong
from storage import Pace, Skipped

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Runs what was asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="faults.sh", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="each fault for a second or two, as in `make test`")
    parser.add_argument("--only", metavar="WORD", default="", help="only faults whose name holds this word")
    options = parser.parse_args()
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    binary = Path(os.environ.get("STREAMGAUGE_BIN", f"{target}/release/streamgauge"))
    if not binary.exists():
        print(f"error: there is no {binary}; build it with `make build`, or set STREAMGAUGE_BIN", file=sys.stderr)
        return 1
    verdicts: list[Verdict] = []
    skipped = 0
    head()
    for name, fault in faults(options.quick):
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory(prefix="streamgauge-faults-") as folder:
            try:
                verdicts.append(fault(binary, Path(folder)))
                show(verdicts[-1])
            except Skipped as reason:
                print(f"{name}: skipped: {reason}", flush=True)
                skipped += 1
            except (OSError, RuntimeError, ProcessDied, WaitedTooLong) as error:
                verdicts.append(Verdict(name, passed=False, words=str(error)))
                show(verdicts[-1])
    return total(verdicts, skipped)


def faults(quick: bool) -> Iterator[tuple[str, Callable[[Path, Path], Verdict]]]:
    """Every fault with its name, to be run in a folder of its own."""
    minute, short = (3.0, 3.0) if quick else (60.0, 10.0)
    rate, calm = (100, 1.0) if quick else (1000, 10.0)
    runs = 2 if quick else 20

    def on_disk(work: Callable[[Rig], Verdict]) -> Callable[[Path, Path], Verdict]:
        def run(binary: Path, folder: Path) -> Verdict:
            with contextlib.closing(Rig(binary, folder)) as rig:
                return work(rig)

        return run

    def on_small_disk(binary: Path, folder: Path) -> Verdict:
        with storage.small_disk(folder, 32 if quick else 96) as disk:
            with contextlib.closing(Rig(binary, folder, disk / "gauge.db")) as rig:
                return storage.full(rig, Pace(rate, calm, minute), disk)

    def preloaded(letter: str, name: str) -> Callable[[Path, Path], Verdict]:
        def run(binary: Path, folder: Path) -> Verdict:
            library = storage.library(folder)
            with contextlib.closing(Rig(binary, folder)) as rig:
                rig.library = library
                return storage.failing(rig, Pace(rate, calm, short), letter, name)

        return run

    def corrupt(rig: Rig) -> Verdict:
        rig.start()
        rig.terminate()
        return storage.corrupt(rig, Pace(rate, calm, short))

    half = rate if quick else 500
    yield "terminated", on_disk(lambda rig: ends.terminated(rig, runs, half))
    yield "killed", on_disk(lambda rig: ends.killed(rig, runs, rate))
    yield "migration", on_disk(lambda rig: migration.killed(rig, runs, 1_000 if quick else 200_000))
    yield "locked", on_disk(lambda rig: storage.locked(rig, Pace(rate, calm, minute)))
    yield "overflow", on_disk(lambda rig: storage.overflowing(rig, Pace(rate, calm, short)))
    yield "full", on_small_disk
    yield "fsync", preloaded("f", "fsync failing")
    yield "readonly", preloaded("r", "writes refused as read-only")
    yield "reader", on_disk(lambda rig: storage.long_reader(rig, Pace(rate, calm, minute)))
    yield "deleted", on_disk(lambda rig: storage.deleted(rig, Pace(rate, max(calm, 3.0), short)))
    yield "corrupt", on_disk(corrupt)


if __name__ == "__main__":
    sys.exit(main())
