#!/bin/sh
# With auth.isolate, the processes of a job cannot reach the other processes of their user, and are
# killed as those of any job. Where that is not possible, no job runs.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
compile wall
compile stray
compile without
install_site
say_why
home=$box/home/$usr
file=$etc/jacamar-config.toml

# site [AUTH-LINES]: with these lines in [auth], besides no_new_privs.
site() {
	write_config 'data_dir = "$HOME"
kill_timeout = "2s"' "downscope = \"$downscope\"
no_new_privs = true
${1:-}"
}
said() { grep -Fx -- "$1" "$box/log" || { cat "$box/log"; return 1; }; }

# check_config, check_doctor: config --check and doctor, as the service account.
check_config() {
	as "$runner" "$prefix/bin/jacamar" config --check "$file" >"$box/answer" 2>"$box/log"
}
check_doctor() {
	as "$runner" "$prefix/bin/jacamar" doctor --configuration "$file" >"$box/log" 2>&1
	cat "$box/log"
}

check 'it needs no_new_privs' '
	write_config "" "isolate = true
downscope = \"$downscope\""
	check_config; [ $? -eq 2 ] && logged "$file:6: auth.isolate needs auth.no_new_privs: the kernel isolates a process only if no program can gain privileges"'
check 'it is refused with an executor whose scheduler starts the script' '
	site "isolate = true"; sed -i "s/^executor = .*/executor = \"slurm\"/" "$file"
	check_config; [ $? -eq 2 ] && logged "auth.isolate conflicts with general.executor on line 2: the scheduler, not jacamar, starts the script"'

# As on a kernel without Landlock.
site 'isolate = true'
without="$box/without landlock_create_ruleset"
reason='auth.isolate needs a kernel with Landlock ABI 6, Linux 6.12 or later, but this kernel cannot isolate jobs: it was built without Landlock'
if $without true 2>/dev/null; then
	check 'on a kernel without Landlock no job runs, which is a failure of the system' '
		become() { command $without "$build/t/as" "$@"; }
		echo "touch ~/ran" | job; bounded_play; [ $? -eq 2 ] && [ ! -e "$home/ran" ] &&
		logged "$reason" && nothing_ran'
	check 'config --check says that it has no Landlock, with the line of the key' '
		become() { command $without "$build/t/as" "$@"; }
		check_config; [ $? -eq 2 ] && [ "$(cat "$box/log")" = "$file:9: $reason" ]'
	check 'doctor says so, too' '
		become() { command $without "$build/t/as" "$@"; }
		check_doctor | grep -F "$reason"'
else
	skip 'on a kernel without Landlock no job runs' 'no filter of system calls here'
fi

# All that follows needs a kernel that can isolate.
check_config || {
	skip 'jobs are isolated' "$(cat "$box/log")"
	finish
}
check 'config --check shows the key, and doctor that the kernel can isolate' '
	grep -E "^isolate = true" "$box/answer" && check_doctor | grep -F "the kernel can isolate jobs"'
if $without true 2>/dev/null; then
	check 'on a kernel without filters of system calls no job runs, even if [auth.seccomp] is disabled' '
		site "isolate = true
[auth.seccomp]
disabled = true"
		become() { command $box/without seccomp "$build/t/as" "$@"; }
		echo "touch ~/ran" | job; bounded_play; code=$?; site "isolate = true"; [ $code -eq 2 ] && [ ! -e "$home/ran" ] &&
		logged "cannot filter system calls, as [auth.seccomp] or auth.isolate asks for: Function not implemented" && nothing_ran'
else
	skip 'on a kernel without filters of system calls no job runs' 'no filter of system calls here'
fi

# Another session of the user.
mkfifo "$box/hold"
# shellcheck disable=SC2016 # for the shell of the session
as "$usr" SECRET=of-the-session sh -c 'exec "$0" hold' "$box/wall" >"$box/hold" 2>/dev/null &
read -r session <"$box/hold"
ways='signal environ maps memory trace socket'
yama=$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)
all() {
	for way in $ways; do
		case $way in
		trace | memory) [ "$yama" -eq 0 ] || [ "$1" = own\  ] || continue ;;
		esac
		said "$1$way: $2" || return
	done
}
nothing_but_session() { [ "$(living | grep -vc "wall hold")" = 0 ] && [ ! -e "$(scripts_dir)" ] && no_script_left; }
reach="$box/wall try $session; $box/wall own"

check 'without it a job reaches the other sessions of its user' '
	site ""; echo "$reach" | job; bounded_play && all "" ok && all "own " ok && said "limits: ok"'
denied() {
	for way in signal trace memory socket limits; do said "$1$way: Operation not permitted" || return; done
	for way in environ maps; do said "$1$way: Permission denied" || return; done
}
check 'with it a job reaches no other session, but its own processes' '
	site "isolate = true"; echo "$reach" | job; bounded_play && denied "" && all "own " ok'
check 'a program that the job starts in the background reaches no other session either' '
	printf "%s\n" "setsid -f $box/wall try $session \"later \" >~/later; until grep -q socket ~/later; do sleep 0.1; done; cat ~/later" |
		job; bounded_play && denied "later "'
check 'a user namespace does not lead out' '
	echo "unshare -r $box/wall try $session || true" | job; bounded_play && ! grep -F ": ok" "$box/log"'
check 'a job can neither signal nor trace the jacamar that supervises it' '
	echo "$box/wall try \$(ps -o ppid= -p \$PPID) \"supervisor \"; kill -KILL \$(ps -o ppid= -p \$PPID) 2>&1 || echo alive" |
		job; bounded_play && said "supervisor signal: Operation not permitted" &&
	said "supervisor trace: Operation not permitted" && said alive && nothing_but_session'
