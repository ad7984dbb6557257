#!/bin/bash
# Runs the tests and ends with one line: N passed, N failed, N skipped.
#
#   tests/test.sh all          formatting, lints, every test, fuzzing, boots, container clients
#   tests/test.sh boot         the boots in QEMU alone
#   tests/test.sh secureboot   SecureBoot and measured boot in QEMU, and the places keys can be
#   tests/test.sh clients      the container clients alone
set -u
cd "$(dirname "$0")/.." || exit 1

passed=0 failed=0
logs=target/test-logs
mkdir -p "$logs"
# What tests/tools fetched because Debian has it in another release.
export PATH="$PWD/target/tools:$PATH"
# A test that lacks a tool writes a line here instead of passing silently.
export FACTORY_TEST_SKIPS=$PWD/$logs/skipped
: > "$FACTORY_TEST_SKIPS"

# step NAME COMMAND...: one check, passed or failed.
step() {
  name=$1; shift
  echo "== $name"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $name"; fi
}

# suite NAME COMMAND...: a run of cargo test; its own counts are added up.
suite() {
  name=$1; shift
  log=$logs/$name.log
  echo "== $name"
  "$@" 2>&1 | tee "$log" | grep -vE '^test .* ok$|^running 0 tests|^$'
  status=${PIPESTATUS[0]}
  counts=$(awk '/^test result:/ { p += $4; f += $6; s += $8 } END { print p + 0, f + 0, s + 0 }' "$log")
  read -r p f s <<< "$counts"
  for _ in $(seq "$s"); do echo "$name: ignored" >> "$FACTORY_TEST_SKIPS"; done
  # A suite that did not even build has failed, though it counts nothing.
  if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  passed=$((passed + p)) failed=$((failed + f))
}

case ${1:-} in
  all)
    step formatting cargo fmt --all --check
    step lints cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
    suite tests cargo test --workspace --locked --no-fail-fast -- --quiet
    suite boot cargo test --locked -p tests --features boot --test boot -- --test-threads=2
    suite secureboot cargo test --locked -p tests --features boot --test secureboot -- --test-threads=2
    suite clients cargo test --locked -p tests --features clients --test clients -- --test-threads=2
    for target in tests/fuzz/fuzz_targets/*.rs; do
      step "fuzz $(basename "$target" .rs)" tests/fuzz/run.sh "$(basename "$target" .rs)" 20
    done
    ;;
  boot)
    suite boot cargo test --locked -p tests --features boot --test boot -- --test-threads=2
    ;;
  secureboot)
    suite signers cargo test --locked -p tests --test signers -- --quiet
    suite secureboot cargo test --locked -p tests --features boot --test secureboot -- --test-threads=2
    ;;
  clients)
    suite clients cargo test --locked -p tests --features clients --test clients -- --test-threads=2
    ;;
  *)
    echo "usage: $0 all|boot|secureboot|clients" >&2
    exit 2
    ;;
esac

sort -u "$FACTORY_TEST_SKIPS" | sed 's/^/skipped: /'
echo "$passed passed, $failed failed, $(sort -u "$FACTORY_TEST_SKIPS" | grep -c .) skipped"
[ "$failed" -eq 0 ]
