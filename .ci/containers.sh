# shellcheck shell=bash disable=SC2154
# The tests on containers, of .ci/run. Sourced after lib.sh.
#
# CI_CONTAINERS in the environment: `off` leaves them out; `required` makes it a failure that no engine can be had here.

engine_is_ours=

containers() { node deploy/bootstrap.mjs containers "$@"; }

# An engine for the tests on containers, which then run beside the others. Returns 1, and counts why, if they are left out.
provide_containers() {
  case ${CI_CONTAINERS:-} in
    off) skip_containers 'CI_CONTAINERS=off'; return 1 ;;
    '' | required) provide_engine ;;
    *) fail_containers "CI_CONTAINERS=$CI_CONTAINERS: must be off or required"; return 1 ;;
  esac
}

# An engine that answers: one that is there, else one of our own. Returns 1 after it has said why there is none.
provide_engine() {
  local begin=$SECONDS code=0
  await containers engine status > "$work/engine" 2>&1 && return 0
  engine_is_ours=yes
  await containers engine start > "$work/engine" 2>&1 || code=$?
  if [[ $code -eq 0 ]]; then
    printf '\n== engine: %s, %d s\n' "$(tail -n 1 "$work/engine")" $((SECONDS - begin))
    summarize engine ok $((SECONDS - begin))
    return 0
  fi
  # 4: there is none, and none can be had. Anything else is a fault of ours.
  if [[ $code -eq 4 && -z ${CI_CONTAINERS:-} ]]; then
    skip_containers "$(grep -m 1 '^STACK_' "$work/engine")"
  else
    fail_containers "$(cat "$work/engine")"
  fi
  return 1
}

skip_containers() {
  printf '\n== containers: skipped: %s\n' "$1"
  summarize containers skipped 0
  not_run containers 0 1
}

fail_containers() {
  printf '\n== containers: FAILED: %s\n' "$1"
  summarize containers FAILED 0
  not_run containers 1 0
}

# Only an engine that was started here. Other checkouts' containers on it keep it running.
stop_engine() {
  [[ -n $engine_is_ours ]] || return 0
  engine_is_ours=
  await containers engine stop
}
