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
check 'it runs as the user' 'logged "uid=$(id -u "$usr")($usr)"'
check 'in an allocation' 'logged "node node" && logged "job $(slurm_number)"'
check 'whose number the log tells, and its node' 'logged "slurm job $(slurm_number) runs on node"'
check 'prepare names the executor' 'logged "executor slurm"'
check 'nothing is left of it' 'nothing_left && queue_is_empty'

# What Slurm keeps, its nodes read, and perhaps others: the wrapper, and the variables.
echo 'echo it ran with secret-of-the-script' | job
check 'no secret of the job is in what Slurm keeps' '
	play && find "$slurm/state" -name script | grep . && find "$slurm/state" -name environment | grep . &&
	! grep -raqF -e secret-of-the-script -e job-secret -e "$(token | cut -d . -f 1)." "$slurm/state"'

echo 'exit 3' | job
check 'a failing script fails the job' 'play; [ $? -eq 1 ]'
check 'with its own exit code' 'logged "exit code 3"'
check 'which Slurm knows, too' '[ "$(slurm_state "$(slurm_number)")" = FAILED ]'

printf 'trap "echo told; exit 7" TERM\necho it is ready\nsleep 600 & wait\n' | command_job
check 'a cancelled job ends, and is told to' '
	bounded_play --cancel-on "is ready"; [ $? -eq 4 ] && logged told'
check 'nothing of it is left in the queue' '
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
check 'all of them in the same directory' '
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
check 'as arguments, whatever they look like' '
	plays_with "--comment '\''$hostile'\''" && logged "Comment=$hostile"'
check 'without quotes, too' '
	plays_with "--comment=\$(touch\${IFS}$box/open/3);\$HOME" &&
	logged "Comment=\$(touch\${IFS}$box/open/3);\$HOME"'
check 'they are no commands' '! ls "$box/open" | grep .'
check 'a line is but a space between words' '
	plays_with "--time=3
-n 2" && logged "TimeLimit=00:03:00" && logged "NumTasks=2"'
check 'a line break in quotes is a part of its word' '
	plays_with "--time=3 --comment '\''a
touch $box/open/4'\''" && logged "Comment=a" && grep "^touch $box/open/4" "$box/log" &&
	! ls "$box/open" | grep .'
check 'but not of what Slurm says before the state' '
	plays_with "--job-name '\''a
   JobState=COMPLETED'\''"; [ $? -eq 1 ] && logged " is refused: "'
check 'a quote that is not closed fails the job, and is told' '
	plays_with "--comment='\''a b"; [ $? -eq 1 ] && logged "a single quote is not closed" &&
	! grep "^it ran" "$box/log"'
for option in --output=x -Hox --wai '-- id'; do
	check "$option is refused" '
		plays_with "--time=3 $option"; [ $? -eq 1 ] && logged " is refused: " &&
		! grep "^it ran" "$box/log" && queue_is_empty'
done
check 'what Slurm refuses fails the job, with what Slurm says' '
	plays_with "--partition=nowhere"; [ $? -eq 1 ] &&
	logged "the job was not submitted: sbatch: " && logged "nvalid partition"'
check 'a word of 64 KiB is a word' '
	plays_with "--comment=$(head -c 65536 /dev/zero | tr "\0" x)"; [ $? -le 1 ] &&
	{ grep "^it ran" "$box/log" || logged "the job was not submitted: sbatch"; }'
printf '%s\n' '#SBATCH --array=1-3' '#SBATCH --output=/dev/null' 'echo it ran' | command_job
check 'lines #SBATCH of the script have no effect' '
	play && [ "$(grep -c "^it ran" "$box/log")" = 1 ]'
slurm_config '' 'allow_illegal_args = true'
check 'a site may take back the refusal' 'plays_with "--output=/dev/null" && logged "it ran"'

# --- what a site sets ---

slurm_config '' 'default_args = ["--time=9 --comment '"'two words'"'", "-n 1"]'
check 'the site has arguments of its own' '
	plays_with "" && logged "TimeLimit=00:09:00" && logged "Comment=two words"'
check 'those of the job come behind, and decide' '
	plays_with "--time=8" && logged "TimeLimit=00:08:00" && logged "Comment=two words"'
slurm_config '' 'default_args = ["--output=x"]'
check 'ones that would break the driver fail each job, as the fault of the site' '
	plays_with "--time=8"; [ $? -eq 2 ] && queue_is_empty &&
	logged "batch.default_args cannot be used for sbatch: --output=x is refused: "'
slurm_config '' 'default_args = ["--partition=nowhere"]'
check 'so do ones that Slurm refuses' '
	plays_with ""; [ $? -eq 2 ] && logged "the job was not submitted: sbatch: " && logged "nvalid partition"'

slurm_config 'retain_logs = true'
echo 'echo to be kept' | job
check 'where logs are retained, that of the allocation is, too' '
	play && grep "to be kept" "$(scripts_dir)/build_script.log" &&
	! ls "$(scripts_dir)" | grep -v -e "_script.bash\$" -e "^build_script.log\$" -e "^[a-z_]*.bash\$"'
slurm_config '' "scheduler_bin = \"$box/bin\""
check 'commands that are not there are named' '
	play; [ $? -eq 2 ] && logged "cannot find the scheduler'\''s command sbatch in $box/bin"'
mkdir "$box/bin"
ln -s "$(command -v sbatch)" "$(command -v scontrol)" "$box/bin"
check 'they may lie in a directory of their own' 'play && logged "to be kept"'

finish
