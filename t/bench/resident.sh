# Rows of bench.sh: both processes while a job sleeps, and a large log.

pss() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }
wakeups() {
	awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$auth_pid/status" "/proc/$user_pid/status"
}
libraries() {
	cat "/proc/$auth_pid/maps" "/proc/$user_pid/maps" | grep -o '/[^ ]*\.so[.0-9]*$' | sort -u |
		grep -cvE '/(libc|libcap-ng|libinih|libjansson|libseccomp|ld-linux[^/]*)\.so'
}

row_resident() {
	local before call
	job </dev/null
	prepare resident
	printf 'sleep 60\n' >"$box/sleep.bash"
	chmod 644 "$box/sleep.bash"
	in_job resident "$auth" run "$box/sleep.bash" build_script >"$box/output" 2>&1 &
	call=$!
	wait_until 'pgrep -U "$usr" -x sleep >/dev/null' || row_fails 'a job that sleeps'
	sleep 1
	auth_pid=$(pgrep -U "$runner" -f "^$auth run ")
	user_pid=$(pgrep -U "$usr" -f "^$prefix/bin/jacamar ")
	at_row_end "kill $auth_pid; wait $call"
	hold 'PSS of both processes while a job sleeps' "$(($(pss "$auth_pid") + $(pss "$user_pid")))" 1638 KiB
	before=$(wakeups)
	sleep 10
	hold 'wakeups of both in ten seconds of sleep' "$(($(wakeups) - before))" 0 ''
	hold 'shared libraries mapped beyond those allowed' "$(libraries)" 0 ''
}

peer_cat() { by_root "$as_user cat $big" --output=pipe; }
peer_log() { by_runner log "$auth run $box/big.bash build_script" --output=pipe; }

# Copying through a pipe has two speeds here, by where the kernel puts the two processes: the middle
# of five rounds tells more than their least.
row_log() {
	value() { middle "$1"; }
	big=$(mktemp -p /dev/shm)
	at_row_end "rm -f $big"
	chmod 644 "$big"
	head -c 1G /dev/zero >"$big" || row_fails 'a file of 1 GiB'
	printf 'cat %s\n' "$big" >"$box/big.bash"
	chmod 644 "$box/big.bash"
	job </dev/null
	prepare log
	runs=3
	least_rounds=5 most_rounds=5
	take_turns cat log
	hold '1 GiB of log, to cat into the same pipe' "$(ratio log cat)" 1.05 x
}
