#!/bin/sh
# Runs all tests, or those named, and ends in one line that counts them: N passed, N failed.
#
#   sh t/check.sh [unit] [t/e2e/tNNNN-name.sh ...]
top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$top/build}
passed=0 failed=0 skipped=0
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
trap 'exit 1' HUP INT TERM

# Check's summary: "97%: Checks: 40, Failures: 1, Errors: 0".
run_unit() {
	echo '== unit'
	"$build/t/unit/unit" >"$output" 2>&1
	code=$?
	cat "$output"
	# A run that does not come to its end has no summary, and counts as a failure.
	# shellcheck disable=SC2046 # three numbers, or nothing
	set -- $(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\)$/\1 \2 \3/p' "$output")
	if [ $# -ne 3 ]; then
		failed=$((failed + 1))
		return
	fi
	failed=$((failed + $2 + $3))
	passed=$((passed + $1 - $2 - $3))
	[ "$code" -eq 0 ] || [ $(($2 + $3)) -gt 0 ] || failed=$((failed + 1))
	skipped=$((skipped + $(grep -c '^SKIP' "$output")))
}

run_script() {
	echo "== $(basename "$1" .sh)"
	sh "$1" >"$output" 2>&1
	code=$?
	cat "$output"
	bad=$(grep -c '^not ok ' "$output")
	left_out=$(grep -c '^ok .* # SKIP' "$output")
	good=$(($(grep -c '^ok ' "$output") - left_out))
	planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$output" | tail -n 1)
	grep -q '^1\.\.0 # SKIP' "$output" && left_out=1 planned=1
	# A script that stops early has not run what it planned.
	if [ "$bad" -eq 0 ] && { [ "$code" -ne 0 ] || [ "${planned:-0}" -ne $((good + left_out)) ]; }; then
		echo "# $(basename "$1") did not come to its end (exit code $code)"
		bad=1
	fi
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left_out))
}

[ $# -gt 0 ] || set -- unit "$top"/t/e2e/t[0-9]*.sh
for test; do
	if [ "$test" = unit ]; then
		run_unit
	else
		run_script "$test"
	fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
