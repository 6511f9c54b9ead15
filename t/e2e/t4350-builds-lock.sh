#!/bin/sh
# Two jobs never build in the same directory at the same time, whichever hosts and runners they
# are of, also where a runner was killed and started again at once.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
need_root
unshare --uts true 2>/dev/null || skip_all 'no UTS namespaces here'
compile without
"$box/without" flock true 2>/dev/null || skip_all 'no filter of system calls here'
install_site
say_why
home=$box/home/$usr
base=$home/.jacamar-ci
builds=$base/builds/short
allow() {
	write_config "data_dir = \"\$HOME\"
kill_timeout = \"${kill_timeout:-3s}\"
${1:-}"
}
allow

# Managers: the same runner twice, on hosts of their own

# job_of JOB-ID [PROJECT]: $box/JOB-ID.json, whose build_script is read from standard input.
job_of() {
	local job_set="response.id:=$1 response.job_info.project_id:=${2:-20}"
	job "$(token job_id="$1" project_id="${2:-20}")"
	mv "$box/job.json" "$box/$1.json"
}
# manage HOST JOB-ID [runner's options]: as play, as a manager on that host, with $box/JOB-ID.log.
manage() {
	local host=$1 id=$2
	shift 2
	$wrapper unshare --uts sh -c 'hostname "$1" && shift && exec "$@"' - "$host" \
		setpriv --reuid "$runner" --regid "$(id -g "$runner")" --init-groups \
		env -i HOME="$box/home/$runner" PATH="$PATH" TMPDIR="$runner_files" \
		sh -c 'cd ~/work && exec "$@"' - "$build_for_all/t/runner" --retry-delay 10 --timeout 90 \
		--kill-grace 20 --eof-timeout 30 "$@" "$etc/config.toml" "$box/$id.json" >"$box/$id.log" 2>&1
}
wrapper=
manager_pid() { pgrep -U "$runner" -f "^[^ ]*/t/runner .*$box/$1.json\$"; }
# said JOB-ID TEXT: the job's log has this line part; shows the log where not.
said() {
	grep -qF -- "$2" "$box/$1.log" || { cat "$box/$1.log"; return 1; }
}
ready() { wait_until "[ -e $home/ready.$1 ]"; }
lock_files() { find "$home" "$box/open" -name '*.job' 2>/dev/null; }
no_lock_file() { ! lock_files | grep .; }
begin() {
	end_all
	rm -rf "$base" "$home"/ready.* "$home/go" "$home/order" "$box/open"
	mkdir -m 1777 "$box/open"
}

# What a checkout does, and a build that takes its time with it.
checkout='echo "$CI_JOB_ID" >checkout; touch ~/ready.$CI_JOB_ID'
until_go='until [ -e ~/go ]; do sleep 0.05; done; echo "BUILT $(cat checkout) IN $(pwd -P)"'

# both_at_once PLACE: two managers at once; each builds its own checkout, in PLACE/NNN.
both_at_once() {
	begin
	for id in 981625 981626; do
		printf '%s\n' "$checkout" "$until_go" | job_of $id
	done
	manage login1 981625 & one=$!
	manage login2 981626 & two_=$!
	ready 981625 && ready 981626
	lock_files >"$box/locks"
	touch "$home/go"
	wait $one && wait $two_ && [ "$(wc -l <"$box/locks")" = 2 ] &&
		said 981625 "BUILT 981625 IN $1/" && said 981626 "BUILT 981626 IN $1/" &&
		[ "$(cat "$box"/98162[56].log | sed -n "s|^BUILT .* IN $1/||p" | sort | tr '\n' ' ')" = \
			"000/group/project 001/group/project " ] && no_lock_file ||
		{ cat "$box"/98162[56].log "$box/locks"; return 1; }
}
check 'two managers with one home: each job builds its own checkout' 'both_at_once "$builds"'
check 'the one that got another directory says so' '
	[ "$(cat "$box"/98162[56].log | grep -cF "other jobs build in $builds/000: this one builds in $builds/001")" = 1 ]'
wrapper="$box/without flock"
check 'two managers build apart where the file system has no flock(2)' 'both_at_once "$builds"'
wrapper=
allow 'group_permissions = true
retain_logs = true'
check 'two managers build apart with group_permissions and retain_logs' '
	both_at_once "$builds" && [ "$(stat -c %a "$builds/001")" = 750 ]'
allow 'custom_build_dir = true'
job_extra=".response.variables += [{key: \"CUSTOM_CI_BUILDS_DIR\", value: \"$box/open/mine\"}]"
check 'two managers build apart where the author chose the place' 'both_at_once "$box/open/mine/short"'
job_extra=
allow

begin
printf '%s\n' "$checkout" "$until_go" | job_of 981627
printf '%s\n' 'echo "BUILT IN $(pwd -P)"' | job_of 981628 21
check 'a job of another project at the same time builds beside it' '
	manage login1 981627 & one=$!
	ready 981627 && manage login2 981628; result=$?
	stat -c %a "$builds/000-20.job" >"$box/mode"
	touch "$home/go"; wait $one && [ $result -eq 0 ] && said 981628 "BUILT IN $builds/000/group/project" &&
	[ "$(cat "$box/mode")" = 600 ] && no_lock_file'
check 'the next job alone has the first directory again' '
	printf "%s\n" "echo \"BUILT IN \$(pwd -P)\"" | job_of 981629; manage login2 981629 &&
	said 981629 "BUILT IN $builds/000/group/project" && ! grep "other jobs" "$box/981629.log" && no_lock_file'

