#!/bin/sh
# What is no program is for node: its options, and scripts.
set -eu
case ${1-} in
  -*) set -- node "$@" ;;
  *) command -v -- "${1-node}" > /dev/null || set -- node "$@" ;;
esac
exec "$@"
