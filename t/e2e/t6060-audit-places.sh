#!/bin/sh
# The audit log goes where the configuration says, and where it cannot go there, nothing runs that
# it would not tell of.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/audit.sh"
install_site
home=$box/home/$usr
call=$box/home/$runner/call
logs=$box/logs
log=$logs/audit.log
install -d -m 750 -o "$runner" "$logs"

log_to_file() {
	log_to "enabled = true
location = \"$1\""
}
# The job of each check.
echo 'touch ~/ran' | job
ran() { [ -e "$home/ran" ] && rm -f "$home/ran"; }

# --- files ---

# fails 'LOG' 'WHY': config fails, each time with one line that says which log and why. It may have
# taken a builds directory before.
fails() {
	local line="jacamar-auth: the audit log cannot be written: $1: $2; repair it, or change"
	rm -rf "$home/.jacamar-ci"
	bounded_play
	[ $? -eq 2 ] && grep -qF -- "$line [auth.logging] in jacamar-config.toml" "$box/log" &&
		[ "$(grep -c 'jacamar-auth: ' "$box/log")" = "$(jq '[.calls[] | select(.stage == "config")] | length' \
			"$box/result.json")" ] &&
		! living && ! ran &&
		[ "$(jq -r '[.calls[].stage] | unique | join(" ")' "$box/result.json")" = 'cleanup config' ] ||
		{ cat "$box/log"; return 1; }
}
# unfit 'TITLE' 'WHY' 'commands that make it': a log at $log.
unfit() {
	title=$1 why=$2 make=$3
	log_to_file "$log"
	rm -rf "$log"
	eval "$make"
	check "$title" 'fails "$log" "$why"'
	rm -rf "$log"
}
log_to_file "$log"
check 'a good file (so that the next tests tell something)' 'bounded_play && ran && [ -s "$log" ]'
check 'a good file of root that the service account may write' '
	install -m 660 -g "$runner" /dev/null "$log"; bounded_play && ran && [ -s "$log" ]'
unfit 'a link' 'it is a symbolic link' 'ln -s elsewhere "$log"'
check 'a link is not followed' '[ ! -e "$logs/elsewhere" ]'
unfit 'a file of another account' 'it belongs to neither root nor the service account' \
	'install -m 666 -o "$usr" /dev/null "$log"; chmod o-w "$log"; chgrp "$runner" "$log"; chmod g+w "$log"'
unfit 'a file that others can write' 'others can write it' \
	'install -m 646 -o "$runner" /dev/null "$log"'
unfit 'a file that the service account cannot write' 'cannot be opened: Permission denied' \
	'install -m 640 -g "$runner" /dev/null "$log"'
unfit 'a fifo, which is not waited for' 'it is not a regular file' 'mkfifo -m 600 "$log"; chown "$runner" "$log"'
unfit 'a directory' 'cannot be opened: Is a directory' 'install -d -o "$runner" "$log"'
log_to_file /dev/full
check 'a device' 'fails /dev/full "it is not a regular file"'
log_to_file "$logs/none/audit.log"
check 'a directory that is missing' 'fails "$logs/none/audit.log" "cannot be opened: No such file or directory"'
install -d -m 700 "$box/closed"
log_to_file "$box/closed/audit.log"
check 'a directory that is closed' 'fails "$box/closed/audit.log" "cannot be opened: Permission denied"'
check 'none of that matters where it is not enabled' '
	log_to "location = \"$logs/none/audit.log\""; bounded_play && ran'

check 'a log that cannot be written: not even a profile of the user runs' '
	echo "touch ~/ran; mkdir -p ~/data; export SITE_DIR=\$HOME/data" >"$home/.bash_profile"; log_to_file "$logs/audit.log"
	sed -i "s|^data_dir.*|data_dir = \"\$SITE_DIR\"|" "$etc/jacamar-config.toml"
	bounded_play && ran && sed -i "s|^location.*|location = \"$logs/none/audit.log\"|" "$etc/jacamar-config.toml" &&
	fails "$logs/none/audit.log" "cannot be opened: No such file or directory"'
rm -rf "$home/.bash_profile" "$home/data"

# A log that is lost while a job runs
log_to_file "$log"
lose() { chmod 000 "$logs"; }
regain() { chmod 750 "$logs"; }
check 'before a sub-stage: its script does not run' '
	prepare_call; lose; echo "touch ~/ran" | call >"$box/log"; [ "$(call_exit)" = 2 ] && ! ran &&
	logged "the audit log cannot be written: $log: cannot be opened: Permission denied" &&
	[ "$(wc -l <"$box/log")" -eq 1 ]'
