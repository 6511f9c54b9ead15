#!/bin/sh
# The guide for administrators, jacamar-deploy(7), to the letter: its commands and files are taken
# from the page. It is followed in namespaces of its own, on a system of which nothing is written
# to, with stand-ins for systemd and for the runner: that one asks t/runner to play the jobs.
if [ -z "${GUIDE_APART:-}" ]; then
	if ! unshare -m -p -f --mount-proc true 2>/dev/null; then
		echo '1..0 # SKIP needs root, and namespaces of its own'
		exit 0
	fi
	exec env GUIDE_APART=1 unshare -m -p -f --mount-proc --kill-child=TERM sh "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/page.sh"
. "$(dirname "$0")/lib-rpm.sh"
need_root

# --- a system like this one, without an account gitlab-runner and without /opt/jacamar ---

layers=$box/layers
at_end() {
	cd /
	umount -l /etc /opt /home /usr/bin /var "$layers" 2>/dev/null
}
mkdir "$layers" && mount -t tmpfs layers "$layers" && chmod 755 "$layers" || exit 1
for directory in /etc /opt /home /usr/bin /var; do
	mkdir -p "$layers$directory/upper" "$layers$directory/work" "$directory"
	chmod 755 "$layers$directory/upper"
	mount -t overlay -o "lowerdir=$directory,upperdir=$layers$directory/upper,workdir=$layers$directory/work" \
		layers "$directory" || skip_all 'needs overlayfs'
done
rm -rf /opt/jacamar /home/gitlab-runner
for account in gitlab-runner usr; do
	userdel "$account" 2>/dev/null
	groupdel "$account" 2>/dev/null
done

# As the packages make it. Tests that run beside this one do not see these accounts, but would see
# their processes: no uid may be one that theirs could get, too.
runner=gitlab-runner usr=usr two=two prefix=/opt/jacamar
useradd -r -m -U -s /bin/bash -K SYS_UID_MIN=30000 -K SYS_UID_MAX=30999 "$runner" || exit 1
add_account "$usr" -K UID_MIN=31000 -K UID_MAX=31999
add_account "$two" -K UID_MIN=31000 -K UID_MAX=31999
ln -s /home/gitlab-runner "$box/home/$runner"
chmod 755 /home/gitlab-runner
etc=/home/gitlab-runner/.gitlab-runner
install -d -m 700 -o "$runner" /home/gitlab-runner/work

# register leaves what the real one leaves, as far as it is of interest; run plays each job that
# it finds, with the log beside it.
cat >/usr/bin/gitlab-runner <<RUNNER
#!/bin/sh
case \$1 in
register)
	mkdir -p ~/.gitlab-runner
	printf '[[runners]]\n  token = "short"\n  executor = "%s"\n' "\$3" >~/.gitlab-runner/config.toml ;;
run)
	cd ~/work && id -u >service.uid && printf '%s\n' "\$@" >service.arguments
	while [ "\$1" != --config ]; do shift; done
	rm -f jobs log && mkfifo jobs
	while read -r job; do
		$build_for_all/t/runner --retry-delay 10 --result result.json "\$2" "\$job" >log 2>&1
		echo \$? >code.new && mv code.new code
	done <>jobs ;;
