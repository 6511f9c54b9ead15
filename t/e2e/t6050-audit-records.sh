#!/bin/sh
# The audit log has a record of each decision and of each stage's end, and they say what happened.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/audit.sh"
install_site
home=$box/home/$usr
log=$box/logs/audit.log
install -d -m 750 -o "$runner" "$box/logs"

enabled="enabled = true
location = \"$log\""
log_to "$enabled"

# recorded [runner's options]: plays the job with an empty audit log; returns what play does.
recorded() {
	rm -f "$log"
	bounded_play "$@"
}
# each_call_has_one: with the runner's own view of its exit code and, at most, of its time.
each_call_has_one() {
	jq -s '[.[] | {pid, stage, substage, exit}]' "$log" >"$box/records"
	jq '[.calls[] | {pid, stage, substage, exit}]' "$box/result.json" | diff "$box/records" - &&
		records --slurpfile result "$box/result.json" '[., $result[0].calls] | transpose |
			all(.[0].duration_ms >= 0 and .[0].duration_ms <= .[1].milliseconds + 1)'
}
# decisions: of the records, in their order, one a line.
decisions() { jq -r '"\(.stage) \(.substage // "-") \(.decision)"' "$log"; }

echo 'sleep 1' | job
check 'a job that succeeds has a record for each call of the runner' 'recorded && each_call_has_one'
check 'config allows it, and all the other stages are well' '
	records ".[0].decision == \"allowed\" and all(.[1:][]; .decision == \"ok\") and
		all(.exit == 0) and all(.[1:][]; has(\"reason\") | not)"'
check 'the record of config says what started the pipeline, and which rule admitted the user' '
	records ".[0].source == \"push\" and .[0].reason == \"no list is set\" and
		([.[] | has(\"runas\")] | any | not) and (.[1:] | all(has(\"source\") | not))"'
check 'the record of config has what the token says of the pipeline' '
	records ".[0] | .ref == \"main\" and .ref_protected == \"true\" and .user_access_level == \"developer\" and
		.sha == \"714a629c0b401fdce83e847fc9589983fc6f46bc\" and .runner_id == 1 and .project_id == 20 and
		.project_path == \"group/project\" and (has(\"job_project_id\") or has(\"scoped_user_id\") | not)" &&
	records ".[1:] | all(has(\"ref\") or has(\"sha\") or has(\"runner_id\") | not)"'
check 'all records of a job have one reference' 'records "[.[].reference] | unique | length == 1 and
	(.[0] | test(\"^[0-9a-f]{12}$\"))"'
check 'each record names the job, its project, who triggered it, and the account' '
	records --arg usr "$usr" --argjson uid "$(id -u "$usr")" "all(.job == 981625 and
		.project == \"group/project\" and .login == \$usr and .account == \$usr and
		.uid == \$uid)"'
check 'each record names the host, and a time of today in UTC' '
	records --arg host "$(uname -n)" "all(.host == \$host and
		(.time | test(\"^[0-9-]{10}T[0-9:]{8}[.][0-9]{3}Z$\")) and
		(.time | sub(\"[.][0-9]*Z\"; \"Z\") | fromdate | . - now | fabs < 3600))"'
check 'the time that a script takes is in its duration' '
	records "all(.[] | select(.substage == \"build_script\"); .duration_ms >= 1000)"'
check 'scripts have a code, other stages have none' '
	records "all(if .stage == \"run\" then .script_exit == 0 else has(\"script_exit\") | not end)"'
check 'the file is for the service account and its group' '
	[ "$(stat -c "%U %a" "$log")" = "$runner 640" ] || { stat "$log"; false; }'

echo 'exit 42' | job
check 'a failing script: both codes are there' '
	recorded; [ $? -eq 1 ] && each_call_has_one &&
	records "[.[] | select(.decision == \"job failed\") | [.substage, .exit, .script_exit]] ==
		[[\"build_script\", 1, 42]]"'
check 'the runner may call its failures by other codes' '
	command_job </dev/null; prepare_call; rm -f "$log"
	call_environment="BUILD_FAILURE_EXIT_CODE=77"; echo "exit 5" | call; call_environment=
	call_cleanup; records "[.[0] | .decision, .exit, .script_exit] == [\"job failed\", 77, 5]"'

echo 'echo it is ready; sleep 600' | command_job
check 'a cancelled job' '
	recorded --cancel-on "it is ready"; [ $? -eq 4 ] && each_call_has_one &&
	records "[.[] | select(.substage == \"build_script\") | .decision, .exit, .reason] ==
		[\"cancelled\", 2, \"$cancelled_line\"]"'

job_extra='.scripts += {after_script: ["true"]}'
job </dev/null
job_extra=
write_config 'data_dir = "$HOME"' "downscope = \"$downscope\"
run_stage_allowlist = [\"build_script\"]
[auth.logging]
$enabled"
check 'a sub-stage that is not run here' '
	recorded && each_call_has_one && records "[.[] | select(.decision == \"skipped\") | [.substage, .exit]] |
		any(. == [\"after_script\", 0]) and all(.[0] != \"build_script\")"'
log_to "$enabled"

# config, which is told to end while it waits for a server, for the user's shell, or for anything else

# config_told: config, alone and in the background, is told to end once the commands $1 return 0.
config_told() {
	rm -f "$log"
	configure &
	waited=$!
	wait_until "$1" && kill -TERM "$(pgrep -o -U "$runner" -f "^$entry -u config")"
	wait "$waited"
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && no_process && logged "$cancelled_line" &&
		records "last | .decision == \"cancelled\" and .stage == \"config\" and .exit == 2 and
			.job == 981625 and .project == \"group/project\""
}
receive silent tcp
at_end() { end_receivers; }
check 'a config that is cancelled while it waits for the keys of the server' '
	job "$(token iss="http://$at")" </dev/null
	sed -i "s|^jwks_file.*|gitlab_server = \"http://$at\"|" "$etc/jacamar-config.toml"
	config_told "grep -q \":$(printf %04X "${at#*:}") 01 \" /proc/net/tcp"'
job </dev/null
check 'a config that is cancelled while a profile of the user hangs' '
	write_config "data_dir = \"\$PLACE\"
kill_timeout = \"2s\"" "downscope = \"$downscope\"
[auth.logging]
$enabled"
	echo "touch ~/up; sleep 600" >"$home/.bash_profile"
	config_told "[ -e $home/up ]"; code=$?; rm -f "$home/.bash_profile" "$home/up"; exit $code'
log_to "$enabled"
told_before='import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.kill(os.getpid(), signal.SIGTERM)
os.execv(sys.argv[1], sys.argv[1:])'
check 'a config that is cancelled before it has begun' '
	rm -f "$log"; configure python3 -c "$told_before"
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && logged "$cancelled_line" &&
	records "[.[] | .decision, .job] == [\"cancelled\", 981625]"'

# A fork's pipeline, and a machine account that acts for a person

job_extra='.response.job_info += {scoped_user_id: 42}'
job "$(token job_project_id=20 job_project_path=group/project project_id=99 project_path=usr/project)" </dev/null
job_extra=
check 'a refused pipeline of a fork: its record names both projects' '
	recorded; [ $? -eq 1 ] && records "all(.decision == \"refused\" and .project == \"group/project\" and
		.project_id == 99 and .project_path == \"usr/project\" and .job_project_id == 20 and
		.job_project_path == \"group/project\" and .scoped_user_id == 42 and
		(.reason | test(\"^this pipeline runs code from the fork usr/project \")))"'
check 'an admitted pipeline of a fork: its records have the project of the job' '
	log_to "$enabled" && sed -i "s/^downscope/allow_fork_pipelines = true\n&/" "$etc/jacamar-config.toml"
	recorded && records "all(.project == \"group/project\") and .[0].decision == \"allowed\" and
		.[0].project_path == \"usr/project\" and .[0].job_project_path == \"group/project\""'
log_to "$enabled"
sed -i "s/^downscope/identity_provider = \"ldapmain\"\n&/" "$etc/jacamar-config.toml"
job "$(token user_login=chosen user_identities:="[{\"provider\": \"ldapmain\", \"extern_uid\": \"uid=$usr,dc=x\"}]")" </dev/null
check 'where an identity names the account, the record of config has it beside the login' '
	recorded && records --arg usr "$usr" ".[0] | .decision == \"allowed\" and .login == \"chosen\" and
		.account == \$usr and .provider == \"ldapmain\" and .extern_uid == \"uid=\" + \$usr + \",dc=x\"" &&
	records ".[1:] | all(has(\"provider\") or has(\"extern_uid\") | not)"'
log_to "$enabled"

# A refusal

log_to "$enabled" && sed -i "s/^downscope/pipeline_source_allowlist = [\"web\"]\n&/" "$etc/jacamar-config.toml"
job </dev/null
check 'a refused job: its log has a reference and whom to ask, and no reason' '
	recorded; [ $? -eq 1 ] && logged "$neutral" && ! grep allowlist "$box/log"'
check 'a refused job: its reason is in the log under that reference' '
	reference=$(neutral_reference) && [ -n "$reference" ] &&
	grep -F "\"reference\":\"$reference\"" "$log" >"$box/found" && [ "$(wc -l <"$box/found")" -eq 1 ] &&
	jq -e --arg usr "$usr" ".decision == \"refused\" and .exit == 1 and .stage == \"config\" and .job == 981625 and
		(.reason | test(\"pipeline_source_allowlist\")) and .login == \$usr and
		(has(\"account\") or has(\"uid\") | not)" "$box/found" || { cat "$box/log" "$log"; false; }'
log_to "$enabled"
job "$(token exp@=-3600)" </dev/null
check 'a refused job: its record names nobody whom the token does not prove' '
	recorded; [ $? -eq 1 ] && records "all(.decision == \"refused\" and .exit == 1 and (.reason | test(\"expired\")) and
		(has(\"login\") or has(\"account\") or has(\"uid\") | not))"'
check 'a refused job: its record names a person who is known' '
	job "$(token user_login=bin)" </dev/null; recorded; [ $? -eq 1 ] &&
	records "all(.decision == \"refused\" and .login == \"bin\" and .account == \"bin\" and
		.uid == 2 and (.reason | test(\"account bin is closed|uid 2 of bin\")))"'
check 'a refused job: its record names the rule that refused it, which other records do not have' '
	records "all((.rule == \"shell\" or .rule == \"uid\") and .decision == \"refused\")" &&
	job "$(token exp@=-3600)" </dev/null; recorded; records "all(has(\"rule\") | not)"'
say_why
check 'a refused job: with -u its log has the reference and the reason' '
	job "$(token exp@=-3600)" </dev/null; recorded; [ $? -eq 1 ] &&
	logged "$refused_because $(jq -rs "last | .reference" "$log")): $(jq -rs "last | .reason" "$log")"'
write_runner_config
# The state of one job with the response of another.
check 'a later stage that refuses has a record' '
	echo "touch ~/ran" | job; prepare_call && rm -f "$log" &&
	find "$call" -name "*response*" -exec sed -i "s/981625/981626/" {} + &&
	{ call_with; [ $? -eq 2 ]; } && [ ! -e "$home/ran" ] &&
	logged "$refused_because $(jq -r .reference "$log")): $neutral" &&
	records "length == 1 and .[0].decision == \"refused\" and .[0].substage == \"build_script\" and
		.[0].reason == \"the state is of job 981625, this is job 981626\" and .[0].exit == 2"'

# Failures that are none of the job's

check 'a failure of config' '
	job </dev/null; sed -i "s|^jwks_file.*|jwks_file = \"$box/none\"|" "$etc/jacamar-config.toml"
	recorded; [ $? -eq 2 ]; records "all(.decision == \"failed\" and .stage == \"config\" and
		.exit == 2 and (.reason | test(\"none: No such file\")))"'
log_to "$enabled"
check 'a profile that ends the login shell: the reason is in the log of the job' '
	echo "exit 0" >"$home/.bash_profile"; job </dev/null; recorded; [ $? -eq 2 ] &&
	rm "$home/.bash_profile" && each_call_has_one &&
	records "any(.decision == \"failed\" and .exit == 2 and
		.reason == \"the reason is in the log of the job\")"'
check 'a user side that is killed' '
	printf "%s\n" "kill -KILL \$(ps -o ppid= -p \$PPID)" | job; recorded; [ $? -eq 2 ] &&
	records "any(.decision == \"failed\" and .substage == \"build_script\" and
		(.reason | test(\"killed by signal 9\")))"'
check 'a sub-stage whose name is none' '
	job </dev/null; prepare_call && rm -f "$log" && sed -i "s/build_script/bad name/" "$call/call.sh"
	call_with; [ $? -eq 2 ] && records "length == 1 and (.[0].reason | test(\"not the name of a sub-stage\")) and
		.[0].decision == \"failed\" and .[0].substage == \"bad name\""'
end_all

# Levels. counted: how many records of each decision there are, of a job that is well, one whose
# script fails, one that is refused, and one that fails.
counted() {
	log_to "$enabled
level = \"$1\""
	rm -f "$log"
	job </dev/null
	bounded_play
	cp "$box/result.json" "$box/good.json"
	echo 'exit 1' | job
	bounded_play
	job "$(token exp@=-3600)" </dev/null
	bounded_play
	job </dev/null
	sed -i "s|^jwks_file.*|jwks_file = \"$box/none\"|" "$etc/jacamar-config.toml"
	bounded_play
	touch "$log"
	jq -s 'group_by(.decision) | map({key: .[0].decision, value: length}) | from_entries' "$log"
}
check 'level error has failures alone' '
	counted error >"$box/counts"; cat "$box/counts"; jq -e "keys == [\"failed\"]" "$box/counts"'
check 'level warn has refusals as well' '
	counted warn >"$box/counts"; cat "$box/counts"; jq -e "keys == [\"failed\", \"refused\"]" "$box/counts"'
check 'level info has all that ends' '
	counted info >"$box/counts"; cat "$box/counts"
	jq -e "keys == [\"allowed\", \"failed\", \"job failed\", \"ok\", \"refused\"]" "$box/counts"'
check 'level debug has a start for each end, cleanup included' '
	counted debug >"$box/counts"; cat "$box/counts"
	jq -e "keys == [\"allowed\", \"failed\", \"job failed\", \"ok\", \"refused\", \"started\"] and
		.started * 2 == ([.[]] | add)" "$box/counts" &&
	records "any(.decision == \"started\" and .stage == \"cleanup\") and
		all(.[] | select(.decision == \"started\"); .job == 981625 and
			.project == \"group/project\") and
		all(.[] | select(.decision == \"started\"); has(\"exit\") or has(\"reason\") | not)"'
check 'the file is not touched where the audit log is not enabled' '
	log_to "location = \"$log\""; job </dev/null; recorded && [ ! -e "$log" ]'

# Many at once

log_to "$enabled
level = \"debug\""
# play_nth N: job 700000 + N, with files of its own.
play_nth() {
	local id=$((700000 + $1)) dir=$box/home/$runner/nth.$1
	install -d -m 700 -o "$runner" "$dir"
	job "$(token job_id=$id)" </dev/null
	jq --argjson id "$id" --arg n "$1" '.response.id = $id | .custom_env.CI_CONCURRENT_PROJECT_ID = $n' \
		"$box/job.json" >"$dir/job.json"
	chmod 644 "$dir/job.json"
	as "$runner" sh -c 'cd "$1" && exec "$2" --timeout 300 "$3" job.json' - "$dir" \
		"$build_for_all/t/runner" "$etc/config.toml" >"$box/log.$1" 2>&1 &
	pids="$pids $!"
}
check 'twenty jobs at once leave whole lines, and each its own' '
	rm -f "$log"; pids=
	for n in $(seq 20); do play_nth "$n"; done
	code=0; for pid in $pids; do wait "$pid" || code=1; done
	[ $code -eq 0 ] || { grep -L "job succeeded" "$box"/log.* | xargs cat; exit 1; }
	! grep -v "^{.*}$" "$log" && records "length as \$all | group_by(.job)
		| map(select(.[0].job)) | length == 20 and (map(length) | unique | length == 1) and
		(map(map(.reference) | unique | length) | unique == [1])"'
check 'a log that is rotated meanwhile goes on in a new file' '
	rm -f "$log" "$log.1"; printf "%s\n" "$hold" | job; hold_job; mv "$log" "$log.1"; let_go &&
	cat "$log.1" "$log" | jq -es "[.[] | select(.decision != \"started\") | [.stage, .substage]] ==
		(\$result[0].calls | map([.stage, .substage]))" --slurpfile result "$box/result.json" &&
	[ "$(stat -c "%U %a" "$log")" = "$runner 640" ]'

# Without a change of account

check 'jacamar --no-auth writes the same log' '
	install -d -m 700 -o "$runner" "$box/home/$runner/data"
	write_config "data_dir = \"$box/home/$runner/data\"" "[auth.logging]
$enabled"
	sed -i -e "s|/bin/jacamar-auth|/bin/jacamar|; s|_args = \[|&\"--no-auth\", |" "$etc/config.toml"
	job "" </dev/null; recorded && each_call_has_one &&
	records --arg runner "$runner" "all(.account == \$runner and .job == 981625 and
		(has(\"login\") | not)) and .[0].decision == \"allowed\""'
check 'jacamar --no-auth config that was told to end does not go on' '
	entry="$prefix/bin/jacamar --no-auth"; rm -f "$log"; configure python3 -c "$told_before"
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && records "[.[].decision] == [\"cancelled\"]"'

finish
