# A scheduler of the test's own, played by the stand-ins in t/e2e/stand-in; source it after lib.sh.
# Before, set
#
# executor         as the configuration names it, and the job's log
# stand_ins        the names of its commands
#
# batch_start starts it below $box/scheduler, batch_stop ends it, batch_cases are the tests that
# every scheduler has to pass.

need_root
command -v python3 >/dev/null || skip_all 'needs python3'
scheduler=$box/scheduler
bounds=$bounds_of_batch

batch_start() {
	local name
	install -d -m 755 "$scheduler" "$scheduler/bin" "$scheduler/switches"
	install -d -m 1777 "$scheduler/queue"
	install -m 755 "$top/t/e2e/stand-in/standin.py" "$scheduler/bin"
	for name in $stand_ins; do
		install -m 755 "$top/t/e2e/stand-in/$name" "$scheduler/bin"
	done
	install -m 666 /dev/null "$scheduler/calls"
	PYTHONDONTWRITEBYTECODE=1 "$scheduler/bin/standin.py" serve >"$scheduler/output" 2>&1 &
	batch_daemon=$!
}

batch_stop() {
	[ -z "${batch_daemon:-}" ] || { kill "$batch_daemon" && wait "$batch_daemon"; }
}

# batch_config [GENERAL-LINES [BATCH-LINES]]: as write_config, with the scheduler as the executor.
batch_config() {
	write_config "data_dir = \"\$HOME\"
${1:-kill_timeout = \"40s\"}"
	sed -i "s/^executor = .*/executor = \"$executor\"/" "$etc/jacamar-config.toml"
	printf '[batch]\nscheduler_bin = "%s"\n%s\n' "$scheduler/bin" \
		"${2:-command_delay = \"500ms\"
nfs_timeout = \"10s\"}" >>"$etc/jacamar-config.toml"
}

# switch_on NAME [VALUE], switch_off NAME: see standin.py.
switch_on() {
	printf '%s\n' "${2:-}" >"$scheduler/switch.new" &&
		mv "$scheduler/switch.new" "$scheduler/switches/$1"
}
switch_off() { rm -f "$scheduler/switches/$1"; }

# batch_number [LOG]: what the scheduler calls the job, in the job's log; queue_number [LOG]: its
# number in the stand-in's queue, which $number_of makes of that. queue_order WHAT [LOG]: what
# becomes of it.
number_of=number_of
number_of() { echo "$1"; }
batch_number() { sed -n "s/^.*: $executor job \([^ ]*\)\$/\1/p" "${1:-$box/log}" | tail -n 1; }
queue_number() { $number_of "$(batch_number "${1:-}")"; }
queue_order() { "$scheduler/bin/standin.py" order "$(queue_number "${2:-}")" "$1"; }

# queue: the jobs that have not ended; called 'TEXT': a command was called with that in its line.
queue() {
	python3 - "$scheduler/queue" <<-'PYTHON'
	import glob, json, os, sys
	for job in sorted(glob.glob(sys.argv[1] + "/[0-9]*")):
	    try:
	        state = json.load(open(job + "/state"))["state"]
	    except FileNotFoundError:
	        state = "waiting"
	    if state != "ended":
	        print(os.path.basename(job), state)
	PYTHON
}
called() { grep -F -- "$1" "$scheduler/calls" || { cat "$scheduler/calls"; return 1; }; }
nothing_is_left() { wait_until 'queue_is_empty >/dev/null && nothing_left >/dev/null'; }

# with_arguments TEXT: for job_extra: sets the job's variable SCHEDULER_PARAMETERS. plays_with TEXT:
# plays a job with them, which says that it ran.
with_arguments() {
	jq -rn --arg text "$1" '".response.variables += [{key: \"SCHEDULER_PARAMETERS\", raw: true,
		value: \($text | tojson)}]"'
}
plays_with() {
	job_extra=$(with_arguments "$1")
	echo 'echo it ran' | job
	job_extra=
	play
}

# job_beside ID: makes $box/job.json the job ID of $usr, too. play_beside ID: plays that, beside
# others; its log is $box/log.ID.
job_beside() {
	jq --arg token "$(token job_id="$1")" --argjson id "$1" '.response.id = $id |
		.response.variables[0].value = $token | .response.variables += [
			{key: "CI_CONCURRENT_PROJECT_ID", value: ($id % 1000 | tostring)}]' \
		"$box/job.json" >"$box/job.$1.json"
	chmod 644 "$box/job.$1.json"
}
play_beside() {
	as "$runner" sh -c 'cd ~/work && exec "$@"' - "$build_for_all/t/runner" --retry-delay 10 \
		--eof-timeout 60 --timeout 200 --report-late "$box/late-calls" \
		"$etc/config.toml" "$box/job.$1.json" >"$box/log.$1" 2>&1
}

