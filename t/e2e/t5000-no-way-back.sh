#!/bin/sh
# A process of the user has no way back to the service account, and holds nothing of it.
# Flavours: caps root sudo
. "$(dirname "$0")/lib.sh"
compile attack
install_site
home=$box/home/$usr
service="$(id -u "$runner") $(id -g "$runner")"

# More groups than a first guess would have room for; others are the service account's alone.
groups=
for number in $(seq 70); do groups="$groups jtg$$.$number"; done
at_end() {
	for group in $groups "jts$$"; do
		groupdel "$group" 2>/dev/null
	done
}
for group in $groups "jts$$"; do groupadd "$group" || exit 1; done
usermod -aG "$(echo $groups | tr ' ' ,)" "$usr"
usermod -aG "jts$$,${groups##* }" "$runner"

# The runner is started with much that a job must not get: a key in its session keyring, open
# files, ignored signals, capabilities to be inherited.
cat >"$box/keyed.c" <<'SOURCE'
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2 || syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 ||
	    syscall(SYS_add_key, "user", "jacamar-test", "secret", 6, KEY_SPEC_SESSION_KEYRING) < 0)
		return 77;
	execvp(argv[1], argv + 1);
	return 1;
}
SOURCE
cc -o "$box/keyed" "$box/keyed.c" || exit 1
echo secret >"$box/secret"
key=jacamar-test
"$box/keyed" true || key=
become() {
	trap '' HUP USR1 USR2 PIPE
	command ${key:+"$box/keyed"} setpriv --inh-caps +net_raw,+setuid "$build/t/as" "$@" \
		5<"$box/secret" 6>>"$box/secret" 7<"$box" 9<"$box/secret"
}

# The attacks themselves work, where nothing is in their way.
check 'root can make these attacks against a process of root' '
	sleep 600 5<"$box/secret" & target=$!
	"$box/keyed" "$box/attack" $target 65534 65534 $key >"$box/log" 2>&1; kill $target
	cat "$box/log"; ! grep "^refused:" "$box/log" | grep -v -e "raise ambient" -e "/proc fd/3"'
check 'the job could find what it must not have' '
	as "$runner" "$box/attack" self >"$box/log"; cat "$box/log"; grep "^descriptor 9" "$box/log" &&
	! grep "^SigIgn:.*0000000000$" "$box/log" && ! grep "^CapInh:.*0000$" "$box/log"'

cat >"$box/script" <<SCRIPT
$find_auth
echo auth: \$(ps -o user:32=,args= -p \$auth)
echo user side: \$(ps -o user:32=,args= -p \$user_side)
$box/attack \$auth $service $key | sed 's/^/auth /'
$box/attack \$user_side $service $key | sed 's/^/user-side /'
for fd in /proc/\$PPID/fd/*; do echo "login-shell \${fd##*/} \$(readlink \$fd)"; done
$box/attack self
SCRIPT
command_job <"$box/script"
check 'a job runs that tries it all' '
	bounded_play && logged "auth: $runner $prefix/bin/jacamar-auth run" &&
	grep "^user side: $usr .*/jacamar --no-auth run env-script build_script" "$box/log"'
check 'the job gets nothing from jacamar-auth' '
	! grep "^auth BROKEN" "$box/log" && [ "$(grep -c "^auth refused" "$box/log")" -ge 44 ]'
check 'the job gets nothing from the user side' '
	! grep "^user-side BROKEN" "$box/log" && [ "$(grep -c "^user-side refused" "$box/log")" -ge 39 ]'
check 'the script has its three file descriptors, and no other' '
	grep "^descriptor" "$box/log" | sed "s/[0-9]*\]//" >"$box/held"
	printf "descriptor %s\n" "0 /dev/null" "1 pipe:[" "2 pipe:[" | diff - "$box/held"'
check 'the login shell has these and the descriptor of the report' '
	sed -n "s/^login-shell \([0-9]*\) .*/\1/p" "$box/log" | sort -n >"$box/held"
	printf "%s\n" 0 1 2 10 78 79 | diff - "$box/held"'
check 'all uids and gids of the job are those of the user' '
	uid=$(id -u "$usr") gid=$(id -g "$usr")
	grep -P "^Uid:\t$uid\t$uid\t$uid\t$uid$" "$box/log" && grep -P "^Gid:\t$gid\t$gid\t$gid\t$gid$" "$box/log"'
