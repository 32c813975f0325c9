# The rescue system's initramfs, made of this host: what Resurgo brings (init, keys, configuration) as a first archive, the host's own
# programs, modules and firmware as a second one, straight from where they lie. Same input, same bytes: names are sorted, times are fixed,
# inode numbers are left out.

# Set or read elsewhere:
: "${config_host-}" "${encoded-}" "${json-}" "${kit_sum-}" "${rescue_missing-}" "${rescue_path-}" "${rescue_storage-}"

# shellcheck source=lib/rescue-files.sh
. "$RESURGO_LIB/lib/rescue-files.sh"
# shellcheck source=lib/kit.sh
. "$RESURGO_LIB/lib/kit.sh"
# shellcheck source=lib/rescue-network.sh
. "$RESURGO_LIB/lib/rescue-network.sh"

TAB=$(printf '\t')
LF='
'

# rescue_compose KERNEL MODULES PINNED(yes|no) NETWORK(captured|dhcp) [STORAGE(host|all) [PACK(fast|small) [LAYOUT_SUM]]]: writes
# ./initramfs.img, for which the working folder is free to be used. Sets $rescue_facts (JSON members).
rescue_compose() {
  rescue_kernel=$1 rescue_pack=${6:-fast}
  rescue_files=$PWD/files rescue_links=$PWD/links
  : >"$rescue_files"
  : >"$rescue_links"
  for _rc_tool in cpio ldd modinfo paste; do
    rescue_find "$_rc_tool" || fail missing-tool "$_rc_tool is missing on this host, and the rescue image is made with it: install it (Debian: cpio kmod libc-bin coreutils)"
  done
  rescue_storage_choose "${5:-all}"
  rescue_programs || fail missing-tool "missing on this host, and the rescue system can't do without: $rescue_missing. Install them (Debian: busybox openssh-server rsync attr acl fdisk)"
  rescue_modules "$1" "$2"
  rescue_own "$3" "$4"
  [ -z "${7-}" ] || printf '%s\n' "$7" >own/etc/resurgo/rescue.layout
  # Our own scripts call it by this path.
  rescue_find busybox
  printf '/bin/busybox %s\n' "$rescue_path" >>"$rescue_links"
  # Links to folders first: the host's own, so that every path means what it means here.
  for _rc_link in bin sbin lib lib64 lib32 libx32; do
    [ ! -h "/$_rc_link" ] || printf '/%s %s\n' "$_rc_link" "$(readlink "/$_rc_link")" >>"$rescue_links"
  done
  rescue_canonical
  rescue_pack
  _rc_storage=''
  for _rc_kind in $rescue_storage; do _rc_storage="$_rc_storage${_rc_storage:+,}\"$_rc_kind\""; done
  _rc_modules=$(wc -l <modules) _rc_files=$(wc -l <files.sorted)
  rescue_facts="\"kernel\":\"$1\",\"modules\":$((_rc_modules)),\"firmware\":${_rw_found:-0},\"programs\":$((_rc_files - _rc_modules)),\"initramfsBytes\":$(stat -c %s initramfs.img),\"storage\":[$_rc_storage]"
  : "$rescue_facts"
}

# rescue_canonical: /lib/x is /usr/lib/x where /lib leads there: each file goes in once, by its real place.
rescue_canonical() {
  _ca_rules=''
  for _ca_link in bin sbin lib lib64 lib32 libx32; do
    [ ! -h "/$_ca_link" ] || _ca_rules="$_ca_rules;s|^/$_ca_link/|/$(readlink "/$_ca_link")/|"
  done
  sed "${_ca_rules#;};s|^//*||" files | sort -u >files.sorted
  # A link that leads to itself by its real place is none. Links that the archive's own part has made are left alone.
  sed "${_ca_rules#;};s| /\(bin\|sbin\|lib\|lib64\)/| /usr/\1/|" links | awk '$1 != $2' | sort -u >links.sorted
}

