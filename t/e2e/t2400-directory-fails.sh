#!/bin/sh
# A directory of accounts and groups that does not answer is not one that says no: it is asked again
# for a while, nobody gets a job by what it leaves out, and no job is left because of it.
# Flavours: caps root sudo
#
# The directory is a source of nsswitch.conf(5) of this test's own, in a namespace of mounts.
if [ -z "${SOURCE_APART:-}" ] && unshare -m true 2>/dev/null; then
	exec env SOURCE_APART=1 unshare -m sh "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
need_root
[ -n "${SOURCE_APART:-}" ] || skip_all 'needs a namespace of mounts'
[ "$flavour" != none ] || skip_all 'all jobs are of the service account'
install_site
say_why
. "$top/t/e2e/audit.sh"

# --- the source: an account, and groups that it is in ---

. "$top/t/e2e/nss.sh"
for id in $(shuf -i 28000-29999 -n 50); do
	getent passwd "$id" >/dev/null || getent group "$id" "$((id + 2000))" "$((id + 4000))" >/dev/null || break
done
usr=jtf$$
team=jtfteam$$
blocked=jtfblocked$$
echo "$usr:x:$id:$id::$box/home/$usr:/bin/bash" >"$control/passwd"
printf '%s\n' "$usr:x:$id:" "$team:x:$((id + 2000)):$usr" "$blocked:x:$((id + 4000)):$usr" >"$control/group"
cp "$control/group" "$box/group"
install -d -m 700 -o "$id" -g "$id" "$box/home/$usr"
[ "$flavour" != sudo ] || write_sudoers
at_end() {
	answers
	pkill -KILL -U "$id" || :
}

# fails FUNCTION... 'STATUS ERRNO COUNT': from now on these functions, asked anew, do; answers: all do.
fails() {
	local last function
	for last; do :; done
	for function; do
		[ "$function" != "$last" ] || break
		: >"$control/$function.asked"
		echo "$last" >"$control/$function.new"
		mv "$control/$function.new" "$control/$function"
	done
}
answers() { rm -f "$control/getpwnam" "$control/getpwuid" "$control/getgrnam" "$control/getgrgid" "$control/initgroups"; }
# asked FUNCTION: how often, since it fails.
asked() { stat -c %s "$control/$1.asked"; }

log=$box/home/$runner/audit.log
# with_rules 'LINES of [auth]'
with_rules() {
	write_config 'data_dir = "$HOME"
kill_timeout = "2s"' "downscope = \"$downscope\"
$1
[auth.logging]
enabled = true
location = \"$log\""
}

# refused 'TEXT': config refuses the job, which is not to say that it could not ask.
refused() {
	rm -rf "$box/home/$usr/.jacamar-ci"
	configure
	[ $? -eq 1 ] && [ ! -s "$box/answer" ] && logged "$refused_because" && logged "$1" &&
		nothing_ran || { cat "$box/log"; return 1; }
}
# unanswered 'TEXT': config could not ask, for as long as it tries.
unanswered() {
	rm -rf "$box/home/$usr/.jacamar-ci"
	configure
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && [ "$(wc -l <"$box/log")" -eq 1 ] &&
		logged "cannot look up $1: the directory of accounts and groups (nsswitch.conf(5)) did not answer within 10 seconds: $2" &&
		nothing_ran || { cat "$box/log"; return 1; }
}

with_rules ''
printf '%s\n' 'echo "groups $(id -G)"' | job
check 'the source is one of this host: an account of it has a job, with its groups' '
	play && logged "groups $id $((id + 2000)) $((id + 4000))"'

# --- accounts ---

check 'an account that nobody has is not there, and is not asked for again' '
	fails getpwnam "NOTFOUND 0 -1"; refused "there is no local account" && [ "$(asked getpwnam)" -eq 1 ]'
# Once more than it fails, and once more by the process that becomes the user to take a directory.
for fault in 'TRYAGAIN 11' 'TRYAGAIN 24' 'UNAVAIL 111' 'UNAVAIL 110' 'UNAVAIL 5'; do
	check "a source that says $fault three times is asked until it answers" '
		fails getpwnam "$fault 3"; configure && [ "$(asked getpwnam)" -eq 5 ] || { cat "$box/log"; false; }'
done
check 'a source that never answers ends config, with the reason in the log' '
	fails getpwnam "UNAVAIL 111 -1"; unanswered "account $usr" "Connection refused"'
check 'doctor does not take it for an account that is not there' '
	as "$runner" "$prefix/bin/jacamar" doctor --configuration "$etc/jacamar-config.toml" --user "$usr" >"$box/log" 2>&1
	logged "cannot look up account $usr: " && ! logged "there is no local account" >/dev/null && ! logged useradd >/dev/null'
