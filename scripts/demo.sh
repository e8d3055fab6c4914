#!/usr/bin/env bash
# Four simulated replicas, streamgauge in front of them, and clients that ask: a look without a GPU. Ctrl-C ends all.
#
# Wants the release build; `make demo` makes it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

streamgauge=${CARGO_TARGET_DIR:-target}/release/streamgauge
rate=${DEMO_RATE:-8}

children=()
finish() {
  trap - EXIT INT TERM
  # The clients first, so that nothing is cut; then streamgauge, which drains; then the replicas.
  for ((nth = ${#children[@]} - 1; nth >= 0; nth--)); do
    kill -TERM "${children[nth]}" 2>/dev/null || true
    wait "${children[nth]}" 2>/dev/null || true
  done
}
trap finish EXIT
trap 'exit 0' INT TERM

# Waits until the port takes connections, or the child is gone, or ten seconds are over.
wait_for_port() {
  local port=$1 child=$2 what=$3 tries=0
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    if ! kill -0 "$child" 2>/dev/null; then
      echo "error: $what ended before it listened on port $port" >&2
      exit 1
    fi
    if ((++tries > 100)); then
      echo "error: waited 10 s for $what on port $port" >&2
      exit 1
    fi
    sleep 0.1
  done
}

# Not in our process group: Ctrl-C reaches this script alone, which ends its children in order.
set -m
# One replica of the four is half as fast, so that the page has something to tell.
"$streamgauge" simulate --log-level warn --port 9000 --replicas 4 --speed 1,1,1,0.5 \
  --ttft 80ms --itl 12ms --tokens 40..400 --fault cut=0.002 --fault status=503:0.003 &
children+=($!)
wait_for_port 9003 "${children[0]}" "the simulated replicas"

"$streamgauge" up --config conf/demo.yaml &
children+=($!)
wait_for_port 8001 "${children[1]}" "streamgauge"

"$streamgauge" simulate --log-level warn --drive http://127.0.0.1:8001 --rate "$rate" &
children+=($!)

echo "demo: open http://127.0.0.1:8002/ ; $rate requests a second (DEMO_RATE=n for another); Ctrl-C ends it"
wait -n "${children[@]}" || true
