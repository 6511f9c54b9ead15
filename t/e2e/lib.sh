# The library of the end-to-end tests: POSIX sh with bash's `local`; source it first.
#
#   sh t/e2e/t1000-name.sh [-v] [-i] [--run=N[,N...]]
#
#   -v       show what the checks print
#   -i       stop at the first check that fails
#   --run    run these checks alone, by their numbers; see t/README
#
#   FLAVOUR=sudo sh t/e2e/...        for a site of another flavour:
#
# caps   jacamar-auth changes the account by file capabilities (the usual one)
# root   the runner, and so jacamar-auth, is root
# sudo   sudo changes it, as a file of sudoers allows, which is made for the test
# none   jacamar --no-auth; jobs run as the service account, which $usr is, too
#
# A test is `check 'a sentence that is true' 'commands'`: it passes where the commands, in this
# shell's environment, return 0. The output is TAP. Everything is made below $box, a directory of
# root's, with accounts of this run's own; all of it is removed at the end, also after a failure.

# The tree and its build.
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$top/build}
sign=$build/t/sign

# Files that others could write are refused, and this would be what made them so.
umask 022

flavour=${FLAVOUR:-caps}
case $flavour in
caps | root) downscope=setuid ;;
sudo | none) downscope=$flavour ;;
*) echo "there is no flavour $flavour" >&2 && exit 1 ;;
esac

verbose='' immediate='' chosen=''
for option; do
	case $option in
	-v) verbose=1 ;;
	-i) immediate=1 ;;
	--run=*[!0-9,]* | --run=) echo "--run takes the numbers of checks: --run=3,5" >&2 && exit 1 ;;
	--run=*) chosen=${option#--run=} ;;
	*) echo "there is no option $option: -v, -i, --run=N[,N...]" >&2 && exit 1 ;;
	esac
done
count=0
failed=0
executed=0

say() { printf '# %s\n' "$*"; }

# check 'title' 'commands'
check() {
	if [ -n "$chosen" ]; then
		case ",$chosen," in
		*",$((count + 1)),"*) ;;
		*) skip "$1" 'not chosen by --run' && return ;;
		esac
	fi
	count=$((count + 1))
	executed=$((executed + 1))
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
		[ -z "$immediate" ] || finish
	fi
}

# skip 'title' 'why'
skip() {
	count=$((count + 1))
	printf 'ok %d - %s # SKIP %s\n' "$count" "$1" "$2"
}

# except 'FLAVOURS' 'why' check 'title' 'commands': in these flavours it is skipped.
except() {
	local flavours=$1 why=$2
	shift 2
	case " $flavours " in
	*" $flavour "*) skip "$2" "$why" ;;
	*) "$@" ;;
	esac
}

# skip_all 'why': leaves the whole script out.
skip_all() {
	printf '1..0 # SKIP %s\n' "$1"
	exit 0
}

finish() {
	printf '1..%d\n' "$count"
	[ -z "$chosen" ] || [ "$executed" -gt 0 ] || { echo "no check has run: --run=$chosen" >&2; exit 1; }
	[ "$failed" -eq 0 ]
	exit
}

# Of the tests that run at the same time, one at a time: who finds passwd(5) locked gives up soon.
for tool in useradd userdel usermod groupadd groupdel gpasswd chage; do
	eval "$tool() { flock /etc $tool \"\$@\"; }"
done

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
	[ ! -e "$box/holder-reports" ] || kill "$(cat "$box/holder-reports")"
	for account in ${accounts:-}; do
		remove_account "$account"
	done
	[ -n "${installed:-}" ] && rm -rf "$installed"
	[ -n "${sudoers:-}" ] && rm -f "$sudoers"
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

# as ACCOUNT [NAME=VALUE]... COMMAND...: with a bare environment, from a directory that everyone may
# enter. Some tests put another program before it, with a `become` of their own.
become() { "$build/t/as" "$@"; }
as() {
	# What a runner that is root leaves behind goes with the rest.
	become "$box/home/root" "$@"
}

# need_root: skips the script for others.
need_root() {
	[ "$(id -u)" -eq 0 ] || skip_all 'needs root: makes accounts and sets file capabilities'
}

