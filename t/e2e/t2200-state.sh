#!/bin/sh
# What config decided is handed on by the runner alone, and checked once more by every later stage.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
install_site
say_why
open=$box/open
mkdir -m 1777 "$open"

marking_job() {
	printf '%s\n' "id -un >>$open/ran" | job "$@"
}
ran_as() { [ "$(cat "$open/ran" 2>/dev/null)" = "$1" ]; }

# make_state: the state that config makes for a job of $two.
make_state() {
	job "$(token user_login="$two")" </dev/null
	configure && jq -r .job_env.JACAMAR_CI_STATE "$box/answer"
}
forged=$(make_state)
rm -rf "$box/home/$two/.jacamar-ci"
except none 'all jobs are of one account' check 'a forged state is a good one' 'printf %s "$forged" | jq -e --arg name "$two" ".account.name == \$name"'

# A job's author can say what they like
job_extra='.custom_env.JACAMAR_CI_STATE = "STATE" |
	.response.variables += [{key: "JACAMAR_CI_STATE", value: "STATE"}]'
marking_job
jq --arg state "$forged" '(.. | select(. == "STATE")) |= $state' "$box/job.json" >"$box/job.new"
mv "$box/job.new" "$box/job.json"
check 'a state among the job variables has no effect' '
	grep -q "group/project/981625" "$box/job.json" && play && ran_as "$usr" &&
	[ ! -e "$box/home/$two/.jacamar-ci" ] || { cat "$box/log"; false; }'
job_extra=
rm -f "$open/ran"

marking_job
prepare_call || { cat "$box/log"; exit 1; }
check 'the run call alone works (so that the next tests tell something)' 'call_with && ran_as "$usr"'
tr '\0' '\n' <"$call/env" | sed -n 's/^JACAMAR_CI_STATE=//p' >"$box/state"
rm -f "$open/ran"

# refuses_run 'TEXT' [COMMAND...]: the run call, so changed, runs nothing and says TEXT alone.
refuses_run() {
	local text="$1" code
	shift
	rm -f "$open/ran"
	call_with "$@"
	code=$?
	[ $code -eq 2 ] && [ ! -e "$open/ran" ] && no_process && [ "$(wc -l <"$box/log")" -eq 1 ] &&
		logged "$text" || { echo "exit code $code"; cat "$box/log"; return 1; }
}

check 'a forged state beside the true one has no effect' '
	call_with env CUSTOM_ENV_JACAMAR_CI_STATE="$forged" && ran_as "$usr"'
rm -f "$open/ran"
check 'without a state run fails' 'refuses_run "JACAMAR_CI_STATE is not set" env -u JACAMAR_CI_STATE'
check 'a job variable does not replace the state' '
	refuses_run "JACAMAR_CI_STATE is not set" env -u JACAMAR_CI_STATE CUSTOM_ENV_JACAMAR_CI_STATE="$(cat "$box/state")"'

# The state of another job
jq -c '.response | .id = 981626' "$box/job.json" >"$etc/other.json"
chown "$runner" "$etc/other.json"
check 'the state of another job is refused' '
	refuses_run "the state is of job 981625, this is job 981626" env JOB_RESPONSE_FILE="$etc/other.json"'
check 'a call without a job response is refused' 'refuses_run "JOB_RESPONSE_FILE is not set" env -u JOB_RESPONSE_FILE'
check 'a call whose job response is not there is refused' '
	refuses_run "cannot open the job response /nonexistent" env JOB_RESPONSE_FILE=/nonexistent'

# damaged TITLE FILTER TEXT [FLAVOURS]: the true state, changed by the jq filter; skipped in these.
damaged() {
	changed=$(jq -c "$2" "$box/state")
	text=$3
	except "${4:-}" 'all jobs are of one account' check "$1" '[ "$changed" != "$(cat "$box/state")" ] && refuses_run "$text" env JACAMAR_CI_STATE="$changed"'
}
damaged 'a state without an account is refused' 'del(.account)' "the job's state is damaged"
damaged 'a state without a version is refused' 'del(.version)' "the job's state is damaged"
damaged 'a state of another version is refused' '.version = 1' "the job's state has version 1"
damaged 'a state with a negative uid is refused' '.account.uid = -1' "the job's state is damaged"
damaged 'a state with a uid beyond 32 bits is refused' '.account.uid += 4294967296' "the job's state is damaged"
damaged 'a state with a text for a uid is refused' '.account.uid = "0"' "the job's state is damaged"
damaged 'a state with the uid of root is refused' \
	'.account.uid = 0 | .account.gid = 0 | .account.groups = [0]' "$usr is root, and no job runs as root"
damaged 'a state with another account'"'"'s uid is refused' ".account.uid = $(id -u "$two")" \
	"account $usr has another uid or gid than when the job began"
damaged 'a state with another account'"'"'s gid is refused' ".account.gid = $(id -g "$two") |
	.account.groups = [$(id -g "$two")]" \
	"account $usr has another uid or gid than when the job began"
damaged 'a state with another account'"'"'s name is refused' ".account.name = \"$two\"" \
	"account $two has another uid or gid than when the job began" none
damaged 'a state without the primary group among the groups is refused' '.account.groups = [0]' \
	"the job's state is damaged: account.groups lacks account.gid" none
damaged 'a state with a group that is none is refused' '.account.groups += [4294967295]' "the job's state is damaged"
damaged 'a state with the name of root is refused' '.account.name = "root"' \
	"account root has another uid or gid than when the job began" none
