#!/bin/sh
# How a script's end reaches the runner: its exit code, and never any code of another kind.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
install_site

job </dev/null
prepare_call || { cat "$box/log"; exit 1; }

# ends 'SCRIPT' CODE: the script is a build failure with that code of its own.
ends() {
	rm -f "$call"/custom-executor*/build_exit_code
	printf '%s\n' "$1" | call
	[ "$(call_exit)" = 1 ] || { echo "returned $(call_exit)"; return 1; }
	[ "$(exit_code_file)" = "$2" ] || { echo "told: $(exit_code_file)"; return 1; }
	[ "$(od -An -c "$call"/custom-executor*/build_exit_code | tr -d ' ')" = "$2\\n" ]
}

# breaks 'SCRIPT': it is a system failure, and the runner is told of no exit code.
breaks() {
	rm -f "$call"/custom-executor*/build_exit_code
	printf '%s\n' "$1" | call
	[ "$(call_exit)" = "${2:-2}" ] && ! ls "$call"/custom-executor*/build_exit_code
}

check 'exit 0 is success, and no exit code is told' '
	echo "exit 0" | call && [ "$(call_exit)" = 0 ] &&
	! ls "$call"/custom-executor*/build_exit_code'
check 'an empty script is success' 'call </dev/null && [ "$(call_exit)" = 0 ]'
for code in 1 2 3 125 126 127 128 200 255; do
	check "exit $code is a build failure with code $code" "ends 'exit $code' $code"
done
check 'exit 256 is success, as the shell has it' '
	echo "exit 256" | call && [ "$(call_exit)" = 0 ]'
check 'a command that is not there ends with code 127' 'ends "set -e; no-such-command" 127'
check 'a script with a syntax error ends with code 2' 'ends "if then" 2'
check 'a script that kills itself ends with code 137' 'ends "kill -KILL \$\$" 137'
check 'a script that crashes ends with code 139' 'ends "kill -SEGV \$\$" 139'
check 'a script that aborts as our own user side does, ends with code 134' '
	ends "kill -ABRT \$\$" 134'
check 'a script that ends its process group is a build failure' 'ends "kill 0; sleep 30" 143'
check 'a script that ends its process group with SIGINT is a build failure' 'ends "trap - INT; kill -INT 0; sleep 30" 130'
for signal in USR1:138 USR2:140 XCPU:152; do
	check "a script that sends SIG${signal%:*} to its process group is a build failure" '
		ends "kill -${signal%:*} 0; sleep 30" "${signal#*:}"'
done
check 'a script that ends its process group for good is not a success' '
	echo "kill -KILL 0" | call; [ "$(call_exit)" != 0 ]'
check 'a script that executes false ends with code 1' 'ends "exec false" 1'
check 'a script whose last process is killed ends with its code' '
	ends "sh -c \"kill -TERM \\\$\\\$\"" 143'

check 'an exit code of an earlier call is overwritten' '
	touch "$call"/custom-executor*/build_exit_code
	printf "1234567890\\nmore\\n" >"$(echo "$call"/custom-executor*/build_exit_code)"
	chown "$runner" "$call"/custom-executor*/build_exit_code
	printf "exit 7\\n" | call
	[ "$(cat "$call"/custom-executor*/build_exit_code)" = 7 ]'

check 'the runner may call its two failures by other codes: a build failure' '
	call_environment="BUILD_FAILURE_EXIT_CODE=77 SYSTEM_FAILURE_EXIT_CODE=88"
	echo "exit 5" | call; [ "$(call_exit)" = 77 ] && [ "$(exit_code_file)" = 5 ]'
check 'the runner can call its two failures by other codes: a system failure' '
	call_environment="BUILD_FAILURE_EXIT_CODE=77 SYSTEM_FAILURE_EXIT_CODE=88"
	breaks "kill -KILL 0 \$PPID; sleep 30" 88'
for value in 0 256 -1 +1 1x "''"; do
	check "a code $value that is none is the usual one" '
		call_environment="BUILD_FAILURE_EXIT_CODE=$value SYSTEM_FAILURE_EXIT_CODE=$value"
		echo "exit 5" | call; [ "$(call_exit)" = 1 ] &&
		breaks "kill -KILL \$PPID; sleep 30" 2'
