#!/bin/sh
# A job whose build_script runs in a job of LSF's, which stand-ins play; however it ends there,
# GitLab's job says what happened.
# Flavours: caps sudo
. "$(dirname "$0")/lib.sh"
executor=lsf
stand_ins='lsf/lsf.py lsf/bsub lsf/bjobs lsf/bkill lsf/bhist'
. "$(dirname "$0")/lib-batch.sh"
install_site
at_end() { batch_stop; }
batch_start

arguments=
hold_argument=-H
text_argument='-Jd '
says_waiting='PEND (New job is waiting for scheduling;), expected to start Nov 24 12:00'
says_held='PSUSP (Job was suspended by the user while pending;)'
says_down='LSF is down. Please wait ...'
says_node='has no result: LSF has lost one of its hosts'
says_preempt='has no result: another job was given its hosts'
refused='-o x
-oo x
-J x[1-9]
-Is
-K
-Q all
-pack x
-n
-P -n 5
-W 10 id
-- id
-unheard_of 1'
wrong_argument='-q nowhere'
says_wrong='the job was not submitted: bsub: nowhere: No such queue. Job not submitted.'
batch_cases

# --- what is LSF's own ---

batch_config
echo 'echo it ran' | job
check 'the report of LSF does not overwrite the log' '
	play && called " -o /dev/null " && ! grep "Sender: LSF System" "$box/log"'
check 'LSF does not run a job again under another number' 'called " -rn "'
check 'options and their values are separate words' '
	plays_with "-n4 -W 10:00 -R '\''span[ptile=4] select[a&&b]'\''" &&
	called " -n4 -W 10:00 -R span[ptile=4] select[a&&b] -o /dev/null "'
switch_on forgets
sleeper
check 'the history of LSF has a job that LSF has forgotten' '
	began "is ready" && queue_order walltime; ended; [ $played -eq 1 ] &&
	logged "$says_walltime" && called "bhist -UF $(batch_number)"'
switch_off forgets
mkdir "$box/home/$usr/a b"
chown "$usr" "$box/home/$usr/a b"
write_config "data_dir = \"$box/home/$usr/a b\""
sed -i "s/^executor = .*/executor = \"bsub\"/" "$etc/jacamar-config.toml"
printf '[batch]\nscheduler_bin = "%s"\n' "$scheduler/bin" >>"$etc/jacamar-config.toml"
: >"$scheduler/calls"
echo 'echo it ran' | job
check 'a path that a shell would change is refused' '
	play; [ $? -eq 2 ] && logged "which lsf would replace: " && ! grep . "$scheduler/calls"'

finish
