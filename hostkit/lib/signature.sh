# Whose manifests this store takes: `signer HEX` lines of host.conf, raw ed25519 public keys (S19).

# Set or read elsewhere:
: "${signature_error-}"

# signature_check FILE SIG: 0 when SIG (64 raw bytes) is one configured signer's signature of FILE; else 1 with $signature_error.
# A host without `signer` lines takes any: its administrator pinned none.
signature_check() {
  signature_error=
  signature_keys=
  config_each signer '' signature_take
  [ -n "$signature_keys" ] || return 0
  command -v openssl >/dev/null 2>&1 || { signature_error='install openssl on this host: it checks manifests'; return 1; }
  for signature_key in $signature_keys; do
    signature_key_file "$signature_key" >signer.der || continue
    openssl pkeyutl -verify -pubin -keyform DER -inkey signer.der -rawin -in "$1" -sigfile "$2" >/dev/null 2>&1 && return 0
  done
  signature_error='the manifest is not signed by a director that this host knows; adopt its key with: resurgo enroll --update'
  return 1
}
signature_take() { signature_keys="$signature_keys $1"; }

# signature_key_file HEX: the key as DER, which is a fixed head and the 32 bytes.
signature_key_file() {
  case $1 in *[!0-9a-f]*) return 1 ;; esac
  [ "${#1}" = 64 ] || return 1
  printf '%s%s' 302a300506032b6570032100 "$1" | sed 's/../\n&/g' | while read -r signature_byte; do
    [ -z "$signature_byte" ] || printf '%b' "\\0$(printf '%03o' "0x$signature_byte")"
  done
  # The loop reads whole lines: the last byte has none.
  signature_byte=${1#"${1%??}"}
  printf '%b' "\\0$(printf '%03o' "0x$signature_byte")"
}
