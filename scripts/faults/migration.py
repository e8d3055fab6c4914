"""A migration that is killed: the real binary opens an old ledger, and is killed on its way."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from pathlib import Path

from processes import WaitedTooLong
from report import Verdict
from rig import PATIENCE_SECONDS, Rig

SCHEMA = Path(__file__).resolve().parents[2] / "crates" / "ledger" / "src" / "sqlite" / "schema"

# `application_id` of a ledger: the letters `SGgl`.
APPLICATION_ID = 0x5347_676C

# When the first request of the old ledger began, in milliseconds since 1970: a row id holds it above 21 bits.
BEGIN_MS = 1_790_000_000_000

# What a start and its end look like from outside: the schema of the file, its rows, what is wrong, its tables.
State = tuple[int, int, str, list[str]]


def killed(rig: Rig, runs: int, rows: int) -> Verdict:
    """SIGKILL while a ledger of schema 1 is opened, and while it is migrated; then a start that goes through."""
    old = rig.folder / "old.db"
    begin(old, rows)
    place(old, rig.ledger)
    begun = time.monotonic()
    rig.launch()
    opened = until_logged(rig.ledger) - begun
    rig.await_ready()
    took = time.monotonic() - begun
    rig.terminate()
    whole = state(rig.ledger)
    newest = len(list(SCHEMA.glob("*.sql")))
    found: dict[int, int] = {}
    wrong = 0 if whole[:3] == (newest, rows, "ok") else 1
    for nth in range(runs):
        place(old, rig.ledger)
        rig.launch()
        moment = random.Random(nth)
        if nth % 2 == 0:
            time.sleep(moment.uniform(0, opened))
        else:
            until_logged(rig.ledger)
            time.sleep(moment.uniform(0, took - opened))
        rig.kill()
        version, kept, soundness, _ = state(rig.ledger)
        found[version] = found.get(version, 0) + 1
        wrong += (kept, soundness) != (rows, "ok")
        rig.start()
        rig.terminate()
        wrong += state(rig.ledger) != whole
    left = ", ".join(f"schema {version} {count} times" for version, count in sorted(found.items()))
    return Verdict(
        f"kill -9 x {runs} in a migration",
        recovery_seconds=took,
        passed=wrong == 0,
        words=f"{rows} rows; the kill left {left}" + (f"; {wrong} states are wrong" if wrong else ""),
    )


def begin(path: Path, rows: int) -> None:
    """A ledger of schema 1 with requests, and as many cells, which a migration drops."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA auto_vacuum = INCREMENTAL")
        file.executescript((SCHEMA / "0001.sql").read_text())
        file.execute("BEGIN")
        for table in ("request", "rollup"):
            columns = {
                name: filling(name, kind)
                for (_, name, kind, required, _, key) in file.execute(f"PRAGMA table_info({table})")
                if required or key
            }
            file.execute(
                "WITH RECURSIVE row (nth) AS (SELECT 0 UNION ALL SELECT nth + 1 FROM row WHERE nth + 1 < ?1) "
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM row",
                (rows,),
            )
        file.execute("COMMIT")
        file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        file.execute("PRAGMA user_version = 1")


def filling(name: str, kind: str) -> str:
    """The value of a column in the row `nth`, as SQL."""
    if name == "id":
        return f"({BEGIN_MS} + nth) << 21"
    if kind == "BLOB":
        return "randomblob(16)" if name == "rid" else "randomblob(200)"
    return "nth * 60" if name == "at_s" else "0"


def place(old: Path, ledger: Path) -> None:
    """Puts a copy of the old ledger where the proxy looks, with nothing beside it."""
    ledger.parent.mkdir(exist_ok=True)
    for suffix in ("-wal", "-shm"):
        Path(f"{ledger}{suffix}").unlink(missing_ok=True)
    ledger.write_bytes(old.read_bytes())


def until_logged(ledger: Path) -> float:
    """Waits until the first step of a migration is in the log; the moment."""
    log = Path(f"{ledger}-wal")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            if log.stat().st_size > 0:
                return time.monotonic()
    raise WaitedTooLong(f"waited {PATIENCE_SECONDS:g} s for the migration to begin")


def state(ledger: Path) -> State:
    """What is in the file, read as any program may that finds it after a crash."""
    with contextlib.closing(sqlite3.connect(ledger)) as file:
        (version,) = file.execute("PRAGMA user_version").fetchone()
        (rows,) = file.execute("SELECT count(*) FROM request").fetchone()
        (soundness,) = file.execute("PRAGMA integrity_check").fetchone()
        tables = [text for (text,) in file.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name")]
    return version, rows, soundness, tables
