"""Plays cases with the official openai client for Node, in a process of its own.

One JSON object a line in each direction: a case goes in, what the client saw comes out.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from pathlib import Path
from typing import Any

from cases import Case, Expected, chat
from client import REQUEST_SECONDS, Seen
from install import node_modules
from processes import ProcessDied, WaitedTooLong

# Bytes of one read from the pipe.
READ_LEN = 65536


class NodeClient:
    """The openai client for Node."""

    name = "node"

    def __init__(self, base_url: str, warm_up_url: str, log: Path) -> None:
        self._log = log
        command: list[str | Path] = ["node", node_modules() / "client.mjs", base_url]
        with log.open("wb") as errors:
            self._child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "NODE_NO_WARNINGS": "1"},
            )
        self._unread = b""
        warm_up = Case("warm-up", "chat", Expected("chat"), chat(stream=True, max_tokens=2))
        self._ask({**warm_up.to_json("warm-up"), "base_url": warm_up_url})

    def play(self, case: Case, request_id: str) -> Seen:
        """Sends the case's request and says what came back."""
        return Seen.from_json(self._ask(case.to_json(request_id)))

    def close(self) -> None:
        """Ends the process."""
        assert self._child.stdin is not None, "the pipe was asked for"
        self._child.stdin.close()
        try:
            self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._child.stdin is not None, "the pipe was asked for"
        self._child.stdin.write(json.dumps(question).encode() + b"\n")
        self._child.stdin.flush()
        answer: dict[str, Any] = json.loads(self._read_line())
        if failure := answer.get("failure"):
            raise RuntimeError(f"the Node client failed: {failure}")
        return answer

    def _read_line(self) -> bytes:
        assert self._child.stdout is not None, "the pipe was asked for"
        deadline = time.monotonic() + REQUEST_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise WaitedTooLong(f"waited {REQUEST_SECONDS:g} s for an answer of the Node client")
                piece = os.read(self._child.stdout.fileno(), READ_LEN)
                if not piece:
                    raise ProcessDied(f"the Node client ended: {self._log.read_text(errors='replace')[-2000:]}")
                self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        return line
