"""The client's bytes are the replica's bytes, and the replica's request is the client's, but for the usage chunk.

Runs a streamgauge of its own in front of a `Tap`, and speaks plain HTTP: no library that tidies up on the way.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cases import Body, Server, chat, completion
from checks import Checks
from gauge import Streamgauge
from processes import wait_for
from replicas import MODEL, Replica
from report import Report
from tap import Exchange, Message, Tap

ANSWER_SECONDS = 120.0

# How long the last bytes of an answer may be on their way after the client has its own.
SETTLE_SECONDS = 3.0

# Headers that belong to one connection (RFC 9110, section 7.6.1) or that the proxy adds by contract.
OWN_HEADERS = {"connection", "keep-alive", "transfer-encoding", "x-request-id", "date", "server", "via"}

# How streamgauge asks for usage, and what it takes out of an answer again.
Mode = Literal["inject", "continuous"]
Asked = Literal["nothing", "chunk", "members", "both"]
ADDED: dict[Mode, bytes] = {
    "inject": b'"stream_options":{"include_usage":true}',
    "continuous": b'"stream_options":{"include_usage":true,"continuous_usage_stats":true}',
}
WHOLE: dict[Mode, Asked] = {"inject": "chunk", "continuous": "both"}

# vLLM's running count: an object of counts and of details.
RUNNING_COUNT = re.compile(rb',"usage":\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}')

EXACT = (
    b'{"model": "tiny-random",\t"stream" : true, "max_tokens":4,\n "temperature":0.0, "prompt":"\\u4e2d\\ud83d\\ude00"}'
)


def requests(server: Server) -> list[tuple[str, str, bytes]]:
    """Name, path and body of each request."""
    usage = {"stream_options": {"include_usage": True}}
    no_usage = {"stream_options": {"include_usage": False}}
    shapes: list[tuple[str, str, Body]] = [
        ("chat", "chat", chat()),
        ("chat, stream", "chat", chat(stream=True)),
        ("chat, stream, usage", "chat", chat(stream=True, **usage)),
        ("chat, stream, no usage", "chat", chat(stream=True, **no_usage)),
        ("chat, stream, log probabilities", "chat", chat(stream=True, logprobs=True, top_logprobs=20)),
        ("chat, stream, 200 tokens", "chat", chat(stream=True, max_tokens=200)),
        ("completion", "text", completion()),
        ("completion, stream", "text", completion(stream=True)),
        ("completion, stream, usage", "text", completion(stream=True, **usage)),
        ("bad request", "chat", {"model": MODEL, "messages": "none", "stream": True}),
    ]
    if server.usage_sums_choices:
        continuous = {"stream_options": {"include_usage": True, "continuous_usage_stats": True}}
        shapes.append(("chat, stream, continuous usage", "chat", chat(stream=True, **continuous)))
    paths = {"chat": "/v1/chat/completions", "text": "/v1/completions"}
    written = [(name, paths[kind], json.dumps(body).encode()) for name, kind, body in shapes]
    return [*written, ("odd spaces and escapes", paths["text"], EXACT), ("bad JSON", paths["chat"], b'{"model": ')]


@dataclass(frozen=True)
class Sides:
    """A streamgauge, what stands behind it, and how it asks for usage."""

    server: Server
    gauge: Streamgauge
    tap: Tap
    report: Report
    mode: Mode


def check_bytes(server: Server, replica: Replica, report: Report, logs: Path) -> None:
    """One row for each request; where the server gives running counts, also with the proxy asking for them."""
    modes: list[Mode] = ["inject", "continuous"] if server.usage_sums_choices else ["inject"]
    for mode in modes:
        tap = Tap(replica.port)
        gauge = Streamgauge(f"{server.name}-bytes-{mode}", [tap.url], logs, {"STREAMGAUGE_POOLS__0__USAGE": mode})
        sides = Sides(server, gauge, tap, report, mode)
        try:
            gauge.wait_ready()
            for number, (name, path, body) in enumerate(requests(server)):
                try:
                    check_one(sides, f"e2e-bytes-{mode}-{number:02d}", name, path, body)
                except Exception as error:  # noqa: BLE001 - one broken case must not hide the others.
                    report.broken(f"{server.name} bytes {name}", error)
        finally:
            gauge.process.stop()
            tap.close()


def check_one(sides: Sides, request_id: str, name: str, path: str, body: bytes) -> None:
    """Sends one request and compares both sides of streamgauge."""
    server, gauge, tap, report = sides.server, sides.gauge, sides.tap, sides.report
    tap.start_exchange()
    client = send(gauge.proxy_port, path, body, request_id)
    exchange, replica = wait_for(
        f"the replica's answer to {request_id}", SETTLE_SECONDS, lambda: complete(tap.exchange(request_id))
    )
    checks = Checks()
    expected_request, asked = expected_request_body(body, exchange.request_body, sides.mode)
    checks.equal("request body at the replica", expected_request, exchange.request_body)
    events = replica.body.split(b"\n\n")
    usage_events = [event for event in events if is_usage_event(event)]
    expected_body = replica.body
    if replica.status == 200 and asked != "nothing":
        # llama-server puts the usage of a text completion into the last chunk with a choice: nothing to take out.
        checks.holds("usage events of the replica", "at most 1", len(usage_events), len(usage_events) <= 1)
        if asked in ("members", "both"):
            running = sum(RUNNING_COUNT.search(event) is not None for event in events if event not in usage_events)
            checks.holds("running counts of the replica", "some", running, running > 0)
            events = [event if event in usage_events else without_running_count(event) for event in events]
        if asked in ("chunk", "both"):
            events = as_if_not_asked(events, usage_events)
        expected_body = b"\n\n".join(events)
    checks.equal("status", replica.status, client.status)
    checks.equal("length of the body", len(expected_body), len(client.body))
    checks.equal("hash of the body", sha256(expected_body), sha256(client.body))
    if len(expected_body) != len(client.body):
        checks.holds("the first different bytes", "none", first_difference(expected_body, client.body), ok=False)
    record = gauge.wait_for_record(request_id).record
    checks.equal("req_bytes", len(body), record["req_bytes"])
    checks.equal("resp_bytes", len(client.body), record["resp_bytes"])
    checks.equal("headers", foreign_headers(replica), foreign_headers(client))
    taken = len(replica.body) - len(client.body)
    words = f"status {client.status}, {len(client.body)} bytes" + (f", {taken} taken out ({asked})" if taken else "")
    report.group(server.name, "bytes" if sides.mode == "inject" else "running", name, checks, words)


def send(port: int, path: str, body: bytes, request_id: str) -> Message:
    """Sends a body as it is and reads the answer to its end."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        headers = {"content-type": "application/json", "x-request-id": request_id}
        connection.request("POST", path, body, headers)
        return Message.read(connection.getresponse())
    finally:
        connection.close()


