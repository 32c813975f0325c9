# Of mounts that may be parts of a machine (lib/mount-parts.sh): which are chosen, so that each file system is there once and in its place.

# Lines ID PARENT DEVICE ROOT POINT TYPE SOURCE WHY, by tabs.
# shellcheck disable=SC2016 # The awk's own.
MOUNT_PARTS_AWK='
  function inside(p, q) { return q == "/" ? p != "/" : index(p, q "/") == 1 }
  function within(p, q) { return p == q || inside(p, q) }
  function above(p) { if (p == "/") return ""; sub("/[^/]*$", "", p); return p == "" ? "/" : p }
  function joined(p, q) { return p == "/" ? (q == "" ? "/" : q) : p q }
  function rest(p, q) { return p == q ? "" : q == "/" ? p : substr(p, length(q) + 1) }
  # Under another mount, beside which it was mounted below the same one.
  function under(i,  p) {
    if (i in known) return known[i]
    known[i] = 0
    for (p = above(point[i]); p != ""; p = above(p)) if ((parent[i], p) in child) return known[i] = 1
    if (parent[i] in number && number[parent[i]] != i) known[i] = under(number[parent[i]])
    return known[i]
  }
  # The mount that shows this path.
  function shows(p) { for (; p != ""; p = above(p)) if (p in top) return top[p]; return 0 }
  # The chosen part that holds what i shows, at a place where no mount of anything else lies over it.
  function held(i,  j, k, p) {
    for (j = 1; j <= n; j++) {
      if (!(j in chosen) || device[j] != device[i] || !within(root[i], root[j])) continue
      p = joined(point[j], rest(root[i], root[j]))
      k = shows(p)
      if (k == j || k == i) return j
      if ((k in twice) && device[k] == device[i] && within(root[i], root[k]) && joined(point[k], rest(root[i], root[k])) == p) return j
    }
    return 0
  }
  function tell(word, p, reason) { printf "%s\t%s\t%s\n", word, p, reason }
  { n = NR; number[$1] = n; parent[n] = $2; device[n] = $3; root[n] = $4; point[n] = $5; type[n] = $6; source[n] = $7; why[n] = $8; child[$2, $5] = 1; id[n] = $1 }
  END {
    count = split(ENVIRON["MOUNT_LEFT"], lines, "\n")
    for (l = 1; l <= count; l++) if (split(lines[l], field, "\t") == 2) { left++; path[left] = field[1]; reason[left] = field[2] }
    for (i = 1; i <= n; i++) {
      hidden[i] = ((id[i], point[i]) in child && number[id[i]] == i) || under(i)
      if (!hidden[i]) top[point[i]] = i
    }
    for (i = 1; i <= n; i++) {
      for (l = 1; l <= left && why[i] == ""; l++) if (within(point[i], path[l])) why[i] = reason[l]
      if (hidden[i] && why[i] == "") why[i] = "another mount lies over it, so nothing of it can be seen"
      if (!hidden[i] && why[i] == "") open[i] = 1
    }
    do {
      do {
        moved = 0
        for (i = 1; i <= n; i++) {
          if (!(i in open) || !(j = held(i))) continue
          delete open[i]
          twice[i] = j
          moved = 1
        }
      } while (moved)
      best = 0
      for (i = 1; i <= n; i++) {
        if (!(i in open)) continue
        if (point[i] != "/") { c = shows(above(point[i])); if (!(c in chosen)) continue }
        if (!best || point[i] == "/" || (point[best] != "/" && length(root[i]) < length(root[best]))) best = i
      }
      if (best) { chosen[best] = ++parts; order[parts] = best; delete open[best] }
    } while (best)
    for (i in open) why[i] = "mounted inside " point[shows(above(point[i]))] ", which is not in the backup"
    # What holds others comes before them.
    for (k = 1; k <= parts; k++) {
      deep[k] = point[order[k]] == "/" ? 1 : split(point[order[k]], names, "/")
      if (deep[k] > deepest) deepest = deep[k]
    }
    for (depth = 1; depth <= deepest; depth++)
      for (k = 1; k <= parts; k++) {
        if (deep[k] != depth) continue
        i = order[k]
        printf "part\t%s\t%s\t%s\t%s\n", point[i], type[i], device[i], source[i]
        for (l = 1; l <= parts; l++) {
          j = order[l]
          if (type[i] != "btrfs" || device[i] != device[j] || !inside(root[j], root[i])) continue
          p = joined(point[i], rest(root[j], root[i]))
          if (p != point[j]) tell("apart", p, "the subvolume that is mounted at " point[j])
        }
      }
    # A store that a part shows as well, at another place than its own.
    for (i = 1; i <= n; i++)
      for (k = 1; k <= parts && why[i] ~ /backup store/; k++) {
        j = order[k]
        if (device[i] != device[j] || !within(root[i], root[j])) continue
        p = joined(point[j], rest(root[i], root[j]))
        if (p != point[i] && shows(p) == j) tell("store", p, why[i])
      }
    for (i = 1; i <= n; i++) if (i in twice) tell("twice", point[i], "shows once more what lies in the backup at " joined(point[twice[i]], rest(root[i], root[twice[i]])))
    # What lies in a place that goes at each boot goes with it. Of what a host has by the dozen below one folder, the folder is named.
    for (i = 1; i <= n; i++) {
      if (why[i] == "" || (i in twice)) continue
      passing = why[i] ~ /^(the kernel.s own|in memory|an )/
      if (passing && hidden[i]) continue
      c = shows(above(point[i]))
      if (passing && c && why[c] ~ /^(the kernel.s own|in memory)/) continue
      split(point[i], names, "/")
      key = passing && names[4] != "" && names[5] != "" ? why[i] "\t/" names[2] "/" names[3] "/" names[4] : why[i] "\t" point[i]
      if (!(key in many)) keys[++told] = key
      many[key]++
      last[key] = i
    }
    for (k = 1; k <= told; k++) {
      split(keys[k], field, "\t")
      i = last[keys[k]]
      if (many[keys[k]] == 1) tell("skip", point[i], why[i])
      else tell("skip", field[2], many[keys[k]] " mounts below it: " why[i])
    }
  }
'
