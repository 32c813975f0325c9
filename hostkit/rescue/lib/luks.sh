# Encrypted volumes of the new system: the passphrase that came by verb luks.secret, and headers that came from the backup into memory.

# Set or read elsewhere:
: "${arg_bytes-}" "${arg_header-}" "${arg_offset-}" "${arg_sector-}" "${arg_tree-}" "${arg_uuid-}" "${arg_version-}" "${device-}"

LUKS_PLACE=/mnt/headers

# luks_inputs: what becomes a file's name, or a word of cryptsetup's.
luks_inputs() {
  case $arg_uuid in *[!0-9a-f-]*) job_fail bad-request 'the UUID of an encrypted volume is hex digits and dashes' ;; esac
  luks_secret=$RESURGO_RUN/secrets/$arg_uuid
}

luks_need_secret() {
  [ -s "$luks_secret" ] || job_fail needs-passphrase "the passphrase for the encrypted volume $arg_uuid is not here: give it again (the rescue system keeps it in memory only, until it has been used)"
}

# luks_header: sets $luks_header to the header from the backup; ends the job unless it is whole, and of that volume as the layout has it.
luks_header() {
  luks_header=$LUKS_PLACE/$arg_tree/var/lib/resurgo/luks/$arg_uuid.header
  if [ ! -f "$luks_header" ] || [ -h "$luks_header" ]; then
    job_fail not-found "the header of the encrypted volume $arg_uuid is not here: it comes from the backup before the first disk is written to"
  fi
  luks_sum=$(sha256sum <"$luks_header")
  [ "${luks_sum%% *} $(stat -c %s "$luks_header")" = "$arg_header $arg_bytes" ] ||
    job_fail identity-changed "the header of the encrypted volume $arg_uuid is not the one that the signed manifest names: nothing was written. Take another backup, or a new key for this volume (--new-key)"
  [ "$(cryptsetup luksUUID "$luks_header" 2>/dev/null)" = "$arg_uuid" ] ||
    job_fail failed "what lies in the backup as the header of the encrypted volume $arg_uuid is none: nothing was written. Take a new key for it (--new-key)"
  cryptsetup luksDump "$luks_header" >luks.dump 2>luks.out || job_fail failed "the header of the encrypted volume $arg_uuid can not be read: $(tail -n 2 luks.out | tr '\n' ' ')"
  luks_length='(whole device)'
  case $(sed -n 's/^Version:[[:space:]]*//p' luks.dump) in
    1) luks_offset=$(($(sed -n 's/^Payload offset:[[:space:]]*\([0-9]*\).*/\1/p' luks.dump) * 512)) ;;
    *)
      luks_offset=$(sed -n 's/^[[:space:]]*offset: \([0-9]*\) \[bytes\].*/\1/p' luks.dump | head -n 1)
      luks_length=$(sed -n 's/^[[:space:]]*length: \(.*\)/\1/p' luks.dump | head -n 1)
      ;;
  esac
  [ "$luks_offset" = "$arg_offset" ] ||
    job_fail identity-changed "the header of the encrypted volume $arg_uuid has its data at byte $luks_offset, and the layout at $arg_offset: it was changed during the backup. Take another backup, or a new key for this volume (--new-key)"
}

# luks_opens: does the passphrase open the header? A wrong one ends the job, with nothing written.
luks_opens() {
  _lo_code=0
  cryptsetup open --test-passphrase --key-file "$luks_secret" "$luks_header" >luks.out 2>&1 || _lo_code=$?
  case $_lo_code in
    0) ;;
    2) job_fail needs-passphrase "the passphrase that was given does not open the encrypted volume $arg_uuid: it wants one that opened the volume when the backup was made" ;;
    *) job_fail failed "whether the passphrase opens the encrypted volume $arg_uuid is not known: $(tail -n 3 luks.out | tr '\n' ' ')" ;;
  esac
}

# luks_fits BYTES SECTOR: can a device of that size, with sectors of that size, hold the volume? Ends the job where it can't.
luks_fits() {
  [ "$1" -gt "$arg_offset" ] || job_fail no-space "$device has $1 bytes, and the data of the encrypted volume begins at byte $arg_offset: nothing was written there. Plan again with a bigger disk"
  [ $((arg_offset % $2)) = 0 ] || job_fail failed "the data of the encrypted volume begins at byte $arg_offset, within a sector of $device, which has $2 bytes each: nothing was written there. Use a disk with smaller sectors"
  [ $((($1 - arg_offset) % arg_sector)) = 0 ] || job_fail failed "the volume is encrypted in sectors of $arg_sector bytes, and $(($1 - arg_offset)) bytes of $device are no multiple of them: nothing was written there. Use another disk"
  case $luks_length in
    *' [bytes]')
      [ "${luks_length%% *}" -le $(($1 - arg_offset)) ] ||
        job_fail no-space "the header is for a volume of ${luks_length%% *} bytes, and $device has room for $(($1 - arg_offset)): nothing was written there. Take a bigger disk, or a new key for this volume (--new-key)"
      ;;
  esac
}
