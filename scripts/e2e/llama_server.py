"""Runs llama.cpp's own server from its Python wheel: `llama_server.py MODEL.gguf PORT`.

A process of its own, because the server lives in the process that makes it. Ready when GET /health answers 200.
"""

from __future__ import annotations

import argparse
import signal

import xllamacpp

# Requests at once, and the tokens each may use for prompt and answer together.
SLOTS = 4
CONTEXT_PER_SLOT = 8192

# Between two comments (`:`) that the server sends while it reads a prompt: the shortest it takes. They are not tokens.
PING_SECONDS = 1

# One thread for each server: the tests run several beside streamgauge on a small machine.
THREADS = 1


def parameters(model: str, port: int) -> xllamacpp.CommonParams:
    """The server's settings: small, on the loopback interface, with `/metrics`."""
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {"tiny-random"}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * CONTEXT_PER_SLOT
    params.cpuparams.n_threads = THREADS
    params.cpuparams_batch.n_threads = THREADS
    params.sse_ping_interval = PING_SECONDS
    params.warmup = False
    params.endpoint_metrics = True
    return params


def main() -> None:
    """Serves until a signal ends the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    # Held in a name: the server stops when the object goes.
    server = xllamacpp.Server(parameters(options.model, options.port))
    print("listening on", server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
