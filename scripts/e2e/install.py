"""Virtual environments under `.cache/e2e`, made once and kept until their requirements change.

Uses the standard library only: `run.sh` calls it with the system's Python before anything is installed. What vLLM
needs beyond a virtual environment stands in `install_vllm.py`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
CACHE = PROJECT / ".cache" / "e2e"

# The exit status that run.sh reads as "this machine cannot": EX_TEMPFAIL of sysexits.h, which pip never uses.
EXIT_SKIPPED = 75

# Seconds for one installer command. The longest is vLLM's 2.5 GB over a slow line.
INSTALL_SECONDS_MAX = 1800


class Skip(Exception):
    """This machine cannot run a part of the tests; the text says what is missing and how to get it."""


class InstallFailed(Exception):
    """An installer command failed; the text holds the end of its output."""


def say(text: str) -> None:
    """Tells a waiting person what goes on; standard output stays free for results."""
    print(text, file=sys.stderr, flush=True)


def run_installer(
    what: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None, folder: Path | None = None
) -> str:
    """Runs one installer command to its end, in `folder` when that is given, and returns its output."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            env={**os.environ, **(env or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallFailed(f"{what} took longer than {INSTALL_SECONDS_MAX} s") from error
    if done.returncode != 0:
        raise InstallFailed(f"{what} failed with status {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


@contextlib.contextmanager
def only_one_installs() -> Iterator[None]:
    """Holds the cache's lock, so that `make test` and `make e2e` at the same time do not write over each other."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fingerprint(*parts: str | Path) -> str:
    """A name for what an installation was made from: the contents of files, and words as they are."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def is_current(folder: Path, stamp: str) -> bool:
    """Whether `folder` was completed from exactly what `stamp` names."""
    path = folder / "stamp"
    return path.is_file() and path.read_text() == stamp


def start_over(folder: Path) -> None:
    """Empties `folder`: half an installation is not repaired but made again."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def finish(folder: Path, stamp: str) -> None:
    """Marks `folder` as complete. Written last, so that an interrupted run starts over."""
    (folder / "stamp").write_text(stamp)


def clients_python() -> Path:
    """The Python that has the openai client and llama-server; installed on the first call."""
    folder = CACHE / "clients"
    requirements = HERE / "requirements-clients.txt"
    stamp = fingerprint(requirements, sys.version)
    python = folder / "venv" / "bin" / "python"
    with only_one_installs():
        if is_current(folder, stamp):
            return python
        say("installing the openai client and llama-server (56 MB, once) ...")
        start_over(folder)
        try:
            run_installer("python3 -m venv", [sys.executable, "-m", "venv", folder / "venv"])
        except InstallFailed as error:
            hint = "the end-to-end tests need Python's venv module (Debian: apt-get install python3-venv)"
            raise Skip(hint) from error
        run_installer(
            "pip install",
            [python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "-r", requirements],
            env={"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        )
        finish(folder, stamp)
    return python


def node_modules() -> Path:
    """The folder of the Node client with its packages; installed on the first call."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Skip("the Node client needs node and npm (Debian: apt-get install nodejs npm)")
    folder = CACHE / "node"
    sources = [HERE / "node" / name for name in ("package.json", "package-lock.json", "client.mjs")]
    stamp = fingerprint(*sources)
    with only_one_installs():
        if is_current(folder, stamp):
            return folder
        say("installing the npm client ...")
        start_over(folder)
        for source in sources:
            shutil.copy(source, folder)
        run_installer("npm ci", [npm, "ci", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts"])
        finish(folder, stamp)
    return folder


def promtool() -> Path:
    """Prometheus' linter: the one in the path, or Debian's, unpacked into the cache without becoming root."""
    if found := shutil.which("promtool"):
        return Path(found)
    folder = CACHE / "promtool"
    stamp = fingerprint("promtool from Debian's package prometheus")
    tool = folder / "promtool"
    with only_one_installs():
        if is_current(folder, stamp):
            return tool
        start_over(folder)
        try:
            run_installer("apt-get download", ["apt-get", "download", "prometheus"], folder=folder)
            package = next(folder.glob("prometheus_*.deb"))
            run_installer("dpkg", ["dpkg", "-x", package, folder / "package"])
        except (InstallFailed, OSError, StopIteration) as error:
            raise Skip("promtool is missing (Debian: apt-get install prometheus)") from error
        shutil.move(folder / "package" / "usr" / "bin" / "promtool", tool)
        shutil.rmtree(folder / "package")
        package.unlink()
        finish(folder, stamp)
    return tool


def main() -> None:
    """Installs the clients and prints the path of their Python, for run.sh."""
    if sys.argv[1:] != ["clients"]:
        sys.exit("usage: install.py clients")
    try:
        print(clients_python())
    except Skip as reason:
        say(f"skipped: {reason}")
        sys.exit(EXIT_SKIPPED)
    except InstallFailed as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
