#!/bin/sh
# Runs the fuzz targets that are named, as many at once as there are processors, and counts them.
#
#   sh t/fuzz/run.sh DIRECTORY SECONDS TARGET...
#
# DIRECTORY has the programs, in bin/, and gets their logs, their findings, and what their corpora
# grow by. SEED repeats the choices of a run; without it, each run has others.

# run_one DIRECTORY SECONDS TARGET
run_one() {
	mkdir -p "$1/corpus/$3"
	if "$1/bin/$3" -seed="${SEED:-0}" -max_total_time="$2" -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$1/$3-" "$1/corpus/$3" "t/fuzz/corpus/$3" >"$1/$3.log" 2>&1; then
		echo "$3: $(sed -n 's/^stat::number_of_executed_units: *//p' "$1/$3.log") inputs, no finding"
	else
		tail -n 40 "$1/$3.log"
		echo "FAILED: $3, see $1/$3.log"
		return 1
	fi
}

cd "$(dirname "$0")/../.." || exit 1
if [ "$1" = --one ]; then
	shift
	run_one "$@"
	exit
fi
directory=$1 seconds=$2
shift 2
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 sh t/fuzz/run.sh --one "$directory" "$seconds" |
	tee "$directory/results"
passed=$(grep -c ' inputs, no finding$' "$directory/results")
echo "$passed passed, $(($# - passed)) failed"
[ "$passed" -eq $# ]
