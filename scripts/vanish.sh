#!/usr/bin/env bash
# Takes the network of a replica away under load, without a FIN or RST, and prints what clients and records saw.
#
# The replica runs in a network namespace of its own, which takes root and iproute2; without them this says "skipped".
# Wants a binary: `make build`, or STREAMGAUGE_BIN. Takes half a minute.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

for name in python3 python3.13 python3.12 python3.11; do
  if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    exec "$name" "$here/faults/vanish.py"
  fi
done
echo "skipped: this needs python 3.11 or newer (Debian: apt-get install python3)"
