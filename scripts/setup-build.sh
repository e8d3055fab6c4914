#!/usr/bin/env bash
# Makes sure that what the Rust build needs beyond Rust and a C compiler is there.
#
# Pingora 0.9.1 turns on flate2's zlib-ng, and libz-ng-sys (every version that flate2 accepts) builds zlib-ng with
# cmake: docs/adr/0005-cmake-for-zlib-ng.md. Nothing is done when cmake is there already.
set -euo pipefail

if command -v cmake >/dev/null; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo)
fi

if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }; then
  echo "setup: installing cmake, which Pingora's zlib-ng needs to build"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends cmake make
else
  # PyPI's wheel carries a working cmake for machines without apt or without root.
  echo "error: cmake is missing and cannot be installed here" >&2
  echo "       install it with your package manager, or: pip install cmake" >&2
  exit 1
fi
