#!/bin/sh
# auth.pam_session: prepare and each script of a job run in a session of PAM, which root opens and
# closes, however the job ends; its modules change nothing but what a session may.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
install_site
pam_service=jacamar-t6130-$$
hierarchy=
[ "$flavour" != root ] || . "$(dirname "$0")/lib-cgroup.sh"
at_end() { rm -f "/etc/pam.d/$pam_service"; [ -z "$hierarchy" ] || remove_service; }
pam=$box/pam
home=$box/home/$usr
file=$etc/jacamar-config.toml
audit=$box/home/$runner/audit.log
mkdir "$pam"

# of_pam LINE...: the file of the service.
of_pam() { printf '%s\n' "$@" >"/etc/pam.d/$pam_service"; }
# site [LINES]: the configuration, with these lines in [auth].
site() { write_config 'data_dir = "$HOME"
kill_timeout = "3s"' "downscope = \"$downscope\"
${1-pam_session = \"$pam_service\"}
[auth.logging]
enabled = true
location = \"$audit\""; }
check_config() { as "$runner" "$prefix/bin/jacamar" config --check "$file" >"$box/answer" 2>"$box/log"; }
# refused TEXT: config --check and a job's config say it.
refused() {
	site
	check_config
	[ $? -eq 2 ] && logged "$file:" && logged "$1" || return 1
	configure
	[ $? -eq 2 ] && nothing_ran && logged "$1"
}

of_pam 'auth required pam_permit.so' 'session required pam_permit.so'
job </dev/null
case $flavour in
caps)
	check 'a runner that is not root cannot have sessions, and is told what to use instead' '
		refused "auth.pam_session needs a runner that is root" && logged "SESSIONS OF PAM in jacamar-deploy(7)"'
	check 'the author of a job is not told the key' '
		play; [ $? -eq 2 ] && nothing_ran && logged "$setup_fault" && ! grep -i "pam" "$box/log"'
	check 'doctor tells it, and the line' '
		as "$runner" "$prefix/bin/jacamar" doctor --configuration "$file" >"$box/log" 2>&1
		logged "auth.pam_session needs a runner that is root" && logged "auth.pam_session at $file:$(sed -n /pam_session/= "$file")"'
	finish ;;
none)
	check 'without a change of account there is no session' 'refused "auth.pam_session conflicts with auth.downscope"'
	check 'jacamar --no-auth says that it opens none' '
		downscope=setuid; site; configure && logged "warning: jacamar --no-auth ignores auth.pam_session"'
	finish ;;
sudo)
	check 'with sudo the key is refused, in favour of that of sudoers' '
		refused "auth.pam_session conflicts with auth.downscope" &&
		logged "sudo itself opens a session of PAM, with the service of its option pam_service"'
	printf '%s - nofile 3456\n' "$usr" >"$pam/limits"
	printf '#!/bin/sh\necho "$PAM_TYPE $PAM_USER $PAM_SERVICE" >>%s\n' "$pam/seen" >"$pam/note"
	chmod 755 "$pam/note"
	of_pam 'auth required pam_permit.so' 'account required pam_permit.so' \
		"session required pam_limits.so conf=$pam/limits" "session required pam_exec.so quiet seteuid $pam/note"
	site ''
	check 'the session of sudo has the limits of that service' '
		write_sudoers "Defaults:$runner pam_service=$pam_service"
		echo "ulimit -n" | job; bounded_play; logged 3456'
	check 'sudo opens it as the user, and closes it, in each stage' '
		cat "$pam/seen"; sort "$pam/seen" | uniq -c | sed "s/^ *//" >"$box/counted"
		count=$(sed -n "s/ open_session $usr $pam_service\$//p" "$box/counted")
		[ "$count" -ge 4 ] && grep -qx "$count close_session $usr $pam_service" "$box/counted" &&
		[ "$(wc -l <"$box/counted")" = 2 ]'
	finish ;;
esac

