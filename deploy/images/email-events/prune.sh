#!/bin/sh
# Takes out of folders of npm packages what no program runs: types, TypeScript (which Node refuses in packages), source maps,
# documentation, tests, and native code of other releases of Node and other C libraries than Debian's. Licences stay.
set -eu
for folder in "$@"; do
  find "$folder" -type f \( -name '*.map' -o -name '*.ts' -o -name '*.cts' -o -name '*.mts' \
    -o -name '*.abi*.node' -o -name '*.musl.node' \
    -o -iname 'readme*' -o -iname 'changelog*' -o -iname 'history.md' -o -iname 'contributing*' \) -delete
  rm -rf "$folder/@types" "$folder/zod/src" "$folder/undici/docs" "$folder/undici/scripts"
  find "$folder" -mindepth 2 -type d \( -name test -o -name tests -o -name __tests__ -o -name fixtures -o -name spec \
    -o -name benchmarks -o -name examples -o -name '.github' \) -prune -exec rm -rf {} +
done
