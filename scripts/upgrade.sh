#!/usr/bin/env bash
# Replaces the proxy under load, by SIGQUIT and by SIGUSR2, and prints what clients and records saw.
#
# Wants a binary: `make build`, or STREAMGAUGE_BIN. Takes half a minute.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

for name in python3 python3.13 python3.12 python3.11; do
  if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    exec "$name" "$here/faults/upgrade.py"
  fi
done
echo "skipped: this needs python 3.11 or newer (Debian: apt-get install python3)"
