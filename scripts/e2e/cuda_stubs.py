"""Stand-ins for the CUDA libraries that PyPI's torch links against, so that it loads on a machine without them.

The real ones are gigabytes and need a GPU. A stand-in has the same file name, exports the symbols that torch's own
libraries ask for, under the same symbol versions, and every function returns 999 (`cudaErrorUnknown`): torch then
finds no device and stays on the CPU. Needs gcc and binutils.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path

# The libraries of torch whose needs count; the others link against these.
TORCH_PREFIXES = ("libtorch", "libc10_cuda", "libcaffe2")
CUDA_LIBRARY = re.compile(r"lib(cu|nv|nccl)")
CUDA_SYMBOL = re.compile(r"(cu|nccl|nv|__cuda|__nv|CUF)")

# Symbols without a version can live in any library that is always loaded; torch always loads this one.
CATCH_ALL = "libcurand.so.10"

# The driver: torch loads it by name at run time and copes with its absence.
DRIVER = "libcuda.so.1"

# Symbols of one library, by symbol version; the version is empty for those without.
Symbols = dict[str, set[str]]


def output_of(*command: str | Path) -> str:
    """What a binutils command prints."""
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True).stdout


def version_owners(library: Path) -> dict[str, str]:
    """Which needed library each symbol version comes from."""
    owners: dict[str, str] = {}
    owner = ""
    for line in output_of("readelf", "--version-info", "--wide", library).splitlines():
        if found := re.search(r"File: (\S+)", line):
            owner = found.group(1)
        if (found := re.search(r"Name: (\S+)\s+Flags", line)) and owner:
            owners[found.group(1)] = owner
    return owners


def wanted_symbols(torch_libraries: Path) -> dict[str, Symbols]:
    """Every CUDA library that torch needs, with the symbols it takes from it."""
    wanted: dict[str, Symbols] = {}
    unversioned: set[str] = set()
    for library in sorted(torch_libraries.iterdir()):
        if not library.name.startswith(TORCH_PREFIXES):
            continue
        for needed in re.findall(r"NEEDED.*\[(.*)\]", output_of("readelf", "--dynamic", "--wide", library)):
            if CUDA_LIBRARY.match(needed):
                wanted.setdefault(needed, defaultdict(set))
        owners = version_owners(library)
        for line in output_of("nm", "--dynamic", "--undefined-only", library).splitlines():
            symbol, _, version = line.split()[-1].partition("@")
            version = version.lstrip("@")
            owner = owners.get(version, "")
            if version and CUDA_LIBRARY.match(owner):
                wanted.setdefault(owner, defaultdict(set))[version].add(symbol)
            elif not version and CUDA_SYMBOL.match(symbol):
                unversioned.add(symbol)
    wanted.setdefault(CATCH_ALL, defaultdict(set))[""] |= unversioned
    wanted.pop(DRIVER, None)
    return wanted


def build_stub(folder: Path, library: str, symbols: Symbols) -> None:
    """Compiles one stand-in."""
    source = folder / "stub.c"
    functions = sorted(set().union(*symbols.values()))
    source.write_text("\n".join(f"int {name}(void) {{ return 999; }}" for name in functions) or "int no_symbol;")
    command = ["gcc", "-shared", "-fPIC", "-w", "-fno-builtin", f"-Wl,-soname,{library}"]
    if versions := {version: names for version, names in symbols.items() if version}:
        script = folder / "stub.map"
        lines = (f"{version} {{ global: {'; '.join(sorted(names))}; }};" for version, names in versions.items())
        script.write_text("\n".join(lines))
        command.append(f"-Wl,--version-script={script}")
    subprocess.run([*command, "-o", str(folder / library), str(source)], check=True)


def build_all(torch_libraries: Path, folder: Path, real: set[str]) -> None:
    """Builds a stand-in for each needed library but the `real` ones, which the caller provides."""
    folder.mkdir(parents=True, exist_ok=True)
    for library, symbols in wanted_symbols(torch_libraries).items():
        if library not in real:
            build_stub(folder, library, symbols)
