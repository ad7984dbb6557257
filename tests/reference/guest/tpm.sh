# The TPM, spoken to with nothing but the shell, so that phases are measured where Talos measures them.

TPM=/sys/class/tpm/tpm0
EVENT_LOG=/sys/kernel/security/tpm0/binary_bios_measurements

byte() { printf '\\%03o' "$1"; }

# measure_phase WORD: extends PCR 11 in every bank with the digest of the word, and notes the value after it.
# The command is TPM2_PCR_Event (TPM 2.0 part 3, 22.3) with an empty password: 29 bytes and the word.
measure_phase() {
  [ -c /dev/tpm0 ] || return 0
  length=${#1}
  # Header, PCR 11; authorization: TPM_RS_PW, no nonce, no attributes, no password; length and word.
  command='\200\002\000\000\000'$(byte $((29 + length)))'\000\000\001\074\000\000\000\013'
  command=$command'\000\000\000\011\100\000\000\011\000\000\000\000\000\000'$(byte "$length")$1
  # One descriptor for both directions: the answer belongs to the file that asked.
  # shellcheck disable=SC2059
  code=$({ printf "$command" >&3; dd bs=4096 count=1 <&3 2>/dev/null; } 3<> /dev/tpm0 | tail -c +7 | head -c 4 | od -An -tx1 | tr -d ' ')
  [ "$code" = 00000000 ] || fail "the TPM does not extend PCR 11 with $1: $code"
  note_phase "$1"
}

# Notes the value of PCR 11 as of now.
note_phase() {
  [ -d "$TPM" ] || return 0
  for bank in "$TPM"/pcr-*; do
    mkdir -p "/run/phases/${bank##*/pcr-}"
    cp "$bank/11" "/run/phases/${bank##*/pcr-}/$1"
  done
}

# members FILE...: each file as a member of its name.
members() {
  printf '{'
  separator=
  for file in "$@"; do
    printf '%s"%s":%s' "$separator" "${file##*/}" "$(json_file "$file")"
    separator=,
  done
  printf '}'
}

# per_bank DIRECTORY...: the files of each directory, as a member named like the directory.
per_bank() {
  printf '{'
  bank_separator=
  for bank in "$@"; do
    name=${bank##*/}
    printf '%s"%s":%s' "$bank_separator" "${name#pcr-}" "$(members "$bank"/*)"
    bank_separator=,
  done
  printf '}'
}

# {"sha256": {"start": "…", "enter-initrd": "…", …}, …}: PCR 11 before the first phase and after each.
phases() { per_bank /run/phases/*; }

# {"sha256": {"0": "…", …}, …}: every PCR of every bank the TPM has.
banks() { per_bank "$TPM"/pcr-*; }

# The firmware's event log, compressed: some 40 KB, which serial ports like to have in less.
event_log() {
  if [ -f "$EVENT_LOG" ]; then gzip -c < "$EVENT_LOG" | base64 | tr -d '\n' | json_text; else printf null; fi
}

tpm() {
  [ -d "$TPM" ] || { printf null; return; }
  object phases=phases banks=banks event_log=event_log
}
