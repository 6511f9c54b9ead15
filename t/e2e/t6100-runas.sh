#!/bin/sh
# RunAs: a script of the site's has the last word, but never gives a job to anyone who may have
# none. Whatever goes wrong with it, nothing of the job runs.
# Flavours: caps sudo
. "$(dirname "$0")/lib.sh"
install_site
say_why
trusted=$prefix/runas
mkdir -m 755 "$trusted"
script=$trusted/validate
seen=$box/seen
mkdir -m 1777 "$seen"

# script: the script's text, from standard input.
script() {
	rm -f "$script"
	{ echo '#!/bin/sh'; cat; } >"$script"
	chmod 755 "$script"
}

# with LINES...: lines of [auth] and [auth.runas] around the script's own.
with() {
	write_config '' "$(printf 'downscope = "%s"\n' "$downscope"
		for line; do case $line in runas.*) ;; *) printf '%s\n' "$line" ;; esac; done
		printf '[auth.runas]\nvalidation_script = "%s"\n' "$script"
		for line; do case $line in runas.*) printf '%s\n' "${line#runas.}" ;; esac; done)"
}

# gives_account NAME: config hands on that account.
gives_account() {
	configure || { cat "$box/log"; return 1; }
	jq -r .job_env.JACAMAR_CI_STATE "$box/answer" | jq -e --arg name "$1" '.account.name == $name'
}

# refuses TEXT: config fails, tells why, and nothing ran.
refuses() {
	rm -rf "$box/home/$usr/.jacamar-ci"
	configure
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && nothing_ran && ! pgrep -U "$two" &&
		[ "$(wc -l <"$box/log")" -eq 1 ] && logged "$1"
}

token=$(token user_email=usr@example.com namespace_id=9970 namespace_path=group ref='f$(id)' \
	user_identities:='[{"provider":"site.ldap","extern_uid":"4711"}]')
job_extra='.response.job_info += {pipeline_id: 574}'
job "$token" <<'SCRIPT'
id -un
pwd
SCRIPT
with

