#!/bin/sh
# The flavour without file capabilities: the runner is root. Its jobs are no less isolated.
FLAVOUR=root
. "$(dirname "$0")/lib.sh"
compile attack
compile stray
install_site
home=$box/home/$usr
write_config 'data_dir = "$HOME"
kill_timeout = "2s"'
echo secret >"$box/secret"
become() {
	trap '' HUP USR1 PIPE
	setpriv --inh-caps +net_raw,+setuid "$build/t/as" "$@" 5<"$box/secret" 6>>"$box/secret" 9<"$box/secret"
}

check 'jacamar-auth is a link, without capabilities of its own' '
	[ -L "$prefix/bin/jacamar-auth" ] && ! getcap "$(readlink -f "$prefix/bin/jacamar-auth")" | grep .'
cat >"$box/script" <<SCRIPT
$find_auth
echo auth: \$(ps -o user:32=,args= -p \$auth)
$box/attack \$auth 0 0 | sed 's/^/auth /'
$box/attack \$user_side 0 0 | sed 's/^/user-side /'
for fd in /proc/\$PPID/fd/*; do echo "login-shell \${fd##*/}"; done
$box/attack self; echo >/dev/stderr
touch ~/ready; until [ -e ~/release ]; do sleep 0.05; done; exit 3
SCRIPT
check 'a job runs, and its exit code is known' '
	command_job <"$box/script"; bounded_play & waited=$!
	wait_until "[ -e \"$home/ready\" ]"
	for pid in $(pgrep -U "$usr"); do find "/proc/$pid/fd" -mindepth 1 -printf "%f %l\n"; done >"$box/held"
	auth=$(auth_pid); cat "/proc/$auth/status" >"$box/auth"
	find "/proc/$(runner_pid)/fd" -mindepth 1 -printf "%f %l\n" >"$box/held-by-runner"
	touch "$home/release"; wait $waited
	[ $? -eq 1 ] && logged "exit code 3" && logged "auth: root $prefix/bin/jacamar-auth run" && nothing_left'
check 'jacamar-auth has no capability in effect, and two in reserve' '
	grep -P "^CapEff:\t0000000000000000$" "$box/auth" && grep -P "^CapPrm:\t00000000000000c0$" "$box/auth"'
check 'the job gets nothing from jacamar-auth' '
	! grep "^auth BROKEN" "$box/log" && [ "$(grep -c "^auth refused" "$box/log")" -ge 43 ]'
check 'the job gets nothing from the user side' '
	! grep "^user-side BROKEN" "$box/log" && [ "$(grep -c "^user-side refused" "$box/log")" -ge 38 ]'
check 'the script has its three file descriptors, and no other' '
	sed -n "s/^descriptor \([0-9]*\) .*/\1/p" "$box/log" | sort -n >"$box/has"
	printf "%s\n" 0 1 2 | diff - "$box/has"'
check 'the login shell has these and the descriptor of the report' '
	sed -n "s/^login-shell //p" "$box/log" | sort -n >"$box/has"
	printf "%s\n" 0 1 2 10 78 79 | diff - "$box/has"'
check 'a file that the runner has open does not reach the user' '
	grep -F "$box/secret" "$box/held-by-runner" && [ -s "$box/held" ] && ! grep -F "$box/secret" "$box/held"'
check 'all uids and gids of the job are those of the user' '
	uid=$(id -u "$usr") gid=$(id -g "$usr")
	grep -P "^Uid:\t$uid\t$uid\t$uid\t$uid$" "$box/log" &&
	grep -P "^Gid:\t$gid\t$gid\t$gid\t$gid$" "$box/log" && grep -P "^Groups:\t$gid $" "$box/log"'
check 'no capability is left, and none to inherit' '
	for set in CapInh CapPrm CapEff CapAmb; do
		grep -P "^$set:\t0000000000000000$" "$box/log" || exit 1
	done'
check 'the process that asks the server has a uid of its own, and no privileges' 'watch_confined; is_confined'
write_config 'data_dir = "$HOME"
kill_timeout = "2s"'

check 'root itself is refused' '
	echo : | job "$(token user_login=root)"; bounded_play; [ $? -eq 1 ] && logged refused && nothing_left'
check 'a cancelled job ends, stubborn as its processes may be' 'command_job <<-SCRIPT
	trap "" TERM; $box/stray daemon ignore close forget live; $box/stray ignore live &
	echo it is ready; while :; do sleep 600; done
	SCRIPT
	bounded_play --cancel-on "is ready"; [ $? -eq 4 ] && nothing_left'
check 'a job whose user side is killed ends' '
	printf "%s\n" "$box/stray daemon ignore close forget live; trap \"\" TERM" \
		"kill -KILL \$(ps -o ppid= -p \$PPID); sleep 600" | command_job
	bounded_play; [ $? -eq 2 ] && logged "killed by signal 9" && nothing_left'
check 'a job whose user side is stopped ends' '
	printf "%s\n" "$box/stray daemon ignore close forget live; echo it is ready" \
		"kill -STOP -1; sleep 600" | command_job
	bounded_play --cancel-on "is ready"; [ $? -eq 4 ] && nothing_left'
check 'processes that the job left behind are ended' '
	printf "%s\n" "$box/stray daemon live" "$box/stray daemon close live" | command_job; bounded_play &&
	logged "the job log is still held open by" && logged "job left behind" && nothing_left'

finish
