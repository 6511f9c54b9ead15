#!/bin/sh
# Jobs of a pipeline share an allocation of Slurm's by name. It ends with the last one, with a cancel,
# or when it is not used; jobs of other pipelines and other users cannot join it.
# Flavours: caps none
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-slurm.sh"
install_site
at_end() { slurm_stop; }
slurm_start
slurm_config
home=$box/home/$usr
allocations=$home/.jacamar-ci/allocations/short
pipeline=574

# shared_job ID NAME [CHANGE]: makes $box/job.ID.json, a job of $owner in $pipeline, whose script is
# the standard input, and JACAMAR_ALLOCATION is NAME; CHANGE is a jq expression. Each of these jobs
# has a directory of its own.
owner=$usr
shared_job() {
	command_job
	jq --arg token "$(token job_id="$1" pipeline_id="$pipeline" user_login="$owner")" --arg name "$2" \
		--argjson id "$1" --argjson pipeline "$pipeline" '.response.id = $id |
		.response.job_info.pipeline_id = $pipeline | .response.variables[0].value = $token |
		.response.variables += [{key: "JACAMAR_ALLOCATION", value: $name},
			{key: "CI_CONCURRENT_PROJECT_ID", value: ($id % 1000 | tostring)}] |
		'"${3:-.}" "$box/job.json" >"$box/job.$1.json"
	chmod 644 "$box/job.$1.json"
}
release='.response.variables += [{key: "JACAMAR_ALLOCATION_RELEASE", value: "true"}]'

# played ID: plays that job to its end; its log is then $box/log. begin ID 'TEXT' [runner's options]:
# plays it in the background until its log has TEXT; `end ID` waits for its end, and returns what
# play_beside does.
end() {
	eval "wait \"\$player_$1\""
	code=$?
	rm -f "$box/log"
	cp "$box/log.$1" "$box/log"
	return "$code"
}
begin() {
	id=$1 text=$2
	shift 2
	rm -f "$box/log.$id"
	play_beside "$id" "$@" &
	eval "player_$id=$!"
	wait_until 'grep -qF -- "$text" "$box/log.$id" 2>/dev/null' || { cat "$box/log.$id"; return 1; }
}
played() {
	rm -f "$box/log"
	play_beside "$1"
	code=$?
	cp "$box/log.$1" "$box/log"
	[ "$code" -eq 0 ] || cat "$box/log"
	return "$code"
}

# cancel ID: as the runner does when the job is cancelled in GitLab, but without its end.
cancel() {
	kill -TERM "$(pgrep -P "$(pgrep -U "$runner" -f "^[^ ]*/t/runner .*job.$1.json\$")" -f "^$entry .*run /")"
}

# number ID: of the batch job in that job's log. is_released: nothing is left of any allocation.
number() { slurm_number "$box/log.$1"; }
is_released() { queue_is_empty && ! ls "$allocations" | grep . && nothing_left; }
released() { wait_until 'is_released >/dev/null' || { is_released; false; }; }
ran_in() { grep -qx "it ran in $1" "$box/log" || { cat "$box/log"; return 1; }; }

# --- three jobs, one after the other ---

steps='srun -N 2 -n 2 sh -c "echo task \$SLURM_PROCID on \$SLURMD_NODENAME"
echo "it ran in $SLURM_JOB_ID"'
echo "$steps" | shared_job 1001 nodes "$(with_arguments '--nodes=2 --ntasks=2 --time=20')"
echo "$steps" | shared_job 1002 nodes
printf '%s\n' "$steps" 'exit 200' | shared_job 1003 nodes "$release"
check 'the first job makes the allocation' '
	played 1001 && logged "allocation nodes: made by this job" && ran_in "$(number 1001)"'
first=$(number 1001)
check 'its srun uses the nodes of the allocation' '
	grep "^task 0 on node" "$box/log" && grep "^task 1 on node" "$box/log"'
check 'the allocation outlives the job' '[ "$(slurm_state "$first")" = RUNNING ]'
check 'only the user can enter the directory of the allocation' '
	ls -l "$allocations" && [ "$(stat -c "%a %U" "$allocations"/*)" = "700 $usr" ]'
check 'the second job runs in the same allocation' '
	played 1002 && logged "allocation nodes: made by an earlier job of this pipeline" && ran_in "$first"'
check 'its srun uses the same nodes' 'grep "^task 1 on node" "$box/log"'
check 'the second job does not end the allocation' '[ "$(slurm_state "$first")" = RUNNING ]'
check 'the last job runs in the same allocation, and fails with its exit code' '
	played 1003; [ $? -eq 1 ] && ran_in "$first" && logged "exit code 200"'
