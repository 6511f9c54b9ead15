# The library of the end-to-end tests: POSIX sh with bash's `local`; source it first.
#
#   sh t/e2e/t1000-name.sh [-v]      runs one alone; -v shows what it does
#
# A test is `check 'a sentence that is true' 'commands'`: it passes where the commands, in this
# shell's environment, return 0. The output is TAP. Everything is made below $box, a directory of
# root's, with accounts of this run's own; all of it is removed at the end, also after a failure.

# The tree and its build.
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$top/build}
sign=$build/t/sign

verbose=
[ "${1:-}" = -v ] && verbose=1
count=0
failed=0

say() { printf '# %s\n' "$*"; }

# check 'title' 'commands'
check() {
	count=$((count + 1))
	if [ -n "$verbose" ]; then
		(eval "$2") >&2 && result=0 || result=$?
	else
		(eval "$2") >"$box/output" 2>&1 && result=0 || result=$?
	fi
	if [ "$result" -eq 0 ]; then
		printf 'ok %d - %s\n' "$count" "$1"
	else
		failed=$((failed + 1))
		printf 'not ok %d - %s\n' "$count" "$1"
		[ -n "$verbose" ] || sed 's/^/#   /' "$box/output" | tail -n 60
	fi
}

# skip 'title' 'why'
skip() {
	count=$((count + 1))
	printf 'ok %d - %s # SKIP %s\n' "$count" "$1" "$2"
}

# skip_all 'why': leaves the whole script out.
skip_all() {
	printf '1..0 # SKIP %s\n' "$1"
	exit 0
}

finish() {
	printf '1..%d\n' "$count"
	[ "$failed" -eq 0 ]
	exit
}

# Every process of an account of this run's own, and no other, is ended with it.
remove_account() {
	local uid round
	uid=$(id -u "$1" 2>/dev/null) || return 0
	for round in 1 2 3 4 5 6 7 8 9 10; do
		pkill -KILL -U "$uid" 2>/dev/null || break
		sleep 0.1
	done
	userdel -r "$1" >/dev/null 2>&1 || userdel "$1" >/dev/null 2>&1
}

clean_up() {
	trap - EXIT
	command -v at_end >/dev/null 2>&1 && at_end
	for account in ${accounts:-}; do
		remove_account "$account"
	done
	[ -n "${installed:-}" ] && rm -rf "$installed"
	rm -rf "$box"
}

# add_account NAME [useradd's options]: a real account, whose home is below $box.
add_account() {
	local name=$1
	shift
	useradd -m -b "$box/home" -s /bin/bash -K UID_MIN=20000 -K UID_MAX=29999 "$@" "$name" || exit 1
	accounts="${accounts:-} $name"
}

# The scratch directory, also of those who are not root.
box=$(mktemp -d "${TMPDIR:-/tmp}/jacamar-test.XXXXXX") || exit 1
chmod 755 "$box"
mkdir -m 755 "$box/home"
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# as ACCOUNT COMMAND...: with a bare environment, from a directory that everyone may enter.
as() {
	local who=$1
	shift
	(cd / && setpriv --reuid "$who" --regid "$(id -g "$who")" --init-groups \
		env -i HOME="$(getent passwd "$who" | cut -d: -f6)" PATH="$PATH" "$@")
}

# need_root: skips the script for others.
need_root() {
	[ "$(id -u)" -eq 0 ] || skip_all 'needs root: makes accounts and sets file capabilities'
}

# install_site: accounts $runner (the service), $usr and $two, the program installed with file
# capabilities below $prefix, a key, a key set, and the two configuration files, all of it as the
# guide for administrators has it, but for the names.
install_site() {
	need_root
	runner=jtr$$ usr=jtu$$ two=jtt$$
	add_account "$runner" -r -d "$box/home/$runner"
	add_account "$usr"
	add_account "$two"
	prefix=/opt/jacamar-test.$$
	installed=$prefix
	make -s -C "$top" install-caps DESTDIR= PREFIX="$prefix" SERVICE_USER="$runner" \
		${SANITIZE:+SANITIZE=$SANITIZE} >"$box/install" 2>&1 || { cat "$box/install" >&2; exit 1; }
	etc=$box/home/$runner/.gitlab-runner
	install -d -m 700 -o "$runner" "$etc" "$box/home/$runner/work"
	chmod 755 "$box/home/$runner"
	$sign key --alg RS256 --kid site >"$box/key.jwk"
	$sign jwks "$box/key.jwk" >"$box/keys.json"
	write_runner_config
	write_config
}

