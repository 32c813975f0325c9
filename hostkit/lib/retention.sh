# The target's own floor (S27): what its `keep` line holds back from any removal, whoever asks for it. The director's policy may keep
# more; a thief of the director's key can't remove below this.

# Set or read elsewhere:
: "${manifest_base-}"

# retention_floor STORE GROUP: sets retention_last retention_daily retention_weekly retention_monthly retention_yearly. Without a `keep`
# line the newest backup stays.
retention_floor() {
  retention_group=$2
  retention_last=1 retention_daily=0 retention_weekly=0 retention_monthly=0 retention_yearly=0
  config_each keep "$1" retention_take
}
retention_take() {
  [ "$2" = "$retention_group" ] || return 0
  retention_last=$3 retention_daily=$4 retention_weekly=$5 retention_monthly=$6 retention_yearly=$7
  [ "$retention_last" -ge 1 ] || retention_last=1
}

# retention_kept: reads ids, one a line, and prints those that the floor holds, each with the reason. A period's newest backup stands
# for it; weeks begin on Monday; periods without a backup don't count.
retention_kept() {
  sort -r | LC_ALL=C awk -v last="$retention_last" -v daily="$retention_daily" -v weekly="$retention_weekly" \
    -v monthly="$retention_monthly" -v yearly="$retention_yearly" '
    # Days since 1970-01-01 of the proleptic Gregorian calendar.
    function days(y, m, d,  era, yoe, doy) {
      if (m <= 2) y--
      era = int(y / 400); yoe = y - era * 400
      doy = int((153 * (m + (m > 2 ? -3 : 9)) + 2) / 5) + d - 1
      return era * 146097 + yoe * 365 + int(yoe / 4) - int(yoe / 100) + doy - 719468
    }
    function hold(kind, key, limit) {
      if ((kind, key) in seen) return
      seen[kind, key] = 1
      if (++count[kind] <= limit) why = why (why == "" ? "" : ",") kind
    }
    {
      why = ""
      day = days(substr($1, 1, 4) + 0, substr($1, 5, 2) + 0, substr($1, 7, 2) + 0)
      hold("last", $1, last)
      hold("daily", day, daily)
      hold("weekly", int((day + 3) / 7), weekly)
      hold("monthly", substr($1, 1, 6), monthly)
      hold("yearly", substr($1, 1, 4), yearly)
      if (why != "") print $1, why
    }'
}

# retention_whole: prints the sealed ids that count: a partial backup stands for no period (S18).
retention_whole() {
  for retention_id in $(kind_ids); do
    kind_manifest "$retention_id"
    if grep -qiE '"state" *: *"partial"' "$manifest_base.json" 2>/dev/null; then continue; fi
    printf '%s\n' "$retention_id"
  done
}
