# What guests do with a signed policy for PCR 11: seal a secret to it, ask for it again, lock a disk with it.
#
# Each function prints one line, `NAME: RESULT`, that the test compares; why something was refused follows in `# …` lines.
# shellcheck disable=SC2034 # the tasks that follow use them
cd /tmp || exit 1
export TPM2TOOLS_TCTI=device:/dev/tpmrm0
KEY=/run/systemd/tpm2-pcr-public-key.pem
SIGNATURE=/run/systemd/tpm2-pcr-signature.json
SECRET_AT=0x81000010

because() { sed 's/^/# /' /tmp/why; }

# try STEP COMMAND...: fails with the step in $step.
try() {
  step=$1
  shift
  "$@" > /tmp/why 2>&1
}

load_key() { try "load the key" tpm2 loadexternal -C o -G rsa -u "$1" -c /tmp/key.ctx -n /tmp/key.name; }

# seal NAME KEY SECRET: the secret stays in the TPM; whoever asks for it must show a policy that KEY signed.
seal() {
  if seal_steps "$2" "$3"; then echo "$1: sealed"; else echo "$1: failed to $step"; because; fi
}
seal_steps() {
  printf '%s' "$2" > /tmp/secret
  load_key "$1" &&
    try "start a trial" tpm2 startauthsession -S /tmp/trial.ctx &&
    try "make the policy" tpm2 policyauthorize -S /tmp/trial.ctx -L /tmp/authorized -n /tmp/key.name &&
    try "end the trial" tpm2 flushcontext /tmp/trial.ctx &&
    try "make the primary key" tpm2 createprimary -Q -C o -G ecc -c /tmp/primary.ctx &&
    try "seal" tpm2 create -Q -C /tmp/primary.ctx -i /tmp/secret -L /tmp/authorized -u /tmp/s.pub -r /tmp/s.priv &&
    try "load" tpm2 load -Q -C /tmp/primary.ctx -u /tmp/s.pub -r /tmp/s.priv -c /tmp/sealed.ctx || return
  tpm2 evictcontrol -C o -c "$SECRET_AT" > /dev/null 2>&1 # what an earlier seal left there
  try "keep" tpm2 evictcontrol -C o -c /tmp/sealed.ctx "$SECRET_AT"
}

# entry FILE [POLICY]: the first entry of bank SHA-256 in a file of signatures, or the one for a policy.
entry() {
  tr -d ' \n' < "$1" | sed 's/"sha384".*//' | tr '{' '\n' | grep "\"pol\":\"$2" | head -n 1
}
member() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }

# unseal NAME KEY FILE: shows the signature in FILE that is for the present value of PCR 11.
unseal() { unseal_for "$1" "$2" "$3" present; }
# replay NAME KEY FILE: shows the first signature in FILE, whatever it is for.
replay() { unseal_for "$1" "$2" "$3" any; }

unseal_for() {
  name=$1
  if unseal_steps "$2" "$3" "$4"; then
    echo "$name: $(cat /tmp/unsealed)"
  else
    echo "$name: refused to $step"
    because
  fi
  tpm2 flushcontext -t > /dev/null 2>&1
  tpm2 flushcontext -l > /dev/null 2>&1
}
unseal_steps() {
  : > /tmp/why
  load_key "$1" &&
    try "start a session" tpm2 startauthsession --policy-session -S /tmp/session.ctx &&
    try "read PCR 11" tpm2 policypcr -S /tmp/session.ctx -l sha256:11 -L /tmp/present || return
  policy=
  [ "$3" = any ] || policy=$(od -An -v -tx1 /tmp/present | tr -d ' \n')
  entry "$2" "$policy" > /tmp/entry
  step="find a signature"
  [ -s /tmp/entry ] || return
  printf '%b' "$(member pol < /tmp/entry | sed 's/../\\x&/g')" > /tmp/approved
  member sig < /tmp/entry | base64 -d > /tmp/signature
  try "verify the signature" tpm2 verifysignature -c /tmp/key.ctx -g sha256 -m /tmp/approved -s /tmp/signature -f rsassa -t /tmp/ticket &&
    try "accept the policy" tpm2 policyauthorize -S /tmp/session.ctx -i /tmp/approved -n /tmp/key.name -t /tmp/ticket &&
    try "unseal" sh -c "tpm2 unseal -c $SECRET_AT -p session:/tmp/session.ctx > /tmp/unsealed"
}

# extend WORD: measures one more word into PCR 11.
extend() {
  printf '%s' "$1" > /tmp/word
  if try extend tpm2 pcrevent -Q 11 /tmp/word; then echo "extend: $1"; else echo "extend: failed"; because; fi
}

# lock NAME KEY: makes a LUKS2 volume of the disk that only a policy signed by KEY opens, and no value of a PCR itself.
lock() {
  printf 'for the tests' > /tmp/recovery
  if try "format" cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$STATE" /tmp/recovery &&
    try "enrol" systemd-cryptenroll --unlock-key-file=/tmp/recovery --tpm2-device=/dev/tpmrm0 --tpm2-public-key="$2" \
      --tpm2-public-key-pcrs=11 --tpm2-pcrs= "$STATE" &&
    try "remove the recovery key" systemd-cryptenroll --wipe-slot=password "$STATE"; then
    echo "$1: locked"
  else
    echo "$1: failed to $step"
    because
  fi
}

# write NAME FILE TEXT, show NAME FILE: opens the volume with the signatures in FILE; writes to it, prints what is on it.
# shellcheck disable=SC2016
write() { on_volume "$1" "$2" sh -c 'printf "%s\n" "$1" > /dev/mapper/volume && echo written' sh "$3"; }
show() { on_volume "$1" "$2" head -n 1 /dev/mapper/volume; }
on_volume() {
  name=$1
  cp "$SIGNATURE" /tmp/ours
  # Where systemd looks by itself: its token library for cryptsetup looks nowhere else.
  [ "$2" = "$SIGNATURE" ] || cp "$2" "$SIGNATURE"
  shift 2
  if try open systemd-cryptsetup attach volume "$STATE" none tpm2-device=/dev/tpmrm0,headless=true; then
    echo "$name: $("$@")"
    try close systemd-cryptsetup detach volume || because
  else
    echo "$name: refused"
    because
  fi
  cp /tmp/ours "$SIGNATURE"
}
