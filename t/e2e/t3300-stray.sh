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

# What lives while after_script runs; set aside for the checks.
job_extra='.scripts.after_script = ["ps -U \"$(id -u)\" -o pid=,args= -ww >~/left"]'
survives() { grep -q " $1" "$home/left"; }

# left_behind: plays the job from standard input, which leaves something behind and succeeds.
left_behind() {
	end_all
	command_job
	rm -f "$home/left"
	bounded_play || { cat "$box/log"; return 1; }
	nothing_left
}

# ended_with_stage NAME: with the one line in the log that names it.
ended_with_stage() {
	[ "$(grep -c 'ended processes that the script left behind' "$box/log")" = 1 ] &&
		logged "($1)" && ! survives "[^ ]*$1" || { cat "$box/log" "$home/left"; return 1; }
}

# ended_by_cleanup NAME: it lived on until then, and cleanup says so.
ended_by_cleanup() {
	survives "[^ ]*$1" && ! grep 'script left behind' "$box/log" &&
		jq -r '.calls[] | select(.stage == "cleanup") | .stderr' "$box/result.json" |
		grep "ended processes that the job left behind: [0-9]* ($1)"
}

check 'a process with the log open is ended with its sub-stage' '
	echo "sleep 600 &" | left_behind && ended_with_stage sleep'
check 'one that has only the standard error' '
	echo "sleep 600 >/dev/null &" | left_behind && ended_with_stage sleep'
check 'one that has it on another descriptor' '
	echo "sleep 600 7>&1 >/dev/null 2>&1 &" | left_behind && ended_with_stage sleep'
check 'a daemon that has it' '
	echo "$box/stray daemon live" | left_behind && ended_with_stage stray'
check 'one that ignores SIGTERM' '
	echo "$box/stray daemon ignore forget live" | left_behind && ended_with_stage stray'
check 'one that is stopped' '
	echo "$box/stray ignore stop live & sleep 0.1" | left_behind && ended_with_stage stray'
check 'one that nobody may look into' '
	echo "$box/stray daemon hide live" | left_behind && ended_with_stage stray'
except 'root none' 'a storm of forks, shown in the other flavours' check 'one that is another one each moment' '
	echo "$box/stray daemon ignore comet live" | left_behind && ! survives "[^ ]*stray" &&
	never_living'
check 'a bomb of forks that has it' '
	echo "$box/stray daemon ignore bomb live" | left_behind && ended_with_stage stray'
title='a program with a capability of its own that has it'
if [ -s "$box/no-capability" ]; then
	skip "$title" 'no file capabilities here'
else
	check "$title" 'echo "$box/cap-sleep 600 &" | left_behind && ended_with_stage cap-sleep'
fi
check 'a program with the set-user-id bit that has it' '
	echo "$box/suid-sleep 600 &" | left_behind && ended_with_stage suid-sleep'
check 'many are named in one line that ends' '
	echo "for i in \$(seq 100); do sleep 600 & done" | left_behind && ended_with_stage sleep'
check 'a name cannot forge a line of the log' '
	printf "%s\n" "cp $box/stray \"./evil"   "name\"; ./evil* live &" | left_behind &&
	! grep "^name" "$box/log" && logged "(evil"'
check 'of a script that fails, too' '
	echo "sleep 600 & exit 3" | command_job; bounded_play; [ $? -eq 1 ] &&
	logged "exit code 3" && ended_with_stage sleep && nothing_left'
check 'a log that a process reads from is not held by it' '
	echo "sleep 600 | cat >/dev/null 2>&1 &" | left_behind'

check 'a process without the log lives on until cleanup' '
	echo "sleep 600 >/dev/null 2>&1 &" | left_behind && ended_by_cleanup sleep'
check 'a daemon' '
	echo "$box/stray daemon close live" | left_behind && ended_by_cleanup stray'
check 'a daemon that ignores SIGTERM' '
	echo "$box/stray daemon ignore close live" | left_behind && ended_by_cleanup stray'
check 'a stopped one' '
	echo "$box/stray daemon close stop live" | left_behind && ended_by_cleanup stray'
check 'a bomb of forks' '
	echo "$box/stray daemon ignore close bomb live" | left_behind && ended_by_cleanup stray'
check 'a sub-stage ends what it left, not what an earlier one did' '
	echo "sleep 600 >/dev/null 2>&1 & sleep 601 &" | left_behind &&
	survives "sleep 600" && ! survives "sleep 601"'

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

finish