esac
RUNNER
# What it does not know fails. The unit is read as far as the service's account and command.
cat >/usr/bin/systemctl <<'SYSTEMCTL'
#!/bin/sh
unit=/etc/systemd/system/gitlab-runner.service
state=/etc/systemd/system/stand-in
# What the next one makes is not to be taken for that of the last.
stop() {
	[ ! -s "$state.pid" ] || kill -- "-$(cat "$state.pid")" 2>/dev/null
	rm -f "$state.pid" /home/gitlab-runner/work/jobs
}
case "$*" in
'daemon-reload') cat "$unit" "$unit.d"/*.conf >"$state" 2>/dev/null; [ -s "$state" ] ;;
'disable gitlab-runner.service') rm -f "$state.enabled" ;;
'stop gitlab-runner.service') stop ;;
'enable gitlab-runner.service') touch "$state.enabled" ;;
'restart gitlab-runner.service')
	stop
	last() { sed -e ':more; /\\$/ {N; s/\\\n//; b more}' "$state" | sed -n "s/^$1=//p" | tail -n 1; }
	eval "set -- $(last ExecStart)"
	setsid setpriv --reuid "$(last User)" --regid "$(last Group)" --init-groups \
		env -i HOME="$(getent passwd "$(last User)" | cut -d: -f6)" PATH="$PATH" "$@" \
		</dev/null >/dev/null 2>&1 &
	echo $! >"$state.pid" ;;
'status gitlab-runner.service')
	[ -e "$state.enabled" ] && kill -0 "$(cat "$state.pid")" && echo 'Active: active (running)' ;;
*) exit 1 ;;
esac
SYSTEMCTL
chmod 755 /usr/bin/gitlab-runner /usr/bin/systemctl

# follow SECTION: runs its commands, each as who is to run it, in the sources and in the service
# account's home at first; what the page shows of their output must be what they say.
follow() {
	page_commands "$1" >"$box/commands"
	[ -s "$box/commands" ] || { echo "no command in $1"; return 1; }
	: >"$box/as-root"
	: >"$box/as-runner"
	local prompt command shell
	while read -r prompt command; do
		case $prompt in
		'#') shell=sh before=$box/as-root ;;
		*) shell="as $runner sh" before=$box/as-runner ;;
		esac
		echo "$prompt $command"
		{ [ "$prompt" = '#' ] && echo "cd '$top'" || echo 'cd'; cat "$before"; echo "$command"; } >"$box/now"
		chmod 644 "$box/now"
		$shell "$box/now" </dev/null >"$box/said" 2>&1 || { cat "$box/said"; return 1; }
		page_output "$command" >"$box/shown"
		[ ! -s "$box/shown" ] || [ "$command" = 'ps -aef --forest' ] ||
			diff "$box/shown" "$box/said" || return 1
		# A change of directory holds for those that follow.
		[ "${command#cd }" = "$command" ] || echo "$command" >>"$before"
	done <"$box/commands"
}

# write_file PATH OWNER: as the page has it.
write_file() {
	mkdir -p "${1%/*}"
	page_file "$1" | sed 's/<RUNNER-TOKEN>/short/' >"$box/file"
	[ -s "$box/file" ] && cp "$box/file" "$1" && chown "$2" "$1"
}

# --- the guide ---

# build_caps: the package of the guide; t8100-rpm.sh has `make rpm` build it, and the other, as they are
# shipped.
build_caps() {
	env -i PATH="$PATH" HOME="$box" make -s -C "$top" dist BUILD="$box/first" &&
		env -i PATH="$quick:$PATH" HOME="$box" rpmbuild -tb --with caps --nocheck --nodeps \
			--define "_topdir $box/first/rpm" "$box"/first/jacamar-ci-*.tar.gz
}
# Packages take a while: they are wanted at the end.
if [ -z "${SANITIZE:-}" ] && command -v rpmbuild >/dev/null; then
	prepare_quick_make
	build_caps >"$box/first.log" 2>&1 &
	building=$!
fi

export SANITIZE
# t8100-rpm.sh has the commands of the packages, t6065-audit-journal.sh those for a refused job. Those
# of SELinux need a host that has it.
check 'no section has commands that no test runs' '
	page_sections | diff - - <<-SECTIONS
	PACKAGES
	WITHOUT PACKAGES
	REGISTRATION
	CONFIGURATION
	SERVICE
	LIMITS OF THE SERVICE
	A FIRST JOB
	IF A JOB IS REFUSED
	HARDENING
	SELINUX
	REMOVING
	SECTIONS'
check 'the program is installed, with the capabilities, owner and mode that the page shows' '
	follow "WITHOUT PACKAGES"'
check 'everyone may call jacamar, and jacamar-auth the runner alone' '
	[ -z "$(getcap /opt/jacamar/bin/jacamar)" ] && as "$usr" /opt/jacamar/bin/jacamar --version &&
	! as "$usr" /opt/jacamar/bin/jacamar-auth --version'
check 'the runner is registered, and its token is for nobody else' '
	follow REGISTRATION && [ "$(stat -c "%a %U" $etc)" = "700 gitlab-runner" ] &&
	[ "$(stat -c "%a %U" $etc/config.toml)" = "600 gitlab-runner" ]'
check 'the configurations of the runner and of jacamar have no error' '
	write_file "$etc/config.toml" "$runner" && write_file "$etc/jacamar-config.toml" "$runner" &&
	follow CONFIGURATION && cat "$box/said" && grep "^downscope = \"setuid\" .*# line" "$box/said"'
check 'the service starts as that account' '
	write_file /etc/systemd/system/gitlab-runner.service root && follow SERVICE &&
	grep "active (running)" "$box/said" && wait_until "[ -p /home/gitlab-runner/work/jobs ]" &&
	[ "$(cat /home/gitlab-runner/work/service.uid)" = "$(id -u gitlab-runner)" ] &&
	[ "$(tail -n 1 /home/gitlab-runner/work/service.arguments)" = gitlab-runner ]'

# The server's keys are those that the account has kept, as if it had asked for them a moment ago.
install -d -m 700 -o "$runner" /home/gitlab-runner/.cache /home/gitlab-runner/.cache/jacamar-ci
cp "$build/t/site.jwk" "$box/key.jwk"
$sign jwks "$box/key.jwk" >"$box/keys.json"
install -m 600 -o "$runner" "$box/keys.json" \
	/home/gitlab-runner/.cache/jacamar-ci/https_3a_2f_2fgitlab.example.com.json

# hand_over: the job of the page, whose sleep ends when it is let go, to the service.
hand_over() {
	mkdir -p "$box/open"
	chmod 1777 "$box/open"
	rm -f "$box/open/up" "$box/open/down" /home/gitlab-runner/work/code
	mkfifo -m 666 "$box/open/up" "$box/open/down"
	page_file .gitlab-ci.yml | sed -n 's/^    - //p' | sed "s|^sleep 120\$|$hold|" | job
	timeout 60 sh -c 'echo "$1" >/home/gitlab-runner/work/jobs' - "$box/job.json"
	timeout 60 head -n 1 "$box/open/up" >/dev/null
}
release() {
	timeout 60 sh -c 'echo go >"$1"' - "$box/open/down"
	wait_until '[ -s /home/gitlab-runner/work/code ]'
	cp /home/gitlab-runner/work/log "$box/log"
	[ "$(cat /home/gitlab-runner/work/code)" = 0 ] || { cat "$box/log"; false; }
}
# What the page shows, but for the sleep, in its order; `...` stands for anything. Homes are in $box
# here, and t/runner has its own name for a script.
tree_as_shown() {
	follow 'A FIRST JOB' || return 1
	cat "$box/said"
	page_output 'ps -aef --forest' | sed -e '/sleep/d' -e 's/[.][.][.]/%/g; s/[.+]/[&]/g; s/%/.*/g' \
		-e 's/script\[[.]\] /script[.]* /' -e "s|/home/|$box/home/|" \
		-e 's/^\([^ ]*\)[ \\_]*/^\1 .* /' >"$box/shape"
	[ "$(wc -l <"$box/shape")" = 5 ] || { cat "$box/shape"; return 1; }
	local line found at=1
	while read -r line; do
		found=$(sed "1,${at}d" "$box/said" | grep -n -m 1 -e "$line" | cut -d: -f1)
		[ -n "$found" ] || { echo "not found: $line"; return 1; }
		at=$((at + found))
	done <"$box/shape"
}
check 'the processes of its first job are those that the page shows' '
	[ "$(page_file .gitlab-ci.yml | grep -c "^    - ")" = 3 ] && hand_over && tree_as_shown'
