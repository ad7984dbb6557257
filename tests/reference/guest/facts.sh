# The facts, one function per member of the object.

prepare() {
  modprobe efivarfs 2>/dev/null
  modprobe tpm_tis 2>/dev/null
  mount -t efivarfs -o ro efivarfs /sys/firmware/efi/efivars 2>/dev/null
  mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
  mount -t tmpfs tmp /tmp
  return 0
}

all_facts() {
  object schema=schema version=version arch=arch kernel=kernel boot=boot cmdline=cmdline consoles=consoles layers=layers \
    initramfs=initramfs stack=stack early=early usr_local=usr_local schematic=schematic programs=programs modules=modules \
    firmware=firmware config=config meta=meta microcode=microcode efi=efi pcrs=pcrs tpm=tpm lockdown=lockdown task=task
}

schema() { printf 1; }
os_release() { sed -n "s/^$1=//p" /etc/os-release | json_text; }
version() { os_release VERSION_ID; }
arch() { os_release ARCHITECTURE; }
kernel() { json_string "$(uname -r)"; }
boot() { if [ -d /sys/firmware/efi ]; then printf '"uefi"'; else printf '"bios"'; fi; }
cmdline() { json_file /proc/cmdline; }
consoles() { json_file /sys/class/tty/console/active; }
initramfs() { json_lines < /run/initramfs/root; }
stack() { json_file /run/initramfs/stack; }
lockdown() { json_file /sys/kernel/security/lockdown; }
# "<sha256>  <path>" of each file the early, uncompressed archive brought.
early() { json_lines < /run/initramfs/early; }
usr_local() { find /usr/local ! -type d | sort | json_lines; }
schematic() { ls /usr/local/share/schematic 2>/dev/null | head -n 1 | json_text; }
firmware() { find /usr/lib/firmware -type f | sed 's,^/usr/lib/firmware/,,' | sort | json_lines; }

# Names of the layers, in order: the first `name:` after each item of the outermost list.
layers() {
  awk '/^ *- image: / { match($0, /^ */); if (!found) { found = 1; depth = RLENGTH } if (RLENGTH == depth) wait = 1 }
       wait && /^ *name: / { sub(/^ *name: */, ""); gsub(/["'"'"']/, ""); print; wait = 0 }' /etc/extensions.yaml | json_lines
}

# {"<path>": "<first line of output>"} of every program an extension brought.
programs() {
  printf '{'
  separator=
  for program in /usr/local/bin/*; do
    [ -x "$program" ] || continue
    printf '%s%s:%s' "$separator" "$(json_string "$program")" "$(timeout 10 "$program" 2>&1 < /dev/null | head -n 1 | json_text)"
    separator=,
  done
  printf '}'
}

# {"<name>": {"loaded": bool, "error": text}} of every module below extras, loaded by name through modules.dep.
modules() {
  printf '{'
  separator=
  for file in $(find "/usr/lib/modules/$(uname -r)/extras" -name '*.ko*' 2>/dev/null | sort); do
    name=$(basename "$file")
    name=${name%%.ko*}
    error=$(modprobe "$name" 2>&1)
    printf '%s%s:{"loaded":%s,"error":%s}' "$separator" "$(json_string "$name")" \
      "$(json_bool grep -q "^$(echo "$name" | tr - _) " /proc/modules)" "$(json_string "$error")"
    separator=,
  done
  printf '}'
}

config() {
  file=/usr/local/etc/talos/config.yaml
  [ -f "$file" ] || { printf null; return; }
  printf '{"sha256":"%s","mode":"%s","text":%s}' "$(sha256sum "$file" | cut -d' ' -f1)" "$(stat -c '%a %u:%g' "$file")" \
    "$(json_text < "$file")"
}

# META values of the command line: {"raw": text, "values": ["0xa=..."]}.
meta() {
  encoded=$(tr ' ' '\n' < /proc/cmdline | sed -n 's/^talos.environment=INSTALLER_META_BASE64=//p' | tail -n 1)
  [ -n "$encoded" ] || { printf null; return; }
  printf '%s' "$encoded" | base64 -d > /tmp/meta 2>/dev/null
  case $(head -c 2 /tmp/meta | od -An -tx1 | tr -d ' ') in
  1f8b) gunzip -c < /tmp/meta > /tmp/meta.plain ;;
  *) cp /tmp/meta /tmp/meta.plain ;;
  esac
  printf '{"raw":%s,"values":%s}' "$(json_text < /tmp/meta.plain)" "$(tr ';' '\n' < /tmp/meta.plain | json_lines)"
}

microcode() {
  printf '{"cpuinfo":%s,"dmesg":%s}' "$(grep -m 1 '^microcode' /proc/cpuinfo | json_text)" "$(dmesg | grep -i microcode | json_lines)"
}

LOADER=4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
GLOBAL=8be4df61-93ca-11d2-aa0d-00e098032b8c
SECURITY=d719b2cb-3d3a-4596-a3bc-dad00e67656f

# An EFI variable without its four bytes of attributes: as text from UTF-16, or as the number of its first byte.
efi_text() {
  file=/sys/firmware/efi/efivars/$1-$LOADER
  if [ -f "$file" ]; then tail -c +5 "$file" | tr -d '\000' | json_text; else printf null; fi
}
efi_byte() {
  file=/sys/firmware/efi/efivars/$1-$GLOBAL
  if [ -f "$file" ]; then printf '%d' "$(tail -c +5 "$file" | head -c 1 | od -An -tu1 | tr -d ' ')"; else printf null; fi
}
# {"PK": digest, …} of the content of each signature database there is, without its attributes.
efi_databases() {
  printf '{'
  separator=
  for name in PK-$GLOBAL KEK-$GLOBAL db-$SECURITY dbx-$SECURITY; do
    file=/sys/firmware/efi/efivars/$name
    [ -f "$file" ] || continue
    printf '%s"%s":"%s"' "$separator" "${name%%-*}" "$(tail -c +5 "$file" | sha256sum | cut -d' ' -f1)"
    separator=,
  done
  printf '}'
}
efi() {
  [ -d /sys/firmware/efi/efivars ] || { printf null; return; }
  printf '{"secure_boot":%s,"setup_mode":%s' "$(efi_byte SecureBoot)" "$(efi_byte SetupMode)"
  printf ',"loader_info":%s,"stub_info":%s' "$(efi_text LoaderInfo)" "$(efi_text StubInfo)"
  printf ',"stub_profile":%s,"loader_device_part_uuid":%s' "$(efi_text StubProfile)" "$(efi_text LoaderDevicePartUUID)"
  printf ',"loader_entry":%s,"databases":%s}' "$(efi_text LoaderEntrySelected)" "$(efi_databases)"
}

pcrs() {
  dir=/sys/class/tpm/tpm0/pcr-sha256
  [ -d "$dir" ] || { printf null; return; }
  printf '{"7":%s,"11":%s,"12":%s,"13":%s}' "$(json_file $dir/7)" "$(json_file $dir/11)" "$(json_file $dir/12)" "$(json_file $dir/13)"
}