compile attack
compile stray
cc -std=gnu17 -D_GNU_SOURCE -shared -fPIC -Wall -Wextra -o "$pam/module.so" "$top/t/e2e/pam-module.c" -lpam || exit 1
# By root, who alone can write there.
printf '%s - nofile 3456\n%s - nproc 4321\n' "$usr" "$usr" >"$pam/limits"
cat >"$pam/note" <<SCRIPT
#!/bin/sh
echo "\$PAM_TYPE \$PAM_USER \$PAM_SERVICE \$(id -u)" >>'$pam/seen'
[ "\$PAM_TYPE" != open_session ] || { env; ls -l /proc/self/fd; grep ^Sig /proc/self/status; } >'$pam/shown'
[ ! -e '$pam/elsewhere' ] || echo \$PPID >"\$(cat '$pam/elsewhere')"
SCRIPT
chmod 755 "$pam/note"
real() {
	of_pam 'auth required pam_permit.so' 'session required pam_loginuid.so' \
		"session required pam_limits.so conf=$pam/limits" "session required pam_exec.so quiet $pam/note" "$@"
}
odd() { real "session required $pam/module.so $pam"; }
# sessions COUNT: so many were opened, and each was closed before the next.
sessions() {
	yes "open_session $usr $pam_service 0
close_session $usr $pam_service 0" | head -n $((2 * $1)) | diff - "$pam/seen"
}
# calls: how many calls of prepare and of run the last job has; each has a session.
calls() { jq '[.calls[] | select(.stage == "prepare" or .stage == "run")] | length' "$box/result.json"; }
each_stage() { sessions "$(calls)"; }
# A session's process that is left has the command line of jacamar-auth.
over() { ! pgrep -f "^$entry .*(run /|prepare)" && nothing_left; }
# reach COMMAND [runner's options]: plays a job in the background until it has made ~/ready.
reach() {
	rm -f "$home/ready" "$pam/seen"
	printf '%s\n' "$1" | command_job
	shift
	bounded_play "$@" &
	waited=$!
	wait_until '[ -e "$home/ready" ]' && session=$(ps -o ppid= -p "$(user_side_pid)" | tr -d " ")
}
until_end() { wait "$waited"; played=$?; cat "$box/log"; }
of_auth() { ps -o ppid= -p "$1" | tr -d ' '; }

# --- what a session does ---

real
site
cat >"$box/script" <<SCRIPT
$find_auth
echo session: \$(ps -o user:32=,ppid=,args= -p \$auth)
echo limits: \$(ulimit -n) \$(ulimit -u)
echo login uid: \$(cat /proc/self/loginuid)
SCRIPT
job <"$box/script"
check 'a job has the limits of limits.conf' 'bounded_play && logged "limits: 3456 4313" && over'
check 'it has the audit login uid of the user' 'logged "login uid: $(id -u "$usr")"'
check 'root has opened and closed one for prepare and one for each script, one after the other' each_stage
check 'the process of the session stands between jacamar-auth and the user side' '
	read -r word user parent args <<-LINE
	$(grep "^session: " "$box/log")
	LINE
	echo "$word $user $parent $args"; [ "$user" = root ]'
check 'a program of a module has no descriptor of the job, and the signals of a login' '
	cat "$pam/shown"; ! grep -e "socket:\[" -e " [4-9] -> " -e " [1-9][0-9] -> " "$pam/shown" && grep " 2 -> /dev/null$" "$pam/shown" &&
	[ "$(grep -cP "^Sig(Blk|Ign):\t0000000000000000$" "$pam/shown")" = 2 ]'

# --- what modules cannot change ---

job_extra='.scripts = {build_script: .scripts.build_script}'
odd
cat >"$box/script" <<SCRIPT
$find_auth
cat /proc/self/status; env | sed 's/^/env /'; id -G | sed 's/^/groups /'; umask | sed 's/^/umask /'
ps -o ni= -p \$\$ | sed 's/^ */nice /'; ls /proc/self/fd; $box/attack self
for process in \$auth \$(ps -o ppid= -p \$auth); do $box/attack \$process 0 0; done
for process in \$auth \$user_side; do echo group \$process \$(ps -o pgid= -p \$process); done
echo keys \$(cat /proc/keys | grep -c " _ses")
SCRIPT
check 'a job runs, although a module changes all that processes hand on' 'job <"$box/script"; bounded_play && over'
check 'a module sees no variable of the job or the runner, and not its log' '
	printf "%s\n" PATH=/usr/sbin:/usr/bin:/sbin:/bin /dev/null /dev/null /dev/null | diff - "$pam/environment"'
