"""Plays every case with every client against one kind of server, and checks each record when its request has ended."""

from __future__ import annotations

import concurrent.futures
import contextlib
import re
import statistics
from dataclasses import dataclass, field, replace
from pathlib import Path

from cases import Case, Expected, Server, all_cases, chat
from checks import Checks, check_case, check_lags
from client import Client
from client_node import NodeClient
from client_python import PythonClient
from gauge import Record, Streamgauge
from install import Skip
from processes import ProcessDied, WaitedTooLong, wait_for
from replicas import Counters, Replica, total
from report import Report

# How long a server may take to count a request that is over, in seconds.
SETTLE_SECONDS = 3.0

# How long a server may take to notice that its client has left, in seconds. llama-server looks once a second; an
# answer of `endless_tokens` takes longer than this on any machine.
STOP_SECONDS = 5.0

# Requests at the same time, and how many at once.
PARALLEL_REQUESTS = 24
PARALLEL_WORKERS = 8


@dataclass
class Scene:
    """One streamgauge in front of running replicas, and all that was sent through it."""

    server: Server
    gauge: Streamgauge
    replicas: list[Replica]
    report: Report
    logs: Path
    # Ids of all requests that were sent.
    sent: list[str] = field(default_factory=list)
    # The servers' own counts for the requests that the ledger must have with their tokens.
    counted: Counters = field(default_factory=Counters)

    def new_id(self, client: str, name: str) -> str:
        """A request id that tells a reader of the ledger what it was."""
        words = re.sub(r"[^a-z0-9]+", "-", f"{self.server.name} {client} {name}".lower())
        request_id = f"e2e-{len(self.sent):03d}-{words}"
        self.sent.append(request_id)
        return request_id


def play_all(scene: Scene) -> None:
    """All cases with both clients, then many requests at once."""
    with contextlib.closing(PythonClient(scene.gauge.proxy_url, scene.replicas[0].url)) as python:
        play_cases(scene, python)
        play_parallel(scene, python)
    try:
        node = NodeClient(scene.gauge.proxy_url, scene.replicas[0].url, scene.logs / "node.log")
    except Skip as reason:
        scene.report.skip(f"{scene.server.name} node", str(reason))
        return
    with contextlib.closing(node):
        play_cases(scene, node)


def play_cases(scene: Scene, client: Client) -> None:
    """All cases with one client, one after the other."""
    lags_ms: list[float] = []
    for case in all_cases(scene.server, client.name):
        try:
            lags_ms += play_case(scene, client, case)
        except Exception as error:  # noqa: BLE001 - one broken case must not hide the others.
            scene.report.broken(f"{scene.server.name} {client.name} {case.name}", error)
    if lags_ms:
        words = f"median {statistics.median(lags_ms):.1f} ms, largest {max(lags_ms):.1f} ms of {len(lags_ms)}"
        name = "client's times minus ours"
        scene.report.group(scene.server.name, client.name, name, check_lags(lags_ms), words)


