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
	check 'systemd has nothing to say against the unit' verified
	check 'nor against what hardens it' '
		cp "$samples/gitlab-runner-hardened.conf" "$box/units/gitlab-runner.service.d/" && verified'
	check 'it would say so: a setting that it does not know is seen' '
		echo Hardened=yes >>"$box/units/gitlab-runner.service.d/gitlab-runner-hardened.conf"
		! verified'
else
	skip 'systemd has nothing to say against the unit' 'needs systemd-analyze'
	skip 'nor against what hardens it' 'needs systemd-analyze'
	skip 'it would say so: a setting that it does not know is seen' 'needs systemd-analyze'
fi

check 'it says under which name the guide puts it' '
	grep -F "/etc/systemd/system/gitlab-runner.service.d/gitlab-runner-hardened.conf" \
		"$samples/gitlab-runner-hardened.conf" &&
	grep -F "cp gitlab-runner-hardened.conf /etc/systemd/system/gitlab-runner.service.d/" \
		"$top/man/jacamar-deploy.7"'
# set_to SETTING: its value in the hardened service.
set_to() { sed -n "s/^$1=//p" "$samples/gitlab-runner-hardened.conf"; }
check 'it sets nothing that makes file capabilities void, nor what it lists as such' '
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
printf '%s\n' id umask 'grep Cap /proc/self/status' 'grep NoNewPrivs /proc/self/status' \
	'ulimit -c' >"$box/script"
check 'a job runs as its user there' '
	job "$(token "$good")" <"$box/script"
	hardened_play && logged "uid=$(id -u "$usr")($usr)" && logged "$club" ||
		{ cat "$box/log"; false; }'
check 'with nothing to gain' '
	grep -P "^0022$" "$box/log" && grep -P "^CapPrm:\t0000000000000000$" "$box/log" &&
	grep -P "^CapBnd:\t00000000000000c0$" "$box/log" && grep -P "^NoNewPrivs:\t1$" "$box/log" &&
	grep -P "^0$" "$box/log" || { cat "$box/log"; false; }'

# closed REASON: the job in $box/job.json is refused for it.
closed() {
	hardened_play
	[ $? -eq 2 ] && logged "$1" && nothing_left
}
check 'who is not in the group is refused' '
	job "$(token "$good" user_login="$two")" </dev/null && closed "$two is in none of"'
check 'so is a token for another service, from another variable, of a merge request' '
	job "$(token aud=https://other.example.com)" </dev/null && closed "not for the audience" &&
	job "$(token "$good" pipeline_source=merge_request_event)" </dev/null &&
	closed "source '\''merge_request_event'\''" &&
	job_extra=".response.variables[0].key = \"CI_JOB_JWT\"" job "$(token "$good")" </dev/null &&
	closed "has no id token"'
check 'all of it is on record' '
	for decision in allowed refused; do
		jq -es "map(select(.stage == \"config\" and .decision == \"$decision\")) | length > 0" \
			"$box/home/$runner/audit.log" || exit 1
	done'

# --- all of them ---

check 'the hardened ones say all that those of the guide say' '
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
check 'its line for an installation gives the capabilities' '
	sed -n "s/^    \(make install-caps .*\)/\1/p" "$readme" | sed "s/=gitlab-runner$/=$runner/" >"$box/line"
	[ "$(wc -l <"$box/line")" = 1 ] && rm "$prefix/bin/jacamar-auth" && cd "$top" &&
	$(cat "$box/line") PREFIX="$prefix" DESTDIR= ${SANITIZE:+SANITIZE=$SANITIZE} &&
	getcap "$prefix/bin/jacamar-auth" | grep "cap_setgid,cap_setuid=ep$"'
check 'its configuration has no error, and is for jacamar-auth' '
	sed -n "/^    \[general\]/,/^[^ ]/s/^    //p" "$readme" >"$box/readme.toml" &&
	chmod 644 "$box/readme.toml" && [ "$(wc -l <"$box/readme.toml")" -ge 5 ] &&
	as "$runner" "$prefix/bin/jacamar-auth" config --check "$box/readme.toml"'
check 'each file that it names is there' '
	grep -o "config/examples/[a-z.-]*[a-z]" "$readme" | sort -u | tee "$box/files" | grep . &&
	while read -r file; do [ -e "$top/$file" ] || exit 1; done <"$box/files"'

finish
