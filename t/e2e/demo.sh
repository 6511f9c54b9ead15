#!/bin/sh
# One whole CI job, shown: as root through file capabilities with throw-away accounts (the
# service's and users'), else as the present account through `jacamar --no-auth`.
. "$(dirname "$0")/lib.sh"

show() { printf '\n\033[1m%s\033[0m\n' "$*"; }

if [ "$(id -u)" -eq 0 ]; then
	install_site
	show "The service account $runner is not root. Its jacamar-auth has two capabilities:"
	getcap "$prefix/bin/jacamar-auth"
	ls -l "$prefix/bin"
	show "A job of $usr, with a token signed for $usr, run as GitLab Runner would run it:"
	job <<-'SCRIPT'
		id
		/sbin/capsh --print
		ps -aef --forest
	SCRIPT
	play --show-stages
else
	runner=$(id -un)
	etc=$box prefix=$build
	show "Without root, no account can be changed: the job runs as $runner, by jacamar --no-auth."
	printf '[general]\nexecutor = "shell"\ndata_dir = "%s"\n' "$box" >"$etc/jacamar-config.toml"
	sed -e "s|\"/opt/jacamar/bin/jacamar-auth\"|\"$build/bin/jacamar\"|" \
		-e "s|_args = \\[|_args = [\"--no-auth\", |" -e 's|<RUNNER-TOKEN>|short|' \
		-e "s|/home/gitlab-runner/.gitlab-runner|$box|" \
		"$top/config/examples/config.toml" >"$etc/config.toml"
	job '' <<-'SCRIPT'
		id
		grep Cap /proc/self/status
		ps -ef --forest
	SCRIPT
	"$build/t/runner" --show-stages "$etc/config.toml" "$box/job.json" >"$box/log" 2>&1
fi
code=$?
# Of the process list, the part that the job is in.
awk -v auth="$prefix/bin/jacamar-auth run" -v none="jacamar --no-auth run /" '
	/ps -a?ef --forest/ && /\$/ { print; tree = 1; next }
	tree && (index($0, auth) || index($0, none)) { inside = 6 }
	tree && /^[a-z_+0-9-]+ +[0-9]+ +[0-9]+/ { if (inside-- > 0) print; next }
	{ print }' "$box/log"
show "t/runner, which imitates GitLab Runner, ends with exit code $code."
exit $code
