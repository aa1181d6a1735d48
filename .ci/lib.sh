# shellcheck shell=bash
# Steps and totals of .ci/run. Sourced, also by tests.

failed=()
summary=()
running=
work=$(mktemp -d)
: > "$work/totals"

# Each command is a background job in a process group of its own, so that an interrupt can end it with all its children.
set -m

# await COMMAND…: runs it, so that it can be interrupted. Returns its exit code.
await() {
  local code=0
  "$@" &
  running=$!
  wait "$running" || code=$?
  running=
  return "$code"
}

# Ends what is running, all of the group and not only its first process: the tests stop their stack before they end.
interrupt() {
  trap '' INT TERM HUP
  if [[ -n $running ]]; then
    kill -TERM -- "-$running" 2>/dev/null
    while kill -0 -- "-$running" 2>/dev/null; do sleep 0.1; done
  fi
  exit 130
}

# step NAME COMMAND…: runs it, prints how long it took, remembers a failure and goes on. Returns the exit code.
step() {
  local name=$1 begin=$SECONDS result=ok code=0
  shift
  printf '\n== %s\n' "$name"
  await "$@" || { code=$?; result="FAILED (exit code $code)"; failed+=("$name"); }
  printf '== %s: %s, %d s\n' "$name" "$result" $((SECONDS - begin))
  summarize "$name" "$result" $((SECONDS - begin))
  return "$code"
}

# summarize NAME RESULT SECONDS
summarize() {
  summary+=("$(printf '%-16s %4d s  %s' "$1" "$3" "$2")")
}

# test_step NAME COMMAND…: a step whose last line is the totals of tests. They count, and are not printed.
# No such line means that the tests did not even end: that is one failure.
test_step() {
  local name=$1 code=0
  shift
  : > "$work/last"
  step "$name" without_totals "$work/last" "$@" || code=$?
  if [[ -s $work/last ]]; then
    tail -n 1 "$work/last" >> "$work/totals"
  else
    printf '0 passed, 1 failed\n' >> "$work/totals"
    [[ $code -ne 0 ]] || failed+=("$name: no totals")
  fi
  return "$code"
}

# What reads the tests' output must outlive them, also when all are interrupted.
without_totals() {
  local file=$1
  shift
  "$@" | (
    trap '' INT TERM HUP
    exec sed -u -E "/^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?\$/{
      w $file
      d
    }"
  )
}

# not_run NAME FAILED SKIPPED: counts tests that there was no run of.
not_run() {
  printf '0 passed, %d failed, %d skipped\n' "$2" "$3" >> "$work/totals"
  [[ $2 -eq 0 ]] || failed+=("$1")
}

# The sum of all totals as a line like them.
sum_totals() {
  awk '{ passed += $1; failed += $3; skipped += $5 }
    END {
      printf "%d passed, %d failed", passed, failed
      if (skipped > 0) printf ", %d skipped", skipped
      printf "\n"
    }' "$work/totals"
}

# Prints what every step came to, and the totals. Returns 0 only if nothing failed.
report() {
  printf '\n'
  printf '%s\n' "${summary[@]}"
  sum_totals
  [[ ${#failed[@]} -eq 0 ]]
}
