#!/bin/sh
# A job whose build_script runs in a job of Cobalt's, which stand-ins play; however it ends there,
# GitLab's job says what happened.
# Flavours: caps sudo
. "$(dirname "$0")/lib.sh"
executor=cobalt
stand_ins='cobalt/cobalt.py cobalt/qsub cobalt/qstat cobalt/qdel'
. "$(dirname "$0")/lib-batch.sh"
install_site
at_end() { batch_stop; }
batch_start

# Cobalt has no word for memory, where the kernel ends the script, nor for a node that is lost: that
# it was is known once its end was waited for in vain.
ends_by() {
	sleeper
	began 'it is ready' && case $1 in
		memory) kill -KILL "$(script_pid)" ;;
		*) queue_order "$1" ;;
	esac
	ended
}
node_config='nfs_timeout = "3s"'

arguments='-n 1 -t 10'
hold_argument=--held
text_argument='--env=A='
says_waiting='queued, expected to start 2026-11-24 12:00:00'
says_held=user_hold
says_down='Failed to connect to'
says_memory=
memory_code=137
says_node='has no result: it has ended, but its node wrote no exit code'
says_preempt=
refused='-o x
-ox
--err x
-O x
--debuglog=x
-I
--mode=interactive
--help
-A
-A -n 2
id
-- id'
wrong_argument='--queue=nowhere'
says_wrong="the job was not submitted: qsub: <Fault 1001: \"queue 'nowhere' does not exist\">"
batch_cases

# --- what is Cobalt's own ---

batch_config
job_extra=
echo 'echo it ran' | job
check 'Cobalt refuses a job without a time limit' '
	play; [ $? -eq 2 ] && logged "'\''time'\'' not provided"'
job_extra=$(with_arguments "$arguments")
echo 'echo it ran' | job
check 'the log has the partition' 'play && logged "cobalt job $(batch_number) runs on part1"'
check 'the cobaltlog is removed with the other files of the job' '
	called " --debuglog=$(scripts_dir)/build_script.journal " && nothing_is_left'
batch_config 'retain_logs = true'
check 'retain_logs keeps the cobaltlog' 'play && grep "task completed normally\|^Jobid: " \
	"$(scripts_dir)/build_script.journal"'
rm -rf "$(scripts_dir)"
batch_config '' 'skip_cobalt_log = true
command_delay = "500ms"'
sleeper
check 'without the cobaltlog, a job has only its exit code' '
	began "is ready" && queue_order cancel; ended; [ $played -eq 1 ] && logged "exit code 1" &&
	! grep "$says_cancel" "$box/log" && called " --debuglog=/dev/null "'
batch_config
sed -i 's/^executor = .*/executor = "qsub"/' "$etc/jacamar-config.toml"
echo 'echo it ran' | job
check 'the executor has a second name' 'play && logged "it ran"'

finish
