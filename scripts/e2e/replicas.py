"""The real inference servers behind streamgauge: how to start them, and what their own counters say."""

from __future__ import annotations

import os
import time
import urllib.request
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from exposition import Exposition
from install import CACHE, HERE, clients_python, fingerprint, finish, is_current, run_installer, start_over
from install_vllm import VllmHome, vllm_home
from processes import Process, free_port, wait_for

# The name that both servers give their model.
MODEL = "tiny-random"

# Seconds for one small HTTP answer on the loopback interface of a busy machine.
ANSWER_SECONDS = 10.0

# Seconds from start to the first healthy answer. vLLM imports torch and compiles for about a minute, two at a time.
LLAMA_START_SECONDS = 60.0
VLLM_START_SECONDS = 420.0

# More than the second after which llama-server looks whether the client of a request without a stream is still there.
LLAMA_LOOKS_SECONDS = 1.5

# Between two looks at vLLM's counters. It makes a token in 2 to 20 ms, so a working one has counted many in this time.
LOOK_TWICE_SECONDS = 0.4


def get_text(url: str) -> str:
    """The body of a GET; raises `OSError` for anything but a 200."""
    with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
        text: str = answer.read().decode()
        return text


@dataclass(frozen=True)
class Counters:
    """What a server has counted about itself, added up over replicas. Times are sums over requests."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token_s: float = 0.0
    total_s: float = 0.0

    def __add__(self, other: Counters) -> Counters:
        return Counters(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.first_token_s + other.first_token_s,
            self.total_s + other.total_s,
        )

    def __sub__(self, other: Counters) -> Counters:
        return self + Counters(-other.prompt_tokens, -other.completion_tokens, -other.first_token_s, -other.total_s)


class Replica(ABC):
    """One running inference server."""

    def __init__(self, process: Process, port: int, start_seconds: float) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._start_seconds = start_seconds

    def wait_healthy(self) -> None:
        """Returns when the server answers its health check."""

        def probe() -> bool | None:
            self.process.check_alive()
            try:
                get_text(f"{self.url}/health")
            except OSError:
                return None
            return True

        wait_for(f"{self.process.name} to answer /health", self._start_seconds, probe)

    def exposition(self) -> Exposition:
        """The server's `/metrics`."""
        return Exposition(get_text(f"{self.url}/metrics"))

    @abstractmethod
    def counters(self) -> Counters:
        """What the server has counted since it started."""

    @abstractmethod
    def is_working(self) -> bool:
        """Whether the server is busy with any request. May take `LOOK_TWICE_SECONDS`."""


class LlamaServer(Replica):
    """llama.cpp's llama-server."""

    def counters(self) -> Counters:
        seen = self.exposition()
        prompt_s = seen.total("llamacpp:prompt_seconds_total")
        cached = seen.total("llamacpp:prompt_tokens_cached_total")
        return Counters(
            prompt_tokens=round(seen.total("llamacpp:prompt_tokens_total") + cached),
            completion_tokens=round(seen.total("llamacpp:tokens_predicted_total")),
            first_token_s=prompt_s,
            total_s=prompt_s + seen.total("llamacpp:tokens_predicted_seconds_total"),
        )

    def is_working(self) -> bool:
        seen = self.exposition()
        working = seen.total("llamacpp:requests_processing") + seen.total("llamacpp:requests_deferred") > 0
        if working:
            # For a request that does not stream it looks for its client after a second without any news, and our
            # question is news: asked more often, it never looks.
            time.sleep(LLAMA_LOOKS_SECONDS)
        return working


class VllmServer(Replica):
    """vLLM on the CPU."""

    def counters(self) -> Counters:
        seen = self.exposition()
        return Counters(
            prompt_tokens=round(seen.total("vllm:prompt_tokens_total")),
            completion_tokens=round(seen.total("vllm:generation_tokens_total")),
            first_token_s=seen.total("vllm:time_to_first_token_seconds_sum"),
            total_s=seen.total("vllm:e2e_request_latency_seconds_sum"),
        )

    def is_working(self) -> bool:
        # Not by its gauges: they move with the engine's steps, and after an abort there may be no next step.
        first = self.counters()
        time.sleep(LOOK_TWICE_SECONDS)
        return self.counters() != first


def llama_model() -> Path:
    """The model file; written on the first call."""
    folder = CACHE / "gguf"
    script = HERE / "model_gguf.py"
    stamp = fingerprint(script)
    model = folder / "tiny-random.gguf"
    if not is_current(folder, stamp):
        start_over(folder)
        run_installer("making llama-server's model", [clients_python(), script, model])
        finish(folder, stamp)
    return model


def start_llama(name: str, logs: Path) -> LlamaServer:
    """Starts one llama-server; `wait_healthy` says when it is ready."""
    port = free_port()
    command: list[str | Path] = [clients_python(), HERE / "llama_server.py", llama_model(), str(port)]
    process = Process(name, command, logs / f"{name}.log")
    return LlamaServer(process, port, LLAMA_START_SECONDS)


def start_vllm(name: str, logs: Path) -> VllmServer:
    """Starts one vLLM; `wait_healthy` says when it is ready."""
    home = vllm_home()
    port = free_port()
    command: list[str | Path] = [home.command, "serve", home.model, "--served-model-name", MODEL]
    command += ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"]
    command += ["--max-model-len", "4096", "--max-num-seqs", "16"]
    process = Process(name, command, logs / f"{name}.log", env=vllm_env(home))
    return VllmServer(process, port, VLLM_START_SECONDS)


def vllm_env(home: VllmHome) -> dict[str, str]:
    """Our environment, with what keeps vLLM on one core each, off the network, and away from GPUs."""
    return {
        **os.environ,
        "LD_LIBRARY_PATH": str(home.stubs),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TORCHDYNAMO_DISABLE": "1",
    }


def total(replicas: list[Replica]) -> Counters:
    """The counters of all replicas together: which of them took a request is the balancer's business."""
    return sum((replica.counters() for replica in replicas), Counters())
