#!/bin/sh
# The samples for administrators: the runner's service, its configuration and ours, each as the
# guide has it and hardened.
. "$(dirname "$0")/lib.sh"
install_site
samples=$top/config/examples

# --- the service ---

mkdir -p "$box/units/gitlab-runner.service.d"
printf '#!/bin/sh\n' >"$box/gitlab-runner"
chmod 755 "$box/gitlab-runner"
sed "s|/usr/bin/gitlab-runner|$box/gitlab-runner|" "$samples/gitlab-runner.service" \
	>"$box/units/gitlab-runner.service"

# verified: systemd reads the unit, and finds nothing to say about it.
verified() {
	systemd-analyze verify --man=no "$box/units/gitlab-runner.service" >"$box/verified" 2>&1 &&
		[ ! -s "$box/verified" ] || { cat "$box/verified"; false; }
}
if command -v systemd-analyze >/dev/null; then
	check 'systemd accepts the unit' verified
	check 'systemd accepts the drop-in that keeps jobs from harming each other' '
		sed "s/^#Log/Log/" "$samples/gitlab-runner-jobs.conf" \
			>"$box/units/gitlab-runner.service.d/gitlab-runner-jobs.conf" && verified'
	check 'systemd accepts the drop-in that hardens the service' '
		cp "$samples/gitlab-runner-hardened.conf" "$box/units/gitlab-runner.service.d/" && verified'
	check 'systemd reports a setting that it does not know' '
		echo Hardened=yes >>"$box/units/gitlab-runner.service.d/gitlab-runner-hardened.conf"
		! verified'
else
	skip 'systemd accepts the unit' 'needs systemd-analyze'
	skip 'systemd accepts the drop-in that keeps jobs from harming each other' 'needs systemd-analyze'
	skip 'systemd accepts the drop-in that hardens the service' 'needs systemd-analyze'
	skip 'systemd reports a setting that it does not know' 'needs systemd-analyze'
fi

for name in gitlab-runner-jobs gitlab-runner-hardened; do
	check "$name.conf says under which name the guide puts it" '
		grep -F "/etc/systemd/system/gitlab-runner.service.d/$name.conf" "$samples/$name.conf" &&
		grep -F "cp $name.conf /etc/systemd/system/gitlab-runner.service.d/" \
			"$top/man/jacamar-deploy.7"'
done
check 'a job without memory ends alone in both' '
	grep -x "OOMPolicy=continue" "$samples/gitlab-runner-jobs.conf" "$samples/gitlab-runner-hardened.conf" | wc -l |
		grep -x 2'
# set_to SETTING: its value in the hardened service.
set_to() { sed -n "s/^$1=//p" "$samples/gitlab-runner-hardened.conf"; }
check 'the unit sets nothing that disables file capabilities' '
	sed -n "/^# Left out/,\$p" "$samples/gitlab-runner-hardened.conf" | grep -o "[A-Z][A-Za-z]*=" \
		>"$box/left-out" && [ "$(wc -l <"$box/left-out")" -gt 20 ] &&
	! grep "^[A-Z]" "$samples/gitlab-runner-hardened.conf" |
		grep -v "^ProtectSystem=full$" | grep -F -f "$box/left-out"'

# --- the configurations, in that service as far as it is not systemd alone that makes it ---

# Members of the group are $usr and nobody else.
club=jtg$$
at_end() { groupdel "$club" 2>/dev/null; }
groupadd "$club" && usermod -aG "$club" "$usr" || exit 1
# The server's keys are those that the account has kept, as if it had asked for them a moment ago.
install -d -m 700 -o "$runner" "$box/home/$runner/.cache" "$box/home/$runner/.cache/jacamar-ci"
install -m 600 -o "$runner" "$box/keys.json" \
	"$box/home/$runner/.cache/jacamar-ci/https_3a_2f_2fgitlab.example.com.json"
for file in config jacamar-config; do
	sed -e "s|/opt/jacamar/|$prefix/|" -e "s|/home/gitlab-runner/|$box/home/$runner/|" \
		-e "s|<RUNNER-TOKEN>|short|" -e "s|\"ci-users\"|\"$club\"|" \
		-e "s|= \"syslog\"|= \"$box/home/$runner/audit.log\"|" \
		"$samples/$file-hardened.toml" >"$etc/$file.toml"
	chown "$runner" "$etc/$file.toml"
	chmod 600 "$etc/$file.toml"
done
say_why

# hardened_play: play, with the bounding set, the umask and the limits of the hardened service.
bounding=-all,$(set_to CapabilityBoundingSet | tr A-Z a-z | sed 's| |,|g; s|cap_|+|g')
hardened_play() {
	(cd "$box/home/$runner/work" && umask "$(set_to UMask)" &&
		setpriv --bounding-set "$bounding" --reuid "$runner" --regid "$runner" --init-groups \
			prlimit --core="$(set_to LimitCORE | sed s/infinity/unlimited/)" \
			env -i HOME="$box/home/$runner" PATH="$PATH" "$build_for_all/t/runner" \
			--retry-delay 10 --eof-timeout 60 --result result.json \
			"$etc/config.toml" "$box/job.json") >"$box/log" 2>&1
}
good='aud=https://gitlab.example.com'