check 'the job has all 71 groups of the user, and no other' '
	sed -n "s/^Groups:.//p" "$box/log" | tr -s " " "\n" | grep . | sort -n >"$box/held"
	id -G "$usr" | tr " " "\n" | sort -n | diff - "$box/held" && [ "$(wc -l <"$box/held")" = 71 ]'
check 'the job has no capability, and can inherit none' '
	for set in CapInh CapPrm CapEff CapAmb; do
		grep -P "^$set:\t0000000000000000$" "$box/log" || exit 1
	done'
check 'programs with more rights than their user still get them: the bounding set is the services' '
	[ "$(grep "^CapBnd" "$box/log")" = "$(as "$runner" grep CapBnd /proc/self/status)" ]'
check 'the job ignores and blocks no signal' '
	grep -P "^SigIgn:\t0000000000000000$" "$box/log" && grep -P "^SigBlk:\t0000000000000000$" "$box/log"'
check 'no process and no file of the job is left' nothing_left

# As root sees it, from outside: who holds what while the job runs.
cat >"$box/script" <<'SCRIPT'
sleep 600 & touch ~/ready; until [ -e ~/release ]; do sleep 0.05; done
SCRIPT
# held_by PID: what its descriptors lead to.
held_by() { find "/proc/$1/fd" -mindepth 1 -printf '%f %l\n'; }
check 'only the user side holds the channel, and only its own end' '
	command_job <"$box/script"; bounded_play & waited=$!
	wait_until "[ -e \"$home/ready\" ]"; user_side=$(user_side_pid)
	channel=$(readlink "/proc/$user_side/fd/0")
	for pid in $(pgrep -U "$usr"); do
		[ "$pid" = "$user_side" ] || held_by "$pid"
	done >"$box/held"
	held_by "$user_side" >"$box/held-by-user-side"
	auth=$(auth_pid)
	readlink "/proc/$auth/fd/1" "/proc/$auth/fd/2" >"$box/log-pipes"
	held_by "$auth" >"$box/held-by-auth"
	held_by "$(runner_pid)" >"$box/held-by-runner"
	touch "$home/release"; wait $waited; result=$?
	cat "$box/held" "$box/held-by-user-side"; echo "channel $channel"
	[ $result -eq 0 ] && [ -s "$box/held" ] && [ "${channel%%:*}" = socket ] &&
	! grep -F "$channel" "$box/held" "$box/held-by-auth" &&
	[ "$(grep -c socket: "$box/held-by-user-side")" = 1 ]'
check 'what jacamar-auth has open is not held by the user, but for the log' '
	grep -vFf "$box/log-pipes" "$box/held-by-auth" | grep -v /dev/null | sed "s/^[0-9]* //" |
		grep "[[]" | grep -v anon_inode >"$box/own"
	cat "$box/own"; grep -q socket: "$box/own" &&
	! grep -Ff "$box/own" "$box/held" "$box/held-by-user-side"'
check 'a file that the runner has open does not reach the user' '
	grep -F "$box/secret" "$box/held-by-runner" &&
	! grep -F "$box/secret" "$box/held" "$box/held-by-user-side"'

cp "$(command -v id)" "$prefix/root-id" && chmod 4755 "$prefix/root-id"
if [ "$(as "$two" "$prefix/root-id" -u)" = 0 ]; then
	echo "echo \"euid \$($prefix/root-id -u)\"; $box/attack self" | job
	check 'a set-user-id program works as it does after a login' '
		bounded_play && logged "euid 0" && grep -P "^NoNewPrivs:\t0$" "$box/log"'
	check 'with auth.no_new_privs a set-user-id program gains no privileges' '
		write_config "data_dir = \"\$HOME\"" "downscope = \"$downscope\"
no_new_privs = true"
		bounded_play && logged "euid $(id -u "$usr")" && grep -P "^NoNewPrivs:\t1$" "$box/log"'
else
	skip 'a set-user-id program works as it does after a login' 'no set-user-id programs here'
fi

except sudo 'needs capabilities' check 'the process that asks the server has a uid of its own, and no privileges' '
	watch_confined; is_confined'

finish
