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
says_wrong='the job was not submitted: qsub: Unknown queue'
batch_cases

# --- the stand-in itself ---

# One that takes an order before it is whole loses it, and the job is then never cancelled.
switch_on hesitates
batch_cancels
switch_off hesitates

# --- variables of the site ---

# of_variables NAME=TEXT...: for job_extra: the job's variables.
of_variables() {
	for setting; do
		jq -rn --arg key "${setting%%=*}" --arg text "${setting#*=}" \
			'".response.variables += [{key: \($key | tojson), raw: true, value: \($text | tojson)}]"'
	done | paste -s -d "|"
}
# submitted_with NAMES NAME=TEXT...: plays a job with these variables where the site reads NAMES.
submitted_with() {
	batch_config "" "arguments_variable = [$1]"
	shift
	: >"$scheduler/calls"
	job_extra=$(of_variables "$@")
	echo "echo it ran" | job
	job_extra=
	play
}
check 'SCHEDULER_PARAMETERS is read before the variables of the site' '
	submitted_with "\"SITE_PARAMETERS\"" "SITE_PARAMETERS=-A site" "SCHEDULER_PARAMETERS=-A usual" &&
	called "-A usual -A site" && logged "it ran"'
check 'SCHEDULER_PARAMETERS has the place that the site gives it' '
	submitted_with "\"SITE_PARAMETERS\", \"SCHEDULER_PARAMETERS\"" "SITE_PARAMETERS=-A site" \
		"SCHEDULER_PARAMETERS=-A usual" && called "-A site -A usual" && ! grep "usual.*usual" "$scheduler/calls"'
check 'what is refused in a variable of the site is refused in SCHEDULER_PARAMETERS, too' '
	submitted_with "\"SITE_PARAMETERS\"" "SCHEDULER_PARAMETERS=-o x"; [ $? -eq 1 ] && logged "-o is refused: " &&
	! grep "^qsub" "$scheduler/calls"'
batch_config

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
check 'invalid JSON leads to the plain form from then on' '
	: >"$scheduler/calls"; play; called "qstat -x -f $(batch_number)" &&
	[ "$(grep -c "^qstat -x -f -F json" "$scheduler/calls")" = 1 ]'
switch_off release

finish