check 'cleanup cleans up, and then fails' '
	[ -e "$(scripts_dir)" ] && { call_cleanup >"$box/log" 2>&1; [ $? -eq 2 ]; } &&
	logged "the audit log cannot be written" && nothing_left; result=$?; regain; [ $result -eq 0 ]'
check 'while a script runs: a system failure, though the script is well' '
	prepare_call; echo "chmod 000 $logs 2>/dev/null; touch ~/up; until [ -e ~/down ]; do sleep 0.05; done; touch ~/ran" >"$box/script"
	rm -f "$home/up" "$home/down"; call <"$box/script" >"$box/log" & waited=$!
	wait_until "[ -e $home/up ]"; lose; as "$usr" touch "$home/down"; wait $waited; regain
	[ "$(call_exit)" = 2 ] && ran && logged "the audit log cannot be written: $log" && call_cleanup &&
	nothing_left'
check 'while a failing script runs: a system failure, no build failure' '
	prepare_call; echo "touch ~/up; until [ -e ~/down ]; do sleep 0.05; done; exit 3" >"$box/script"
	rm -f "$home/up" "$home/down"; call <"$box/script" >"$box/log" & waited=$!
	wait_until "[ -e $home/up ]"; lose; as "$usr" touch "$home/down"; wait $waited; regain
	[ "$(call_exit)" = 2 ] && logged "the audit log cannot be written: $log" && call_cleanup'

# A full disk
install -d "$box/full"
at_end() {
	umount "$box/full" 2>/dev/null
	end_receivers
}
# fill_up: no page more fits on that disk; nor does a byte more in the log.
fill_up() {
	[ ! -e "$box/full/audit.log" ] || : >"$box/full/audit.log"
	cat /dev/zero >>"$box/full/filler" 2>/dev/null || :
}
if mount -t tmpfs -o size=32k,mode=755 none "$box/full" 2>/dev/null; then
	chown "$runner" "$box/full"
	log_to_file "$box/full/audit.log"
	check 'a full disk: config fails, also where the file is there already' '
		fill_up; fails "$box/full/audit.log" "a record was not written: No space left on device" &&
		[ -e "$box/full/audit.log" ] && [ ! -s "$box/full/audit.log" ]'
	check 'a disk that becomes full: the sub-stage fails, and says why' '
		rm "$box/full/filler"; prepare_call; fill_up
		echo "touch ~/ran" | call >"$box/log"; [ "$(call_exit)" = 2 ] &&
		logged "audit.log: a record was not written: No space left on device"'
	check 'with level debug its script does not even run' '
		rm -f "$home/ran" "$box/full/filler"; log_to "enabled = true
level = \"debug\"
location = \"$box/full/audit.log\""
		prepare_call; fill_up
		echo "touch ~/ran" | call >"$box/log"; [ "$(call_exit)" = 2 ] && ! ran &&
		logged "No space left on device"'
	check 'once there is room again all goes on, in whole lines' '
		rm "$box/full/filler"; printf "%s" "{\"cut" >>"$box/full/audit.log"; bounded_play && ran &&
		grep -v "^{\"cut" "$box/full/audit.log" | jq -es "length > 10"'
else
	skip 'a full disk' 'cannot mount one'
fi

# --- sockets ---

command -v python3 >/dev/null || {
	say 'what listens to the log needs python3'
	finish
}
# messages: the records in what arrived, each in a frame of syslog's; $1 is the host's part of it.
frame='<8[0-7]>[A-Z][a-z][a-z] [ 0-9][0-9] [0-9:]\{8\} '
messages() {
	! grep -v "^$frame$1$program\[[0-9]*\]: {.*}\$" "$got" && sed "s/^$frame$1$program\[[0-9]*\]: //" "$got"
}
# told 'HOST-PART': each call has its record there, in the calls' order; a datagram may be late.
told() {
	wait_until '[ -e "$got" ] && [ "$(wc -l <"$got")" -ge "$(jq ".calls | length" "$box/result.json")" ]' &&
		messages "$1" >"$box/messages" && jq -es --slurpfile result "$box/result.json" \
			'map([.pid, .exit]) == ($result[0].calls | map([.pid, .exit]))' "$box/messages" ||
		{ cat "$got" "$box/log"; return 1; }
}
# severities 'PRIORITY DECISION'...: these are those of the messages, and no others.
severities() {
	printf '%s\n' "$@" >"$box/expected"
	sed 's/^<\([0-9]*\)>.*"decision":"\([^"]*\)".*/\1 \2/' "$got" | sort -u | diff "$box/expected" -
}
program=jacamar-auth

for kind in udp tcp unixgram; do
	receive "$kind" "$kind" "$box/$kind.sock"
	[ "$kind" != unixgram ] && from="$(uname -n) " || from=
	log_to "enabled = true
