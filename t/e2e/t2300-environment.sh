#!/bin/sh
# What the user's processes get is a login's: nothing of the runner's environment, descriptors,
# signals, limits, priorities or keyrings, and no secret is where others could read it.
# Flavours: caps sudo
. "$(dirname "$0")/lib.sh"
install_site
open=$box/open
mkdir -m 1777 "$open"
# A service that may leave cores, so that it is the driver who leaves none.
ulimit -c unlimited

# probe: what no shell can do. Its library leaves a file where it is loaded, named for who loaded it.
cat >"$box/probe.c" <<'C'
#define _GNU_SOURCE
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* probe block COMMAND...: with every signal blocked.
 * probe keyring COMMAND...: with a session keyring of its own that holds a secret.
 * probe key: finds the secret, or fails. */
int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "block") == 0) {
		sigset_t all;
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
	} else if (argc > 2 && strcmp(argv[1], "keyring") == 0) {
		if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "service") < 0 ||
		    syscall(SYS_add_key, "user", "jacamar-test", "secret", 6,
			    KEY_SPEC_SESSION_KEYRING) < 0)
			return perror("keyring"), 3;
	} else if (argc == 2 && strcmp(argv[1], "key") == 0) {
		char text[16] = "";
		long key = syscall(SYS_request_key, "user", "jacamar-test", NULL, 0);
		if (key < 0 || syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof(text) - 1) < 0)
			return perror("key"), 1;
		return puts(text) < 0;
	}
	execvp(argv[2], argv + 2);
	return 127;
}
C
cat >"$box/preload.c" <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void)
{
	char path[256];
	snprintf(path, sizeof(path), OPEN "/loaded.%u", (unsigned int)geteuid());
	close(open(path, O_WRONLY | O_CREAT, 0666));
}
unsigned int la_version(unsigned int version) { loaded(); return version; }
C
${CC:-cc} -o "$box/probe" "$box/probe.c" &&
	${CC:-cc} -shared -fPIC -DOPEN="\"$open\"" -o "$box/preload.so" "$box/preload.c" || exit 1

# The environment

mkdir "$box/hostile"
for name in bash sh env id tr cat git gitlab-runner date; do
	printf '#!/bin/sh\necho "%s" >%s/path.$(/usr/bin/id -u)\nexec /usr/bin/%s "$@"\n' "$name" "$open" "$name" \
		>"$box/hostile/$name"
	chmod 755 "$box/hostile/$name"
done
printf '/usr/bin/touch %s/sourced.$(/usr/bin/id -u)\n' "$open" >"$box/hostile/rc"
hostile=$(jq -n --arg so "$box/preload.so" --arg dir "$box/hostile" --arg open "$open" '{
	LD_PRELOAD: $so, LD_AUDIT: $so, LD_LIBRARY_PATH: $dir, LD_DEBUG: "all",
	LD_DEBUG_OUTPUT: "\($open)/debug", GCONV_PATH: $dir, LOCPATH: $dir, NLSPATH: $dir,
	MALLOC_CHECK_: "3", GLIBC_TUNABLES: "glibc.malloc.check=3", HOSTALIASES: "\($dir)/rc",
	RES_OPTIONS: "debug", GETCONF_DIR: $dir, OPENSSL_CONF: "\($dir)/rc", OPENSSL_MODULES: $dir,
	BASH_ENV: "\($dir)/rc", ENV: "\($dir)/rc", SHELLOPTS: "xtrace", BASHOPTS: "extdebug",
	PS4: "$(/usr/bin/touch \($open)/ps4)", PROMPT_COMMAND: "/usr/bin/touch \($open)/prompt",
	"BASH_FUNC_command%%": "() { /usr/bin/touch \($open)/function; }",
	"BASH_FUNC_bash%%": "() { /usr/bin/touch \($open)/function; }",
	"BASH_FUNC_cd%%": "() { /usr/bin/touch \($open)/function; }",
	IFS: "/", CDPATH: "/etc", PYTHONPATH: $dir, PERL5OPT: "-d", CURL_HOME: $dir, TMPDIR: $dir,
	XDG_CACHE_HOME: $dir, XDG_RUNTIME_DIR: $dir, KRB5CCNAME: "FILE:\($dir)/cc", SSH_AUTH_SOCK: $dir,
	MAIL: $dir, EDITOR: $dir, OLDPWD: $dir, SHLVL: "99", USER: "root", LOGNAME: "root",
	HOME: $dir, SHELL: "\($dir)/sh", JACAMAR_CI_JOB: "other", JACAMAR_NO_BASH_PROFILE: "true"}')
