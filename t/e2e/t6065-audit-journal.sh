#!/bin/sh
# journald gets each audit record with its members as fields, so that journalctl finds it by them.
# Flavours: caps root none
if [ "$(id -u)" -eq 0 ] && [ -z "${own_run:-}" ] && unshare -m true 2>/dev/null; then
	own_run=1 exec unshare -m sh "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/audit.sh"
. "$(dirname "$0")/page.sh"
need_root
journald=/usr/lib/systemd/systemd-journald
[ -x "$journald" ] || journald=/lib/systemd/systemd-journald
[ -x "$journald" ] && command -v journalctl >/dev/null || skip_all 'needs systemd-journald'

# The real journald, in a /run that this test alone has.
[ -n "${own_run:-}" ] && mount --make-rprivate / && mount -t tmpfs -o mode=755 none /run ||
	skip_all 'needs a mount namespace'
mkdir -p /run/log/journal /run/systemd/journald.conf.d
printf '[Journal]\n%s\n' Storage=volatile ReadKMsg=no Audit=no ForwardToSyslog=no ForwardToWall=no |
	sed 's/ /\n/g' >/run/systemd/journald.conf.d/test.conf
start_journald() {
	"$journald" >"$box/journald" 2>&1 &
	journal_pid=$!
	wait_until '[ -S /run/systemd/journal/socket ]' || { cat "$box/journald"; exit 1; }
}
at_end() {
	end_receivers
	kill "$journal_pid"
}
install_site
start_journald
home=$box/home/$usr
page=$top/man/jacamar-audit.7

# found COUNT MATCH...: the journal has that many records which match; their fields are in $box/fields.
found() {
	local wanted=$1 matches
	shift
	matches=$*
	wait_until 'journalctl -o json $matches >"$box/fields" && [ "$(wc -l <"$box/fields")" -ge "$wanted" ]' &&
		[ "$(wc -l <"$box/fields")" -eq "$wanted" ] || { cat "$box/fields" "$box/log"; return 1; }
}
# fields 'FILTER': true for the array of the records that were found.
fields() { jq -es "$1" "$box/fields" || { cat "$box/fields"; return 1; }; }
calls() { jq '.calls | length' "$box/result.json"; }

enabled='enabled = true
location = "syslog"'
log_to "$enabled"
echo 'touch ~/ran' | job
check 'the journal has a record of each call of the runner, and finds all by the id of the job' '
	bounded_play && [ -e "$home/ran" ] && found "$(calls)" JACAMAR_JOB=981625'
check 'it finds them by their common reference, by the user and by the project' '
	found 1 JACAMAR_JOB=981625 JACAMAR_DECISION=allowed &&
	reference=$(jq -r .JACAMAR_REFERENCE "$box/fields") && [ "${#reference}" = 12 ] &&
	for match in "JACAMAR_REFERENCE=$reference" "JACAMAR_USER=$usr" JACAMAR_PROJECT=group/project; do
		found "$(calls)" "$match" || exit 1
	done'
check 'each member of a record is a field of the same value, and there is no other' '
	found "$(calls)" JACAMAR_JOB=981625 && fields "length > 5 and all(
		(.MESSAGE | fromjson | with_entries(
			.key |= \"JACAMAR_\" + (if . == \"account\" then \"USER\" else ascii_upcase end) |
			.value |= tostring)) == with_entries(select(.key | startswith(\"JACAMAR_\"))))"'
check 'a message has the identifier, facility authpriv and the severity of its decision' '
	fields "length > 0 and all(.SYSLOG_IDENTIFIER == \"$program\" and .SYSLOG_FACILITY == \"10\" and
		.PRIORITY == \"6\" and ._UID == \"$(id -u "$runner")\")"'
check 'the command of jacamar-audit(7) counts the decisions of today' '
	page_script MONITORING 2 | sh -e | tee /dev/stderr | jq -es ". == [{allowed: 1}]"'

# The default: [auth.logging] is not set.
log_to ''
for place in 'jacamar-audit.7 FINDING THE REASON OF A REFUSAL' 'jacamar-deploy.7 IF A JOB IS REFUSED'; do
	page=$top/man/${place%% *} section=${place#* }
	check "a refusal is found by the command of $section, with its reason" '
		job "$(token exp@=-3600)" </dev/null; bounded_play
		reference=$(sed -n "s/.*[( ]reference \([0-9a-f]\{12\}\).*/\1/p" "$box/log" | tail -n 1)
		command=$(page_commands "$section" | sed -n "s/^# journalctl/journalctl/p")
		[ -n "$reference" ] && [ -n "$command" ] &&
		wait_until "$(echo "$command" | sed "s/0d4ab0b1a9ff/$reference/") | grep -F expired" &&
		found 1 "JACAMAR_REFERENCE=$reference" && fields "all(.JACAMAR_DECISION == \"refused\" and .PRIORITY == \"4\")"'
done

# --- journald is stopped: its socket remains, and nobody reads it ---

kill "$journal_pid"
wait "$journal_pid"
if with_syslog '' as "$runner" true >"$box/output" 2>&1; then
	receive local unixgram "$box/local.sock"
	log_to "$enabled"
	echo 'touch ~/ran' | job
	check 'without journald, the daemon that reads /dev/log gets the records' '
		rm -f "$home/ran"; [ -S /run/systemd/journal/socket ] &&
		journal_visible=1 with_syslog "$at" bounded_play && [ -e "$home/ran" ] &&
		wait_until "grep -F \"\\\"decision\\\":\\\"allowed\\\"\" \"$got\""'
	check 'without both, no job runs' '
		rm -f "$home/ran"; ! journal_visible=1 with_syslog "" bounded_play && [ ! -e "$home/ran" ] &&
		logged "the audit log cannot be written: syslog /dev/log: cannot connect"'
else
	skip 'without journald, the daemon that reads /dev/log gets the records' 'cannot mount a /dev'
	skip 'without both, no job runs' 'cannot mount a /dev'
fi
start_journald
check 'a journald that is started again gets the next record' '
	bounded_play && found 1 JACAMAR_JOB=981625 JACAMAR_STAGE=cleanup "_PID=$(jq ".calls[-1].pid" "$box/result.json")"'

finish