check 'the last job ends the allocation' '
	logged "slurm job $first is gone from the queue" && is_released'

# --- at once ---

for id in 1011 1012 1013; do
	printf '%s\n' "touch $box/open/$id; until [ -e $box/open/go ]; do sleep 0.1; done" \
		'echo "it ran in $SLURM_JOB_ID"' | shared_job "$id" nodes "$release"
done
mkdir -m 1777 "$box/open"
for id in 1011 1012 1013; do begin "$id" 'slurm job' || :; done
check 'jobs that start at once run beside each other in one allocation' '
	wait_until "[ -e $box/open/1011 ] && [ -e $box/open/1012 ] && [ -e $box/open/1013 ]" &&
	queue && [ "$(queue | wc -l)" = 1 ]'
touch "$box/open/go"
for id in 1011 1012 1013; do
	end "$id"
	echo "$?" >"$box/code.$id"
done
check 'each of them succeeds in it' '
	cat "$box"/log.101?; [ "$(cat "$box"/code.101? | tr -d "\n")" = 000 ] &&
	[ "$(grep -hx "it ran in $(number 1011)" "$box"/log.101? | wc -l)" = 3 ]'
check 'one of them made it' '[ "$(grep -h "made by this job" "$box"/log.101? | wc -l)" = 1 ]'
check 'the last of them ends the allocation' is_released

# --- who can join ---

printf '%s\n' 'echo "it ran in $SLURM_JOB_ID"' >"$box/where"
shared_job 1021 nodes <"$box/where"
pipeline=575
shared_job 1022 nodes "$release | .response.variables += [{key: \"CI_PIPELINE_ID\", value: \"574\"},
	{key: \"CI_PROJECT_ID\", value: \"20\"}]" <"$box/where"
pipeline=574
shared_job 1023 other "$release" <"$box/where"
owner=$two
shared_job 1024 nodes "$release" <"$box/where"
owner=$usr
played 1021
first=$(number 1021)
for id in 1022 1023 1024; do
	[ "$flavour$id" != none1024 ] || continue # both are one account
	case $id in
	1022) who='a job of another pipeline that sets CI_PIPELINE_ID' ;;
	1023) who='a job that uses another name' ;;
	1024) who='a job of another user' ;;
	esac
	check "$who does not join the allocation" '
		played "$id" && logged "made by this job" && [ "$(number "$id")" != "$first" ] &&
		ran_in "$(number "$id")"'
done
check 'the allocation is still there' '[ "$(slurm_state "$first")" = RUNNING ]'
for name in . .. a/b ../20-574-nodes 'a b' "$(printf 'a\nb')" "$(head -c 65 /dev/zero | tr '\0' a)" "\$(touch $box/open/x)"; do
	shared_job 1025 "$name" <"$box/where"
	case $name in
	. | ..) check "a name of dots alone is no path ($name)" '
		jq "$release" "$box/job.1025.json" >"$box/job.1026.json" && chmod 644 "$box/job.1026.json" &&
		played 1026 && ran_in "$(number 1026)"' ;;
	*) check "the name '$(echo "$name" | head -c 20 | tr '\n' ' ')' is refused" '
		played 1025; [ $? -eq 1 ] && logged "JACAMAR_ALLOCATION is " &&
		logged "it must be 1 to 64 characters of [A-Za-z0-9._-]" && ! grep "^it ran" "$box/log"' ;;
	esac
done
shared_job 1027 '' <"$box/where"
check 'an empty name is none' 'played 1027 && ! grep "allocation" "$box/log" && [ "$(number 1027)" != "$first" ]'
check 'nothing of a name is executed' '[ ! -e "$box/open/x" ]'

shared_job 1028 nodes 'del(.response.job_info.pipeline_id)' <"$box/where"
jq --arg token "$(token job_id=1028 -pipeline_id)" '.response.variables[0].value = $token' \
	"$box/job.1028.json" >"$box/job.new" && cat "$box/job.new" >"$box/job.1028.json"
check 'without a number that the server gives the pipeline, there is no allocation' '
	played 1028; [ $? -eq 2 ] && ! grep "^it ran" "$box/log" &&
	logged "JACAMAR_ALLOCATION needs the numbers of the project and the pipeline"'
as "$usr" sh -c "mv ${allocations%/*} $home/moved && ln -s $home/moved ${allocations%/*}"
shared_job 1029 nodes <"$box/where"
check 'a directory of allocations that is a link is refused' '
	played 1029; [ $? -eq 2 ] && logged "allocations is a link, not a directory"'
as "$usr" sh -c "rm ${allocations%/*} && mv $home/moved ${allocations%/*}"

# --- an allocation that has ended ---

