#!/usr/bin/env bash
# Chaos at length: replicas killed, hung, reset, slowed, cut, busy and ill in turn under load, then clients that leave.
# chaos.sh [SECONDS] [REQUESTS A SECOND] [CLIENTS THAT LEAVE]
#
# The tests of crates/streamgauge/tests/it/{chaos,aborts}.rs with other numbers, against the optimised binary. They
# print what clients saw beside what the records say, and how soon the replica noticed a client that left.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export STREAMGAUGE_CHAOS_SECONDS=${1:-120} STREAMGAUGE_CHAOS_RATE=${2:-200} STREAMGAUGE_ABORTS=${3:-1000}
scripts/setup-build.sh
echo "$STREAMGAUGE_CHAOS_SECONDS s at $STREAMGAUGE_CHAOS_RATE requests a second, then $STREAMGAUGE_ABORTS clients leave"
for what in chaos:: aborts::; do
  cargo test --release --locked --quiet -p streamgauge --test it -- --nocapture "$what"
done