# rescue_own PINNED NETWORK: the first archive's tree, at ./own; a pinned host key apart from it, at ./pinned.
rescue_own() {
  rm -rf own
  mkdir -p own/etc/resurgo own/etc/ssh own/var/lib/resurgo/home/.ssh own/var/log own/usr/local/lib own/root own/proc own/sys own/dev own/run own/tmp own/mnt/new own/usr/bin own/usr/sbin
  cp -R "$RESURGO_LIB" own/usr/local/lib/resurgo
  # What writes over disks exists in the rescue system alone: on a host in use there is no such job to ask for.
  _ro_kit=own/usr/local/lib/resurgo
  for _ro_part in jobs lib verbs; do
    mv "$_ro_kit/rescue/$_ro_part"/* "$_ro_kit/$_ro_part/"
    rmdir "$_ro_kit/rescue/$_ro_part"
  done
  # Which hostkit that is, as a director knows it that carries the same (hosts/enroll/hostkit-tree.ts).
  _ro_version=0
  [ ! -r "$RESURGO_LIB/VERSION" ] || read -r _ro_version _ <"$RESURGO_LIB/VERSION" || :
  kit_sum "$_ro_kit" || fail failed "$_ro_kit can not be read"
  printf '%s %s\n' "$_ro_version" "$kit_sum" >"$_ro_kit/VERSION"
  cp "$_ro_kit/rescue/init" own/init
  ln -s /usr/local/lib/resurgo/rescue/inittab own/etc/inittab
  cp own/usr/local/lib/resurgo/rescue/sshd_config own/etc/resurgo/sshd_config
  cp own/usr/local/lib/resurgo/rescue/sudo own/usr/bin/sudo
  ln -s /usr/local/lib/resurgo/rescue/director own/usr/bin/director
  printf 'root:x:0:0:root:/root:/bin/sh\nresurgo:x:0:0:director:/var/lib/resurgo/home:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n' >own/etc/passwd
  printf 'root:*:19700::::::\nresurgo:*:19700::::::\nsshd:*:19700::::::\n' >own/etc/shadow
  printf 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n' >own/etc/group
  printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' >own/etc/nsswitch.conf
  printf '127.0.0.1 localhost\n' >own/etc/hosts
  # The storage tools: nobody else makes nodes here, and nothing is activated unasked.
  mkdir -p own/etc/lvm own/etc/mdadm
  cp own/usr/local/lib/resurgo/rescue/lvm.conf own/etc/lvm/lvm.conf
  cp own/usr/local/lib/resurgo/rescue/mdadm.conf own/etc/mdadm/mdadm.conf
  # Keyboards of some makers wait for a driver of their own, which is not packed; the general one serves to type on.
  mkdir -p own/etc/modprobe.d
  printf 'options hid ignore_special_drivers=1\n' >own/etc/modprobe.d/resurgo.conf
  # ZFS asks whose a pool is.
  for _ro_file in /etc/mke2fs.conf /etc/ld.so.conf /etc/hostid; do [ ! -f "$_ro_file" ] || cp "$_ro_file" "own$_ro_file"; done
  [ ! -d /etc/ld.so.conf.d ] || cp -R /etc/ld.so.conf.d own/etc/
  [ ! -f /etc/ld.so.cache ] || cp /etc/ld.so.cache own/etc/
  # Which director may come in, whose data may arrive; no key of this host, and none to any backup (S30).
  config_host
  printf '%s\n' "$config_host" >own/etc/resurgo/rescue.host
  encode "$config_host"
  printf 'host %s\nrestore-to /mnt/new\nrestore-to /mnt/headers\n' "$encoded" >own/etc/resurgo/host.conf
  cp "$RESURGO_ETC/director.keys" "$RESURGO_ETC/peers" own/etc/resurgo/
  chmod 600 own/etc/resurgo/host.conf own/etc/resurgo/director.keys own/etc/resurgo/peers own/etc/shadow
  chmod 711 own/var/lib/resurgo
  [ "$2" != captured ] || rescue_capture_network >own/etc/resurgo/rescue.net
  if [ "$1" = yes ]; then
    rescue_host_key
    mkdir -p pinned/etc/ssh
    cp "$RESURGO_ETC/rescue.key" pinned/etc/ssh/ssh_host_ed25519_key
    cp "$RESURGO_ETC/rescue.key.pub" pinned/etc/ssh/ssh_host_ed25519_key.pub
    chmod 600 pinned/etc/ssh/ssh_host_ed25519_key
  fi
}

# rescue_host_key: the key that images of this host are known by: made once, so that the same input gives the same image.
rescue_host_key() {
  [ -s "$RESURGO_ETC/rescue.key" ] || {
    rm -f "$RESURGO_ETC/rescue.key.new" "$RESURGO_ETC/rescue.key.new.pub"
    ssh-keygen -q -t ed25519 -N '' -C "rescue-$config_host" -f "$RESURGO_ETC/rescue.key.new" </dev/null
    mv -f "$RESURGO_ETC/rescue.key.new.pub" "$RESURGO_ETC/rescue.key.pub"
    mv -f "$RESURGO_ETC/rescue.key.new" "$RESURGO_ETC/rescue.key"
  }
}

# rescue_pack: both archives into ./initramfs.img.
rescue_pack() {
  # Each applet of busybox that the host has no program for.
  rescue_find busybox
  _rk_busybox=$rescue_path
  "$_rk_busybox" --list >applets
  awk '
    FILENAME == "files.sorted" { sub(/.*\//, ""); have[$0] = 1; next }
    FILENAME == "links.sorted" { sub(/ .*/, ""); sub(/.*\//, ""); have[$0] = 1; next }
    !($1 in have) && $1 != "busybox" && $1 != "sudo" { print $1 }' files.sorted links.sorted applets >applets.wanted
  while IFS= read -r _rk_applet; do
    printf '/usr/bin/%s %s\n' "$_rk_applet" "$_rk_busybox"
  done <applets.wanted >>links.sorted
  while read -r _rk_path _rk_target; do
    printf 'own%s\n%s\n' "$_rk_path" "$_rk_target"
  done <links.sorted | rescue_make_links
  # Folders of the host's files, with our own times.
  sed 's|/[^/]*$||' files.sorted | sort -u | sed 's|^|own/|' | xargs mkdir -p
  find own -exec touch -h -d @0 {} +
  (cd own && find . | sort | cpio -o -H newc --reproducible --owner=0:0 --quiet) >own.cpio || fail failed 'cpio can not pack the rescue system: is the disk full?'
  (cd / && cpio -o -H newc --reproducible --owner=0:0 --quiet) <files.sorted >host.cpio || fail failed 'cpio can not pack the files of this host: is the disk full?'
  rescue_compress
  rm -rf own own.cpio host.cpio
  [ ! -d pinned ] || rescue_pack_pinned
}

