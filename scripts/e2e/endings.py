"""Endings that break things, so they come last: a replica dies in the middle of a stream, streamgauge is told to stop.

Streamgauge stops last: its ledger then has everything.
"""

from __future__ import annotations

import concurrent.futures
import os
import signal
import socket
import subprocess
import threading
from typing import Any

import openai

from cases import Case, Expected, chat
from checks import Checks
from client import REQUEST_SECONDS
from client_python import PythonClient
from gauge import STOP_SECONDS
from play import Scene
from processes import wait_for
from replicas import Replica, VllmServer

# Tokens of a stream that is running when something happens to it: about a second, and far from its end.
RUNNING_TOKENS = 400

# Requests after the death of a replica. Round robin would send every other one to the dead.
REQUESTS_AFTER = 6

# How long the death of a server may take to show at the client.
DEATH_SECONDS = 20.0


def check_endings(scene: Scene) -> None:
    """One row for each ending."""
    for name, check in (
        ("replica dies in a stream", check_death),
        ("requests after the death", check_survivor),
        ("SIGTERM in a stream", check_drain),
    ):
        try:
            check(scene, name)
        except Exception as error:  # noqa: BLE001 - one broken part must not hide the others.
            scene.report.broken(f"{scene.server.name} {name}", error)


def open_stream(url: str, request_id: str, max_tokens: int) -> tuple[openai.OpenAI, Any]:
    """A running stream of which the first chunk with content has come."""
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=REQUEST_SECONDS)
    body = chat("sativo", stream=True, max_tokens=max_tokens)
    stream: Any = client.chat.completions.create(**body, extra_headers={"x-request-id": request_id})
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            return client, stream
    raise RuntimeError("the stream ended before its first token")


def check_death(scene: Scene, name: str) -> None:
    """The client learns that its answer is broken, and the record says how it broke."""
    request_id = scene.new_id("python", name)
    client, stream = open_stream(scene.gauge.proxy_url, request_id, max_tokens=scene.server.endless_tokens)
    replica = next(replica for replica in scene.replicas if replica.is_working())
    kill_engine(replica)
    scene.replicas.remove(replica)
    checks = Checks()
    finished = False
    problem = "none"
    with client, concurrent.futures.ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read_to_end, stream)
        try:
            finished = reader.result(timeout=DEATH_SECONDS)
        except concurrent.futures.TimeoutError:
            problem = f"no end within {DEATH_SECONDS} s"
            client.close()
        except Exception as error:  # noqa: BLE001 - which error the library raises is its business.
            problem = type(error).__name__
    checks.equal("a finish reason at the client", False, finished)
    # A broken answer must not look like a whole one: either the error event or a broken connection gets through.
    checks.holds("what the client's library raises", "an error", problem, problem != "none")
    record = scene.gauge.wait_for_record(request_id).record
    # vLLM's front end outlives its engine and says so inside the stream; llama-server is one process.
    outcome = "stream_error" if isinstance(replica, VllmServer) else "upstream_truncated"
    checks.equal("outcome", outcome, record["outcome"])
    checks.equal("status", 200, record["status"])
    checks.null(record, "finish_reason", "completion_tokens")
    checks.known(record, "ttft_ms")
    # vLLM's front end follows its engine after some seconds. Until then it answers 500, which no one may retry.
    wait_for("the dead replica's port to close", DEATH_SECONDS, lambda: None if listens(replica.port) else True)
    words = f"{record['outcome']}, error_type {record['error_type']}, client: {problem}"
    scene.report.group(scene.server.name, "python", name, checks, words)


def kill_engine(replica: Replica) -> None:
    """Kills what computes: vLLM's engine process, or the whole llama-server."""
    if isinstance(replica, VllmServer):
        engine = wait_for("vLLM's engine process", 5.0, lambda: child_named(replica.process.pid, "EngineCore"))
        os.kill(engine, signal.SIGKILL)
    else:
        replica.process.kill()


def child_named(parent: int, word: str) -> int | None:
    """The child of a process whose command line holds `word`."""
    listing = subprocess.run(
        ["ps", "--ppid", str(parent), "-o", "pid=,args="], capture_output=True, text=True, check=False
    ).stdout
    for line in listing.splitlines():
        pid, _, command = line.strip().partition(" ")
        if word in command:
            return int(pid)
    return None


def listens(port: int) -> bool:
    """Whether a process accepts connections on a port of the loopback interface."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def read_to_end(stream: Any) -> bool:
    """Reads the rest of a stream; whether a finish reason came."""
    finished = False
    for chunk in stream:
        finished = finished or any(choice.finish_reason for choice in chunk.choices)
    return finished


def check_survivor(scene: Scene, name: str) -> None:
    """With one of two replicas dead, every request is answered by the other."""
    case = Case("after", "chat", Expected("chat"), chat(stream=True, max_tokens=4))
    checks = Checks()
    client = PythonClient(scene.gauge.proxy_url, scene.replicas[0].url)
    records = []
    for number in range(REQUESTS_AFTER):
        request_id = scene.new_id("python", f"{name} {number}")
        seen = client.play(case, request_id)
        checks.equal(f"{number}: client's status", 200, seen.status)
        records.append(scene.gauge.wait_for_record(request_id).record)
        checks.equal(f"{number}: outcome", "success", records[-1]["outcome"])
    client.close()
    attempts = sum(record["attempts"] for record in records)
    used = {record["replica"] for record in records}
    checks.equal("replicas that answered", 1, len(used))
    scene.report.group(scene.server.name, "python", name, checks, f"{len(records)} requests, {attempts} attempts")


def check_drain(scene: Scene, name: str) -> None:
    """A running stream is finished, its record written, and the process ends with 0."""
    request_id = scene.new_id("python", name)
    client, stream = open_stream(scene.gauge.proxy_url, request_id, RUNNING_TOKENS)
    statuses: list[int] = []
    stopper = threading.Thread(target=lambda: statuses.append(scene.gauge.process.terminate(STOP_SECONDS)))
    stopper.start()
    with client:
        finished = read_to_end(stream)
    stopper.join(STOP_SECONDS)
    checks = Checks()
    checks.equal("the client's stream is whole", True, finished)
    checks.equal("exit status of streamgauge", [0], statuses)
    reader = scene.gauge.read_only_api()
    try:
        record = scene.gauge.wait_for_record(request_id).record
        checks.equal("outcome", "success", record["outcome"])
        checks.equal("completion_tokens", RUNNING_TOKENS, record["completion_tokens"])
        ids = {record["id"] for record in scene.gauge.records()}
        checks.equal("ids that were sent and have no record", [], sorted(set(scene.sent) - ids))
    finally:
        reader.stop()
    words = f"{record['outcome']}, {record['completion_tokens']} tokens, {len(ids)} records in the ledger"
    scene.report.group(scene.server.name, "python", name, checks, words)
