# Did a group's containers stay still from the look that found them paused to their thaw? Docker's own event log tells (S1).

# Set or read elsewhere:
: "${events-}" "${in_scope-}" "${our_ids-}" "${paused_ids-}" "${torn-}" "${unsettled-}"

EVENT_FORMAT="{{.TimeNano}} {{.Actor.ID}} {{printf \"%q\" .Action}} {{range \$k,\$v := .Actor.Attributes}}{{printf \"%q\" \$k}}={{printf \"%q\" \$v}} {{end}}"

# containers_evidence REC ARMED_MS VERIFIED_MS THAW_MS: from docker's own log: did anything of the group run while it was to be still?
# Sets torn (empty, or the reason) and events. The daemon keeps its last 256 events only: our own pauses must be among them (S1).
containers_evidence() {
  events=0
  [ -e "$1/engine" ] || return 0
  read -r _ev_pid _ev_start <"$1/engine"
  if [ "$_ev_pid" = none ]; then
    engine_find && torn='a docker daemon was started during the freeze'
    return 0
  fi
  same_process "$_ev_pid" "$_ev_start" || {
    torn='the docker daemon ended or was started anew during the freeze'
    return 0
  }
  # Just now it didn't answer: not asked again, the director waits.
  [ -z "${unsettled-}" ] || {
    torn='docker does not answer: nothing shows that the freeze held'
    return 0
  }
  _ev_text=$(docker_run 15 events --since "${2%???}.${2#"${2%???}"}" --until "${4%???}.${4#"${4%???}"}" --filter type=container --format "$EVENT_FORMAT" 2>/dev/null) || {
    torn='docker gave no event log: nothing shows that the freeze held'
    return 0
  }
  _ev_paused=' '
  while read -r _ev_time _ev_id _ev_action _ev_rest; do
    [ -n "$_ev_time" ] || continue
    events=$((events + 1))
    case $_ev_action in
      '"pause"') _ev_paused="$_ev_paused$_ev_id " && continue ;;
      '"start"' | '"unpause"' | '"restart"' | '"die"' | '"kill"' | '"stop"' | '"oom"' | '"destroy"' | '"exec_start:') ;;
      *) continue ;;
    esac
    [ "${_ev_time%??????}" -ge "$3" ] || continue
    [ "${_ev_time%??????}" -lt "$4" ] || continue
    _ev_image=${_ev_rest#*'"image"="'}
    container_in_scope "${_ev_image%%\"*}" "$_ev_rest"
    [ "$in_scope" = yes ] || continue
    _ev_name=${_ev_rest#*'"name"="'}
    torn="container ${_ev_name%%\"*}: ${_ev_action#\"}"
    torn="${torn%\"} during the freeze"
    return 0
  done <<EOF
$_ev_text
EOF
  for _ev_id in $paused_ids; do
    case $our_ids in *" $_ev_id "*) ;; *) continue ;; esac
    case $_ev_paused in *" $_ev_id "*) ;; *) torn="docker's event log no longer shows our own pause of$(containers_names "$1" "$_ev_id")" && return 0 ;; esac
  done
  [ "$events" -lt 256 ] || [ -n "$paused_ids" ] || torn="docker's event log was overrun"
}
