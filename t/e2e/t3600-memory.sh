#!/bin/sh
# What a job keeps in memory while its script runs: two processes, that do nothing but wait. The
# figures are those of `make bench`; they do not depend on how much else the machine does.
. "$(dirname "$0")/lib.sh"
[ -z "${SANITIZE:-}" ] || skip_all 'the sanitizers take more memory than the program'
install_site

# Some that share the C library with the two, as there are on every host.
neighbours=
for i in 1 2 3 4 5 6 7 8; do
	sleep 300 &
	neighbours="$neighbours $!"
done
at_end() { kill $neighbours 2>/dev/null; }

echo "$hold" | job
hold_job
both="$(auth_pid) $(user_side_pid)"

# pss: of both, in KiB.
pss() {
	for pid in $both; do
		cat "/proc/$pid/smaps_rollup"
	done | awk '$1 == "Pss:" {n += $2} END {print n + 0}'
}
check 'they are two' '[ "$(echo "$both" | wc -w)" = 2 ]'
check 'together they have at most 1.6 MiB' '
	echo "$(pss) KiB" && [ "$(pss)" -gt 100 ] && [ "$(pss)" -le 1638 ]'
check 'they have no library mapped but five' '
	for pid in $both; do
		grep -o "/[^ ]*\\.so[.0-9]*$" "/proc/$pid/maps" | sort -u >"$box/libraries"
		cat "$box/libraries"
		grep "/libc\\.so" "$box/libraries" &&
			! grep -vE "/(libc|libcap-ng|libinih|libjansson|libseccomp|ld-linux[^/]*)\\.so" \
				"$box/libraries" || exit 1
	done'
let_go
code=$?
check 'and the job comes to its end' '[ $code -eq 0 ] && nothing_left'

finish