# Where jacamar-auth has no privilege, its caller's own account may load into it what it likes.
[ "$flavour" = sudo ] && own=$runner || own=
traces() { find "$open" -type f ${own:+! -user "$own"} | grep .; }

# Of the login shell, and of the driver's process that started it.
see='tr "\0" "\n" </proc/$PPID/environ | sed "s/^/SHELL-HAS /"'
{
	printf '%s\n' "$see" "$hold"
} >"$box/script"
job_extra=".environment = ($hostile + {PATH: \"$box/hostile:$PATH\"})"
job <"$box/script"
job_extra=
hold_job
driver=$(user_side_pid)
tr '\0' '\n' <"/proc/$driver/environ" | sort >"$box/driver.environment"
let_go
code=$?
sed -n 's/^SHELL-HAS //p' "$box/log" | sort >"$box/shell.environment"
check 'a job of a runner with a hostile environment succeeds' '[ $code -eq 0 ] || { cat "$box/log"; false; }'
check 'nothing that the environment names was loaded, sourced or executed' '! traces'
rm -f "$open"/*
cat >"$box/expected" <<LOGIN
HOME=$box/home/$usr
LOGNAME=$usr
PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin
SHELL=/bin/bash
USER=$usr
LOGIN
check 'the login shell has a login'"'"'s environment and the cookie of the job' '
	grep -v "^JACAMAR_CI_JOB=" "$box/shell.environment" | diff "$box/expected" - &&
	grep -qx "JACAMAR_CI_JOB=[0-9a-f]\{32\}" "$box/shell.environment"'
except sudo 'it takes the place of what sudo made' check 'the driver'"'"'s process of the user has the same environment' 'diff "$box/shell.environment" "$box/driver.environment"'

printf '%s\n' "$see" | job_extra=".environment = {LANG: \"C.UTF-8\", LC_ALL: \"C\", LC_TIME: \"C.UTF-8\", TZ: \"UTC\",
	SITE_MODULES: \"one two\", SITE_SECRET: \"hidden\", LANGUAGE: \"de\", LCX: \"1\", TZX: \"1\"}" job
write_config 'data_dir = "$HOME"' "downscope = \"$downscope\"
downscope_env = [\"SITE_MODULES\", \"SITE_MISSING\"]"
check 'language, time zone and what downscope_env names come along' '
	play && sed -n "s/^SHELL-HAS //p" "$box/log" | grep -v "^JACAMAR_CI_JOB=" | sort >"$box/has" &&
	printf "%s\n" LANG=C.UTF-8 LC_ALL=C LC_TIME=C.UTF-8 TZ=UTC "SITE_MODULES=one two" |
	sort - "$box/expected" | diff - "$box/has" || { cat "$box/log"; false; }'
printf '%s\n' "$see" | job
write_config 'data_dir = "$HOME"
user_bash_env = ["LMOD_ADMIN_FILE=none", "PATH=/usr/bin:/bin", "SITE_TEXT=$HOME \"x\""]'
check 'what user_bash_env sets is in the environment, unchanged' '
	play && sed -n "s/^SHELL-HAS //p" "$box/log" | grep -v "^JACAMAR_CI_JOB=" | sort >"$box/has" &&
	{ grep -v "^PATH=" "$box/expected"; printf "%s\n" LMOD_ADMIN_FILE=none PATH=/usr/bin:/bin "SITE_TEXT=\$HOME \"x\""; } |
	sort | diff - "$box/has" || { cat "$box/log"; false; }'
write_config

# The same from the job's author: it may reach the author's own script, as the author, alone.
job_extra=".custom_env = ($hostile | del(.SHELLOPTS, .BASHOPTS, .PS4, .IFS, .HOME, .USER, .LOGNAME, .SHELL, .TMPDIR))"
job <"$box/script"
jq '.custom_env |= with_entries(select(.key | test("%") | not))' "$box/job.json" >"$box/job.new"
mv "$box/job.new" "$box/job.json"
job_extra=
hold_job
driver=$(user_side_pid)
tr '\0' '\n' <"/proc/$driver/environ" | sort >"$box/driver.environment"
let_go
sed -n 's/^SHELL-HAS //p' "$box/log" | sort >"$box/shell.environment"
check 'a job whose author sets such variables has the same login shell' '
	grep -v "^JACAMAR_CI_JOB=" "$box/shell.environment" | diff "$box/expected" -'
except sudo 'it takes the place of what sudo made' check 'a job whose author sets such variables has the same process of the driver' '
	diff "$box/shell.environment" "$box/driver.environment"'
check 'what the author'"'"'s variables name is loaded and executed by their own account alone' '
	! find "$open" -type f ! -user "$usr" | grep .'
rm -f "$open"/*

# CUSTOM_ENV_ names reach the calls of the driver themselves, with any bytes.
job </dev/null
prepare_call || { cat "$box/log"; exit 1; }
check 'odd names and bytes in the environment do no harm' '
	call_with env "CUSTOM_ENV_=x" "CUSTOM_ENV_A B=$(printf "\377\376")" "CUSTOM_ENV_BASH_FUNC_cd%%=() { :; }" \
	"CUSTOM_ENV_X=$(printf "a\nJACAMAR_CI_STATE={}")" "LC_MESSAGES=$(printf "\377")" CUSTOM_ENV_LD_PRELOAD="$box/preload.so" &&
	! traces || { cat "$box/log"; false; }'

# Descriptors

echo root-only >"$box/secret"
chmod 600 "$box/secret"
# Every descriptor of every process of the user, as root sees it.
user_descriptors() {
	for pid in $(pgrep -U "$usr"); do
		for fd in "/proc/$pid/fd"/*; do
			printf '%s %s %s\n' "$(cat "/proc/$pid/comm")" "${fd##*/}" "$(readlink "$fd")"
		done
	done
}
{
	echo 'for fd in 3 4 5 9 63 79 200; do cat <&$fd && echo "LEAKED $fd"; done 2>/dev/null || true'
	echo 'for fd in /proc/$$/fd/* /proc/$PPID/fd/*; do readlink $fd; done | sed "s/^/HELD /"'
	echo "$hold"
} | job
hold_job 3<"$box/secret" 4<"$box/secret" 5<"$box/secret" 9<"$box/secret"
user_descriptors >"$box/descriptors"
let_go
check 'descriptors that the caller left open are not held by the user'"'"'s processes' '
	grep -q "^jacamar" "$box/descriptors" && grep -q "^bash " "$box/descriptors" &&
	! grep -F "$box/secret" "$box/descriptors" && ! grep "^LEAKED" "$box/log" && ! grep "^HELD.*secret" "$box/log"'
