#!/bin/sh
# A whole job, as the guide for administrators describes it.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
install_site

# A job with a cache and artifacts; most other tests play jobs without them.
job_extra='.scripts += {restore_cache: [], download_artifacts: [], after_script: ["true"], archive_cache: [],
	archive_cache_on_failure: [], upload_artifacts_on_success: [], upload_artifacts_on_failure: []}'
# calls: the stages and sub-stages of the last job, each with how it ended.
calls() { jq -r '.calls[] | "\(.substage // .stage) \(.exit)"' "$box/result.json"; }
job <<'SCRIPT'
id
/sbin/capsh --print
ps -eo user:32,args --forest -ww
SCRIPT
check 'a job succeeds' 'play --show-stages || { cat "$box/log"; false; }'
check 'each stage and sub-stage succeeds' '
	calls >"$box/calls" && diff "$box/calls" - <<-CALLS
	config 0
	prepare 0
	prepare_script 0
	get_sources 0
	restore_cache 0
	download_artifacts 0
	build_script 0
	after_script 0
	archive_cache 0
	upload_artifacts_on_success 0
	cleanup_file_variables 0
	cleanup 0
	CALLS'
check 'the job runs as the user' 'logged "uid=$(id -u "$usr")($usr)"'
check 'the job has no capability' 'grep "^Current: =" "$box/log" && ! grep "^Current: =." "$box/log"'

# The tree below the runner's call: a line "ACCOUNT COMMAND" a process.
tree() {
	grep -A5 "$entry run /" "$box/log" | sed 's/ [ |\\_]*/ /'
}
{
	echo "$runner $entry run SCRIPT build_script"
	[ "$flavour" != sudo ] ||
		echo "root sudo -n -u $usr -- $prefix/bin/jacamar --no-auth run env-script build_script"
	echo "$usr $prefix/bin/jacamar --no-auth run env-script build_script"
	echo "$usr /usr/bin/bash --login"
	echo "$usr bash $(scripts_dir)/build_script.bash"
} >"$box/expected"
check 'the process tree is the documented one' '
	tree | head -n "$(wc -l <"$box/expected")" | sed "s|run /[^ ]*|run SCRIPT|" |
		diff "$box/expected" -'
check 'no script is left' '! find "$box/home/$usr" -name "*.bash" | grep .'
check 'no process is left' no_process

job <<'SCRIPT'
exit 3
SCRIPT
check 'a failing script fails the job' 'play; [ $? -eq 1 ]'
check 'the log has the exit code of the script' 'logged "exit code 3"'
check 'the runner gets a build failure' '[ "$(stage_exit run build_script)" = 1 ]'
check 'the sub-stages after a failing script succeed' '
	calls | sed "1,/^build_script/d" >"$box/calls" && diff "$box/calls" - <<-CALLS
	after_script 0
	archive_cache_on_failure 0
	upload_artifacts_on_failure 0
	cleanup_file_variables 0
	cleanup 0
	CALLS'

finish
