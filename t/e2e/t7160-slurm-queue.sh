#!/bin/sh
# How a job waits for its start in Slurm's queue: a reason that no waiting ends, and the limit of
# the site, end it; a submit is made again while the controller is away.
# Flavours: caps
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-slurm.sh"
install_site
at_end() { slurm_stop; }
# shellcheck disable=SC2034 # these are lib-slurm.sh's
slurm_nodes=2 slurm_lines='PartitionName=short Nodes=node1 MaxTime=5
PartitionName=small Nodes=node1,node2 MaxNodes=1
PartitionName=down Nodes=node1 State=DOWN'
slurm_start
slurm_config

runs_with() {
	job_extra=$(with_arguments "$1")
	echo 'echo it ran' | job
	job_extra=
}
plays_with() {
	runs_with "$1"
	play
}
was_cancelled() { [ "$(slurm_state "$(slurm_number)")" = CANCELLED ]; }

# --- a reason that no waiting ends ---

never_starts() {
	plays_with "$1"
	[ $? -eq 1 ] && logged "exit code 1" &&
		logged "slurm job $(slurm_number) failed: it can never start ($2): " &&
		was_cancelled && queue_is_empty && nothing_left && ! grep "^it ran" "$box/log"
}
check 'a time limit that the partition does not allow fails the job' '
	never_starts "--partition=short --time=60" PartitionTimeLimit'
check 'a number of nodes that the partition does not have fails the job' '
	never_starts "--nodes=50" PartitionConfig'
ended_badly=$(as "$usr" SLURM_CONF="$SLURM_CONF" sbatch --parsable --output=/dev/null --wrap='exit 1')
wait_until '[ "$(slurm_state "$ended_badly")" = FAILED ]'
check 'a dependency that can never be satisfied fails the job' '
	never_starts "--dependency=afterok:$ended_badly" DependencyNeverSatisfied'

# Its second answer comes after a minute.
runs_with '--partition=down'
job_beside 1001
play_beside 1001 &
waits=$!
wait_until 'grep -q "PENDING (PartitionDown)" "$box/log.1001"'

# --- the limit of the site ---

slurm_config '' 'max_pending = "3s"
command_delay = "1s"'
check 'a job that waits longer than max_pending fails' '
	plays_with "--begin=now+1hour"; [ $? -eq 1 ] && logged "exit code 1" &&
	logged "slurm job $(slurm_number) failed: it has waited for 3 s in the queue, the limit of this site (batch.max_pending); its last state was PENDING (BeginTime); it was cancelled" &&
	was_cancelled'
printf '%s\n' 'sleep 10' 'echo it ran' | job
check 'the time that a job runs does not count' 'play && logged "it ran"'
runs_with '--begin=now+1hour'
check 'a job is not cancelled while the controller does not report that it waits' '
	slurm_config "" "max_pending = \"10s\"
command_delay = \"1s\""
	began "PENDING" && slurm_end "$slurm/slurmctld.pid" && wait_until "grep -qF \"does not report the state\" \"$box/log\"" &&
	! grep "max_pending" "$box/log"; result=$?; slurm_start_controller; ended
	[ $result -eq 0 ] && [ $played -eq 1 ] && logged "slurm answers again" && logged "(batch.max_pending)"'
slurm_config

# --- a submit while the controller is away ---

slurm_end "$slurm/slurmctld.pid"
echo 'echo it ran' | job
began 'jacamar keeps trying for up to '
slurm_start_controller >/dev/null 2>&1
ended >/dev/null
check 'a submit while the controller is away is made again' '
	cat "$box/log"; [ $played -eq 0 ] && [ "$(grep -c "^it ran" "$box/log")" = 1 ]'
check 'the log has one line about it, with the words of Slurm' '
	cat "$box/log"; [ "$(grep -c "jacamar keeps trying" "$box/log")" = 1 ] &&
	grep -E "sbatch.*(Unable to contact|Socket timed out|onnection refused|has not submitted)" "$box/log"'

# --- jobs that the script submits itself ---

# Of the job in $box/job.json, while another one runs.
auth_pid() { pgrep -P "$(runner_pid)" -f "^$prefix/bin/jacamar-auth .*run /"; }
user_side_pid() { pgrep -P "$(auth_pid)" -f '^[^ ]*/jacamar --no-auth run env-script'; }

submit='sbatch --parsable --output=/dev/null --begin=now+1hour'
printf '%s\n' "echo \"first \$($submit --wrap=id)\"" \
	"bash -c 'echo \"second \$($submit --job-name=x --wrap=id)\"'" \
	"echo \"other \$($submit --comment=mine --wrap=id)\"" \
	'echo it is ready' 'sleep 600' | command_job
number_after() { sed -n "s/^$1 \([0-9]*\)\$/\1/p" "$box/log"; }
was_cancelled_too() { [ "$(slurm_state "$(number_after "$1")")" = CANCELLED ]; }
check 'jobs that the script has submitted are cancelled with the job' '
	began "is ready" --cancel-on "is ready"; ended; [ $? -eq 4 ] && was_cancelled &&
	was_cancelled_too first && was_cancelled_too second &&
	logged "cancelled batch jobs that the script had submitted itself: "'