check 'the configuration has no error' '
	as "$runner" "$prefix/bin/jacamar-auth" config --check "$etc/jacamar-config.toml"'
check 'so has that with the rules that it shows as comments' '
	sed "/^# \[\[auth.rule/,/^$/s/^# //" "$etc/jacamar-config.toml" >"$etc/rules.toml" && chown "$runner" "$etc/rules.toml" &&
	as "$runner" "$prefix/bin/jacamar-auth" config --check "$etc/rules.toml" >"$box/shown" && grep -c "^\[\[auth.rule" "$box/shown" | grep -x 3'
printf '%s\n' id umask 'grep Cap /proc/self/status' 'grep NoNewPrivs /proc/self/status' \
	'ulimit -c' >"$box/script"
check 'a job runs as its user there' '
	job "$(token "$good")" <"$box/script"
	hardened_play && logged "uid=$(id -u "$usr")($usr)" && logged "$club" ||
		{ cat "$box/log"; false; }'
check 'the job cannot gain privileges' '
	grep -P "^0022$" "$box/log" && grep -P "^CapPrm:\t0000000000000000$" "$box/log" &&
	grep -P "^CapBnd:\t00000000000000c0$" "$box/log" && grep -P "^NoNewPrivs:\t1$" "$box/log" &&
	grep -P "^0$" "$box/log" || { cat "$box/log"; false; }'

# closed REASON: the job in $box/job.json is refused for it.
closed() {
	hardened_play
	[ $? -eq 1 ] && logged "$1" && nothing_left
}
check 'an account that is not in the group is refused' '
	job "$(token "$good" user_login="$two")" </dev/null && closed "$two is not in auth.user_allowlist"'
check 'a token for another service, from another variable or of a merge request is refused' '
	job "$(token aud=https://other.example.com)" </dev/null && closed "not for the audience" &&
	job "$(token "$good" pipeline_source=merge_request_event)" </dev/null &&
	closed "source '\''merge_request_event'\''" &&
	job_extra=".response.variables[0].key = \"CI_JOB_JWT\"" job "$(token "$good")" </dev/null &&
	closed "has no id token"'
check 'the audit log has a record of each of these' '
	for decision in allowed refused; do
		jq -es "map(select(.stage == \"config\" and .decision == \"$decision\")) | length > 0" \
			"$box/home/$runner/audit.log" || exit 1
	done'

# --- all of them ---

check 'the hardened samples have all settings of the samples of the guide' '
	for file in config jacamar-config; do
		sed "s/#.*//; s/^ *//; /^\\[session_server\\]/d; /^session_timeout/d; /^$/d" "$samples/$file.toml" >"$box/said"
		sed "s/^ *//" "$samples/$file-hardened.toml" >"$box/hardened"
		[ -s "$box/said" ] && ! grep -vxF -f "$box/hardened" "$box/said" || exit 1
	done'
check 'make install brings them all' '
	for file in "$samples"/*; do
		cmp "$file" "$prefix/share/doc/jacamar-ci/${file##*/}" || exit 1
	done'

# --- what is read first ---

readme=$top/README
check 'README has less than 120 lines' '[ "$(wc -l <"$readme")" -lt 120 ]'
check 'each make that it names is one' '
	sed -n "s/^    \(make [a-z-]*\).*/\1/p" "$readme" >"$box/makes"
	tr "\n" " " <"$readme" | grep -o "\`make [a-z-]*" | tr -d "\`" >>"$box/makes"
	[ "$(sort -u "$box/makes" | tee /dev/stderr | wc -l)" -ge 6 ] && while read -r command; do
		env -u MAKEFLAGS $command -n -C "$top" >/dev/null || exit 1
	done <"$box/makes"'
check 'the line for an installation sets the capabilities' '
	sed -n "s/^    \(make install-caps .*\)/\1/p" "$readme" | sed "s/=gitlab-runner$/=$runner/" >"$box/line"
	[ "$(wc -l <"$box/line")" = 1 ] && rm "$prefix/bin/jacamar-auth" && cd "$top" &&
	$(cat "$box/line") PREFIX="$prefix" DESTDIR= ${SANITIZE:+SANITIZE=$SANITIZE} &&
	getcap "$prefix/bin/jacamar-auth" | grep "cap_setgid,cap_setuid=ep$"'
check 'the sample configuration has no error, and is for jacamar-auth' '
	sed -n "/^    \[general\]/,/^[^ ]/s/^    //p" "$readme" >"$box/readme.toml" &&
	chmod 644 "$box/readme.toml" && [ "$(wc -l <"$box/readme.toml")" -ge 5 ] &&
	as "$runner" "$prefix/bin/jacamar-auth" config --check "$box/readme.toml"'
check 'each file that it names is there' '
	grep -o "config/examples/[a-z.-]*[a-z]" "$readme" | sort -u | tee "$box/files" | grep . &&
	while read -r file; do [ -e "$top/$file" ] || exit 1; done <"$box/files"'
