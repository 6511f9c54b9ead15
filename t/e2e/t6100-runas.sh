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
	jq -e --arg name "$1" ".job_env.JACAMAR_CI_STATE | fromjson | .account.name == \$name" "$box/answer"
}

# refuses TEXT: config fails, tells why, and nothing ran.
refuses() {
	rm -rf "$box/home/$usr/.jacamar-ci"
	configure
	[ $? -eq "${2:-1}" ] && [ ! -s "$box/answer" ] && nothing_ran && ! pgrep -U "$two" &&
		[ "$(wc -l <"$box/log")" -eq 1 ] && logged "$1"
}
# fails TEXT: the same, but it could not be decided whether the job may run.
fails() { refuses "$1" 2; }

token=$(token user_email=usr@example.com namespace_id=9970 namespace_path=group ref='f$(id)' \
	user_identities:='[{"provider":"site.ldap","extern_uid":"4711"}]' \
	job_project_id=20 job_project_path=group/project)
job_extra='.response.job_info += {pipeline_id: 574, scoped_user_id: 42}'
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
check 'the script is given the account as its argument' '
	[ "$(cat "$seen/arguments")" = "argument: $usr
arguments: 1" ]'
cat >"$box/expected" <<ENVIRONMENT
HOME=$box/home/$runner
JOB_SCOPED_USER_ID=42
JWT_IDENTITY_SITE_LDAP=4711
JWT_ISS=https://gitlab.example.com
JWT_JOB_ID=981625
JWT_JOB_PROJECT_ID=20
JWT_JOB_PROJECT_PATH=group/project
JWT_NAMESPACE_ID=9970
JWT_NAMESPACE_PATH=group
JWT_PIPELINE_ID=574
JWT_PIPELINE_SOURCE=push
JWT_PROJECT_ID=20
JWT_PROJECT_PATH=group/project
JWT_REF=f\$(id)
JWT_REF_PROTECTED=true
JWT_RUNNER_ID=1
JWT_SHA=714a629c0b401fdce83e847fc9589983fc6f46bc
JWT_USER_ACCESS_LEVEL=developer
JWT_USER_EMAIL=usr@example.com
JWT_USER_ID=1
JWT_USER_LOGIN=$usr
LOGNAME=$runner
USER=$runner
ENVIRONMENT
check 'the environment of the script is the claims, and a login' '
	grep -v -e ^PATH= -e ^SHELL= -e ^PWD= -e ^_= -e ^SHLVL= "$seen/environment" | sort | diff "$box/expected" -'
with 'runas.validation_env = ["SITE_LDAP=ldaps://x y", "HOME=/elsewhere", "SHLVL=7", "JOB_SCOPED_USER_ID=7"]'
{ sed '/^HOME=/d' "$box/expected"; echo HOME=/elsewhere; echo 'SITE_LDAP=ldaps://x y'; } | sort >"$box/expected.more"
check 'what the site sets is in the environment, in place of a login'"'"'s' '
	gives_account "$usr" && grep -v -e ^PATH= -e ^SHELL= -e ^PWD= -e ^_= -e ^SHLVL= "$seen/environment" |
		sort | diff "$box/expected.more" -'
with 'runas.validation_env = ["JWT_USER_LOGIN=root"]'
check 'the site cannot set a variable of a claim' '
	configure; [ $? -eq 2 ] && [ ! -s "$box/answer" ] && logged "must not begin with JWT_"'
with
gives_account "$usr" >"$box/output"
check 'the environment has no token and no variable of the job' '
	! grep -F -e "$token" -e CUSTOM_ENV -e JACAMAR -e job-secret "$seen/environment"'
check 'the script runs as the service account' 'grep "^uid=$(id -u "$runner")(" "$seen/id"'
check 'the script has no capability, and can get none' '
	[ "$(grep -cP "^Cap(Inh|Prm|Eff|Amb):\t0000000000000000$" "$seen/status")" = 4 ] &&
		grep -P "^NoNewPrivs:\t1$" "$seen/status"'
check 'the script has no descriptor but the three' '[ "$(sort -n "$seen/descriptors" | head -n 3 | tr "\n" " ")" = "0 1 2 " ] &&
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
check 'a username and a data_dir may be given' 'play && grep "^$box/home/$two/.jacamar-ci/builds/" "$box/log"'
install -d -m 755 -o "$usr" "$box/home/$usr/ci"
for dir in '~/ci' '$HOME/ci'; do
	script <<-SCRIPT
	echo '{"data_dir": "$dir"}'
	SCRIPT
	check "a data_dir $dir is one in the home of the job's account" 'play && grep "^$box/home/$usr/ci/$usr/builds/" "$box/log"'
done
rm -rf "$box/home/$usr/ci"
script <<'SCRIPT'
echo chatter >&2
SCRIPT
check 'the standard error of the script is not in the log of a job' 'play && ! grep chatter "$box/log"'
script <<SCRIPT
head -c 1048576 /dev/zero | tr '\\0' x >&2
echo '{"username": "$two"}'
SCRIPT
check 'a long standard error of the script is not in the log of a job' 'play && grep -qx "$two" "$box/log" && ! grep xxxx "$box/log"'

# The job may ask for another account, and the script judges.
script <<SCRIPT
echo "\$*" >$seen/arguments
[ "\$1" != "$two" ] || [ "\$2" = "$usr" ]
SCRIPT
with 'runas.user_variable = "TARGET"'
check 'the account that the job asks for comes first' '
	configure CUSTOM_ENV_TARGET="$two" && [ "$(cat "$seen/arguments")" = "$two $usr" ]'
check 'the account that the job asks for is that of the job, if the script accepts' '
	jq -e --arg name "$two" ".job_env.JACAMAR_CI_STATE | fromjson | .account.name == \$name" "$box/answer"'
check 'a job that asks for no account gives the script one argument' '
	configure && [ "$(cat "$seen/arguments")" = "$usr" ] && gives_account "$usr"'
check 'a job with an empty variable asks for no account' 'configure CUSTOM_ENV_TARGET= && [ "$(cat "$seen/arguments")" = "$usr" ]'
for name in root "$runner" nobody; do
	check "an account that may have no job cannot be asked for ($name)" '
		configure CUSTOM_ENV_TARGET="$name"
		[ $? -eq 1 ] && [ ! -s "$box/answer" ] && logged "$refused_because"'
done
sed -i 's/"-u", //' "$etc/config.toml"
for name in root "$runner" nobody nobody-here; do
	job_extra=".custom_env.TARGET = \"$name\""
	job "$token" </dev/null
	check "whether another account exists is not told ($name)" '
		play; [ $? -eq 1 ] && [ "$(wc -l <"$box/log")" -eq 2 ] && [ -n "$(neutral_reference)" ] || { cat "$box/log"; false; }'
done
job_extra=
job "$token" </dev/null
say_why
for name in -u 'a b' ../x 0 "\$(id)" "$two@ad.example" "AD\\\\$two" "$two
$usr"; do
	check "what is no name cannot be asked for ($(printf %s "$name" | tr '\n' '|'))" '
		rm -f "$seen/arguments"
		configure CUSTOM_ENV_TARGET="$name"
		[ $? -eq 1 ] && logged "which is not a valid name" && [ ! -e "$seen/arguments" ]'
done
script <<'SCRIPT'
[ $# -eq 1 ]
SCRIPT
check 'the script may refuse the account that the job asks for' 'configure CUSTOM_ENV_TARGET="$two"; [ $? -eq 1 ] && [ ! -s "$box/answer" ]'
with
check 'without user_variable nobody is asked for' 'configure CUSTOM_ENV_TARGET="$two" && gives_account "$usr"'

# refused 'of what' 'the reason': by the script from standard input.
refused() {
	script
	reason=$2
	check "the job is refused: $1" 'refuses "$reason"'
}

refused 'by the exit code' 'auth.runas: it refused with exit code 1' <<'SCRIPT'
exit 1
SCRIPT
refused 'by an exit code with a word for the staff' 'exit code 7: ; standard error: no allocation for usr' <<'SCRIPT'
echo 'no allocation for usr' >&2
exit 7
SCRIPT
refused 'by error_message, whatever the exit code' 'it refused with exit code 0: closed' <<'SCRIPT'
echo '{"error_message": "closed"}'
SCRIPT
refused 'a script that was killed' 'auth.runas: it was killed by signal 9' <<'SCRIPT'
kill -KILL $$
SCRIPT
refused 'a script that was killed after its answer' 'auth.runas: it was killed by signal 15' <<SCRIPT
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
refused 'broken JSON' 'auth.runas: its output is not a JSON object' <<'SCRIPT'
echo '{"username": "usr"'
SCRIPT
refused 'a name that is not in JSON' 'auth.runas: its output is not a JSON object' <<SCRIPT
echo $two
SCRIPT
refused 'two answers' 'auth.runas: its output is not a JSON object' <<SCRIPT
echo '{"username": "$usr"}'
echo '{"username": "$two"}'
SCRIPT
refused 'one name twice' 'auth.runas: its output is not a JSON object' <<SCRIPT
echo '{"username": "$usr", "username": "$two"}'
SCRIPT
refused 'more than we know of' "auth.runas: its JSON must have no members but" <<'SCRIPT'
echo '{"partition": "debug"}'
SCRIPT
refused 'a uid in place of a name' "auth.runas: its username '0' is not a valid account name" <<'SCRIPT'
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
refused 'no name' 'auth.runas: its JSON must have no members but' <<'SCRIPT'
echo '{"username": ""}'
SCRIPT
script <<SCRIPT
echo '{"username": ""}'
SCRIPT
with 'runas.user_variable = "TARGET"'
check 'the job is refused: no name, where the job asks for one' '
	configure CUSTOM_ENV_TARGET="$two"; [ $? -eq 1 ] && [ ! -s "$box/answer" ] && logged "auth.runas for $two: its JSON"'
with "min_uid = $(($(id -u "$two") + 1))"
refused 'an account below min_uid' "of $two is below auth.min_uid" <<SCRIPT
echo '{"username": "$two"}'
SCRIPT
with
for dir in relative '/a/../b' "/a\\nb" '/$HOME' '$' '$SCRATCH' '$SCRATCH/tmp' '$HOMES/ci' '~ci' '~/$SCRATCH'; do
	refused "a data_dir that is none ($dir)" "auth.runas: its data_dir" <<-SCRIPT
	cat <<'JSON'
	{"data_dir": "$dir"}
	JSON
	SCRIPT
done
script <<'SCRIPT'
SCRIPT
printf 'echo accepted without an interpreter' >"$script"
check 'what cannot be executed has not refused: it could not be asked' '
	fails "auth.runas: cannot execute $script: Exec format error" && ! grep refused "$box/log"'

# Without -u the author reads the script's error_message, and nothing else.
sed -i 's/"-u", //' "$etc/config.toml"
script <<'SCRIPT'
echo '{"error_message": "ask the helpdesk for access"}'
echo secret >&2
exit 1
SCRIPT
check 'the error_message is shown to the author' '
	play; logged "$refused_because " && logged "): ask the helpdesk for access $for_help" &&
		! grep -e secret -e "with exit code 1" "$box/log"'
script <<'SCRIPT'
echo secret >&2
exit 1
SCRIPT
script <<'SCRIPT'
echo '{"user_message": "ask the helpdesk", "error_message": "the quota of usr is used up"}'
exit 1
SCRIPT
check 'the user_message is shown to the author, and then not the error_message' '
	play; logged "$refused_because " && logged "): ask the helpdesk $for_help" &&
		! grep quota "$box/log"'
check 'the audit log has the error_message and the user_message' '
	with "[auth.logging]" "enabled = true" "location = \"$etc/audit.log\""; rm -f "$etc/audit.log"
	play; jq -es "all(.reason == \"auth.runas: it refused with exit code 1: the quota of usr is used up; \
user_message: ask the helpdesk\")" "$etc/audit.log" || { cat "$etc/audit.log"; false; }'
with
script <<'SCRIPT'
echo '{"user_message": "not today"}'
SCRIPT
check 'a user_message refuses, whatever the exit code' 'play; [ $? -eq 1 ] && logged "): not today $for_help" && nothing_ran'
script <<'SCRIPT'
echo secret >&2
exit 1
SCRIPT
check 'a refusal without a message has a neutral line' 'play; logged "$neutral" && ! grep secret "$box/log"'
say_why

# The lists judge before and after.
script <<SCRIPT
echo '{"username": "$two"}'
SCRIPT
with "user_blocklist = [\"$two\"]"
check 'the account that the script gives is held against the lists' 'refuses "$two is in auth.user_blocklist"'
with "user_blocklist = [\"$usr\"]"
check 'the account of the login is not held against the lists, if the script gives another' 'gives_account "$two"'
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
check 'with lists_pre_validation the account of the login is refused, and the script is not asked' '
	refuses "$usr is in auth.user_blocklist" && [ ! -e "$seen/asked" ]'
with "user_blocklist = [\"$two\"]" 'lists_pre_validation = true'
rm -f "$seen/asked"
check 'the lists refuse the account that the script gives, also with lists_pre_validation' '
	refuses "$two is in auth.user_blocklist" && [ -e "$seen/asked" ]'
with "user_allowlist = [\"$usr\"]" 'lists_pre_validation = true'
check 'the allowlists refuse the account that the script gives, also with lists_pre_validation' 'refuses "$two is not in auth.user_allowlist"'
with "groups_blocklist = [\"$two\"]"
check 'the groups of the account that the script gives are held against the lists' 'refuses "$two is in the group $two of auth.groups_blocklist"'
with "user_allowlist = [\"$usr\"]"
check 'the account that the script gives is held against the allowlists' 'refuses "$two is not in auth.user_allowlist"'
usermod -s /usr/sbin/nologin "$two"
with
check 'the shell of the account that the script gives is checked' 'refuses "account $two is closed"'
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
check 'the account that the job asked for is in the audit log' '
	configure CUSTOM_ENV_TARGET="$two" && audited ".runas == \"\(\$two) \(\$usr)\" and
		.runas_username == \$two and (has(\"runas_data_dir\") | not)"'
check 'what is no name is in the audit log in the reason alone' '
	configure CUSTOM_ENV_TARGET="a b"; [ $? -eq 1 ] && audited "has(\"runas\") | not"'
script <<SCRIPT
exit 1
SCRIPT
check 'a refusal of the script is in the audit log' '
	configure CUSTOM_ENV_TARGET="$two"; [ $? -eq 1 ] && audited ".decision == \"refused\" and
		.runas == \"\(\$two) \(\$usr)\" and .source == \"push\" and (has(\"account\") | not)"'
script <<SCRIPT
echo '{"username": "$two"}'
SCRIPT
audit "user_allowlist = [\"$two\"]"
check 'the list that admitted the account is in the audit log' '
	gives_account "$two" && audited ".reason == \"\(\$two) is in auth.user_allowlist\""'

# Accounts of a directory such as Active Directory, whose names have a domain.
at_ad=jto$$@ad.example ad_sla=AD\\jtb$$
for odd in "$at_ad" "$ad_sla"; do
	for option in --badname --badnames; do
		useradd "$option" -m -d "$box/home/odd.${odd#AD?}" -K UID_MIN=20000 -K UID_MAX=29999 \
			-s /bin/bash "$odd" 2>/dev/null && break
	done
	accounts="$accounts $odd"
done
[ "$flavour" != sudo ] || write_sudoers \
	"$(sed -n "s/($usr, $two)/($at_ad, AD\\\\\\\\jtb$$)/p" "$box/sudoers")"
# script_gives NAME: that account, and a data_dir beside.
script_gives() {
	jq -n --arg name "$1" --arg dir "$box/data" '{username: $name, data_dir: $dir}' >"$trusted/answer"
	echo "cat $trusted/answer" | script
}
job "$token" <<'SCRIPT'
id -un
pwd
SCRIPT
with
for odd in "$at_ad" "$ad_sla"; do
	script_gives "$odd"
	check "an account's name may have a domain ($odd)" '
		gives_account "$odd" && play && grep -Fqx "$odd" "$box/log" && ! living "$odd"'
	check "a backslash in an account's name is no part of a path ($odd)" '
		grep -F "$box/data/$(echo "$odd" | tr "\\\\" +)/builds/" "$box/log" && ! ls "$box/data" | grep "\\\\"'
done
check 'what such an account is asked for is refused by its own name' '
	with "user_blocklist = ['"'"'$ad_sla'"'"']" && refuses "$ad_sla is in auth.user_blocklist"'
with
for odd in 'a@b@c' '@ad.example' 'AD\' 'AD\-u' '-u@ad.example' '..\usr' 'AD\usr@ad.example' 'AD\\usr' \
	'AD/usr' 'AD+usr' '1000@ad.example'; do
	script_gives "$odd"
	check "the job is refused: a name that is none ($odd)" 'refuses "its username '"'"'$odd'"'"' is not a valid account name"'
done
check 'an identity may name such an account' '
	write_config "" "downscope = \"$downscope\"
identity_provider = \"ldapmain\""
	job "$(token user_identities:="$(jq -nc --arg uid "uid=AD\\5cjtb$$,dc=x" \
		"[{provider: \"ldapmain\", extern_uid: \$uid}]")")" <<-SCRIPT
	id -un
	echo "\$USER \$LOGNAME"
	SCRIPT
	play && grep -Fqx "$ad_sla" "$box/log" && grep -Fqx "$ad_sla $ad_sla" "$box/log"'
check 'the account of an identity is what a script is asked about' '
	echo "printf \"%s\\\\n\" \"\$*\" >$seen/arguments" | script
	with "identity_provider = \"ldapmain\""; gives_account "$ad_sla" && [ "$(cat "$seen/arguments")" = "$ad_sla" ]'
with
script <<SCRIPT
echo '{"username": "$two"}'
SCRIPT

# A login without an account of its own is for the script to map.
job "$(token user_login=jt-elsewhere)" </dev/null
check 'a login without an account can be given one' 'gives_account "$two"'
with 'lists_pre_validation = true' "groups_blocklist = [\"daemon\"]"
check 'a login without an account has no groups that could be judged before the script' "refuses \"there is no local account 'jt-elsewhere'\""
job "$token" </dev/null

# Who could have written the script.
with
script <<'SCRIPT'
SCRIPT
check 'a script of root is asked' 'gives_account "$usr"'
chown "$runner" "$script"
check 'a script of the service account is asked' 'gives_account "$usr"'
chown "$usr" "$script"
check 'a script of another account is not asked' 'fails "$script is owned by uid $(id -u "$usr")"'
chown root "$script"
chmod 775 "$script"
check 'a script that its group can write is not asked' 'fails "$script is writable by group or others"'
chmod 757 "$script"
check 'a script that others can write is not asked' 'fails "$script is writable by group or others"'
chmod 644 "$script"
check 'a script that cannot be executed is not asked' 'fails "$script is not a program"'
chmod 755 "$script"
chmod 777 "$trusted"
check 'a script in a directory that others can write is not asked' 'fails "$trusted is writable by group or others"'
chmod 755 "$trusted"
rm "$script"
check 'a script that is not there is not asked' 'fails "cannot find $script"'
mkdir "$script"
check 'a directory is not asked' 'fails "$script is not a program"'
rmdir "$script"
mkfifo "$script" && chmod 755 "$script"
check 'a FIFO is not asked' 'fails "$script is not a program"'
rm "$script"
printf '#!/bin/sh\n' >"$box/home/$usr/own" && chown "$usr" "$box/home/$usr/own" && chmod 755 "$box/home/$usr/own"
ln -s "$box/home/$usr/own" "$script"
check 'a link to a script of another account is not asked' 'fails "is owned by uid"'
rm "$script"

# sha256: of the very file that runs.
script <<SCRIPT
echo good >>$seen/ran
SCRIPT
sum=$(sha256sum "$script" | cut -d' ' -f1)
with "runas.sha256 = \"$sum\""
check 'a script of the right sha256 is asked' 'rm -f "$seen/ran"; gives_account "$usr" && [ "$(cat "$seen/ran")" = good ]'
with "runas.sha256 = \"$(printf %s "$sum" | tr 0-9a-f 1-9a-f0)\""
check 'a script of another sha256 is not asked' 'rm -f "$seen/ran"; refuses "which is not that of auth.runas.sha256" && [ ! -e "$seen/ran" ]'
with "runas.sha256 = \"$sum\""
cp "$script" "$trusted/good"
{ echo '#!/bin/sh'; echo "echo swapped >>$seen/ran"; echo "echo '{\"username\": \"$two\"}'"; } >"$trusted/bad"
chmod 755 "$trusted/bad"
check 'a script that is swapped all the time runs as what was checked, or not at all' '
	rm -f "$seen/ran"
	while :; do
		cp -p "$trusted/bad" "$trusted/next" && mv "$trusted/next" "$script"
		cp -p "$trusted/good" "$trusted/next" && mv "$trusted/next" "$script"
	done &
	swapper=$!
	round=0
	while [ $round -lt 60 ]; do
		configure && ! grep -q "\"$two" "$box/answer" || logged "which is not that" || break
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
check 'without downscoping the script accepts' 'gives_account "$runner"'
script <<SCRIPT
echo '{"username": "$two"}'
SCRIPT
check 'without a change of account the script cannot choose another account' 'refuses "but without a change of account jobs run as $runner"'

script <<'SCRIPT'
SCRIPT
none "user_blocklist = [\"$usr\"]" 'runas.user_variable = "TARGET"'
check 'without downscoping the job cannot ask for the service account' '
	configure CUSTOM_ENV_TARGET="$runner"; [ $? -eq 1 ] && logged "$usr is in auth.user_blocklist"'

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