check 'the ids and groups of the job are those of the account' '
	uid=$(id -u "$usr") gid=$(id -g "$usr")
	grep -P "^Uid:\t$uid\t$uid\t$uid\t$uid$" "$box/log" && grep -P "^Gid:\t$gid\t$gid\t$gid\t$gid$" "$box/log" &&
	grep -P "^Groups:\t$gid $" "$box/log" && logged "groups $gid"'
check 'the job has no capability, and none to inherit' '
	grep "^Cap" "$box/log" && ! grep -P "^Cap(Inh|Prm|Eff|Amb):\t(?!0+$)" "$box/log"'
check 'no signal is blocked or ignored in it' '
	grep "^Sig" "$box/log" && ! grep -P "^Sig(Blk|Ign):\t(?!0+$)" "$box/log"'
check 'neither variables nor descriptors of modules reach it, nor their umask or priority' '
	! grep -e OF_MODULE -e OF_PAM -e of-pam.so "$box/log" && logged "umask 0022" && logged "nice 0" &&
	sed -n "s/^descriptor \([0-9]*\) .*/\1/p" "$box/log" | sort -n >"$box/has" && printf "%s\n" 0 1 2 | diff - "$box/has"'
check 'it cannot signal, trace, read or limit the process of the session or jacamar-auth' '
	! grep BROKEN "$box/log" && [ "$(grep -c "^refused" "$box/log")" -ge 86 ]'
check 'each of these processes leads its own process group' '
	[ "$(grep -cP "^group (\d+) \1$" "$box/log")" = 2 ]'

# --- how a job ends ---

real
check 'jacamar-auth keeps no more capabilities than for the change of account' '
	reach "touch ~/ready; while [ -e ~/ready ]; do sleep 0.05; done" &&
	auth=$(of_auth "$session") && ps -o args= -p "$auth" && grep -P "^CapPrm:\t00000000000000c0$" "/proc/$auth/status"
	code=$?; rm "$home/ready"; until_end; [ $code -eq 0 ] && [ $played -eq 0 ]'
wait_long='touch ~/ready; while :; do sleep 600; done'
forgetful="trap '' TERM; $box/stray daemon ignore close forget live; $box/stray ignore live &"
ends() { until_end; [ "$played" -eq "$1" ] && over && each_stage; }
# The runner calls the next stage meanwhile.
killed_auth() {
	until_end
	[ "$(stage_exit run build_script)" = "signal 9" ] && wait_until over && cat "$pam/seen" &&
		[ "$(grep -c "^open_session $usr" "$pam/seen")" -eq "$(calls)" ] &&
		[ "$(grep -c "^close_session $usr" "$pam/seen")" -eq "$(calls)" ]
}
# cancelled COMMAND
cancelled() {
	rm -f "$pam/seen"
	printf '%s\n' "$1" | command_job
	bounded_play --cancel-on "is ready"
	[ $? -eq 4 ] && over && each_stage || { cat "$box/log"; return 1; }
}
check 'a job that is cancelled ends, and its session is closed' '
	cancelled "$forgetful echo it is ready; sleep 600"'
check 'so does one whose user side is stopped, at the end of kill_timeout' '
	cancelled "$forgetful echo it is ready; kill -STOP \$(ps -o ppid= -p \$PPID); sleep 600"'
cat >"$box/seize.c" <<'SOURCE'
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <unistd.h>
int main(int count, char **arguments)
{
	if (count < 2 || ptrace(PTRACE_SEIZE, atoi(arguments[1]), NULL, NULL) != 0)
		return 1;
	puts("seized");
	fflush(stdout);
	alarm(90);
	return pause();
}
SOURCE
cc -o "$box/seize" "$box/seize.c" || exit 1
# A process of the user could do that only before the user side hides its memory.
check 'so does one whose user side is traced by a process that never reaps it' '
	reach "$forgetful $wait_long"; "$box/seize" "$(user_side_pid)" >"$box/seized" & tracer=$!
	wait_until "grep seized $box/seized" && kill -TERM "$(of_auth "$session")"; until_end
	result=$(over && each_stage; echo $?); kill "$tracer"; [ "$played" -eq 2 ] && [ "$result" = 0 ] && logged "$cancelled_line"'
