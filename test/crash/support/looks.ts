/** What the tests look up on a host with its own tools, without asking the hostkit. */

/**
 * Every file's name, kind, mode, owner, links, size, time, content and extended attributes, as one checksum. Without a folder's links and
 * size, which each file system counts in its own way.
 */
export const DIGEST =
  "{ find . -type d -printf '%P|%y|%m|%U|%G|%T@\\n' -o -printf '%P|%y|%m|%U|%G|%n|%s|%T@|%l\\n' | sort; find . -type f -print0 | sort -z | xargs -0 -r sha256sum; find . -print0 | sort -z | xargs -0 -r getfattr -h -d -m - -e hex; } | sha256sum";

/** Jobs, grants, keys, records, mounts, processes, snapshots, clones and half-made backups of any run. */
export const REMAINS = `cd /var/lib/resurgo
ls -d jobs/* grants/* runs/* deadman/* 2>/dev/null
grep -v ' resurgo-director$' home/.ssh/authorized_keys | sed 's/.* /key /'
grep -o ' /var/lib/resurgo[^ ]*' /proc/mounts | sed 's/^/mount/'
ps -eo args | grep -E '[j]ob-runner|[r]esurgo/(deadman|bridge)|[r]sync --(server|daemon)' | sed 's/^/process /'
for place in /srv /backup; do btrfs subvolume list "$place"; done | sed -nE 's/.* path //p' | sort -u |
  grep -vE '^(srv|docker|backup|portal/current|portal/backups/[0-9]{8}_[0-9]{6})$' | sed 's/^/subvolume /'
:`;
