#!/bin/sh
# However a job ends in Slurm, or does not begin there, GitLab's job says what happened. With Slurm's
# controller away, our processes killed, much at once, no job is lost, and none is left.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-slurm.sh"
install_site
at_end() { slurm_stop; }
slurm_start
slurm_config
home=$box/home/$usr

# What takes its time runs beside the others: a limit of a minute, the shortest there is, and a job
# of another user, of whom Slurm counts the requests.
job_extra=$(with_arguments '--time=1 --nodelist=node1')
printf '%s\n' 'echo it is ready' 'sleep 600' | job
job_beside 1001
play_beside 1001 &
timed_out=$!
job_extra=
printf '%s\n' 'sleep 25' 'kill -KILL $$' | command_job
job_beside 1002
jq --arg token "$(token job_id=1002 user_login="$two")" '.response.variables[0].value = $token' \
	"$box/job.1002.json" >"$box/job" && cat "$box/job" >"$box/job.1002.json"
sdiag --reset >/dev/null
play_beside 1002 &
counted=$!
job_extra=

# Of the job in $box/job.json, while others run.
auth_pid() { pgrep -P "$(runner_pid)" -f "^$prefix/bin/jacamar-auth .*run /"; }
user_side_pid() { pgrep -P "$(auth_pid)" -f '^[^ ]*/jacamar --no-auth run env-script'; }

# queue_is_left: none but those that run beside.
queue_is_left() {
	local jobs
	jobs=$(queue) || return
	! printf '%s\n' "$jobs" | grep -v -e ' ci-100[12] ' -e '^$'
}
was_cancelled() { [ "$(slurm_state "$(slurm_number)")" = CANCELLED ]; }

job_extra='.scripts.after_script = ["echo after, in job ${SLURM_JOB_ID:-none}"]'
printf '%s\n' 'echo it is ready' 'sleep 600' | command_job
check 'a job that its owner cancels in Slurm is a build failure with the reason' '
	began "is ready" && as "$usr" SLURM_CONF="$SLURM_CONF" scancel "$(slurm_number)"
	ended; [ $? -eq 1 ] && logged "exit code 1" &&
	logged "slurm job $(slurm_number) failed: it was cancelled in the scheduler, not by GitLab"'
check 'after_script still runs' 'logged "after, in job none"'
check 'the cancel is reported even if the script ignores SIGTERM' '
	printf "trap \"exit 0\" TERM\necho it is ready\nsleep 600 & wait\n" | command_job
	began "is ready" && scancel "$(slurm_number)"; ended; [ $? -eq 1 ] &&
	logged "it was cancelled in the scheduler"'
job_extra=

check 'a script that a signal of its own ends has the exit code for that signal' '
	echo "kill -KILL \$\$" | command_job; play; [ $? -eq 1 ] && logged "exit code 137"'
check 'a script that ends by a signal to all processes of the batch job has that exit code' '
	echo "scancel --full --signal=USR1 \$SLURM_JOB_ID; sleep 30" | command_job
	play; [ $? -eq 1 ] && logged "exit code 138" || { cat "$box/log"; false; }'
check 'a login shell that ends before the script is a system failure that names the profile' '
	echo "[ -z \"\$SLURM_JOB_ID\" ] || exit 0" >"$home/.bash_profile"
	echo "echo never" | job; play; [ $? -eq 2 ] && logged "does a profile" && ! grep "^never" "$box/log"
	rm "$home/.bash_profile"'

job_extra=$(with_arguments '--begin=now+1hour')
echo 'echo never' | job
check 'a job that waits reports why, and its expected start' '
	began "PENDING (BeginTime), expected to start 2" --cancel-on "PENDING"; ended; [ $? -eq 4 ]'
check 'the cancelled job leaves the queue' '
	logged "slurm job $(slurm_number) is gone from the queue" &&
	queue_is_left'
job_extra=$(with_arguments '--hold')
echo 'echo it ran' | job
check 'a held job is reported as held, and runs when it is released' '
	began "PENDING (JobHeldUser)" && scontrol release "$(slurm_number)"; ended && logged "it ran"'

