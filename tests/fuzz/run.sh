#!/bin/sh
# Fuzzes one target for so many seconds with libFuzzer, on the stable compiler.
#
#   tests/fuzz/run.sh TARGET SECONDS
#
# Coverage instrumentation needs no nightly; only sanitizers would, and safe code has little use for them.
set -eu
target=$1
seconds=$2
cd "$(dirname "$0")"

flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
flags="$flags -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1"
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS=$flags cargo build --release --quiet --target "$host" --bin "$target"

# What is known to be hostile is a good place to start from.
seeds=
[ "$target" != tar_layer ] || seeds=../fixtures/hostile

mkdir -p "corpus/$target" "artifacts/$target"
exec "${CARGO_TARGET_DIR:-target}/$host/release/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
  -print_final_stats=1 -verbosity=0 -artifact_prefix="artifacts/$target/" "corpus/$target" $seeds