location = \"syslog\"
network = \"$kind\"
address = \"$at\""
	check "$kind: a daemon elsewhere gets a message a record, as syslog frames it" 'bounded_play && ran && told "$from"'
	kill "${receivers##* }"
	wait "${receivers##* }" 2>/dev/null
	receivers=${receivers% *}
	case $kind in
	tcp) check 'tcp: where nobody listens, nothing runs' '
		fails "syslog tcp $at" "cannot connect: Connection refused"' ;;
	unixgram) check 'unixgram: where nobody listens, nothing runs' '
		fails "syslog unixgram $at" "cannot connect: Connection refused"' ;;
	udp) check 'udp: where nobody listens, nobody notices' 'bounded_play && ran' ;;
	esac
done

# Names are resolved and connections made by a process that has nothing to lose.
cat >"$box/deaf.py" <<'SOURCE'
import os, socket, sys, time
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(0)
held = []
for number in range(8):
	held.append(socket.socket())
	held[-1].settimeout(0.2)
	try:
		held[-1].connect(listener.getsockname())
	except socket.timeout:
		break
with open(sys.argv[1] + ".new", "w") as file:
	file.write("127.0.0.1:%d" % listener.getsockname()[1])
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
SOURCE
python3 "$box/deaf.py" "$box/deaf" &
receivers="${receivers:-} $!"
wait_until '[ -s "$box/deaf" ]'
log_to "enabled = true
network = \"tcp\"
address = \"$(cat "$box/deaf")\""
check 'the process that speaks to the network has a uid of its own, and no right' '
	configure & waited=$!
	wait_until "sender=\$(pgrep -P \"\$(pgrep -o -f \"^$prefix/bin/jacamar-auth -u config\")\" 2>/dev/null) &&
		find \"/proc/\$sender/fd\" -lname \"socket:*\" 2>/dev/null | grep -q . &&
		cat \"/proc/\$sender/status\" >\"$box/confined\" &&
		find \"/proc/\$sender/fd\" -mindepth 1 -printf \"%f %l\\n\" >\"$box/open\""
	wait $waited; code=$?; cat "$box/confined" "$box/open" "$box/log"
	[ $code -eq 2 ] && is_confined'
check 'a daemon that never accepts is not waited for without end' 'logged "cannot connect: Connection timed out" && nothing_ran'

# The local daemon.
if with_syslog '' as "$runner" true >"$box/output" 2>&1; then
	syslog='enabled = true
location = "syslog"'
	receive local unixgram "$box/local.sock"
	fresh() { rm -f "$got"; }
	log_to "$syslog"
	check 'the local daemon gets a message a record' 'with_syslog "$at" bounded_play && ran && told ""'
	check 'the messages have facility authpriv and severity info' 'severities "86 allowed" "86 ok"'
	check 'nothing runs without a local daemon' '
		(bounded_play() { with_syslog "" play --timeout 90 --kill-grace 20 --eof-timeout 30; }
		fails "syslog /dev/log" "cannot connect: No such file or directory")'
	log_to "$syslog
level = \"debug\""
	check 'starts are of severity debug, script failures info' '
		fresh; echo "exit 1" | job; with_syslog "$at" bounded_play; severities "86 allowed" "86 job failed" "86 ok" "87 started"'
	check 'refusals are warnings' '
		fresh; job "$(token exp@=-3600)" </dev/null; with_syslog "$at" bounded_play; [ $? -eq 1 ] &&
		severities "84 refused" "87 started"'
	check 'failures are errors' '
		fresh; job </dev/null; sed -i "s|^jwks_file.*|jwks_file = \"$box/none\"|" "$etc/jacamar-config.toml"
		with_syslog "$at" bounded_play; severities "83 failed" "87 started"'

	# Where it is not enabled
	log_to "level = \"debug\"
