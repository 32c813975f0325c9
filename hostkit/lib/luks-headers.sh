# Headers of this host's encrypted volumes, as they go into the backup of a whole machine: UUID.header in $LUKS_HEADERS, root's alone. A header
# is a secret of a kind: whoever has one can try passphrases on it at leisure, and an old one still knows keys that were taken away since. So
# it is read when the view is composed and lies in that view's memory alone, and goes with the job: nothing of it is written to a file system of
# this host. Nor to its swap where the kernel knows tmpfs's `noswap` (Linux 6.4); an older one may swap it out under pressure, which is a matter
# of encrypted swap. The director learns its sum and no more.

# Set or read elsewhere:
: "${json-}" "${snap_problem-}" "${src_headers-}" "${tool_output-}"

LUKS_HEADERS=$RESURGO_VAR/luks LUKS_MEMORY=mode=0700,size=25%,nosuid,nodev,noexec
luks_sums='' luks_missing=''

# luks_headers_place: before the snapshot: the folder that they will be shown in.
luks_headers_place() { [ "${src_headers:-headers}" != headers ] || own_dir "$LUKS_HEADERS"; }

# luks_headers_view VIEW: shows the headers in that view of a whole machine. One that can't be read costs no backup: $luks_missing (JSON members)
# names it with the reason. Sets $luks_sums, a line `UUID BYTES SHA256` for each that is there.
luks_headers_view() {
  luks_sums='' luks_missing='' luks_at=''
  [ "${src_headers:-headers}" = headers ] || return 0
  luks_volumes=$(luks_volumes)
  while read -r luks_device luks_uuid <&7; do
    [ -n "$luks_device" ] || continue
    luks_why=''
    if luks_open_place "$1" && luks_header; then continue; fi
    luks_lost "$luks_device" "${luks_why:-$snap_problem}"
  done 7<<VOLUMES
$luks_volumes
VOLUMES
  [ -n "$luks_at" ] || return 0
  # The same headers make the same folder: nothing of it is sent again.
  touch -d @1000000000 "$luks_at"
  snapshot_tool 20 mount -o remount,bind,ro,nosuid,nodev,noexec "$luks_at"
}

