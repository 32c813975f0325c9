# Gives a volume group and its volumes the UUIDs that they had: LVM makes up its own for what it makes, and what names a volume by them
# (/dev/disk/by-id/dm-uuid-LVM-…, as Ubuntu's installer writes it in fstab) would find nothing. In LVM's own text of the group the UUIDs are
# exchanged, and the text is put back; nothing lies on the volumes yet. `volumes`: one a line, `NAME UUID`.
# keys: disks:lines lv_group:text uuid:text volumes:lines?
# tools: vgs lvs vgchange vgcfgbackup vgcfgrestore

# Set or read elsewhere:
: "${arg_disks-}" "${arg_lv_group-}" "${arg_run-}" "${arg_uuid-}" "${arg_volumes-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  disks_check "$arg_disks"
  lvm_name_check "$arg_lv_group"
  uuids_check "$arg_uuid"
  while read -r uuids_name uuids_uuid; do
    [ -n "$uuids_name" ] || continue
    lvm_name_check "$uuids_name"
    uuids_check "$uuids_uuid"
  done <<VOLUMES
$arg_volumes
VOLUMES
  uuids_text=$RESURGO_VAR/runs/$arg_run/made/lvm.$arg_lv_group
  mkdir -p "${uuids_text%/*}"
  uuids_was=,\"was\":true
  # A text that is there was being put back by an attempt that was killed: its physical volumes may not agree until all of them have it.
  if [ -e "$uuids_text" ] || ! uuids_agree; then
    uuids_was=
    [ -e "$uuids_text" ] || uuids_write
    vgchange --quiet --activate n "$arg_lv_group" >uuids.out 2>&1 || job_fail busy "the volumes of $arg_lv_group are in use: $(tail -n 3 uuids.out | tr '\n' ' ')"
    # LVM wants to be told twice where a group has thin volumes, whose pools' own metadata it can't see: that is as it was.
    vgcfgrestore --yes --force --file "$uuids_text" "$arg_lv_group" >uuids.out 2>&1 ||
      job_fail failed "volume group $arg_lv_group can not be given its UUIDs: $(tail -n 3 uuids.out | tr '\n' ' ')"
    uuids_agree || job_fail failed "volume group $arg_lv_group was given its UUIDs, and LVM shows others: $(tail -n 3 uuids.out | tr '\n' ' ')"
    rm -f "$uuids_text"
  fi
  vgchange --quiet --activate y "$arg_lv_group" >uuids.out 2>&1 || job_fail failed "the volumes of $arg_lv_group do not start: $(tail -n 3 uuids.out | tr '\n' ' ')"
  job_result "\"group\":\"$arg_lv_group\"$uuids_was"
}

uuids_check() {
  case $1 in '' | *[!A-Za-z0-9-]*) job_fail bad-request 'the UUIDs of LVM are letters, digits and dashes' ;; esac
}

# Whether group and volumes have the UUIDs asked for.
uuids_agree() {
  [ "$(vgs --noheadings --options vg_uuid "$arg_lv_group" 2>/dev/null | tr -d ' ')" = "$arg_uuid" ] || return 1
  while read -r uuids_name uuids_uuid; do
    [ -z "$uuids_name" ] || [ "$(lvs --noheadings --options lv_uuid "$arg_lv_group/$uuids_name" 2>/dev/null | tr -d ' ')" = "$uuids_uuid" ] || return 1
  done <<VOLUMES
$arg_volumes
VOLUMES
}

# Writes the group's text with the UUIDs asked for. The volumes that LVM makes for itself (a pool's data, a mirror's halves) keep theirs.
uuids_write() {
  vgcfgbackup --file now "$arg_lv_group" >uuids.out 2>&1 || job_fail failed "LVM does not tell what volume group $arg_lv_group is: $(tail -n 3 uuids.out | tr '\n' ' ')"
  printf '%s\n' "$arg_volumes" >volumes
  # By the environment: awk reads escapes in what is given with -v.
  UUIDS_GROUP=$arg_lv_group UUIDS_UUID=$arg_uuid awk '
    NR == FNR { if (NF == 2) wanted[$1] = $2; next }
    /^[^"#]*\{[ \t]*(#.*)?$/ { path[++depth] = $1; print; next }
    /^[ \t]*\}/ { depth--; print; next }
    $1 == "id" && $2 == "=" && depth == 1 && path[1] == ENVIRON["UUIDS_GROUP"] { print "\tid = \"" ENVIRON["UUIDS_UUID"] "\""; changed++; next }
    $1 == "id" && $2 == "=" && depth == 3 && path[2] == "logical_volumes" && path[3] in wanted { print "\t\t\tid = \"" wanted[path[3]] "\""; changed++; next }
    { print }
    END { for (name in wanted) expected++; exit changed != expected + 1 }
  ' volumes now >wanted || job_fail failed "in what LVM tells of volume group $arg_lv_group not all of its volumes were found: $(tail -n 3 uuids.out | tr '\n' ' ')"
  mv wanted "$uuids_text"
}
