"""What the records say against what the servers measure of themselves: prefill, decode, and the sum of all tokens."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

from cases import Body, chat
from checks import Checks
from client import REQUEST_SECONDS
from mixed import check_mixed
from play import Scene
from replicas import Counters, VllmServer

# Words of a prompt of a good four thousand tokens for llama-server: its prefill takes seconds, so pings come first.
PREFILL_WORDS = 600

# Prompts that are tried at most. A busy machine makes a difference larger, never smaller, so one that is close counts.
PREFILL_TRIES_MAX = 3

# How close time to first token must come to the server's prompt time, and generation to its decode time.
PREFILL_MS_MAX = 20.0
DECODE_MS_MAX = 5.0


def check_truth(scene: Scene) -> None:
    """One row each for what this kind of server can tell."""
    vllm = isinstance(scene.replicas[0], VllmServer)
    name, check = ("every kind of request", check_mixed) if vllm else ("long prefill with pings", check_prefill)
    try:
        check(scene, name)
    except Exception as error:  # noqa: BLE001 - one broken part must not hide the others.
        scene.report.broken(f"{scene.server.name} {name}", error)


class Stream:
    """A streamed answer over plain HTTP, line by line."""

    def __init__(self, port: int, request_id: str, body: Body) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
        headers = {"x-request-id": request_id, "content-type": "application/json"}
        self.connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        self.answer = self.connection.getresponse()
        self.pings = 0

    def events(self) -> Iterator[Any]:
        """The events as JSON, without `[DONE]`; pings are counted."""
        for line in self.answer:
            if line.startswith(b":"):
                self.pings += 1
            elif line.startswith(b"data: {"):
                yield json.loads(line[6:])


def check_prefill(scene: Scene, name: str) -> None:
    """Pings come in the prefill and are no tokens: the record agrees with llama-server's own `timings`."""
    checks = Checks()
    tries: list[tuple[float, float]] = []
    while len(tries) < PREFILL_TRIES_MAX and not any(is_close(*one) for one in tries):
        number = len(tries)
        request_id = scene.new_id("http", f"{name} {number}")
        words = [f"tivone{number}", *["rukami", "salobe"] * (PREFILL_WORDS // 2)]
        body = chat(" ".join(words), stream=True, max_tokens=24, stream_options={"include_usage": True})
        stream = Stream(scene.gauge.proxy_port, request_id, body)
        timings: dict[str, Any] = {}
        for event in stream.events():
            timings = event.get("timings") or timings
        record = scene.gauge.wait_for_record(request_id).record
        scene.counted += Counters(record["prompt_tokens"], record["completion_tokens"])
        checks.equal("outcome", "success", record["outcome"])
        checks.holds("pings in the prefill", "some", stream.pings, stream.pings > 0)
        checks.holds("tokens of the prompt", "4,000 or more", timings["prompt_n"], timings["prompt_n"] >= 4000)
        checks.equal("engine_ttft_ms (prompt_ms)", round(timings["prompt_ms"], 2), round(record["engine_ttft_ms"], 2))
        prefill = record["upstream_ttft_ms"] - timings["prompt_ms"]
        decode = record["generation_ms"] - timings["predicted_ms"]
        tries.append((prefill, decode))
    told = ", ".join(f"{prefill:+.1f}/{decode:+.1f}" for prefill, decode in tries)
    most = f"within {PREFILL_MS_MAX:.0f} and {DECODE_MS_MAX:.0f} ms"
    checks.holds("prefill and decode minus the server's own", most, f"{told} ms", any(is_close(*one) for one in tries))
    scene.report.group(scene.server.name, "http", name, checks, f"prefill/decode minus the server's: {told} ms")


def is_close(prefill_ms: float, decode_ms: float) -> bool:
    """Whether both differences are within the goals."""
    return abs(prefill_ms) <= PREFILL_MS_MAX and abs(decode_ms) <= DECODE_MS_MAX
