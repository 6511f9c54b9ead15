#!/bin/sh
# Processes that a script leaves behind when it ends by itself.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
compile stray
install_site
home=$box/home/$usr
write_config 'data_dir = "$HOME"
kill_timeout = "4s"'

# A program with a capability of its own, and one with the set-user-id bit: such processes are
# closed to the eyes of their user.
cp "$(command -v sleep)" "$box/cap-sleep"
cp "$(command -v sleep)" "$box/suid-sleep"
setcap cap_net_raw+ep "$box/cap-sleep" 2>"$box/no-capability"
chown "$two" "$box/suid-sleep" && chmod 4755 "$box/suid-sleep"

# What lives while after_script runs, dead processes left out; set aside for the checks.
job_extra='.scripts.after_script =
	["ps -U \"$(id -u)\" -o stat=,pid=,args= -ww | grep -v \"^[ZX]\" >~/left"]'
survives() { grep -q " $1" "$home/left"; }

# left_behind: plays the job from standard input, which leaves something behind and succeeds.
left_behind() {
	end_all
	command_job
	rm -f "$home/left"
	bounded_play || { cat "$box/log"; return 1; }
	nothing_left
}

# cleanup_names NAME: it lived on until cleanup, which says that it ended it.
cleanup_names() {
	survives "[^ ]*$1" && jq -r '.calls[] | select(.stage == "cleanup") | .stderr' \
		"$box/result.json" | grep "ended processes that the job left behind: .*[0-9]* ($1)" ||
		{ cat "$box/log" "$home/left"; return 1; }
}

# holds_log NAME: one line in the log names it.
holds_log() {
	[ "$(grep -c 'the job log is still held open by ' "$box/log")" = 1 ] &&
		grep 'the job log is still held open by ' "$box/log" | grep -F "($1)" |
		grep -F 'start a daemon with </dev/null >FILE 2>&1' && cleanup_names "$1"
}

# hidden_holder NAME: one whose open files its user may not see is not named before cleanup.
hidden_holder() {
	logged 'the job log is still held open by processes that cannot be examined' && cleanup_names "$1"
}

# ended_by_cleanup NAME: it did not hold the log.
ended_by_cleanup() {
	! grep 'the job log open' "$box/log" && cleanup_names "$1"
}

check 'a process that holds the log open is named, and lives until cleanup' '
	echo "sleep 600 &" | left_behind && holds_log sleep'
check 'one that has only the standard error' '
	echo "sleep 600 >/dev/null &" | left_behind && holds_log sleep'
check 'one that has it on another descriptor' '
	echo "sleep 600 7>&1 >/dev/null 2>&1 &" | left_behind && holds_log sleep'
check 'a daemon that has it' '
	echo "$box/stray daemon live" | left_behind && holds_log stray'
check 'one that ignores SIGTERM' '
	echo "$box/stray daemon ignore forget live" | left_behind && holds_log stray'
check 'one that is stopped' '
	echo "$box/stray ignore stop live & sleep 0.1" | left_behind && holds_log stray'
check 'one that nobody may look into' '
	echo "$box/stray daemon hide live" | left_behind && hidden_holder stray'
# Where the machine is busy it may stand still when it is looked for; then cleanup ends it.
except 'root none' 'a storm of forks, shown in the other flavours' check 'one that keeps forking and exiting is ended' '
	echo "$box/stray daemon ignore comet live" | left_behind && never_living &&
	{ logged "killed processes that kept forking with the job log open" ||
		logged "ended processes that the job left behind: "; }'
check 'a bomb of forks that has it' '
	echo "$box/stray daemon ignore bomb live" | left_behind && holds_log stray'
title='a program with a capability of its own that has it'
if [ -s "$box/no-capability" ]; then
	skip "$title" 'no file capabilities here'
else
	check "$title" 'echo "$box/cap-sleep 600 &" | left_behind && hidden_holder cap-sleep'
fi
check 'a program with the set-user-id bit that has it' '
	echo "$box/suid-sleep 600 &" | left_behind && hidden_holder suid-sleep'
check 'many are named in one line that ends' '
	echo "for i in \$(seq 100); do sleep 600 & done" | left_behind && holds_log sleep'
check 'a name cannot forge a line of the log' '
	printf "%s\n" "cp $box/stray \"./evil"   "name\"; ./evil* live &" | left_behind &&
	! grep "^name" "$box/log" && logged "(evil"'
check 'of a script that fails, too' '
	echo "sleep 600 & exit 3" | command_job; bounded_play; [ $? -eq 1 ] &&
	logged "exit code 3" && holds_log sleep && nothing_left'
check 'a log that a process reads from is not held by it' '
	echo "sleep 600 | cat >/dev/null 2>&1 &" | left_behind'

check 'a process without the log lives on until cleanup' '
	echo "sleep 600 >/dev/null 2>&1 &" | left_behind && ended_by_cleanup sleep'
