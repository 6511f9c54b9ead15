#!/bin/sh
# A cancelled job ends, whatever its processes do about it, before the next sub-stage begins.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
compile stray
install_site
home=$box/home/$usr
write_config 'data_dir = "$HOME"
kill_timeout = "2s"'

# What lives while after_script runs, other than after_script. A dead process may wait for its parent
# to take note: init is not always quick.
job_extra='.scripts.after_script =
	["ps -U \"$(id -u)\" -o stat=,pid=,args= -ww | grep -v \"^[ZX]\" >~/left"]'
none_survived() {
	[ -s "$home/left" ] && ! grep -v -e 'jacamar --no-auth run env-script after_script$' \
		-e ' /[^ ]*bash --login$' -e '/after_script.bash$' -e ' ps -U ' -e ' grep -v ' -e "$entry run /" \
		-e '/t/runner --' "$home/left"
}

# cancelled [runner's options]: the job from standard input is cancelled once it says "is ready".
cancelled() {
	command_job
	rm -f "$home/left"
	bounded_play --cancel-on 'is ready' "$@"
	[ $? -eq 4 ] || { cat "$box/log"; return 1; }
	[ "$(stage_exit run build_script)" = 2 ] && [ "$(grep -c "^$program: " "$box/log")" = 1 ] &&
		logged "$program: $cancelled_line" && [ "$(grep -ci "^jacamar.*\(cancel\|ended\)" "$box/log")" = 1 ] && nothing_left
}

check 'cancelling ends a script that sleeps' 'cancelled <<-SCRIPT && none_survived
	echo it is ready; sleep 600
	SCRIPT'
check 'cancelling ends a script that ignores SIGTERM, in the background too' 'cancelled <<-SCRIPT && none_survived
	trap "" TERM INT HUP; sleep 600 & (sleep 600; sleep 600) & echo it is ready
	while :; do sleep 600; done
	SCRIPT'
check 'a cancelled script can end by itself, and its last words are in the log' 'cancelled <<-SCRIPT &&
	trap "echo told; exit 0" TERM; echo it is ready; sleep 600 & wait
	SCRIPT
	logged told && none_survived'
check 'cancelling ends a script that traps SIGTERM and goes on' 'cancelled <<-SCRIPT && none_survived
	trap "echo once more" TERM; echo it is ready; while :; do sleep 0.1; done
	SCRIPT'
check 'cancelling ends a process that is stopped' 'cancelled <<-SCRIPT && none_survived
	$box/stray ignore stop live & $box/stray ignore ready stop live
	SCRIPT'
check 'cancelling ends a script that has stopped itself' 'cancelled <<-SCRIPT && none_survived
	(echo it is ready; kill -STOP \$\$; kill -STOP \$BASHPID); sleep 600
	SCRIPT'
check 'cancelling ends background processes in sessions of their own' 'cancelled <<-SCRIPT && none_survived
	sleep 600 & setsid sleep 600 & setsid -f sleep 600; nohup sleep 600 >/dev/null 2>&1 &
	echo it is ready; wait
	SCRIPT'
check 'cancelling ends a daemon' 'cancelled <<-SCRIPT && none_survived
	$box/stray daemon ignore close live; echo it is ready; sleep 600
	SCRIPT'
check 'cancelling ends a daemon without the environment of the job' 'cancelled <<-SCRIPT && none_survived
	$box/stray daemon ignore close forget live; echo it is ready; sleep 600
	SCRIPT'
check 'cancelling ends a daemon whose /proc entries are unreadable' 'cancelled <<-SCRIPT && none_survived
	$box/stray daemon ignore close hide live; $box/stray daemon ignore forget hide live
	echo it is ready; sleep 600
	SCRIPT'
check 'cancelling ends a script that has closed its log' 'cancelled <<-SCRIPT && none_survived
	echo it is ready; exec >&- 2>&-; trap "" TERM; while :; do sleep 600; done
	SCRIPT'
check 'cancelling ends a process that another one traces' 'cancelled <<-SCRIPT && none_survived
	$box/stray ignore traced ready live
	SCRIPT'
except 'root none' 'a storm of forks, shown in the other flavours' check 'cancelling ends a process that keeps forking and exiting' 'cancelled <<-SCRIPT && none_survived
	$box/stray daemon ignore comet live; sleep 600
	SCRIPT'
check 'cancelling ends a fork bomb' 'cancelled <<-SCRIPT && none_survived
	$box/stray ignore bomb live
	SCRIPT'
check 'cancelling ends a fork bomb that is a daemon' 'cancelled <<-SCRIPT && none_survived
	$box/stray daemon ignore forget bomb live; sleep 600
	SCRIPT'

check 'a job that is to end at once ends without after_script' 'cancelled --abort <<-SCRIPT &&
	$box/stray daemon ignore close forget live; echo it is ready; trap "" TERM; sleep 600
	SCRIPT
	[ ! -e "$home/left" ]'
check 'a job that is out of time ends, and leaves nothing' '
	printf "sleep 600 & %s/stray daemon ignore close forget live; echo it is ready; sleep 600\n" "$box" | command_job
	play --out-of-time --cancel-on "is ready" --kill-grace 20 --eof-timeout 30; [ $? -eq 4 ] && logged "timeout" && [ "$(grep -cF "$cancelled_line" "$box/log")" = 1 ] &&
		nothing_left'
check 'nothing is left where the runner kills the driver too early' 'cancelled_hard() {
		command_job; bounded_play --kill-grace 0.5 --cancel-on "is ready"; code=$?
		jq -c ".calls[] | select(.substage == \"build_script\")" "$box/result.json"
		[ "$(stage_exit run build_script)" = "signal 9" ]; }
	cancelled_hard <<-SCRIPT && nothing_left
	trap "" TERM; $box/stray daemon ignore close forget live; echo it is ready
	while :; do sleep 600; done
	SCRIPT'
check 'a job that has not come to its script yet can be cancelled' '
	job_extra=".scripts.get_sources = [\"echo it is ready; trap \\\"\\\" TERM; sleep 600\"]"
	echo "echo never" | job; bounded_play --cancel-on "is ready"; [ $? -eq 4 ] &&
	! logged never >/dev/null && nothing_left'
# A shorter time in the profiles is not worth the line.
check 'a job that is cancelled while a profile hangs has a line about that' '
	printf "%s\n" "sleep 6" "echo it is slow" "sleep 600" >"$home/.bash_profile"; echo "echo never" | job
	bounded_play --cancel-on "it is slow" --kill-grace 20; code=$?; rm "$home/.bash_profile"
	[ $code -eq 4 ] && logged "the login shell was still reading its profiles" && logged "$cancelled_line" && nothing_left'
check 'a job can be cancelled while its script is still being sent' '
	job </dev/null; prepare_call; head -c 8000000 /dev/zero | tr "\0" "#" >"$box/long"
	printf "\nsleep 600\n" >>"$box/long"
	call <"$box/long" >"$box/log" & waited=$!
	wait_until user_side_pid && kill -TERM "$(auth_pid)"; wait $waited
	[ "$(call_exit)" = 2 ] && no_script_left && [ "$(grep -c "^jacamar" "$box/log")" = 1 ] && logged "$cancelled_line" &&
		call_cleanup && nothing_left'

finish
