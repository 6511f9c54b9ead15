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

# --- jobs that the script submits itself ---

echo "PATH=$scheduler/bin:\$PATH" >"$box/home/$usr/.bash_profile"
chown "$usr" "$box/home/$usr/.bash_profile"
submit='bsub -H -o /dev/null'
printf '%s\n' "echo \"first \$($submit id)\"" "bash -c 'echo \"second \$($submit -J x id)\"'" \
	"echo \"other \$($submit -Jd mine id)\"" 'echo it is ready' 'sleep 600' | command_job
number_after() { sed -n "s/^$1 Job <\([0-9]*\)> .*/\1/p" "$box/log"; }
in_queue() { queue | grep "^$(number_after "$1") "; }
cancel_other() { "$scheduler/bin/standin.py" order "$(number_after other)" cancel; wait_until '! in_queue other'; }
check 'jobs that the script has submitted are cancelled with the job' '
	began "is ready" --cancel-on "is ready"; ended; [ $? -eq 4 ] && [ -n "$(number_after second)" ] &&
	wait_until "! in_queue first && ! in_queue second" &&
	logged "cancelled batch jobs that the script had submitted itself: $(number_after first), $(number_after second)"'
check 'a job with a description of its own is not' 'in_queue other && cancel_other'
check 'a pack of jobs is submitted without another option' '
	: >"$scheduler/calls"; echo "bsub -pack /dev/null; :" | job; play; called "bsub -pack /dev/null"'
printf '%s\n' "echo \"first \$($submit id)\"" | job
check 'they remain if the script ends by itself' 'play && in_queue first'
"$scheduler/bin/standin.py" order "$(number_after first)" cancel
check 'a cancel without such jobs finds none, and says nothing of them' '
	wait_until "! in_queue first"; sleeper; began "is ready" --cancel-on "is ready"; ended; [ $? -eq 4 ] &&
	called "jobid job_description" && ! grep "submitted itself" "$box/log"'
rm -f "$box/home/$usr/.bash_profile"

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
