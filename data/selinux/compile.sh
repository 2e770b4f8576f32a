#!/bin/sh
# usage: compile.sh DEVEL_MAKEFILE OUTPUT SOURCE...: compiles a policy module in a folder of its own, where make may write.
makefile=$1 output=$(realpath -m "$2")
shift 2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cp "$@" "$work" && cd "$work" && make -s -f "$makefile" cloister.pp >make.out 2>&1 && cp cloister.pp "$output" && exit 0
cat make.out >&2
exit 1
