#!/bin/sh
# Where /proc is mounted with hidepid, nobody sees the processes of others; jobs run, and end, all
# the same.
#
# All of it happens in a PID namespace with a /proc of its own: the machine's stays as it is.
# Flavours: caps root sudo none
if [ -z "${JACAMAR_TEST_HIDDEN:-}" ] && [ "$(id -u)" -eq 0 ]; then
	if unshare --mount --pid --fork mount -t proc -o hidepid=2 proc /proc 2>/dev/null; then
		# The pid of this shell names the accounts; there, every first shell has pid 1.
		JACAMAR_TEST_HIDDEN=$$ exec unshare --mount --pid --fork sh "$0" "$@"
	fi
	echo '1..0 # SKIP no mount of /proc with hidepid here'
	exit 0
fi
[ "$(id -u)" -ne 0 ] || mount -t proc -o hidepid=2 proc /proc || exit 1
. "$(dirname "$0")/lib.sh"
site_id=${JACAMAR_TEST_HIDDEN:-}
compile stray
install_site
home=$box/home/$usr
write_config 'data_dir = "$HOME"
kill_timeout = "2s"'

except root 'the runner is root, and sees them' check 'nobody sees the processes of others' '
	[ -e /proc/$$ ] && as "$usr" sh -c "! [ -e /proc/$$ ] && [ -e /proc/\$\$ ]" &&
	as "$runner" sh -c "! [ -e /proc/$$ ]"'
printf '%s\n' 'user_side=$(ps -o ppid= -p $PPID)' 'ls /proc | grep "^[0-9]" | xargs -n1 echo sees' \
	'tee /dev/stderr </dev/null; exit 3' | command_job
check 'a job runs, and its exit code is known' '
	bounded_play; [ $? -eq 1 ] && logged "exit code 3" && nothing_left'

# cancelled: the job from standard input is cancelled once it says that it is ready.
cancelled() {
	end_all
	command_job
	bounded_play --cancel-on 'is ready'
	[ $? -eq 4 ] && logged "$cancelled_line" && nothing_left
}
check 'a cancelled job ends, stubborn as its processes may be' 'cancelled <<-SCRIPT
	trap "" TERM; $box/stray daemon ignore close forget live; $box/stray ignore live &
	$box/stray daemon hide ignore forget live; echo it is ready; while :; do sleep 600; done
	SCRIPT'
check 'a cancelled job that keeps forking ends' 'cancelled <<-SCRIPT
	$box/stray daemon ignore forget bomb live; sleep 600
	SCRIPT'
check 'processes with the log open are named, and ended by cleanup' '
	printf "%s\n" "$box/stray daemon live" "$box/stray daemon hide forget live" | command_job
	bounded_play && logged "the job log is still held open by" && logged "the job left behind" &&
	nothing_left'
check 'a process without the log open is ended by cleanup' '
	echo "$box/stray daemon ignore close live" | command_job; bounded_play &&
	logged "the job left behind" && nothing_left'

forgetful="$box/stray daemon ignore close forget live; trap '' TERM; $box/stray ignore live &"
check 'if the user side is killed, it is a system failure, and nothing is left' '
	play_and "$forgetful" "kill -KILL \$(user_side_pid)"; [ $played -eq 2 ] && nothing_left'
check 'if the user side is stopped, cancel ends it' '
	play_and "$forgetful" "kill -STOP \$(user_side_pid); kill -TERM \$(auth_pid)"
	[ $played -eq 2 ] && nothing_left'
check 'if jacamar-auth is killed, nothing is left' '
	play_and "$forgetful" "kill -KILL \$(auth_pid)"; nothing_left'
# stop_all: jacamar-auth, which cannot wake the others then, the user side, and sudo with it.
stop_all() {
	auth=$(auth_pid)
	kill -STOP "$auth"
	kill -STOP "$(user_side_pid)"
	wait_until 'case $(ps -o stat= -p "$(ps -o ppid= -p "$(user_side_pid)")") in T*) ;; *) false ;; esac'
}
# The first process of this namespace has the same session: the kernel wakes nobody here.
check 'if all are stopped and jacamar-auth is killed, nothing is left, not even sudo' '
	play_and "$forgetful" "stop_all; kill -KILL \$auth"; ps -ef; nothing_left && ! pgrep -x sudo'
check 'if the runner is killed, nothing is left' '
	play_and "$forgetful" "kill -KILL \$(pgrep -U $runner -x runner); wait_until job_is_over"
	! living && no_script_left
	find "${TMPDIR:-/tmp}" -maxdepth 1 -name "custom-executor*" -user "$runner" -exec rm -rf {} +'

finish
