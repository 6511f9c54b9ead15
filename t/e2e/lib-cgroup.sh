# A part of the cgroup v2 hierarchy, as systemd gives it to the runner's service (Delegate=yes):
# lib.sh first, then this, as root. $service is its directory, $slice the one above; $hierarchy is
# "" where there is none.
hierarchy=
for mount in /sys/fs/cgroup /sys/fs/cgroup/unified; do
	[ "$(stat -f -c %T "$mount" 2>/dev/null)" != cgroup2fs ] || hierarchy=$mount
done
slice=$hierarchy/jacamar-test.$$
service=$slice/runner.service
[ -n "$hierarchy" ] && mkdir "$slice" "$service" 2>/dev/null || hierarchy=

# delegate ACCOUNT: gives it to the account.
delegate() {
	chown "$1" "$service" "$service/cgroup.procs" "$service/cgroup.subtree_control" "$service/cgroup.threads"
}

# remove_service: also ends all processes in it.
remove_service() {
	[ -n "$hierarchy" ] || return 0
	echo 1 >"$slice/cgroup.kill"
	wait_until "grep -q 'populated 0' $slice/cgroup.events"
	find "$slice" -depth -type d -exec rmdir {} \;
}
