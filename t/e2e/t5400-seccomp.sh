#!/bin/sh
# A job's system calls are filtered as [auth.seccomp] says, wherever a filter can be had; where one
# is asked for and cannot be had, no job runs.
. "$(dirname "$0")/lib.sh"
compile calls
compile stray
install_site
home=$box/home/$usr
file=$etc/jacamar-config.toml

# site LINES [DATA_DIR]: jacamar-config.toml with no_new_privs, and these in [auth.seccomp]; $general,
# where set, is in [general].
site() {
	write_config "data_dir = \"${2:-\$HOME}\"
${general:-}
kill_timeout = \"2s\"" "downscope = \"${downscope:-setuid}\"
$([ "${no_new_privs:-}" = unset ] || echo "no_new_privs = ${no_new_privs:-true}")
[auth.seccomp]
$1"
}
# array WORD...: as TOML writes it.
array() { printf '["%s"]' "$(echo "$@" | sed 's/ /", "/g')"; }

# filters: in how far each process of the job is filtered, up to its user's side.
filters='for pid in $$ $PPID $(ps -o ppid= -p $PPID); do echo "Seccomp $(sed -n "s/^Seccomp:.//p" /proc/$pid/status)"; done'
has_filter() {
	cat "$box/log"
	[ "$(grep -c '^Seccomp 2$' "$box/log")" = 3 ]
}
try="$filters; $box/calls"
said() { grep -Fx -- "$1" "$box/log" || { cat "$box/log"; return 1; }; }
nothing_is_typed() {
	said 'TIOCSTI: Operation not permitted' && said 'TIOCSTI with more bits: Operation not permitted' &&
		said 'TIOCLINUX: Operation not permitted' &&
		! grep '^TIOCSTI of 32 bits' "$box/log" | grep -v 'Operation not permitted$'
}
tries() { echo "$try" | job; bounded_play; }

# The answer without any filter, to compare with.
service=$(as "$runner" sed -n 's/^Seccomp:.//p' /proc/self/status)
as "$usr" "$box/calls" >"$box/unfiltered"
check 'the calls work where nothing filters them' '
	cat "$box/unfiltered"; grep -Fx "mkfifo: ok" "$box/unfiltered" &&
	! grep "^TIOC.*: Operation not permitted" "$box/unfiltered" && grep -Fx "TIOCGWINSZ: ok" "$box/unfiltered"'
unfiltered() {
	grep -v '^TIOCSTI of 32' "$box/unfiltered" >"$box/expected"
	sed -n '/^TIOCSTI:/,/^getppid:/p' "$box/log" | grep -v '^TIOCSTI of 32' | diff "$box/expected" - &&
		[ "$(grep -c "^Seccomp $service$" "$box/log")" = 3 ]
}

# The default
check 'without no_new_privs the default filter is left out, and the job runs' '
	no_new_privs=false; site ""; tries && unfiltered'
check 'with no_new_privs no program of the job can type into a terminal' '
	site ""; tries && has_filter && nothing_is_typed && said "TIOCGWINSZ: ok" && said "mkfifo: ok"'
check 'a command in data_dir cannot type into a terminal either'"'"'s login shell' '
	printf "%s\n" "[ -e ~/typed ] || ($box/calls; $filters) >~/typed" "export PLACE=$home" >"$home/.bash_profile"
	chown "$usr" "$home/.bash_profile"; site "" "\$PLACE"
	configure; result=$?; rm -f "$home/.bash_profile"; mv "$home/typed" "$box/log"
	[ $result -eq 0 ] && nothing_is_typed && grep -Fx "Seccomp 2" "$box/log"'
check 'disabled is disabled' '
	site "disabled = true