# write_runner_config: $etc/config.toml, the runner's.
write_runner_config() {
	sed -e "s|/opt/jacamar/|$prefix/|" -e "s|/home/gitlab-runner/|$box/home/$runner/|" \
		-e 's|<RUNNER-TOKEN>|short|' "$top/config/examples/config.toml" >"$etc/config.toml"
	chown "$runner" "$etc/config.toml"
}

# write_config [GENERAL-LINES [AUTH-LINES]]: $etc/jacamar-config.toml. What stands in
# $general or $auth in place of the defaults may be given as the two arguments.
write_config() {
	{
		printf '[general]\nexecutor = "shell"\n'
		printf '%s\n' "${1:-data_dir = \"\$HOME\"}" "jwks_file = \"$box/keys.json\""
		printf '[auth]\n%s\n' "${2:-downscope = \"setuid\"}"
	} >"$etc/jacamar-config.toml"
	chown "$runner" "$etc/jacamar-config.toml"
	chmod 600 "$etc/jacamar-config.toml"
}

# token [CLAIM...]: a token of $usr for job 981625, with the claims changed as for `sign claims`.
token() {
	$sign claims user_login="$usr" "$@" | $sign token "$box/key.jwk"
}

# job [TOKEN]: $box/job.json, whose build_script is read from standard input, a line a command.
# $job_extra, where set, is a jq expression that changes it further.
job() {
	jq -Rn --arg token "${1-$(token)}" '{
		response: {
			id: 981625, job_info: {project_id: 20, name: "ci-job"},
			git_info: {repo_url:
				"https://gitlab-ci-token:job-secret@gitlab.example.com/group/project.git"},
			variables: [{key: "SITE_ID_TOKEN", value: $token, masked: true}]
		},
		scripts: {build_script: [inputs]}
	}'" | ${job_extra:-.}" >"$box/job.json"
	chmod 644 "$box/job.json"
}

# play [runner's options]: runs $box/job.json as the service account. The job's log goes to
# $box/log, the calls' results to $box/result.json; returns what t/runner does.
play() {
	rm -f "$box/log"
	as "$runner" sh -c 'cd ~/work && exec "$@"' - "$build_for_all/t/runner" --retry-delay 10 \
		--eof-timeout 60 --result result.json "$@" "$etc/config.toml" "$box/job.json" \
		>"$box/log" 2>&1
	code=$?
	cp "$box/home/$runner/work/result.json" "$box/result.json" 2>/dev/null
	return $code
}

# The service account must reach the tools; the checkout may lie where it cannot.
build_for_all=$box/build
mkdir -p "$build_for_all/t"
cp "$build/t/runner" "$build/t/sign" "$build_for_all/t/" 2>/dev/null

# logged TEXT: the job's log has this line part; shows the log where not.
logged() {
	grep -qF -- "$1" "$box/log" || { cat "$box/log"; return 1; }
}

# nothing_ran: no process of $usr is left, and none of the job's directories was ever made.
nothing_ran() {
	! pgrep -U "$usr" && [ ! -e "$box/home/$usr/.jacamar-ci" ]
}

# no_process: none of $usr is left.
no_process() {
	! pgrep -a -U "$usr"
}

# stage_exit STAGE [SUBSTAGE]: prints how the (last such) call ended: the exit code, or signal N.
stage_exit() {
	jq -r --arg stage "$1" --arg substage "${2:-}" '[.calls[] | select(.stage == $stage and
		($substage == "" or .substage == $substage))] | last |
		if .signal then "signal \(.signal)" else .exit end' "$box/result.json"
}
