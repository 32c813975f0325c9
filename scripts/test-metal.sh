#!/bin/sh
# `npm run test:metal`: what needs virtual machines (QEMU without hardware help): the virtual lab, LVM, later whole recoveries.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh qemu-system-x86 ovmf mmdebstrap uidmap mtools zstd cpio dnsmasq-base ipxe
# At most one suite at a time: two machines are all that two cores bear.
exec sh scripts/with-lab.sh jest --selectProjects metal --runInBand "$@"
