# Writes the file of keys that sshd reads, by the hostkit's own code.
(
  set -eu
  RESURGO_LIB=/usr/local/lib/resurgo
  . "$RESURGO_LIB/lib/base.sh"
  . "$RESURGO_LIB/lib/types.sh"
  . "$RESURGO_LIB/lib/config.sh"
  . "$RESURGO_LIB/lib/grants.sh"
  grants_publish
)