scancel "$first"
wait_until '[ "$(slurm_state "$first")" = CANCELLED ]'
shared_job 1031 nodes <"$box/where"
check 'a job makes a new allocation if the old one was cancelled in Slurm' '
	played 1031 && logged "made by this job" && [ "$(number 1031)" != "$first" ] && ran_in "$(number 1031)"'
printf '%s\n' 'echo it is ready' 'sleep 600' >"$box/sleeper"
shared_job 1032 nodes <"$box/sleeper"
begin 1032 'it is ready'
scancel "$(number 1032)"
end 1032
code=$?
check 'a job whose allocation is cancelled in Slurm fails with the reason' '
	[ "$code" -eq 1 ] && logged "slurm job $(number 1032) failed: it was cancelled in the scheduler"'
check 'nothing of that allocation is left' released
# As a job leaves it that dies in its submit.
as "$usr" mkdir -p -m 700 "$allocations/20-574-nodes"
as "$usr" sh -c "echo >$allocations/20-574-nodes/keeper.job"
shared_job 1033 nodes "$release" <"$box/where"
check 'a job makes a new allocation if the submit of the old one did not end' '
	played 1033 && logged "made by this job" && ran_in "$(number 1033)" && is_released'

# --- cancel ---

# processes ID: those of that job's script.
processes() { pgrep -U "$usr" -f "sleep $1"; }
for id in 1041 1042; do
	printf '%s\n' "trap 'echo told' TERM" "setsid sleep $id &" 'echo it is ready' "sleep $id & wait" \
		"sleep $id" | shared_job "$id" nodes
done
begin 1041 'it is ready'
begin 1042 'it is ready'
first=$(number 1041)
cancel 1042
end 1042
check 'a job that is cancelled ends, with what ignores SIGTERM' '
	logged told && ! processes 1042'
check 'another job in the allocation continues' '
	[ "$(slurm_state "$first")" = RUNNING ] && [ "$(processes 1041 | wc -l)" -ge 2 ]'
cancel 1041
end 1041
check 'when the last job of a pipeline is cancelled, its allocation ends' '
	logged "slurm job $first is gone from the queue" && [ "$(slurm_state "$first")" = CANCELLED ] &&
	is_released'

shared_job 1043 nodes <"$box/sleeper"
begin 1043 'it is ready'
kill -KILL "$(pgrep -U "$usr" -f '^[^ ]*/jacamar --no-auth run env-script')"
end 1043
check 'cleanup ends the script if the process on the user side was killed' '
	! processes 600 && [ "$(slurm_state "$(number 1043)")" = RUNNING ]'
printf '%s\n' 'setsid sleep 601 >/dev/null 2>&1 </dev/null &' 'kill -KILL $$' | shared_job 1044 nodes "$release"
check 'a script that a signal of its own ends has the exit code for that signal' '
	played 1044; [ $? -eq 1 ] && logged "exit code 137"'
check 'what the script left is ended with its allocation' 'is_released && ! processes 601'

# --- in the queue ---

echo 'echo never' | shared_job 1051 nodes "$(with_arguments '--hold')"
printf '%s\n' 'echo "it ran in $SLURM_JOB_ID"' | shared_job 1052 nodes "$release"
begin 1051 'PENDING (JobHeldUser)'
begin 1052 'PENDING (JobHeldUser)'
first=$(number 1051)
check 'jobs that wait for the same allocation wait for the same batch job' '
	[ "$(number 1052)" = "$first" ] && [ "$(queue | wc -l)" = 1 ]'
cancel 1051
end 1051
check 'a cancel of the job that made it leaves it to the other' '
	[ "$(slurm_state "$first")" = PENDING ]'
scontrol release "$first"
end 1052
code=$?
check 'the other runs in it when it starts' '[ "$code" -eq 0 ] && ran_in "$first"'
check 'the script of the cancelled job does not run' '! grep "^never" "$box/log.1051" && is_released'
echo 'echo never' | shared_job 1053 nodes "$(with_arguments '--partition=nowhere')"
check 'a request that Slurm refuses fails the job with the reason from Slurm' '
	played 1053; [ $? -eq 1 ] && logged "the job was not submitted: sbatch: " && is_released'

# --- idle ---

slurm_config 'kill_timeout = "40s"' 'command_delay = "1s"
allocation_idle = "2s"'
shared_job 1061 nodes <"$box/where"
check 'an allocation that no job uses ends by itself' '
	played 1061 && released && [ "$(slurm_state "$(number 1061)")" = COMPLETED ]'
printf '%s\n' 'sleep 6' 'echo "it ran in $SLURM_JOB_ID"' | shared_job 1062 nodes "$release"
check 'an allocation in which a script runs is in use' '
	played 1062 && ran_in "$(number 1062)" && is_released'

finish
