#!/bin/sh
# With auth.cgroup.enabled each job has a cgroup of its own: nothing of the job can leave it, it ends
# as a whole, and what it may use is limited, or the job does not begin.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
need_root
compile stray

. "$(dirname "$0")/lib-cgroup.sh"
[ -n "$hierarchy" ] || skip_all 'needs cgroup v2, and root that can create cgroups'
[ -e "$service/cgroup.kill" ] || { rmdir "$service" "$slice"; skip_all 'needs cgroup.kill (Linux 5.14)'; }
at_end() { remove_service; }
install_site
home=$box/home/$usr
uid=$(id -u "$usr")
delegate "$runner"

# What the service account does is in the service's cgroup; $wrap is a command to begin it with.
wrap=
become() {
	if [ "$2" = "$runner" ]; then
		sh -c 'for to in "$0/jacamar-service" "$0"; do
			echo $$ 2>/dev/null >"$to/cgroup.procs" && break; done; exec "$@"' \
			"$service" $wrap "$build/t/as" "$@"
	else
		"$build/t/as" "$@"
	fi
}

# limits [LINES]: the configuration, with these lines in [auth.cgroup].
limits() {
	write_config 'data_dir = "$HOME"
kill_timeout = "2s"' "downscope = \"$downscope\"
[auth.logging]
enabled = true
location = \"$box/home/$runner/audit.log\"
[auth.cgroup]
enabled = true
${1:-}"
}
path=${service#"$hierarchy"}/jacamar/$uid/981625
# cgroups: those below the service's; no_cgroup: none of a job or an account is left.
cgroups() { find "$service" -mindepth 1 -type d -printf '%P\n' | sort; }
no_cgroup() { ! cgroups | grep -vx -e jacamar -e jacamar-service; }

# --- without the setting ---

check 'without auth.cgroup, a job runs in the cgroup of the service, and none is created' '
	echo "sed s/^/in_/ /proc/self/cgroup" | job; bounded_play && logged "in_0::${service#"$hierarchy"}" &&
	[ -z "$(cgroups)" ] && nothing_left'

# --- a job ---

limits
job_extra='.scripts.get_sources = ["sed s/^/get_sources_/ /proc/self/cgroup"] |
	.scripts.after_script = ["sed s/^/after_script_/ /proc/self/cgroup"]'
printf '%s\n' 'sed s/^/script_/ /proc/self/cgroup' "(setsid sed s/^/daemon_/ /proc/self/cgroup)" \
	"$find_auth" 'sed s/^/auth_/ /proc/$auth/cgroup' "ls -d $hierarchy$path | sed s/^/there_/" >"$box/script"
check 'a job runs' 'job <"$box/script"; bounded_play && nothing_left'
check 'each of its scripts, and what they start, is in the cgroup of the job' '
	for what in get_sources script daemon after_script; do
		grep -x "${what}_0::$path" "$box/log" || { cat "$box/log"; exit 1; }
	done'
check 'jacamar-auth is not in it' 'grep -x "auth_0::${service#"$hierarchy"}" "$box/log"'
check 'after the job, its cgroup and that of the account are removed' '
	logged "there_$hierarchy$path" && no_cgroup'
check 'the audit records have the CPU time of the job until then' '
	jq -es "map(select(.stage == \"run\" and .cpu_ms >= 0)) | length > 0" "$box/home/$runner/audit.log" &&
	jq -es "map(select(.stage == \"cleanup\"))[-1].cpu_ms > 0" "$box/home/$runner/audit.log"'
job_extra=

# --- its end ---

# What lives while after_script runs, other than after_script.
after='.scripts.after_script =
	["ps -U \"$(id -u)\" -o stat=,pid=,args= -ww | grep -v \"^[ZX]\" >~/left"]'
none_survived() {
	[ -s "$home/left" ] && ! grep -v -e 'jacamar --no-auth run env-script after_script$' \
		-e ' /[^ ]*bash --login$' -e '/after_script.bash$' -e ' ps -U ' -e ' grep -v ' -e "$entry run /" \
		-e '/t/runner --' "$home/left"
}
cancelled() {
	job_extra=$after command_job
	rm -f "$home/left"
	bounded_play --cancel-on 'is ready'
	[ $? -eq 4 ] || { cat "$box/log"; return 1; }
	[ "$(stage_exit run build_script)" = 2 ] && none_survived && nothing_left && no_cgroup
}
check 'a cancelled script gets SIGTERM first, and its last words are in the log' 'cancelled <<-SCRIPT &&
	trap "echo told; exit 0" TERM; echo it is ready; sleep 600 & wait
	SCRIPT
	logged told'
check 'a script that ignores SIGTERM ends, and what it wrote until then is in the log' 'cancelled <<-SCRIPT &&
	trap "echo told" TERM; echo it is ready; for i in 1 2 3 4 5 6 7 8 9; do sleep 600; done
	SCRIPT
	logged told'
check 'cancelling ends daemons without the environment of the job, unreadable or stopped' 'cancelled <<-SCRIPT
	$box/stray daemon ignore close forget live; $box/stray daemon ignore forget hide live
	$box/stray ignore stop live & echo it is ready; sleep 600
	SCRIPT'
# On a busy machine the kernel takes long to release so many.
except 'root sudo none' 'a storm of forks, shown with capabilities' check 'cancelling ends a fork bomb of 3,000 processes in sessions of their own' '
	bounds=$bounds_of_batch; cancelled <<-SCRIPT
	$box/stray daemon ignore close forget big-bomb; echo it is ready; sleep 600
	SCRIPT'
check 'cancelling ends a job that is frozen' 'command_job <<-SCRIPT
	trap "" TERM; touch ~/ready; sleep 600
	SCRIPT
	rm -f "$home/ready"; bounded_play & waited=$!
	wait_until "[ -e \"$home/ready\" ]" && auth=$(auth_pid) && echo 1 >"$hierarchy$path/cgroup.freeze" &&
	kill -TERM $auth; wait $waited; [ $? -eq 2 ] && nothing_left && no_cgroup'
# With ids of root, no process of the user or of the service may signal it.
cp "$(command -v setpriv)" "$prefix/root-setpriv" && chmod 4755 "$prefix/root-setpriv"
check 'cancelling ends a process of the job that has become root' 'cancelled <<-SCRIPT && ! pgrep -f "^sleep 10000$$"
	$prefix/root-setpriv --reuid=0 --regid=0 --clear-groups sleep 10000$$ </dev/null >/dev/null 2>&1 &
	until pgrep -U 0 -fx "sleep 10000$$"; do sleep 0.1; done; echo it is ready; sleep 600
	SCRIPT'
check 'the job ends if the script stops the user side and it is cancelled' 'command_job <<-SCRIPT
	$box/stray daemon ignore close forget live; echo it is ready; $find_auth; kill -STOP \$user_side; sleep 600
	SCRIPT
	bounded_play --cancel-on "is ready"; [ $? -eq 4 ] && nothing_left && no_cgroup'
check 'the job ends if the script kills the user side' 'command_job <<-SCRIPT
	$box/stray daemon ignore close forget live; $find_auth; kill -KILL \$user_side; sleep 600
	SCRIPT
	bounded_play; [ $? -eq 2 ] && logged "killed by signal 9" && nothing_left && no_cgroup'
check 'the job ends if jacamar-auth is killed' 'command_job <<-SCRIPT
	$box/stray daemon ignore close forget live; touch ~/ready; trap "" TERM; while :; do sleep 600; done
	SCRIPT
	rm -f "$home/ready"; bounded_play --eof-timeout 5 & waited=$!
	wait_until "[ -e \"$home/ready\" ]" && kill -KILL $(auth_pid); wait $waited; nothing_left && no_cgroup'

# What a script leaves behind lives on until cleanup.
job_extra='.scripts.after_script = ["pgrep -x stray >/dev/null && echo it lives on"]'
check 'cleanup ends what a script left without the environment of the job, and names it' '
	echo "$box/stray daemon ignore close forget live" | job; bounded_play && logged "it lives on" &&
	grep "ended processes that the job left behind: [0-9]* (stray)$" "$box/log" && nothing_left && no_cgroup'
job_extra=
# Without a cgroup this is out of reach with sudo: t3400.
except none 'the runner would be one of them' check 'cleanup ends a process that kills every jacamar' '
	end_all; command_job </dev/null; prepare_call
	printf "%s\n" "$box/stray daemon close ignore hunter" | call && living &&
		as "$runner" timeout -k 10 60 sh "$call/cleanup.sh" && nothing_left && no_cgroup'
check 'a config that fails leaves no cgroup' '
	sed -i "s|^data_dir.*|data_dir = \"/proc/jobs\"|" "$etc/jacamar-config.toml"
	job </dev/null; bounded_play; [ $? -eq 2 ] && logged "/proc/jobs" && no_cgroup'


# --- what a job may try ---

limits

# Each line of the output is an attack that worked. $1: the service's cgroup, $2: the job's.
cat >"$box/escape" <<'ESCAPE'
top=${1%/jacamar-test.*}
for directory in "$top" "${1%/*}" "$1" "$1/jacamar" "${2%/*}" "${2%/*}/981626" "$2"; do
	for file in cgroup.procs cgroup.threads; do
		echo $$ >"$directory/$file" && echo "broken: wrote to $directory/$file"
	done
	for file in cgroup.freeze cgroup.kill; do
		(: >>"$directory/$file") && [ -e "$directory/$file" ] && echo "broken: opened $directory/$file"
	done
	mkdir "$directory/mine" && echo "broken: created a cgroup in $directory"
	chmod 777 "$directory" "$directory/cgroup.procs" && echo "broken: changed $directory"
	rmdir "$directory" && echo "broken: removed $directory"
done
# As root of a user namespace, with a mount of its own.
unshare --user --map-root-user --mount --cgroup sh -c '
	mount -t cgroup2 none /mnt && cd /mnt && { mkdir mine || echo $$ >cgroup.procs; } &&
		echo "broken: changed cgroups as root of a user namespace"'
sed s/^/still_in_/ /proc/self/cgroup
ESCAPE
except none 'the service account owns the cgroups' check 'a job cannot leave its cgroup, nor change any' '
	as "$runner" mkdir -p "$service/jacamar/$uid/981626"
	echo "sh $box/escape $service $hierarchy$path 2>/dev/null" | job; bounded_play; code=$?; cat "$box/log"
	rmdir "$service/jacamar/$uid/981626" "$service/jacamar/$uid"
	[ $code -eq 0 ] && logged "still_in_0::$path" && ! logged "broken:"'
check 'a process of the user outside of the job does not keep the cgroup from being removed' '
	echo "$hold" | job; hold_job
	as "$usr" sh -c "cd $hierarchy$path && exec sleep 20000$$ <." &
	wait_until "holder=\$(pgrep -u $usr -fx \"sleep 20000$$\")"
	ls -l "/proc/$holder/cwd" "/proc/$holder/fd/0" | grep -c " $hierarchy$path\$" | grep -x 2; code=$?
	let_go && no_cgroup && [ $code -eq 0 ]; code=$?; kill "$holder"; [ $code -eq 0 ]'

# --- older kernels ---

# Before Linux 5.14 there is no cgroup.kill: a file that the service account may not write is
# mounted over it, for each stage that comes after config has created the cgroup.
: >"$box/no-kill" && chmod 444 "$box/no-kill"
printf '%s\n' '#!/bin/sh' \
	"[ ! -d $hierarchy$path ] || mount --bind $box/no-kill $hierarchy$path/cgroup.kill || exit; exec \"\$@\"" \
	>"$box/old-kernel" && chmod 755 "$box/old-kernel"
# without_kill COMMAND [ARGUMENT]...
without_kill() {
	wrap="unshare --mount $box/old-kernel" "$@"
}
check 'without cgroup.kill, cancelling ends daemons and a fork bomb' 'without_kill cancelled <<-SCRIPT
	cat $hierarchy$path/cgroup.kill && echo there is none
	$box/stray daemon ignore close forget live; $box/stray daemon ignore close bomb; echo it is ready; sleep 600
	SCRIPT
	logged "there is none"'
check 'without cgroup.kill, cleanup ends what a script left' '
	echo "$box/stray daemon ignore close live" | job; without_kill bounded_play &&
	grep "ended processes that the job left behind: [0-9]* (stray)" "$box/log" && nothing_left && no_cgroup'
compile no-syscalls
if "$box/no-syscalls" true 2>/dev/null; then
	check 'before Linux 5.7, too, a job is in its cgroup' '
		echo "sed s/^/in_/ /proc/self/cgroup" | job; wrap=$box/no-syscalls bounded_play &&
		logged "in_0::$path" && no_cgroup'
else
	skip 'before Linux 5.7, too, a job is in its cgroup' 'no filter of system calls here'
fi

# --- errors ---

say_why

# refused TEXT: config fails with it and with its line, and nothing ran.
refused() {
	end_all
	rm -rf "$home/.jacamar-ci"
	job </dev/null
	bounded_play
	[ $? -eq 2 ] && logged "$1" && grep "($etc/jacamar-config.toml:[0-9]*)" "$box/log" && nothing_ran && no_cgroup
}
# A job of another GitLab server can have the same number. Between two sub-stages it has no process.
check 'a job whose cgroup another job has is refused, and that one lives on' '
	as "$runner" mkdir -p "$hierarchy$path" && as "$usr" sleep 30000$$ & sleeper=$!
	wait_until "other=\$(pgrep -u $usr -fx \"sleep 30000$$\")" && echo "$other" >"$hierarchy$path/cgroup.procs"
	rm -rf "$home/.jacamar-ci"; job </dev/null; configure; code=$?
	[ $code -eq 2 ] && logged "the cgroup jacamar/$uid/981625 of the runner'"'"'s service exists already" &&
		grep "($etc/jacamar-config.toml:[0-9]*)" "$box/log" && grep -x "$other" "$hierarchy$path/cgroup.procs"
	code=$?; kill "$other"; wait "$sleeper"; [ $code -eq 0 ]'
check 'it is refused also while the other job has no process' '
	wait_until "grep -q \"populated 0\" $hierarchy$path/cgroup.events"; configure; [ $? -eq 2 ] && logged "exists already" &&
	[ -d "$hierarchy$path" ]; code=$?; rmdir "$hierarchy$path" "$hierarchy${path%/*}"; [ $code -eq 0 ]'
check 'a service whose cgroup is not delegated is an error' '
	delegate daemon; refused "is not delegated to the service account alone"; code=$?
	delegate "$runner"; [ $code -eq 0 ]'
check 'a cgroup that others can write to is an error' '
	chmod 777 "$service"; refused "is not delegated to the service account alone"; code=$?
	chmod 755 "$service"; [ $code -eq 0 ]'
for key in memory_max memory_high cpu_max cpu_weight pids_max; do
	case $key in memory_*) value='"1G"' ;; cpu_max) value='"100000 100000"' ;; *) value=100 ;; esac
	check "$key without its controller is an error, for a job and for an account" '
		limits "$key = $value"; refused "cannot apply auth.cgroup.$key = " &&
		limits "user_$key = $value"; refused "cannot apply auth.cgroup.user_$key = "'