check 'so does one whose user side is killed' '
	reach "$forgetful $wait_long"; kill -KILL "$(user_side_pid)"; ends 2 && logged "killed by signal 9"'
check 'so does one whose jacamar-auth is killed' '
	reach "$forgetful $wait_long"; kill -KILL "$(of_auth "$session")"; killed_auth'
check 'signals that stop a service do not end a session before its job' '
	reach "touch ~/ready; while [ -e ~/ready ]; do sleep 0.05; done; exit 3" &&
	kill -TERM "$session" && kill -INT "$session" && kill -HUP "$session" && kill -QUIT "$session"
	rm "$home/ready"; ends 1 && logged "exit code 3"'
check 'a job whose session is killed by root ends' '
	reach "$forgetful $wait_long"; kill -KILL "$session"; until_end; [ $played -eq 2 ] && over'

# --- PAM says no, or nothing ---

# fails REASON: in prepare, with one line in the log, and REASON in the audit record.
fails() {
	: >"$audit"
	rm -f "$home/ran"
	echo "touch ~/ran" | job
	bounded_play
	[ $? -eq 2 ] && over && [ ! -e "$home/ran" ] && [ "$(grep -c "^$program: " "$box/log")" = "$((tries + 0))" ] &&
		[ "$(grep -cF "$setup_fault" "$box/log")" = "$tries" ] && ! grep -i pam "$box/log" || { cat "$box/log"; return 1; }
	jq -r "select(.decision == \"failed\").reason" "$audit" | tee "$box/reasons" | grep -F "$1" &&
		[ "$(sort -u "$box/reasons" | wc -l)" = 1 ]
}
# GitLab Runner prepares a job three times.
tries=3
real "session required pam_deny.so"
check 'a session that is refused fails the job with one line, and the words of PAM are in the audit record' '
	fails "PAM could not open a session for $usr, by the service $pam_service of auth.pam_session: "'

odd
touch "$pam/fail-open"
check 'the words of a module are in the record, in one line' '
	fails "of auth.pam_session: Cannot make/remove an entry for the specified session: the module says no to open"'
rm -f "$pam/fail-open" "$pam/seen"
of_pam 'auth required pam_deny.so' 'session required pam_permit.so'
check 'credentials that are refused fail the job, too' 'fails "PAM could not set the credentials of $usr, by the service"'
real 'session required no-such-module.so'
check 'so does a module that does not exist' 'fails "PAM could not open a session for $usr"'
odd
# in_call REASON: the call of run fails for it, and the script has run, or not.
in_call() {
	rm -f "$home/ran" "$pam"/at-* "$pam/seen"
	: >"$audit"
	echo 'touch ~/ran' | call >"$box/log"
	[ "$(call_exit)" -eq 2 ] && over_for_now && logged "$setup_fault" &&
		jq -r "select(.decision == \"failed\").reason" "$audit" | grep -F "$1"
}
over_for_now() { ! pgrep -f "^$entry .*run /" && no_process; }
job </dev/null
prepare_call
check 'a user side that is stopped when jacamar-auth is killed ends its job, and the session is closed' '
	rm -f "$home/ready" "$pam/seen"; echo "kill -STOP \$(ps -o ppid= -p \$PPID); $wait_long" | call >"$box/log" & waited=$!
	wait_until "grep -q \"^State:.T\" /proc/\$(user_side_pid)/status && [ -e $home/ready ]" &&
		kill -KILL "$(pgrep -o -f "^$entry .*run /")"; wait_until over_for_now && sessions 1; result=$?; end_all; wait $waited; [ $result -eq 0 ]'
touch "$pam/hold-open"
check 'if jacamar-auth is killed while a module waits, no script is started, and the session is closed' '
	rm -f "$home/ran" "$pam"/at-* "$pam/seen"; echo "touch ~/ran" | call >"$box/log" & waited=$!
	wait_until "[ -e $pam/at-open ]" && kill -KILL "$(pgrep -o -f "^$entry .*run /")" && rm "$pam/hold-open"; wait $waited
	wait_until over_for_now && [ ! -e "$home/ran" ] && sessions 1'