# luks_volumes: prints `DEVICE UUID` of each encrypted volume, open or not, or `DEVICE !removable`; what could not be looked at is told as
# `DEVICE !unseen`, and not taken for one that is not encrypted.
luks_volumes() {
  _lv_all=$(timeout -s KILL 20 lsblk -nrpo KNAME,TYPE,RM 2>/dev/null) || printf 'disks !unseen\n'
  printf '%s\n' "$_lv_all" | sort -u | while read -r _lv_at _lv_type _lv_removable; do
    case $_lv_at:$_lv_type in
      /dev/zram* | /dev/ram* | /dev/fd[0-9]* | *:loop | *:rom) continue ;;
      /dev/*) ;;
      *) continue ;;
    esac
    _lv_exit=0
    _lv_facts=$(timeout -s KILL 20 blkid -p -o udev "$_lv_at" 2>/dev/null) || _lv_exit=$?
    # 2: nothing is recognised.
    case $_lv_exit in
      0) ;;
      2) continue ;;
      *) printf '%s !unseen\n' "$_lv_at" && continue ;;
    esac
    case $_lv_facts in *ID_FS_TYPE=crypto_LUKS*) ;; *) continue ;; esac
    _lv_uuid=$(printf '%s\n' "$_lv_facts" | sed -n 's/^ID_FS_UUID=//p')
    [ "$_lv_removable" = 0 ] || _lv_uuid='!removable'
    printf '%s %s\n' "$_lv_at" "$_lv_uuid"
  done
}

# luks_open_place VIEW: sets $luks_at to the folder, in memory; 1 with $luks_why.
luks_open_place() {
  [ -z "$luks_at" ] || return 0
  if [ ! -d "$1$LUKS_HEADERS" ] || [ -h "$1$LUKS_HEADERS" ]; then
    luks_why="$LUKS_HEADERS, where it would lie, is not in this source"
    return 1
  fi
  # An older kernel knows no noswap.
  snapshot_tool 20 mount -t tmpfs -o "$LUKS_MEMORY,noswap" resurgo "$1$LUKS_HEADERS" ||
    snapshot_tool 20 mount -t tmpfs -o "$LUKS_MEMORY" resurgo "$1$LUKS_HEADERS" || return 1
  luks_at=$1$LUKS_HEADERS
}

# luks_header: the header of $luks_device; 1 with $luks_why.
luks_header() {
  case $luks_uuid in
    '!removable') luks_why='it lies on a removable disk' && return 1 ;;
    '!unseen') luks_why='whether it is encrypted is not known: lsblk or blkid told nothing certain of it' && return 1 ;;
    '' | *[!0-9a-f-]*) luks_why='it says no UUID' && return 1 ;;
  esac
  if timeout -s KILL 20 cryptsetup luksDump "$luks_device" 2>/dev/null | grep -q '^Requirements:.*reencrypt'; then
    luks_why='it is being encrypted anew: let that end first'
    return 1
  fi
  luks_file=$luks_at/$luks_uuid.header
  # Over several paths a volume is there more than once.
  [ ! -e "$luks_file" ] || luks_file=$luks_at/again
  if ! snapshot_tool 60 cryptsetup luksHeaderBackup "$luks_device" --header-backup-file "$luks_file"; then
    rm -f "$luks_file"
    luks_why=$snap_problem
    return 1
  fi
  luks_sum=$(sha256sum <"$luks_file")
  luks_sum=${luks_sum%% *}
  if [ "$luks_file" = "$luks_at/again" ]; then
    rm -f "$luks_file"
    case $luks_sums in *"$luks_uuid "*" $luks_sum$LF"*) return 0 ;; esac
    luks_why="another volume has its UUID, $luks_uuid, and the backup holds the header of that one"
    return 1
  fi
  chmod 0600 "$luks_file"
  # Its time says its content: one that has not changed is not sent again, and one that has is, whatever its size.
  touch -d "@$((0x${luks_sum%"${luks_sum#???????}"}))" "$luks_file"
  luks_sums="$luks_sums$luks_uuid $(stat -c %s "$luks_file") $luks_sum$LF"
}

luks_lost() {
  json_quote "$1"
  luks_missing="$luks_missing${luks_missing:+,}{\"volume\":$json"
  json_quote "$2"
  luks_missing="$luks_missing,\"why\":$json}"
}

# luks_headers_as FILE: are they those that the job wrote there by luks_headers_note?
luks_headers_as() { [ "$(cat "$1" 2>/dev/null)" = "${luks_sums%"$LF"}" ]; }
luks_headers_note() { printf '%s' "$luks_sums" | atomic_write "$1"; }

# luks_headers_told LISTING: sets $luks_told, a part of the job's result: the headers that are in that listing of the view. One that is not was
# left out by the runbook's own patterns.
luks_headers_told() {
  _lt_headers=''
  _lt_rest=$luks_sums
  while [ -n "$_lt_rest" ]; do
    read -r _lt_uuid _lt_bytes _lt_sum <<HEADER
${_lt_rest%%"$LF"*}
HEADER
    _lt_rest=${_lt_rest#*"$LF"}
    if cut -f 10 "$1" | grep -qxF "${LUKS_HEADERS#/}/$_lt_uuid.header"; then
      _lt_headers="$_lt_headers${_lt_headers:+,}{\"uuid\":\"$_lt_uuid\",\"bytes\":$_lt_bytes,\"headerSha256\":\"$_lt_sum\"}"
    else
      luks_lost "$_lt_uuid" "the runbook excludes $LUKS_HEADERS"
    fi
  done
  luks_told=",\"luksHeaders\":[$_lt_headers],\"luksMissing\":[$luks_missing]"
  : "$luks_told"
}
