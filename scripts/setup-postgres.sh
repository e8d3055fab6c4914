#!/usr/bin/env bash
# Installs Debian's PostgreSQL server for the tests of the second ledger engine, and skips it when it is there.
#
# No service is left running and no cluster is made: scripts/postgres.sh starts a private one for each test binary.
set -euo pipefail

server() {
  command -v postgres || find /usr/lib/postgresql /usr/pgsql-* -name postgres -path '*/bin/*' 2>/dev/null | head -n 1
}

if [[ -n $(server) ]]; then
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "error: please install PostgreSQL 14 or later (this script knows apt-get only)" >&2
  exit 1
fi
as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "error: please install as root: apt-get install postgresql" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "setup: installing postgresql"
# Debian makes a cluster and starts it when the package is installed; neither is wanted.
"${as_root[@]}" mkdir -p /etc/postgresql-common
settings=/etc/postgresql-common/createcluster.conf
if [[ ! -e $settings ]]; then
  echo 'create_main_cluster = false' | "${as_root[@]}" tee "$settings" >/dev/null
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql
