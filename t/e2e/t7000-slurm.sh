#!/bin/sh
# A job whose build_script runs in an allocation of Slurm's, as the user.
# Flavours: caps sudo
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-slurm.sh"
install_site
at_end() { slurm_stop; }
slurm_start
slurm_config

job <<'SCRIPT'
id
echo "node ${SLURMD_NODENAME:-none}, job $SLURM_JOB_ID"
SCRIPT
check 'a job succeeds' 'play || { cat "$box/log"; false; }'
check 'the job runs as the user' 'logged "uid=$(id -u "$usr")($usr)"'
check 'the script runs in an allocation' 'logged "node node" && logged "job $(slurm_number)"'
check 'the log has the number of the job and its node' 'logged "slurm job $(slurm_number) runs on node"'
check 'prepare names the executor' 'logged "executor slurm"'
check 'no file and no batch job of it is left' 'nothing_left && queue_is_empty'

# What Slurm keeps, its nodes read, and perhaps others: the wrapper, and the variables.
echo 'echo it ran with secret-of-the-script' | job
check 'the files that Slurm keeps have no secret of the job' '
	play && find "$slurm/state" -name script | grep . && find "$slurm/state" -name environment | grep . &&
	! grep -raqF -e secret-of-the-script -e job-secret -e "$(token | cut -d . -f 1)." "$slurm/state"'

echo 'exit 3' | job
check 'a failing script fails the job' 'play; [ $? -eq 1 ]'
check 'the job has the exit code of the script' 'logged "exit code 3"'
check 'Slurm has the state FAILED for it' '[ "$(slurm_state "$(slurm_number)")" = FAILED ]'

# consumed LINES: its script sends its log through a slow consumer of its own; all of it arrives.
consumed() {
	cat >"$box/script" <<-SCRIPT
		exec > >(while IFS= read -r l; do sleep 0.002; echo "\$l"; done) 2>&1
		seq 1 $1; echo "error: the reason"; exit 7
	SCRIPT
	command_job <"$box/script"
	play
	[ $? -eq 1 ] && logged "exit code 7" && logged "error: the reason" &&
		[ "$(grep -cxE "[0-9]+" "$box/log")" = "$1" ]
}
# How long a consumer takes depends on how busy the machine is.
slurm_config 'kill_timeout = "1200s"'
check 'a process that writes the output of the script has time to end' 'consumed 300'
check '2,000 lines of such a process arrive' 'consumed 2000'
slurm_config
check 'a process that holds the log open is named, and does not delay the end for long' '
	echo "sleep 600 & echo it ran" | command_job; play && logged "it ran" &&
	grep "the job log is still held open by [0-9]* (sleep) (1 in all)" "$box/log" && logged "start a daemon with </dev/null >FILE 2>&1"'

printf 'trap "echo told; exit 7" TERM\necho it is ready\nsleep 600 & wait\n' | command_job
check 'a cancelled job gets SIGTERM and ends' '
	bounded_play --cancel-on "is ready"; [ $? -eq 4 ] && logged told'
check 'the cancelled job has left the queue' '
	logged "slurm job $(slurm_number) is gone from the queue" && queue_is_empty && nothing_left &&
	[ "$(slurm_state "$(slurm_number)")" = CANCELLED ]'

# --- the other sub-stages ---

# shellcheck disable=SC2089,SC2090 # it is a line of a script, not of this one
say_where='echo "$1 in job ${SLURM_JOB_ID:-none}, $PWD"; echo "$1" >>file'
# shellcheck disable=SC2090
export say_where
job_extra='.scripts += ({
	prepare_script: "prepare", get_sources: "get", restore_cache: "restore",
	download_artifacts: "download", step_extra: "extra", after_script: "after",
	archive_cache: "archive", upload_artifacts_on_success: "upload",
	cleanup_file_variables: "cleanup"
} | map_values(["set -- \(.)", env.say_where]))'
printf '%s\n' 'set -- build' "$say_where" | job
check 'a job of all sub-stages succeeds' 'play || { cat "$box/log"; false; }'
for stage in get restore download after archive upload; do
	check "$stage runs on the login node" 'logged "$stage in job none, "'
done
for stage in build extra; do
	check "$stage runs in an allocation" 'grep "^$stage in job [0-9]" "$box/log"'
done
check 'all sub-stages run in the same directory' '
	sed -n "s/^[a-z]* in job [a-z0-9]*, //p" "$box/log" | sort | uniq -c >"$box/places"
	cat "$box/places"
	grep -x " *7 $box/home/$usr/.jacamar-ci/builds/short/000/group/project" "$box/places"'
job_extra=

# --- the arguments of the job's author ---

# plays_with TEXT: plays a job with these arguments; it prints what Slurm has made of them.
plays_with() {
	job_extra=$(with_arguments "$1")
	printf '%s\n' 'echo it ran' 'scontrol --local show job "$SLURM_JOB_ID"' | job
	job_extra=
	play
}

