#!/bin/sh
# Runs one host for as long as its power is on: what a machine's firmware does.
#
# usage: supervise.sh LAYERS UPPER WORK ROOT POWER MACHINE HOSTNAME CGROUP...
#
# It runs in a mount namespace of its own, so that its mounts end with it, however it ends. POWER is a file: the host
# is started again, as after a reboot, while it exists. systemd-nspawn's exit status 133 is a reboot, 0 a power-off.
set -eu
layers=$1 upper=$2 work=$3 root=$4 power=$5 machine=$6 hostname=$7
shift 7

for group in "$@"; do
  echo $$ >"$group/cgroup.procs"
done
# systemd-nspawn keeps a folder per machine below /run/systemd, and cannot remove it when it is not registered.
mkdir -p /run/systemd
mount -t tmpfs kraut-lab-run /run/systemd
mount -t overlay "$machine" -o "lowerdir=$layers,upperdir=$upper,workdir=$work" "$root"

while [ -e "$power" ]; do
  status=0
  systemd-nspawn --quiet --settings=no --keep-unit --register=no --directory="$root" --machine="$machine" \
    --hostname="$hostname" --network-namespace-path="/run/netns/$machine" --link-journal=no --resolv-conf=off \
    --timezone=off --console=pipe --boot || status=$?
  case $status in
  0) rm -f "$power" ;;
  133) ;;
  *) sleep 0.2 ;; # a power cut, or a host that cannot boot: not in a busy loop
  esac
done
