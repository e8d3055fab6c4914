"""Compares a record with the client's view and with the server's own counters.

A time in a record stands between two others that know nothing of streamgauge: the server's own, which is shorter
because it starts later and ends earlier, and the client's, which is longer. That holds at any load of the machine;
only how close the client's is to ours needs a tolerance, and is checked over all requests of a client.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cases import Case
from client import Seen
from gauge import Record, Stored
from replicas import Counters

# What rounding may turn around between two clocks that measure the same thing, in milliseconds.
ROUNDING_MS = 2.0

# How much longer than our time the client's may be in the median over its requests, in milliseconds: its own code and
# the loopback interface. In the median only: on a busy machine, the client of a single request may wait its turn for a
# second. Seen in November 2026 on two cores that compiled at the same time: 3. Less than the 40 of a delayed
# acknowledgement, so that a small write held back by Nagle's algorithm shows.
CLIENT_LAG_MS_MAX = 30.0

# How long after a client has left the proxy may notice, in milliseconds.
NOTICE_MS_MAX = 1000.0

# When the API must show a record after the end of its request, in seconds. The promise is one second; half a second
# more is the writer's and the poll's share on a busy machine.
RECORD_LAG_S_MAX = 1.5


@dataclass(frozen=True)
class Check:
    """One comparison."""

    what: str
    expected: str
    got: str
    ok: bool


@dataclass
class Checks:
    """The comparisons of one case."""

    done: list[Check] = field(default_factory=list)

    @property
    def failed(self) -> list[Check]:
        """Those that did not hold."""
        return [check for check in self.done if not check.ok]

    def equal(self, what: str, expected: object, got: object) -> None:
        """`got` must be `expected`."""
        self.done.append(Check(what, str(expected), str(got), expected == got))

    def holds(self, what: str, expected: str, got: object, ok: bool) -> None:
        """A condition that is more than equality, with its words."""
        self.done.append(Check(what, expected, str(got), ok))

    def null(self, record: Record, *names: str) -> None:
        """Fields that must be unknown: never 0."""
        for name in names:
            self.equal(name, None, record[name])

    def known(self, record: Record, *names: str) -> None:
        """Fields that must be known."""
        for name in names:
            self.holds(name, "a value", record[name], record[name] is not None)

    def between(self, what: str, low: float | None, value: Any, high: float) -> None:
        """`low` <= `value` <= `high`, but for rounding; no lower bound when `low` is `None`."""
        low_text = "0" if low is None else f"{low:.1f}"
        got = "null" if value is None else f"{value:.1f}"
        ok = value is not None and (low or 0.0) - ROUNDING_MS <= value <= high + ROUNDING_MS
        self.holds(what, f"{low_text} .. {high:.1f}", got, ok)


def check_case(case: Case, request_id: str, seen: Seen, stored: Stored, growth: Counters) -> Checks:
    """Everything that must hold for one case after it has ended."""
    checks = Checks()
    record = stored.record
    check_identity(checks, case, request_id, seen, record)
    check_client_view(checks, case, seen, record)
    check_times(checks, case, seen, record, growth)
    check_tokens(checks, case, seen, record, growth)
    lag = f"within {RECORD_LAG_S_MAX} s"
    checks.holds("record in the API", lag, f"{stored.lag_s:.2f} s", stored.lag_s <= RECORD_LAG_S_MAX)
    return checks


def check_lags(lags_ms: Sequence[float]) -> Checks:
    """Over all requests of a client: its times are not far from ours, so ours are not far too short."""
    checks = Checks()
    median = statistics.median(lags_ms)
    most = f"at most {CLIENT_LAG_MS_MAX:.0f} ms"
    checks.holds("median of client's time minus ours", most, f"{median:.1f} ms", median <= CLIENT_LAG_MS_MAX)
    return checks


def check_identity(checks: Checks, case: Case, request_id: str, seen: Seen, record: Record) -> None:
    """Which request it was, and how it ended."""
    expected = case.expected
    checks.equal("id", request_id, record["id"])
    checks.equal("endpoint", expected.endpoint, record["endpoint"])
    checks.equal("outcome", expected.outcome, record["outcome"])
    checks.equal("status", expected.status, record["status"])
    checks.equal("finish_reason", expected.finish_reason, record["finish_reason"])
    if case.kind in ("chat", "completion"):
        checks.equal("stream", case.stream, record["stream"])
        checks.equal("model_requested", case.body["model"], record["model_requested"])
        checks.equal("max_tokens", case.body["max_tokens"], record["max_tokens"])
        checks.equal("n_choices", case.body.get("n"), record["n_choices"])
        # An error comes as plain JSON also where a stream was asked for: no chunk to take out.
        asked_for_client = case.stream and "stream_options" not in case.body and seen.status == 200
        checks.equal("usage_injected among the flags", asked_for_client, "usage_injected" in record["flags"])
        checks.holds("sdk", "openai-...", record["sdk"], str(record["sdk"]).startswith("openai-"))
        checks.equal("sdk_retry", 0, record["sdk_retry"])
    if expected.forwarded:
        checks.known(record, "replica")
        checks.equal("attempts", 1, record["attempts"])
    else:
        checks.null(record, "replica")
        checks.equal("attempts", 0, record["attempts"])
    if expected.outcome == "success":
        checks.null(record, "error_type")
        # Both clients close at `[DONE]`, which may be seen before or after the end of the body: served either way.
        gone = record["client_gone_at_ms"]
        end = f"null, or after the end at {record['e2e_ms']:.1f}"
        checks.holds("client_gone_at_ms", end, gone, gone is None or gone >= record["e2e_ms"] - ROUNDING_MS)
        if case.stream:
            checks.equal("terminal", True, record["terminal"])
    if expected.outcome == "client_cancelled":
        checks.known(record, "client_gone_at_ms")


def check_client_view(checks: Checks, case: Case, seen: Seen, record: Record) -> None:
    """What the client got: the answer as the server meant it, with our id and nothing added."""
    checks.equal("client's status", case.expected.status, seen.status)
    if case.give_up_ms is None:
        checks.equal("x-request-id in the answer", record["id"], seen.request_id)
    if seen.finish_reason is not None:
        checks.equal("client's finish reason", seen.finish_reason, record["finish_reason"])
    if seen.model is not None and case.kind != "models":
        checks.equal("model", seen.model, record["model"])
    if seen.error_type is not None:
        checks.equal("error_type", seen.error_type, record["error_type"])
    if case.stream:
        checks.equal("usage chunks at the client", case.expected.usage_chunks, seen.usage_chunks)
    leaves = case.abort_after_chunks is not None or case.give_up_ms is not None
    checks.equal("client left early", leaves, seen.left)


def check_times(checks: Checks, case: Case, seen: Seen, record: Record, growth: Counters) -> None:
    """Times of the record between the server's own and the client's own."""
    whole = case.expected.tokens and case.choices == 1
    e2e_low = growth.total_s * 1000 if whole else None
    assert seen.e2e_ms is not None, "every client measures the whole call"
    e2e_high = seen.e2e_ms + NOTICE_MS_MAX if seen.left else seen.e2e_ms
    checks.between("e2e_ms", e2e_low, record["e2e_ms"], e2e_high)
    if seen.left:
        checks.between("client_gone_at_ms", record["ttft_ms"], record["client_gone_at_ms"], e2e_high)
    if not case.expected.ttft:
        checks.null(record, "ttft_ms", "upstream_ttft_ms", "tpot_ms", "itl_mean_ms")
        return
    assert seen.ttft_ms is not None, "a case that expects a TTFT has content"
    ttft_low = growth.first_token_s * 1000 if whole else None
    checks.between("ttft_ms", ttft_low, record["ttft_ms"], seen.ttft_ms)
    if record["ttft_ms"] is not None:
        checks.between("ttfb_ms", None, record["ttfb_ms"], record["ttft_ms"])
        checks.between("upstream_ttft_ms", ttft_low, record["upstream_ttft_ms"], record["ttft_ms"])
    if case.body["max_tokens"] == 1:
        checks.null(record, "tpot_ms", "itl_mean_ms", "itl_max_ms", "generation_ms")


def check_tokens(checks: Checks, case: Case, seen: Seen, record: Record, growth: Counters) -> None:
    """Tokens of the record against the server's counters, and against what the client was told."""
    counts = ("prompt_tokens", "completion_tokens")
    if case.expected.tokens:
        checks.equal("prompt_tokens (server's counter)", growth.prompt_tokens // case.choices, record["prompt_tokens"])
        checks.equal("completion_tokens (server's counter)", growth.completion_tokens, record["completion_tokens"])
        checks.equal("usage_source", "final", record["usage_source"])
    else:
        checks.null(record, *counts)
    for name in counts:
        told = getattr(seen, name)
        if told is not None:
            checks.equal(f"{name} (client's usage)", told, record[name])
    if case.stream and case.expected.outcome == "success":
        checks.holds(
            "token_events",
            f"at least the client's {seen.content_chunks} chunks",
            record["token_events"],
            record["token_events"] is not None and record["token_events"] >= seen.content_chunks,
        )
    if seen.left:
        half = case.body["max_tokens"] // 2
        checks.holds(
            "tokens generated for a client that left",
            f"fewer than {half}",
            growth.completion_tokens,
            growth.completion_tokens < half,
        )
