#!/usr/bin/env bash
# The browser tests against the real thing: a simulated replica, streamgauge with a fresh ledger, Chromium.
#
# Takes the binary from STREAMGAUGE_BIN, else the debug build. Ports are free ones, so it runs beside anything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

streamgauge=${STREAMGAUGE_BIN:-${CARGO_TARGET_DIR:-target}/debug/streamgauge}
folder=$(mktemp -d)
children=()
finish() {
  for ((nth = ${#children[@]} - 1; nth >= 0; nth--)); do
    kill -TERM "${children[nth]}" 2>/dev/null || true
    wait "${children[nth]}" 2>/dev/null || true
  done
  rm -rf "$folder"
}
trap finish EXIT

# Waits up to 20 s until the command holds; says what it waited for, and the logs, when it never does.
wait_for() {
  local what=$1 tries=0
  shift
  until "$@"; do
    if ((++tries > 200)); then
      echo "error: waited 20 s for $what" >&2
      tail -n 20 "$folder"/*.log >&2
      exit 1
    fi
    sleep 0.1
  done
}
takes_connections() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# The start-up block ends with one line for each replica.
is_announced() { grep -q '^    http://' "$folder/block.log" 2>/dev/null; }

replica=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => {
  console.log(s.address().port); s.close(); })')
"$streamgauge" simulate --log-level warn --port "$replica" --ttft 30ms --itl 5ms --tokens 20..60 \
  >"$folder/replica.log" 2>&1 &
children+=($!)
wait_for "the simulated replica" takes_connections "$replica"

"$streamgauge" up --upstream "http://127.0.0.1:$replica" --ledger "sqlite://$folder/browser.db" \
  --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 --api-listen 127.0.0.1:0 \
  >"$folder/block.log" 2>"$folder/streamgauge.log" &
children+=($!)
wait_for "streamgauge" is_announced

STREAMGAUGE_URL=$(awk '/^  dashboard/ { print $2 }' "$folder/block.log")
export STREAMGAUGE_URL=${STREAMGAUGE_URL%/}
echo "browser: testing the page at $STREAMGAUGE_URL"
status=0
(cd dashboard && npm run --silent e2e) || status=$?
if ((status != 0)); then
  tail -n 20 "$folder/streamgauge.log" >&2
fi
exit "$status"
