#!/bin/sh
# Whichever process of a job is killed, by whom ever: nothing of the job is left in the end.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
compile stray
install_site
home=$box/home/$usr
# patience 'DURATION': how long the user side waits for the job's processes to end by SIGTERM.
patience() {
	write_config "data_dir = \"\$HOME\"
kill_timeout = \"$1\""
}
patience 2s

killed() { kill -KILL "$1"; }
stubborn="$box/stray daemon ignore close live; trap '' TERM; $box/stray ignore live &"
forgetful="$box/stray daemon ignore close forget live; trap '' TERM; $box/stray ignore live &"

check 'jacamar-auth killed by root: nothing is left' '
	play_and "$forgetful" "killed \$(auth_pid)"
	[ "$(stage_exit run build_script)" = "signal 9" ] && nothing_left'
check 'the user side killed by root: a system failure, and nothing is left' '
	play_and "$forgetful" "killed \$(user_side_pid)"; [ $played -eq 2 ] &&
	logged "was killed by signal 9" && nothing_left'
# With root's own ids as well, no process of the user or of the service may signal it.
cp "$(command -v setpriv)" "$prefix/root-setpriv" && chmod 4755 "$prefix/root-setpriv"
rooted="sleep 10000$$"
except none 'the runner would wait for it' check 'a process of the job that has become root is left: the log names it' '
	play_and "$prefix/root-setpriv --reuid=0 --regid=0 --clear-groups $rooted </dev/null >/dev/null 2>&1 &
until pgrep -U 0 -fx \"$rooted\"; do sleep 0.1; done" "killed \$(user_side_pid)"
	left=$(pgrep -U 0 -fx "$rooted"); kill "$left"
	[ $played -eq 2 ] && logged "could not be killed" && logged "($left (sleep))" && nothing_left'
check 'the login shell killed by root: a system failure, and nothing is left' '
	play_and "$stubborn" "killed \$(login_shell_pid)"; [ $played -eq 2 ] &&
	logged "the login shell was killed by signal 9" && nothing_left'
check 'the shell of the script killed by root: a build failure, and nothing is left' '
	play_and "$stubborn" "killed \$(script_pid)"; [ $played -eq 1 ] &&
	logged "exit code 137" && nothing_left'
# Nobody is there to let go of the log then: the runner gives up waiting for its end.
check 'both jacamar processes killed by root: cleanup ends the rest' '
	play_options="--eof-timeout 1"
	play_and "$stubborn" "kill -KILL \$(auth_pid) \$(user_side_pid)"; nothing_left'
check 'all of them but the strays killed by root: cleanup ends the rest' '
	play_options="--eof-timeout 1"
	play_and "$stubborn" "kill -KILL \$(auth_pid) \$(user_side_pid) \$(login_shell_pid) \$(script_pid)"
	nothing_left'
check 'jacamar-auth told to end, by its pid: a system failure, and nothing is left' '
	play_and "$forgetful" "kill -TERM \$(auth_pid)"; [ $played -eq 2 ] && nothing_left'
check 'the user side told to end: a system failure, and nothing is left' '
	play_and "$forgetful" "kill -TERM \$(user_side_pid)"; [ $played -eq 2 ] &&
	logged "a signal to jacamar ended this stage" && nothing_left'

# The runner itself: nobody calls cleanup then, so its call is kept to be made by hand.
check 'the runner killed by root: its job ends, and no script is left' '
	play_and "$forgetful" "killed \$(runner_pid); wait_until job_is_over"
	[ $played -ge 128 ] && ! living && no_script_left'
check 'the runner killed, the user side stopped: the job ends' '
	play_and "$forgetful" "kill -STOP \$(user_side_pid); killed \$(runner_pid)
		wait_until job_is_over"
	[ $played -ge 128 ] && ! living'

# called 'SCRIPT' 'commands': the call of run alone; cleanup is called when all is over.
called() {
	end_all
	rm -f "$home/ready"
	command_job </dev/null
	prepare_call
	printf '%s\ntouch ~/ready\nwhile :; do sleep 600; done\n' "$1" >"$box/script"
	call <"$box/script" >"$box/called" &
	waited=$!
	wait_until '[ -e "$home/ready" ]' && eval "$2"
	wait $waited
	cat "$box/called"
	call_cleanup
}
check 'jacamar-auth killed: nothing is left before cleanup, and no script after it' '
	called "$forgetful" "killed \$(auth_pid); wait_until job_is_over && touch \"$box/gone\""
	[ -e "$box/gone" ] && nothing_left'
check 'cleanup may come twice' '
	job </dev/null; prepare_call; printf "sleep 600 >/dev/null 2>&1 &\n" | call && living &&
	sed "/^rm -rf/d" "$call/cleanup.sh" | as "$runner" sh -s && nothing_left &&
	call_cleanup && nothing_left'

# The user as the attacker, from within the script.
check 'a script that kills its login shell leaves nothing' '
	play_and "$stubborn kill -KILL \$PPID; touch ~/ready; sleep 600" :; [ $played -eq 2 ] && nothing_left'
check 'a script that kills the user side leaves nothing' '
	play_and "$forgetful $find_auth; touch ~/ready; kill -KILL \$user_side" :; [ $played -eq 2 ] &&
	logged "was killed by signal 9" && nothing_left'