check 'README names CONTRIBUTING, NEWS and t/README, and each is there' '
	for file in CONTRIBUTING NEWS t/README; do
		grep -w "$file" "$readme" && [ -s "$top/$file" ] || exit 1
	done'
check 'CONTRIBUTING has less than 80 lines' '[ "$(wc -l <"$top/CONTRIBUTING")" -lt 80 ]'
check 'NEWS begins with this version' '
	version=$(sed -n "s/.*JACAMAR_VERSION \"\(.*\)\"/\1/p" "$top/core/lib/version.h")
	[ -n "$version" ] && [ "$(grep -m 1 "^## " "$top/NEWS")" = "## $version" ]'
# What people do not call: a part of the two ways to install, and the tests one by one.
check 'make help lists each target that people call, and nothing else' '
	sed -n "s/^\.PHONY: //p" "$top/Makefile" | tr " " "\n" | grep -vx -e help -e install-common \
		-e ".(E2E_NAMES)" | sort >"$box/targets"
	env -u MAKEFLAGS make -s -C "$top" help | sed -n "s/^make \([^ ]*\).*/\1/p" >"$box/help"
	grep -x t/e2e/tNNNN-name "$box/help" && [ "$(wc -l <"$box/targets")" -ge 15 ] &&
		grep -vx t/e2e/tNNNN-name "$box/help" | sort | diff "$box/targets" -'
check 'make runs one end-to-end test by its name, with and without its ending' '
	for name in t/e2e/t1000-job t/e2e/t1000-job.sh; do
		env -u MAKEFLAGS make -s -n -C "$top" "$name" OPTIONS=-i |
			grep "sh t/e2e/t1000-job\.sh -i$" || exit 1
	done'
check 'each target and each file that CONTRIBUTING and t/README name is there' '
	cd "$top" && grep -ho "\(\`\|^    \)make [a-z][a-z0-9/-]*" CONTRIBUTING t/README | sed "s/.*make //" |
		sort -u >"$box/makes" && [ "$(wc -l <"$box/makes")" -ge 10 ] && while read -r target; do
		env -u MAKEFLAGS make -n "$target" >"$box/made" 2>&1 || { cat "$box/made"; exit 1; }
	done <"$box/makes" && grep -ho "\b\(applets\|config\|core\|man\|t\)/[a-z0-9_/.-]*\.\(c\|h\|sh\|py\|5\)\b" \
		CONTRIBUTING t/README | sort -u >"$box/files" && [ "$(wc -l <"$box/files")" -ge 15 ] &&
	while read -r file; do [ -e "$file" ] || { echo "$file is not there"; exit 1; }; done <"$box/files"'
# The options of the library, on a script of three checks of which the second fails.
mkdir -p "$box/mini/t/e2e"
printf '%s\n' ". '$top/t/e2e/lib.sh'" "check one 'touch \"$box/first\"'" "check two false" "check three true" \
	finish >"$box/mini/t/e2e/t0000-mini.sh"
# mini RESULT 'LINES' [OPTION...]: how it ends, and what it prints.
mini() {
	local wanted=$1 lines=$2
	shift 2
	rm -f "$box/first"
	sh "$box/mini/t/e2e/t0000-mini.sh" "$@" >"$box/printed"
	[ $? -eq "$wanted" ] && [ "$(sed "s/ - .* # SKIP.*/ skip/; s/ - .*//" "$box/printed" | tr "\n" "|")" = "$lines" ] ||
		{ cat "$box/printed"; false; }
}
check 'a test runs on after a check that fails, and fails at its end' 'mini 1 "ok 1|not ok 2|ok 3|1..3|"'
check 'a test with -i stops at the first check that fails' 'mini 1 "ok 1|not ok 2|1..2|" -i'
check 'a test with --run runs the commands of these checks alone' '
	mini 0 "ok 1 skip|ok 2 skip|ok 3|1..3|" --run=3 && [ ! -e "$box/first" ] &&
	mini 1 "ok 1|not ok 2|ok 3 skip|1..3|" -v --run=1,2 && [ -e "$box/first" ]'
check 'a test with --run of a check that it does not have fails' '
	mini 1 "ok 1 skip|ok 2 skip|ok 3 skip|1..3|" --run=13 && mini 1 "" --run=x && mini 1 "" --all'
check 'SECURITY names a test for each invariant, and each test that it names is there' '
	for number in 1 2 3 4 5 6 7 8 9; do
		grep "^| I$number |.*\bt[0-9]\{4\}-" "$top/SECURITY" || exit 1
	done
	{ grep -o "\bt[0-9]\{4\}-[a-z-]*[a-z]" "$top/SECURITY" | sed "s|.*|t/e2e/&.sh|"
		grep -o "t/unit/[a-z_]*\.c" "$top/SECURITY"; } | sort -u >"$box/files"
	[ "$(wc -l <"$box/files")" -ge 20 ] && while read -r file; do
		[ -e "$top/$file" ] || { echo "$file is not there"; exit 1; }
	done <"$box/files"'

finish