done

# doctor: what it says about the cgroup of a gitlab-runner in the service, as the service account.
cp "$(command -v sleep)" "$box/gitlab-runner"
doctor() {
	as "$runner" "$box/gitlab-runner" 600 & runner_job=$!
	wait_until "pgrep -U $runner -x gitlab-runner"
	as "$runner" "$prefix/bin/jacamar" doctor --configuration "$etc/jacamar-config.toml" >"$box/doctor"
	pkill -U "$runner" -x gitlab-runner; wait "$runner_job"
	grep -A1 " cgroup " "$box/doctor" || { cat "$box/doctor"; false; }
}
check 'doctor says that the cgroup of the service is delegated' '
	limits; doctor | grep "pass  *cgroup .*the cgroup ${service#"$hierarchy"} of .* is delegated to $runner"'
check 'doctor reports a limit without its controller, and how to get it' '
	limits "user_pids_max = 100"
	doctor | tee "$box/said" | grep "fail  *cgroup .*cannot apply auth.cgroup.user_pids_max" &&
	grep "systemctl edit gitlab-runner.service" "$box/said"'
check 'doctor reports a cgroup that is not delegated' '
	limits; delegate daemon; doctor | grep "fail  *cgroup .*is not delegated to the service account alone"
	code=$?; delegate "$runner"; [ $code -eq 0 ]'