# A runner that is killed and started again at once

dying='trap "" TERM; echo "$CI_JOB_ID" >checkout; touch ~/ready.$CI_JOB_ID
while :; do echo dying >>~/order; [ "$(cat checkout)" = $CI_JOB_ID ] || touch ~/spoilt; sleep 0.02; done'
# lose_runner [COMMANDS]: a job in whose midst its runner is killed.
lose_runner() {
	begin
	rm -f "$home/spoilt"
	printf '%s\n' "$dying" | tr '\n' ';' | sed 's/;$//' | sed 's/do;/do /' | job_of 981630
	printf '%s\n' 'echo new >>~/order' 'echo "$CI_JOB_ID" >checkout' 'echo "BUILT $(cat checkout) IN $(pwd -P)"' |
		job_of 981631
	manage login1 981630 &
	lost=$!
	ready 981630
	kill -KILL "$(manager_pid 981630)"
	wait $lost
}
check 'a runner that was killed and started at once: the dying job keeps its directory' '
	lose_runner; manage login1 981631 && said 981631 "BUILT 981631 IN $builds/001/group/project" &&
	wait_until job_is_over && [ ! -e "$home/spoilt" ] && [ "$(cat "$builds/000/group/project/checkout")" = 981630 ]'
check 'nobody ended that job: it holds its directory for a while' '
	[ "$(lock_files)" = "$builds/000-20.job" ] && [ "$(cut -d " " -f 1,2 "$builds/000-20.job")" = "981630 login1" ] &&
	printf "%s\n" "echo \"BUILT IN \$(pwd -P)\"" | job_of 981632 && manage login1 981632 &&
	said 981632 "BUILT IN $builds/001/group/project"'
as "$usr" touch -d '-11 minutes' "$builds/000-20.job"
check 'a job that nobody ended loses its directory after ten minutes' 'manage login1 981632 && said 981632 "BUILT IN $builds/000/group/project" && no_lock_file'

allow 'static_builds_dir = true'
waited='waiting for job 981630 on login1, which builds in'
check 'where a project has one directory, the next job waits until the dying one is gone' '
	lose_runner; manage login1 981631 && said 981631 "BUILT 981631 IN $builds/project-20/group/project" &&
	[ "$(grep -c "$waited" "$box/981631.log")" = 1 ] && [ ! -e "$home/spoilt" ] &&
	! sed -n "/^new/,\$p" "$home/order" | grep dying && no_lock_file ||
	{ cat "$box/981631.log"; false; }'
check 'the next job waits where all of the one before was killed at once' '
	begin; printf "%s\n" "touch ~/ready.\$CI_JOB_ID; sleep 600" | job_of 981630
	echo "echo new" | job_of 981631
	manage login1 981630 & lost=$!
	ready 981630; pids="$(manager_pid 981630) $(auth_pid) $(user_side_pid)"
	kill -STOP $pids; kill -KILL $pids; end_all; wait $lost
	manage login1 981631 && said 981631 "$waited" && no_lock_file || { cat "$box/981631.log"; false; }'
allow

# What the user's side may answer

begin
as "$usr" sh -c 'umask 077; mkdir -p "$1"; i=0; while [ $i -lt 100 ]; do
	echo "7 login9 1 between" >"$1/$(printf %03d $i)-20.job"; i=$((i + 1)); done' - "$builds"
echo 'echo "it ran"' | job_of 981633
check 'a hundred jobs at once are the most' '
	manage login1 981633; [ $? -eq 2 ] && said 981633 "other jobs have $builds/000 and the 99 directories after it" &&
	! grep "^it ran" "$box/981633.log" && [ "$(lock_files | wc -l)" = 100 ]'
begin

# A jacamar that answers config with $fake/answer, as a user who controls their side can. It is a
# place of root's below /, as /tmp itself is everybody's.
fake=$prefix/fake
install -d -m 755 "$fake"
cat >"$fake/jacamar" <<SCRIPT
#!/bin/bash
[ "\$2" = config ] || exec "$prefix/bin/jacamar" "\$@"
head -n 1 >/dev/null
printf '\1\0\0\0\0\0\0\0' >&0
cat "$fake/answer"
SCRIPT
chmod 755 "$fake/jacamar"
cp "$box/981633.json" "$box/job.json"
write_config "" "downscope = \"$downscope\"
jacamar_path = \"$fake/jacamar\""
[ "$flavour" != sudo ] || write_sudoers "$runner ALL = ($usr) NOPASSWD: $fake/jacamar"
for answer in '' 100 -1 1e1 0x1 ' 1' '1 ' 999999999999999999999 00000000000000000001 ../../x '5/../..' "$(printf '\033[2J')"; do
	printf '%s\n' "$answer" >"$fake/answer"
	check "refused from the user's side: '$(printf %s "$answer" | tr -c '[:print:]' '?')'" '
		configure; [ $? -eq 2 ] && logged "jacamar as the user did not name a builds directory" && [ ! -s "$box/answer" ] &&
		! grep -P "\033" "$box/log"'
done
for answer in 0 42 99; do
	echo $answer >"$fake/answer"
	check "taken from it: $answer" '
		configure && [ "$(jq -r .builds_dir "$box/answer")" = "$builds/$(printf %03d $answer)" ]'
done

finish