# begin_beside ID 'TEXT': plays $box/job.json beside the others, as the job ID, until its log has
# TEXT. end_beside ID, outside of a check: waits for its end, and leaves what play returned in
# $played, and its log in $box/log.
begin_beside() {
	local id=$1 text=$2
	job_beside "$id"
	rm -f "$box/log.$id"
	play_beside "$id" &
	eval "beside_$id=$!"
	wait_until 'grep -qF -- "$text" "$box/log.$id" 2>/dev/null'
}
end_beside() {
	eval "wait \"\$beside_$1\""
	played=$?
	rm -f "$box/log"
	cp "$box/log.$1" "$box/log"
}

# sleeper: a job that says that it is ready, and then waits for its end.
sleeper() { printf '%s\n' 'echo it is ready' 'sleep 600' | command_job; }

# ends_by ORDER: plays a sleeper until it is ready, and has the scheduler end it.
ends_by() {
	sleeper
	began 'it is ready' && queue_order "$1"
	ended
}

# user_side_pid: of the job in $box/job.json, while others run beside, and may end.
user_side_pid() {
	local pid above player
	player=$(runner_pid)
	for pid in $(pgrep -U "$usr" -f '^[^ ]*/jacamar --no-auth run env-script'); do
		above=$pid
		while [ "${above:-1}" -gt 1 ]; do
			[ "$above" != "$player" ] || { echo "$pid"; return; }
			above=$(ps -o ppid= -p "$above" | tr -d ' ')
		done
	done
}

# What the log says of a job that was ended; a scheduler that cannot tell says less.
says_walltime='failed: it has reached its time limit'
says_memory='failed: it needed more memory than it was given'
says_cancel='failed: it was cancelled in the scheduler, not by GitLab'
says_node='has no result: one of its nodes has failed'
says_preempt='has no result: another job was given its nodes'
memory_code=1
memory_order=memory

# Set besides:
# arguments         such as the site's users have to give, "" for none
# hold_argument     has a job be held; "" where there is none
# says_waiting      what the log says of one that waits, says_held of one that is held
# refused           arguments that are refused, a line each
# wrong_argument    that the scheduler itself refuses, says_wrong how it does that
# text_argument     one whose value is any text; in the line of a call it is seen as given
# says_down         what the log says of a scheduler that is down
# node_config       [batch] of the job whose node fails; not set: as of the others
#
# What a job meets does not depend on the way to its user: with sudo, these are all cases that the
# test has, and of these but those that end processes.

batch_cases() {
	batch_config
	job_extra=${arguments:+$(with_arguments "$arguments")}
	batch_succeeds
	[ "$flavour" != sudo ] || { batch_cancels && batch_kills; finish; }
	batch_shares
	batch_ends
	batch_cancels
	batch_waits
	batch_arguments
	batch_trouble
}

batch_succeeds() {
	printf '%s\n' id 'echo "on ${STAND_IN_NODE:-none}"' | job
	check 'a job succeeds' 'play || { cat "$box/log"; false; }'
	check 'the job runs as the user' 'logged "uid=$(id -u "$usr")($usr)"'
	check 'the script runs in a batch job' 'logged "on node1" && [ -n "$(batch_number)" ]'
	check 'no file and no batch job of it is left' 'nothing_is_left'
}

