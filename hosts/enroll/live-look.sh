# Whether the system that this runs on is a rescue Linux: one that lies in memory or on a read-only medium, and uses no disk of the machine. It
# goes before live-survey.sh and live-install.sh, so that what changes something has looked in the same script. Changes nothing.

# look_reasons [PROC [ETC]]: prints why it is none, a reason a line; nothing where it is one. There is no way around it: what is asked here is
# the machine itself, and whoever has mistyped an address would agree to everything. A rescue Linux that has mounted a disk can unmount it.
look_reasons() {
  _lr_proc=${1:-/proc} _lr_etc=${2:-/etc}
  read -r _lr_line 2>/dev/null <"$_lr_proc/2/comm" || _lr_line=
  [ "$_lr_line" = kthreadd ] || echo 'it is a container, and not the whole machine'
  if [ -e "$_lr_etc/resurgo/host.conf" ] && [ ! -e "$_lr_etc/resurgo/rescue.host" ]; then
    echo "it is enrolled, as $(sed -n 's/^host //p' "$_lr_etc/resurgo/host.conf" | head -n 1)"
  fi
  # Its last line says that all of it was looked at: a system without awk, say, is not called a rescue Linux for want of a reason.
  _lr_said=$(look_mounts <"$_lr_proc/self/mountinfo") || _lr_said=
  case $_lr_said in
    looked) ;;
    *looked) printf '%s\n' "${_lr_said%?looked}" ;;
    *) echo 'what it has mounted can not be read' ;;
  esac
}

# look_mounts: the same by the mounts on stdin, in the form of mountinfo, and then `looked`. Of two at one place the later hides the earlier.
look_mounts() {
  awk '
    function on_disk(type, source) {
      if (type ~ /^(zfs|btrfs|bcachefs)$/) return 1
      if (type ~ /^(squashfs|erofs|cramfs|romfs|iso9660|udf|devtmpfs|tmpfs|ramfs|rootfs|overlay|aufs|nfs4?)$/) return 0
      return source ~ /^\/dev\// && source !~ /^\/dev\/z?ram[0-9]+$/
    }
    # The mount that a path lies on, the root left out: below it the layers of a root show no more.
    function place_of(path, at, best) {
      best = ""
      for (at in types) if (at != "/" && length(at) > length(best) && index(path "/", at "/") == 1) best = at
      return best
    }
    {
      for (i = 7; i <= NF && $i != "-"; i++);
      types[$5] = $(i + 1); sources[$5] = $(i + 2)
      if ($5 == "/") options = $(i + 3)
    }
    END {
      type = types["/"]
      if (type == "") print "what its root file system is can not be read"
      else if (on_disk(type, sources["/"])) print "its root file system is " type " on the disk " sources["/"]
      else if (type !~ /^(rootfs|tmpfs|ramfs|overlay|aufs|squashfs|erofs|cramfs|romfs|iso9660|udf|nfs4?)$/) print "its root file system is " type ", neither in memory nor on a read-only medium"
      count = split(options, words, ",")
      for (w = 1; w <= count; w++) {
        if (type != "overlay" || words[w] !~ /^(upper|lower)dir=/) continue
        where = words[w]
        sub(/^[a-z]*=/, "", where)
        layers = split(where, layer, ":")
        for (l = 1; l <= layers; l++) {
          at = place_of(layer[l])
          if (at != "" && on_disk(types[at], sources[at])) print "its root file system is laid over " types[at] " on the disk " sources[at] ", at " at
        }
      }
      for (at in types) {
        # Where people look at the disks of a broken machine, and where live systems keep their own medium.
        if (at == "/" || at ~ /^\/(mnt|media|run|tmp|target|live|cdrom|lib\/live|sysroot|rofs|isodevice)(\/|$)/) continue
        if (on_disk(types[at], sources[at])) print types[at] " on the disk " sources[at] " is mounted at " at
      }
      print "looked"
    }'
}