block_calls = [\"mknod\", \"mknodat\", \"nonsense\"]"; tries && unfiltered'

# The lists
check 'a blocked call fails with the error that the filter gives' '
	site "block_calls = [\"mknod\", \"mknodat\", \"unshare\", \"clone3\", \"io_setup\"]"
	printf "%s\n" "$try" "mkfifo ~/fifo 2>&1 || echo code \$?" "unshare true 2>&1 || echo code \$?" \
		"python3 -c \"import subprocess; print(subprocess.run([\\\"echo\\\", \\\"a child\\\"]).returncode)\"" |
		job; bounded_play && has_filter && nothing_is_typed &&
	said "mkfifo: Operation not permitted" && logged "unshare failed: Operation not permitted" &&
	[ "$(grep -c "^code 1$" "$box/log")" = 2 ] && said "a child" && said "getppid: ok"'
check 'without block_all one call too many is no end of the job, but of what makes it' '
	site "block_calls = [\"getcwd\", \"pipe\"]"; tries; [ $? -le 1 ] && nothing_left'

# Filters are a reason for no_new_privs, where the file does not say what it wants.
privileges='echo "NoNewPrivs $(sed -n "s/^NoNewPrivs:.//p" /proc/self/status)"'
check 'filters imply no_new_privs' '
	no_new_privs=unset; site "block_calls = [\"mknod\", \"mknodat\"]"
	printf "%s\n" "$try" "$privileges" | job; bounded_play && has_filter && nothing_is_typed &&
	said "mkfifo: Operation not permitted" && said "NoNewPrivs 1"'
check 'without filters no_new_privs stays unset' '
	no_new_privs=unset; site "allow_calls = []"; echo "$privileges" | job; bounded_play && said "NoNewPrivs 0"'

# The kernel writes these records to its own log where no auditd takes them, but only some at a time.
title='log_allowed_actions has the kernel log calls that are allowed'
if echo probe >/dev/kmsg 2>/dev/null && dmesg 2>/dev/null | grep -q probe; then
	check "$title" '
		no_new_privs=unset; site "log_allowed_actions = true
block_calls = [\"mknod\", \"mknodat\"]"
		for round in 1 2 3 4 5; do
			tries && has_filter && nothing_is_typed && said "mkfifo: Operation not permitted" &&
				said "getppid: ok" || exit 1
			dmesg | grep "type=1326 .*uid=$(id -u "$usr") .*code=0x7ffc0000" && exit 0
		done
		exit 1'
else
	skip "$title" 'the log of the kernel cannot be read'
fi

# What jacamar itself needs is named where it is missing.
echo : | job
site 'block_all = true'
configure
ours=$(sed -n 's/.*run and end jobs: \([a-z0-9_ ]*\) (.*/\1/p' "$box/log")
check 'block_all alone is refused, and what is missing is named' '
	[ -n "$ours" ] && [ ! -s "$box/answer" ] && logged "auth.seccomp.allow_calls lacks system calls" && nothing_left'
check 'with these calls alone the driver works, but the script does not' '
	general="group_permissions = true
static_builds_dir = true"
	site "block_all = true
allow_calls = $(array $ours ${SANITIZE:+futex getrandom madvise mremap personality ptrace readlink sched_yield \
		sigaltstack sysinfo getcwd getppid getpgrp set_robust_list})"
	bounded_play; cat "$box/log"
	logged "executor shell" && [ "$(stage_exit prepare)" = 0 ] && [ "$(stage_exit cleanup)" = 0 ] && nothing_left'
# Whether nobody else can write to a directory that its group can write to takes more than the mode.
chmod 770 "$box/home/$usr"
for calls in '' 'lgetxattr fgetxattr futex'; do
	check "with ${calls:-no} further calls, a home that the group can write to is judged" '
		site "block_all = true
allow_calls = $(array $ours $calls ${SANITIZE:+futex getrandom madvise mremap personality ptrace readlink sched_yield \
			sigaltstack sysinfo getcwd getppid getpgrp set_robust_list})"
		bounded_play; cat "$box/log"
		if [ -n "$calls" ]; then logged "executor shell" && [ "$(stage_exit prepare)" = 0 ]
		else logged "is writable by its group, and its access control list may name other accounts"; fi && nothing_left'
done
chmod 700 "$box/home/$usr"
# Also of C libraries of other years, and of a sanitizer.
scripts="alarm chdir clone3 close_range dup exit faccessat2 fadvise64 fchdir fchownat flock ftruncate futex
getcwd getpeername getpgrp getpgid getppid getresgid getresuid getrandom getrlimit getsid gettimeofday
ioctl linkat madvise mkdir mknodat mremap munlock open personality pipe pselect6 ptrace pwrite64 readlink
readv rename renameat2 rmdir rseq sched_getaffinity sched_yield select set_robust_list setitimer setpgid setuid
sigaltstack socket statfs statx symlinkat sysinfo times unlink utimensat vfork waitid writev"
check 'calls that are allowed beside these work, and the others are missing as on an old kernel' '
	site "block_all = true
allow_calls = $(array $ours $(echo $scripts | sed "s/mknodat//"))"
	tries && has_filter && nothing_is_typed &&
	said "mkfifo: Function not implemented" && said "getppid: ok" && said "TIOCGWINSZ: ok" && nothing_left'

# The calls with which a job is isolated, which the manual names.
isolating="landlock_create_ruleset landlock_restrict_self landlock_add_rule openat2 statx"
isolated='true
isolate = true
protected_paths = ["~/.ssh"]'
(no_new_privs=$isolated; site '')
title='a job is isolated with these calls and those that the manual names for that, no others'
if as "$runner" "$prefix/bin/jacamar" config --check "$file" >"$box/answer" 2>"$box/output"; then
	check "$title" '
		no_new_privs=$isolated; site "block_all = true
allow_calls = $(array $ours $scripts $isolating)"
		echo "kill -0 \$(ps -o ppid= -p \$PPID) 2>/dev/null || echo it is isolated" | job; bounded_play && said "it is isolated" && nothing_left
		for call in $isolating; do
			site "block_all = true
allow_calls = $(array $(echo "$ours $scripts $isolating" | sed "s/\<$call\>//g"))"
			configure; [ $? -eq 2 ] && logged "auth.seccomp.allow_calls blocks \"$call\", without which auth.isolate cannot" || exit 1
		done'
else
	skip "$title" "$(cat "$box/output")"
fi

# A scheduler's commands need calls of their own; this one needs no more than a script does.
mkdir "$box/scheduler"
cat >"$box/scheduler/sbatch" <<'SCRIPT'
#!/bin/bash
setsid bash "${!#}" >/dev/null 2>&1 &
echo 4242
SCRIPT
chmod 755 "$box/scheduler/sbatch"
check 'a job that goes to a scheduler runs with these filters as well' '
	site "block_all = true
allow_calls = $(array $ours $scripts)
[batch]
scheduler_bin = \"$box/scheduler\""
	sed -i "s/^executor = .*/executor = \"slurm\"/" "$file"
	echo "echo it ran" | job; bounded_play && said "it ran" && logged "slurm job 4242 runs on" && nothing_left'

# Ids, which a process has to spare in a user namespace alone.
if as "$usr" unshare -r "$box/calls" 2>/dev/null | grep -Fx 'setuid to 0: ok' >/dev/null; then
	check 'without limit_setuid a job can have several ids in a user namespace' '
		site ""; echo "unshare -r $box/calls" | job; bounded_play && said "setuid to 0: ok"'
	check 'with limit_setuid a user namespace has the id of the user alone'"'"'s own' '
		site "limit_setuid = true"; echo "unshare -r $box/calls" | job; bounded_play &&
		said "setuid to 0: Operation not permitted" && nothing_is_typed'
else
	skip 'without limit_setuid a job can have several ids in a user namespace' 'no user namespaces here'
	skip 'with limit_setuid a user namespace has the id of the user alone'"'"'s own' 'no user namespaces here'
fi
check 'outside of one, its own are left' '
	site "limit_setuid = true"; tries && has_filter && said "setuid to itself: ok" &&
	said "setuid to 0: Operation not permitted"'

# refuses TITLE LINE SETTINGS: config fails, and says that first line of one or two; behind it may
# stand where the key is set.
refuses() {
	says=$2
	site "$3"
	check "$1" '
		configure; [ $? -eq 2 ] && [ ! -s "$box/answer" ] && [ "$(sed "s| ($file:[0-9]*)\$||; q" "$box/log")" = "jacamar-auth: $says" ] &&
		[ "$(wc -l <"$box/log")" -le 2 ] && nothing_left'
}
no_new_privs=false
for setting in 'block_calls = ["ptrace"]' 'block_all = true' 'limit_setuid = true'; do
	refuses "${setting%% *} against no_new_privs = false is refused, with its line" \
		"$file:11: auth.seccomp.${setting%% *} needs auth.no_new_privs: the kernel accepts a filter only if no program can gain privileges; set that to true, or remove this" \
		"$setting"
done
no_new_privs=true
refuses 'a system call that there is not is refused' \
	'auth.seccomp.block_calls names "nonsense", a system call that libseccomp does not know' \
	'block_calls = ["ptrace", "nonsense"]'
check 'a check of the configuration finds it as well' '
	as "$runner" "$prefix/bin/jacamar" config --check "$file" >"$box/answer" 2>"$box/log"
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && [ "$(cat "$box/log")" = "$file:11: $says" ]'
for call in kill wait4 execve write; do
	refuses "blocking $call is refused" \
		"auth.seccomp.block_calls names \"$call\", a system call without which jacamar cannot run and end jobs" \
		"block_calls = [\"ptrace\", \"$call\"]"
done
refuses 'what allows nothing is refused' \
	"$file:11: auth.seccomp.allow_calls needs auth.seccomp.block_all: without it all calls are allowed; set that to true, or remove this" \
	'allow_calls = ["ptrace"]'
check 'no job runs, either' '
	echo "touch ~/ran" | job; bounded_play; [ $? -eq 2 ] && [ ! -e "$home/ran" ] && nothing_left'

# However much is filtered, a job ends when it is to end.
many='"tkill", "rt_sigqueueinfo", "pidfd_open", "pidfd_send_signal", "waitid", "ptrace", "setpgid", "io_uring_setup",
"process_vm_readv", "unshare", "setns", "clone3", "sched_setaffinity", "mknodat"'
for lists in "block_calls = [$many]" "block_all = true
allow_calls = $(array $ours $scripts)"; do
	site "$lists"
	title=$(echo "${lists%% *}" | tr _ ' ')
	check "a cancelled job ends under $title, stubborn as its processes may be" 'command_job <<-SCRIPT
		trap "" TERM; $box/stray daemon ignore close forget live; $box/stray ignore live &
		echo it is ready; while :; do sleep 600; done
		SCRIPT
		bounded_play --cancel-on "is ready"; [ $? -eq 4 ] && nothing_left'
	check "so does one under $title whose user side is killed" '
		printf "%s\n" "$box/stray daemon ignore close forget live; trap \"\" TERM" \
			"kill -KILL \$(ps -o ppid= -p \$PPID); sleep 600" | command_job
		bounded_play; [ $? -eq 2 ] && logged "killed by signal 9" && nothing_left'
	check "and one under $title whose user side is stopped" '
		printf "%s\n" "$box/stray daemon ignore close forget live; echo it is ready" \
			"kill -STOP \$(ps -o ppid= -p \$PPID); sleep 600" | command_job
		bounded_play --cancel-on "is ready"; [ $? -eq 4 ] && nothing_left'
	check "what is left behind under $title is ended" '
		printf "%s\n" "$box/stray daemon live" "$box/stray daemon close live" | command_job; bounded_play &&
		logged "the job log is still held open by" && logged "job left behind" && nothing_left'
done

# Without a change of account, and with a no_new_privs that the service has from its unit.
downscope=none
check 'with downscope = "none" jobs are filtered as well' '
	usr=$runner; site "block_calls = [\"mknodat\", \"mknod\"]"; tries && has_filter && nothing_is_typed &&
	said "mkfifo: Operation not permitted"'
check 'for the default, a no_new_privs of the service will do' '
	become() { setpriv --no-new-privs "$build/t/as" "$@"; }
	no_new_privs=false; usr=$runner; site ""; tries && has_filter && nothing_is_typed && said "mkfifo: ok"'
sed -i -e "s|$prefix/bin/jacamar-auth|$prefix/bin/jacamar|; s|_args = \[|&\"--no-auth\", |" "$etc/config.toml"
check 'jacamar --no-auth filters them, too' '
	usr=$runner; site ""; tries && has_filter && nothing_is_typed && said "mkfifo: ok"'
downscope=setuid

# A service that is root could do without no_new_privs, had it not given up what that takes.
make -s -C "$top" install DESTDIR= PREFIX="$prefix" ${SANITIZE:+SANITIZE=$SANITIZE} >"$box/install" 2>&1 ||
	{ cat "$box/install"; exit 1; }
runner=root
etc=$box/home/root/.gitlab-runner
install -d -m 700 "$box/home/root/work" "$etc"
write_runner_config
check "root's jobs are filtered with no_new_privs" '
	site "block_calls = [\"mknodat\", \"mknod\"]"; tries && has_filter && nothing_is_typed &&
	said "mkfifo: Operation not permitted"'
check 'without no_new_privs, jobs of root are not filtered' '
	no_new_privs=false; site ""; tries && unfiltered'

finish