def complete(exchange: Exchange | None) -> tuple[Exchange, Message] | None:
    """The exchange with its answer, once that has come to its end."""
    if exchange is None:
        return None
    try:
        return exchange, exchange.message()
    except (http.client.HTTPException, ValueError):
        return None


def expected_request_body(sent: bytes, got: bytes, mode: Mode) -> tuple[bytes, Asked]:
    """What the replica should get for `sent`, and what of its answer that asks for on the client's behalf.

    Taking exactly the options that are added out of the text again must give the client's text: nothing else may move.
    """
    try:
        before: Any = json.loads(sent)
    except ValueError:
        return sent, "nothing"
    if not before.get("stream"):
        return sent, "nothing"
    options = before.get("stream_options")
    added, asked = ADDED[mode], WHOLE[mode]
    if options is not None:
        if mode == "inject" or not options.get("include_usage") or "continuous_usage_stats" in options:
            return sent, "nothing"
        added, asked = b'"continuous_usage_stats":true', "members"
    for piece in (added + b",", b"," + added):
        if piece in got and got.replace(piece, b"", 1) == sent:
            return got, asked
    return b"the client's body with " + added + b" spliced in: " + sent, asked


def without_running_count(event: bytes) -> bytes:
    """The event as it is when nobody asks for running counts."""
    return RUNNING_COUNT.sub(b"", event, count=1)


def is_usage_event(event: bytes) -> bool:
    """Whether this is the chunk that only carries usage."""
    if not event.startswith(b"data: {"):
        return False
    value: Any = json.loads(event.removeprefix(b"data: "))
    return value.get("choices") == [] and value.get("usage") is not None


def as_if_not_asked(events: list[bytes], usage_events: list[bytes]) -> list[bytes]:
    """What the server sends to a client that does not ask for usage.

    That is the answer without the usage chunk. llama-server writes its `timings` as the last member of that chunk, and
    without the chunk as the last member of the event before it (docs/adr/0020).
    """
    kept: list[bytes] = []
    for event in events:
        if event not in usage_events:
            kept.append(event)
            continue
        _, found, timings = event.partition(b',"timings":')
        if found:
            kept[-1] = kept[-1].removesuffix(b"}") + found + timings
    return kept


def foreign_headers(message: Message) -> dict[str, str]:
    """The headers that must pass unchanged. A body that we shorten cannot keep its length."""
    return {name: value for name, value in sorted(message.headers.items()) if name not in OWN_HEADERS}


def sha256(body: bytes) -> str:
    """A short hash for the report."""
    return hashlib.sha256(body).hexdigest()[:16]


def first_difference(expected: bytes, got: bytes) -> str:
    """Where two bodies part, for the report."""
    at = next((i for i, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b), min(len(expected), len(got)))
    return f"at {at}: {expected[at : at + 60]!r} became {got[at : at + 60]!r}"