def play_case(scene: Scene, client: Client, case: Case) -> list[float]:
    """One case: play, wait for the record, compare. Returns how much longer the client's times are than ours."""
    request_id = scene.new_id(client.name, case.name)
    before = total(scene.replicas)
    seen = client.play(case, request_id)
    stored = scene.gauge.wait_for_record(request_id)
    idle = wait_until_idle(scene.replicas) if seen.left else True
    growth = settled_growth(scene.replicas, before, case.choices, stored.record)
    if case.expected.tokens:
        scene.counted += replace(growth, prompt_tokens=growth.prompt_tokens // case.choices)
    checks = check_case(case, request_id, seen, stored, growth)
    if seen.left:
        checks.holds("the replica stops", f"within {STOP_SECONDS} s", "idle" if idle else "still working", idle)
    scene.report.case(scene.server.name, client.name, case, checks, seen, stored.record, growth)
    pairs = [(seen.ttft_ms, stored.record["ttft_ms"]), (seen.e2e_ms, stored.record["e2e_ms"])]
    return [theirs - ours for theirs, ours in pairs if theirs is not None and ours is not None and not seen.left]


def settled_growth(replicas: list[Replica], before: Counters, choices: int, record: Record) -> Counters:
    """What the servers counted for a request. They may count a moment after the client has its answer, so this waits
    for what the record says; when that does not come, the difference is for the checks to report.
    """
    if record["prompt_tokens"] is None:
        return total(replicas) - before
    wanted = (record["prompt_tokens"] * choices, record["completion_tokens"])

    def probe() -> Counters | None:
        growth = total(replicas) - before
        return growth if (growth.prompt_tokens, growth.completion_tokens) == wanted else None

    with contextlib.suppress(WaitedTooLong):
        return wait_for("the servers' counters", SETTLE_SECONDS, probe)
    return total(replicas) - before


def wait_until_idle(replicas: list[Replica]) -> bool:
    """Whether all replicas stop working in time."""
    try:
        return wait_for(
            "idle replicas",
            STOP_SECONDS,
            lambda: None if any(replica.is_working() for replica in replicas) else True,
        )
    except WaitedTooLong:
        return False


def play_parallel(scene: Scene, client: PythonClient) -> None:
    """Many streams at once: no record is lost or mixed up, every replica takes part."""
    name = f"{PARALLEL_REQUESTS} streams, {PARALLEL_WORKERS} at once"
    try:
        check_parallel(scene, client, name)
    except (OSError, WaitedTooLong, ProcessDied) as error:
        scene.report.broken(f"{scene.server.name} {client.name} {name}", error)


def check_parallel(scene: Scene, client: PythonClient, name: str) -> None:
    """Sends them, and compares each with its record and all with the servers' counters."""
    expected = Expected("chat", finish_reason="length", ttft=True)
    before = total(scene.replicas)
    cases = {
        scene.new_id(client.name, f"parallel {number}"): Case(
            "parallel", "chat", expected, chat(f"mineru {number}", stream=True, max_tokens=8 + number)
        )
        for number in range(PARALLEL_REQUESTS)
    }
    with concurrent.futures.ThreadPoolExecutor(PARALLEL_WORKERS) as pool:
        jobs = {request_id: pool.submit(client.play, case, request_id) for request_id, case in cases.items()}
        seen = {request_id: job.result() for request_id, job in jobs.items()}
    checks = Checks()
    records = [scene.gauge.wait_for_record(request_id).record for request_id in cases]
    for record in records:
        request_id = record["id"]
        wanted = cases[request_id].body["max_tokens"]
        checks.equal(f"{request_id}: outcome", "success", record["outcome"])
        checks.equal(f"{request_id}: completion_tokens", wanted, record["completion_tokens"])
        checks.between(f"{request_id}: ttft_ms", None, record["ttft_ms"], seen[request_id].ttft_ms or 0.0)
        checks.between(f"{request_id}: e2e_ms", None, record["e2e_ms"], seen[request_id].e2e_ms or 0.0)
    sums = {
        "prompt_tokens": sum(record["prompt_tokens"] or 0 for record in records),
        "completion_tokens": sum(record["completion_tokens"] or 0 for record in records),
    }
    growth = settled_growth(scene.replicas, before, 1, sums)
    scene.counted += growth
    checks.equal("sum of prompt_tokens (server's counter)", growth.prompt_tokens, sums["prompt_tokens"])
    checks.equal("sum of completion_tokens (server's counter)", growth.completion_tokens, sums["completion_tokens"])
    used = {record["replica"] for record in records}
    checks.equal("replicas used", len(scene.replicas), len(used))
    words = f"tokens {sums['prompt_tokens']}+{sums['completion_tokens']}, replicas {len(used)}"
    scene.report.group(scene.server.name, client.name, name, checks, words)