# The cases of a shared allocation are those of t7170; what differs here is the scheduler.
batch_shares() {
	local with=$job_extra shared='{key: "JACAMAR_ALLOCATION", value: "nodes"}'
	job_extra="${with:+$with | }.response.variables += [$shared]"
	echo 'echo "on ${STAND_IN_NODE:-none}"' | job
	check 'a job makes an allocation for others' '
		play && logged "allocation nodes: made by this job" && logged "on node1" ||
		{ cat "$box/log"; false; }'
	job_extra="${with:+$with | }.response.variables += [$shared,
		{key: \"JACAMAR_ALLOCATION_RELEASE\", value: \"true\"}]"
	printf '%s\n' 'echo "on ${STAND_IN_NODE:-none}"' 'exit 3' | job
	check 'the next job runs in that allocation, and ends it' '
		first=$(batch_number); play; [ $? -eq 1 ] && logged "made by an earlier job" &&
		logged "on node1" && logged "exit code 3" && [ "$(batch_number)" = "$first" ] &&
		logged "$executor job $first is gone from the queue" && nothing_is_left'
	job_extra=$with
}

# What is known only when the scheduler is asked first, seconds later, is played beside the others.
batch_ends() {
	sleeper
	batch_config '' "${node_config:-}"
	begin_beside 1002 'it is ready'
	batch_config
	queue_order node "$box/log.1002"
	[ -z "$hold_argument" ] || {
		job_extra=$(with_arguments "$arguments $hold_argument")
		echo 'echo it ran' | job
		job_extra=${arguments:+$(with_arguments "$arguments")}
		begin_beside 1003 "$executor job"
	}
	echo 'exit 3' | job
	check 'a failing script fails the job with its exit code' '
		play; [ $? -eq 1 ] && logged "exit code 3"'
	check 'a job that reaches its time limit fails' '
		ends_by walltime; [ $? -eq 1 ] && logged "$says_walltime"'
	check 'a job that uses too much memory fails' '
		ends_by $memory_order; [ $? -eq 1 ] && logged "$says_memory" && logged "exit code $memory_code"'
	check 'a job that its owner cancels in the scheduler fails' '
		ends_by cancel; [ $? -eq 1 ] && logged "$says_cancel"'
	[ -z "$says_preempt" ] || check 'a job that is preempted is a system failure' '
		ends_by preempt; [ $? -eq 2 ] && logged "$says_preempt"'
	echo 'kill -KILL $$' | command_job
	check 'a script that a signal of its own ends has the exit code for that signal' '
		play; [ $? -eq 1 ] && logged "exit code 137"'
	end_beside 1002
	check 'a failed node is a system failure' '
		cat "$box/log"; [ $played -eq 2 ] && logged "$says_node"'
	[ -z "$hold_argument" ] || {
		wait_until 'grep -qF -- "$says_held" "$box/log.1003"'
		queue_order release "$box/log.1003"
		end_beside 1003
		check 'a held job is reported as held, and runs when it is released' '
			cat "$box/log"; [ $played -eq 0 ] && logged "$says_held" && logged "it ran"'
	}
}

# cancelled_at_once: the job's own stage ended it, and left nothing to cleanup.
cancelled_at_once() { ! grep -e 'may still be in the queue' -e '^HUNG' "$box/log"; }

batch_cancels() {
	sleeper
	check 'a job that is cancelled in GitLab leaves the queue' '
		bounded_play --cancel-on "is ready"; code=$?; [ $code -eq 4 ] && cancelled_at_once &&
		logged "$executor job $(batch_number) is gone from the queue" && nothing_is_left ||
		{ echo "$code"; cat "$box/log"; false; }'
}

batch_waits() {
	switch_on busy
	echo 'echo it ran' | job
	begin_beside 1002 "$executor job"
	queue_order cancel "$box/log.1002"
	check 'a job that waits reports that, and runs later' '
		began "$says_waiting" && switch_off busy; ended && logged "it ran"'
	end_beside 1002
	check 'a job that its owner cancels while it waits fails' '
		cat "$box/log"; [ $played -eq 1 ] && logged "$says_cancel" && ! grep "^it ran" "$box/log"'
	switch_on busy
	check 'a job that is cancelled in GitLab while it waits leaves the queue' '
		bounded_play --cancel-on "$executor job"; code=$?; [ $code -eq 4 ] && cancelled_at_once &&
		logged "is gone from the queue" && queue_is_empty || { echo "$code"; cat "$box/log"; false; }'
	batch_config '' 'command_delay = "500ms"
max_pending = "2s"'
	check 'a job that waits longer than max_pending fails' '
		play; [ $? -eq 1 ] && logged "it has waited for 2 s in the queue" && queue_is_empty'
	batch_config
	switch_off busy
	[ -n "${no_requeue:-}" ] || {
		rm -f "$box/home/$usr/again"
		printf '%s\n' 'if [ -e ~/again ]; then echo second start; sleep 5; echo last line' \
			'else touch ~/again; echo first start; sleep 600; fi' | command_job
		# When the scheduler has answered, it runs already.
		check 'a requeued job runs again, and ends' '
			began "first start" && switch_on "slow.$(queue_number)" 2 && switch_on busy &&
			queue_order requeue; sleep 1; switch_off busy; ended && logged "second start" &&
			grep "^last line" "$box/log"'
	}
}

batch_arguments() {
	local line
	mkdir -m 1777 "$box/open"
	hostile="a;touch $box/open/1 \$(touch $box/open/2) \`id\` | x & y"
	check 'arguments with special characters reach the scheduler unchanged' '
		plays_with "$arguments $text_argument'\''$hostile'\''" && called "$text_argument$hostile"'
	check 'no argument is executed' '! ls "$box/open" | grep .'
	printf '%s\n' "$refused" >"$box/refused"
	while IFS= read -r line; do
		check "$line is refused" '
			plays_with "$arguments $line" </dev/null; [ $? -eq 1 ] && logged " is refused: " &&
			! grep "^it ran" "$box/log"'
	done <"$box/refused"
	check 'a request that the scheduler refuses fails the job with the reason' '
		plays_with "$arguments $wrong_argument"; [ $? -eq 1 ] && logged "$says_wrong" &&
		! grep "^it ran" "$box/log"'
	check 'an unclosed quote fails the job with the reason' '
		plays_with "$arguments '\''a"; [ $? -eq 1 ] && logged "a single quote is not closed"'
	check 'none of these jobs is in the queue' queue_is_empty
	job_extra=${arguments:+$(with_arguments "$arguments")}
}

silence_is_told() { grep -qF "$executor does not report the state of the job: " "$box/log.1002"; }

batch_trouble() {
	batch_config '' 'command_delay = "500ms"'
	sleeper
	job_beside 1001
	play_beside 1001 &
	slow=$!
	wait_until 'grep -qF "is ready" "$box/log.1001" 2>/dev/null'
	switch_on "slow.$(queue_number "$box/log.1001")" 30
	queue_order walltime "$box/log.1001"
	batch_config 'kill_timeout = "4s"' 'command_delay = "500ms"
nfs_timeout = "10s"
submit_timeout = "3s"'

	echo 'echo it ran' | job
	switch_on down
	check 'a submit while the scheduler is down is a system failure' '
		play; [ $? -eq 2 ] && logged "$says_down" && logged "the job was not submitted: "'
	batch_config 'kill_timeout = "4s"'
	began 'jacamar keeps trying for up to '
	switch_off down
	ended >/dev/null
	check 'a submit while the scheduler is down for some seconds is made again' '
		cat "$box/log"; [ $played -eq 0 ] && logged "it ran" &&
		[ "$(grep -cF "$says_down" "$box/log")" = 1 ] && [ "$(grep -c "^it ran" "$box/log")" = 1 ]'
	sleeper
	began 'is ready'
	printf '%s\n' 'echo it is ready' "while [ ! -e $box/go ]; do sleep 0.1; done" 'echo it has ended' |
		job
	begin_beside 1002 'is ready'
	switch_on down
	kill -TERM "$(user_side_pid)"
	ended >/dev/null
	check 'a job that cannot be cancelled then is named' '
		[ $played -eq 2 ] && logged "$executor job $(batch_number) may still be in the queue: "'
	queue_order cancel
	# Its first question may have been asked before: the next comes a minute later.
	wait_until 'silence_is_told' || wait_until 'silence_is_told' || wait_until 'silence_is_told'
	touch "$box/go"
	end_beside 1002
	check 'a running job continues while the scheduler is down' '
		cat "$box/log"; [ $played -eq 0 ] && logged "it has ended"'
	check 'its log reports that the scheduler does not answer' 'logged "$executor does not report the state of the job: "'
	switch_off down
	batch_config
	switch_on forgets
	echo 'kill -KILL $$' | command_job
	check 'a job that the scheduler forgets at its end has the exit code of its script' '
		play; [ $? -eq 1 ] && logged "exit code 137"'
	switch_off forgets
	switch_on loses
	printf '%s\n' 'echo it ran' 'sleep 2' | job
	check 'a job is found after the answer to its submit was lost' '
		play && logged "it ran" && logged "$executor job"'
	printf '%s\n' 'echo it ran' 'exit 3' | job
	check 'a job that ended before it was searched for has its exit code' '
		play; [ $? -eq 1 ] && logged "it ran" && logged "exit code 3"'
	switch_off loses
	batch_kills
	wait "$slow"
	slow=$?
	check 'answers may take half a minute' '
		cat "$box/log.1001"; [ "$slow" -eq 1 ] && grep -F "$says_walltime" "$box/log.1001"'
}

batch_kills() {
	sleeper
	check 'cleanup cancels the job if the process on the user side was killed' '
		began "is ready" && kill -KILL "$(user_side_pid)"; ended; [ $played -eq 2 ] &&
		logged "$executor job $(batch_number) is gone from the queue" && nothing_is_left'
}
