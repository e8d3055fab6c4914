#!/usr/bin/env bash
# Runs each fuzz target of the observer for some seconds: fuzz.sh [seconds [target...]]
#
# What is found stands in fuzz/artifacts, and the script fails. New inputs that reach new code are kept in fuzz/corpus,
# reduced to the fewest; `cargo test -p observer --test corpus` replays that folder. The sanitizers are off: there is no
# unsafe code to watch, and the checks in fuzz/src/checks.rs panic by themselves.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-60}
shift || true
targets=("$@")
# libFuzzer's hooks need options of the compiler that are not stable.
export RUSTC_BOOTSTRAP=1

# Longest input. Enough for several events; libFuzzer's own choice would be the longest seed.
longest=2048

if ! cargo fuzz --version >/dev/null 2>&1; then
  echo "fuzz: installing cargo-fuzz"
  cargo install --locked cargo-fuzz
fi
if ((${#targets[@]} == 0)); then
  mapfile -t targets < <(cargo fuzz list)
fi

cargo fuzz build --sanitizer none
for target in "${targets[@]}"; do
  echo "==> $target for $seconds s"
  fresh=$(mktemp -d)
  cargo fuzz run --sanitizer none "$target" "$fresh" "fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -max_len="$longest" -timeout=10 -print_final_stats=1 -verbosity=0
  cargo fuzz run --sanitizer none "$target" -- -merge=1 -max_len="$longest" "fuzz/corpus/$target" "$fresh" \
    >/dev/null 2>&1 || echo "fuzz: the corpus of $target could not be added to"
  rm -rf "$fresh"
done
du -sh fuzz/corpus
