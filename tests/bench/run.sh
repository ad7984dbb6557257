#!/bin/sh
# Measures the budgets against the tools upstream runs. Needs the reference release and an otherwise idle machine.
set -eu
cd "$(dirname "$0")/../.."
cargo build --release --locked --quiet -p factory
cargo build --release --locked --quiet -p builder --example cook_squashfs
cargo build --release --locked --quiet -p tests --bin bench
exec target/release/bench target/release/factory target/reference target/reference/inputs \
  target/release/examples/cook_squashfs