# rescue_pack_pinned: the pinned host key as an archive of its own, ./pinned.cpio. Media that a person carries have it before their initramfs;
# what is served by network is the initramfs alone, as whoever asks for it would have the key (S30).
rescue_pack_pinned() {
  find pinned -exec touch -h -d @0 {} +
  (cd pinned && find . | sort | cpio -o -H newc --reproducible --owner=0:0 --quiet) >pinned.cpio || fail failed 'cpio can not pack the host key: is the disk full?'
  rm -rf pinned
}

# rescue_make_links: `OWN_PATH` and `TARGET` in turn, a line each. A folder on the way that is a link itself is not entered.
rescue_make_links() {
  while IFS= read -r _ml_path && IFS= read -r _ml_target; do
    if [ -e "$_ml_path" ] || [ -h "$_ml_path" ]; then continue; fi
    _ml_dir=${_ml_path%/*}
    [ -d "$_ml_dir" ] || mkdir -p "$_ml_dir"
    printf '%s\n%s\n' "$_ml_path" "$_ml_target"
  done >making
  # Starting ln for each of some hundred links is most of the time of the whole build; busybox can do it in one process.
  # shellcheck disable=SC2016 # Its own variables.
  "$_rk_busybox" sh -c 'while IFS= read -r path && IFS= read -r target; do ln -s "$target" "$path"; done' <making
}

# rescue_compress: what packs best of what this kernel can unpack and this host can run. zstd's long window finds what libraries and modules
# have in common over the whole archive; `small` takes some twenty times the CPU seconds for a seventh less.
rescue_compress() {
  if rescue_find zstd && grep -qsx 'CONFIG_RD_ZSTD=y' "/boot/config-$rescue_kernel"; then
    _rz_level=9
    [ "$rescue_pack" = fast ] || _rz_level=19
    cat own.cpio host.cpio | zstd -q -T0 "-$_rz_level" --long=26 >initramfs.img
  else
    cat own.cpio host.cpio | gzip -n -6 >initramfs.img
  fi
}
