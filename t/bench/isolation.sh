# A row of bench.sh: what isolating a job, and a cgroup for it, add to an empty sub-stage.

# join_service: from now on the calls of this row are in a cgroup that is delegated to the service
# account, as in a service of systemd; fails where there is none.
join_service() {
	local rest
	. "$here/../e2e/lib-cgroup.sh"
	[ -n "$hierarchy" ] || return 1
	# $$ is the process of bench.sh.
	read -r row_pid rest </proc/self/stat
	own=$hierarchy$(sed -n 's/^0:://p' /proc/self/cgroup)
	at_row_end 'leave_service; remove_service'
	delegate "$runner"
	echo "$row_pid" >"$service/cgroup.procs"
}
leave_service() { echo "$row_pid" >"$own/cgroup.procs"; }

# can_isolate: the kernel can.
can_isolate() {
	settings 'no_new_privs = true
isolate = true'
	as "$runner" "$prefix/bin/jacamar" config --check "$etc/jacamar-config.toml" >"$box/output" 2>&1
}

walled() { by_runner "$peer" "$auth run $box/empty.bash build_script"; }
peer_open() { walled; }
peer_isolated() { walled; }
peer_protected() { walled; }
peer_in_cgroup() { walled; }
peer_isolated_in_cgroup() { walled; }

row_isolation() {
	local peer peers=
	local wall='no_new_privs = true
isolate = true' cgroup='[auth.cgroup]
enabled = true'
	job </dev/null
	if join_service; then
		prepare in_cgroup "no_new_privs = true
$cgroup"
		peers=in_cgroup
	fi
	if can_isolate; then
		prepare isolated "$wall"
		prepare protected "$wall
protected_paths = [\"~/.ssh\", \"~/.gnupg\"]"
		peers="$peers isolated protected"
	fi
	prepare open 'no_new_privs = true'
	case $peers in
	'') row_skips 'needs Landlock (Linux 6.12) or cgroup v2' ;;
	in_cgroup\ *)
		# No other job may have the cgroup of the first.
		second_job
		prepare isolated_in_cgroup "$wall
$cgroup"
		peers="$peers isolated_in_cgroup"
		;;
	esac
	# shellcheck disable=SC2086 # peers, each a word
	take_turns open $peers
	for peer in $peers; do
		hold "empty sub-stage, beyond one with no_new_privs alone: $(echo "$peer" | tr _ ' ')" \
			"$(beyond "$peer" open)" 1 ms
	done
}
