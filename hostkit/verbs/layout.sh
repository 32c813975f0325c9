# What a recovery onto blank disks needs to know of this host: its disks up to its mount points, how it boots, its network. Changes nothing.
# keys: part:word(all|network)=all
# `network` asks for that alone. The tools' own words; `planning/layout-read.ts` makes sense of them, so that what is understood can grow without touching a host.

: "${arg_part-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/facts.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/disks.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/layout-storage.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/layout-mounted.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/layout-system.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/layout-configs.sh"
# shellcheck source=/dev/null
[ ! -r "$RESURGO_LIB/lib/media.sh" ] || . "$RESURGO_LIB/lib/media.sh"
# shellcheck source=/dev/null
[ ! -r "$RESURGO_LIB/lib/tools.sh" ] || . "$RESURGO_LIB/lib/tools.sh"

verb_main() {
  set +e
  facts_begin
  if [ "$arg_part" = network ]; then
    layout_network
    facts_reply
    return
  fi
  # The system first: its facts are cheap, and disks that don't answer must not cost them.
  layout_system
  layout_boot
  layout_network
  layout_configs
  # In the rescue system alone: what a recovery can do here.
  [ ! -r "$RESURGO_LIB/lib/tools.sh" ] || layout_rescue
  layout_devices
  layout_lvm
  layout_mounted
  layout_zfs
  # There too: what a recovery must leave alone.
  [ ! -r "$RESURGO_LIB/lib/media.sh" ] || layout_media
  facts_reply
}
