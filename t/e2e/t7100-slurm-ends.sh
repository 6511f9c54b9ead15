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

# began 'TEXT' [runner's options]: plays the job in the background until its log has TEXT; `ended`
# returns what play does, and leaves it in $played.
began() {
	text=$1
	shift
	rm -f "$box/log"
	bounded_play "$@" &
	waited=$!
	wait_until 'grep -qF -- "$text" "$box/log"'
}
ended() {
	wait "$waited"
	played=$?
	cat "$box/log"
	return "$played"
}

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
check 'cancelled by its owner: a build failure, in plain words' '
	began "is ready" && as "$usr" SLURM_CONF="$SLURM_CONF" scancel "$(slurm_number)"
	ended; [ $? -eq 1 ] && logged "exit code 1" &&
	logged "slurm job $(slurm_number) failed: it was cancelled in the scheduler, not by GitLab"'
check 'after_script still runs' 'logged "after, in job none"'
check 'and it says so, whatever the script makes of SIGTERM' '
	printf "trap \"exit 0\" TERM\necho it is ready\nsleep 600 & wait\n" | command_job
	began "is ready" && scancel "$(slurm_number)"; ended; [ $? -eq 1 ] &&
	logged "it was cancelled in the scheduler"'
job_extra=

check 'a script that ends by a signal of its own: its code' '
	echo "kill -KILL \$\$" | command_job; play; [ $? -eq 1 ] && logged "exit code 137"'
check 'a login shell that ends before the script: a system failure that names the profile' '
	echo "[ -z \"\$SLURM_JOB_ID\" ] || exit 0" >"$home/.bash_profile"
	echo "echo never" | job; play; [ $? -eq 2 ] && logged "does a profile" && ! grep "^never" "$box/log"
	rm "$home/.bash_profile"'

job_extra=$(with_arguments '--begin=now+1hour')
echo 'echo never' | job
check 'a job that waits says why, and until when' '
	began "PENDING (BeginTime), expected to start 2" --cancel-on "PENDING"; ended; [ $? -eq 4 ]'
check 'cancelled, it is out of the queue' '
	logged "slurm job $(slurm_number) is gone from the queue" &&
	queue_is_left'
job_extra=$(with_arguments '--hold')
echo 'echo it ran' | job
check 'a held job is told to be, and runs when it is released' '
	began "PENDING (JobHeldUser)" && scontrol release "$(slurm_number)"; ended && logged "it ran"'

job_extra=$(with_arguments '--requeue')
printf '%s\n' 'echo "start ${SLURM_RESTART_COUNT:-0}"' \
	'[ "${SLURM_RESTART_COUNT:-0}" = 1 ] || sleep 600' 'echo "last line"' | command_job
check 'a job that is requeued runs again, and then ends' '
	began "start 0" && scontrol requeue "$(slurm_number)"; ended && logged "start 1" &&
	logged "last line"'
check 'its first log is not lost' 'grep "^start 0" "$box/log" && grep "^start 1" "$box/log"'
check 'it says that it waits again' 'logged "slurm job $(slurm_number): PENDING (BeginTime)"'

job_extra=$(with_arguments '--no-requeue --nodelist=node4')
printf '%s\n' 'echo it is ready' 'sleep 600' | command_job
check 'a node that fails: a system failure' '
	began "is ready" && scontrol update nodename=node4 state=down reason=test
	ended; [ $? -eq 2 ] &&
	logged "slurm job $(slurm_number) has no result: one of its nodes has failed"'
check 'nothing is left of all these but the one with a limit' '
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
	at = next((i for i in range(len(wanted)) if got[i:i + 1] != wanted[i:i + 1]), -1)
	sys.exit(0 if got == wanted else f"differs from byte {at} on: {got[at:at + 80]}")
	PYTHON'
rm -f "$box/bytes" "$box/log"

# --- our processes killed ---

gone() { queue_is_left && [ ! -e "$(scripts_dir)" ]; }

