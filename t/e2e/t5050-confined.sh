#!/bin/sh
# Whatever else runs on the host: nobody can end, trace or read the children in which a token and
# keys are read, they know no more than they have to, and they end with jacamar-auth.
#
# All of it happens in a PID namespace, with a /proc and a name service of its own: what here is
# killed at sight is nobody else's.
# Flavours: caps root
if [ -z "${JACAMAR_TEST_APART:-}" ] && [ "$(id -u)" -eq 0 ]; then
	# The pid of this shell names the accounts; there, every first shell has pid 1.
	JACAMAR_TEST_APART=$$ exec unshare --mount --pid --fork --mount-proc sh "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
need_root
site_id=${JACAMAR_TEST_APART:-}
[ "$flavour" = caps ] || [ "$flavour" = root ] || skip_all 'needs privilege'
install_site
[ "$flavour" != root ] || mount --bind "$box/home/root" ~root || exit 1

# as_nobody [exec] COMMAND...
as_nobody() {
	local replace=
	[ "$1" != exec ] || { replace='exec' && shift; }
	$replace setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}
cat >"$box/killer.c" <<'SOURCE'
#include <signal.h>
#include <unistd.h>

int main(void)
{
	for (;;)
		kill(-1, SIGKILL);
}
SOURCE
cc -o "$box/killer" "$box/killer.c" || exit 1
job </dev/null
check 'while a process of nobody kills all that it can, each of ten configs succeeds' '
	(as_nobody exec "$box/killer") & killer=$!
	for round in 1 2 3 4 5 6 7 8 9 10; do
		configure && [ -s "$box/answer" ] || { cat "$box/log"; failed_once=1; }
	done
	kill "$killer"; [ -z "${failed_once:-}" ]'

# start_waiting [LINE]: config waits for a server that never answers; $parent is its pid, $child that
# of the process which has asked: for the keys, or with that line in [general] for something else.
start_waiting() {
	start_silent_server || return 1
	sed -i "s|^gitlab_server.*|&\n${1:-}|; /^downscope/a confirm_job = true" "$etc/jacamar-config.toml"
	needle=$(jq -r '.response.variables[0].value' "$box/job.json")
	own_needle=glcbt-$(head -c 99 /dev/urandom | base64 -w 0 | tr -d +/=)
	jq --arg own "$own_needle" '.response.variables += [{key: "OTHER", value: "marked-variable"}] |
		.response.token = $own' "$box/job.json" >"$box/with.json"
	cat "$box/with.json" >"$box/job.json"
	configure CUSTOM_ENV_SITE_ID_TOKEN="$needle" CUSTOM_ENV_OTHER=marked-variable \
		https_proxy=http://marked-proxy:1 &
	waited=$!
	wait_until 'child=$(confined_pid)' && parent=$(pgrep -o -f "^$prefix/bin/jacamar-auth .*config")
}
stop_waiting() {
	kill "$silent"
	wait "$waited"
	write_config
}
cat >"$box/scan.py" <<'PYTHON'
# scan.py PID FILE...: which of the files' texts, or of a third of each, is in the process's memory.
import sys

needles = {}
for name in sys.argv[2:]:
    text = open(name, "rb").read().strip()
    third = len(text) // 3
    needles[name] = {text} | ({text[:third], text[third : 2 * third], text[2 * third :]} if third > 30 else set())
with open(f"/proc/{sys.argv[1]}/maps") as maps, open(f"/proc/{sys.argv[1]}/mem", "rb") as memory:
    for line in maps:
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        if "r" not in line.split()[1] or "[v" in line:
            continue
        try:
            memory.seek(start)
            part = memory.read(end - start)
        except (OSError, OverflowError, ValueError):
            continue
        for name, texts in needles.items():
            if any(text in part for text in texts):
                print(name.rsplit("/", 1)[1], line.split()[0], line.split()[-1])
