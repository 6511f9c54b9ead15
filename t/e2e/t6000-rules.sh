#!/bin/sh
# The rules of who may have a job: pipeline sources, bots, the four lists, the shells, in their
# order. Who is refused leaves no trace.
# Flavours: caps root sudo
. "$(dirname "$0")/lib.sh"
install_site
say_why
# $usr is in the group of its own name, and in $club; nobody is in $empty.
club=jtg$$ empty=jte$$
at_end() { groupdel "$club" 2>/dev/null; groupdel "$empty" 2>/dev/null; }
groupadd "$club" && groupadd "$empty" && usermod -aG "$club" "$usr" || exit 1

# rules LINES...: of [auth].
rules() {
	write_config '' "$(printf 'downscope = "%s"\n' "$downscope"; printf '%s\n' "$@")"
}

# The whole way for whom it is open, config alone for whom it is closed.
accepted() {
	title=$1
	shift
	rules "$@"
	check "the job is accepted: $title" 'configure && jq -e .builds_dir "$box/answer" || { cat "$box/log"; false; }'
}

is_refused() {
	configure
	[ $? -eq 1 ] && [ ! -s "$box/answer" ] && nothing_ran && [ "$(wc -l <"$box/log")" -eq 1 ] &&
		logged "$refused_because" && logged "$1"
}

refused() {
	title=$1 reason=$2
	shift 2
	rules "$@"
	check "the job is refused: $title" 'is_refused "$reason"'
}

job </dev/null
accepted 'anyone, where there is no rule'

# pipeline_source_allowlist
accepted 'a source in the list' 'pipeline_source_allowlist = ["web", "push"]'
refused 'a source that is not in the list' "the pipeline's source 'push' is not in" \
	'pipeline_source_allowlist = ["web"]'
job "$(token -pipeline_source)" </dev/null
refused 'a token without a source' "the pipeline's source '' is not in" \
	'pipeline_source_allowlist = ["push"]'

# Bots, which are accounts of this host only where a site made them so.
bot=project_$$_bot service=service_account_$$
add_account "$bot"
add_account "$service"
[ "$flavour" != sudo ] || write_sudoers "$runner ALL = ($bot, $service) NOPASSWD: $prefix/bin/jacamar"
job "$(token user_login="$bot")" </dev/null
refused 'a bot of a project' "$bot is a bot of a project or group"
accepted 'a bot, where bots may' 'allow_bot_accounts = true'
refused 'a bot that is in the blocklist, where bots may' "$bot is in auth.user_blocklist" \
	'allow_bot_accounts = true' "user_blocklist = [\"$bot\"]"

job "$(token user_login="$service")" </dev/null
refused 'a service account' "$service is a service account"
accepted 'a service account, where bots may' 'allow_bot_accounts = true'
job "$(token user_email="$service@noreply.gitlab.example.com")" </dev/null
refused 'a service account under the login of a person' "$usr is a service account, by its mail address $service@"
refused 'by the source before that' "the pipeline's source" 'pipeline_source_allowlist = ["web"]'
refused 'before it is asked whose account it is' "$usr is a service account" 'identity_provider = "saml"'
refused 'and before the lists' "$usr is a service account" "user_blocklist = [\"$usr\"]"

