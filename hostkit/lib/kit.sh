# The hostkit's own parts.

# kit_sum FOLDER: sets $kit_sum to the sha256 over the sorted lines `SHA256  ./PATH` of its parts, by which a director knows them. 1 where they
# can't be read.
kit_sum() {
  kit_sum=$(cd "$1" && find . -type f ! -path ./VERSION -exec sha256sum {} + | LC_ALL=C sort | sha256sum) || return 1
  kit_sum=${kit_sum%% *}
}