# The node finds no directory: it has only been away for the node's call of open(2).
job_extra=$(with_arguments '--hold --no-requeue --nodelist=node1')
slurm_config '' 'command_delay = "1s"
nfs_timeout = "2s"'
check 'a node that cannot write to the scripts directory is a system failure that names the directory' '
	began "PENDING (JobHeldUser)" && number=$(slurm_number) && mv "$(scripts_dir)" "$(scripts_dir).away" &&
	scontrol release "$number" && wait_until "grep -q JobLaunchFailure \"$box/log\""
	mv "$(scripts_dir).away" "$(scripts_dir)"; ended; [ $? -eq 2 ] && logged "slurm job $number: FAILED (JobLaunchFailure)" &&
	logged "slurm job $number has no result: it has ended, but its node node1 wrote no exit code into $(scripts_dir); check that the node mounts this directory, that $usr can write to it there, and that neither the file system nor a quota is full; run the CI job again"'
slurm_config

job_extra=$(with_arguments '--requeue')
printf '%s\n' 'echo "start ${SLURM_RESTART_COUNT:-0}"' \
	'[ "${SLURM_RESTART_COUNT:-0}" = 1 ] || sleep 600' 'echo "last line"' | command_job
check 'a requeued job runs again, and ends' '
	began "start 0" && scontrol requeue "$(slurm_number)"; ended && logged "start 1" &&
	logged "last line"'
check 'the log of the first start is kept' 'grep "^start 0" "$box/log" && grep "^start 1" "$box/log"'
check 'the log reports that the job waits again' 'logged "slurm job $(slurm_number): PENDING (BeginTime)"'

job_extra=$(with_arguments '--no-requeue --nodelist=node4')
printf '%s\n' 'echo it is ready' 'sleep 600' | command_job
check 'a failed node is a system failure' '
	began "is ready" && scontrol update nodename=node4 state=down reason=test
	ended; [ $? -eq 2 ] &&
	logged "slurm job $(slurm_number) has no result: one of its nodes has failed"'
check 'of all these jobs only the one with a time limit is left' '
	queue_is_left'

wait "$counted"
check 'a job of less than a minute costs Slurm at most three requests' '
	sdiag >"$box/sdiag"; cat "$box/log.1002" "$box/sdiag"
	requests=$(sed -n "s/^[ \t]*$two .*count:\([0-9]*\) .*/\1/p" "$box/sdiag")
	[ "$requests" -ge 2 ] && [ "$requests" -le 3 ]'

# --- much output ---

job_extra=

head -c 104857600 /dev/urandom >"$box/bytes"
chmod 644 "$box/bytes"
printf '%s\n' 'echo "it begins""."' "cat $box/bytes" | command_job
check '100 MiB of any bytes arrive, from a script that ends at once' '
	play && python3 - "$box/log" "$box/bytes" <<-PYTHON
	import sys
	log, wanted = (open(name, "rb").read() for name in sys.argv[1:])
	begin = log.index(b"\nit begins.\n") + len(b"\nit begins.\n")
	got = log[begin:begin + len(wanted)]
	if got != wanted:
	    at = next((i for i in range(len(wanted)) if got[i:i + 1] != wanted[i:i + 1]))
	    sys.exit(f"differs from byte {at} on: {got[at:at + 80]}")
	PYTHON'
rm -f "$box/bytes" "$box/log"

# --- our processes killed ---

gone() { queue_is_left && [ ! -e "$(scripts_dir)" ]; }

printf '%s\n' 'echo it is ready' 'sleep 600' | command_job
check 'the process on the user side cancels the allocation if jacamar-auth was killed' '
	began "is ready" && kill -KILL "$(auth_pid)" && wait_until queue_is_left; result=$?; ended
	[ "$result" -eq 0 ] && gone && was_cancelled'
check 'cleanup cancels the allocation if the process on the user side was killed' '
	began "is ready" && kill -KILL "$(user_side_pid)" && ended; [ $played -eq 2 ] && gone &&
	logged "slurm job $(slurm_number) is gone from the queue"'
check 'cleanup cancels the allocation if both were killed' '
	began "is ready" --eof-timeout 5 && kill -KILL "$(auth_pid)" "$(user_side_pid)" && ended; gone &&
	logged "slurm job $(slurm_number) is gone from the queue"'
# The processes of a job on this very host are ended as what it left behind; one that waits has none.
job_extra=$(with_arguments '--begin=now+1hour')
echo 'echo never' | job
check 'cleanup cancels a waiting job if the process on the user side was killed' '
	began "PENDING" && kill -KILL "$(user_side_pid)" && ended; [ $played -eq 2 ] && gone &&
	was_cancelled'
