#!/usr/bin/env bash
# Breaks the ledger's disk and kills the proxy under load, and prints what clients and ledger saw:
# faults.sh [--quick] [--only WORD]
#
# The whole takes about ten minutes and wants an optimised binary and a machine with nothing else to do; --quick takes
# a minute and is part of `make test`. Everything happens in a temporary folder. A fault that this machine cannot make
# (mounting needs root, the library a C compiler) says "skipped" and why.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

for name in python3 python3.13 python3.12 python3.11; do
  if "$name" -c 'import sqlite3, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    exec "$name" "$here/faults/run.py" "$@"
  fi
done
echo "skipped: this needs python 3.11 or newer with sqlite3 (Debian: apt-get install python3)"
