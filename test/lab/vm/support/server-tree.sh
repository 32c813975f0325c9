# A server's tree in which its own hostkit makes a rescue system: read by the scripts that have set
# shellcheck shell=bash
#   TAR (the server) HOSTKIT KEY (the director's public key) TREE (a folder to be made; it goes when the script ends)

server_tree_gone() {
  for each in dev sys proc; do ! mountpoint -q "$TREE/$each" || umount "$TREE/$each"; done
  rm -rf --one-file-system "$TREE"
}

# server_tree: makes it, with a hostkit that knows its director.
server_tree() {
  trap server_tree_gone EXIT
  mkdir -p "$TREE"
  tar -C "$TREE" -xpf "$TAR"
  cp -R "$HOSTKIT" "$TREE/usr/local/lib/resurgo"
  chown -R 0:0 "$TREE/usr/local/lib/resurgo"
  chmod -R go-w "$TREE/usr/local/lib/resurgo"
  mkdir -p "$TREE/etc/resurgo" "$TREE/var/tmp/build"
  echo 'host web-1' > "$TREE/etc/resurgo/host.conf"
  cut -d ' ' -f 1,2 "$KEY" > "$TREE/etc/resurgo/director.keys"
  echo '# none' > "$TREE/etc/resurgo/peers"
  chmod 600 "$TREE/etc/resurgo/"*
  mount -t proc proc "$TREE/proc"
  mount -t sysfs sysfs "$TREE/sys"
  mount -t devtmpfs devtmpfs "$TREE/dev"
}

# server_tree_run PART…: runs stdin there as job rescue-build would, in /var/tmp/build, with these parts of the hostkit's library.
server_tree_run() {
  {
    cat << 'RUN'
set -eu
umask 077
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin RESURGO_LIB=/usr/local/lib/resurgo
export LC_ALL PATH
for part; do . "$RESURGO_LIB/lib/$part.sh"; done
cd /var/tmp/build
RUN
    cat
  } > "$TREE/var/tmp/build/run"
  chroot "$TREE" /bin/sh /var/tmp/build/run base types config "$@"
}
