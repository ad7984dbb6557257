# JSON from shell: every value goes through these, so the output is well-formed whatever the input says.

# Standard input as one JSON string. Control characters without a short escape are dropped.
json_text() {
  tr -d '\000-\010\013\014\016-\037\177' | sed 's/\\/\\\\/g; s/"/\\"/g; s/\t/\\t/g; s/\r/\\r/g' |
    awk 'BEGIN { printf "\"" } NR > 1 { printf "\\n" } { printf "%s", $0 } END { printf "\"" }'
}

json_string() { printf '%s' "$1" | json_text; }

# The lines of standard input as a list of strings.
json_lines() {
  tr -d '\000-\010\013\014\016-\037\177' | sed 's/\\/\\\\/g; s/"/\\"/g; s/\t/\\t/g; s/\r/\\r/g' |
    awk 'BEGIN { printf "[" } { printf("%s\"%s\"", (NR > 1 ? "," : ""), $0) } END { printf "]" }'
}

# The first line of a file as a string, null when there is no such file.
json_file() { if [ -f "$1" ]; then head -n 1 "$1" | json_text; else printf null; fi; }

json_bool() { if "$@" >/dev/null 2>&1; then printf true; else printf false; fi; }

# field NAME COMMAND...: a member of an object, without the comma.
field() {
  printf '"%s":' "$1"
  shift
  "$@"
}

# object NAME=COMMAND...: each command prints one value.
object() {
  printf '{'
  separator=
  for member in "$@"; do
    printf '%s' "$separator"
    # shellcheck disable=SC2086
    field "${member%%=*}" ${member#*=}
    separator=,
  done
  printf '}'
}
