#!/bin/sh
# Fails when a source is not formatted as .clang-format says. usage: format.sh SOURCE_ROOT
cd "$1" || exit 1
tool=$(command -v clang-format-19) || { echo "format: clang-format-19 is not installed"; exit 77; }
find conf security driver daemon client tests -name '*.?pp' -print0 | xargs -0 -P2 -n20 "$tool" --dry-run -Werror 2>&1 |
    grep -E 'error:' | cut -d: -f1 | sort -u | sed 's/$/: not formatted (clang-format-19 -i)/' | grep . && exit 1
echo "format: ok"