# holders PIPE PIPE: the processes that have one of the pipes open.
holders() {
	local holder
	for holder in $(find /proc/[0-9]*/fd \( -lname "pipe:\[$1\]" -o -lname "pipe:\[$2\]" \) |
		cut -d/ -f3 | sort -un); do
		ps -ww -o pid=,ppid=,pgid=,sid=,user=,stat=,wchan:20=,etime=,args= -p "$holder"
		find "/proc/$holder/fd" -mindepth 1 -printf '  %f %l\n'
		grep -E '^(SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt)' "/proc/$holder/status"
		cat "/proc/$holder/stack"
	done 2>/dev/null
}

# start_holder_reports: has root tell who holds the pipes of a call of t/runner that is late, which
# the service account may not see. It is nobody's child, since some tests wait for all of theirs.
start_holder_reports() {
	mkfifo -m 600 "$box/late-calls" && chown "$runner" "$box/late-calls" || exit 1
	(
		while [ -p "$box/late-calls" ]; do
			read -r pid one two <"$box/late-calls" || continue
			# In one piece: the test says something at the same time.
			say "the call $pid is late; its pipes $one and $two are open in:
$(holders "$one" "$two" | sed 's/^/#   /')"
		done &
		echo $! >"$box/holder-reports"
	)
}