touch "$pam/hold-open"
check 'a cancel while a module waits starts no script, and the session is closed' '
	rm -f "$home/ran" "$pam"/at-* "$pam/seen"; echo "touch ~/ran" | call >"$box/log" & waited=$!
	wait_until "[ -e $pam/at-open ]" && kill -TERM "$(pgrep -o -f "^$entry .*run /")" && rm "$pam/hold-open"; wait $waited
	cat "$box/log"; [ "$(call_exit)" -eq 2 ] && logged "$cancelled_line" && over_for_now && [ ! -e "$home/ran" ] && sessions 1'
touch "$pam/fail-close"
check 'a session that PAM cannot close fails its stage, with the words of PAM' '
	in_call "PAM could not close the session of $usr, by the service $pam_service of auth.pam_session: " && [ -e "$home/ran" ]'
rm "$pam/fail-close"
touch "$pam/hold-close"
check 'so does one that PAM does not close in time' '
	in_call "PAM has not closed the session of $usr within 10 seconds" && [ -e "$home/ran" ]'
rm "$pam/hold-close"
touch "$pam/hold-open"
check 'a module that waits longer than PAM may take fails the stage' '
	in_call "PAM has not opened the session of $usr within 10 seconds" && [ ! -e "$home/ran" ]'
check 'cleanup needs no session' 'call_cleanup && nothing_left'
rm "$pam/hold-open"

# --- with a cgroup, and without a session ---

real
if [ -n "$hierarchy" ] && [ -e "$service/cgroup.kill" ]; then
	mkdir "$slice/elsewhere"
	echo "$slice/elsewhere/cgroup.procs" >"$pam/elsewhere"
	become() {
		sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$service" "$build/t/as" "$@"
	}
	site "pam_session = \"$pam_service\"
[auth.cgroup]
enabled = true"
	sed -i '/^\[auth.logging\]/,$d' "$file"
	check 'a job is in its own cgroup, although a module takes the session elsewhere' '
		echo "$find_auth sed s/^/job_/ /proc/self/cgroup; sed s/^/session_/ /proc/\$auth/cgroup" | command_job
		bounded_play && logged "job_0::${service#"$hierarchy"}/jacamar/$(id -u "$usr")/981625" &&
		logged "session_0::${slice#"$hierarchy"}/elsewhere" && over'
	check 'a cancelled job ends there, with its last words' '
		cancelled "trap \"echo told; sleep 600\" TERM; $box/stray daemon ignore close forget live; echo it is ready; sleep 600" && logged told'
	become() { "$build/t/as" "$@"; }
	rm "$pam/elsewhere"
else
	skip 'a job is in its own cgroup, although a module takes the session elsewhere' 'needs cgroup v2'
	skip 'a cancelled job ends there, with its last words' 'needs cgroup v2'
fi
odd
install -d "$prefix/data"
site "pam_session = \"$pam_service\"
root_dir_creation = true"
sed -i "s|^data_dir.*|data_dir = \"$prefix/data\"|" "$file"
check 'root can make the directory of the user, too, before it opens the session' '
	rm -f "$pam/seen"; echo "ulimit -n" | job; bounded_play && logged 3456 && each_stage && [ "$(stat -c %U "$prefix/data/$usr")" = "$usr" ]'
if [ -e /etc/pam.d/runuser ]; then
	check 'the service of the manual works' '
		site "pam_session = \"runuser\""; echo "echo said-by-job" | job; bounded_play && logged said-by-job'
else
	skip 'the service of the manual works' 'needs runuser, of util-linux'
fi
rm -rf "/etc/pam.d/$pam_service" "$home/.jacamar-ci" "$pam/seen"
job </dev/null
check 'a service without a file is refused by config: the rules of "other" are not its' '
	say_why; refused "auth.pam_session names the PAM service $pam_service, but neither"; code=$?; write_runner_config; [ $code -eq 0 ]'
site ''
check 'without the key there is no session, and jacamar-auth starts the user side itself' '
	echo "$find_auth ps -o args= -p \$auth | sed s/^/above:/; ps -o args= -p \$(ps -o ppid= -p \$auth)" | command_job
	bounded_play && logged "above:$entry run /" && [ "$(grep -c "$entry run /" "$box/log")" = 1 ] && [ ! -e "$pam/seen" ]'
finish
