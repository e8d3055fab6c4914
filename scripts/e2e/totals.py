"""Compares everything that was sent with what the ledger, the summary and `/metrics` add up to."""

from __future__ import annotations

import contextlib
import subprocess
from collections import Counter

from checks import Checks
from exposition import Exposition
from install import Skip, promtool
from play import Scene
from processes import WaitedTooLong, wait_for

# The proxy writes its metrics into the ledger once a second, and the API reads them there.
PULSE_SECONDS = 5.0

# Seconds for promtool, which reads a few hundred lines.
PROMTOOL_SECONDS = 30.0


def check_totals(scene: Scene) -> None:
    """One row each for the ledger, the summary, `/metrics`, and promtool."""
    name = scene.server.name
    for what, check in (
        ("every request, once", check_ledger),
        ("summary", check_summary),
        ("/metrics", check_metrics),
        ("promtool check metrics", check_promtool),
    ):
        try:
            check(scene, what)
        except Exception as error:  # noqa: BLE001 - one broken part must not hide the others.
            scene.report.broken(f"{name} {what}", error)


def check_ledger(scene: Scene, name: str) -> None:
    """The ledger has exactly the requests that were sent: health probes and the like leave none."""
    checks = Checks()
    ids = [record["id"] for record in scene.gauge.records()]
    checks.equal("ids that were sent and have no record", [], sorted(set(scene.sent) - set(ids)))
    checks.equal("ids with a record that were not sent", [], sorted(set(ids) - set(scene.sent)))
    checks.equal("ids with two records", [], [key for key, count in Counter(ids).items() if count > 1])
    scene.report.group(scene.server.name, "all", name, checks, f"{len(ids)} records")


def check_summary(scene: Scene, name: str) -> None:
    """The summary is the sum of the records, and its tokens are the servers' own counts."""
    checks = Checks()
    records = scene.gauge.records()
    summary = scene.gauge.summary()
    outcomes = Counter(record["outcome"] for record in records)
    checks.equal("requests", len(scene.sent), summary["requests"])
    checks.equal("streams", sum(record["stream"] is True for record in records), summary["streams"])
    checks.equal("outcomes", dict(sorted(outcomes.items())), dict(sorted(summary["outcomes"].items())))
    checks.equal("prompt tokens (servers' counters)", scene.counted.prompt_tokens, summary["tokens"]["prompt"])
    checks.equal(
        "completion tokens (servers' counters)", scene.counted.completion_tokens, summary["tokens"]["completion"]
    )
    with_ttft = sum(record["ttft_ms"] is not None for record in records)
    checks.equal("requests with a TTFT", with_ttft, summary["ttft_ms"]["count"])
    tokens = summary["tokens"]
    scene.report.group(scene.server.name, "all", name, checks, f"tokens {tokens['prompt']}+{tokens['completion']}")


def check_metrics(scene: Scene, name: str) -> None:
    """`/metrics` counts what was sent, as soon as the next pulse has come."""
    checks = Checks()
    wanted = len(scene.sent)

    def probe() -> Exposition | None:
        seen = scene.gauge.exposition()
        # A request is counted when its record is taken, and its record when that is committed: a moment later.
        counted = ("streamgauge_requests_total", "streamgauge_records_written_total")
        return seen if all(seen.total(name) >= wanted for name in counted) else None

    with contextlib.suppress(WaitedTooLong):
        wait_for("all requests in /metrics", PULSE_SECONDS, probe)
    seen = scene.gauge.exposition()
    records = scene.gauge.records()
    outcomes = Counter(record["outcome"] for record in records)
    counted = {key: round(count) for key, count in seen.by_label("streamgauge_requests_total", "outcome").items()}
    checks.equal("streamgauge_requests_total by outcome", dict(sorted(outcomes.items())), dict(sorted(counted.items())))
    for counter, expected in (
        ("streamgauge_prompt_tokens_total", scene.counted.prompt_tokens),
        ("streamgauge_generation_tokens_total", scene.counted.completion_tokens),
        ("streamgauge_records_written_total", wanted),
        ("streamgauge_records_dropped_total", 0),
        (
            "streamgauge_time_to_first_token_seconds_count",
            sum(record["ttft_ms"] is not None for record in records),
        ),
    ):
        checks.equal(counter, expected, round(seen.total(counter)))
    requests = round(seen.total("streamgauge_requests_total"))
    now = round(scene.gauge.ops_exposition().total("streamgauge_requests_total"))
    checks.equal("streamgauge_requests_total at the ops port", wanted, now)
    scene.report.group(scene.server.name, "all", name, checks, f"{requests} requests")


def check_promtool(scene: Scene, name: str) -> None:
    """Prometheus' own linter has nothing to say about our exposition."""
    try:
        tool = promtool()
    except Skip as reason:
        scene.report.skip(f"{scene.server.name} {name}", str(reason))
        return
    checks = Checks()
    lines = 0
    for port, seen in (("api", scene.gauge.exposition()), ("ops", scene.gauge.ops_exposition())):
        done = subprocess.run(
            [str(tool), "check", "metrics"],
            input=seen.text,
            capture_output=True,
            text=True,
            timeout=PROMTOOL_SECONDS,
            check=False,
        )
        checks.equal(f"what promtool says about the {port} port", "", (done.stdout + done.stderr).strip())
        checks.equal("its status", 0, done.returncode)
        checks.holds("metrics of our own", "some", port, "streamgauge_requests_total" in seen)
        lines += len(seen.text.splitlines())
    scene.report.group(scene.server.name, "all", name, checks, f"{lines} lines")
