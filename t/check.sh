#!/bin/sh
# Runs all tests, or those named, and ends in a line for each that failed, and one that counts them:
# N passed, N failed, N skipped.
#
#   sh t/check.sh [unit | unit-quick] [t/e2e/tNNNN-name.sh ...]
#
# unit-quick is the unit tests without those that mostly wait.
# A script runs once for each flavour that its line "# Flavours: ..." names, or for $FLAVOUR alone.
# Three times as many as there are processors run at once, up to 12: they mostly wait. JOBS changes
# that.
top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$top/build}

# A build with sanitizers is slow: these tests run in a second flavour, all others only in the first.
sanitized='t1000-job t3000-exit-codes t3400-killed'

# Unit tests that mostly wait have one of these tags, and run side by side.
waiting='waits-1 waits-2 waits-3 waits-4 waits-5'

# run_unit TAG, others or quick: the tests with that tag, with none of them, or all but the slow ones.
# Its last line is "40 checks, 1 failed"; each failure has a line above it.
run_unit() {
	case $1 in
	others) CK_EXCLUDE_TAGS=$waiting "$build/t/unit/unit" >"$output" 2>&1 ;;
	quick) CK_EXCLUDE_TAGS=slow "$build/t/unit/unit" >"$output" 2>&1 ;;
	*) CK_INCLUDE_TAGS=$1 "$build/t/unit/unit" >"$output" 2>&1 ;;
	esac
	code=$?
	sed -n 's/^[^ :]*:[0-9]*:[FE]:/unit: &/p' "$output" >"$failures"
	# A run that does not come to its end has no summary, and counts as a failure.
	# shellcheck disable=SC2046 # two numbers, or nothing
	set -- $(sed -n 's/^\([0-9]*\) checks, \([0-9]*\) failed$/\1 \2/p' "$output")
	good=0 bad=0 left_out=$(grep -c '^# skipped: ' "$output")
	[ $# -ne 2 ] || bad=$2 good=$(($1 - $2))
	if [ $# -ne 2 ] || { [ "$code" -ne 0 ] && [ "$bad" -eq 0 ]; }; then
		echo "unit: it did not come to its end (exit code $code)" >>"$failures"
		bad=1
	fi
}

run_script() {
	sh "$1" >"$output" 2>&1
	code=$?
	bad=$(grep -c '^not ok ' "$output")
	left_out=$(grep -c '^ok .* # SKIP' "$output")
	good=$(($(grep -c '^ok ' "$output") - left_out))
	planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$output" | tail -n 1)
	grep -q '^1\.\.0 # SKIP' "$output" && left_out=1 planned=1
	sed -n "s/^not ok [0-9]* - /$title: /p" "$output" >"$failures"
	# A script that stops early has not run what it planned.
	if [ "$bad" -eq 0 ] && { [ "$code" -ne 0 ] || [ "${planned:-0}" -ne $((good + left_out)) ]; }; then
		echo "$title: it did not come to its end (exit code $code)" | tee -a "$output" >"$failures"
		bad=1
	fi
}

# run_one TEST [FLAVOUR]: one of those that run at once; its output comes in one piece.
run_one() {
	output=$results/$$.output failures=$results/$$.failures
	began=$(date +%s)
	title=$(basename "$1" .sh)${2:+ ($2)}
	if [ "$1" = unit ]; then
		run_unit "$2"
	else
		[ -z "${2:-}" ] || export FLAVOUR="$2"
		run_script "$1"
	fi
	echo "$good $bad $left_out" >"$results/$$.counts"
	{
		flock 9
		echo "== $title: $(($(date +%s) - began)) s"
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
		case $test in
		unit) printf 'unit %s\n' others $waiting && continue ;;
		unit-quick) echo unit quick && continue ;;
		esac
		flavours=$(flavours_of "$test")
		[ -n "$flavours" ] || echo "$test"
		for flavour in $flavours; do
			echo "$test $flavour"
		done
	done
}

# longest_first: the order in which they start, so that none keeps all others waiting at the end. The
# longer ones have a high number, but for these.
longest_first() {
	sort -r | awk '/t2320-container|t2400-directory-fails|t3300-stray|t3450-cgroup|t5300-root/ { print; next }
		{ others = others $0 "\n" }
		END { printf "%s", others }'
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
jobs=$(($(nproc) * 3))
[ "$jobs" -le 12 ] || jobs=12
# A test that was killed has left no counts.
if ! list_tests "$@" | longest_first | xargs -P "${JOBS:-$jobs}" -d '\n' -n 1 sh "$0" --one "$results"; then
	echo 0 1 0 >"$results/lost.counts"
	echo 'a test was killed: its output is missing above' >"$results/lost.failures"
fi
cat "$results"/*.failures | sort | sed 's/^/FAILED: /'
awk '{ passed += $1; failed += $2; skipped += $3 }
	END { print passed + 0 " passed, " failed + 0 " failed, " skipped + 0 " skipped"
		exit failed > 0 || passed == 0 }' "$results"/*.counts