location = \"$log\""
	check 'where the log is not enabled, decisions go to the local daemon all the same' '
		fresh; echo "touch ~/ran" | job; with_syslog "$at" bounded_play && ran &&
		wait_until "[ -s \"$got\" ]" && severities "86 allowed"'
	check 'refusals go to the local daemon under the reference of the log of the job' '
		fresh; job "$(token exp@=-3600)" </dev/null; with_syslog "$at" bounded_play; [ $? -eq 1 ] &&
		reference=$(sed -n "s/.*$refused_because \([0-9a-f]*\)).*/\1/p" "$box/log") && [ -n "$reference" ] &&
		messages "" | jq -es --arg reference "$reference" \
			"any(.reference == \$reference and .decision == \"refused\" and (.reason | test(\"expired\")))"'
	check 'a configuration that cannot be read is told to the local daemon' '
		fresh; job </dev/null; echo nonsense >>"$etc/jacamar-config.toml"; with_syslog "$at" bounded_play
		messages "" | jq -es "length > 0 and all(.decision == \"failed\" and .stage == \"config\" and
			(.reference | length == 12) and (.reason | test(\"cannot be used\")))"'
	log_to 'level = "debug"'
	check 'of a configuration that its group can write, the author reads a reference, and the record has the remedy' '
		fresh; job </dev/null; chmod g+w "$etc/jacamar-config.toml"; with_syslog "$at" bounded_play
		reference=$(sed -n "s/^$program: $setup_fault_because \([0-9a-f]*\)): the setup of this runner has a fault (for help, .*/\1/p" "$box/log" |
			head -n 1)
		[ -n "$reference" ] && ! grep -e "^$program: .*$etc" -e chmod "$box/log" &&
		messages "" | jq -es --arg reference "$reference" --arg file "$etc/jacamar-config.toml: writable by its group" \
			"any(.reference == \$reference and (.reason | contains(\$file) and contains(\"chmod go-w\")))"'
	log_to "level = \"debug\""
	check 'a state that is damaged is told to the local daemon' '
		job </dev/null; prepare_call; fresh; sed -i "s/JACAMAR_CI_STATE={/JACAMAR_CI_STATE=[/" "$call/call.sh"
		with_syslog "$at" call_with
		messages "" | jq -es "length == 1 and .[0].decision == \"failed\" and .[0].stage == \"run\" and
			(.[0].reason | test(\"state\"))"'
	check 'decisions do not wait for a local daemon that is not there' '
		log_to "level = \"info\""; echo "touch ~/ran" | job; with_syslog "" bounded_play && ran'

	program=jacamar
	sed -i -e "s|/bin/jacamar-auth|/bin/jacamar|; s|_args = \[|&\"--no-auth\", |" "$etc/config.toml"
	install -d -m 700 -o "$runner" "$box/home/$runner/data"
	check 'jacamar is filed under its own name' '
		fresh; write_config "data_dir = \"$box/home/$runner/data\"" "[auth.logging]
$syslog"
		job "" </dev/null; with_syslog "$at" bounded_play && told ""'
	program=jacamar-auth
	write_runner_config
else
	skip 'the local daemon gets a message a record' 'cannot have a /dev of its own'
fi

# A daemon that sites have; what confines it may keep it from our files.
start_rsyslog() {
	command -v rsyslogd >/dev/null || return 1
	for port in $(shuf -i 20000-29999 -n 20); do
		! grep -qi ":$(printf %04X "$port") " /proc/net/tcp /proc/net/udp && break
	done
	cat >"$box/rsyslog.conf" <<-CONFIG
	module(load="imudp")
	module(load="imtcp")
	module(load="imuxsock" SysSock.Use="off")
	input(type="imudp" address="127.0.0.1" port="$port")
	input(type="imtcp" address="127.0.0.1" port="$port")
	input(type="imuxsock" Socket="$box/rsyslog.sock")
	template(name="parts" type="string"
		string="%syslogfacility-text%.%syslogseverity-text% %hostname% %programname% %msg%\n")
	action(type="omfile" file="$box/rsyslog.log" template="parts")
	CONFIG
	rsyslogd -n -f "$box/rsyslog.conf" -i "$box/rsyslog.pid" >"$box/rsyslog.out" 2>&1 &
	receivers="${receivers:-} $!"
	wait_until '[ -S "$box/rsyslog.sock" ]' && chmod 666 "$box/rsyslog.sock" ||
		{ cat "$box/rsyslog.out"; return 1; }
}
if start_rsyslog >"$box/output" 2>&1; then
	echo 'touch ~/ran' | job
	for where in "udp 127.0.0.1:$port" "tcp 127.0.0.1:$port" "unixgram $box/rsyslog.sock"; do
		log_to "enabled = true
network = \"${where%% *}\"
address = \"${where#* }\""
		check "rsyslog takes it apart as meant: ${where%% *}" '
			: >"$box/rsyslog.log"; bounded_play && ran &&
			wait_until "[ \$(wc -l <\"$box/rsyslog.log\") -ge \$(jq \".calls | length\" $box/result.json) ]" &&
			! grep -v "^authpriv.info $(uname -n) jacamar-auth  *{.*}$" "$box/rsyslog.log" &&
			sed "s/^[^{]*//" "$box/rsyslog.log" | jq -es --slurpfile result "$box/result.json" \
				"map([.pid, .exit]) | sort == (\$result[0].calls | map([.pid, .exit]) | sort)" ||
			{ cat "$box/rsyslog.log"; false; }'
	done
else
	skip 'rsyslog takes it apart as meant' 'there is no rsyslogd that could be started'
fi

finish
