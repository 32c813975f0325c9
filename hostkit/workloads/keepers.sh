# Several records of one host (restores, stops by hand) may need the same unit, container or engine stopped. The last of them to end starts
# it: one that ends before hands its lines over to another, on disk there before they are forgotten here, and starts nothing of them (S21).
# The caller holds the lock `workloads`: no record changes meanwhile. REC is a record's folder, KEEPER another one's.

# Set or read elsewhere:
: "${ENGINE_UNITS-}" "${json-}" "${RECORD_STOP_FULL-}"

# keeper_of REC NAMES [WHAT]: sets keeper to another record of which `NAMES RECORD WHAT` is true; 1 if there is none. One whose start was
# begun needs nothing stopped any more: what is left in it did not start then, and its next start takes it up.
keeper_of() {
  for keeper in "$RESURGO_VAR/workloads"/*; do
    if [ "$keeper" != "$1" ] && [ -e "$keeper/run" ] && [ ! -e "$keeper/starting" ] && "$2" "$keeper" "${3-}"; then return 0; fi
  done
  keeper=''
  return 1
}

# names_unit REC UNIT
names_unit() {
  case " $ENGINE_UNITS " in *" $2 "*) [ ! -e "$1/engine.units" ] || return 0 ;; esac
  [ -s "$1/units" ] || return 1
  while read -r _ _nu_name _; do [ "$_nu_name" != "$2" ] || return 0; done <"$1/units"
  return 1
}

# names_engine REC: does it keep the engine, or one of its units, stopped?
names_engine() {
  for _ne_unit in $ENGINE_UNITS; do ! names_unit "$1" "$_ne_unit" || return 0; done
  return 1
}

# notes_container REC ID; names_container REC ID: or does it keep its whole engine stopped?
notes_container() { container_noted "$1" stopped "$2" || container_noted "$1" held "$2"; }
names_container() { [ -e "$1/engine.units" ] || notes_container "$1" "$2"; }

# hand_over KEEPER FILE LINE NAME: puts the line first in that record's FILE, once; NAME, if there is one, goes to kept. 1 when it can't.
hand_over() {
  if [ ! -s "$1/$2" ]; then
    atomic_put "$1/$2" "$3"
  elif ! grep -qxF -e "$3" "$1/$2"; then
    _ho_text=$(cat "$1/$2") && atomic_put "$1/$2" "$3$LF$_ho_text"
  fi || return 1
  [ -z "$4" ] || kept_add "$1" "$4"
}

# kept_add KEEPER NAME: adds to kept (JSON members) what is not started here, and by whom it will be.
kept_add() {
  _kt_by=${1##*/}
  case $_kt_by in
    *.hand) _kt_by="the stop by hand of group ${_kt_by%.hand}" ;;
    *) _kt_by="the restore of group $_kt_by" ;;
  esac
  json_quote "$2"
  kept="${kept-}${kept:+,}{\"name\":$json"
  json_quote "$_kt_by"
  kept="$kept,\"by\":$json}"
}