check 'the user'"'"'s processes hold pipes, /dev/null and files of their own' '
	! grep -v -e " pipe:\[" -e "^jacamar[^ ]* 0 socket:" -e " anon_inode:" -e " /dev/null$" -e " $box/home/$usr/" -e " $box/open/" "$box/descriptors"'
# bash opens the highest ones that other shells cannot name.
check 'the user'"'"'s processes hold no descriptors with high numbers' '
	prepare_call && install -m 600 -o "$runner" "$box/secret" "$call/secret" &&
	call_with bash -c "exec 79<$call/secret 200<$call/secret 3<$call/secret; up() { :; }; exec \"\$@\"" - &
	waiting=$!
	timeout 60 head -n 1 "$box/open/up" >/dev/null
	user_descriptors >"$box/descriptors"
	timeout 60 sh -c "echo go >$box/open/down"
	wait $waiting && grep -q "^jacamar" "$box/descriptors" && ! grep secret "$box/descriptors" &&
	! grep -e "^LEAKED" -e "^HELD.*secret" "$box/log"'

# The profile is what runs first, and does not mind when it has nowhere to write to.
echo true | job
echo 'readlink /proc/$$/fd/* >~/held' >"$box/home/$usr/.bash_profile"
chown "$usr" "$box/home/$usr/.bash_profile"
for closed in '<&-' '2>&-' '<&- 2>&-' '>&-' '<&- >&- 2>&-'; do
	# A log that cannot be written is a system failure.
	case $closed in
	*' >&-'* | '>&-'*) expected=2 ;;
	*) expected=0 ;;
	esac
	check "run with $closed leaks nothing" '
		rm -f "$box/home/$usr/held"; prepare_call
		call_with sh -c "exec \"\$@\" $closed" -
		[ $? -eq $expected ] && [ -s "$box/home/$usr/held" ] && no_process &&
		! grep -v -e "^/dev/null$" -e "^pipe:" -e "^$box/log$" -e "^$box/home/$usr/held$" -e "^/proc/" \
			"$box/home/$usr/held" || { cat "$box/log" "$box/home/$usr/held"; false; }'
	check "cleanup with $closed succeeds, and leaks nothing" 'cleanup_with sh -c "exec \"\$@\" $closed" - && no_process &&
		[ ! -e "$(scripts_dir)" ]'
