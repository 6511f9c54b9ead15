# A row of bench.sh: how fast a cancelled job ends that is a fork bomb of 3,000 processes. Each ignores
# SIGTERM, is an orphan in a session of its own, and forks another one as soon as it can.
#
# The time is from the end of the time of grace, three quarters of kill_timeout after the cancel,
# until the last of them is dead. They have a FIFO open: its reader waits for that without looking
# for processes.

size=3000
grace=3

# bomb_fails WHAT: nothing of the bomb must slow down what is left to do.
bomb_fails() {
	leave_service
	echo 1 >"$slice/cgroup.kill"
	row_fails "$1"
}

# explode JOB: one round. The call must also return, and leave nothing.
explode() {
	local call auth_pid
	in_job "$1" "$auth" run "$box/bomb.bash" build_script >"$box/output" 2>&1 &
	call=$!
	wait_until '[ "$(pgrep -c -U "$usr" -x stray)" -ge $((size - 100)) ]' >/dev/null ||
		bomb_fails "the start of the fork bomb, $1"
	# While they multiply, the signal could reach jacamar-auth late.
	sleep 1
	auth_pid=$(pgrep -U "$runner" -f "^$auth run ")
	# Before all processes of the bomb, which have the processors.
	nice -n -20 python3 "$here/cancel.py" "$auth_pid" "$box/bomb" >"$box/ended" ||
		bomb_fails "the end of the fork bomb, $1"
	wait "$call"
	! living >>"$box/output" || bomb_fails "the end of all processes, $1"
	a_round "$(awk -v grace="$grace" '{ print $1 - grace }' "$box/ended")"
}
peer_bomb_cgroup() { explode bomb-cgroup; }
peer_bomb_walk() { explode bomb-walk; }

row_fork_bomb() {
	local limits='kill_timeout = "4s"'
	value() { middle "$1"; }
	compile stray
	mkfifo -m 666 "$box/bomb"
	join_service || row_skips 'needs cgroup v2'
	[ -e "$service/cgroup.kill" ] || row_skips 'needs cgroup.kill (Linux 5.14)'
	printf '%s\n' "exec 9<>$box/bomb" "$box/stray daemon ignore close forget swarm" 'sleep 600' \
		>"$box/bomb.bash"
	chmod 644 "$box/bomb.bash"
	job </dev/null
	prepare bomb-walk '' "$limits"
	second_job
	prepare bomb-cgroup '[auth.cgroup]
enabled = true' "$limits"
	least_rounds=5 most_rounds=5
	take_turns bomb_cgroup bomb_walk
	hold "fork bomb of $size dead after the time of grace, with auth.cgroup" "$(seconds bomb_cgroup)" 0.5 s
	hold 'the same without auth.cgroup, by walking over /proc' "$(seconds bomb_walk)" - s
	hold 'with auth.cgroup, to without' "$(ratio bomb_cgroup bomb_walk)" 1 x
}