# Identities, whose accounts the lists judge, and not the login's.
job "$(token user_identities:="[{\"provider\": \"saml\", \"extern_uid\": \"$two\"}]")" </dev/null
accepted 'an identity, while the login is blocked' 'identity_provider = "saml"' "user_blocklist = [\"$usr\"]"
refused 'an identity whose account is blocked' "$two is in auth.user_blocklist" 'identity_provider = "saml"' \
	"user_blocklist = [\"$two\"]"
refused 'an identity whose group is blocked' "$two is in the group $two of" 'identity_provider = "saml"' \
	"groups_blocklist = [\"$two\"]"
refused 'an identity that is not in the allowlist' "$two is not in auth.user_allowlist" 'identity_provider = "saml"' \
	"user_allowlist = [\"$usr\"]"

# The four lists, one at a time and against one another.
job </dev/null
refused 'a user in the blocklist' "$usr is in auth.user_blocklist" "user_blocklist = [\"x\", \"$usr\"]"
accepted 'a user who is not in the blocklist' 'user_blocklist = ["x"]'
accepted 'a user in the allowlist' "user_allowlist = [\"$usr\"]"
refused 'a user who is not in the allowlist' "$usr is not in auth.user_allowlist" "user_allowlist = [\"x\", \"${usr}2\"]"
refused 'a user in both lists' "$usr is in auth.user_blocklist" \
	"user_allowlist = [\"$usr\"]" "user_blocklist = [\"$usr\"]"
for group in "$usr" "$club"; do
	refused "a user in a blocked group ($group)" "$usr is in the group $group of auth.groups_blocklist" \
		"groups_blocklist = [\"$empty\", \"$group\"]"
	accepted "a user in an allowed group ($group)" "groups_allowlist = [\"$empty\", \"$group\"]"
	accepted "an allowed user in a blocked group ($group)" "user_allowlist = [\"$usr\"]" \
		"groups_blocklist = [\"$group\"]"
	refused "a blocked user in an allowed group ($group)" "$usr is in auth.user_blocklist" \
		"user_blocklist = [\"$usr\"]" "groups_allowlist = [\"$group\"]"
	refused "a user in a group that is blocked and allowed ($group)" "of auth.groups_blocklist" \
		"groups_blocklist = [\"$group\"]" "groups_allowlist = [\"$group\"]"
	accepted "a user in an allowed group ($group) who is not in the allowlist" \
		"user_allowlist = [\"x\"]" "groups_allowlist = [\"$group\"]"
done
accepted 'a user who is in no blocked group' "groups_blocklist = [\"$empty\"]"
refused 'a user who is in no allowed group' "$usr is not in auth.user_allowlist" "groups_allowlist = [\"$empty\"]"
rules 'groups_blocklist = ["no-such-group"]'
check 'a blocked group that is not known here stops all jobs' '
	configure; [ $? -eq 2 ] && nothing_ran && logged "the group no-such-group of auth.groups_blocklist does not exist"'
refused 'a user, where the allowed group does not exist' "$usr is not in auth.user_allowlist" \
	'groups_allowlist = ["no-such-group"]'
accepted 'a user, with lists before and after' 'lists_pre_validation = true' "user_allowlist = [\"$usr\"]"
refused 'a user, already before' "$usr is in auth.user_blocklist" 'lists_pre_validation = true' \
	"user_blocklist = [\"$usr\"]"

# A group with two names is one group.
other=jto$$
at_end() { groupdel "$other" 2>/dev/null; groupdel "$club" 2>/dev/null; groupdel "$empty" 2>/dev/null; }
groupadd -o -g "$(getent group "$club" | cut -d: -f3)" "$other"
refused 'a user in a group blocked under its other name' "of auth.groups_blocklist" \
	"groups_blocklist = [\"$other\"]"

# shell_allowlist, and the order: the first rule that refuses is the one that is named.
accepted 'a shell in the list' 'shell_allowlist = ["/bin/bash"]'
refused 'a shell that is not in the list' 'the shell /bin/bash of' 'shell_allowlist = ["/bin/zsh"]'
refused 'by the source first' "the pipeline's source" 'pipeline_source_allowlist = ["web"]' \
	"user_blocklist = [\"$usr\"]" 'shell_allowlist = ["/bin/zsh"]'
refused 'by the lists before the shell' 'auth.user_blocklist' "user_blocklist = [\"$usr\"]" \
	'shell_allowlist = ["/bin/zsh"]'
refused 'by min_uid' 'is below auth.min_uid' 'min_uid = 4000000' "user_allowlist = [\"$usr\"]"

# A rule asks for a token also where no account is changed, and judges who triggered the job.
none() {
	title=$1 reason=$2
	shift 2
	write_config '' "$(printf 'downscope = "none"\n'; printf '%s\n' "$@")"
	if [ -z "$reason" ]; then
		except root 'no job runs as root' check "without downscoping, the job is accepted: $title" 'configure || { cat "$box/log"; false; }'
	else
		check "without downscoping, the job is refused: $title" 'is_refused "$reason"'
	fi
}
none 'a user in the allowlist' '' "user_allowlist = [\"$usr\"]"
none 'a user in the blocklist' "$usr is in auth.user_blocklist" "user_blocklist = [\"$usr\"]"
none 'the service account in the blocklist is not who triggered it' '' "user_blocklist = [\"$runner\"]"
none 'a user in a blocked group' 'of auth.groups_blocklist' "groups_blocklist = [\"$club\"]"
# Who changes the name of their login gets past a list of names, so it must be an account'"'"'s.
job "$(token user_login="J${usr#j}")" </dev/null
none 'a login that differs from the account by case, where somebody is blocked' \
	"there is no local account 'J" "user_blocklist = [\"$usr\"]"
job </dev/null
none 'a source that is not in the list' "the pipeline's source" 'pipeline_source_allowlist = ["web"]'
job '' </dev/null
none 'nobody, where there is a rule' 'the job has no id token' "user_blocklist = [\"x\"]"
none 'nobody, where identities are asked for' 'the job has no id token' 'identity_provider = "saml"'
none 'nobody, where there is none' ''
job "$(token user_identities:='[{"provider": "saml", "extern_uid": "somebody"}]')" </dev/null
none 'the identity of a user who is not in the allowlist' 'somebody is not in auth.user_allowlist' \
	'identity_provider = "saml"' "user_allowlist = [\"$usr\"]"
job </dev/null

# One of them all the way.
job <<'SCRIPT'
id -un
SCRIPT
rules "user_allowlist = [\"$usr\"]" "groups_blocklist = [\"$club\"]" 'lists_pre_validation = true' \
	'pipeline_source_allowlist = ["push"]' 'shell_allowlist = ["/bin/bash"]'
check 'a job that all rules admit runs' 'play && grep -qx "$usr" "$box/log"'

# A host that is closed to logins, in a /run and an /etc of the call's own.
# closed FILE TEXT commands...: where FILE says so.
closed() {
	(file=$1 text=$2
	shift 2
	become() {
		file=$file text=$text mode=$mode command unshare -m sh -c '
			mount --make-rprivate / && mount -t tmpfs -o mode=755 none /run &&
			mkdir /run/upper /run/work && mount -t overlay \
				-o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work none /etc &&
			printf "%s" "$text" >"$file" && chmod "${mode:-644}" "$file" && exec "$@"' - "$build/t/as" "$@"
	}
	"$@")
}
mode=
rm -rf "$box/home/$usr/.jacamar-ci"
job </dev/null
rules 'enforce_nologin = true'
check 'a host that is open has jobs' 'configure || { cat "$box/log"; false; }'
for file in /run/nologin /etc/nologin; do
	check "a host that $file closes has no jobs, and says why" '
		closed "$file" "Maintenance.
Back at 18:00." configure
		[ $? -eq 1 ] && nothing_ran && logged " closes this host to logins (auth.enforce_nologin): Maintenance. Back at 18:00."'
done
check 'the author of the job is told why the host is closed, without -u' '
	sed -i "s/\"-u\", *//" "$etc/config.toml"; closed /run/nologin "Back at 18:00." play; code=$?; write_runner_config
	[ $code -eq 1 ] && nothing_ran && logged "$refused_because " && logged "): Back at 18:00. $for_help"'
check 'a host is closed by a nologin file without a text' '
	closed /etc/nologin "" configure; [ $? -eq 1 ] && nothing_ran && logged "this host is closed to logins at present"'
check 'a host is closed by a nologin file that cannot be read' '
	mode=000; closed /etc/nologin "Back at 18:00." configure; code=$?; mode=
	[ $code -eq 1 ] && nothing_ran && logged "this host is closed to logins at present"'
rules
check 'a site that does not heed it has jobs all the same' '
	closed /run/nologin "Back at 18:00." configure || { cat "$box/log"; false; }'

# What the author reads is the same line for each rule: it tells nothing of the rule, or of a list.
sed -i 's/"-u", *//' "$etc/config.toml"
same_line() {
	rules "$@"
	play
	[ $? -eq 1 ] && nothing_ran && [ "$(wc -l <"$box/log")" -eq 2 ] && [ -n "$(neutral_reference)" ] || { cat "$box/log"; return 1; }
}
for rule in "user_blocklist = [\"$usr\"]" "user_allowlist = [\"$two\"]" "groups_blocklist = [\"$club\"]" \
	"groups_allowlist = [\"$empty\"]" 'shell_allowlist = ["/bin/zsh"]' 'min_uid = 4000000000' \
	'pipeline_source_allowlist = ["web"]'; do
	check "the author is not told the rule: ${rule%% *}" 'same_line "$rule"'
done
usermod -s /usr/sbin/nologin "$usr"
check 'the author is not told that the account is closed' 'same_line'
usermod -s /bin/bash "$usr"
job "$(token user_login="$bot")" </dev/null
check 'the author is not told that a machine triggered the job' 'same_line'
job </dev/null
rules
say_why

# What of a job is not run here
job_extra='.scripts += ({get_sources: "get", after_script: "after", archive_cache: "archive"} |
	map_values(["echo \(.) ran"]))'
echo 'echo build ran' | job
job_extra=
for name in build_script step_script; do
	rules "run_stage_allowlist = [\"get_sources\", \"$name\"]"
	check "a sub-stage that is listed is run, the script as $name" '
		rm -rf "$box/home/$usr/.jacamar-ci"; play && grep -x "get ran" "$box/log" && grep -x "build ran" "$box/log"'
	check 'a sub-stage that is not listed is not run, and the log says so' '
		! grep -e "^after ran" -e "^archive ran" "$box/log" &&
		logged "warning: after_script is not run: it is not in this site'"'"'s run_stage_allowlist" &&
		logged "warning: archive_cache is not run: "'
done
rm -rf "$box/home/$usr/.jacamar-ci"
job </dev/null

# The file with the capabilities is a way around all rules for who may execute it.
[ "$flavour" = caps ] || finish
rm -rf "$box/home/$usr/.jacamar-ci"
job </dev/null
rules
usermod -aG "$runner" "$usr"
check 'the job is refused: a user in the group that may execute jacamar-auth' 'is_refused "that may execute jacamar-auth"'
gpasswd -d "$usr" "$runner" >/dev/null
chmod o+x "$prefix/bin/jacamar-auth"
check 'no job runs where everyone may execute it' '
	configure; [ $? -eq 2 ] && nothing_ran && logged "everyone may execute it; run: chmod o-rwx"'
check 'no stage of a job that began before runs where everyone may execute it' '
	chmod o-x "$prefix/bin/jacamar-auth"; prepare_call && chmod o+x "$prefix/bin/jacamar-auth" && call_with
	[ $? -eq 2 ] && logged "everyone may execute it; run: chmod o-rwx $prefix/bin/jacamar-auth"'
chmod o-x "$prefix/bin/jacamar-auth"
rm -rf "$box/home/$usr/.jacamar-ci" "$box/home/$two/.jacamar-ci"

# Where setcap was run for jacamar, which is everyone's, a state that anybody can write must not do.
check 'capabilities of jacamar itself are nobody'"'"'s way to another account' '
	configure && jq -r ".job_env.JACAMAR_CI_STATE" "$box/answer" |
		sed "s|$usr|$two|g; s|\"uid\":$(id -u "$usr")|\"uid\":$(id -u "$two")|
			s|\"gid\":$(id -g "$usr")|\"gid\":$(id -g "$two")|
			s|\"groups\":\[[^]]*\]|\"groups\":[$(id -g "$two")]|" >"$box/state"
	install -m 644 "$box/response.json" "$box/everyones.json"
	setcap cap_setgid,cap_setuid=ep "$prefix/libexec/jacamar-ci"
	as "$usr" JACAMAR_CI_STATE="$(cat "$box/state")" JOB_RESPONSE_FILE="$box/everyones.json" \
		bash -c "exec -a jacamar-auth $prefix/libexec/jacamar-ci -u prepare" >"$box/log" 2>&1
	code=$?; setcap -r "$prefix/libexec/jacamar-ci"
	[ ! -e "$box/home/$two/.jacamar-ci" ] && [ $code -eq 2 ] && logged "everyone may execute it"'

finish