check 'cleanup cancels a waiting job if both were killed' '
	began "PENDING" --eof-timeout 5 && kill -KILL "$(auth_pid)" "$(user_side_pid)" && ended; gone &&
	was_cancelled'
job_extra=

# The worst moment: Slurm has the job, and nobody was told its number.
mkdir "$box/bin"
ln -s "$(command -v squeue)" "$(command -v scontrol)" "$(command -v scancel)" "$box/bin"
cat >"$box/bin/sbatch" <<SCRIPT
#!/bin/sh
$(command -v sbatch) "\$@" >/dev/null
kill -KILL \$PPID
SCRIPT
chmod 755 "$box/bin/sbatch"
# It waits: a process of its own on this very host would be found as well.
job_extra=$(with_arguments '--begin=now+1hour')
echo 'echo never' | job
slurm_config '' "scheduler_bin = \"$box/bin\"
command_delay = \"0s\""
check 'cleanup finds an allocation whose number was not known' '
	play; [ $? -eq 2 ] && logged "is gone from the queue" && gone'
job_extra=
sed -i 's/^kill .*/echo "sbatch: error: Socket timed out on send\/recv operation" >\&2; exit 1/' "$box/bin/sbatch"
check 'a job is found after the answer to its submit was lost' '
	printf "echo it ran\nsleep 2\n" | job; play && logged "it ran" && [ -n "$(slurm_number)" ]'
sed -i 's/^echo/sleep 3; &/' "$box/bin/sbatch"
check 'a job that ended before it was searched for has its exit code' '
	printf "echo it ran\nexit 3\n" | job; play; [ $? -eq 1 ] && logged "it ran" && logged "exit code 3" &&
	[ -z "$(slurm_number)" ]'

# --- the controller away ---

slurm_config
printf '%s\n' 'echo it is ready' "while [ ! -e $box/go ]; do sleep 0.1; done" 'echo it has ended' |
	command_job
silence_is_told() { grep -qF 'slurm does not report the state of the job: ' "$box/log"; }
check 'a job continues while the controller is down for 20 seconds' '
	began "is ready" && slurm_end "$slurm/slurmctld.pid"; sleep 20
	wait_until silence_is_told || wait_until silence_is_told || wait_until silence_is_told
	touch "$box/go"; sleep 1; slurm_start_controller; ended
	[ $played -eq 0 ] && logged "it has ended"'
check 'its log reports that the scheduler does not answer' 'logged "slurm does not report the state of the job: "'
slurm_config 'kill_timeout = "4s"'
printf '%s\n' 'echo it is ready' 'sleep 600' | command_job
check 'a cancel while the controller is down ends in time, and names the job that may be left' '
	began "is ready" && slurm_end "$slurm/slurmctld.pid"; kill -TERM "$(auth_pid)" && ended; [ $played -eq 2 ] &&
	logged "jacamar: slurm job $(slurm_number) may still be in the queue: "'
slurm_start_controller >/dev/null 2>&1
scancel "$(slurm_number)"

# --- many at once ---

slurm_config
echo 'echo "it ran in $SLURM_JOB_ID"; exit $((CI_JOB_ID % 2))' | job
players=
for id in $(seq 3001 3020); do
	job_beside "$id"
	play_beside "$id" &
	players="$players $!"
done
result=
for player in $players; do
	wait "$player"
	result="$result$?"
done
check 'each of twenty jobs at once has its own exit code' '
	echo "$result"; [ "$result" = 10101010101010101010 ] || { cat "$box"/log.30*; false; }'
check 'each of them has its own allocation' '
	[ "$(sed -n "s/^it ran in \([0-9]*\)$/\1/p" "$box"/log.30* | sort -u | wc -l)" = 20 ]'
check 'no job of them is left' 'wait_until queue_is_left'


# --- what has run beside ---

wait "$timed_out"
code=$?
check 'a time limit is a build failure with the reason' '
	cat "$box/log.1001"; [ "$code" -eq 1 ] && grep "failed: it has reached its time limit" "$box/log.1001" &&
	grep "exit code 1" "$box/log.1001"'
check 'the log has the message of Slurm itself' 'grep "DUE TO TIME LIMIT" "$box/log.1001"'

finish