printf '%s\n' 'echo it is ready' 'sleep 600' | command_job
check 'jacamar-auth killed: the user side cancels the allocation' '
	began "is ready" && kill -KILL "$(auth_pid)" && wait_until queue_is_left; result=$?; ended
	[ "$result" -eq 0 ] && gone && was_cancelled'
check 'the user side killed: cleanup cancels the allocation' '
	began "is ready" && kill -KILL "$(user_side_pid)" && ended; [ $played -eq 2 ] && gone &&
	logged "slurm job $(slurm_number) is gone from the queue"'
check 'both killed: likewise' '
	began "is ready" --eof-timeout 5 && kill -KILL "$(auth_pid)" "$(user_side_pid)" && ended; gone &&
	logged "slurm job $(slurm_number) is gone from the queue"'
# The processes of a job on this very host are ended as what it left behind; one that waits has none.
job_extra=$(with_arguments '--begin=now+1hour')
echo 'echo never' | job
check 'the user side killed: cleanup cancels what waits' '
	began "PENDING" && kill -KILL "$(user_side_pid)" && ended; [ $played -eq 2 ] && gone &&
	was_cancelled'
check 'both killed: likewise' '
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
check 'the user side killed before it learns the number: cleanup finds the allocation' '
	play; [ $? -eq 2 ] && logged "is gone from the queue" && gone'
job_extra=
sed -i 's/^kill .*/echo "sbatch: error: Socket timed out on send\/recv operation" >\&2; exit 1/' "$box/bin/sbatch"
check 'a submit whose answer is lost: the job is found, and runs' '
	printf "echo it ran\nsleep 2\n" | job; play && logged "it ran" && [ -n "$(slurm_number)" ]'
sed -i 's/^echo/sleep 3; &/' "$box/bin/sbatch"
check 'one that has ended before it is looked for has its own end' '
	printf "echo it ran\nexit 3\n" | job; play; [ $? -eq 1 ] && logged "it ran" && logged "exit code 3" &&
	[ -z "$(slurm_number)" ]'

# --- the controller away ---

slurm_config
printf '%s\n' 'echo it is ready' "while [ ! -e $box/go ]; do sleep 0.1; done" 'echo it has ended' |
	command_job
silence_is_told() { grep -qF 'slurm does not tell how the job is: ' "$box/log"; }
check 'a controller that is away for 20 seconds: the job does not notice' '
	began "is ready" && slurm_end "$slurm/slurmctld.pid"; sleep 20
	wait_until silence_is_told || wait_until silence_is_told || wait_until silence_is_told
	touch "$box/go"; sleep 1; slurm_start_controller; ended
	[ $played -eq 0 ] && logged "it has ended"'
check 'but its log says so' 'logged "slurm does not tell how the job is: "'
slurm_config 'kill_timeout = "4s"'
printf '%s\n' 'echo it is ready' 'sleep 600' | command_job
check 'a cancel while it is away ends in time, and names the job that may be left' '
	began "is ready" && slurm_end "$slurm/slurmctld.pid"; kill -TERM "$(auth_pid)" && ended; [ $played -eq 2 ] &&
	logged "jacamar: the job was cancelled, but slurm job $(slurm_number) may still be in the queue: "'
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
check 'twenty jobs at once: each has its own end' '
	echo "$result"; [ "$result" = 10101010101010101010 ] || { cat "$box"/log.30*; false; }'
check 'and its own allocation' '
	[ "$(sed -n "s/^it ran in \([0-9]*\)$/\1/p" "$box"/log.30* | sort -u | wc -l)" = 20 ]'
check 'nothing is left of them' 'wait_until queue_is_left'


# --- what has run beside ---

wait "$timed_out"
code=$?
check 'a time limit: a build failure, in plain words' '
	cat "$box/log.1001"; [ "$code" -eq 1 ] && grep "failed: it has reached its time limit" "$box/log.1001" &&
	grep "exit code 1" "$box/log.1001"'
check 'with what Slurm itself says of it' 'grep "DUE TO TIME LIMIT" "$box/log.1001"'

finish