check 'the log of the first job shows the user, and no capability' '
	release && logged "uid=$(id -u usr)(usr)" && logged "Current: =" && ! grep "Current: =." "$box/log"'
check 'a job without memory leaves the service alone' '
	follow "LIMITS OF THE SERVICE" && grep -x "OOMPolicy=continue" /etc/systemd/system/stand-in'
check 'the hardened service runs the job as well' '
	follow HARDENING && grep "^CapabilityBoundingSet=" /etc/systemd/system/stand-in &&
	wait_until "[ -p /home/gitlab-runner/work/jobs ]" && hand_over && release'
check 'the files of the page are the samples' '
	for path in $etc/config.toml $etc/jacamar-config.toml /etc/systemd/system/gitlab-runner.service; do
		page_file "$path" | tr -d "\\\\\n" | tr -s " " >"$box/shown"
		sed "/^ *#/d" "$top/config/examples/${path##*/}" | sed "/./,\$!d" | tr -d "\n" | tr -s " " >"$box/sample"
		cmp "$box/shown" "$box/sample" || exit 1
	done'

check 'the removal leaves the configuration, and no program' '
	follow REMOVING && [ ! -e /opt/jacamar ] && [ -s "$etc/config.toml" ] && [ -s "$etc/jacamar-config.toml" ] &&
	[ ! -e /etc/systemd/system/stand-in.pid ]'

