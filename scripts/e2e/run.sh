#!/usr/bin/env bash
# Drives streamgauge in front of real inference servers with the official clients: run.sh [--llama-only] [--help]
#
# The first run installs what it needs under .cache/e2e (about 60 MB for llama-server, 2.5 GB more for vLLM); later
# runs find it there. Where this machine cannot run a part, that part says "skipped" and why. With
# STREAMGAUGE_E2E_REQUIRE=1 a skipped part counts as a failure.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

for name in python3 python3.13 python3.12 python3.11; do
  if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(command -v "$name")
    break
  fi
done
if [[ -z ${python:-} ]]; then
  echo "skipped: the end-to-end tests need python 3.11 or newer (Debian: apt-get install python3 python3-venv)"
  exit "${STREAMGAUGE_E2E_REQUIRE:-0}"
fi

# The interpreter of the virtual environment replaces this shell: a signal reaches the process that has children.
venv_python=$("$python" "$here/install.py" clients) || {
  status=$?
  ((status == 75)) && exit "${STREAMGAUGE_E2E_REQUIRE:-0}" # install.py has said what is missing.
  exit "$status"
}
exec "$venv_python" "$here/run.py" "$@"
