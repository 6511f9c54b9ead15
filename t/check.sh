#!/bin/sh
# Runs all tests, or those named, and ends in one line that counts them: N passed, N failed.
#
#   sh t/check.sh [unit] [t/e2e/tNNNN-name.sh ...]
#
# A script runs once for each flavour that its line "# Flavours: ..." names, or for $FLAVOUR alone.
# Some more than twice as many as there are processors run at once, up to ten: they mostly wait.
# JOBS says otherwise.
top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$top/build}

# A build with sanitizers takes its time: these run in a second flavour, all others in the first.
sanitized='t1000-job t3000-exit-codes t3400-killed'

# Check's summary: "97%: Checks: 40, Failures: 1, Errors: 0".
run_unit() {
	# Those that mostly wait run beside all others.
	case $1 in
	waiting) CK_INCLUDE_TAGS=slow "$build/t/unit/unit" >"$output" 2>&1 ;;
	*) CK_EXCLUDE_TAGS=slow "$build/t/unit/unit" >"$output" 2>&1 ;;
	esac
	code=$?
	# A run that does not come to its end has no summary, and counts as a failure.
	# shellcheck disable=SC2046 # three numbers, or nothing
	set -- $(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\)$/\1 \2 \3/p' "$output")
	good=0 bad=1 left_out=$(grep -c '^# skipped: ' "$output")
	[ $# -eq 3 ] || return
	bad=$(($2 + $3)) good=$(($1 - $2 - $3))
	[ "$code" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
}

run_script() {
	sh "$1" >"$output" 2>&1
	code=$?
	bad=$(grep -c '^not ok ' "$output")
	left_out=$(grep -c '^ok .* # SKIP' "$output")
	good=$(($(grep -c '^ok ' "$output") - left_out))
	planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$output" | tail -n 1)
	grep -q '^1\.\.0 # SKIP' "$output" && left_out=1 planned=1
	# A script that stops early has not run what it planned.
	if [ "$bad" -eq 0 ] && { [ "$code" -ne 0 ] || [ "${planned:-0}" -ne $((good + left_out)) ]; }; then
		echo "# $(basename "$1") did not come to its end (exit code $code)" >>"$output"
		bad=1
	fi
}

# run_one TEST [FLAVOUR]: one of those that run at once; its output comes in one piece.
run_one() {
	output=$results/$$.output
	began=$(date +%s)
	name=$(basename "$1" .sh)
	if [ "$1" = unit ]; then
		run_unit "$2"
	else
		[ -z "${2:-}" ] || export FLAVOUR="$2"
		run_script "$1"
	fi
	echo "$good $bad $left_out" >"$results/$$.counts"
	{
		flock 9
		echo "== $name${2:+ ($2)}: $(($(date +%s) - began)) s"
		cat "$output"
	} 9>"$results/lock"
}

flavours_of() {
	local all
	all=$(sed -n 's/^# Flavours: //p' "$1")
	if [ -n "${FLAVOUR:-}" ] || [ -z "$all" ]; then
		echo "${FLAVOUR:-}"
	elif [ -z "${SANITIZE:-}" ]; then
		echo "$all"
	else
		case " $sanitized " in
		*" $(basename "$1" .sh) "*) echo 'caps sudo' ;;
		*) echo caps ;;
		esac
	fi
}

# What is to be run, a line each.
list_tests() {
	for test; do
		if [ "$test" = unit ]; then
			echo unit waiting
			echo unit others
			continue
		fi
		flavours=$(flavours_of "$test")
		[ -n "$flavours" ] || echo "$test"
		for flavour in $flavours; do
			echo "$test $flavour"
		done
	done
}

if [ "${1:-}" = --one ]; then
	results=$2
	shift 2
	# shellcheck disable=SC2086 # the test and its flavour
	run_one $1
	exit 0
fi

results=$(mktemp -d) || exit 1
trap 'rm -rf "$results"' EXIT
trap 'exit 1' HUP INT TERM
[ $# -gt 0 ] || set -- unit "$top"/t/e2e/t[0-9]*.sh
jobs=$(($(nproc) * 5 / 2))
[ "$jobs" -le 10 ] || jobs=10
# Those with a high number take longest, and would keep all others waiting at the end. One that was
# killed itself has left no counts.
list_tests "$@" | sort -r | xargs -P "${JOBS:-$jobs}" -d '\n' -n 1 sh "$0" --one "$results" ||
	echo 0 1 0 >"$results/lost.counts"
awk '{ passed += $1; failed += $2; skipped += $3 }
	END { print passed + 0 " passed, " failed + 0 " failed, " skipped + 0 " skipped"
		exit failed > 0 || passed == 0 }' "$results"/*.counts
