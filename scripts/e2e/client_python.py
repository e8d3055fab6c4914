"""Plays cases with the official openai client for Python, and measures them by its own clock."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import openai

from cases import Case, chat
from client import REQUEST_SECONDS, Seen
from replicas import ANSWER_SECONDS


class PythonClient:
    """The openai client for Python in this process."""

    name = "python"

    def __init__(self, base_url: str, warm_up_url: str) -> None:
        # No retries: one request of ours must be one record.
        self._client = openai.OpenAI(base_url=f"{base_url}/v1", api_key="none", max_retries=0, timeout=REQUEST_SECONDS)
        self._base_url = base_url
        # The library loads its parts with the first request of a kind. That belongs to no measurement.
        with openai.OpenAI(base_url=f"{warm_up_url}/v1", api_key="none", max_retries=0) as other:
            for _ in other.chat.completions.create(**chat(stream=True, max_tokens=2)):
                pass

    def play(self, case: Case, request_id: str) -> Seen:
        """Sends the case's request and says what came back."""
        started = time.perf_counter()
        seen = Seen()
        try:
            self._send(case, request_id, seen, started)
        except openai.APIStatusError as error:
            seen.status = error.status_code
            seen.request_id = error.response.headers.get("x-request-id")
            seen.error_type = error.type
        except openai.APITimeoutError:
            # The client itself gave up; anything else it may raise is a failure of the case.
            if case.give_up_ms is None:
                raise
            seen.left = True
        seen.e2e_ms = milliseconds_since(started)
        return seen

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _send(self, case: Case, request_id: str, seen: Seen, started: float) -> None:
        headers = {"x-request-id": request_id}
        timeout = REQUEST_SECONDS if case.give_up_ms is None else case.give_up_ms / 1000
        if case.kind == "raw":
            send_raw(f"{self._base_url}{case.path}", case, headers, seen)
            return
        if case.kind == "models":
            answer = self._client.models.with_raw_response.list(extra_headers=headers)
            seen.status, seen.request_id = answer.status_code, answer.headers.get("x-request-id")
            seen.model = answer.parse().data[0].id
            return
        endpoint: Any = self._client.chat.completions if case.kind == "chat" else self._client.completions
        raw = endpoint.with_raw_response.create(**case.body, extra_headers=headers, timeout=timeout)
        seen.status, seen.request_id = raw.status_code, raw.headers.get("x-request-id")
        if case.stream:
            read_stream(raw.parse(), case, seen, started)
        else:
            read_answer(raw.parse(), seen)


def send_raw(url: str, case: Case, headers: Mapping[str, str], seen: Seen) -> None:
    """Sends text that the openai client would not let us send."""
    text = None if case.method == "GET" else case.text.encode()
    request = urllib.request.Request(url, data=text, method=case.method)
    for name, value in {**headers, "content-type": "application/json"}.items():
        request.add_header(name, value)
    try:
        answer = urllib.request.urlopen(request, timeout=ANSWER_SECONDS)
    except urllib.error.HTTPError as error:
        # It is the answer, too: urllib raises for every status from 400 on.
        answer = error
    with answer:
        seen.status, seen.request_id = answer.status, answer.headers.get("x-request-id")
        answer.read()


def read_stream(stream: Any, case: Case, seen: Seen, started: float) -> None:
    """Reads a stream to its end, or to the point where the case leaves it."""
    with stream:
        for chunk in stream:
            seen.model = chunk.model
            if chunk.usage is not None:
                seen.take_usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                seen.usage_chunks += not chunk.choices
            for choice in chunk.choices:
                take_choice(choice, seen, started)
            if case.abort_after_chunks is not None and seen.content_chunks >= case.abort_after_chunks:
                seen.left = True
                return


def take_choice(choice: Any, seen: Seen, started: float) -> None:
    """Notes one choice of a chunk: content, time of the first content, finish reason of choice 0."""
    content = choice.delta.content if hasattr(choice, "delta") else choice.text
    if content:
        if seen.ttft_ms is None:
            seen.ttft_ms = milliseconds_since(started)
        seen.content_chunks += 1
        seen.content += content
    if choice.finish_reason is not None and choice.index == 0:
        seen.finish_reason = choice.finish_reason


def read_answer(answer: Any, seen: Seen) -> None:
    """Notes an answer that came as one body."""
    seen.model = answer.model
    choice = answer.choices[0]
    seen.content = (choice.message.content if hasattr(choice, "message") else choice.text) or ""
    seen.finish_reason = choice.finish_reason
    seen.take_usage(answer.usage.prompt_tokens, answer.usage.completion_tokens)


def milliseconds_since(started: float) -> float:
    """Time since a reading of `perf_counter`."""
    return (time.perf_counter() - started) * 1000
