#!/bin/sh
# Accounts of a directory such as Active Directory have names with a domain, and groups with spaces
# in their names. RunAs and identities may give such an account; the rules hold for it as for others.
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
. "$top/t/e2e/nss.sh"

# --- two accounts, and their groups ---

for id in $(shuf -i 28000-29999 -n 50); do
	getent passwd "$id" "$((id + 1))" >/dev/null || getent group "$id" "$((id + 1))" "$((id + 2000))" >/dev/null || break
done
at_domain=kim$$@ad.example
by_domain=AD\\lee$$
team="hpc team$$@ad.example"
home=$box/home/ad.example
install -d -m 755 "$home"
for name in kim lee; do
	install -d -m 700 "$home/$name"
done
chown "$id:$id" "$home/kim"
chown "$((id + 1)):$((id + 1))" "$home/lee"
printf '%s\n' "$at_domain:x:$id:$id:Kim:$home/kim:/bin/bash" \
	"$by_domain:x:$((id + 1)):$((id + 1)):Lee:$home/lee:/bin/bash" >"$control/passwd"
printf '%s\n' "domain users$$@ad.example:x:$id:" "AD\\domain users$$:x:$((id + 1)):" \
	"$team:x:$((id + 2000)):$at_domain,$by_domain" >"$control/group"
[ "$flavour" != sudo ] || write_sudoers \
	"$(sed -n "s/($usr, $two)/($at_domain, AD\\\\\\\\lee$$)/p" "$box/sudoers")"
at_end() {
	pkill -KILL -U "$id" || :
	pkill -KILL -U "$((id + 1))" || :
}

# --- RunAs, which gives one of them ---

