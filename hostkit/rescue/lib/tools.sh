# What this rescue system brings along for a recovery: tools and kernel modules, told before anything is written, so that what is missing is
# no surprise in its middle. In the rescue system alone.

# Set or read elsewhere:
: "${tool_at-}"

layout_rescue() {
  fact_made tools tools_each
  fact_made kernel-modules tools_modules
  fact_made xfs-words tools_xfs
  # The sum of the layout that its media were built for.
  fact_file built-for "$RESURGO_ETC/rescue.layout"
}

# tools_each: `NAME PATH` of each tool that a job declares (`# tools:`), `-` for one that is missing. An applet of busybox has the name alone:
# its mke2fs knows none of the options that a file system needs to come back as it was.
tools_each() {
  sed -n 's/^# tools\( [a-z]*\)\{0,1\}: //p' "$RESURGO_LIB"/jobs/*.sh "$RESURGO_LIB"/lib/*.sh | tr ' ' '\n' | tr -d '?' | sort -u |
    while IFS= read -r tools_name; do
      [ -n "$tools_name" ] || continue
      if tool_path "$tools_name"; then
        case $(readlink -f "$tool_at") in */busybox | '') tool_at=- ;; esac
      else
        tool_at=-
      fi
      printf '%s %s\n' "$tools_name" "$tool_at"
    done
}

# tools_xfs: features that mkfs.xfs takes by name, of what it says of itself: one from before a feature can't make it.
tools_xfs() {
  timeout 10 mkfs.xfs 2>&1 </dev/null | grep -o '[a-z0-9]*=0|1' | cut -d= -f1 | sort -u
}

# tools_modules: the names of all that this kernel can load, has built in or has loaded. What modules.dep names may not have been packed.
tools_modules() {
  tools_release=$(uname -r)
  {
    find "/lib/modules/$tools_release/" -name '*.ko*'
    [ ! -r "/lib/modules/$tools_release/modules.builtin" ] || cat "/lib/modules/$tools_release/modules.builtin"
    [ ! -r /proc/modules ] || sed 's/ .*//' /proc/modules
    sed 's/.*[[:space:]]//' /proc/filesystems
  } 2>/dev/null | sed 's|.*/||; s/\.ko.*//' | tr - _ | sort -u
}