check 'a job with a comment of its own is not' '[ "$(slurm_state "$(number_after other)")" = PENDING ]'
scancel "$(number_after other)"
check 'they are cancelled by cleanup if the processes of the job were killed' '
	began "is ready" && kill -KILL "$(user_side_pid)"; ended; [ $played -eq 2 ] &&
	was_cancelled_too first && was_cancelled_too second'
scancel "$(number_after other)"
printf '%s\n' "echo \"first \$($submit --wrap=id)\"" | command_job
check 'they remain if the script ends by itself' '
	play && [ "$(slurm_state "$(number_after first)")" = PENDING ]'
scancel "$(number_after first)"

# --- a node that cannot write the directory of the job's scripts ---

# Its slurmd sees an empty directory in place of the homes.
slurm_end "$slurm/node2.pid"
rm -f "$slurm/node2.pid"
if unshare --mount sh -c 'mount -t tmpfs -o mode=755 tmpfs "$1" && exec slurmd -f "$2" -N node2' - \
	"$box/home" "$SLURM_CONF"; then
	wait_until '[ "$(sinfo -h -n node2 -p all -o %T)" = idle ]'
	slurm_config '' 'nfs_timeout = "2s"
command_delay = "1s"'
	runs_with '--nodelist=node2'
	check 'a node that cannot write the job'"'"'s directory is named, with the directory' '
		play; [ $? -eq 2 ] && ! grep "^it ran" "$box/log" &&
		logged "slurm job $(slurm_number) has no result: it has ended, but its node node2 wrote no exit code into $(scripts_dir);"'
	slurm_config
else
	skip 'a node that cannot write the directory is named' 'needs to mount a tmpfs'
fi

# --- another cluster ---

# The same Slurm, as if it were another cluster: every command must name that.
mkdir "$box/far"
for command in sbatch scontrol scancel squeue; do
	cat >"$box/far/$command" <<-SCRIPT
		#!/bin/bash
		named= words=()
		for word; do
			if [ "\$word" = --clusters=far ]; then named=1; else words+=("\$word"); fi
		done
		[ -n "\$named" ] || { echo "$command: error: not told the cluster" >&2; exit 1; }
		echo "$command" >>"$box/open/calls"
		$(command -v "$command") "\${words[@]}" $([ "$command" != sbatch ] || echo '| sed "s/$/;far/"')
	SCRIPT
	chmod 755 "$box/far/$command"
done
mkdir -m 1777 "$box/open"
slurm_config '' "scheduler_bin = \"$box/far\"
command_delay = \"1s\""
job_extra=$(with_arguments '--clusters=far')
printf '%s\n' 'echo it ran' 'sleep 8' 'kill -KILL $$' | command_job
check 'the job is followed in the cluster that --clusters names' '
	play; [ $? -eq 1 ] && logged "it ran" && logged "exit code 137" && grep scontrol "$box/open/calls" &&
	! grep "does not report" "$box/log"'
printf '%s\n' 'echo it is ready' 'sleep 600' | command_job
check 'it is cancelled there' '
	began "is ready" --cancel-on "is ready"; ended; [ $? -eq 4 ] && grep scancel "$box/open/calls" &&
	logged "is gone from the queue" && was_cancelled'
sed -i 's/^\/.*sbatch.*/& >\/dev\/null; echo "sbatch: error: Socket timed out on send\/recv operation" >\&2; exit 1/' "$box/far/sbatch"
printf '%s\n' 'echo it ran' 'sleep 3' | job
job_extra=
check 'a job whose answer was lost is found there' '
	play && logged "it ran" && [ -n "$(slurm_number)" ] && grep squeue "$box/open/calls"'
runs_with '--clusters=near,far'
check 'a list of clusters is refused' '
	play; [ $? -eq 1 ] && logged "--clusters=near,far is refused: jacamar needs the name of one cluster"'
slurm_config

# --- options of the site ---

# plugstack.conf needs a plugin; what matters is how the words are read.
mkdir "$box/plugin"
for command in scontrol scancel squeue; do
	ln -s "$(command -v "$command")" "$box/plugin"
done
cat >"$box/plugin/sbatch" <<SCRIPT
#!/bin/bash
words=()
for word; do [ "\$word" = --site-flag ] || words+=("\$word"); done
exec $(command -v sbatch) "\${words[@]}"
SCRIPT
chmod 755 "$box/plugin/sbatch"
slurm_config '' "scheduler_bin = \"$box/plugin\""
check 'an option that may have a value is named when another one follows' '
	plays_with "--site-flag -n 2"; [ $? -eq 1 ] &&
	logged "-n is refused: it could be the value of --site-flag; write --site-flag=value, or, if that has no value, ask the site to add it to batch.flag_options"'
slurm_config '' "scheduler_bin = \"$box/plugin\"
flag_options = [\"--site-flag\"]"
check 'a flag of the site may stand before another option' '
	plays_with "--site-flag -n 2" && logged "it ran"'
slurm_config

# --- what has run beside ---

check 'a job of a partition that is down waits on' '
	cat "$box/log.1001"; kill -0 "$waits" && grep -F "PENDING (PartitionDown)" "$box/log.1001" &&
	! grep "failed" "$box/log.1001"'
scancel "$(slurm_number "$box/log.1001")"
wait "$waits"

finish