check 'arguments reach sbatch' '
	plays_with "--time=7 -n 2 --job-name \"my job\"" && logged "TimeLimit=00:07:00" &&
	logged "NumTasks=2" && logged "JobName=my job"'
hostile="a;touch $box/open/1 \$(touch $box/open/2) \`id\` | x & y"
mkdir -m 1777 "$box/open"
check 'arguments with special characters reach sbatch unchanged' '
	plays_with "--comment '\''$hostile'\''" && logged "Comment=$hostile"'
check 'arguments without quotes reach sbatch unchanged' '
	plays_with "--comment=\$(touch\${IFS}$box/open/3);\$HOME" &&
	logged "Comment=\$(touch\${IFS}$box/open/3);\$HOME"'
check 'no argument is executed' '! ls "$box/open" | grep .'
check 'a line break separates arguments' '
	plays_with "--time=3
-n 2" && logged "TimeLimit=00:03:00" && logged "NumTasks=2"'
check 'a line break in quotes is part of its argument' '
	plays_with "--time=3 --comment '\''a
touch $box/open/4'\''" && logged "Comment=a" && grep "^touch $box/open/4" "$box/log" &&
	! ls "$box/open" | grep .'
check 'a line break in a value that Slurm prints before the state is refused' '
	plays_with "--job-name '\''a
   JobState=COMPLETED'\''"; [ $? -eq 1 ] && logged " is refused: "'
check 'an unclosed quote fails the job with the reason' '
	plays_with "--comment='\''a b"; [ $? -eq 1 ] &&
	logged "the arguments for sbatch in SCHEDULER_PARAMETERS cannot be used: a single quote is not closed" &&
	! grep "^it ran" "$box/log"'
check 'an option that Slurm does not know fails the job with its name' '
	plays_with "--nodse=1"; [ $? -eq 1 ] && logged "the job was not submitted: sbatch: " &&
	grep "unrecognized option.*--nodse=1" "$box/log"'
for option in --output=x -Hox --wai '-- id'; do
	check "$option is refused" '
		plays_with "--time=3 $option"; [ $? -eq 1 ] && logged " is refused: " &&
		! grep "^it ran" "$box/log" && queue_is_empty'
done
check 'a request that Slurm refuses fails the job with the reason from Slurm' '
	plays_with "--partition=nowhere"; [ $? -eq 1 ] &&
	logged "the job was not submitted: sbatch: " && logged "nvalid partition"'
check 'an argument of 64 KiB reaches sbatch' '
	plays_with "--comment=$(head -c 65536 /dev/zero | tr "\0" x)"; [ $? -le 1 ] &&
	{ grep "^it ran" "$box/log" || logged "the job was not submitted: sbatch"; }'
printf '%s\n' '#SBATCH --array=1-3' '#SBATCH --output=/dev/null' 'echo it ran' | command_job
check 'lines #SBATCH of the script have no effect' '
	play && [ "$(grep -c "^it ran" "$box/log")" = 1 ]'
slurm_config '' 'allow_illegal_args = true'
check 'allow_illegal_args allows refused arguments' 'plays_with "--output=/dev/null" && logged "it ran"'

# --- what a site sets ---

slurm_config '' 'default_args = ["--time=9 --comment '"'two words'"'", "-n 1"]'
check 'default_args reach sbatch' '
	plays_with "" && logged "TimeLimit=00:09:00" && logged "Comment=two words"'
check 'arguments of the job follow those of the site, and take precedence' '
	plays_with "--time=8" && logged "TimeLimit=00:08:00" && logged "Comment=two words"'
slurm_config '' 'default_args = ["--output=x"]'
check 'a refused argument of the site is a system failure of each job' '
	say_why; plays_with "--time=8"; [ $? -eq 2 ] && queue_is_empty &&
	logged "batch.default_args cannot be used for sbatch: --output=x is refused: "'
slurm_config '' 'default_args = ["--partition=nowhere"]'
check 'an argument of the site that Slurm refuses is a system failure' '
	plays_with ""; [ $? -eq 2 ] && logged "the job was not submitted: sbatch: " && logged "nvalid partition"'

slurm_config 'retain_logs = true'
echo 'echo to be kept' | job
check 'retain_logs keeps the log of the batch job' '
	play && grep "to be kept" "$(scripts_dir)/build_script.log" &&
	! ls "$(scripts_dir)" | grep -v -e "_script.bash\$" -e "^build_script.log\$" -e "^[a-z_]*.bash\$"'
slurm_config '' "scheduler_bin = \"$box/bin\""
check 'a missing command of the scheduler is named' '
	play; [ $? -eq 2 ] && logged "cannot find the scheduler'\''s command sbatch in $box/bin"'
mkdir "$box/bin"
ln -s "$(command -v sbatch)" "$(command -v scontrol)" "$box/bin"
check 'scheduler_bin names the directory of the commands' 'play && logged "to be kept"'

finish