damaged 'a state with a name that is a path is refused' '.account.name = "../root"' "the job's state is damaged"
damaged 'a state with a name that is too long is refused' '.account.name = ("a" * 65)' "the job's state is damaged"
damaged 'a state with a relative directory is refused' '.directories.scripts = "tmp"' "the job's state is damaged"
damaged 'a state with a newline in a directory is refused' '.directories.base += "\n"' "the job's state is damaged"
damaged 'a state with scripts outside of the base is refused' '.directories.scripts = "/tmp/981625"' "is not in"
damaged 'a state with scripts above the base is refused' '.directories.scripts = .directories.base + "/../x"' "'..'"
damaged 'a state with another program is refused' ".job.jacamar = \"$open/jacamar\"" "$open"
damaged 'a state with a downscope that is none is refused' '.auth.downscope = 9' "the job's state is damaged"
damaged 'a state with a limit that is none is refused' '."auth.limits".nofile = "many"' "the job's state is damaged"
damaged 'a state with an environment that is none is refused' '.auth.downscope_env = [1]' "the job's state is damaged"
damaged 'a state without a setting is refused' 'del(.auth.no_new_privs)' "the job's state is damaged: auth.no_new_privs"
damaged 'a state with a member that is not known is refused' '.auth.more = true' "the job's state is damaged"
for text in '' '{' '[]' 'null' '{"version":6}' 'root'; do
	check "'$text' is no state" 'refuses_run "the job'"'"'s state is" env JACAMAR_CI_STATE="$text"'
done
twice=$(sed 's/"uid":/"uid":0,"uid":/' "$box/state")
check 'a state with a duplicate member is refused' '
	refuses_run "the job'"'"'s state is not JSON" env JACAMAR_CI_STATE="$twice"'
check 'the state itself is still good' 'call_with && ran_as "$usr"'
rm -f "$open/ran"

# The account may change while a job waits
old_uid=$(id -u "$usr")
for new_uid in $(shuf -i 28000-29999 -n 50); do
	getent passwd "$new_uid" >/dev/null || break
done
usermod -u "$new_uid" "$usr"
check 'an account whose uid changed is refused' '
	refuses_run "account $usr has another uid or gid than when the job began"'
check 'cleanup goes by the uid of the state, and touches nothing of who has the name now' '
	cp -p "$call/cleanup.sh" "$box/cleanup.sh" && sed -i "s/^rm -rf.*//" "$call/cleanup.sh" &&
	{ cleanup_with; [ $? -eq 2 ]; } &&
	[ -d "$box/home/$usr/.jacamar-ci/scripts/short/000/group/project/981625" ]'
cp -p "$box/cleanup.sh" "$call/cleanup.sh"
usermod -u "$old_uid" "$usr"
group=$(id -g "$usr")
usermod -g "$two" "$usr"
check 'an account whose group changed is refused' '
	refuses_run "account $usr has another uid or gid than when the job began"'
usermod -g "$group" "$usr"
usermod -l "$usr"x "$usr"
# By its uid: the account has no name now.
except none 'the service itself is gone then' check 'an account that is gone is refused' "
	no_process() { ! living \"\$old_uid\"; }
	refuses_run \"there is no local account '\$usr'\""
usermod -l "$usr" "$usr"x

# Later stages without a state
check 'prepare without a state fails' '
	as "$runner" $entry prepare >"$box/log" 2>&1; [ $? -eq 2 ] &&
	[ "$(wc -l <"$box/log")" -eq 1 ] && logged "JACAMAR_CI_STATE is not set: is config_exec set"'
check 'cleanup without a state has nothing to clean up, and silently succeeds' '
	as "$runner" $entry cleanup --configuration "$etc/jacamar-config.toml" >"$box/log" 2>&1 &&
	[ ! -s "$box/log" ]'
check 'cleanup with a damaged state fails' '
	as "$runner" JACAMAR_CI_STATE=x $entry cleanup >"$box/log" 2>&1; [ $? -eq 2 ] &&
	logged "the job'"'"'s state is not JSON"'
check 'the true state cleans up' 'cleanup_with &&
	[ ! -e "$box/home/$usr/.jacamar-ci/scripts/short/000/group/project/981625" ] && no_process'

# The state is the auth process's own word: what the user's shell prints is never part of it.
cat >"$box/home/$usr/.bash_profile" <<PROFILE
export SITE_DATA=$open/data
printf '%s\n' '$(make_state | jq -c '{job_env: {JACAMAR_CI_STATE: tostring}, builds_dir: "/tmp", cache_dir: "/tmp"}')'
PROFILE
chown "$usr" "$box/home/$usr/.bash_profile"
mkdir -m 1777 "$open/data"
write_config 'data_dir = "$SITE_DATA"'
marking_job
check "what a user's profile prints is not config's answer" '
	configure && jq -es ".[0] | .builds_dir == \"$open/data/$usr/builds/short/000\"" "$box/answer" &&
	[ "$(jq -s length "$box/answer")" -eq 1 ] &&
	[ "$(jq -r ".job_env.JACAMAR_CI_STATE | fromjson | .account.name" "$box/answer")" = "$usr" ] || {
	cat "$box/answer" "$box/log"; false; }'
check 'a job runs as the user although the profile prints something' 'play && ran_as "$usr" || { cat "$box/log"; false; }'

finish
