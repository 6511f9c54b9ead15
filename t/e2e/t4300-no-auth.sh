#!/bin/sh
# A site whose jobs all run as one account calls `jacamar --no-auth`, or jacamar-auth with
# downscope = "none". Neither needs a privilege: this script runs for everyone.
. "$(dirname "$0")/lib.sh"

# The layout of an installation, in a place that the account can reach.
prefix=$box/program
mkdir -p "$prefix/bin" "$prefix/libexec"
cp "$(readlink -f "$build/bin/jacamar")" "$prefix/libexec/jacamar-ci" || exit 1
ln -s ../libexec/jacamar-ci "$prefix/bin/jacamar"
ln -s ../libexec/jacamar-ci "$prefix/bin/jacamar-auth"
chmod 755 "$prefix" "$prefix/bin" "$prefix/libexec" "$prefix/libexec/jacamar-ci"

# As root, an account is made for it; everyone else is the account.
if [ "$(id -u)" -eq 0 ]; then
	runner=jtn$$
	add_account "$runner"
else
	runner=$(id -un)
	as() {
		shift
		(cd / && env -i HOME="$HOME" PATH="$PATH" "$@")
	}
fi
usr=$runner
work=$box/work
mkdir -p "$box/home/$runner/work" "$work"
etc=$box/home/$runner/etc
mkdir "$etc"
[ "$(id -u)" -ne 0 ] || chown -R "$runner" "$box/home/$runner" "$work"
cp "$build/t/site.jwk" "$box/key.jwk"
$sign jwks "$box/key.jwk" >"$box/keys.json"

# The program's calls, as a runner makes them: $box/no-auth.toml and $box/auth.toml.
write_runner_config
mv "$etc/config.toml" "$box/auth.toml"
sed -e "s|$prefix/bin/jacamar-auth|$prefix/bin/jacamar|; s|_args = \[|&\"--no-auth\", |" \
	-e "s|\"[^\"]*jacamar-config.toml\"|\"$etc/jacamar-config.toml\"|" "$box/auth.toml" >"$box/no-auth.toml"
sed -i "s|\"[^\"]*jacamar-config.toml\"|\"$etc/jacamar-config.toml\"|" "$box/auth.toml"

# settings [GENERAL-LINES [AUTH-LINES]]: jacamar-config.toml, with directories in $work.
settings() {
	printf 'general.executor = "shell"\ngeneral.data_dir = "%s"\n%s\n%s\n' "$work" "${1:-}" "${2:-}" \
		>"$etc/jacamar-config.toml"
}
base=$work/$runner

# play_as FILE [runner's options]
play_with() {
	cp "$box/$1.toml" "$etc/config.toml"
	shift
	rm -f "$box/log"
	(cd "$box/home/$runner/work" && as "$runner" sh -c 'cd "$1" && shift && exec "$@"' - "$box/home/$runner/work" \
		"$build_for_all/t/runner" --retry-delay 10 --eof-timeout 60 --result result.json "$@" \
		"$etc/config.toml" "$box/job.json") >"$box/log" 2>&1
	code=$?
	cp "$box/home/$runner/work/result.json" "$box/result.json" 2>/dev/null
	return $code
}
works() { play_with "$@" || { cat "$box/log"; return 1; }; }
# fails FILE 'line part': a system failure of config, after which nothing ran.
fails() {
	rm -rf "$base"
	play_with "$1"
	[ $? -eq "${3:-2}" ] && [ "$(stage_exit config)" = "${3:-2}" ] && logged "$2" && [ ! -e "$base" ] ||
		{ cat "$box/log"; return 1; }
}
# refuses FILE 'line part': a build failure, likewise.
refuses() { fails "$1" "$2 $for_help" 1; }
token() { $sign token "$box/key.jwk" user_login=somebody "$@"; }

settings
job '' <<'SCRIPT'
id -un
grep Cap /proc/self/status
echo "FILE $0"
ps -o args= -p $PPID
SCRIPT
check 'a whole job runs as the account that calls' '
	works no-auth --show-stages && grep -qx "$runner" "$box/log" &&
	logged "FILE $base/scripts/short/000/group/project/981625/build_script.bash"'
