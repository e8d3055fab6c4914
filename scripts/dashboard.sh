#!/usr/bin/env bash
# Builds the dashboard into dashboard/dist when a file of it is newer than the last build.
# Usage: dashboard.sh [--install-only]
#
# The binary embeds dashboard/dist, so this runs before cargo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../dashboard"

if ! command -v npm >/dev/null; then
  echo "error: npm is missing; install Node.js 20 or newer" >&2
  exit 1
fi

# npm writes this file last, so its time says which lock file node_modules belongs to.
if [[ ! node_modules/.package-lock.json -nt package-lock.json ]]; then
  echo "dashboard: installing packages"
  npm ci --no-audit --no-fund --loglevel=error
  touch node_modules/.package-lock.json
fi
if [[ ${1:-} == --install-only ]]; then
  exit 0
fi

if [[ -f dist/index.html ]]; then
  newer=$(find . -path ./node_modules -prune -o -path ./dist -prune -o -type f -newer dist/index.html -print -quit)
  if [[ -z $newer ]]; then
    exit 0
  fi
fi
echo "dashboard: building"
npm run --silent build
# Vite keeps the time of a page that did not change; the next run must still see that this build is newest.
touch dist/index.html