trusted=$prefix/runas
mkdir -m 755 "$trusted"
log=$box/home/$runner/audit.log
# gives NAME ['LINES of [auth]' ['LINES of [general]']]: RunAs answers NAME from now on.
gives() {
	jq -n --arg name "$1" '{username: $name}' >"$trusted/answer"
	printf '%s\n' '#!/bin/sh' "cat $trusted/answer" >"$trusted/validate"
	chmod 755 "$trusted/validate"
	write_config "${3:-data_dir = \"\$HOME\"}" "downscope = \"$downscope\"
${2:-}
[auth.runas]
validation_script = \"$trusted/validate\"
[auth.logging]
enabled = true
location = \"$log\""
}
# refuses 'TEXT': config refuses the job, which does not run.
refuses() {
	rm -rf "$home/kim/.jacamar-ci" "$home/lee/.jacamar-ci"
	configure
	[ $? -eq 1 ] && [ ! -s "$box/answer" ] && logged "$refused_because" && logged "$1" &&
		! pgrep -U "$id,$((id + 1))" && [ ! -e "$home/kim/.jacamar-ci" ] && [ ! -e "$home/lee/.jacamar-ci" ]
}
no_process_of() { ! living "$1"; }
job <<'SCRIPT'
echo "I AM $(id -un), $USER, $LOGNAME, $HOME"
echo "GROUPS $(id -G)"
pwd -P
SCRIPT
for name in "$at_domain" "$by_domain"; do
	short=kim uid=$id
	[ "$name" = "$at_domain" ] || { short=lee uid=$((id + 1)); }
	gives "$name"
	check "a job runs as $name, in its groups and its home" '
		play && logged "I AM $name, $name, $name, $home/$short" && logged "GROUPS $uid $((id + 2000))" &&
		logged "$home/$short/.jacamar-ci/builds/short/000/group/project" && no_process_of "$uid"'
	check "the audit log names $name" 'records --arg name "$name" "last | .account == \$name"'
	check "what a cancelled job of $name leaves is removed" '
		printf "%s\n" "sleep 600 & echo it is ready" "sleep 600" | command_job
		bounded_play --cancel-on "it is ready"; [ $? -eq 4 ] && no_process_of "$uid" &&
		! find "$home/$short/.jacamar-ci/scripts" -type f | grep . || { cat "$box/log"; false; }'
	check "doctor finds nothing wrong with $name" '
		as "$runner" "$prefix/bin/jacamar" doctor --configuration "$etc/jacamar-config.toml" --user "$name" --json >"$box/log"
		jq -e --arg name "$name" "[.findings[] | select(.check == \"user\" or .check == \"shell\" or .check == \"data_dir\") |
			.result] | length >= 2 and all(. == \"pass\")" "$box/log" || { cat "$box/log"; false; }'
	rm -rf "$home/$short/.jacamar-ci"
	job <<-'SCRIPT'
	echo "I AM $(id -un), $USER, $LOGNAME, $HOME"
	echo "GROUPS $(id -G)"
	pwd -P
	SCRIPT
done
install -d -m 1777 "$box/data"
gives "$by_domain" '' "data_dir = \"$box/data\""
check 'a directory of the account has + for the backslash, which the runner would read as a slash' '
	play && logged "$box/data/AD+lee$$/builds/short/000/group/project" && [ "$(ls "$box/data")" = "AD+lee$$" ]'
if [ "$flavour" = root ]; then
	# Root's from the top down, which the box is not.
	data=$prefix/data
	install -d -m 755 "$data"
	gives "$by_domain" 'root_dir_creation = true' "data_dir = \"$data\""
	check 'root makes a directory of that name for the account' '
		job <<-SCRIPT && play && logged "$data/AD+lee$$/builds/short/000/group/project" &&
			pwd -P
			SCRIPT
		[ "$(stat -c "%u %a" "$data/AD+lee$$")" = "$((id + 1)) 700" ]'
fi
gives "$at_domain" 'identity_provider = "ldapmain"'
check 'an identity may name such an account, too' '
	job "$(token user_identities:="[{\"provider\":\"ldapmain\",\"extern_uid\":\"$at_domain\"}]")" <<-SCRIPT
	echo it ran
	SCRIPT
	sed -i "/^\[auth.runas\]/,/^validation_script/d" "$etc/jacamar-config.toml"
	play && logged "it ran" && records --arg name "$at_domain" "last | .account == \$name"'
rm -rf "$home/kim/.jacamar-ci"
job </dev/null

# --- lists ---

gives "$at_domain" "groups_allowlist = ['$team']"
check 'a group with spaces and a domain in its name may be in a list' 'configure'
gives "$by_domain" "user_allowlist = ['$by_domain']"
check 'a name with a backslash may be in a list' 'configure'
gives "$at_domain" "user_allowlist = ['$by_domain', 'kim$$']"
check 'the name without its domain is another one' 'refuses "$at_domain is not in auth.user_allowlist"'
gives "$by_domain" "groups_blocklist = ['$team']"
check 'a group with spaces in a blocklist refuses its members' 'refuses "$by_domain is in the group $team of auth.groups_blocklist"'

# --- names that are not the account's own ---

touch "$control/ignores-case"
other=$(echo "$at_domain" | tr a-z A-Z)
gives "$other" "user_blocklist = ['$at_domain']"
check 'a directory that ignores case has no second name for an account that is blocked' '
	getent passwd "$other" && refuses "the name '"'"'$other'"'"' belongs to an account that is named '"'"'$at_domain'"'"'"'
gives "$other"
check 'RunAs must give the name that getent(1) prints' 'refuses "belongs to an account that is named '"'"'$at_domain'"'"'"'
rm "$control/ignores-case"
gives "lee$$@ad.example"
check 'a name that the directory does not know is told, with what to ask it' '
	refuses "getent passwd '"'"'lee$$@ad.example'"'"' must find it"'
gives "$two"
sed -i 's/^\[auth.runas\]/&\nuser_variable = "TARGET"/' "$etc/jacamar-config.toml"
check 'the author of a job cannot ask for a name with a domain' '
	rm -rf "$home/kim/.jacamar-ci"
	configure CUSTOM_ENV_TARGET="$at_domain"; [ $? -eq 1 ] &&
	logged "the job asks for the account '"'"'$at_domain'"'"', which is not a valid name" && [ ! -e "$home/kim/.jacamar-ci" ]'

finish
