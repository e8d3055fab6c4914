#!/usr/bin/env bash
# Installs what the tests need from Debian and skips what is there: Chromium for the browser tests, promtool to check
# /metrics, Python's venv for the clients of the end-to-end test, PostgreSQL for the second engine of the ledger.
set -euo pipefail

"$(dirname "${BASH_SOURCE[0]}")/setup-postgres.sh"

missing=()
command -v chromium >/dev/null || missing+=(chromium)
# promtool is part of Debian's prometheus package.
command -v promtool >/dev/null || missing+=(prometheus)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
command -v git >/dev/null || missing+=(git)

if ((${#missing[@]} == 0)); then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "error: please install: ${missing[*]} (this script knows apt-get only)" >&2
  exit 1
fi
as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "error: please install as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "setup: installing ${missing[*]}"
# Debian starts a service when it is installed; a policy of 101 says no, and Prometheus is wanted for promtool only.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