done
rm "$box/home/$usr/.bash_profile"
# Without a place for its answer, config must not succeed.
for closed in '<&-' '2>&-' '<&- 2>&-' '>&-' '<&- >&- 2>&-'; do
	case $closed in
	*' >&-'* | '>&-'*) wanted=2 ;;
	*) wanted=0 ;;
	esac
	check "config with $closed ends with $wanted" '
		configure sh -c "exec \"\$@\" $closed" -
		[ $? -eq $wanted ] && no_process || { cat "$box/log"; false; }'
done

# Secrets

secret=$(token)
job_extra=".response.git_info.repo_url = \"https://gitlab-ci-token:secret-of-$usr@gitlab.example.com/group/project.git\""
{
	echo '# A line of the script: marker-of-the-script'
	echo "$hold"
} | job "$secret"
job_extra=
# Another account looks at every process, as often as it can, while the whole job runs.
as "$two" sh -c 'while :; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; done' >"$box/seen" &
looking=$!
hold_job
printf '%s\n' "$secret" marker-of-the-script "secret-of-$usr" >"$box/patterns"
as "$two" grep -rlsF -f "$box/patterns" "$box/home" "$prefix" /tmp/custom-executor* \
	/dev/shm /run >"$box/readable"
service=$(auth_pid)
driver=$(user_side_pid)
for pid in $service $driver $(pgrep -U "$usr" -x bash | head -n 1); do
	cp "/proc/$pid/status" "$box/status.$pid"
	stat -c %u "/proc/$pid/environ" >"$box/owner.$pid"
done
shell=$(login_shell_pid)
cat "/proc/$driver/environ" "/proc/$shell/environ" >"$box/environments"
as "$usr" cat "/proc/$driver/environ" "/proc/$driver/mem" >"$box/by-user" 2>/dev/null
as "$runner" cat "/proc/$service/environ" >"$box/by-service" 2>/dev/null
stat -c %a "$box/home/$usr/.jacamar-ci/scripts/short/000/group/project/981625/build_script.bash" >"$box/mode"
let_go
kill "$looking" 2>/dev/null
wait "$looking" 2>/dev/null
check 'another account sees the calls of the job (so that the next test tells something)' '
	tr "\0" " " <"$box/seen" | grep -q "jacamar-auth run" && tr "\0" " " <"$box/seen" | grep -q "run env-script build_script"'
check 'another account sees no token and nothing of the script, in arguments or environments' '
	! grep -aoF -f "$box/patterns" "$box/seen"'
check 'no file that another account can read has a token or the script' '! grep . "$box/readable"'
check "the user's processes have no token in their environment" '
	! grep -aoF -f "$box/patterns" "$box/environments"'
check 'the script is for its user alone while it runs' '[ "$(cat "$box/mode")" = 600 ]'
check 'both processes of the driver are closed to their own account' '
	[ "$(cat "$box/owner.$service")" = 0 ] && [ "$(cat "$box/owner.$driver")" = 0 ] &&
	[ ! -s "$box/by-user" ] && [ ! -s "$box/by-service" ]'

# Capabilities

capabilities() { sed -n "s/^Cap$1:[[:space:]]*0*//p" "$box/status.$2"; }
[ "$flavour" = sudo ] && reserve= || reserve=c0
check 'jacamar-auth has its two capabilities in reserve, or none, and in no other way' '
	[ "$(capabilities Prm "$service")" = "$reserve" ] && [ -z "$(capabilities Eff "$service")" ] &&
	[ -z "$(capabilities Inh "$service")" ] && [ -z "$(capabilities Amb "$service")" ]'
check "the user's driver and shell have none" '
	for pid in $driver $shell; do for set in Prm Eff Inh Amb; do
		[ -f "$box/status.$pid" ] && [ -z "$(capabilities $set $pid)" ] || exit 1; done; done'
