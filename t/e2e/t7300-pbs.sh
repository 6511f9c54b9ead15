#!/bin/sh
# A job whose build_script runs in a job of PBS's, which a stand-in plays; however it ends there,
# GitLab's job says what happened.
# Flavours: caps sudo
. "$(dirname "$0")/lib.sh"
executor=pbs
stand_ins=pbs.py
. "$(dirname "$0")/lib-batch.sh"
install_site
at_end() { batch_stop; }
batch_start
for name in qsub qstat qdel qselect; do
	ln -s pbs.py "$scheduler/bin/$name"
done

number_of=pbs_number
pbs_number() { echo "${1%%.*}"; }
arguments=
hold_argument='-h'
text_argument='-A '
says_waiting='queued (Not Running: Insufficient amount of resource: ncpus), expected to start soon'
says_held='.server: held'
says_down='cannot connect to server'
# PBS requeues a job that others push out, or deletes it.
says_preempt=
refused='-o x
-hN x
-Wumask=022,block=true
-I'
wrong_argument='-q nowhere'
says_wrong='the job was not submitted: qsub: qsub: Unknown queue'
batch_cases

# --- other releases ---

job_extra=
batch_config
for release in 18 nohistory torque; do
	switch_on release "$release"
	check "release $release: a cancelled job is gone" '
		sleeper; bounded_play --cancel-on "is ready"; [ $? -eq 4 ] &&
		logged "is gone from the queue" && queue_is_empty'
	# Without a history, the script's own end is all there is.
	says=$says_walltime
	[ "$release" != nohistory ] || says='job failed: exit code'
	check "release $release: a time limit is one" '
		ends_by walltime; [ $? -eq 1 ] && logged "$says"'
done
switch_on release 18
printf '%s\n' 'kill -KILL $$' | command_job
check 'what is not JSON is asked for in the plain form from then on' '
	: >"$scheduler/calls"; play; called "qstat -x -f $(batch_number)" &&
	[ "$(grep -c "^qstat -x -f -F json" "$scheduler/calls")" = 1 ]'
switch_off release

finish
