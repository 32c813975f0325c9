#!/bin/sh
# The first and only process of the machine that sets up others: network, udev, sshd. It ends with the power.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /run/sshd /run/lock /run/lvm
mount -t devpts pts /dev/pts
mount -t tmpfs run /run
mkdir -p /run/sshd /run/lock /run/lvm
mount -t tmpfs tmp /tmp
[ ! -d /sys/firmware/efi/efivars ] || mount -t efivarfs efivars /sys/firmware/efi/efivars
/lib/systemd/systemd-udevd --daemon
udevadm trigger --action=add
udevadm settle --timeout=30
read -r words < /proc/cmdline
for word in $words; do
  case $word in
    lab.address=*) address=${word#*=} ;;
    lab.key=*) key=$(printf '%s' "${word#*=}" | tr _ ' ') ;;
  esac
done
ip link set lo up
for dev in /sys/class/net/*; do
  case $dev in */lo) continue ;; esac
  ip link set "${dev##*/}" up
  ip addr add "$address/24" dev "${dev##*/}"
done
mkdir -p /root/.ssh
echo "$key" > /root/.ssh/authorized_keys
chmod 700 /root/.ssh
ssh-keygen -A > /dev/null
/usr/sbin/sshd -o UseDNS=no -o PermitRootLogin=prohibit-password
echo LAB-READY > /dev/console
while :; do sleep 1000; done
