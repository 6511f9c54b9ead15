#!/bin/sh
# A hook of the site prepares each job, as its user and under the same rules as its scripts. Its
# failure fails prepare; nobody but the site can change it.
# Flavours: caps sudo none
. "$(dirname "$0")/lib.sh"
install_site
home=$box/home/$usr
site=$prefix/site
hook=$site/prepare
mkdir -m 755 "$site"
mkdir -m 1777 "$box/open"

# hook: its text, from standard input.
hook() {
	rm -f "$hook"
	{ echo '#!/bin/bash'; cat; } >"$hook"
	chmod 755 "$hook"
}

# with [AUTH-LINES]: the configuration, with the hook.
with() {
	write_config "data_dir = \"\$HOME\"
prepare_hook = \"${hook_path:-$hook}\"" "downscope = \"$downscope\"
${1:-}"
}

# What a process of the job may do, and as whom.
cat >"$box/open/rules" <<'SCRIPT'
grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|SigIgn)' /proc/$$/status
ulimit -a | grep -v pipe
umask
echo "HOME=$HOME USER=$USER LOGNAME=$LOGNAME SHELL=$SHELL JACAMAR_CI_JOB=${JACAMAR_CI_JOB:+set}"
readlink /proc/$$/fd/0
SCRIPT
chmod 644 "$box/open/rules"

hook <<SCRIPT
echo "the hook runs as \$(id -un)"
echo "an error of the hook" >&2
. "$box/open/rules" >~/of-hook
env >~/environment
export TICKET=secret
touch ~/hook-ran
SCRIPT
filters=
[ "$flavour" = none ] || filters='no_new_privs = true
[auth.seccomp]
block_calls = ["ptrace"]
[auth.limits]
nofile = 777
core = 0'
with "$filters"
printf '%s\n' 'echo "the first script runs"' '[ -e ~/hook-ran ] && echo "after the hook"' \
	"bash $box/open/rules >~/of-script" 'echo "ticket: ${TICKET:-none}"' | job
check 'a job with a hook succeeds' 'play || { cat "$box/log"; false; }'
check 'the hook runs as the user, before the first script' '
	logged "the hook runs as $usr" && logged "after the hook" &&
	[ "$(grep -e "the hook runs" -e "the first script runs" "$box/log" | head -n 1)" = "the hook runs as $usr" ]'
check 'the log has the output and the errors of the hook' 'logged "an error of the hook"'
check 'the hook has the limits, filters and privileges of a script' '
	cat "$home/of-hook" && diff "$home/of-hook" "$home/of-script"'
except none 'the site sets none' check 'they are those of the site' '
	grep -x "open files .* 777" "$home/of-hook" && grep -E "^NoNewPrivs:.1" "$home/of-hook" &&
	grep -E "^Seccomp:.2" "$home/of-hook"'
check 'the hook gets no variables of the CI job or of the runner' '
	! grep -E "^(CI_|CUSTOM_ENV_|JOB_RESPONSE|JACAMAR_CI_STATE|TMPDIR)" "$home/environment"'
check 'what the hook exports does not reach the scripts' 'logged "ticket: none"'

# --- what the author of a job can do about it ---

rm "$home/hook-ran"
printf '%s\n' "touch $box/open/profile" 'exit 0' >"$home/.bash_profile"
cp "$home/.bash_profile" "$home/.bashrc"
cp "$home/.bash_profile" "$home/.profile"
chown "$usr" "$home/.bash_profile" "$home/.bashrc" "$home/.profile"
job_extra='.response.variables += [
	{key: "JACAMAR_NO_BASH_PROFILE", value: "true"},
	{key: "BASH_ENV", value: "'"$home/.bashrc"'"}, {key: "PREPARE_HOOK", value: "/bin/true"},
	{key: "BASH_FUNC_command%%", value: "() { :; }"}, {key: "PATH", value: "/nonexistent:/usr/bin:/bin"}]'
echo 'echo it ran' | job
check 'a profile, or variables of the CI job, do not keep the hook from running' '
	play; logged "the hook runs as $usr" && [ -e "$home/hook-ran" ] && [ ! -e "$box/open/profile" ]'
job_extra=
rm "$home/.bash_profile" "$home/.bashrc" "$home/.profile"

# --- the hook fails ---

echo 'echo it ran' | job
hook <<'SCRIPT'
echo "no ticket for $USER: the KDC is down"
exit 3
SCRIPT
check 'a hook that fails is a system failure, with its output and exit code' '
	play; [ $? -eq 2 ] && logged "no ticket for $usr: the KDC is down" && ! grep "^it ran" "$box/log" &&
	logged "the site'\''s preparation of the job failed: $hook ended with exit code 3 (general.prepare_hook)" &&
	[ "$(stage_exit prepare)" = 2 ]'
check 'the job leaves nothing behind' 'nothing_left'
hook <<'SCRIPT'
kill -KILL $$
SCRIPT
check 'a hook that is killed fails the job' 'play; [ $? -eq 2 ] && logged "exit code 137"'
echo '#!/nonexistent' >"$hook"
check 'a hook that cannot be executed fails the job' 'play; [ $? -eq 2 ] && logged "ended with exit code 12"'

# --- its processes ---

hook <<'SCRIPT'
sleep 600 &
sleep 601 </dev/null >/dev/null 2>&1 &
echo "a ticket is renewed in the background"
SCRIPT
echo 'pgrep -u "$(id -u)" sleep >/dev/null && echo "it still runs"' | job
check 'processes of the hook live on until cleanup, which ends them' '
	play && logged "it still runs" && logged "still held open by" && never_living && nothing_left ||
	{ cat "$box/log"; false; }'
hook <<'SCRIPT'
trap '' TERM
echo "the hook waits"
sleep 600 & wait
SCRIPT
sed -i 's/^prepare_hook/kill_timeout = "4s"\n&/' "$etc/jacamar-config.toml"
check 'a job that is cancelled ends its hook' '
	bounded_play --cancel-on "the hook waits"; [ $? -eq 4 ] && nothing_left || { cat "$box/log"; false; }'

# --- who can change it ---

hook <<'SCRIPT'
touch ~/hook-ran
SCRIPT
rm -f "$home/hook-ran"
refuses() {
	configure
	[ $? -eq 2 ] && logged "$1" && [ ! -e "$home/hook-ran" ]
}
hook_path=$site/none with
check 'a hook that does not exist fails config' 'refuses "is general.prepare_hook right?"'
hook_path=prepare with
check 'a relative path is refused' 'refuses "prepare_hook"'
with
chmod 644 "$hook"
check 'a hook that is not executable fails config' 'refuses "is not a program that everyone may execute: set general.prepare_hook"'
chmod 775 "$hook"
check 'a hook that its group can write fails config' 'refuses "$hook"'
chmod 755 "$hook"
chmod 4755 "$hook"
check 'a hook with a set-id bit fails config' 'refuses "has a set-id bit"'
chmod 755 "$hook"
chown "$two" "$hook"
check 'a hook of another account fails config' 'refuses "$hook"'
chown root "$hook"
chmod 777 "$site"
check 'a hook in a directory that others can write fails config' 'refuses "$site"'
chmod 755 "$site"
ln -s "$hook" "$box/open/link"
chown -h "$two" "$box/open/link"
hook_path=$box/open/link with
check 'a link that another account can change fails config' 'refuses "$box/open"'
with
check 'the same hook, safe again, runs' 'echo true | job; play && [ -e "$home/hook-ran" ]'

finish
