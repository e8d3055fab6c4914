"""What the records say against what the servers measure of themselves: prefill and decode, tokens of a client that
left, and how soon a server stops for it.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

from cases import Body, chat
from checks import Checks
from client import REQUEST_SECONDS
from gauge import Streamgauge
from mixed import check_mixed
from play import Scene
from replicas import Counters, VllmServer, total

# Words of a prompt of a good four thousand tokens for llama-server: its prefill takes seconds, so pings come first.
PREFILL_WORDS = 600

# Prompts that are tried at most. A busy machine makes a difference larger, never smaller, so one that is close counts.
PREFILL_TRIES_MAX = 3

# How close time to first token must come to the server's prompt time, and generation to its decode time.
PREFILL_MS_MAX = 20.0
DECODE_MS_MAX = 5.0

# How long a server may go on after its client has left.
STOP_MS_MAX = 200.0

# Chunks with content that a client reads before it leaves.
CHUNKS_READ = 5

# Tokens that an engine may have made which the proxy never saw: steps under way when the connection closed.
UNSEEN_TOKENS_MAX = 40


def check_truth(scene: Scene) -> None:
    """One row each for what this kind of server can tell."""
    vllm = isinstance(scene.replicas[0], VllmServer)
    parts = (
        (("every kind of request", check_mixed), ("a client leaves, counted", check_continuous))
        if vllm
        else (("long prefill with pings", check_prefill),)
    )
    for name, check in parts:
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

    def leave_after(self, chunks: int) -> None:
        """Reads so many chunks with content, then closes the connection."""
        for event in self.events():
            choices = event.get("choices") or [{}]
            chunks -= bool(choices[0].get("delta", {}).get("content"))
            if chunks <= 0:
                break
        self.answer.close()
        self.connection.close()


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


def check_continuous(scene: Scene, name: str) -> None:
    """With `usage: continuous` a client that leaves has an exact count, and the server stops at once."""
    checks = Checks()
    upstreams = [replica.url for replica in scene.replicas]
    gauge = Streamgauge("continuous", upstreams, scene.logs, {"STREAMGAUGE_POOLS__0__USAGE": "continuous"})
    try:
        gauge.wait_ready()
        before = total(scene.replicas)
        body = chat("lomika", stream=True, max_tokens=scene.server.endless_tokens)
        Stream(gauge.proxy_port, "leaves", body).leave_after(CHUNKS_READ)
        left = time.monotonic()
        stopped_ms = stops_after_ms(scene, left)
        growth = total(scene.replicas) - before
        record = gauge.wait_for_record("leaves").record
    finally:
        gauge.process.stop()
    checks.equal("outcome", "client_cancelled", record["outcome"])
    checks.equal("usage_source", "continuous", record["usage_source"])
    tokens, made = record["completion_tokens"], growth.completion_tokens
    near = tokens is not None and 0 <= made - tokens <= UNSEEN_TOKENS_MAX
    checks.holds("completion_tokens", f"the server's {made}, but for steps under way", tokens, near)
    most = f"within {STOP_MS_MAX:.0f} ms"
    checks.holds("the server's counter stands still", most, f"{stopped_ms:.0f} ms", stopped_ms <= STOP_MS_MAX)
    words = f"{tokens} tokens recorded, {made} generated; the counter stood still after {stopped_ms:.0f} ms"
    scene.report.group(scene.server.name, "http", name, checks, words)


def stops_after_ms(scene: Scene, left: float) -> float:
    """When the counters grew for the last time, after `left`, as far as looking at them can tell."""
    last, last_at = total(scene.replicas), left
    while time.monotonic() - max(left, last_at) < 1.0 and time.monotonic() - left < REQUEST_SECONDS:
        asked = time.monotonic()
        now = total(scene.replicas)
        if now.completion_tokens != last.completion_tokens:
            last, last_at = now, asked
    return max(0.0, (last_at - left) * 1000)
