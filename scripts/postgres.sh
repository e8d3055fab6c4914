#!/usr/bin/env bash
# A private PostgreSQL server in a temporary folder, for as long as the standard input stays open:
#   postgres.sh [--port PORT] [--durable] [NAME=VALUE ...]
#
# Prints the folder of its socket once it answers. With --port it listens on 127.0.0.1 as well. Without --durable
# nothing is synced to the disk, which tests do not need. NAME=VALUE are settings of the server. When the input ends,
# by whatever death of whoever holds it, the server is stopped and the folder removed.
# Exit code 77 when PostgreSQL is not installed.
set -euo pipefail

settings=(-c max_connections=200 -c shared_buffers=128MB -c log_min_messages=fatal -c max_wal_size=4GB)
durable=false
addresses=
port=5432
while (($# > 0)); do
  case $1 in
    --port) addresses=127.0.0.1 && port=$2 && shift ;;
    --durable) durable=true ;;
    *=*) settings+=(-c "$1") ;;
    *) echo "error: $1 is not an argument of postgres.sh" >&2 && exit 2 ;;
  esac
  shift
done
if ! $durable; then
  settings+=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off)
fi

server=$(command -v postgres \
  || find /usr/lib/postgresql /usr/pgsql-* -name postgres -path '*/bin/*' 2>/dev/null | head -n 1)
if [[ -z $server ]]; then
  echo "PostgreSQL is not installed: scripts/setup-postgres.sh does it" >&2
  exit 77
fi
bin=$(dirname "$(readlink -f "$server")")

folder=$(mktemp -d "${TMPDIR:-/tmp}/streamgauge-postgres.XXXXXX")
pid=
end() {
  # SIGQUIT: the folder goes anyway.
  if [[ -n $pid ]]; then kill -QUIT "$pid" 2>/dev/null && wait "$pid" || true; fi
  rm -rf "$folder"
}
trap end EXIT
trap 'exit 0' INT TERM HUP

# PostgreSQL refuses to run as root.
as_user=()
if [[ $(id -u) -eq 0 ]]; then
  user=nobody
  if id postgres >/dev/null 2>&1; then user=postgres; fi
  chown "$user" "$folder"
  as_user=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups)
fi

cd "$folder"
"${as_user[@]}" "$bin/initdb" --pgdata data --username streamgauge --auth trust --no-sync \
  --encoding UTF8 --locale C >initdb.log 2>&1 || { cat initdb.log >&2 && exit 1; }
# Standard input stays ours: the server must not hold the pipe whose end we wait for.
"${as_user[@]}" "$bin/postgres" -D data -k "$folder" -p "$port" -c listen_addresses="$addresses" "${settings[@]}" \
  </dev/null >server.log 2>&1 &
pid=$!
for _ in {1..300}; do
  if "$bin/pg_isready" -q -h "$folder" -p "$port"; then
    echo "$folder"
    # Until the end of the input.
    cat >/dev/null
    exit 0
  fi
  if ! kill -0 "$pid" 2>/dev/null; then break; fi
  read -rt 0.1 <> <(:) || true
done
echo "error: the server did not start within 30 s" >&2
cat server.log >&2
exit 1
