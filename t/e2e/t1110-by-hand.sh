#!/bin/sh
# What jacamar-auth(8) shows an administrator to do by hand, done as it is written there, and the
# messages that jacamar-audit(7) explains.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/page.sh"
install_site

# Of the examples, those for a token: page.sh looks at no other.
page=$box/trial
sed -n '/^\.Ss Trying a token by hand/,/^\.Ss Setting up sudo/p' "$top/man/jacamar-auth.8" >"$page"
page_displays | sed -e ':join' -e '/\\$/{N;s/\\\n *//;bjoin' -e '}' |
	sed -n "s|^\\$ ||p" | sed "s|/opt/jacamar/|$prefix/|" >"$box/commands"
trial=$box/home/$runner/trial

# try TOKEN: makes the files that the page asks for, and executes its commands until one fails.
try() {
	rm -rf "$trial"
	install -d -m 700 -o "$runner" "$trial"
	printf '%s' "$1" >"$trial/token"
	page_file response.json >"$trial/response.json"
	chown "$runner" "$trial/token" "$trial/response.json"
	as "$runner" sh -ec "cd '$trial'; $(cat "$box/commands")" >"$box/shown" 2>"$box/log"
}
check 'the page has commands and a job response' '
	[ "$(wc -l <"$box/commands")" -eq 9 ] && page_file response.json | jq -e .id'
check 'a token that is tried by hand shows the account and the directories' '
	try "$(token)" || { cat "$box/log"; false; }
	jq -es --arg user "$usr" ".[0].name == \$user and (.[1].builds | endswith(\"/builds/trial/000\"))" \
		"$box/shown"'
check 'the commands leave no token and no lock file' '
	[ "$(ls "$trial")" = response.json ] && ! find "$box/home/$usr" -name "*.job" | grep .'
check 'a token that is refused shows the reason' '
	! try "$(token exp:=1000000000)" && logged "the id token has expired" && [ ! -s "$box/shown" ]'
check 'the calls of the runner have the arguments of the sample configuration' '
	sed -n "/^\.Ss The calls of the runner/,/^\.Ed/s|^/opt/jacamar/bin/jacamar-auth ||p" \
		"$top/man/jacamar-auth.8" | sed "s| /tmp/.*||" | sort -u >"$box/calls"
	sed -n "/_args = /,/\]/p" "$top/config/examples/config.toml" | tr -d "\n" | grep -o "\[[^]]*\]" |
		tr -d "\"[]" | sed "s/, */ /g" | sort | diff - "$box/calls"'

# The program has each piece of a message between values, numbers and punctuation marks, if the piece
# is longer than a few letters. The second and the last substitution are for texts that the program
# puts into others.
cat >"$box/pieces.awk" <<'AWK'
/^\.It Sy "/ {
	sub(/^\.It Sy "(\[R\] )?/, "")
	sub(/"$/, "")
	sub(/get (the job|the server's keys) from|replace the job's files/, "\n")
	gsub(/\\\(dq|\\e|[.][.][.]|[A-Z][A-Z_]*|[0-9]+|[][,;:()'%-]/, "\n")
	count = split($0, pieces, "\n")
	for (i = 1; i <= count; i++) {
		gsub(/^[ .]+|[ .]+$/, "", pieces[i])
		sub(/^(is|job|found) /, "", pieces[i])
		if (length(pieces[i]) >= 8)
			print pieces[i]
	}
}
AWK
check 'each message that jacamar-audit(7) explains is one of the program' '
	awk -f "$box/pieces.awk" "$top/man/jacamar-audit.7" | sort -u >"$box/pieces"
	[ "$(wc -l <"$box/pieces")" -gt 120 ] && while read -r piece; do
		grep -aqF -- "$piece" "$prefix/libexec/jacamar-ci" || echo "$piece"
	done <"$box/pieces" >"$box/unknown"
	cat "$box/unknown" && [ ! -s "$box/unknown" ]'

check 'each reason of a refusal that jacamar-deploy(7) lists is one of the program' '
	sed -n "/^\.Sh IF A JOB IS REFUSED/,/^\.Sh /s/^\.It \(the\(re\)\? .*\)/\1/p" "$top/man/jacamar-deploy.7" >"$box/reasons"
	[ "$(wc -l <"$box/reasons")" = 4 ] && while read -r reason; do
		grep -aqF -- "$reason" "$prefix/libexec/jacamar-ci" || { echo "$reason"; exit 1; }
	done <"$box/reasons"'

# The commands for monitoring, on the log of a job that ran and of two that were refused.
page=$top/man/jacamar-audit.7
log=$box/home/$runner/audit.log
write_config '' "downscope = \"$downscope\"
[auth.logging]
enabled = true
location = \"$log\""
echo true | job
play
calls=$(jq '.calls | length' "$box/result.json")
for token in "$(token exp:=1000000000)" "$(token aud=https://other.example.com user_login="$two" job_id=5)"; do
	job "$token" </dev/null
	configure
done
# monitor N: what the Nth command of that section prints.
monitor() { page_script MONITORING "$1" | sed "s|/var/log/jacamar/audit.log|$log|" | sh -e; }
check 'there are records of the calls, and of two refusals' '
	[ "$(wc -l <"$log")" -eq $((calls + 2)) ] && [ "$(grep -c "\"decision\":\"refused\"" "$log")" = 2 ]'
check 'a command for monitoring counts the records by decision' '
	monitor 1 | tee /dev/stderr | jq -es --argjson calls "$calls" ". == [{allowed: 1, ok: (\$calls - 1), refused: 2}]"'
check 'a command for monitoring shows the durations of each stage' '
	monitor 3 | tee "$box/stages" && jq -es --slurpfile records "$log" --argjson calls "$calls" "
		(map(.stage) | sort) == [\"cleanup\", \"config\", \"prepare\", \"run\"] and
		(map(.calls) | add) == \$calls + 2 and all(.mean <= .longest) and
		(map(.longest) | max) == (\$records | map(.duration_ms) | max)" "$box/stages"'
check 'a command for monitoring lists the reasons of refusals' '
	monitor 4 | tee "$box/reasons" && [ "$(wc -l <"$box/reasons")" = 2 ] && grep "^ *1 .*expired" "$box/reasons"'
check 'a command for monitoring prints the counts for Prometheus' '
	monitor 5 | tee "$box/counts" && grep -x "jacamar_records{decision=\"refused\"} 2" "$box/counts" &&
	[ "$(grep -cx "jacamar_records{decision=\"[a-z ]*\"} [0-9]*" "$box/counts")" -eq "$(wc -l <"$box/counts")" ]'

finish
