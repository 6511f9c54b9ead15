#!/bin/sh
# A Slurm that takes 30 seconds for an answer, gives a job's nodes to another, or forgets the job.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-slurm.sh"
install_site
at_end() {
	slurm_stop
	umount "$box/small" 2>/dev/null
}
# shellcheck disable=SC2034 # these are lib-slurm.sh's
slurm_nodes=2 slurm_lines='PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=low Nodes=node1 PriorityTier=1 PreemptMode=REQUEUE
PartitionName=frail Nodes=node1 PriorityTier=1 PreemptMode=CANCEL
PartitionName=high Nodes=node1 PriorityTier=9 PreemptMode=OFF'
slurm_start

# stand_in NAME COMMAND LINE: a directory NAME of Slurm's commands, where LINE stands for this one;
# in it, $real is that command.
stand_in() {
	local command
	mkdir -p "$box/$1"
	for command in sbatch scontrol scancel squeue; do
		[ -e "$box/$1/$command" ] || ln -s "$(command -v "$command")" "$box/$1"
	done
	rm "$box/$1/$2"
	printf '#!/bin/sh\nreal=%s\n%s\n' "$(command -v "$2")" "$3" >"$box/$1/$2"
	chmod 755 "$box/$1/$2"
}

# beside ID [runner's options]: plays $box/job.json in the background, with what is configured now.
players=
beside() {
	job_beside "$1"
	play_beside "$@" &
	players="$players $!"
	wait_until 'grep -q "executor slurm" "$box/log.'"$1"'"'
}
# --- slow answers, which take their time beside the rest ---

stand_in slow_submit sbatch 'sleep 30; exec $real "$@"'
stand_in slow_answer scontrol 'sleep 30; exec $real "$@"'
slurm_config 'kill_timeout = "60s"' "scheduler_bin = \"$box/slow_submit\""
echo 'echo it ran' | job
beside 1001
slurm_config 'kill_timeout = "60s"' "scheduler_bin = \"$box/slow_answer\"
command_delay = \"1s\""
printf '%s\n' 'echo it ran' 'kill -KILL $$' | command_job
beside 1002
printf '%s\n' 'echo it is ready' 'sleep 600' | command_job
beside 1003 --cancel-on 'is ready'

# --- the nodes given to another job ---

slurm_config
take_nodes() { sbatch --parsable --partition=high --exclusive --output=/dev/null --wrap='sleep 2'; }

job_extra=$(with_arguments '--partition=frail')
printf '%s\n' 'echo it is ready' 'sleep 600' | command_job
check 'a preempted job is a system failure' '
	began "is ready" && take_nodes; wait "$waited"; [ $? -eq 2 ] &&
	logged "slurm job $(slurm_number) has no result: another job was given its nodes"'
job_extra=$(with_arguments '--partition=low --requeue')
printf '%s\n' 'echo "it is ready, ${SLURM_RESTART_COUNT:-0}"' \
	'[ "${SLURM_RESTART_COUNT:-0}" = 1 ] || sleep 600' | command_job
check 'a job that is requeued by preemption runs again' '
	began "is ready" && take_nodes; wait_until "[ \"\$(slurm_state $(slurm_number))\" = PENDING ]" &&
	scontrol update jobid="$(slurm_number)" starttime=now
	wait "$waited" && logged "it is ready, 0" && logged "it is ready, 1"'
job_extra=

# --- out of memory ---

# Without control groups Slurm itself does not say so: the state is exchanged.
stand_in memory scontrol 'sleep 1; $real "$@" | sed -e "s/JobState=[CF][A-Z]*/JobState=OUT_OF_MEMORY/"'
slurm_config '' "scheduler_bin = \"$box/memory\"
command_delay = \"0s\""
for end in 'kill -KILL $$' 'exit 2' 'exit 0'; do
	printf '%s\n' 'echo it ran' "$end" | command_job
	check "out of memory: a build failure, in plain words, whatever the script's end: $end" '
		play; [ $? -eq 1 ] && logged "failed: it needed more memory than it was given"'
done

# --- no room on the disk, or no quota left ---

mkdir "$box/small"
if mount -t tmpfs -o size=2m,mode=1777 tmpfs "$box/small"; then
	slurm_config
	sed -i "s|^data_dir = .*|data_dir = \"$box/small\"|" "$etc/jacamar-config.toml"
	printf '%s\n' 'echo it ran' "until grep -rqx 'it ran' $box/small --include='*.log'; do sleep 0.1; done" \
		"cat /dev/zero >$box/small/zeros || code=3" \
		'for i in $(seq 5000); do echo "no room, $i"; done' 'exit $code' | command_job
	check 'a script that fills the file system has its exit code, and the log says that it is incomplete' '
		play; [ $? -eq 1 ] && logged "it ran" && ! logged "no room, 5000" &&
		logged "exit code 3" && logged "log is incomplete: the file system of $box/small"'
else
	skip 'a script that fills the file system: its own code' 'needs to mount a tmpfs'
fi

# --- what has run beside ---

results=
for player in $players; do
	wait "$player"
	results="$results $?"
done
check 'a submit and an answer may take 30 seconds, and a cancel ends' '
	cat "$box"/log.100*; echo "$results"; [ "$results" = " 0 1 4" ]'
check 'these jobs have the exit codes of their scripts' '
	grep "^it ran" "$box/log.1001" && grep "^it ran" "$box/log.1002" &&
	grep "exit code 137" "$box/log.1002" && grep "is gone from the queue" "$box/log.1003"'

# --- a controller without a memory; it forgets all jobs ---

slurm_config
printf '%s\n' 'echo it is ready' "while [ ! -e $box/go ]; do sleep 0.1; done" 'kill -KILL $$' | command_job
check 'a job that Slurm has forgotten has the exit code of its script' '
	began "is ready" && slurm_end "$slurm/slurmctld.pid"; touch "$box/go" && slurmctld -c -f "$SLURM_CONF"
	wait "$waited"; [ $? -eq 1 ] && logged "exit code 137"'
check 'no file and no batch job is left' 'wait_until queue_is_empty && nothing_left'

finish
