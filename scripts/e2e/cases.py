"""What the clients do: one list of cases, the same for Python and Node, with what must come of each.

A case says how the request looks and how the client behaves. Nothing in it depends on which client plays it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from replicas import MODEL

Body = dict[str, Any]
Kind = Literal["chat", "completion", "models", "raw"]

SHORT = "kalo mineru sati, was ist das? 中文 😀"


@dataclass(frozen=True)
class Server:
    """How the servers differ, as far as the cases must know."""

    name: str
    # llama-server counts only one of the choices in its usage (`n: 2` of 8 tokens each: 8), so nothing can agree.
    usage_sums_choices: bool
    # vLLM sends the usage of a text completion in a chunk of its own; llama-server puts it into the last chunk with a
    # choice, asked or not.
    text_usage_has_a_chunk: bool
    # Words of a prompt whose prefill takes clearly longer than the way through a proxy.
    long_prompt_words: int
    # An answer that takes this server many seconds and still fits, so that an abort has something to stop.
    endless_tokens: int


LLAMA = Server(
    name="llama",
    usage_sums_choices=False,
    text_usage_has_a_chunk=False,
    long_prompt_words=180,
    endless_tokens=7500,
)
VLLM = Server(
    name="vllm",
    usage_sums_choices=True,
    text_usage_has_a_chunk=True,
    long_prompt_words=1500,
    endless_tokens=3500,
)


@dataclass(frozen=True)
class Expected:
    """What the record must say, whatever the client saw."""

    endpoint: str
    outcome: str = "success"
    status: int | None = 200
    finish_reason: str | None = None
    # Whether the record must have a time to first token.
    ttft: bool = False
    # Whether the record must have token counts that equal the server's own.
    tokens: bool = True
    # Whether the request may reach a replica.
    forwarded: bool = True
    # Chunks at the client that only carry usage: none, unless it asked for one itself.
    usage_chunks: int = 0


@dataclass(frozen=True)
class Case:
    """One request and what becomes of it."""

    name: str
    kind: Kind
    expected: Expected
    body: Body = field(default_factory=dict)
    # For `raw`: method, path and text, sent as they are.
    method: str = "POST"
    path: str = ""
    text: str = ""
    # The client closes after so many chunks with content.
    abort_after_chunks: int | None = None
    # The client gives up after so many milliseconds without an answer.
    give_up_ms: int | None = None

    @property
    def stream(self) -> bool:
        """Whether the request asks for a stream."""
        return bool(self.body.get("stream", False))

    @property
    def choices(self) -> int:
        """How many answers it asks for. vLLM runs, times and counts each as a request of its own, prompt included."""
        return int(self.body.get("n", 1))

    def to_json(self, request_id: str) -> dict[str, Any]:
        """What a client needs to play the case."""
        return {
            "id": request_id,
            "kind": self.kind,
            "body": self.body,
            "method": self.method,
            "path": self.path,
            "text": self.text,
            "abort_after_chunks": self.abort_after_chunks,
            "give_up_ms": self.give_up_ms,
        }


def chat(prompt: str = SHORT, /, **options: Any) -> Body:
    """The body of a chat request with a deterministic answer."""
    return {
        "model": MODEL,
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": prompt}],
        "max_tokens": 24,
        "temperature": 0,
        **options,
    }


def completion(prompt: str = SHORT, /, **options: Any) -> Body:
    """The body of a completion request with a deterministic answer."""
    return {"model": MODEL, "prompt": prompt, "max_tokens": 24, "temperature": 0, **options}


def all_cases(server: Server, client: str) -> list[Case]:
    """Every case for one server, in the order in which they are played. The client's name starts the long prompt, so
    that no server has that prompt in its cache from the client before.
    """
    return [*plain_cases(server, client), *error_cases(server), *abort_cases(server.endless_tokens)]


def plain_cases(server: Server, client: str) -> list[Case]:
    """Requests that are answered whole."""
    chat_done = Expected("chat", finish_reason="length")
    chat_stream = Expected("chat", finish_reason="length", ttft=True)
    text_done = Expected("completion", finish_reason="length")
    text_stream = Expected("completion", finish_reason="length", ttft=True)
    usage = {"include_usage": True}
    long_prompt = " ".join([client, *["tivone", "rukami", "salobe"] * (server.long_prompt_words // 3)])
    cases = [
        Case("models", "models", Expected("models", tokens=False, forwarded=False)),
        Case("chat", "chat", chat_done, chat()),
        Case("chat, stream", "chat", chat_stream, chat(stream=True)),
        Case(
            "chat, stream, usage",
            "chat",
            replace(chat_stream, usage_chunks=1),
            chat(stream=True, stream_options=usage),
        ),
        Case("chat, stream, long prompt", "chat", chat_stream, chat(long_prompt, stream=True)),
        Case("completion", "completion", text_done, completion()),
        Case("completion, stream", "completion", text_stream, completion(stream=True)),
        Case(
            "completion, stream, usage",
            "completion",
            replace(text_stream, usage_chunks=int(server.text_usage_has_a_chunk)),
            completion(stream=True, stream_options=usage),
        ),
        Case(
            "chat, one token",
            "chat",
            chat_stream,
            chat(stream=True, max_tokens=1),
        ),
        Case(
            "chat, stop string",
            "chat",
            Expected("chat", finish_reason="stop"),
            # Every answer has a vowel of the ten syllables before long.
            chat(stop=["a", "e"], max_tokens=200),
        ),
        Case(
            "chat, stream, log probabilities",
            "chat",
            chat_stream,
            chat(stream=True, logprobs=True, top_logprobs=5),
        ),
    ]
    if server.usage_sums_choices:
        two = chat(stream=True, n=2, temperature=0.7, seed=1)
        cases.append(Case("chat, stream, two choices", "chat", chat_stream, two))
    return cases


def error_cases(server: Server) -> list[Case]:
    """Requests at fault. The answer must be the server's own where the request reaches it."""
    # The pool knows its replicas' models, also those of llama-server, which itself answers to any name.
    unknown = Expected("chat", outcome="client_error", status=404, tokens=False, forwarded=False)
    return [
        Case("unknown model, stream", "chat", unknown, chat(model="no-such-model", stream=True)),
        Case(
            "bad JSON",
            "raw",
            Expected("chat", outcome="client_error", status=400, tokens=False),
            path="/v1/chat/completions",
            text='{"model": "tiny-random", "messages": [',
        ),
        Case(
            "unknown path",
            "raw",
            Expected("other", outcome="client_error", status=404, tokens=False, forwarded=False),
            path="/v1/no-such-path",
            text="{}",
        ),
        Case(
            "admin path of the replica",
            "raw",
            Expected("other", outcome="client_error", status=404, tokens=False, forwarded=False),
            method="GET",
            path="/metrics",
        ),
    ]


def abort_cases(endless_tokens: int) -> list[Case]:
    """Clients that leave. The replica must notice at once."""
    return [
        Case(
            "abort in the stream",
            "chat",
            Expected("chat", outcome="client_cancelled", ttft=True, tokens=False),
            chat("lomika", stream=True, max_tokens=endless_tokens),
            abort_after_chunks=5,
        ),
        Case(
            "abort a completion stream",
            "completion",
            Expected("completion", outcome="client_cancelled", ttft=True, tokens=False),
            completion("lomika", stream=True, max_tokens=endless_tokens),
            abort_after_chunks=5,
        ),
        Case(
            "give up before the answer",
            "chat",
            Expected("chat", outcome="client_cancelled", status=None, tokens=False),
            chat("lomika", max_tokens=endless_tokens),
            give_up_ms=700,
        ),
    ]