except none 'the runner would be one of them' check 'a script that kills every process of its user leaves nothing' '
	play_and "$forgetful touch ~/ready; kill -KILL -1" :; [ $played -eq 2 ] && nothing_left'
except 'none sudo' 'whoever would end it would be one of them' check 'a process that goes on killing every process of its user leaves nothing' '
	play_and "touch ~/ready; $box/stray daemon forget killer" :; [ $played -eq 2 ] && nothing_left'
# left_by_earlier WORD: a process that an earlier sub-stage left behind meets the next one.
left_by_earlier() {
	end_all
	echo 'sleep 600' | job_extra=".scripts.get_sources = [\"$box/stray daemon close $1\"]" command_job
	bounded_play
	played=$?
	cat "$box/log"
}
# left_for_cleanup WORD: likewise, and nothing but cleanup comes after it.
left_for_cleanup() {
	end_all
	command_job </dev/null
	prepare_call
	printf '%s\n' "$box/stray daemon close $1" | call && living &&
		as "$runner" timeout -k 10 60 sh "$call/cleanup.sh" >"$box/cleanup" 2>&1
	played=$?
	cat "$box/cleanup"
}
reason='nothing in cleanup is out of its reach there'
except 'none sudo' "$reason" check 'a process of an earlier sub-stage that kills every jacamar: the job fails, and nothing is left' '
	left_by_earlier hunter; [ $played -eq 2 ] && logged "killed by signal 9" && nothing_left'
except 'none sudo' "$reason" check 'a process that kills every jacamar and that only cleanup meets is ended, and cleanup succeeds' '
	left_for_cleanup "ignore hunter"; [ $played -eq 0 ] && nothing_left &&
	grep "ended processes that the job left behind: [0-9]* (stray)" "$box/cleanup"'
except 'none sudo' "$reason" check 'a process that stops every jacamar is ended by cleanup' '
	left_for_cleanup "ignore trapper"; [ $played -eq 0 ] && nothing_left'

check 'the script aborts the user side, as it would itself: the log says so' '
	play_and "$forgetful $find_auth; touch ~/ready; kill -ABRT \$user_side" :; [ $played -eq 2 ] &&
	logged "was killed by signal 6 (SIGABRT)" && nothing_left'
check 'the script stops the user side: cancel ends it' '
	play_and "$forgetful $find_auth; kill -STOP \$user_side" "kill -TERM \$(auth_pid)"
	[ $played -eq 2 ] && nothing_left'
except none 'the runner would be one of them' check 'the script stops all it may: cancel ends it' '
	play_and "$forgetful $find_auth; touch ~/ready; kill -STOP -1" "kill -TERM \$(auth_pid)"
	[ $played -eq 2 ] && nothing_left'
except none 'the runner would be one of them' check 'a process that goes on stopping every process of its user is ended by cancel' '
	play_and "touch ~/ready; $box/stray daemon forget stopper" "kill -TERM \$(auth_pid)"
	[ $played -eq 2 ] && nothing_left'
# orphan_user_side 'commands': kills jacamar-auth, and then stops the user side, which has begun to end the job.
# If it stopped before jacamar-auth is gone, the kernel would wake it: its process group becomes orphaned at
# that moment. The commands come last; $user_side is its pid.
orphan_user_side() {
	local play_options="--eof-timeout 1"
	play_and "$forgetful" "user_side=\$(user_side_pid); killed \$(auth_pid)
		wait_until \"! auth_pid\" && kill -STOP \$user_side; $1"
}
no_sudo_left() { ! ps -e -o args= | grep "^sudo -n -u $usr "; }
# On its own, the user side would wait for longer than the test.
patience 5m
check 'jacamar-auth is killed, and then the user side stopped: cleanup ends it, and sudo' '
	orphan_user_side :; nothing_left && no_sudo_left'
patience 2s
# Only the stray is left, which cleanup cannot find: it has no environment. So cleanup finds no process whose
# parent is the user side.
check 'likewise, and the script is killed: cleanup wakes the user side, which ends the rest' '
	orphan_user_side "pkill -KILL -s \$(login_shell_pid)"
	wait_until "! living && no_sudo_left" && nothing_left'
check 'the script stops the user side, and jacamar-auth is killed' '
	play_and "$stubborn $find_auth; kill -STOP \$user_side" "killed \$(auth_pid)"; nothing_left'
check 'the script stops the user side, and the runner kills jacamar-auth before its time is over' '
	play_and "$stubborn $find_auth; kill -STOP \$user_side" "
		auth=\$(auth_pid); kill -TERM \$auth; killed \$auth"; nothing_left'
except none 'it is the same account' check 'the script cannot end jacamar-auth' '
	play_and "$find_auth; for s in TERM KILL STOP HUP; do kill -\$s \$auth && touch ~/done; done" \
		"killed \$(script_pid)"; [ ! -e "$home/done" ] && [ $played -eq 1 ] && nothing_left'
check 'a script that removes its own directory does no harm' '
	play_and "rm -rf ~/.jacamar-ci/scripts; chmod 0 ~/.jacamar-ci" "killed \$(script_pid)"
	chmod 700 "$home/.jacamar-ci"; nothing_left'

finish
