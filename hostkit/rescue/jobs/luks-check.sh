# Before the first disk is written to: is the header that came from the backup whole, of that volume, and does the passphrase open it?
# keys: tree:tree uuid:text header:hex bytes:int offset:int
# tools: cryptsetup

# Set or read elsewhere:
: "${arg_uuid-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/luks.sh"

job_main() {
  luks_inputs
  luks_header
  luks_need_secret
  luks_opens
  job_result "\"uuid\":\"$arg_uuid\""
}
