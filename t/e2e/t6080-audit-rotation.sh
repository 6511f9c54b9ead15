#!/bin/sh
# logrotate, with the sample, rotates an audit log that is a file, and no record is lost.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/audit.sh"
. "$(dirname "$0")/page.sh"
command -v logrotate >/dev/null || skip_all 'needs logrotate'
install_site
page=$top/man/jacamar-audit.7
logs=$box/logs
log=$logs/audit.log
site() {
	sed -e "s|/var/log/jacamar|$logs|g" -e "s|gitlab-runner|$runner|g" -e "s|/opt/jacamar/|$prefix/|g" \
		-e "s|/etc/logrotate.d|$box/logrotate.d|g"
}
# The sample as it is installed, with the names of this site, and without a limit of old files.
rotation=$box/logrotate.d/jacamar
install -d -m 755 "$box/logrotate.d"

check 'the commands of jacamar-audit(7) make the directory and install the sample' '
	page_commands "EXAMPLES" | sed -n "s/^# \(install\|cp\) /\1 /p" | site >"$box/commands" &&
	[ "$(wc -l <"$box/commands")" = 2 ] && sh -ec "$(cat "$box/commands")" &&
	cmp "$rotation" "$top/config/examples/jacamar.logrotate" &&
	[ "$(stat -c "%U %G %a" "$logs")" = "$runner $runner 750" ]'
site <"$top/config/examples/jacamar.logrotate" | sed 's/rotate 12/rotate 1000/' >"$rotation"
# rotate: now, however young the log is.
rotate() { logrotate --force --state "$box/rotated" "$rotation"; }
# refused: how many records of refusals all the files have.
refused() { find "$logs" -name 'audit.log*' -exec zcat -f {} + | grep -c '"decision":"refused"'; }

log_to "enabled = true
location = \"$log\""
echo 'touch ~/ran' | job
check 'logrotate finds no fault in the sample' '
	logrotate --debug --state "$box/rotated" "$rotation" >"$box/debug" 2>&1 &&
	! grep -v "^warning: logrotate in debug mode" "$box/debug" | grep -i -e error -e warning || { cat "$box/debug"; false; }'
check 'after a rotation the next record creates the log' '
	bounded_play && rotate && [ ! -e "$log" ] && [ -s "$log.1" ] &&
	bounded_play && [ -s "$log" ] && [ "$(wc -l <"$log")" = "$(wc -l <"$log.1")" ]'

# The lock makes the process wait that has the log open already.
job "$(token exp@=-3600)" </dev/null
check 'a record that is written during a rotation is in the rotated file, also after the next rotation' '
	rm -f "$logs"/*; install -m 640 -o "$runner" -g "$runner" /dev/null "$log"; echo >"$log"
	mkfifo "$box/locked" "$box/go"
	flock "$log" sh -c "echo >$box/locked; read -r word <$box/go" & locker=$!
	read -r word <"$box/locked"
	configure & waited=$!
	wait_until "find /proc/[0-9]*/fd -lname \"$log\" -printf \"%h\\n\" 2>/dev/null | cut -d/ -f3 |
		xargs -r ps -o args= -p | grep -q \" config \""
	rotate; echo >"$box/go"; wait $waited; wait $locker
	[ "$(refused)" = 1 ] && [ ! -e "$log" ] && grep -F "\"refused\"" "$log.1" &&
	configure; [ "$(refused)" = 2 ] && rotate && [ "$(refused)" = 2 ] && [ -s "$log.2.gz" ]'
check 'of 60 refusals by three processes during many rotations each has its record' '
	rm -f "$logs"/*
	for writer in 1 2 3; do
		as "$runner" JOB_RESPONSE_FILE="$etc/response.json" sh -c "for number in \$(seq 20); do
			$entry config --configuration $etc/jacamar-config.toml; done" 2>"$box/said.$writer" &
		writers="${writers:-} $!"
	done
	rotations=0
	while kill -0 $writers 2>/dev/null; do rotate; rotations=$((rotations + 1)); done
	wait $writers
	echo "$rotations rotations"; cat "$box"/said.* | sort | cut -c 1-70 | uniq -c | head
	[ "$rotations" -gt 5 ] && [ "$(refused)" = 60 ] &&
	! grep -h "cannot be written" "$box"/said.*'

finish
