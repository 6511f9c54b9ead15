#!/bin/sh
# A kernel as old as RHEL 8's has not all the calls that are used where they are: a job runs, is
# isolated and ends without them.
# Flavours: caps sudo
. "$(dirname "$0")/lib.sh"
need_root
compile attack
compile stray
compile no-syscalls
"$box/no-syscalls" true 2>/dev/null || skip_all 'no filter of system calls here'
install_site
home=$box/home/$usr
write_config 'data_dir = "$HOME"
kill_timeout = "2s"'
echo secret >"$box/secret"
# All that the service account does goes through this; the files are for nobody to be found.
become() {
	command "$box/no-syscalls" "$build/t/as" "$@" 5<"$box/secret" 6>>"$box/secret" 9<"$box/secret"
}

printf '%s\n' close_range pidfd_open openat2 faccessat2 execveat clone3 pidfd_send_signal \
	pidfd_getfd fchmodat2 | sort >"$box/missing"
check 'the calls are missing, and file capabilities still work' '
	as "$runner" "$box/no-syscalls" | sort | diff "$box/missing" - &&
	as "$runner" grep "^NoNewPrivs:.0" /proc/self/status'

check 'jacamar-auth -V names what the kernel lacks' '
	as "$runner" "$prefix/bin/jacamar-auth" -V | grep -x "kernel lacks *pidfd, close_range"'

cat >"$box/script" <<SCRIPT
$box/no-syscalls | sed 's/^/missing /'
for fd in /proc/\$PPID/fd/*; do echo "login-shell \${fd##*/}"; done
$box/attack self
cp \$0 ~/copy; chmod 700 ~/copy; echo >/dev/stderr; cat | tee /dev/stdout
touch ~/ready; until [ -e ~/release ]; do sleep 0.05; done; exit 3
SCRIPT
check 'a whole job runs, and its exit code is known' '
	command_job <"$box/script"; bounded_play & waited=$!
	wait_until "[ -e \"$home/ready\" ]"
	for pid in $(pgrep -U "$usr"); do find "/proc/$pid/fd" -mindepth 1 -printf "%f %l\n"; done >"$box/held"
	find "/proc/$(runner_pid)/fd" -mindepth 1 -printf "%f %l\n" >"$box/held-by-runner"
	touch "$home/release"; wait $waited; [ $? -eq 1 ] && logged "exit code 3" && nothing_left'
check 'the job itself was without those calls' '
	sed -n "s/^missing //p" "$box/log" | sort | diff "$box/missing" -'
check 'the script has its three file descriptors, and no other' '
	sed -n "s/^descriptor \([0-9]*\) .*/\1/p" "$box/log" | sort -n >"$box/has"
	printf "%s\n" 0 1 2 | diff - "$box/has"'
check 'the login shell has these and the descriptor of the report' '
	sed -n "s/^login-shell //p" "$box/log" | sort -n >"$box/has"
	printf "%s\n" 0 1 2 10 78 79 | diff - "$box/has"'
check 'a file that the runner has open reaches nobody else' '
	grep -F "$box/secret" "$box/held-by-runner" && [ -s "$box/held" ] && ! grep -F "$box/secret" "$box/held"'
check 'the job has no capability' '
	for set in CapInh CapPrm CapEff CapAmb; do
		grep -P "^$set:\t0000000000000000$" "$box/log" || exit 1
	done'
check 'a cancelled job ends, stubborn as its processes may be' 'command_job <<-SCRIPT
	trap "" TERM; $box/stray daemon ignore close forget live; $box/stray ignore stop live &
	echo it is ready; while :; do sleep 600; done
	SCRIPT
	bounded_play --cancel-on "is ready"; [ $? -eq 4 ] && nothing_left'
check 'a job whose user side is killed ends' '
	printf "%s\n" "$box/stray daemon ignore close forget live; trap \"\" TERM" \
		"kill -KILL \$(ps -o ppid= -p \$PPID); sleep 600" | command_job
	bounded_play; [ $? -eq 2 ] && logged "killed by signal 9" && nothing_left'
check 'a job whose user side is stopped ends' '
	printf "%s\n" "$box/stray daemon ignore close forget live; echo it is ready" \
		"kill -STOP \$(ps -o ppid= -p \$PPID); sleep 600" | command_job
	bounded_play --cancel-on "is ready"; [ $? -eq 4 ] && nothing_left'
check 'processes that the job left behind are ended' '
	printf "%s\n" "$box/stray daemon live" "$box/stray daemon close live" | command_job; bounded_play &&
	logged "the job log is still held open by" && logged "job left behind" && nothing_left'

finish
