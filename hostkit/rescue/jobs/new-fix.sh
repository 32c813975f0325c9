# Changes in the restored files what must be another where the system is now. `edits`: one a line, `PATH SHA256_BEFORE AFTER`: the path
# percent-encoded, the sum of what has to be there (`-`: nothing), the new text in base64. A file that holds something else is left, and told.
# And it leaves the run's mark, by which the system that boots is told from an old one on another disk of the machine.
# keys: tree:tree edits:b64?

# Set or read elsewhere:
: "${arg_edits-}" "${arg_run-}" "${decoded-}" "${json-}" "${new-}" "${new_place-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"

job_main() {
  new_enter
  : >written
  : >was
  fix_left='' fix_relabel=false
  printf '%s' "$arg_edits" | base64 -d >edits || job_fail bad-request 'the edits are not base64'
  while read -r fix_path fix_before fix_after; do
    decode "$fix_path" || job_fail bad-request 'a path is not percent-encoded'
    check_type path "$decoded" || job_fail bad-request "'$fix_path' is no path"
    printf '%s' "$fix_after" | base64 -d >after || job_fail bad-request "what $decoded shall hold is not base64"
    fix_one "$decoded" "$fix_before"
  done <edits
  fix_selinux
  : >notes
  fix_lvm
  fix_run
  job_result "\"written\":[$(new_strings <written)],\"was\":[$(new_strings <was)],\"left\":[$fix_left],\"relabel\":$fix_relabel,\"notes\":[$(new_strings <notes)]$fix_marked"
}

# Noted before each change: what must be newer than all of them is the initramfs (new-initramfs, new-verify).
fix_mark() {
  mkdir -p "$RESURGO_VAR/runs/$arg_run/made"
  atomic_put "$RESURGO_VAR/runs/$arg_run/made/fixed" "$(date +%s)"
}

# fix_one PATH SHA256_BEFORE: writes ./after there.
fix_one() {
  new_find "$1" || { fix_leave "$1" 'it is, or lies behind, a symbolic link: change it by hand'; return; }
  fix_have=-
  if [ -f "$new_place" ]; then
    fix_have=$(sha256sum <"$new_place")
    fix_have=${fix_have%% *}
  elif [ -e "$new_place" ]; then
    fix_leave "$1" 'it is no file'
    return
  fi
  fix_want=$(sha256sum <after)
  if [ "$fix_have" = "${fix_want%% *}" ]; then
    printf '%s\n' "$1" >>was
    return
  fi
  [ "$fix_have" = "$2" ] || { fix_leave "$1" 'it holds something else than when its layout was taken: look what it says, and change it by hand'; return; }
  case $1 in /etc/systemd/network/10-resurgo-*.link) fix_renames || fix_mark ;; *) fix_mark ;; esac
  fix_new=$new_place.resurgo-new
  # One that came with the data may be a link.
  rm -rf -- "$fix_new"
  if [ "$fix_have" = - ]; then
    # Folders and files of its configuration are everybody's to read.
    (umask 022 && mkdir -p "${new_place%/*}" && : >"$fix_new") || job_fail failed "$new_place can not be made"
  else
    # By the new system's own program: owner, mode, label and attributes stay.
    new_run cp -a "$1" "$1.resurgo-new" 2>cp.out || job_fail failed "$new_place can not be copied: $(tail -n 1 cp.out)"
  fi
  cat after >"$fix_new" || job_fail no-space "$fix_new can not be written: is its file system full?"
  if ! sync "$fix_new" || ! mv -f "$fix_new" "$new_place"; then job_fail failed "$new_place can not be written"; fi
  printf '%s\n' "$1" >>written
}

# fix_renames: does the new system's udev rename a card again that the initramfs' has named by its connector? Since systemd 240 (its issue
# 9006); what ties a card to its name need not be in the initramfs then.
fix_renames() {
  for fix_lib in "$new/usr/lib/systemd/libsystemd-shared-"*.so "$new/lib/systemd/libsystemd-shared-"*.so "$new/usr/lib/"*/systemd/libsystemd-shared-*.so; do
    fix_version=${fix_lib##*-shared-}
    fix_version=${fix_version%%[!0-9]*}
    [ -z "$fix_version" ] || [ ! -f "$fix_lib" ] || [ "$fix_version" -lt 240 ] || return 0
  done
  return 1
}

fix_leave() {
  json_quote "$1"
  fix_left="$fix_left${fix_left:+,}{\"path\":$json"
  json_quote "$2"
  fix_left="$fix_left,\"why\":$json}"
}

# fix_selinux: what is written here gets no label, as no policy is loaded: the new system labels its files at its first boot.
fix_selinux() {
  grep -qsE '^SELINUX=(enforcing|permissive)' "$new/etc/selinux/config" || return 0
  new_place /.autorelabel
  : >"$new_place"
  fix_relabel=true
}

# fix_run: beside the hostkit's configuration: that lies on the root itself, whatever else is a file system of its own, and a system without it
# is asked for nothing. It is no configuration: the initramfs stays as it is.
fix_run() {
  fix_marked=''
  if ! new_find /etc/resurgo/recovered || [ ! -d "${new_place%/*}" ]; then return 0; fi
  [ ! -e "$new_place" ] || [ -f "$new_place" ] || return 0
  atomic_put "$new_place" "$arg_run" || job_fail no-space "$new_place can not be written: is its file system full?"
  fix_marked=',"marked":true'
}

# fix_lvm: a list of the disks that LVM may look at names the old ones: with it no volume would be found on these.
fix_lvm() {
  new_find /etc/lvm/devices/system.devices && [ -f "$new_place" ] || return 0
  fix_mark
  mv -f "$new_place" "$new_place.before-recovery"
  printf '%s\n' "LVM's list of devices named the old disks: it is kept as /etc/lvm/devices/system.devices.before-recovery, and LVM looks at all disks. To limit it again: vgimportdevices -a" >>notes
}