check 'all the calls succeed' '[ "$(jq -r "[.calls[].exit] | unique | tostring" "$box/result.json")" = "[0]" ]'
check 'a job without a token has no capability' '[ "$(grep -c "^Cap\(Inh\|Prm\|Eff\|Amb\):.0*$" "$box/log")" -eq 4 ]'
check 'a job without a token runs in a login shell' 'logged "bash --login"'
check 'the directories of such a job are private' '[ "$(stat -c %a "$base" "$base/builds" "$base/cache" "$base/scripts" | sort -u)" = 700 ]'
check 'no script is left' '! find "$base/scripts" ! -type d | grep . && [ ! -e "$base/scripts/short/000/group/project/981625" ]'
job '' <<'SCRIPT'
exit 42
SCRIPT
check 'a failing script fails the job with its own exit code' '
	play_with no-auth; [ $? -eq 1 ] && logged "exit code 42" && [ "$(stage_exit run build_script)" = 1 ]'
job '' <<'SCRIPT'
kill -KILL $$
SCRIPT
check 'a script that dies by a signal is 128 and its number' 'play_with no-auth; [ $? -eq 1 ] && logged "exit code 137"'
job '' <<'SCRIPT'
echo to-out; echo to-err >&2; echo reopened >/dev/stderr; tr '\0' '\n' </proc/$PPID/environ | sed 's/^/HAS /'
SCRIPT
check 'both outputs are in the log, also opened anew' 'works no-auth && logged to-out && logged to-err && logged reopened'
check "the login shell has nothing of the runner's environment" '
	! grep -e "^HAS CUSTOM_ENV" -e "^HAS JACAMAR_CI_STATE" -e "^HAS TMPDIR" -e "^HAS JOB_RESPONSE" "$box/log" &&
	grep -q "^HAS JACAMAR_CI_JOB=" "$box/log"'

# Without capabilities the C library does not see to it that the three standard descriptors are open.
# Each shell, the login shell first, reads the probe, which does not mind when it has nowhere to say so.
echo true | job ''
echo "readlink /proc/\$\$/fd/* >>$work/held" >"$work/probe"
settings "general.user_bash_env = [\"BASH_ENV=$work/probe\"]"
call=$box/home/$runner/work/call
mkdir "$call"
[ "$(id -u)" -ne 0 ] || chown "$runner" "$call"
works no-auth --prepare-only "$call"
sed "s|'$prefix/bin/jacamar'|\"\$@\" &|" "$call/call.sh" >"$call/changed.sh"
for closed in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
	# A log that cannot be written is a system failure.
	case $closed in
	*' >&-'* | '>&-'*) expected=2 ;;
	*) expected=0 ;;
	esac
	check "run with $closed leaks nothing" '
		rm -f "$work/held"; as "$runner" sh "$call/changed.sh" sh -c "exec \"\$@\" $closed" - >"$box/log" 2>&1
		[ $? -eq $expected ] && [ -s "$work/held" ] &&
		! grep -v -e "^/dev/null$" -e "^pipe:" -e "^$box/log$" -e "^$work/held$" -e "^$work/probe$" -e "^$base/" -e "^/proc/" "$work/held" || {
		cat "$box/log" "$work/held"; false; }'
done
settings

# A process that the job leaves behind ends, and nobody else's.
as "$runner" sh -c 'echo $$ >"$1"; exec sleep 300' - "$box/home/$runner/work/other" >/dev/null 2>&1 &
wait_until '[ -s "$box/home/$runner/work/other" ]'
other=$(cat "$box/home/$runner/work/other")
job '' <<'SCRIPT'
sleep 301 >/dev/null 2>&1 &
echo $! >"$(dirname "$0")/../pid"
SCRIPT
rm -rf "$base"
check 'cleanup ends what the job left, and nothing else of the account' '
	works no-auth && left=$(cat "$base/scripts/short/000/group/project/pid") && [ -n "$left" ] &&
	{ [ ! -e "/proc/$left" ] || grep -q "^State:.Z" "/proc/$left/status"; } &&
	[ "$(cat "/proc/$other/comm")" = sleep ]'
kill "$other"
wait

