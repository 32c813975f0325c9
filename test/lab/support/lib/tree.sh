# The file tree that every host's root lies over: a plain Debian, built once and kept in a cache.
# shellcheck shell=bash

LAB_SUITE=bookworm
LAB_PACKAGES=openssh-server,openssh-client,rsync,sudo,btrfs-progs,xfsprogs,e2fsprogs,attr,acl,libcap2-bin,openssl,docker.io
LAB_PACKAGES=$LAB_PACKAGES,zfs-fuse,iproute2,iptables,procps,psmisc,kmod,busybox-static,libfaketime,systemd-sysv,dbus

tree_path() {
  local sum
  sum=$(printf '%s\n' "3 $LAB_SUITE $LAB_PACKAGES" | sha256sum)
  printf '%s/%s\n' "$LAB_CACHE" "${sum:0:16}"
}

# This machine's own Debian mirror and proxy, so that the tree comes from where its packages come from.
tree_mirror() {
  local mirror=${RESURGO_LAB_MIRROR:-}
  [ -n "$mirror" ] || mirror=$(apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' \
    "Codename: $LAB_SUITE" Component:\ main 2> /dev/null | head -n 1)
  # Without one debootstrap takes its own default.
  printf '%s' "$mirror"
}

# Prints the tree's path; builds it when it isn't there (about a minute). Builders wait for one another.
ensure_tree() {
  local tree work started proxy mirror
  tree=$(tree_path)
  if [ -d "$tree" ]; then printf '%s\n' "$tree" && return 0; fi
  command -v debootstrap > /dev/null || die "debootstrap is missing: apt-get install debootstrap"
  mkdir -p "$LAB_CACHE"
  exec 8> "$LAB_CACHE/.lock"
  flock -w 600 8 || die "another build of $tree has not ended within ten minutes"
  if [ ! -d "$tree" ]; then
    started=$SECONDS
    work=$tree.part
    rm -rf --one-file-system "$work"
    proxy=${http_proxy:-$(apt-config dump Acquire::http::Proxy 2> /dev/null | sed -n 's/.*"\(.*\)";$/\1/p' | head -n 1)}
    echo "fleet: building the hosts' file tree (once, about a minute): $tree" >&2
    mirror=$(tree_mirror)
    # Namespaces of its own: whatever a package's set-up starts or mounts ends with the build.
    ${proxy:+env http_proxy="$proxy"} unshare --mount --pid --fork --kill-child \
      debootstrap --variant=minbase --include="$LAB_PACKAGES" "$LAB_SUITE" "$work" ${mirror:+"$mirror"} \
      > "$tree.log" 2>&1 8>&- < /dev/null || die "debootstrap failed, see $tree.log: $(tail -n 3 "$tree.log")"
    finish_tree "$work"
    mv "$work" "$tree"
    echo "fleet: built in $((SECONDS - started)) s" >&2
  fi
  exec 8>&-
  printf '%s\n' "$tree"
}

# No keys and no identity in the tree (each host makes its own), nothing that only takes room, and the test image.
finish_tree() {
  local root=$1 image applet
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}/* "$root"/etc/ssh/ssh_host_*
  rm -f "$root/etc/resolv.conf" "$root/etc/hostname" "$root/var/lib/zfs/zpool.cache" "$root/usr/sbin/policy-rc.d"
  : > "$root/etc/machine-id"
  image=$(mktemp -d "$root/tmp/image.XXXXXX")
  mkdir -p "$image"/{bin,etc,tmp,proc,sys,dev,root,data}
  cp "$root/bin/busybox" "$image/bin/busybox"
  for applet in $("$image/bin/busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$image/bin/$applet"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' > "$image/etc/passwd"
  echo 'root:x:0:' > "$image/etc/group"
  mkdir -p "$root/usr/local/lib/lab"
  tar -C "$image" -cf "$root/usr/local/lib/lab/bb.tar" .
  rm -rf "$image"
}