# install_site: accounts $runner (the service), $usr and $two, the program installed below $prefix
# as $flavour needs it, a key, a key set, and the two configuration files, all of it as the guide
# for administrators has it, but for the names; $site_id, where set, is in them in place of this
# shell's pid. A runner's call of the program begins with $entry, what it says with $program.
install_site() {
	need_root
	local id=${site_id:-$$} target=install
	runner=jtr$id usr=jtu$id two=jtt$id
	[ "$flavour" != caps ] || target=install-caps
	[ "$flavour" != root ] || runner=root
	[ "$flavour" != none ] || usr=$runner
	[ "$flavour" = root ] || add_account "$runner" -r -d "$box/home/$runner"
	[ "$flavour" = none ] || add_account "$usr"
	add_account "$two"
	prefix=/opt/jacamar-test.$id
	installed=$prefix
	entry=$prefix/bin/jacamar-auth
	[ "$flavour" != none ] || entry="$prefix/bin/jacamar --no-auth"
	program=${entry%% *} program=${program##*/}
	make -s -C "$top" "$target" DESTDIR= PREFIX="$prefix" SERVICE_USER="$runner" \
		${SANITIZE:+SANITIZE=$SANITIZE} >"$box/install" 2>&1 || { cat "$box/install" >&2; exit 1; }
	[ "$flavour" != sudo ] || write_sudoers
	start_holder_reports
	etc=$box/home/$runner/.gitlab-runner
	install -d -m 700 -o "$runner" "$box/home/$runner" "$etc" "$box/home/$runner/work"
	chmod 755 "$box/home/$runner"
	cp "$build/t/site.jwk" "$box/key.jwk" || exit 1
	$sign jwks "$box/key.jwk" >"$box/keys.json"
	write_runner_config
	write_config
}

# write_sudoers [LINES]: the lines that the manual gives, with this site's names, and LINES behind
# them, become a file that sudo reads.
write_sudoers() {
	sudoers=/etc/sudoers.d/$runner
	sed -n -e '/^\.Sh SUDO/,/^\.Sh ENV/ { /^Defaults/p; / NOPASSWD: /p }' \
		"$top/man/jacamar-auth.8" | sed -e "s|/opt/jacamar/|$prefix/|g" \
		-e "s/gitlab-runner/$runner/g" -e "s/%ci-users/$usr, $two/" >"$box/sudoers"
	printf '%s\n' "${1:-}" >>"$box/sudoers"
	visudo -c -f "$box/sudoers" >"$box/visudo" 2>&1 ||
		{ cat "$box/visudo" "$box/sudoers" >&2; exit 1; }
	# sudo passes over a file with a dot in its name: none is ever seen in parts.
	install -m 440 "$box/sudoers" "$sudoers.new" && mv "$sudoers.new" "$sudoers"
}

# write_runner_config: $etc/config.toml, the runner's.
write_runner_config() {
	sed -e "s|/opt/jacamar/|$prefix/|" -e "s|/home/gitlab-runner/|$box/home/$runner/|" \
		-e 's|<RUNNER-TOKEN>|short|' "$top/config/examples/config.toml" >"$etc/config.toml"
	[ "$flavour" != none ] || sed -i -e "s|/bin/jacamar-auth|/bin/jacamar|" \
		-e 's|_args = \[|&"--no-auth", |' "$etc/config.toml"
	chown "$runner" "$etc/config.toml"
}

# write_config [GENERAL-LINES [AUTH-LINES]]: $etc/jacamar-config.toml. What stands in
# $general or $auth in place of the defaults may be given as the two arguments.
write_config() {
	{
		printf '[general]\nexecutor = "shell"\n'
		printf '%s\n' "${1:-data_dir = \"\$HOME\"}" "jwks_file = \"$box/keys.json\""
		printf '[auth]\n%s\n' "${2:-downscope = \"$downscope\"}"
	} >"$etc/jacamar-config.toml"
	chown "$runner" "$etc/jacamar-config.toml"
	chmod 600 "$etc/jacamar-config.toml"
}

# token [CLAIM...]: a token of $usr for job 981625, with the claims changed as for `sign claims`.
token() {
	$sign token "$box/key.jwk" user_login="$usr" "$@"
}

# job [TOKEN]: $box/job.json, whose build_script is read from standard input, a line a command.
# $job_set, where set, changes members of it, a word PATH=TEXT or PATH:=JSON each (t/job.c). $job_extra
# is a jq expression that changes it further, for which jq takes 14 ms; $token is the token there.
job() {
	make_job make "$@"
}

# command_job [TOKEN]: as job, but standard input is one command, however many lines it has.
command_job() {
	make_job command "$@"
}

make_job() {
	local token="${2-$(token)}"
	# shellcheck disable=SC2086 # settings, each a word
	"$build/t/job" "$1" "$token" ${job_set:-} >"$box/job.json" || exit 1
	if [ -n "${job_extra:-}" ]; then
		jq --arg token "$token" "$job_extra" "$box/job.json" >"$box/job.new" &&
			mv "$box/job.new" "$box/job.json" || exit 1
	fi
}

# play [runner's options]: runs $box/job.json as the service account. The job's log goes to
# $box/log, the calls' results to $box/result.json; returns what t/runner does.
play() {
	rm -f "$box/log"
	as "$runner" TMPDIR="$runner_files" sh -c 'cd ~/work && exec "$@"' - "$build_for_all/t/runner" --retry-delay 10 \
		--eof-timeout 60 --report-late "$box/late-calls" --result result.json "$@" \
		"$etc/config.toml" "$box/job.json" >"$box/log" 2>&1
	code=$?
	cp "$box/home/$runner/work/result.json" "$box/result.json" 2>/dev/null
	return $code
}

# What a runner leaves behind that is killed goes with the rest.
runner_files=$box/runner-files
mkdir -m 1777 "$runner_files"

# The service account must reach the tools; the checkout may lie where it cannot.
build_for_all=$box/build
mkdir -p "$build_for_all/t"
cp "$build/t/runner" "$build/t/sign" "$build_for_all/t/" 2>/dev/null

# logged TEXT: the job's log has this line part; shows the log where not.
logged() {
	grep -qF -- "$1" "$box/log" || { cat "$box/log"; return 1; }
}

# What the author of a refused job reads: "$refused_because REFERENCE): REASON $for_help". $neutral is
# the end of that line where the reason is for the site's staff; neutral_reference prints the
# reference of such a line in the job's log. $setup_fault_because and $setup_fault are the same for a
# fault that only the site's staff can repair.
refused_because='this job was refused (reference'
setup_fault_because='this stage failed (reference'
for_help='(for help, with this reference: ask the administrators of this runner)'
neutral="it is not permitted here $for_help"
setup_fault="the setup of this runner has a fault $for_help"
neutral_reference() {
	sed -n "s/^$program: $refused_because \([0-9a-f]*\)): $neutral\$/\1/p" "$box/log" | tail -n 1
}

# config_failed CODE: that is the exit code for what config says: a refusal, or another failure.
config_failed() {
	local right=2
	! grep -qF "$refused_because" "$box/log" || right=1
	[ "$1" -eq $right ]
}

# What the author reads of a job that was cancelled, or has reached its timeout.
cancelled_line='the runner ended this stage (cancelled, or out of time)'

# nothing_ran: no process of $usr is left, and none of the job's directories was ever made.
nothing_ran() {
	! living && [ ! -e "$box/home/$usr/.jacamar-ci" ]
}

# no_process: none of $usr is left.
no_process() {
	! living
}

# stage_exit STAGE [SUBSTAGE]: prints how the (last such) call ended: the exit code, or signal N.
stage_exit() {
	"$build/t/job" exit "$box/result.json" "$@"
}

# say_why: from now on the calls of $etc/config.toml tell the job's log the reason of a refusal.
say_why() {
	sed -i 's/_args = \["\(--no-auth", "\)\?\([a-z]\)/_args = ["\1-u", "\2/' "$etc/config.toml"
}

# configure [NAME=VALUE]... [COMMAND...]: makes config's call alone, once, for $box/job.json, with
# -u, started by COMMAND. What it answers is in $box/answer, what it says in $box/log; returns its
# exit code. The directories that it makes to take one for the builds are removed again.
configure() {
	local base="$box/home/$usr/.jacamar-ci" code
	[ ! -e "$base" ] || base=
	"$build/t/job" response "$box/job.json" >"$box/response.json"
	install -m 600 -o "$runner" "$box/response.json" "$etc/response.json"
	as "$runner" JOB_RESPONSE_FILE="$etc/response.json" SYSTEM_FAILURE_EXIT_CODE=2 \
		CUSTOM_ENV_CI_RUNNER_SHORT_TOKEN=short CUSTOM_ENV_CI_CONCURRENT_PROJECT_ID=0 \
		"$@" $entry -u config \
		--configuration "$etc/jacamar-config.toml" >"$box/answer" 2>"$box/log" </dev/null
	code=$?
	[ $code -ne 0 ] || [ -z "$base" ] || rm -rf "$base"
	return $code
}

# call_with [COMMAND...], cleanup_with [COMMAND...]: makes the run call, or cleanup's, that
# prepare_call left, as the service account, with its environment, and started by COMMAND (env, sh
# -c ...). What it says is in $box/log; returns its exit code.
call_with() {
	make_call call.sh "$@"
}

cleanup_with() {
	make_call cleanup.sh "$@"
}

make_call() {
	local script="$1"
	shift
	sed "s|'$prefix/bin/jacamar[^']*'|\"\$@\" &|" "$call/$script" >"$call/changed.sh"
	chmod 644 "$call/changed.sh"
	as "$runner" sh "$call/changed.sh" "$@" >"$box/log" 2>&1
}

# hold_job, let_go: a script's line $hold waits there. hold_job plays $box/job.json in the
# background until then; let_go ends the wait, and returns what play does.
hold="echo up >$box/open/up; read -r word <$box/open/down"
hold_job() {
	mkdir -p "$box/open"
	chmod 1777 "$box/open"
	rm -f "$box/open/up" "$box/open/down"
	mkfifo -m 666 "$box/open/up" "$box/open/down"
	play "$@" &
	held=$!
	timeout 60 head -n 1 "$box/open/up" >/dev/null
}

let_go() {
	timeout 60 sh -c 'echo go >"$1"' - "$box/open/down"
	wait "$held"
}

# What the tests of running and of isolation share.

# Also where nobody reads the output any more.
trap 'exit 1' PIPE

# bounded_play [runner's options]: play, but a driver that hangs ends as hung (5), not never. A
# runner must not kill before kill_timeout is over, which tests of schedulers set to 40 s.
bounds='--timeout 90 --kill-grace 20 --eof-timeout 30'
bounds_of_batch='--timeout 200 --kill-grace 60 --eof-timeout 60'
bounded_play() {
	# shellcheck disable=SC2086 # options, each a word
	play $bounds "$@"
}

# wait_until 'commands': until they return 0; gives up after some 30 seconds.
wait_until() {
	local round=0
	until eval "$1"; do
		round=$((round + 1))
		[ "$round" -lt 300 ] || { echo "waited in vain for: $1"; return 1; }
		sleep 0.1
	done
}

# began 'TEXT' [runner's options]: plays the job in the background until its log has TEXT; `ended`
# returns what play does, and leaves it in $played.
began() {
	local text=$1
	shift
	rm -f "$box/log"
	bounded_play "$@" &
	waited=$!
	wait_until 'grep -qF -- "$text" "$box/log" 2>/dev/null' || { cat "$box/log"; return 1; }
}
ended() {
	wait "$waited"
	played=$?
	cat "$box/log"
	return "$played"
}

# queue_is_empty: of a test whose scheduler has a `queue`, which also fails where nobody can tell.
queue_is_empty() {
	local jobs
	jobs=$(queue) || return
	[ -z "$jobs" ] || { echo "$jobs"; return 1; }
}

# compile NAME: t/e2e/NAME.c, to $box/NAME.
compile() {
	command -v cc >/dev/null || skip_all 'needs a C compiler'
	cc -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -o "$box/$1" "$top/t/e2e/$1.c" || exit 1
}

# prepare_call: config and prepare of $box/job.json, so that `call` can make the one call of run,
# and `call_cleanup` that of cleanup, as often as wanted.
prepare_call() {
	call=$box/home/$runner/call
	rm -rf "$call"
	install -d -m 700 -o "$runner" "$call"
	play --prepare-only "$call"
}

# call: run, with the script from standard input; its log is on standard output, through a pipe,
# the code that it returns is what call_exit prints. $call_environment may name settings, NAME=VALUE...,
# and $call_edit be what sed does to the line that sets the environment.
call() {
	cat >"$call/script"
	rm -f "$call/code"
	# What stands behind `env -i` last counts.
	sed -e "/^exec env -i/s|' '$prefix/bin/|' ${call_environment:-} '$prefix/bin/|" \
		-e "${call_edit:-}" "$call/call.sh" >"$call/changed.sh"
	# The pipe is the service account's own, as the runner's are, and so is the process group.
	as "$runner" sh -c '{ timeout -k 10 90 sh "$1/changed.sh"; echo $? >"$1/code"; } 2>&1 | cat' \
		- "$call"
}

call_cleanup() {
	as "$runner" sh "$call/cleanup.sh"
}

# call_exit: the code that the last `call` returned; exit_code_file: what it told the runner.
call_exit() { cat "$call/code"; }
exit_code_file() { cat "$call"/custom-executor*/build_exit_code; }

# scripts_dir [JOB-ID]: of $usr's job.
scripts_dir() { echo "$box/home/$usr/.jacamar-ci/scripts/short/000/group/project/${1:-981625}"; }

# living [ACCOUNT]: the processes of $usr that are not dead; fails where there are none. What has
# lost its parent may be dead for a moment before the system's first process takes note. If it cannot find
# that out, it does not fail: `! living` shall not pass then.
living() {
	"$build/t/living" "${1:-$usr}"
	[ $? -ne 1 ]
}

# nothing_left: no process of the user, and no file of the job's scripts.
nothing_left() {
	! living && [ ! -e "$(scripts_dir)" ] && no_script_left
}

# never_living: looks many times; a process that is another one each moment is easily missed.
never_living() {
	local round=0
	while [ "$round" -lt 100 ]; do
		! living || return 1
		round=$((round + 1))
	done
}

# end_all: every process of $usr at once, so that what one check found does not spoil the next.
end_all() {
	as "$usr" sh -c 'kill -KILL -1; :' || :
}

# play_and 'SCRIPT' 'commands': plays a job, and runs the commands when its script has run and sleeps.
# $play_options are options of the runner. What the runner returned is left in $played.
play_and() {
	local home="$box/home/$usr"
	end_all
	rm -f "$home/ready"
	printf '%s\ntouch ~/ready\nwhile :; do sleep 600; done\n' "$1" | command_job
	# shellcheck disable=SC2086 # options, each a word
	bounded_play ${play_options:-} &
	waited=$!
	wait_until '[ -e "$home/ready" ]' && eval "$2"
	wait $waited
	played=$?
	cat "$box/log"
	echo "t/runner returned $played"
}

# no_script_left: the directories may still be there, where cleanup has not run.
no_script_left() {
	! find "$box/home/$usr/.jacamar-ci/scripts" ! -type d 2>/dev/null | grep .
}

# In a script: who stands above the login shell. Without a sudo there, $sudo is $auth as well.
find_auth='user_side=$(($(ps -o ppid= -p $PPID))) auth=$(($(ps -o ppid= -p $user_side))); sudo=$auth'
[ "$flavour" != sudo ] || find_auth="$find_auth"'; case $(ps -o args= -p $auth) in sudo*)'\
' auth=$(($(ps -o ppid= -p $auth)));; esac'

# The pids of a running job's processes, from the service's side down to the script.
runner_pid() { pgrep -U "$runner" -f "^[^ ]*/t/runner .*$box/job.json\$"; }
auth_pid() { pgrep -U "$runner" -f "^$entry .*run /"; }
user_side_pid() { pgrep -U "$usr" -f '^[^ ]*/jacamar --no-auth run env-script'; }
login_shell_pid() { pgrep -U "$usr" -f 'bash --login$'; }
script_pid() { pgrep -o -U "$usr" -f "^bash .*_script\\.bash$"; }

# job_is_over: no process of $usr is left, nor one that can still start one: jacamar-auth runs a
# last command as $usr after the job's processes have ended, and sudo may not have started it yet.
job_is_over() {
	! auth_pid && ! pgrep -f "^sudo -n -u $usr " && ! living
}

# start_silence: a server on $port of this host that never answers. It is ended by kill $silent.
start_silence() {
	cat >"$box/silent.c" <<-'SOURCE'
	#include <arpa/inet.h>
	#include <stdio.h>
	#include <unistd.h>

	int main(void)
	{
		struct sockaddr_in address = {.sin_family = AF_INET,
					      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t size = sizeof(address);
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (bind(fd, (void *)&address, size) != 0 || listen(fd, 5) != 0 ||
		    getsockname(fd, (void *)&address, &size) != 0)
			return 1;
		printf("%d\n", ntohs(address.sin_port));
		fflush(stdout);
		alarm(60);
		return pause();
	}
	SOURCE
	cc -o "$box/silent" "$box/silent.c" || return 1
	: >"$box/port"
	"$box/silent" >"$box/port" &
	silent=$!
	wait_until '[ -s "$box/port" ]' || return 1
	port=$(cat "$box/port")
}

# start_silent_server: $box/job.json's token is to be checked with the keys of such a server.
start_silent_server() {
	local port
	start_silence || return 1
	write_config
	sed -i "s|^jwks_file.*|gitlab_server = \"http://127.0.0.1:$port\"|" "$etc/jacamar-config.toml"
	job "$(token iss="http://127.0.0.1:$port")" </dev/null
}

# confined_pid: the process of config that has the connection to the silent server: the child of the
# one that finds the account.
confined_pid() {
	local worker child
	worker=$(pgrep -P "$(pgrep -o -f "^$prefix/bin/jacamar-auth .*config")" 2>/dev/null) &&
		child=$(pgrep -P "$worker" 2>/dev/null) &&
		find "/proc/$child/fd" -lname "socket:*" 2>/dev/null | grep -q . && echo "$child"
}

# watch_confined: has a job's token checked against that server, and leaves the /proc/PID/status of
# the process that waits for it in $box/confined, what it has open in $box/open.
watch_confined() {
	local child
	start_silent_server || return 1
	bounded_play &
	waited=$!
	wait_until 'child=$(confined_pid)' &&
		cat "/proc/$child/status" >"$box/confined" &&
		find "/proc/$child/fd" -mindepth 1 -printf '%f %l\n' >"$box/open"
	kill "$silent"
	wait "$waited"
	cat "$box/confined" "$box/open" "$box/log"
	write_config
}

# is_confined [FIRST LAST]: it has one uid of that range and nothing beside it, a filter of system
# calls, and no file but its pipes and the connection.
is_confined() {
	local uid
	uid=$(sed -n 's/^Uid:\t\([0-9]*\)\t\1\t\1\t\1$/\1/p' "$box/confined")
	[ "${uid:-0}" -ge "${1:-2100000000}" ] && [ "$uid" -le "${2:-2104194303}" ] &&
		grep -P "^Gid:\t$uid\t$uid\t$uid\t$uid\$" "$box/confined" &&
		grep -P '^Groups:\s*$' "$box/confined" && grep -P '^NoNewPrivs:\t1$' "$box/confined" &&
		grep -P '^Seccomp:\t2$' "$box/confined" &&
		[ "$(grep -cP '^Cap(Inh|Prm|Eff|Amb):\t0000000000000000$' "$box/confined")" = 4 ] &&
		! grep -v -e ' /dev/null$' -e ' pipe:' -e ' socket:' -e ' anon_inode:\[event' "$box/open"
}
