"""What each fault did, as a table and as a count that `make test` adds up."""

from __future__ import annotations

from dataclasses import dataclass

COLUMNS = "{:<38}{:>9}{:>8}{:>7}{:>11}{:>11}{:>11}{:>10}  {:<8}{}"


@dataclass
class Verdict:
    """One row. `None` is what was not measured."""

    name: str
    answered: int = 0
    failed: int = 0
    lost: int = 0
    p99_before_ms: float | None = None
    p99_during_ms: float | None = None
    p99_after_ms: float | None = None
    recovery_seconds: float | None = None
    passed: bool = True
    words: str = ""


def show(verdict: Verdict) -> None:
    """Prints a row as soon as it is known."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    print(
        COLUMNS.format(
            verdict.name,
            verdict.answered,
            verdict.failed,
            verdict.lost,
            number(verdict.p99_before_ms),
            number(verdict.p99_during_ms),
            number(verdict.p99_after_ms),
            number(verdict.recovery_seconds),
            "ok" if verdict.passed else "FAILED",
            verdict.words,
        ),
        flush=True,
    )


def head() -> None:
    """Prints the names of the columns."""
    print(
        COLUMNS.format(
            "fault", "answered", "failed", "lost", "p99 before", "during", "after", "recovery", "verdict", "notes"
        )
    )
    print(COLUMNS.format("", "", "", "", "ms", "ms", "ms", "s", "", ""), flush=True)


def total(verdicts: list[Verdict], skipped: int) -> int:
    """Prints the last line; the exit code."""
    failed = sum(not verdict.passed for verdict in verdicts)
    print(f"{len(verdicts) - failed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return min(failed, 1)
