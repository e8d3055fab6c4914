"""Prints the table of cases while they run, and the end result."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from cases import Case
from checks import Check, Checks
from client import Seen
from gauge import Record
from replicas import Counters

HEADER = (
    f"{'server':<6} {'client':<7} {'case':<33} {'outcome':<17} {'tokens':>9}  "
    f"{'ttft ms: server, record, client':<32} {'e2e ms: server, record, client':<32} result"
)


@dataclass
class Report:
    """Counts of what ran, and the failures in words."""

    passed: int = 0
    checks_done: int = 0
    failures: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """A line between the rows, with the time since the start."""
        print(f"[{time.monotonic() - self.started:5.1f} s] {text}", flush=True)

    def header(self) -> None:
        """The names of the columns."""
        print(f"\n{HEADER}\n{'-' * len(HEADER)}", flush=True)

    def case(
        self, server: str, client: str, case: Case, checks: Checks, seen: Seen, record: Record, growth: Counters
    ) -> None:
        """A row for one request."""
        tokens = f"{number(record['prompt_tokens'])}+{number(record['completion_tokens'])}"
        whole = record["outcome"] == "success" and case.expected.tokens and case.choices == 1
        ttft = times(growth.first_token_s * 1000 if whole else None, record["ttft_ms"], seen.ttft_ms)
        e2e = times(growth.total_s * 1000 if whole else None, record["e2e_ms"], seen.e2e_ms)
        left = f"{server:<6} {client:<7} {case.name:<33} {record['outcome']:<17} {tokens:>9}  {ttft:<32} {e2e:<32}"
        self._close(left, f"{server} {client} {case.name}", checks)

    def group(self, server: str, client: str, name: str, checks: Checks, words: str) -> None:
        """A row for something that is more than one request."""
        self._close(f"{server:<6} {client:<7} {name:<33} {words:<93}", f"{server} {client} {name}", checks)

    def broken(self, name: str, error: BaseException) -> None:
        """A case that could not be played to its end."""
        text = f"{name}: {type(error).__name__}: {error}"
        self.failures.append(text)
        print(f"FAILED {text}", flush=True)

    def skip(self, what: str, reason: str) -> None:
        """A part that this machine cannot run."""
        self.skipped.append(f"{what}: {reason}")
        print(f"skipped {what}: {reason}", flush=True)

    def finish(self) -> None:
        """The failures again, all together, and the counts."""
        print()
        for text in self.skipped:
            print(f"skipped {text}")
        for text in self.failures:
            print(f"FAILED {text}")
        seconds = time.monotonic() - self.started
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        print(
            f"{self.passed} passed, {len(self.failures)} failed{skipped}"
            f" ({self.checks_done} comparisons in {seconds:.0f} s)",
            flush=True,
        )

    def _close(self, left: str, name: str, checks: Checks) -> None:
        self.checks_done += len(checks.done)
        if checks.failed:
            print(f"{left} FAILED", flush=True)
            for check in checks.failed:
                print(f"       {describe(check)}", flush=True)
            more = f" (and {len(checks.failed) - 1} more)" if len(checks.failed) > 1 else ""
            self.failures.append(f"{name}: {describe(checks.failed[0])}{more}")
        else:
            self.passed += 1
            print(f"{left} ok ({len(checks.done)})", flush=True)


def describe(check: Check) -> str:
    """A failed comparison in words."""
    return f"{check.what}: expected {check.expected}, got {check.got}"


def number(value: int | None) -> str:
    """A count, or a dash for unknown."""
    return "-" if value is None else str(value)


def times(*values: float | None) -> str:
    """Times side by side, shortest first when all is well."""
    return " <= ".join("-" if value is None else f"{value:.1f}" for value in values)