# Tokens
job '' <<'SCRIPT'
echo the job ran
SCRIPT
for way in no-auth auth; do
	case $way in
	no-auth) how='jacamar --no-auth' none= ;;
	auth) how='jacamar-auth with downscope none' none='auth.downscope = "none"' ;;
	esac
	settings '' "$none"
	job '' <<-'SCRIPT'
		echo the job ran
	SCRIPT
	check "$how needs no token" 'works $way && logged "the job ran"'
	settings 'general.jwt_required_aud = "https://site.example.com"
	general.jwks_file = "'"$box/keys.json"'"' "$none"
	check "$how does where an audience is required" '
		refuses $way "id_tokens: { SITE_ID_TOKEN: { aud: \"https://site.example.com\" } }"'
	job "$(token aud=https://site.example.com)" <<-'SCRIPT'
		echo the job ran
		id -un
	SCRIPT
	check "$how takes the right one, and stays the account that it is" '
		works $way && logged "the job ran" && grep -qx "$runner" "$box/log"'
	job "$(token)" <<-'SCRIPT'
		echo the job ran
	SCRIPT
	check "$how refuses one for another audience" '
		refuses $way "its id token is for another audience; in .gitlab-ci.yml, set its aud to \"https://site.example.com\""'
	settings "general.jwks_file = \"$box/keys.json\"" "$none"
	check "$how verifies a token that is there but not needed" 'works $way && logged "the job ran"'
	job "$(token exp@=-3600)" <<-'SCRIPT'
		echo the job ran
	SCRIPT
	check "$how refuses a bad one" 'refuses $way "its id token has expired; run the job again"'
	job "$(token job_id=7)" <<-'SCRIPT'
		echo the job ran
	SCRIPT
	check "$how refuses that of another job" 'refuses $way "its id token could not be verified"'
done

# Settings that ask for a change of account
job '' <<'SCRIPT'
echo the job ran as $(id -un)
SCRIPT
for how in setuid sudo; do
	settings '' "auth.downscope = \"$how\""
	check "jacamar --no-auth ignores downscope = $how, with a warning in each job" '
		works no-auth && logged "the job ran as $runner" && [ "$(grep -c "warning: this job runs as $runner: jacamar --no-auth ignores auth.downscope" "$box/log")" = 1 ]'
done
settings '' "auth.downscope = \"setuid\"
auth.user_blocklist = [\"$runner\"]"
check 'jacamar --no-auth wants a token as soon as a list is set, whatever downscope is' 'fails no-auth "it has no id token" 1'
settings '' 'auth.downscope = "setuid"'
# With -u the log has what only the site's staff can repair.
sed 's/_args = \["\([a-z]\)/_args = ["-u", "\1/' "$box/auth.toml" >"$box/auth-u.toml"
check 'jacamar-auth without capabilities refuses such a configuration' '
	fails auth "$setup_fault" && fails auth-u "cannot change accounts"'
settings
check 'jacamar-auth wants to be told not to' '
	fails auth "$setup_fault" && fails auth-u "the configuration lacks auth.downscope"'
settings '' 'auth.downscope = "none"'
check 'jacamar --no-auth may be told so' 'works no-auth && logged "the job ran"'

# Root
if [ "$(id -u)" -eq 0 ]; then
	# Otherwise root's configuration would lie where another account writes.
	chown -R root "${etc%/*}"
	for way in no-auth auth; do
		cp "$box/$way.toml" "$etc/root.toml"
		job "$(token)" </dev/null
		settings "general.jwks_file = \"$box/keys.json\"" 'auth.downscope = "none"'
		chown root "$etc/jacamar-config.toml"
		check "no job runs as root ($way)" '
			(cd "$box" && "$build/t/runner" --retry-delay 10 --result "$box/result.json" "$etc/root.toml" "$box/job.json") >"$box/log" 2>&1
			[ $? -eq 1 ] && [ "$(stage_exit config)" = 1 ] && logged "$neutral" && [ ! -e "$work/root" ]'
	done
else
	skip 'no job runs as root (no-auth)' 'is not root'
	skip 'no job runs as root (auth)' 'is not root'
fi

finish