PYTHON
# look_for_secrets [LINE]: what of them the process that asks has, in child.found; its parent's and
# jacamar-auth's are in worker.found and parent.found.
look_for_secrets() {
	start_waiting "$@" || return 1
	printf "%s\n" "$needle" >"$box/token.needle"
	printf "%s\n" "$own_needle" >"$box/own.needle"
	echo marked-variable >"$box/variable.needle"
	echo marked-proxy >"$box/proxy.needle"
	for process in "child $child" "worker $(pgrep -P "$parent")" "parent $parent"; do
		python3 "$box/scan.py" "${process#* }" "$box/token.needle" "$box/own.needle" "$box/variable.needle" \
			"$box/proxy.needle" >"$box/${process% *}.found"
	done
	tr "\0" "\n" <"/proc/$child/environ" | grep . >"$box/environment"
	stop_waiting
	grep . "$box/child.found" "$box/worker.found" "$box/parent.found" "$box/environment"
	[ "$(cat "$box/environment")" = https_proxy=http://marked-proxy:1 ]
}
# has PROCESS NEEDLE
has() { grep -q "^$2.needle" "$box/$1.found"; }
# in_heap PROCESS: it has the id token there, and not just in its environment.
in_heap() { grep "^token.needle .*\[heap\]" "$box/$1.found"; }
if [ -z "${SANITIZE:-}" ] && command -v python3 >/dev/null; then
	check 'who asks for keys has neither token nor a variable of the job in its memory' '
		look_for_secrets && has parent token && has parent variable && has child proxy &&
		! grep -v proxy.needle "$box/child.found" && ! has worker own && ! has parent own'
	check 'who confirms the job has its own token alone, and not the id token' '
		look_for_secrets "jwks_file = \"$box/keys.json\"" && has child proxy && has child own &&
		! grep -v -e proxy.needle -e own.needle "$box/child.found" &&
		has worker own && ! in_heap worker && in_heap parent && ! has parent own'
else
	skip 'who asks for keys has neither token nor a variable of the job in its memory' 'needs python3, and a build without sanitizers'
	skip 'who confirms the job has its own token alone, and not the id token' 'needs python3, and a build without sanitizers'
fi

check 'nobody can neither signal nor read nor trace it' '
	start_waiting || exit 1
	as_nobody sh -c "kill -0 $child || cat /proc/$child/environ || cat /proc/$child/mem || ls /proc/$child/fd ||
		strace -p $child" >"$box/tried" 2>&1; result=$?
	alive=$(confined_pid)
	stop_waiting
	cat "$box/tried"; [ "$result" -ne 0 ] && [ "$alive" = "$child" ]'

check 'where jacamar-auth is killed, it ends, too' '
	start_waiting || exit 1
	kill -KILL "$parent"
	wait_until "! [ -d /proc/$child ] || grep -q \"^State:.[ZX]\" /proc/$child/status"; result=$?
	kill "$silent"; wait "$waited"; write_config
	[ "$result" -eq 0 ]'

# kill-after MICROSECONDS COMMAND...: kills the command that long after it was started.
cat >"$box/kill-after.c" <<'SOURCE'
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	pid_t child = fork();
	if (child == 0) {
		execv(argv[2], argv + 2);
		_exit(127);
	}
	usleep((useconds_t)atoi(argv[1]));
	kill(child, SIGKILL);
	return argc < 3 || waitpid(child, NULL, 0) != child;
}
SOURCE
cc -o "$box/kill-after" "$box/kill-after.c" || exit 1
check 'at whatever moment that is' '
	job </dev/null
	for round in $(seq 1 150); do
		configure "$box/kill-after" $((round * 100))
	done
	wait_until "! pgrep -f \"^$prefix/bin/jacamar-auth .*config\""'

# fails_or_confines PROCESS NUMBER: makes that call of capget(2) fail. Then config fails, or all of its
# confined processes change to a uid of their own: $confined, as many as without the fault.
fails_or_confines() {
	local process="$1" number="$2"
	(
		become() {
			"$build/t/fault" "$box/calls" "$prefix" capget,setresuid "$process" "$number" 22 "$build/t/as" "$@"
		}
		configure
	)
	[ $? -eq 2 ] && return
	[ "$(grep -c '^setresuid .* 210[0-9]*$' "$box/calls")" = "$confined" ] ||
		{ cat "$box/log" "$box/calls"; return 1; }
}
if "$build/t/fault" "$box/calls" "$prefix" capget 0 1 22 true; then
	confined=0
	fails_or_confines 0 0 >/dev/null 2>&1
	confined=$(grep -c '^setresuid .* 210[0-9]*$' "$box/calls")
	grep '^capget ' "$box/calls" >"$box/all"
	check 'a process without its own uid reads nothing, also if the capabilities cannot be read' '
		[ "$confined" -ge 2 ] && while read -r call process number rest; do
			fails_or_confines "$process" "$number" || exit 1
		done <"$box/all"'
else
	skip 'a process without its own uid reads nothing, also if the capabilities cannot be read' \
		'the kernel cannot make a system call fail'
fi

# The range of the site, and who has a uid of it