check 'nor have it killed by its limits, whether or not [auth.seccomp] is disabled' '
	for lines in "" "[auth.seccomp]
disabled = true"; do
		site "isolate = true
$lines"
		printf "%s\n" "ulimit -t 1000" "for limit in cpu=1 nofile=3 as=4096; do" \
			"prlimit --pid \$(ps -o ppid= -p \$PPID) --\$limit 2>&1 || echo \"no \$limit\"; done" | job
		bounded_play && said "no cpu=1" && said "no nofile=3" && said "no as=4096" || exit 1
	done; site "isolate = true"'
check 'the login shell that config asks for data_dir is isolated, too' '
	printf "%s\n" "$box/wall try $session >~/asked 2>&1" "export PLACE=$home" >"$home/.bash_profile"
	chown "$usr" "$home/.bash_profile"; write_config "data_dir = \"\$PLACE\"" "downscope = \"$downscope\"
no_new_privs = true
isolate = true"
	echo : | job; configure; result=$?; rm -f "$home/.bash_profile"; cp "$home/asked" "$box/log"
	[ $result -eq 0 ] && denied ""'
check 'a later sub-stage cannot signal what an earlier one left running, but cleanup kills it' '
	site "isolate = true"; job_extra=".scripts.after_script = [\"kill -0 \$(cat ~/pid) 2>/dev/null || echo out of reach\"]"
	echo "sleep 600 >/dev/null 2>&1 & echo \$! >~/pid" | job; bounded_play && said "out of reach" &&
	logged "ended processes that the job left behind" && nothing_but_session'
# The list is a file of the user, who could name any process in it.
list='dir=~/.jacamar-ci/scripts/short/000/group/project/981625; start() { cut -d" " -f22 /proc/$1/stat; }'
check 'nor can a job have cleanup kill another session, by a line in the list of what it left running' '
	printf "%s\n" "$list" "echo \"$session \$(start $session)\" >>\$dir/left-running && echo it is listed" | job; bounded_play &&
	said "it is listed" && kill -0 "$session" && nothing_but_session'
check 'a process of the job that hides the cookie is still found by that list' '
	printf "%s\n" "setsid -f env -i sleep 600 >/dev/null 2>&1 </dev/null" | job; bounded_play &&
	logged "ended processes that the job left behind" && nothing_but_session'

# Ending jobs.
check 'the exit code of the script is known' '
	echo "exit 3" | job; bounded_play; [ $? -eq 1 ] && logged "exit code 3" && nothing_but_session'
check 'a script that does not start for want of a login shell is told' '
	sed -i "s|^data_dir.*|&\nshell_path = \"$box/none\"|" "$file"; echo : | job; bounded_play; code=$?; site "isolate = true"
	[ $code -eq 2 ] && logged "cannot execute $box/none: No such file or directory; check general.shell_path"'
check 'a cancelled job ends, stubborn as its processes may be' 'command_job <<-SCRIPT
	trap "" TERM; $box/stray daemon ignore close forget live; $box/stray ignore stop live &
	$box/stray ignore traced live & $box/stray daemon ignore close forget bomb live
	echo it is ready; while :; do sleep 600; done
	SCRIPT
	bounded_play --cancel-on "is ready"; [ $? -eq 4 ] && nothing_but_session'
check 'a job whose jacamar-auth is killed ends' '
	echo "$box/stray daemon ignore close forget live; trap \"\" TERM; touch ~/ready; sleep 600" | command_job
	bounded_play & waited=$!; wait_until "[ -e $home/ready ]"; kill -KILL "$(auth_pid)"; wait $waited
	[ "$(stage_exit run build_script)" = "signal 9" ] && nothing_but_session'
check 'a job whose jacamar is killed from outside ends' '
	rm -f "$home/ready"; echo "$box/stray daemon ignore close forget live; trap \"\" TERM; touch ~/ready; sleep 600" | command_job
	bounded_play & waited=$!; wait_until "[ -e $home/ready ]"; kill -KILL "$(user_side_pid)"; wait $waited
	[ $? -eq 2 ] && logged "was killed by signal 9" && nothing_but_session'
check 'a process that holds the log open is named, and one that keeps forking is killed' '
	printf "%s\n" "sleep 600 &" | command_job; bounded_play && logged "the job log is still held open by" && logged "(sleep)" &&
	printf "%s\n" "$box/stray daemon ignore bomb live" | command_job && bounded_play && nothing_but_session'
check 'the other session has lived through all of this' 'kill -0 "$session"'

# Filters of system calls that keep jacamar from isolating.
check 'a filter that blocks Landlock is refused' '
	site "isolate = true
[auth.seccomp]
block_calls = [\"landlock_restrict_self\"]"; configure; [ $? -eq 2 ] &&
	logged "auth.seccomp.block_calls blocks \"landlock_restrict_self\", without which auth.isolate cannot isolate jobs"'
echo : | job
site '[auth.seccomp]
block_all = true'
configure
ours=$(sed -n 's/.*run and end jobs: \([a-z0-9_ ]*\) (.*/\1/p' "$box/log")
check 'so is a list that does not allow it, while Landlock needs no permission otherwise' '
	ours="$ours ${SANITIZE:+futex getrandom madvise mremap personality ptrace readlink sched_yield
		sigaltstack sysinfo getcwd getppid getpgrp set_robust_list}"
	allowed="allow_calls = [\"$(echo $ours | sed "s/ /\", \"/g")\"]"
	site "[auth.seccomp]
block_all = true
$allowed"; configure || exit 1
	site "isolate = true
[auth.seccomp]
block_all = true
$allowed"; configure; [ $? -eq 2 ] &&
	logged "auth.seccomp.allow_calls blocks \"landlock_create_ruleset\""'

kill -KILL "$session"
finish
