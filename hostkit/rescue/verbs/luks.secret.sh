# Takes the passphrase that an encrypted volume gets, by the volume's UUID. It comes by itself and is not part of a job's request, so that no
# run's history and no file of a job holds it; here it lies in memory, until the job has used it or the rescue system ends.
# keys: uuid:text passphrase:b64

: "${arg_passphrase-}" "${arg_uuid-}"

verb_main() {
  case $arg_uuid in *[!0-9a-f-]*) fail bad-request 'the UUID of an encrypted volume is hex digits and dashes' ;; esac
  own_dir "$RESURGO_RUN/secrets"
  printf '%s' "$arg_passphrase" | base64 -d >"$RESURGO_RUN/secrets/$arg_uuid.new" || fail bad-request 'the passphrase is not base64'
  [ -s "$RESURGO_RUN/secrets/$arg_uuid.new" ] || fail bad-request 'the passphrase is empty'
  mv -f "$RESURGO_RUN/secrets/$arg_uuid.new" "$RESURGO_RUN/secrets/$arg_uuid"
  reply
}
