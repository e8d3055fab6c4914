#!/usr/bin/env bash
# Every test of the project, each step announced and timed: test.sh [--quick]
#
# --quick leaves out what takes long: running the tests, the browser, the real server. A failed step does not stop the
# ones that can go on without it; the end says which failed, and how many tests passed and failed in all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

quick=false
[[ ${1:-} == --quick ]] && quick=true

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}
# Colours would stand between the words that are counted below. Backtraces make one failed assert fill a screen.
export NO_COLOR=1
export RUST_BACKTRACE=${RUST_BACKTRACE:-0}
logs=$CARGO_TARGET_DIR/test-logs
rm -rf "$logs"
mkdir -p "$logs"

names=() seconds=() results=()

# Runs one step with its output on the screen and in a log. Returns whether it went well.
step() {
  local name=$1 status=0 begun=$SECONDS
  shift
  echo
  echo "==> $name"
  (set -o pipefail && "$@" 2>&1 | tee "$logs/$(printf '%02d' ${#names[@]})-${name//[^a-z0-9]/-}.log") || status=$?
  names+=("$name")
  seconds+=($((SECONDS - begun)))
  if ((status == 0)); then results+=(ok); else results+=(FAILED); fi
  return "$status"
}

in_dashboard() (
  cd dashboard
  "$@"
)

# Sums the totals that cargo, Vitest, Playwright and the end-to-end test print.
count() {
  awk '
    { gsub(/\033\[[0-9;]*m/, "") }
    /^test result:/ || /^ *Tests  / || /^ +[0-9]+ (passed|failed)/ || /^[0-9]+ passed, [0-9]+ failed/ {
      for (i = 2; i <= NF; i++) {
        word = $i
        gsub(/[^a-z]/, "", word)
        if ($(i - 1) !~ /^[0-9]+$/) continue
        if (word == "passed") passed += $(i - 1)
        if (word == "failed") failed += $(i - 1)
      }
    }
    END { printf "%d %d\n", passed, failed }
  ' "$logs"/*.log
}

summary() {
  local nth failed_steps=0 passed failed
  echo
  echo "==> summary"
  for nth in "${!names[@]}"; do
    printf '  %-34s %5d s  %s\n' "${names[nth]}" "${seconds[nth]}" "${results[nth]}"
    if [[ ${results[nth]} == FAILED ]]; then failed_steps=$((failed_steps + 1)); fi
  done
  printf '  %-34s %5d s\n' "all" "$SECONDS"
  read -r passed failed < <(count)
  # A step may fail without a failed test, such as a lint; it counts as one.
  if ((failed < failed_steps)); then failed=$failed_steps; fi
  echo "$passed passed, $failed failed"
  ((failed_steps == 0))
}

step "tools for the build" scripts/setup-build.sh || true
$quick || step "tools for the tests" scripts/setup-test.sh || true
step "format of the Rust code" cargo fmt --all --check || true

if step "dashboard: build" scripts/dashboard.sh; then
  step "dashboard: lint" in_dashboard npm run --silent lint || true
  step "dashboard: types" in_dashboard npm run --silent typecheck || true
  step "dashboard: types of the API" in_dashboard npm run --silent api:check || true
  $quick || step "dashboard: tests" in_dashboard npm run --silent test || true
fi

step "clippy" cargo clippy --workspace --all-targets --locked -- -D warnings || true
if $quick; then
  step "house rules" cargo test --locked -p tidy || true
  summary
  exit
fi

step "Rust tests" cargo test --workspace --locked --no-fail-fast || true
if step "binary for the end-to-end tests" cargo build --locked -p streamgauge; then
  export STREAMGAUGE_BIN=$CARGO_TARGET_DIR/debug/streamgauge
  step "faults of disk and process" scripts/faults.sh --quick || true
  step "dashboard: browser tests" scripts/browser.sh || true
  step "in front of llama-server" scripts/e2e/run.sh --llama-only || true
fi
summary