# --- limits, where the hierarchy has the controllers ---

# with_controllers 'title' 'commands': check, if the service can get them.
with_controllers() {
	if grep -w memory "$slice/cgroup.controllers" | grep -w cpu | grep -qw pids; then
		echo '+memory +cpu +pids' >"$slice/cgroup.subtree_control"
		check "$@"
	else
		skip "$1" 'needs the controllers memory, cpu and pids in the cgroup v2 hierarchy'
	fi
}
limits 'memory_max = "64M"
memory_high = "60M"
cpu_max = "150000 100000"
cpu_weight = 50
pids_max = 40
user_memory_max = "1G"
user_memory_high = "max"
user_cpu_max = 300000
user_cpu_weight = "200"
user_pids_max = 400'
files='memory.max memory.high cpu.max cpu.weight pids.max'
with_controllers 'the limits are those of the job, and of the account' '
	for directory in "$hierarchy$path" "$hierarchy${path%/*}"; do
		echo "cd $directory && echo \$(cat $files) ."
	done | job; bounded_play; logged "67108864 62914560 150000 100000 50 40 ." &&
	logged "1073741824 max 300000 100000 200 400 ." && nothing_left && no_cgroup'
limits 'memory_max = "64M"
pids_max = 40
user_memory_max = "1G"'
with_controllers 'the processes of the service are in a cgroup of their own then' '
	printf "%s\n" "$find_auth" "sed s/^/auth_/ /proc/\$auth/cgroup" | job; bounded_play &&
	logged "auth_0::${service#"$hierarchy"}/jacamar-service" && ! grep . "$service/cgroup.procs"'
with_controllers 'a job cannot start more processes than its limit' '
	printf "%s\n" "for i in \$(seq 60); do sleep 600 & done" | job; bounded_play; [ $? -eq 1 ] &&
	logged "fork" && nothing_left && no_cgroup'
with_controllers 'a job that uses too much memory ends, and its log tells why' '
	echo "head -c 200M /dev/zero | tail >/dev/null" | job; bounded_play; [ $? -eq 1 ] || { cat "$box/log"; exit 1; }
	logged "the job ran out of memory: the kernel killed 1 of its processes; a job may use 64M, and all jobs of an account together 1G" &&
	nothing_left && no_cgroup'
with_controllers 'the audit record of that script tells it, too, and the most memory that was used' '
	jq -es "map(select(.substage == \"build_script\"))[-1] | .oom_kills == 1 and .memory_peak >= 60000000" \
		"$box/home/$runner/audit.log"'

finish