done
check 'a runner that does not ask for the exit code gets the build failure all the same' '
	call_edit="s/ .BUILD_EXIT_CODE_FILE=[^ ]*//"
	echo "exit 5" | call; [ "$(call_exit)" = 1 ] && ! grep BUILD_EXIT_CODE_FILE "$call/changed.sh"'
check 'an exit code that cannot be told is a system failure' '
	call_environment="BUILD_EXIT_CODE_FILE=/nonexistent/code"
	echo "exit 5" | call | tee "$box/log"; [ "$(call_exit)" = 2 ] &&
	logged "cannot create BUILD_EXIT_CODE_FILE"'
check 'the file of the exit code is never a link' '
	ln -s ../victim "$(echo "$call"/custom-executor*)/link"
	call_environment="BUILD_EXIT_CODE_FILE=$(echo "$call"/custom-executor*)/link"
	echo "exit 5" | call; [ "$(call_exit)" = 2 ] && [ ! -e "$call/victim" ]'
check 'cleanup after all of these succeeds' 'call_cleanup && nothing_left'

# explained EXIT-CODE LINE: the job of the script from standard input has that code, with this line alone.
explained() {
	command_job
	bounded_play
	[ $? -eq 1 ] && logged "job failed: exit code $1" && [ "$(grep -c "^jacamar" "$box/log")" = 2 ] &&
		[ "$(grep "^jacamar: " "$box/log")" = "jacamar: exit code $1 means that the signal $2" ] &&
		! grep -e "< /dev/null" -e "79>&-" -e " command bash" "$box/log" || { cat "$box/log"; return 1; }
}
memory='; the usual cause is that the job ran out of memory'
check 'a script that SIGKILL ended has a plain line, and none of the login shell' '
	echo "kill -KILL \$\$" | explained 137 "SIGKILL ended the script or a command in it$memory" && ! grep Killed "$box/log"'
check 'a command that SIGKILL ended has it, too' '
	echo "sh -c \"kill -KILL \\\$\\\$\"" | explained 137 "SIGKILL ended the script or a command in it$memory"'
check 'other signals have their name, and no cause' '
	echo "kill -SEGV \$\$" | explained 139 "SIGSEGV ended the script or a command in it" &&
	echo "kill -ABRT \$\$" | explained 134 "SIGABRT ended the script or a command in it"'
check 'SIGPIPE has its usual cause: a pipeline whose last command ends first' '
	echo "yes | head -n 1 >/dev/null" | explained 141 "SIGPIPE ended the script or a command in it; the usual cause is that a later command of a pipeline, as in yes | head, ended first"'
for value in 1 128 160 255; do
	check "an exit code of $value is no signal" '
		echo "exit $value" | job; bounded_play; [ $? -eq 1 ] && ! logged "means that the signal" >/dev/null'
done
check 'what the login shell writes at its own end is in the log' '
	echo "trap \"echo the shell ends >&2\" EXIT" >"$box/home/$usr/.bash_profile"; echo "kill -KILL \$\$" | command_job; bounded_play
	rm "$box/home/$usr/.bash_profile"; logged "the shell ends"'

job_extra='.scripts.after_script = ["echo after: $CI_JOB_STATUS", "exit 9"]'
echo 'exit 3' | job
job_extra=
check 'a job whose script fails fails' 'bounded_play; [ $? -eq 1 ]'
check 'the log has the exit code of the script, not that of its after_script' 'logged "exit code 3"'
check 'the after_script of a failed job runs' 'logged "after: failed" && [ "$(stage_exit run after_script)" = 1 ]'
check 'the runner knows each code' '
	jq -e "[.calls[] | .build_exit_code // empty] == [3, 9]" "$box/result.json"'
check 'no call returned anything but 0, 1 and 2' '
	jq -e "[.calls[] | .exit] | all(. == 0 or . == 1 or . == 2)" "$box/result.json"'
check 'nothing is left' nothing_left

finish