auth_config() { write_config "data_dir = \"\$HOME\"" "downscope = \"$downscope\"
$1"; }
job </dev/null
check 'the site can name the range' '
	start_silent_server || exit 1
	sed -i "/^downscope/a confined_uids = \"1700000000-1700000099\"" "$etc/jacamar-config.toml"
	configure & waited=$!
	wait_until "child=\$(confined_pid)" && cat "/proc/$(confined_pid)/status" >"$box/confined" &&
		find "/proc/$(confined_pid)/fd" -mindepth 1 -printf "%f %l\n" >"$box/open"
	stop_waiting; cat "$box/confined" "$box/open"; is_confined 1700000000 1700000099'
uid=$(id -u "$usr")
job </dev/null
check 'a job whose account has a uid of the range is refused' '
	auth_config "confined_uids = \"$uid-$((uid + 999))\""
	configure; [ $? -eq 1 ] && [ ! -s "$box/answer" ] &&
	logged "$usr has uid $uid, which is in the range of auth.confined_uids" &&
	logged "$etc/jacamar-config.toml"'
check 'uids that are accounts are passed over, and where no other is left it is said' '
	auth_config "confined_uids = \"$uid-$uid\""
	configure; [ $? -eq 2 ] && [ ! -s "$box/answer" ] && logged "uid $uid" && logged "of auth.confined_uids"'
for range in 5 5-6 2000-1000 65000-66000 1000-4294967295 1000-2000x; do
	check "confined_uids = \"$range\" is refused" '
		auth_config "confined_uids = \"$range\""
		configure; [ $? -eq 2 ] && logged "jacamar-config.toml:7: auth.confined_uids must be "'
done

# A name service that says who was asked for, and what it is told to say.
cat >"$box/names.c" <<'SOURCE'
#include <errno.h>
#include <fcntl.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

enum nss_status _nss_hesiod_getpwuid_r(uid_t uid, struct passwd *entry, char *room, size_t size, int *error);
enum nss_status _nss_hesiod_getpwuid_r(uid_t uid, struct passwd *entry, char *room, size_t size, int *error)
{
	char line[32];
	(void)entry, (void)room, (void)size;
	int asked = open(BOX "/asked", O_WRONLY | O_APPEND);
	if (asked >= 0 && write(asked, line, (size_t)snprintf(line, sizeof(line), "%u\n", uid)) > 0)
		close(asked);
	if (access(BOX "/down", F_OK) != 0)
		return NSS_STATUS_NOTFOUND;
	*error = EAGAIN;
	return NSS_STATUS_TRYAGAIN;
}
SOURCE
library=$(ldconfig -p | sed -n 's/.*libnss_hesiod\.so\.2 .*=> //p' | head -n 1)
if [ -n "$library" ] && cc -shared -fPIC -DBOX="\"$box\"" -o "$box/names.so" "$box/names.c"; then
	: >"$box/asked"
	chmod 666 "$box/asked"
	sed '/^passwd:/d' /etc/nsswitch.conf >"$box/nsswitch.conf"
	echo 'passwd: files hesiod' >>"$box/nsswitch.conf"
	mount --bind "$box/nsswitch.conf" /etc/nsswitch.conf && mount --bind "$box/names.so" "$library" || exit 1
	write_config
	check 'config asks once whether the uid is an account' '
		configure && [ "$(grep -c "^210" "$box/asked")" = 1 ] || { cat "$box/asked" "$box/log"; false; }'
	: >"$box/asked"
	echo true | job
	check 'later stages do not ask, though they have such children for a log on another host' '
		auth_config "[auth.logging]
enabled = true
network = \"udp\"
address = \"127.0.0.1:9\""
		play && [ "$(grep -c "^210" "$box/asked")" = 1 ] || { cat "$box/asked" "$box/log"; false; }'
	write_config
	job </dev/null
	rm -rf "$box/home/$usr/.jacamar-ci"
	touch "$box/down"
	check 'where nobody answers that, nothing is parsed' '
		configure; [ $? -eq 2 ] && [ ! -s "$box/answer" ] && nothing_ran &&
		logged "cannot look up the account with uid 210" && logged "Resource temporarily unavailable"'
	rm "$box/down"
else
	skip 'config asks once whether the uid is an account' 'needs a library of NSS to stand in for'
	skip 'later stages do not ask, though they have such children for a log on another host' \
		'needs a library of NSS to stand in for'
	skip 'where nobody answers that, nothing is parsed' 'needs a library of NSS to stand in for'
fi

finish
