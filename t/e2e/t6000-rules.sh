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
	check "accepted: $title" 'configure && jq -e .builds_dir "$box/answer" || { cat "$box/log"; false; }'
}

is_refused() {
	configure
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && nothing_ran && [ "$(wc -l <"$box/log")" -eq 1 ] &&
		logged "this job was refused" && logged "$1"
}

refused() {
	title=$1 reason=$2
	shift 2
	rules "$@"
	check "refused: $title" 'is_refused "$reason"'
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
bot=project_$$_bot
useradd -M -K UID_MIN=20000 -K UID_MAX=29999 -d "$box/home/$usr" -s /bin/bash "$bot" && accounts="$accounts $bot"
job "$(token user_login="$bot")" </dev/null
refused 'a bot of a project' "$bot is a bot of a project or group"
accepted 'a bot, where bots may' 'allow_bot_accounts = true'
refused 'a bot that is in the blocklist, where bots may' "$bot is in auth.user_blocklist" \
	'allow_bot_accounts = true' "user_blocklist = [\"$bot\"]"

# The four lists, one at a time and against one another.
job </dev/null
refused 'a user in the blocklist' "$usr is in auth.user_blocklist" "user_blocklist = [\"x\", \"$usr\"]"
accepted 'a user who is not in the blocklist' 'user_blocklist = ["x"]'
accepted 'a user in the allowlist' "user_allowlist = [\"$usr\"]"
refused 'a user who is not in the allowlist' "$usr is in none of" "user_allowlist = [\"x\", \"${usr}2\"]"
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
refused 'a user who is in no allowed group' "$usr is in none of" "groups_allowlist = [\"$empty\"]"
rules 'groups_blocklist = ["no-such-group"]'
check 'a blocked group that is not known here stops all jobs' '
	configure; [ $? -eq 2 ] && nothing_ran && logged "the group no-such-group of auth.groups_blocklist is not known"'
refused 'a user, where the allowed group does not exist' "$usr is in none of" \
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
		except root 'no job runs as root' check "without downscoping, accepted: $title" 'configure || { cat "$box/log"; false; }'
	else
		check "without downscoping, refused: $title" 'is_refused "$reason"'
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
none 'nobody, where there is none' ''

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
	setpriv() {
		file=$file text=$text mode=$mode command unshare -m sh -c '
			mount --make-rprivate / && mount -t tmpfs -o mode=755 none /run &&
			mkdir /run/upper /run/work && mount -t overlay \
				-o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work none /etc &&
			printf "%s" "$text" >"$file" && chmod "${mode:-644}" "$file" && exec setpriv "$@"' - "$@"
	}
	"$@")
}
mode=
rm -rf "$box/home/$usr/.jacamar-ci"
job </dev/null
rules 'enforce_nologin = true'
check 'a host that is open has jobs' 'configure || { cat "$box/log"; false; }'
for file in /run/nologin /etc/nologin; do
	check "one that $file closes has none, and says why" '
		closed "$file" "Maintenance.
Back at 18:00." configure
		[ $? -eq 2 ] && nothing_ran && logged " closes this host, as auth.enforce_nologin heeds: Maintenance. Back at 18:00."'
done
check 'which is not kept from the author of the job, to whom reasons are not told' '
	sed -i "s/\"-u\", *//" "$etc/config.toml"; closed /run/nologin "Back at 18:00." play; code=$?; write_runner_config
	[ $code -eq 2 ] && nothing_ran && logged "this job was refused (reference " && logged "): Back at 18:00."'
check 'also where the file says nothing' '
	closed /etc/nologin "" configure; [ $? -eq 2 ] && nothing_ran && logged "this host is closed to logins at present"'
check 'or cannot be read' '
	mode=000; closed /etc/nologin "Back at 18:00." configure; code=$?; mode=
	[ $code -eq 2 ] && nothing_ran && logged "this host is closed to logins at present"'
rules
check 'a site that does not heed it has jobs all the same' '
	closed /run/nologin "Back at 18:00." configure || { cat "$box/log"; false; }'

# What of a job is not run here
job_extra='.scripts += ({get_sources: "get", after_script: "after", archive_cache: "archive"} |
	map_values(["echo \(.) ran"]))'
echo 'echo build ran' | job
job_extra=
for name in build_script step_script; do
	rules "run_stage_allowlist = [\"get_sources\", \"$name\"]"
	check "a sub-stage that is listed is run, the script as $name" '
		rm -rf "$box/home/$usr/.jacamar-ci"; play && grep -x "get ran" "$box/log" && grep -x "build ran" "$box/log"'
	check 'any other is not, which is told' '
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
check 'refused: a user in the group that may execute jacamar-auth' 'is_refused "that may execute jacamar-auth"'
gpasswd -d "$usr" "$runner" >/dev/null
chmod o+x "$prefix/bin/jacamar-auth"
check 'no job runs where everyone may execute it' '
	configure; [ $? -eq 2 ] && nothing_ran && logged "everyone may execute it; run: chmod o-rwx"'
check 'nor does a stage of one that began before' '
	chmod o-x "$prefix/bin/jacamar-auth"; prepare_call && chmod o+x "$prefix/bin/jacamar-auth" && call_with
	[ $? -eq 2 ] && logged "everyone may execute it; run: chmod o-rwx $prefix/bin/jacamar-auth"'
chmod o-x "$prefix/bin/jacamar-auth"
rm -rf "$box/home/$usr/.jacamar-ci"

# Where setcap was run for jacamar, which is everyone's, a state that anybody can write must not do.
check 'capabilities of jacamar itself are nobody'"'"'s way to another account' '
	configure && jq -r ".job_env.JACAMAR_CI_STATE" "$box/answer" |
		sed "s|$usr|$two|g; s|\"uid\":$(id -u "$usr")|\"uid\":$(id -u "$two")|
			s|\"gid\":$(id -g "$usr")|\"gid\":$(id -g "$two")|" >"$box/state"
	install -m 644 "$box/response.json" "$box/everyones.json"
	setcap cap_setgid,cap_setuid=ep "$prefix/libexec/jacamar-ci"
	as "$usr" JACAMAR_CI_STATE="$(cat "$box/state")" JOB_RESPONSE_FILE="$box/everyones.json" \
		bash -c "exec -a jacamar-auth $prefix/libexec/jacamar-ci prepare" >"$box/log" 2>&1
	code=$?; setcap -r "$prefix/libexec/jacamar-ci"
	[ ! -e "$box/home/$two/.jacamar-ci" ] && [ $code -eq 2 ] && logged "everyone may execute it"'

finish