# --- the same from packages: the account, the files and the service stay as they are ---

# What is known to be installed is this system's own, too, wherever rpm keeps that.
rpm() { command rpm --dbpath "$layers/rpm" "$@"; }
# from_packages: the first command that the page has for them; the job shall be run by them alone.
from_packages() {
	wait "$building" || { tail -n 40 "$box/first.log"; return 1; }
	caps=$(find "$box/first/rpm/RPMS" -name 'jacamar-ci-caps-*.rpm')
	rpm -i "$(what_they_need "$caps")" && rm -rf /opt/jacamar && [ -n "$caps" ] &&
		cd "$(dirname "$caps")" && eval "$(page_commands PACKAGES | sed -n 's/^# \(rpm -i .*\)/\1/p')"
}
if [ -n "${building:-}" ]; then
	from_packages >"$box/packages" 2>&1
	installed_so=$?
	cd "$top" || exit 1
	check 'the package gives what the page shows, to the runner alone' '
		cat "$box/packages"; [ $installed_so -eq 0 ] &&
		[ "$(rpm -qf --qf "%{NAME}\n" /opt/jacamar/bin/jacamar-auth)" = jacamar-ci-caps ] &&
		page_commands "WITHOUT PACKAGES" | sed -n "s/^# //p" | grep -v ^make >"$box/seen" &&
		[ "$(wc -l <"$box/seen")" = 2 ] && while read -r command; do
			eval "$command" >"$box/said" && page_output "$command" | diff - "$box/said" || exit 1
		done <"$box/seen" && ! as "$usr" /opt/jacamar/bin/jacamar-auth --version'
	check 'a job runs with the installed package' '
		follow SERVICE && wait_until "[ -p /home/gitlab-runner/work/jobs ]" && hand_over &&
		pgrep -U "$usr" -f "^/opt/jacamar/bin/jacamar --no-auth run " && release &&
		logged "uid=$(id -u usr)(usr)" && rpm -V jacamar-ci-caps'
else
	skip 'the package gives what the page shows' 'needs rpmbuild, and no sanitizers'
	skip 'a job runs with the installed package' 'needs rpmbuild, and no sanitizers'
	follow 'WITHOUT PACKAGES' >"$box/again" 2>&1
fi

# --- beyond the page ---

echo 'exit 42' | job
check 'a failing script fails the job, with its own exit code' '
	play; [ $? -eq 1 ] && [ "$(jq ".calls[] | select(.substage == \"build_script\") |
		.build_exit_code" "$box/result.json")" = 42 ]'
echo 'trap "" TERM; sleep 600 & (setsid sleep 601 &); echo it is ready; sleep 602' | job
check 'a job that is cancelled leaves nothing of the user' '
	sed -i "s/^\\[auth\\]/  kill_timeout = \"4s\"\n&/" "$etc/jacamar-config.toml"
	play --cancel-on "is ready"; [ $? -eq 4 ] && no_process &&
	! find "$box/home/$usr/.jacamar-ci/scripts" -name "*.bash" | grep .'

# Each waits for the other's file: both run at once, or neither ends.
meet='touch "$box/met.$(id -un)"; for i in $(seq 600); do
	[ $(ls "$box" | grep -c ^met) = 2 ] && exit 0; sleep 0.1; done; exit 1'
chmod 1777 "$box"
check 'two jobs of two users run at once' '
	printf "export box=%s\n%s\n" "$box" "$(echo "$meet" | tr "\n" " ")" >"$box/script"
	(usr=$two && job "$(token job_id=7)" <"$box/script" && jq ".response.id = 7" "$box/job.json") \
		>"$box/two.json"
	chmod 644 "$box/two.json"
	as "$runner" sh -c "cd && $build_for_all/t/runner $etc/config.toml $box/two.json" >"$box/two" 2>&1 &
	job <"$box/script" && play && wait $! || { cat "$box/two"; false; }'

finish