check 'a daemon' '
	echo "$box/stray daemon close live" | left_behind && ended_by_cleanup stray'
check 'a daemon that ignores SIGTERM' '
	echo "$box/stray daemon ignore close live" | left_behind && ended_by_cleanup stray'
check 'a daemon that has emptied its environment, or hides it' '
	echo "$box/stray daemon close forget live; $box/stray daemon close hide live" | left_behind &&
	ended_by_cleanup stray'
check 'a stopped one' '
	echo "$box/stray daemon close stop live" | left_behind && ended_by_cleanup stray'
check 'a bomb of forks' '
	echo "$box/stray daemon ignore close bomb live" | left_behind && ended_by_cleanup stray'

# outruns WORD: such a process never has the same pid for long. It does not hold the log, so that
# cleanup alone finds it. How often a search finds one is in t/unit/process_tree_test.c.
outruns() {
	echo "$box/stray daemon ignore close $1 live" | left_behind && never_living &&
		logged "ended processes that the job left behind: "
}
except 'caps root none' 'with sudo there is one search less' check \
	'one that keeps forking and exiting is found by cleanup' 'outruns comet'
except 'caps root none' 'with sudo there is one search less' check \
	'one that forks into a new session each time is found by cleanup' 'outruns comet-of-sessions'

# Two jobs at once. The other one is number 2, plays in a directory of its own, and its script
# comes from standard input.
other=$box/other
mkdir -m 755 "$other"
ln -s "$box/home" "$other/home"
play_other() {
	local signed
	signed=$(token user_login="$1" job_id=2)
	(
		box=$other
		job_extra='.response.id = 2 | .custom_env = {CI_CONCURRENT_PROJECT_ID: "1"}'
		command_job "$signed"
		bounded_play --result other.json
	)
}

cat >"$box/other-script" <<'SCRIPT'
sleep 602 & sleep 603 >/dev/null 2>&1 & setsid sleep 604 & touch ~/other
until [ -e ~/release ]; do sleep 0.05; done
kill -0 %1 %2 %3 && echo all live
SCRIPT
check 'the end of one job does not touch another of the same user' '
	end_all; play_other "$usr" <"$box/other-script" & waited=$!
	wait_until "[ -e \"$home/other\" ]"
	echo "sleep 600 & sleep 605 >/dev/null 2>&1 &" | command_job; bounded_play; first=$?
	living >"$box/living"; touch "$home/release"; wait $waited; second=$?
	cat "$box/living" "$other/log"
	[ $first -eq 0 ] && logged "(sleep)" && [ ! -e "$(scripts_dir)" ] &&
	! grep "sleep 60[05]" "$box/living" && [ "$(grep -c "sleep 60[234]" "$box/living")" = 3 ] &&
	[ $second -eq 0 ] && grep -q "^all live" "$other/log" && nothing_left'
check 'nor does its cancel' '
	rm -f "$home/other" "$home/release"
	end_all; play_other "$usr" <"$box/other-script" & waited=$!
	wait_until "[ -e \"$home/other\" ]"
	echo "$box/stray daemon close live; echo it is ready; sleep 600" | command_job
	bounded_play --cancel-on "is ready"; first=$?
	living >"$box/living"; touch "$home/release"; wait $waited; second=$?
	cat "$box/living" "$other/log"
	[ $first -eq 4 ] && ! grep stray "$box/living" &&
	[ "$(grep -c "sleep 60[234]" "$box/living")" = 3 ] &&
	[ $second -eq 0 ] && grep -q "^all live" "$other/log" && nothing_left'
mkfifo -m 666 "$box/here" "$box/there"
except none 'there is one account' check 'two jobs of two users run at once' '
	end_all
	echo "id -un; read -r line <$box/there; echo got \$line; echo two >$box/here" |
		play_other "$two" & waited=$!
	job_extra=
	echo "id -un; echo one >$box/there; read -r line <$box/here; echo got \$line" | command_job
	bounded_play; first=$?; wait $waited; second=$?
	cat "$box/log" "$other/log"
	[ $first -eq 0 ] && [ $second -eq 0 ] &&
	grep -x "$usr" "$box/log" && grep -x "got two" "$box/log" &&
	grep -x "$two" "$other/log" && grep -x "got one" "$other/log" && nothing_left && ! living "$two"'

# With a command line like that of a user's side whose jacamar-auth was killed, and without the cookie.
check 'a stopped user side that nobody would wake is woken by cleanup' '
	end_all; as "$usr" "$box/stray" --no-auth stop env-script & stopped=$!
	wait_until "\"$build/t/living\" $usr | grep \"^T\"" && echo "echo it runs" | job && bounded_play && logged "it runs" &&
		wait_until "! living"; result=$?
	end_all; wait $stopped; [ $result -eq 0 ]'

finish
