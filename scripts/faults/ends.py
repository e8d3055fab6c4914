"""Ends of the proxy under load: asked to, and killed."""

from __future__ import annotations

import random
import threading
import time

from report import Verdict
from rig import Rig


def terminated(rig: Rig, runs: int, rate: int) -> Verdict:
    """SIGTERM at random moments: every whole answer has its row."""
    answered: set[str] = set()
    slowest = 0.0
    for nth in range(runs):
        rig.start()
        with rig.load(rate, 2.0) as load:
            time.sleep(random.Random(nth).uniform(0.5, 1.5))
            begun = time.monotonic()
            rig.terminate()
            slowest = max(slowest, time.monotonic() - begun)
        answered |= load.ids
    lost = len(answered - rig.rows())
    sound, without_row = rig.audit()
    return Verdict(
        f"SIGTERM x {runs} at {rate}/s",
        answered=len(answered),
        lost=lost,
        passed=lost == 0 and sound and without_row == 0,
        words=f"longest end {slowest:.1f} s" + ("" if sound else ", ledger not sound"),
    )


def killed(rig: Rig, runs: int, rate: int) -> Verdict:
    """SIGKILL at random moments: at most a second of records is lost, and nothing that was committed."""
    worst, gone, answered = 0, 0, 0
    sound = True
    for nth in range(runs):
        before = rig.rows() if rig.ledger.exists() else set()
        rig.start()
        committed = [0]
        watching = threading.Event()

        def watch() -> None:
            while not watching.is_set():
                committed[0] = max(committed[0], rig.count())

        with rig.load(rate, 2.0) as load:
            watcher = threading.Thread(target=watch)
            watcher.start()
            time.sleep(random.Random(nth).uniform(0.8, 1.8))
            rig.kill()
            watching.set()
            watcher.join()
        after = rig.rows()
        worst = max(worst, len(load.ids - after))
        gone += max(0, committed[0] - len(after)) + len(before - after)
        answered += len(load.ids)
        whole, without_row = rig.audit()
        sound = sound and whole and without_row == 0
    return Verdict(
        f"kill -9 x {runs} at {rate}/s",
        answered=answered,
        lost=worst,
        passed=worst <= rate and gone == 0 and sound,
        words=f"lost: the worst run; committed rows lost {gone}; sums {'equal' if sound else 'DIFFER FROM'} rows",
    )
