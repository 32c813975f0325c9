# What `install.sh` and `live-install.sh` have in common: files that are replaced by renaming, folders that are root's own, the hostkit. It goes
# before them in one script; $lib, $etc, $var and $work are theirs.

# is_ours TARGET MODE: it is root's own, with that mode.
is_ours() { [ "$(stat -c '%u:%g %a' "$1")" = "0:0 ${2#0}" ]; }

# put FILE MODE TARGET: replaces the target by renaming when it differs, also in owner or mode alone: who owned it may still have it open
# for writing. Says so.
put() {
  if [ -f "$3" ] && [ ! -h "$3" ] && cmp -s "$1" "$3" && is_ours "$3" "$2"; then return 0; fi
  # A folder, or a link to one: mv would put the file into it. Of a link this removes the link alone.
  if [ -d "$3" ]; then rm -rf -- "$3"; fi
  rm -rf -- "$3.resurgo-new"
  cp "$1" "$3.resurgo-new"
  chown 0:0 "$3.resurgo-new"
  chmod "$2" "$3.resurgo-new"
  mv -f "$3.resurgo-new" "$3"
  echo "change $3"
}

# own FOLDER: a folder that is root's own and that nobody else writes to; what else stands in its place goes. Says so when it was otherwise.
own() {
  if [ -d "$1" ] && [ ! -h "$1" ]; then
    if is_ours "$1" 0755; then return 0; fi
    echo "change $1 (owner or mode)"
  else
    rm -f -- "$1"
    mkdir -- "$1"
  fi
  chown 0:0 "$1"
  # Five digits: with four a folder keeps its setgid bit.
  chmod 00755 "$1"
}

make_folders() {
  for folder in "$var" "$var/home" "$var/home/.ssh" "${lib%/*}"; do mkdir -p "$folder"; done
  own "$lib"
  own "$etc"
  for folder in runs jobs grants fence leases deadman snapshots workloads log; do
    mkdir -p "$var/$folder"
    chmod 0700 "$var/$folder"
  done
  chown 0:0 "$var" "$var"/* "$var/home/.ssh"
  chmod 0711 "$var"
  chmod 0755 "$var/home" "$var/home/.ssh"
}

# Parts first, the entry last, so that no entry ever looks for a part that is not there yet.
put_hostkit() {
  (cd "$work/hostkit" && find . -type f ! -path ./hostkit ! -path ./VERSION) | sed 's|^\./||' >"$work/parts"
  (cd "$work/hostkit" && find . -mindepth 1 -type d) | sed 's|^\./||' | sort >"$work/folders"
  while IFS= read -r folder; do own "$lib/$folder"; done <"$work/folders"
  while IFS= read -r part; do
    put "$work/hostkit/$part" 0755 "$lib/$part"
  done <"$work/parts"
  put "$work/hostkit/hostkit" 0755 "$lib/hostkit"
  put "$work/hostkit/VERSION" 0644 "$lib/VERSION"
  printf '%s\n' hostkit VERSION >>"$work/parts"
  (cd "$lib" && find . ! -type d) | sed 's|^\./||' >"$work/installed"
  while IFS= read -r part; do
    grep -Fqx -- "$part" "$work/parts" || { rm -f -- "$lib/$part" && echo "change $lib/$part (removed)"; }
  done <"$work/installed"
  (cd "$lib" && find . -depth -mindepth 1 -type d) | sed 's|^\./||' >"$work/installed"
  while IFS= read -r folder; do
    grep -Fqx -- "$folder" "$work/folders" || { rm -rf -- "${lib:?}/$folder" && echo "change $lib/$folder (removed)"; }
  done <"$work/installed"
}
