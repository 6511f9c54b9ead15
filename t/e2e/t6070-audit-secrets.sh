#!/bin/sh
# Neither the audit log nor anything that the program says has a secret of a job, whatever becomes
# of the job.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/audit.sh"
install_site
call=$box/home/$runner/call
logs=$box/logs
install -d -m 750 -o "$runner" "$logs"

# What must not be in any log: the job's token of GitLab, a variable, a part of the script. No piece
# of it either: it may stand where a file was cut.
job_extra='.response.token = "marked-job-token" |
	.response.git_info.repo_url =
		"https://gitlab-ci-token:marked-job-token@gitlab.example.com/group/project.git" |
	.response.variables += [{key: "DEPLOY_KEY", value: "marked-variable", masked: true},
		{key: "CI_JOB_TOKEN", value: "marked-job-token", masked: true}]'
script='x="$DEPLOY_KEY"; : marked-script "$CI_JOB_TOKEN"'

# keep: what the last call or job has left behind; of the job's log the program's own lines, since
# the runner's script prints its commands.
keep() {
	cat "$got" >>"$box/kept.audit"
	grep '^jacamar' "$box/log" >>"$box/kept.log"
	rm -f "$got"
	cat "$box/log"
}
# no_secret [TOKEN]: none in all that was kept, and something was.
no_secret() {
	local part
	echo marked >"$box/secrets"
	# All parts of a token: the whole one may have been cut.
	for part in $(printf '%s' "${1:-}" | tr . ' '); do
		printf '%.40s\n' "$part"
	done >>"$box/secrets"
	[ -s "$box/kept.audit" ] && ! grep -Ff "$box/secrets" "$box/kept.audit" "$box/kept.log"
}
# plays 'TITLE' CODE TOKEN [runner's options]: a job with that token, which ends with CODE.
plays() {
	title=$1 wanted=$2 token=$3
	shift 3
	options=$*
	check "$title" '
		rm -f "$box"/kept.*; printf "%s\n" "$script" "${more:-}" | job "$token"
		$how bounded_play $options; [ $? -eq $wanted ]; result=$?; keep; [ $result -eq 0 ] && no_secret "$token"'
}
# play_all 'LINES' NAME [COMMAND...]: with the audit log as the lines of [auth.logging] have it, the
# jobs played by COMMAND.
play_all() {
	local name=$2
	log_to "enabled = true
level = \"debug\"
$1"
	shift 2
	how=$*
	plays "$name: a job that succeeds" 0 "$(token)"
	more='exit 3' plays "$name: a script that fails" 1 "$(token)"
	more='kill -KILL $(ps -o ppid= -p $PPID)' plays "$name: a user side that dies" 2 "$(token)"
	more='echo it is ready; sleep 600' plays "$name: a job that is cancelled" 4 "$(token)" --cancel-on ready
	plays "$name: a token that has expired" 1 "$(token exp@=-3600)"
	plays "$name: a token of another job" 1 "$(token job_id=7)"
	plays "$name: a token of nobody here" 1 "$(token user_login=nobody.here)"
	plays "$name: a token whose signature is another" 1 "$(token | sed 's/\.[^.]*$/.marked-signature-of-nobody/')"
	plays "$name: a token that is none" 1 'marked-garbage-instead-of-a-token'
	plays "$name: a token of three parts that are none" 1 'marked-part-one.marked-part-two.marked-part-three'
	plays "$name: a token whose header is no JSON" 1 \
		"$(printf '{"alg":marked-header}' | base64 -w0 | tr -d =).marked-part-two.marked-part-three"
}

got=$logs/audit.log
play_all "location = \"$got\"" file
if command -v python3 >/dev/null && with_syslog '' as "$runner" true >"$box/output" 2>&1; then
	at_end() { end_receivers; }
	receive syslog unixgram "$box/local.sock"
	play_all 'location = "syslog"' syslog with_syslog "$at"
	end_receivers
fi

# Calls that go wrong on their way.
got=$logs/audit.log
log_to "enabled = true
location = \"$got\""
rm -f "$box"/kept.*
token=$(token)
printf '%s\n' "$script" | job "$token"
prepare_call >"$box/output" 2>&1 || cat "$box/output"
check 'a state that is damaged' '
	cp "$call/call.sh" "$box/call.sh"; sed -i "s/JACAMAR_CI_STATE={/JACAMAR_CI_STATE=[/" "$call/call.sh"
	{ call_with; [ $? -eq 2 ]; } && keep && cp "$box/call.sh" "$call/call.sh"
	logged "state" && ! grep marked "$box/kept.log"'
cut='s/marked-variable.*/marked-var/'
check 'a response that was cut: in a later stage' '
	response=$(find "$call" -name "response.json") && cp -p "$response" "$box/response.good" &&
	sed -i "$cut" "$response" && { call_with; [ $? -eq 2 ]; } && keep && logged "response is not JSON" &&
	no_secret "$token"; result=$?; cp -p "$box/response.good" "$response"; [ $result -eq 0 ]'
check 'a script that cannot be read' '
	chmod 000 "$call/script" && chown root "$call/script"; rm -f "$box"/kept.*
	{ call_with; [ $? -eq 2 ]; } && keep && no_secret "$token"'
check 'a response that was cut: in config' '
	rm -f "$box"/kept.*; jq -c ".raw_response = (.response | tojson | sub(\"marked-variable.*\"; \"marked-var\"))" \
		"$box/job.json" >"$box/job.new" && mv "$box/job.new" "$box/job.json" &&
	{ bounded_play; [ $? -eq 2 ]; } && keep && logged "response is not JSON" && no_secret "$token"'

# Once config has verified the token it needs the claims alone: the signature must be gone before it
# starts a process of the user, here a login shell that waits.
home=$box/home/$usr
cat >"$home/.bash_profile" <<'SH'
export PLACE=$HOME/place
mkdir -p ~/place
touch ~/waits
while [ ! -e ~/go ]; do sleep 0.05; done
SH
cat >"$box/in_memory.py" <<'PYTHON'
import sys

pid, needle = sys.argv[1], sys.argv[2].encode()
pieces = []
with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
    for place, mode in (line.split()[:2] for line in maps):
        if mode.startswith("rw"):
            start, end = (int(bound, 16) for bound in place.split("-"))
            memory.seek(start)
            pieces.append(memory.read(end - start))
sys.exit(0 if any(needle in piece for piece in pieces) else 1)
PYTHON
# in_memory TEXT: true where the config that waits has the text in its memory.
in_memory() {
	python3 "$box/in_memory.py" "$(pgrep -o -u "$runner" -f "config --configuration $etc/")" "$1"
}
# The sanitizers keep what was freed.
if [ -z "${SANITIZE:-}" ] && [ "$flavour" != none ] && command -v python3 >/dev/null; then
	write_config "data_dir = \"\$PLACE\""
	# A long one: other data soon takes the place of the beginning.
	token=$(token pad="$(printf %040000d 0)")
	printf 'true\n' | job "$token"
	configure &
	waiting=$!
	wait_until '[ -e "$home/waits" ]' || exit 1
	check 'the memory of config no longer has the token once a process of the user runs' '
		in_memory "$usr" && ! in_memory "$(printf %.40s "${token##*.}")"'
	touch "$home/go"
	wait $waiting
	code=$?
	check 'and config goes on' '[ $code -eq 0 ] || { cat "$box/log"; false; }'
fi

finish