check "the user's driver has the user's ids and groups alone" '
	uid=$(id -u "$usr") gid=$(id -g "$usr")
	grep -qx "Uid:	$uid	$uid	$uid	$uid" "$box/status.$driver" &&
	grep -qx "Gid:	$gid	$gid	$gid	$gid" "$box/status.$driver" &&
	[ "$(sed -n "s/^Groups:[[:space:]]*//p" "$box/status.$driver" | xargs)" = "$(id -G "$usr")" ]'

# What the caller was, the job is not

echo "$box/probe key" | job
check 'the service can find a key of its session (so that the next test tells something)' '
	as "$runner" "$box/probe" keyring "$box/probe" key'
prepare_call
check "a job cannot find a key of the service's session" '
	call_with "$box/probe" keyring; [ $? -eq 1 ] && logged "key: Required key not available"'
cat >"$box/script" <<'SCRIPT'
grep -e NoNewPrivs -e SigBlk -e SigIgn -e Seccomp: /proc/self/status | tr '\t' ' '
echo "umask $(umask) nice $(nice) oom $(cat /proc/self/oom_score_adj) core $(ulimit -S -c) nofile $(ulimit -n)"
echo "processes $(ulimit -S -u) $(ulimit -H -u)"
echo "limits $(ulimit -u) $(ulimit -f) $(ulimit -s) $(ulimit -H -c) $(ulimit -H -n)"
pwd -P
SCRIPT
job <"$box/script"
prepare_call
check 'signals that the caller ignores are not ignored by the job' '
	call_with sh -c "trap \"\" HUP INT QUIT PIPE USR1 USR2 ALRM CHLD TSTP TTIN TTOU; exec \"\$@\"" - &&
	logged "SigIgn: 0000000000000000" && logged "SigBlk: 0000000000000000"'
check 'signals that the caller blocks are not blocked in the job' '
	call_with "$box/probe" block && logged "SigBlk: 0000000000000000"'
check 'no_new_privs is not set' 'call_with && logged "NoNewPrivs: 0"'
check 'the umask is 0022, whatever the caller has' 'call_with sh -c "umask 0; exec \"\$@\"" - && logged "umask 0022"'
(
	self=$(exec sh -c 'echo $PPID')
	renice -n -5 -p "$self" >/dev/null
	(echo -500 >"/proc/$self/oom_score_adj") 2>/dev/null
	cp "/proc/$self/oom_score_adj" "$box/spared"
	call_with
	cp "$box/log" "$box/lifted.log"
)
cp "$box/lifted.log" "$box/log"
check 'a job does not inherit a high priority of the service' 'logged " nice 0 "'
if [ "$(cat "$box/spared")" -lt 0 ]; then
	check "the job is not spared where memory is short, even if the service is" 'cp "$box/lifted.log" "$box/log"; logged " oom 0 "'
else
	skip 'the job is not spared where memory is short, even if the service is' 'root may not spare a process here'
fi
except sudo 'sudoers says it: rlimit_core' check 'the limit of core files is the one of the service, not the driver'"'"'s' '
	cp "$box/lifted.log" "$box/log"; logged "core unlimited"'
check 'a nice service has nice jobs' 'call_with nice -n 7 && logged "nice 7"'

check 'some of the processes that the service can have are kept from jobs' '
	call_with prlimit --nproc=400:500 && logged "processes 400 492" || { cat "$box/log"; false; }'
check 'no processes are kept from jobs where the service can have few' '
	call_with prlimit --nproc=30 && logged "processes 30 30" || { cat "$box/log"; false; }'
# The kernel cuts it for what gains privilege by its file: by capabilities, or as sudo does.
small_stack() { call_with sh -c 'ulimit -H -s 131072 && ulimit -S -s 65536 && exec "$@"' -; }
check 'the stack of a job is the one that the kernel leaves' '
	small_stack && grep "^limits [^ ]* [^ ]* 8192 " "$box/log" || { cat "$box/log"; false; }'
write_config 'data_dir = "$HOME"
set_stack_size = true'
prepare_call
check 'with set_stack_size the stack of a job is as large as the service can have it' '
	small_stack && grep "^limits [^ ]* [^ ]* 131072 " "$box/log" || { cat "$box/log"; false; }'

write_config 'data_dir = "$HOME"' "downscope = \"$downscope\"
no_new_privs = true
[auth.limits]
nofile = 512
core = 0
nproc = 300
fsize = 1048576
stack = 4194304"
prepare_call
check 'no_new_privs is set where the configuration says so' 'call_with && logged "NoNewPrivs: 1"'
check 'the limits of the configuration hold, hard ones too' '
	logged "core 0 nofile 512" && logged "limits 300 1024 4096 0 512" || { cat "$box/log"; false; }'
write_config 'data_dir = "$HOME"' "downscope = \"$downscope\"
[auth.limits]
nofile = $(($(as "$runner" sh -c 'ulimit -H -n') + 1))"
check 'a limit that cannot be set is a system failure, and nothing of the job ran' '
	rm -rf "$box/home/$usr/.jacamar-ci"; say_why; play; [ $? -eq 2 ] && nothing_ran &&
	logged "cannot set auth.limits.nofile above the $(as "$runner" sh -c "ulimit -H -n") of the runner'"'"'s service" &&
	logged "raise LimitNOFILE= in its unit"'

finish
