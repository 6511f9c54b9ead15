#!/bin/sh
# The guide for administrators, to the letter: its account, its paths, its two files.
. "$(dirname "$0")/lib.sh"
need_root
[ ! -e /opt/jacamar ] || skip_all 'there is an installation in /opt/jacamar'
! getent passwd gitlab-runner >/dev/null || skip_all 'there is an account gitlab-runner'

runner=gitlab-runner usr=jtu$$ two=jtt$$ prefix=/opt/jacamar installed=/opt/jacamar
useradd -r -m -s /bin/bash "$runner" && accounts=$runner || exit 1
add_account "$usr"
add_account "$two"
home=$(getent passwd "$runner" | cut -d: -f6)
ln -s "$home" "$box/home/$runner"
chmod 755 "$home"
etc=$home/.gitlab-runner

check 'the program is installed with capabilities' '
	make -s -C "$top" install-caps DESTDIR= PREFIX=/opt/jacamar SERVICE_USER=gitlab-runner'
check 'getcap shows the two that the guide shows' '
	[ "$(getcap /opt/jacamar/bin/jacamar-auth)" = \
		"/opt/jacamar/bin/jacamar-auth cap_setgid,cap_setuid=ep" ]'
check 'jacamar-auth is for the runner alone, jacamar for everyone' '
	[ "$(stat -c "%A %U %G" /opt/jacamar/bin/jacamar-auth)" = "-rwxr-x--- root gitlab-runner" ] &&
	[ -z "$(getcap /opt/jacamar/bin/jacamar)" ] && as "$usr" /opt/jacamar/bin/jacamar --version &&
	! as "$usr" /opt/jacamar/bin/jacamar-auth --version'

# The two files of the guide, as they are but for the runner's token. The server's keys are those
# that the account has kept, as if it had asked for them a moment ago.
install -d -m 700 -o "$runner" "$etc" "$home/work" "$home/.cache" "$home/.cache/jacamar-ci"
install -m 600 -o "$runner" "$top/config/examples/jacamar-config.toml" "$etc/"
sed 's/<RUNNER-TOKEN>/short/' "$top/config/examples/config.toml" >"$etc/config.toml"
chown "$runner" "$etc/config.toml"
$sign key --alg RS256 --kid site >"$box/key.jwk"
$sign jwks "$box/key.jwk" >"$box/keys.json"
install -m 600 -o "$runner" "$box/keys.json" \
	"$home/.cache/jacamar-ci/https_3a_2f_2fgitlab.example.com.json"

printf 'id\n/sbin/capsh --print\n' | job
check 'a job succeeds as its user, without a capability' '
	play && logged "uid=$(id -u "$usr")($usr)" && logged "Current: =" && ! grep "Current: =." "$box/log"'
echo 'exit 42' | job
check 'a failing script fails the job, with its own exit code' '
	play; [ $? -eq 1 ] && [ "$(jq ".calls[] | select(.substage == \"build_script\") |
		.build_exit_code" "$box/result.json")" = 42 ]'
echo 'trap "" TERM; sleep 600 & (setsid sleep 601 &); sleep 602' | job
check 'a job that is cancelled leaves nothing of the user' '
	sed -i "s/^\\[auth\\]/  kill_timeout = \"4s\"\n&/" "$etc/jacamar-config.toml"
	play --cancel-after 2; [ $? -eq 4 ] && no_process &&
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
