#!/bin/sh
# `npm run bench:metal`: bare metal beside ReaR, in virtual machines (QEMU without hardware help).
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh qemu-system-x86 mmdebstrap uidmap zstd cpio
exec sh scripts/with-lab.sh node scripts/bench-metal.js "$@"
