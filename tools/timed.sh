#!/bin/sh
# Runs a command and says how long it took: tools/timed.sh NAME COMMAND [ARGUMENT]...
name=$1
shift
start=$(date +%s)
"$@"
code=$?
took=$(($(date +%s) - start))
if [ $code = 0 ]; then outcome="done"; else outcome="failed (exit code $code)"; fi
printf '%s: %s, %d min %02d s\n' "$name" "$outcome" $((took / 60)) $((took % 60))
exit $code