answers
prepare_call || { cat "$box/log"; exit 1; }
check 'in run a source is asked again, too' '
	fails getpwnam "TRYAGAIN 11 3"; echo echo it ran | call | grep "^it ran" && [ "$(call_exit)" -eq 0 ]'
check 'run goes on without any answer about groups' '
	fails initgroups getgrnam getgrgid "UNAVAIL 111 -1"; echo "id -G" | call >"$box/log"
	[ "$(call_exit)" -eq 0 ] && [ "$(cat "$box/log")" = "$id $((id + 2000)) $((id + 4000))" ] &&
		[ "$(asked initgroups)" -eq 0 ] || { cat "$box/log"; false; }'
answers
check 'a source that goes on without an answer ends run, and nothing of the script runs' '
	fails getpwnam "UNAVAIL 5 -1"; echo "touch ~/ran" | call >"$box/log"
	[ "$(call_exit)" -eq 2 ] && [ ! -e "$box/home/$usr/ran" ] && logged "cannot look up account $usr: " &&
		logged "Input/output error"'
answers

# --- groups ---

with_rules "groups_blocklist = [\"$blocked\"]"
check 'a member of a group that is blocked is refused' 'refused "$usr is in the group $blocked of auth.groups_blocklist"'
for status in UNAVAIL TRYAGAIN NOTFOUND; do
	for error in 24 5 4; do
		check "a member whose groups are not told at first ($status, errno $error) is refused" '
			fails initgroups "$status $error 3"; refused "$usr is in the group $blocked of auth.groups_blocklist" &&
			[ "$(asked initgroups)" -eq 5 ]'
	done
	check "a member whose groups are never told, without an error ($status), is refused" '
		fails initgroups "$status 0 -1"; refused "$usr is in the group $blocked of auth.groups_blocklist"'
	check "a member whose groups are not told once, without an error ($status), is refused" '
		touch "$control/no-members"; fails initgroups "$status 0 1"
		refused "$usr is in the group $blocked of auth.groups_blocklist" && [ "$(asked initgroups)" -eq 4 ]'
	rm -f "$control/no-members"
done
check 'groups that are never told end config' '
	fails initgroups "UNAVAIL 24 -1"; unanswered "the groups of $usr" "Too many open files"'
answers
check 'a group of the blocklist that cannot be looked up ends config' '
	fails getgrnam "TRYAGAIN 11 -1"; unanswered "the group $blocked" "Resource temporarily unavailable"'
with_rules "groups_allowlist = [\"$team\"]"
check 'a member of a group that is allowed is admitted' 'answers; configure'
check 'a member whose groups leave the allowed group out fails, and is not called refused' '
	fails initgroups "NOTFOUND 0 -1"; configure
	[ $? -eq 2 ] && ! logged refused >/dev/null && logged "lists $usr as a member, but it is not among the groups of $usr"'
answers
with_rules ''

# in_groups COUNT: how many $usr is in, besides its own.
in_groups() {
	awk -v count="$1" -v usr="$usr" 'BEGIN { for (i = 0; i < count; i++)
		printf "jtmany%d:x:%d:%s\n", i, 2000000000 + i, usr }' | cat "$box/group" - | grep -v "^jtf.*:$usr\$" >"$control/group"
}
# For each call, sudo asks for the name of each group.
printf '%s\n' 'id -G | wc -w' | job_extra='.substages = ["build_script"]' job
in_groups 4095
check 'an account in 4096 groups has a job with all of them' 'play && grep -qx 4096 "$box/log"'
in_groups 4096
check 'an account in more groups is told the limit' '
	configure; [ $? -eq 2 ] && logged "$usr is in 4097 groups; an account that runs jobs may be in 4096 at most"'
cp "$box/group" "$control/group"
job </dev/null

# --- the group that may write to a directory of the job ---

# This source finds an account by its name, but does not list it, as many large directories.
not_known() {
	configure
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && logged "$1, and it is not known whether that group has other members: $2" ||
		{ cat "$box/log"; return 1; }
}
chmod 770 "$box/home/$usr"
check 'a home that its group can write to is refused if the source does not list its accounts' '
	not_known "$box/home/$usr is writable by its group $usr" "getent passwd does not list the account $usr" &&
	logged "; run: chmod g-w $box/home/$usr"'
check 'a home of a group that other accounts can join by a password is refused' '
	sed "s/^$usr:x:/$usr:\$6\$hash:/" "$box/group" >"$control/group"
	not_known "$box/home/$usr is writable by its group $usr" "it has a password, with which any account can join it; remove the password: gpasswd -r $usr"
	code=$?; cp "$box/group" "$control/group"; [ $code -eq 0 ]'
