"""What every client is asked to do, and the form it fills: what it saw of one request, by its own clock."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Protocol

from cases import Case

# Seconds for a whole answer; the longest here is a prefill on a machine that compiles at the same time.
REQUEST_SECONDS = 120.0


@dataclass
class Seen:
    """One request from the client's side. `None` is "did not see any"; times start before the client's call."""

    status: int | None = None
    # The `x-request-id` of the answer.
    request_id: str | None = None
    # First chunk with content; streams only.
    ttft_ms: float | None = None
    # The call and all of the answer.
    e2e_ms: float | None = None
    # Number of chunks with content, and all content in one string.
    content_chunks: int = 0
    content: str = ""
    # Chunks without choices that carry usage: what a client that did not ask for usage must never get.
    usage_chunks: int = 0
    finish_reason: str | None = None
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    # `error.type` of an error answer.
    error_type: str | None = None
    # Whether the client left before the end, as the case asked it to.
    left: bool = False

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Seen:
        """The form as the Node client sends it. An unknown field is a bug of that client."""
        known = {field.name for field in fields(cls)}
        if unknown := value.keys() - known:
            raise ValueError(f"the client sent unknown fields {sorted(unknown)}")
        return cls(**value)

    def take_usage(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Notes the usage of an answer; the last one counts."""
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = completion_tokens


class Client(Protocol):
    """What plays a case."""

    name: str

    def play(self, case: Case, request_id: str) -> Seen:
        """Sends the case's request and says what came back."""

    def close(self) -> None:
        """Ends the client."""