# What the script is given.
script <<SCRIPT
{ for word; do echo "argument: \$word"; done; echo "arguments: \$#"; } >$seen/arguments
env >$seen/environment
cat /proc/self/status >$seen/status
id >$seen/id
ls /proc/self/fd >$seen/descriptors
readlink /proc/self/fd/0 >$seen/input
SCRIPT
check 'a script that exits with 0 accepts' 'gives_account "$usr"'
check 'it is given the account as its argument' '
	[ "$(cat "$seen/arguments")" = "argument: $usr
arguments: 1" ]'
cat >"$box/expected" <<ENVIRONMENT
HOME=$box/home/$runner
JWT_IDENTITY_SITE_LDAP=4711
JWT_ISS=https://gitlab.example.com
JWT_JOB_ID=981625
JWT_NAMESPACE_ID=9970
JWT_NAMESPACE_PATH=group
JWT_PIPELINE_ID=574
JWT_PIPELINE_SOURCE=push
JWT_PROJECT_ID=20
JWT_PROJECT_PATH=group/project
JWT_REF=f\$(id)
JWT_USER_EMAIL=usr@example.com
JWT_USER_ID=1
JWT_USER_LOGIN=$usr
LOGNAME=$runner
USER=$runner
ENVIRONMENT
check 'its environment is the claims, and a login' '
	grep -v -e ^PATH= -e ^SHELL= -e ^PWD= -e ^_= -e ^SHLVL= "$seen/environment" | sort | diff "$box/expected" -'
with 'runas.validation_env = ["SITE_LDAP=ldaps://x y", "HOME=/elsewhere", "SHLVL=7"]'
{ sed '/^HOME=/d' "$box/expected"; echo HOME=/elsewhere; echo 'SITE_LDAP=ldaps://x y'; } | sort >"$box/expected.more"
check 'and what the site sets for it, in place of a login'"'"'s' '
	gives_account "$usr" && grep -v -e ^PATH= -e ^SHELL= -e ^PWD= -e ^_= -e ^SHLVL= "$seen/environment" |
		sort | diff "$box/expected.more" -'
with 'runas.validation_env = ["JWT_USER_LOGIN=root"]'
check 'but nothing in place of a claim' '
	configure; [ $? -eq 2 ] && [ ! -s "$box/answer" ] && logged "must not begin with JWT_"'
with
gives_account "$usr" >"$box/output"
check 'there is no token and no variable of the job in it' '
	! grep -F -e "$token" -e CUSTOM_ENV -e JACAMAR -e job-secret "$seen/environment"'
check 'it runs as the service account' 'grep "^uid=$(id -u "$runner")(" "$seen/id"'
check 'it has no capability, and can get none' '
	[ "$(grep -cP "^Cap(Inh|Prm|Eff|Amb):\t0000000000000000$" "$seen/status")" = 4 ] &&
		grep -P "^NoNewPrivs:\t1$" "$seen/status"'
check 'it has no descriptor but the three' '[ "$(sort -n "$seen/descriptors" | head -n 3 | tr "\n" " ")" = "0 1 2 " ] &&
	[ "$(wc -l <"$seen/descriptors")" -le 4 ] && [ "$(cat "$seen/input")" = /dev/null ]'

# What it may answer.
script <<SCRIPT
echo '{"username": "$two"}'
SCRIPT
check 'a username is the account of the job' 'play && grep -qx "$two" "$box/log" && ! grep -qx "$usr" "$box/log"'
script <<SCRIPT
echo '{"data_dir": "$box/data"}'
SCRIPT
mkdir -m 1777 "$box/data"
check 'a data_dir is that of the job' 'play && grep "^$box/data/$usr/builds/" "$box/log"'
script <<SCRIPT
echo '{"data_dir": "\$HOME", "username": "$two"}'
SCRIPT
check 'both may be given' 'play && grep "^$box/home/$two/.jacamar-ci/builds/" "$box/log"'
script <<'SCRIPT'
echo chatter >&2
SCRIPT
check 'what it says on standard error is not in the log of a job' 'play && ! grep chatter "$box/log"'
script <<SCRIPT
head -c 1048576 /dev/zero | tr '\\0' x >&2
echo '{"username": "$two"}'
SCRIPT
check 'however much that is' 'play && grep -qx "$two" "$box/log" && ! grep xxxx "$box/log"'

# The job may ask for another account, and the script judges.
script <<SCRIPT
echo "\$*" >$seen/arguments
[ "\$1" != "$two" ] || [ "\$2" = "$usr" ]
SCRIPT
with 'runas.user_variable = "TARGET"'
check 'the account that the job asks for comes first' '
	configure CUSTOM_ENV_TARGET="$two" && [ "$(cat "$seen/arguments")" = "$two $usr" ]'
check 'and is that of the job, where the script accepts' '
	jq -r .job_env.JACAMAR_CI_STATE "$box/answer" | jq -e --arg name "$two" ".account.name == \$name"'
check 'without that variable there is one argument' '
	configure && [ "$(cat "$seen/arguments")" = "$usr" ] && gives_account "$usr"'
check 'an empty one is none' 'configure CUSTOM_ENV_TARGET= && [ "$(cat "$seen/arguments")" = "$usr" ]'
for name in root "$runner" nobody; do
	check "an account that may have no job cannot be asked for ($name)" '
		configure CUSTOM_ENV_TARGET="$name"
		[ $? -eq 2 ] && [ ! -s "$box/answer" ] && logged "this job was refused"'
done
for name in -u 'a b' ../x 0 "\$(id)" "$two
$usr"; do
	check "what is no name cannot be asked for ($(printf %s "$name" | tr '\n' '|'))" '
		rm -f "$seen/arguments"
		configure CUSTOM_ENV_TARGET="$name"
		[ $? -eq 2 ] && logged "which is no account" && [ ! -e "$seen/arguments" ]'
done
script <<'SCRIPT'
[ $# -eq 1 ]
SCRIPT
check 'the script may refuse it' 'configure CUSTOM_ENV_TARGET="$two"; [ $? -eq 2 ] && [ ! -s "$box/answer" ]'
with
check 'without user_variable nobody is asked for' 'configure CUSTOM_ENV_TARGET="$two" && gives_account "$usr"'

# refused 'of what' 'the reason': by the script from standard input.
refused() {
	script
	reason=$2
	check "refused: $1" 'refuses "$reason"'
}

refused 'by the exit code' 'auth.runas: it refused with exit code 1' <<'SCRIPT'
exit 1
SCRIPT
refused 'by an exit code with a word for the staff' 'exit code 7: ; it said: no allocation for usr' <<'SCRIPT'
echo 'no allocation for usr' >&2
exit 7
SCRIPT
refused 'by error_message, whatever the exit code' 'it refused with exit code 0: closed' <<'SCRIPT'
echo '{"error_message": "closed"}'
SCRIPT
refused 'a script that was killed' 'auth.runas: it was ended by signal 9' <<'SCRIPT'
kill -KILL $$
SCRIPT
refused 'a script that was killed after its answer' 'auth.runas: it was ended by signal 15' <<SCRIPT
echo '{"username": "$two"}'
kill -TERM \$\$
SCRIPT
refused 'an answer with a failure' 'it refused with exit code 1' <<SCRIPT
echo '{"username": "$two"}'
exit 1
SCRIPT
refused 'a loud script' 'auth.runas: it prints more than 65536 bytes' <<'SCRIPT'
head -c 1048576 /dev/zero | tr '\0' ' '
SCRIPT
refused 'a loud script that ends in an answer' 'auth.runas: it prints more than 65536 bytes' <<SCRIPT
head -c 1048576 /dev/zero | tr '\0' ' '
echo '{"username": "$two"}'
SCRIPT
refused 'broken JSON' 'auth.runas: it prints what is no JSON object' <<'SCRIPT'
echo '{"username": "usr"'
SCRIPT
refused 'a name that is not in JSON' 'auth.runas: it prints what is no JSON object' <<SCRIPT
echo $two
SCRIPT
refused 'two answers' 'auth.runas: it prints what is no JSON object' <<SCRIPT
echo '{"username": "$usr"}'
echo '{"username": "$two"}'
SCRIPT
refused 'one name twice' 'auth.runas: it prints what is no JSON object' <<SCRIPT
echo '{"username": "$usr", "username": "$two"}'
SCRIPT
refused 'more than we know of' "auth.runas: its JSON has more than" <<'SCRIPT'
echo '{"partition": "debug"}'
SCRIPT
refused 'a uid in place of a name' "auth.runas: its username '0' cannot be an account's" <<'SCRIPT'
echo '{"username": "0"}'
SCRIPT
refused 'root' 'root is root, and no job runs as root' <<'SCRIPT'
echo '{"username": "root"}'
SCRIPT
refused 'the service account' "$runner is the service account" <<SCRIPT
echo '{"username": "$runner"}'
SCRIPT
refused 'an account that does not exist' "there is no local account 'jt-nobody'" <<'SCRIPT'
echo '{"username": "jt-nobody"}'
SCRIPT
refused 'no name' 'auth.runas: its JSON has more than' <<'SCRIPT'
echo '{"username": ""}'
SCRIPT
script <<SCRIPT
echo '{"username": ""}'
SCRIPT
with 'runas.user_variable = "TARGET"'
check 'refused: no name, where the job asks for one' '
	configure CUSTOM_ENV_TARGET="$two"; [ $? -eq 2 ] && [ ! -s "$box/answer" ] && logged "auth.runas for $two: its JSON"'
with "min_uid = $(($(id -u "$two") + 1))"
refused 'an account below min_uid' "of $two is below auth.min_uid" <<SCRIPT
echo '{"username": "$two"}'
SCRIPT
with
for dir in relative '/a/../b' "/a\\nb" '/$HOME' '$'; do
	refused "a data_dir that is none ($dir)" "auth.runas: its data_dir" <<-SCRIPT
	cat <<'JSON'
	{"data_dir": "$dir"}
	JSON
	SCRIPT
done
script <<'SCRIPT'
SCRIPT
printf 'echo accepted without an interpreter' >"$script"
check 'refused: what cannot be executed' 'refuses "it refused with exit code 127: ; it said: cannot execute"'

# Without -u the author reads the script's error_message, and nothing else.
sed -i 's/"-u", //' "$etc/config.toml"
script <<'SCRIPT'
echo '{"error_message": "ask the helpdesk for access"}'
echo secret >&2
exit 1
SCRIPT
check 'the error_message is shown to the author' '
	play; grep -E "^jacamar-auth: this job was refused \(reference [0-9a-f]+\): ask the helpdesk for access$" "$box/log" &&
		! grep -e secret -e "exit code 1" "$box/log"'
script <<'SCRIPT'
echo secret >&2
exit 1
SCRIPT
script <<'SCRIPT'
echo '{"user_message": "ask the helpdesk", "error_message": "the quota of usr is used up"}'
exit 1
SCRIPT
check 'or a user_message, and then not the other' '
	play; grep -E "^jacamar-auth: this job was refused \(reference [0-9a-f]+\): ask the helpdesk$" "$box/log" &&
		! grep quota "$box/log"'
check 'which the staff reads' '
	with "[auth.logging]" "enabled = true" "location = \"$etc/audit.log\""; rm -f "$etc/audit.log"
	play; jq -es "all(.reason == \"auth.runas: it refused with exit code 1: the quota of usr is used up; \
it tells the user: ask the helpdesk\")" "$etc/audit.log" || { cat "$etc/audit.log"; false; }'
with
script <<'SCRIPT'
echo '{"user_message": "not today"}'
SCRIPT
check 'a user_message refuses, whatever the exit code' 'play; [ $? -eq 2 ] && logged "): not today" && nothing_ran'
script <<'SCRIPT'
echo secret >&2
exit 1
SCRIPT
check 'without one the line is neutral' 'play; logged "refused by the rules of this site" && ! grep secret "$box/log"'
say_why

# The lists judge before and after.
script <<SCRIPT
echo '{"username": "$two"}'
SCRIPT
with "user_blocklist = [\"$two\"]"
check 'the account that the script gives is held against the lists' 'refuses "$two is in auth.user_blocklist"'
with "user_blocklist = [\"$usr\"]"
check 'and not the one from before' 'gives_account "$two"'
with "user_blocklist = [\"$usr\"]" 'lists_pre_validation = true'
rm -f "$seen/asked"
script <<SCRIPT
touch $seen/asked
echo '{"username": "$two"}'
SCRIPT
job "$(token user_login="J${usr#j}")" </dev/null
check 'a login that differs from a blocked account by case is no way around it' '
	refuses "there is no local account"'
job "$token" </dev/null
check 'but for lists_pre_validation, where the script is not even asked' '
	refuses "$usr is in auth.user_blocklist" && [ ! -e "$seen/asked" ]'
with "user_blocklist = [\"$two\"]" 'lists_pre_validation = true'
rm -f "$seen/asked"
check 'what they admitted before, they still refuse behind the script' '
	refuses "$two is in auth.user_blocklist" && [ -e "$seen/asked" ]'
with "user_allowlist = [\"$usr\"]" 'lists_pre_validation = true'
check 'the allowlists likewise' 'refuses "$two is in none of auth.user_allowlist"'
with "groups_blocklist = [\"$two\"]"
check 'so are its groups' 'refuses "$two is in the group $two of auth.groups_blocklist"'
with "user_allowlist = [\"$usr\"]"
check 'and the allowlists' 'refuses "$two is in none of auth.user_allowlist"'
usermod -s /usr/sbin/nologin "$two"
with
check 'and its shell' 'refuses "account $two is closed"'
usermod -s /bin/bash "$two"

# What was asked and what was answered is in the audit log.
# audited FILTER: of the last record.
audited() {
	jq -es --arg usr "$usr" --arg two "$two" "last | $1" "$etc/audit.log" || { cat "$etc/audit.log"; return 1; }
}
audit() {
	with 'runas.user_variable = "TARGET"' "$@" '[auth.logging]' 'enabled = true' "location = \"$etc/audit.log\""
}
audit
script <<SCRIPT
echo '{"username": "$two", "data_dir": "/tmp"}'
SCRIPT
check 'what was asked and answered is in the audit log' '
	gives_account "$two" && audited ".decision == \"allowed\" and .source == \"push\" and
		.runas == \$usr and .runas_username == \$two and .runas_data_dir == \"/tmp\" and
		.login == \$usr and .account == \$two and .reason == \"no list is set\""'
script <<SCRIPT
SCRIPT
check 'whom the job has asked for, too' '
	configure CUSTOM_ENV_TARGET="$two" && audited ".runas == \"\(\$two) \(\$usr)\" and
		.runas_username == \$two and (has(\"runas_data_dir\") | not)"'
check 'nothing of what is no name, but for the reason' '
	configure CUSTOM_ENV_TARGET="a b"; [ $? -eq 2 ] && audited "has(\"runas\") | not"'
script <<SCRIPT
exit 1
SCRIPT
check 'a refusal likewise' '
	configure CUSTOM_ENV_TARGET="$two"; [ $? -eq 2 ] && audited ".decision == \"refused\" and
		.runas == \"\(\$two) \(\$usr)\" and .source == \"push\" and (has(\"account\") | not)"'
script <<SCRIPT
echo '{"username": "$two"}'
SCRIPT
audit "user_allowlist = [\"$two\"]"
check 'and the list that admitted' '
	gives_account "$two" && audited ".reason == \"\(\$two) is in auth.user_allowlist\""'

# A login without an account of its own is for the script to map.
job "$(token user_login=jt-elsewhere)" </dev/null
check 'a login without an account can be given one' 'gives_account "$two"'
with 'lists_pre_validation = true' "groups_blocklist = [\"daemon\"]"
check 'but has no groups to be judged by before' "refuses \"there is no local account 'jt-elsewhere'\""
job "$token" </dev/null

# Who could have written the script.
with
script <<'SCRIPT'
SCRIPT
check 'a script of root is asked' 'gives_account "$usr"'
chown "$runner" "$script"
check 'so is one of the service account' 'gives_account "$usr"'
chown "$usr" "$script"
check 'one of another account is not' 'refuses "$script belongs to uid $(id -u "$usr")"'
chown root "$script"
chmod 775 "$script"
check 'nor is one that its group can write' 'refuses "$script can be written by others"'
chmod 757 "$script"
check 'nor is one that others can write' 'refuses "$script can be written by others"'
chmod 644 "$script"
check 'nor is one that cannot be executed' 'refuses "$script is not a program"'
chmod 755 "$script"
chmod 777 "$trusted"
check 'nor is one in a directory that others can write' 'refuses "$trusted can be written by others"'
chmod 755 "$trusted"
rm "$script"
check 'nor is one that is not there' 'refuses "cannot find $script"'
mkdir "$script"
check 'nor is a directory' 'refuses "$script is not a program"'
rmdir "$script"
mkfifo "$script" && chmod 755 "$script"
check 'nor is a FIFO' 'refuses "$script is not a program"'
rm "$script"
printf '#!/bin/sh\n' >"$box/home/$usr/own" && chown "$usr" "$box/home/$usr/own" && chmod 755 "$box/home/$usr/own"
ln -s "$box/home/$usr/own" "$script"
check 'nor is what a link leads to, where that is another account'"'"'s' 'refuses "belongs to uid"'
rm "$script"

# sha256: of the very file that runs.
script <<SCRIPT
echo good >>$seen/ran
SCRIPT
sum=$(sha256sum "$script" | cut -d' ' -f1)
with "runas.sha256 = \"$sum\""
check 'a script of the right sha256 is asked' 'rm -f "$seen/ran"; gives_account "$usr" && [ "$(cat "$seen/ran")" = good ]'
with "runas.sha256 = \"$(printf %s "$sum" | tr 0-9a-f 1-9a-f0)\""
check 'one of another is not' 'rm -f "$seen/ran"; refuses "which is not the one of auth.runas.sha256" && [ ! -e "$seen/ran" ]'
with "runas.sha256 = \"$sum\""
cp "$script" "$trusted/good"
{ echo '#!/bin/sh'; echo "echo swapped >>$seen/ran"; echo "echo '{\"username\": \"$two\"}'"; } >"$trusted/bad"
chmod 755 "$trusted/bad"
check 'one that is swapped all the time runs as what was checked, or not at all' '
	rm -f "$seen/ran"
	while :; do
		cp -p "$trusted/bad" "$trusted/next" && mv "$trusted/next" "$script"
		cp -p "$trusted/good" "$trusted/next" && mv "$trusted/next" "$script"
	done &
	swapper=$!
	round=0
	while [ $round -lt 60 ]; do
		configure && ! grep -q "\"$two" "$box/answer" || logged "which is not the one" || break
		round=$((round + 1))
	done
	kill $swapper
	wait $swapper 2>/dev/null
	echo "$round rounds, $(grep -c good "$seen/ran") of the good one"
	[ $round -eq 60 ] && [ "$(sort -u "$seen/ran")" = good ]'
rm -f "$script"

# Without downscoping the script still judges, but has no other account to give.
script <<'SCRIPT'
SCRIPT
none() {
	with "$@"
	sed -i 's/^downscope.*/downscope = "none"/' "$etc/jacamar-config.toml"
}
none
check 'without downscoping it accepts' 'gives_account "$runner"'
script <<SCRIPT
echo '{"username": "$two"}'
SCRIPT
check 'but cannot give an account that the job would not have' 'refuses "but without downscoping jobs run as $runner"'

script <<'SCRIPT'
SCRIPT
none "user_blocklist = [\"$usr\"]" 'runas.user_variable = "TARGET"'
check 'nor can the job name the service account, to be judged in its place' '
	configure CUSTOM_ENV_TARGET="$runner"; [ $? -eq 2 ] && logged "$usr is in auth.user_blocklist"'

# Time, and what is left of it. It takes a minute: once is enough.
script <<SCRIPT
trap '' TERM HUP
sleep 600 &
echo \$\$ \$! >$seen/pids
echo '{"username": "$two"}'
exec >&- 2>&-
wait
SCRIPT
with '[auth.logging]' 'enabled = true' "location = \"$etc/audit.log\""
if [ -n "${SANITIZE:-}" ] || [ "$flavour" != caps ]; then
	skip 'a script that does not end is ended' 'takes a minute, and is shown in one flavour'
else
	check 'a script that does not end is ended after a minute, with what it started' '
		refuses "auth.runas: it has not ended in time" &&
			for pid in $(cat "$seen/pids"); do ! kill -0 "$pid" 2>/dev/null || exit 1; done &&
			jq -e ".duration_ms >= 59000 and .duration_ms < 90000" "$etc/audit.log"'
fi

finish