check 'a home that its group can write to is refused if the source does not answer' '
	fails getgrgid "UNAVAIL 111 -1"
	not_known "$box/home/$usr is writable by its group $id" "cannot look up the group with gid $id: "'
answers
chmod 700 "$box/home/$usr"
install -d -m 2770 -g "$((id + 2000))" "$box/shared"
write_config "data_dir = \"$box/shared\""
check 'a directory of a group whose members the source hides is refused' '
	touch "$control/no-members"
	not_known "$box/shared is writable by its group $team" "getent group does not list its members"'
rm -rf "$control/no-members" "$box/shared"
with_rules ''

# --- the group that may execute jacamar-auth ---

service_group=$(id -g "$runner")
reaches="$usr is in the group (gid $service_group) that may execute jacamar-auth"
[ "$flavour" != caps ] || {
	sed "\$a jtfalias$$:x:$service_group:$usr" "$box/group" >"$control/group"
	check 'a member of the group of jacamar-auth is refused' 'refused "$reaches"'
	check 'a member of that group whose groups are not told at first is refused' '
		fails initgroups "UNAVAIL 24 3"; refused "$reaches"'
	touch "$control/no-members"
	check 'a member of that group whose groups are not told once, without an error, is refused' '
		fails initgroups "NOTFOUND 0 1"; refused "$reaches"'
	rm -f "$control/no-members"
	fails initgroups 'NOTFOUND 0 -1'
	prepare_call || { cat "$box/log"; exit 1; }
	answers
	check 'a member whose groups are not told to config does not have that group in run' '
		printf "%s\n" "id -G" "$prefix/bin/jacamar-auth --version; echo \"code \$?\"" | call >"$box/log"
		[ "$(call_exit)" -eq 0 ] && [ "$(head -n 1 "$box/log")" = "$id" ] && logged "code 126"'
	check 'a state that has the group is refused on the way to the user' '
		state=$(tr "\0" "\n" <"$call/env" | sed -n "s/^JACAMAR_CI_STATE=//p" |
			jq -c ".account.groups = (.account.groups + [$service_group] | sort)")
		call_with env JACAMAR_CI_STATE="$state"; [ $? -eq 2 ] && logged "$reaches" || { cat "$box/log"; false; }'
	order_groups jtfaults files
	check 'an account that only the group'"'"'s list of members names is refused' '
		fails initgroups "NOTFOUND 0 -1"; refused "$reaches"'
	order_groups files jtfaults
	cp "$box/group" "$control/group"
	answers
}

# --- nobody answers at all ---

# told PATTERN: the process of that command line is told to end, once a look-up hangs.
told() {
	wait_until '[ "$(asked getpwnam)" -gt 0 ]' && kill -TERM "$(pgrep -o -U "$runner" -f "$1")"
}
# recorded_cancel STAGE: it has left its record.
recorded_cancel() {
	records --arg stage "$1" 'last | .decision == "cancelled" and .stage == $stage and .exit == 2 and .job == 981625'
}
job </dev/null
rm -f "$log"
check 'config that is told to end while a look-up hangs ends, with its exit code and record' '
	fails getpwnam "hang 0 -1"; configure & waited=$!
	told "^$entry -u config"; wait "$waited"
	[ $? -eq 2 ] && logged "$cancelled_line" && recorded_cancel config && ! pgrep -U "$runner" -f "^$entry"'
answers
prepare_call || { cat "$box/log"; exit 1; }
check 'run that is told to end while a look-up hangs ends before anything of the script has run' '
	fails getpwnam "hang 0 -1"; echo "touch ~/ran" | call >"$box/log" & waited=$!
	told "^$entry .*run /"; wait "$waited"
	[ "$(call_exit)" -eq 2 ] && logged "$cancelled_line" && recorded_cancel run && [ ! -e "$box/home/$usr/ran" ] &&
		! pgrep -U "$runner" -f "^$entry" || { cat "$box/log"; false; }'
answers
check 'cleanup asks nobody, and leaves nothing' '
	echo "setsid sleep 600 >/dev/null 2>&1 &" | call && living && [ -d "$(scripts_dir)" ] &&
	fails getpwnam getpwuid getgrnam getgrgid initgroups "hang 0 -1" && call_cleanup &&
	for function in getpwnam getpwuid getgrnam getgrgid initgroups; do [ "$(asked "$function")" -eq 0 ] || exit 1; done &&
	nothing_left'
answers

finish
