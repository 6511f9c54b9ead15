#!/bin/sh
# A job whose build_script runs in a job of Flux's, which a stand-in plays; however it ends there,
# GitLab's job says what happened.
# Flavours: caps sudo
. "$(dirname "$0")/lib.sh"
executor=flux
stand_ins=flux
. "$(dirname "$0")/lib-batch.sh"
install_site
at_end() { batch_stop; }
batch_start

number_of=flux_number
flux_number() { "$scheduler/bin/flux" job id --to=dec "$1"; }
arguments='-N1'
hold_argument='--urgency=hold'
text_argument='--setattr=user.comment='
says_waiting='SCHED, expected to start in 5.000m'
says_held='SCHED (held)'
says_down='Unable to connect to Flux'
# Flux tells of no limit of memory, does not push out a job for another one, and has each run once.
says_memory='FAILED'
memory_code=137
memory_order=oom
says_preempt=
no_requeue=1
refused='--output=x
--job-name=x
-- id'
wrong_argument='--queue=nowhere'
says_wrong="the job was not submitted: flux-batch: ERROR: [Errno 22] Invalid queue 'nowhere'"
batch_cases

# --- what is Flux's own ---

batch_config
job_extra=
echo 'echo it ran' | job
check 'Flux refuses a job without a number of nodes or slots' '
	play; [ $? -eq 2 ] && logged "Number of slots to allocate must be specified"'
job_extra=$(with_arguments "-N1")
echo 'echo it ran' | job
check 'the number of a job is ASCII' 'play && batch_number | grep -x "f[1-9A-Za-z]*"'
check 'the output of the Flux shell does not overwrite the log' 'called "--output=none"'

finish
