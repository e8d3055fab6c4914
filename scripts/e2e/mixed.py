"""Two hundred requests of every kind at once: what the records add up to must be what the server counted.

They go over plain HTTP, because no client library asks for half of them: several choices, several prompts, running
counts, counts refused, endpoints that a text model does not serve.
"""

from __future__ import annotations

import concurrent.futures
import http.client
import json
from dataclasses import dataclass, replace
from typing import Any

from cases import Body, chat, completion
from checks import Checks
from client import REQUEST_SECONDS
from gauge import Record
from play import Scene, settled_growth
from replicas import MODEL, total

# Requests in all, and how many at once.
REQUESTS = 200
WORKERS = 8

USAGE = {"include_usage": True}
RUNNING = {"include_usage": True, "continuous_usage_stats": True}


@dataclass(frozen=True)
class Kind:
    """One kind of request, and how often the server counts its prompt: vLLM runs each choice as one of its own."""

    path: str
    body: Body | None
    prompts_counted: int = 1


def kinds(number: int) -> list[Kind]:
    """Every kind; `number` makes prompts and lengths differ from round to round."""
    text, tokens = f"rukami {number} salobe", 3 + number % 17
    say = {"max_tokens": tokens}
    messages = [{"role": "user", "content": text}]
    return [
        Kind("/v1/chat/completions", chat(text, **say)),
        Kind("/v1/chat/completions", chat(text, stream=True, **say)),
        Kind("/v1/chat/completions", chat(text, stream=True, stream_options=USAGE, **say)),
        Kind("/v1/chat/completions", chat(text, stream=True, stream_options=RUNNING, **say)),
        Kind("/v1/chat/completions", chat(text, n=2, temperature=0.7, **say), 2),
        Kind("/v1/chat/completions", chat(text, n=2, temperature=0.7, stream=True, **say), 2),
        Kind("/v1/chat/completions", chat(text, n=2, temperature=0.7, stream=True, stream_options=RUNNING, **say), 2),
        Kind("/v1/completions", completion(text, **say)),
        Kind("/v1/completions", completion(text, stream=True, **say)),
        Kind("/v1/completions", completion(text, stream=True, stream_options=RUNNING, **say)),
        Kind("/v1/completions", completion(text, stream=True, echo=True, **say)),
        Kind("/v1/completions", {**completion(text, stream=True, **say), "prompt": [text, "mineru"]}),
        Kind("/v1/completions", {**completion(text, **say), "prompt": [text, "mineru"]}),
        Kind("/v1/responses", {"model": MODEL, "input": text, "max_output_tokens": tokens}),
        Kind("/v1/responses", {"model": MODEL, "input": text, "max_output_tokens": tokens, "stream": True}),
        Kind("/v1/messages", {"model": MODEL, "messages": messages, **say}),
        Kind("/v1/messages", {"model": MODEL, "messages": messages, "stream": True, **say}),
        Kind("/v1/embeddings", {"model": MODEL, "input": text}),
        Kind("/tokenize", {"model": MODEL, "prompt": text}),
        Kind("/v1/models", None),
    ]


def ask(port: int, request_id: str, kind: Kind) -> int:
    """Sends one request, reads its whole answer, and returns the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    headers = {"x-request-id": request_id, "content-type": "application/json"}
    try:
        if kind.body is None:
            connection.request("GET", kind.path, headers=headers)
        else:
            connection.request("POST", kind.path, json.dumps(kind.body), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def check_mixed(scene: Scene, name: str) -> None:
    """Sends them, and compares the sum over their records with what the servers' counters grew by."""
    checks = Checks()
    before = total(scene.replicas)
    rounds = [kind for number in range(REQUESTS // len(kinds(0))) for kind in kinds(number)]
    sent = {scene.new_id("http", f"mixed {number}"): kind for number, kind in enumerate(rounds)}
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        jobs = {key: pool.submit(ask, scene.gauge.proxy_port, key, kind) for key, kind in sent.items()}
        statuses = {key: job.result() for key, job in jobs.items()}
    records: dict[str, Record] = {key: scene.gauge.wait_for_record(key).record for key in sent}
    for key, record in records.items():
        checks.equal(f"{key}: status", statuses[key], record["status"])
        outcome = "success" if statuses[key] == 200 else "client_error"
        checks.equal(f"{key}: outcome", outcome, record["outcome"])
        generates = statuses[key] == 200 and record["endpoint"] in ("chat", "completion", "responses", "messages")
        if generates:
            checks.equal(f"{key}: usage_source", "final", record["usage_source"])
    sums = sum_of(records, sent)
    growth = settled_growth(scene.replicas, before, 1, sums)
    checks.equal("prompt tokens (servers' counters)", growth.prompt_tokens, sums["prompt_tokens"])
    checks.equal("generated tokens (servers' counters)", growth.completion_tokens, sums["completion_tokens"])
    scene.counted += replace(growth, prompt_tokens=sum(tokens_of(record) for record in records.values()))
    refused = sum(status != 200 for status in statuses.values())
    words = f"{len(sent)} requests, {refused} refused, tokens {sums['prompt_tokens']}+{sums['completion_tokens']}"
    scene.report.group(scene.server.name, "http", name, checks, words)


def tokens_of(record: Record) -> int:
    """The prompt tokens of a record as every sum of the ledger has them."""
    return record["prompt_tokens"] or 0


def sum_of(records: dict[str, Record], sent: dict[str, Kind]) -> dict[str, Any]:
    """The tokens of the records that the engine worked for, prompts as often as it counts them."""
    worked = {key: record for key, record in records.items() if record["endpoint"] != "tokenize"}
    prompt = sum((record["prompt_tokens"] or 0) * sent[key].prompts_counted for key, record in worked.items())
    return {
        "prompt_tokens": prompt,
        "completion_tokens": sum(record["completion_tokens"] or 0 for record in worked.values()),
    }
