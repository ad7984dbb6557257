# Work for the guest, on disks of their own, so that nothing of it is measured: one with programs (a squashfs image, serial
# number `factory-tools`), one with a shell script for them (`factory-task`, padded with zeros), and perhaps one to keep
# things on (`factory-state`).

# disk SERIAL: prints the device.
disk() {
  for serial in /sys/block/*/serial; do
    [ "$(cat "$serial" 2>/dev/null)" = "$1" ] || continue
    name=${serial%/serial}
    echo "/dev/${name##*/}"
  done
}

# {"status": N, "output": [lines]} of the script, null when there is none.
task() {
  modprobe -a virtio_pci virtio_blk 2>/dev/null
  tools=$(disk factory-tools)
  script=$(disk factory-task)
  case $tools$script in /dev/*/dev/*) ;; *) printf null; return ;; esac
  root=/tmp/tools
  mkdir -p "$root"
  mount -t squashfs -o ro "$tools" "$root" || fail "cannot mount $tools"
  for dir in dev proc sys run; do mount --rbind "/$dir" "$root/$dir" || fail "cannot bind /$dir"; done
  mount -t tmpfs tmp "$root/tmp"
  modprobe -a dm_crypt algif_skcipher xts 2>/dev/null
  tr -d '\000' < "$script" > "$root/tmp/task"
  env PATH=/usr/bin STATE="$(disk factory-state)" timeout 120 chroot "$root" /usr/bin/sh /tmp/task > /tmp/output 2>&1 < /dev/null
  printf '{"status":%d,"output":%s}' $? "$(json_lines < /tmp/output)"
}
