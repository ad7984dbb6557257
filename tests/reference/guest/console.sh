# Where a line for the outside world goes: the console, and the first serial port if the console is another device.

# Prints the devices, one per line.
outputs() {
  echo /dev/console
  active=$(cat /sys/class/tty/console/active 2>/dev/null)
  for port in ttyS0 ttyAMA0 hvc0; do
    # A port without hardware behind it has type 0 or no such file.
    [ -c "/dev/$port" ] || continue
    [ "$(cat "/sys/class/tty/$port/type" 2>/dev/null || echo 1)" != 0 ] || continue
    # The kernel writes /dev/console to the last active device only.
    [ "${active##* }" = "$port" ] || echo "/dev/$port"
  done
}

# Prints one line everywhere, without kernel messages in between.
announce() {
  dmesg -n 1 2>/dev/null
  for device in $(outputs); do
    { [ "$device" = /dev/console ] || stty -F "$device" 115200 opost onlcr; printf '\n%s\n' "$1"; } > "$device" 2>/dev/null
  done
}

power_off() {
  sync
  sleep 1
  poweroff -f
  sleep 60
}

# A failure is said and ends the machine: nobody should wait for a time limit.
fail() {
  trap - EXIT
  announce "FACTORY-FAILED $*"
  power_off
}
