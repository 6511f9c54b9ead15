#!/bin/sh
# With static_builds_dir a project always builds in the same place, one job at a time; what no job
# has used for days is removed, and nothing else.
. "$(dirname "$0")/lib.sh"
install_site
say_why
home=$box/home/$usr
base=$home/.jacamar-ci
builds=$base/builds/short
own=$builds/project-20
install -d -m 700 -o "$runner" "$box/home/$runner/second"
allow() {
	write_config "data_dir = \"\$HOME\"
kill_timeout = \"${kill_timeout:-4s}\"
static_builds_dir = true
${1:-}"
}
allow
inside=$own/group/project

# job_of PROJECT JOB-ID: $box/job.json, whose build_script is read from standard input.
job_of() {
	local job_set="response.id:=$2 response.job_info.project_id:=$1"
	job "$(token project_id="$1" job_id="$2")"
}
# second_play [runner's options]: as play, for $box/second.json, with $box/second.log.
second_play() {
	as "$runner" sh -c 'cd ~/second && exec "$@"' - "$build_for_all/t/runner" --retry-delay 10 --timeout 90 \
		--kill-grace 20 --eof-timeout 30 --result result.json "$@" "$etc/config.toml" "$box/second.json" \
		>"$box/second.log" 2>&1
}
make_second() { mv "$box/job.json" "$box/second.json"; }
# age DAYS NAME...: as if no job had used these for so long.
age() {
	local days=$1
	shift
	for name; do
		as "$usr" touch -d "-$days days" "$builds/$name"
	done
}
old_project() {
	as "$usr" sh -c 'umask 077; mkdir -p "$1/group/project" && touch "$1/group/project/file"' - "$builds/$1"
	age "${2:-8}" "$1"
}
holder() { cut -d ' ' -f 1 "$own.job"; }
plays() { play "$@" || { cat "$box/log"; return 1; }; }

# Always the same place

printf '%s\n' 'echo "BUILT IN $(pwd -P)"' 'echo "BEFORE $(cat ../before)"' 'echo "$CI_JOB_ID" >../before' | job_of 20 981625
check 'a job builds in its project'"'"'s directory' '
	plays && logged "BUILT IN $inside" && [ "$(stat -c "%a %U" "$own")" = "700 $usr" ]'
for number in 0 1 7 999999; do
	check "a job of the number $number builds in its project's directory" '
		configure CUSTOM_ENV_CI_CONCURRENT_PROJECT_ID=$number &&
		[ "$(jq -r ".builds_dir, .builds_dir_is_shared" "$box/answer" | tr "\n" " ")" = "$own false " ]'
done
printf '%s\n' 'echo "BUILT IN $(pwd -P)"' 'echo "BEFORE $(cat ../before)"' | job_of 20 981626
check 'the next job finds what the one before left' 'plays && logged "BUILT IN $inside" && logged "BEFORE 981625"'
echo 'echo "BUILT IN $(pwd -P)"' | job_of 21 981627
check 'another project has another' 'plays && logged "BUILT IN $builds/project-21/group/project"'
check 'a job that is over leaves no lock file' '! find "$builds" -name "*.job" | grep .'
check 'scripts are where they always are, and removed' '
	[ -d "$base/scripts/short/000/group/project" ] && no_script_left'
job_extra="del(.response.job_info.project_id)"
echo : | job "$(token -project_id)"
job_extra=
check 'without the project'"'"'s id there is no such place' '
	configure; [ $? -eq 2 ] && logged "neither the id token nor the job response has the project"'
allow 'custom_build_dir = true'
job_extra=".response.variables += [{key: \"CUSTOM_CI_BUILDS_DIR\", value: \"$home/mine\"}]"
echo 'echo "BUILT IN $(pwd -P)"' | job_of 20 981628
job_extra=
check 'a place that the author asks for is not shared' '
	plays && logged "BUILT IN $home/mine/short/000/group/project" && ! find "$home/mine" -name "*.job" | grep .'
allow 'group_permissions = true'
rm -rf "$base"
echo : | job_of 20 981628
check 'group_permissions are for it, and not for the file beside it' '
	prepare_call && [ "$(stat -c "%a" "$own" "$own.job" | tr "\n" " ")" = "750 600 " ] && call_cleanup'
allow
rm -rf "$base"

# One at a time

printf '%s\n' "echo two >>~/order" | job_of 20 981630
make_second
printf '%s\n' "$hold" "echo one >>~/order" | job_of 20 981629
rm -f "$home/order"
check 'a second job of the project waits, says for which, and then runs' '
	hold_job && { second_play & second=$!; } && wait_until "grep -q \"waiting for job 981629 on .*, which builds in $own\" \"$box/second.log\"" &&
	[ "$(holder)" = 981629 ] && [ ! -e "$home/order" ] && let_go && wait $second &&
	[ "$(cat "$home/order" | tr "\n" " ")" = "one two " ] && [ "$(grep -c "waiting for" "$box/second.log")" = 1 ] ||
	{ cat "$box/log" "$box/second.log"; false; }'
printf '%s\n' 'echo "BUILT IN $(pwd -P)"' | job_of 21 981630
make_second
printf '%s\n' "$hold" "echo one >>~/order" | job_of 20 981629
check 'a job of another project does not wait' '
	hold_job && second_play; result=$?; let_go && [ $result -eq 0 ] && grep -qF "BUILT IN $builds/project-21" "$box/second.log" ||
	{ cat "$box/second.log"; false; }'
printf '%s\n' 'echo "it ran"' | job_of 20 981630
make_second
printf '%s\n' "$hold" | job_of 20 981629
# It ends by itself, long before it would be killed.
kill_timeout=90s
allow
check 'a waiting job can be cancelled, and leaves the other alone' '
	hold_job && second_play --cancel-on "waiting for job"; result=$?
	[ "$(holder)" = 981629 ] && let_go && [ $result -eq 4 ] && ! grep -q "it ran" "$box/second.log" && no_process ||
	{ cat "$box/log" "$box/second.log"; false; }'

kill_timeout=
allow

# The runner is gone, and nobody ever cleans up.
printf '%s\n' 'echo "FIRST RAN"' | job_of 20 981631
prepare_call
check 'a job whose runner is gone has its directory' '[ "$(holder)" = 981631 ]'
printf '%s\n' 'echo "it ran"' | job_of 20 981632
check 'a job whose runner is gone keeps its directory for a while' 'bounded_play --cancel-on "waiting for job 981631"; [ $? -eq 4 ] && ! grep -q "it ran" "$box/log"'
as "$usr" touch -d '-11 minutes' "$own.job"
check 'a job whose runner is gone loses its directory after ten minutes' 'plays && logged "it ran"'
check 'a job that has lost its directory fails, and says why' '
	call_with; [ $? -eq 2 ] && logged "the builds directory $own is no longer this job" &&
	logged "its lock file project-20.job was removed" && ! grep -q "FIRST RAN" "$box/log" && no_process'
as "$usr" sh -c 'umask 077; echo 981632 login2 4000 between >"$1"' - "$own.job"
check 'a job that has lost its directory does not run beside another' '
	call_with; [ $? -eq 2 ] && logged "it has passed to job 981632 on login2" && ! grep -q "FIRST RAN" "$box/log" &&
	cleanup_with && [ "$(holder)" = 981632 ]'
rm -rf "$base"

# What the job does to it

printf '%s\n' "rm -rf '$own'; mkdir -p '$inside'; cd '$inside'; echo again >file" | job_of 20 981633
check 'a job may remove the directory' 'plays && [ "$(cat "$inside/file")" = again ]'
for does in "rm '$own.job'" "rm '$own.job'; echo 7 >'$own.job'" "ln -sf ~/precious '$own.job'" "rm '$own.job'; mkfifo '$own.job'" \
	"rm '$own.job'; mkdir '$own.job'" "ln -f ~/precious '$own.job'"; do
	rm -rf "$base"
	as "$usr" sh -c 'echo precious >~/precious'
	job_extra='.scripts.after_script = ["echo AFTER"]'
	printf '%s\n' "$does" | job_of 20 981634
	job_extra=
	check "one that does $(echo "$does" | sed "s|$builds|.|g") harms itself alone" '
		bounded_play; ! grep -q "^AFTER" "$box/log" && [ "$(cat "$home/precious")" = precious ] && no_process ||
		{ cat "$box/log"; false; }'
done
target=$home/target
for name in project-20 project-20.job; do
	rm -rf "$base" "$target"
	as "$usr" sh -c 'umask 077; mkdir -p "$1" "$2"; chmod 755 "$2"; ln -s "$2" "$1/$3"' - "$builds" "$target" "$name"
	echo 'echo "it ran"' | job_of 20 981635
	check "the job is refused: a link in place of $name" '
		play; [ $? -eq 2 ] && ! grep -q "it ran" "$box/log" && [ -z "$(ls -A "$target")" ] && [ "$(stat -c %a "$target")" = 755 ]'
done
rm -rf "$base"

# Cleaning

echo : | job_of 20 981636
plays >/dev/null
old_project project-1
old_project project-2 6
old_project project-3 4000
as "$usr" mkdir "$builds/000" "$builds/project-x" "$builds/projects"
check 'cleanup removes what no job has used for a week, and says so' '
	plays && logged "removed builds that no job had used for 7 days, of projects: 2" && [ ! -e "$builds/project-1" ] &&
	! ls "$builds" | grep "job\$" && [ ! -e "$builds/project-3" ] && ! ls "$builds" | grep removed'
check 'cleanup removes no other builds' '[ -d "$builds/project-2/group" ] && [ -d "$own" ] && [ -d "$builds/000" ] &&
	[ -d "$builds/project-x" ] && [ -d "$builds/projects" ]'
check 'a second time there is nothing to do' 'plays && ! grep "removed builds" "$box/log"'
allow 'static_builds_days = 0'
old_project project-3 4000
check '0 is never' 'plays && [ -d "$builds/project-3" ]'
allow 'static_builds_days = 4001'
check 'the number of days is the site'"'"'s' 'plays && [ -d "$builds/project-3" ]'
write_config
check 'without static_builds_dir nothing is removed' 'plays && [ -d "$builds/project-3" ]'
allow 'static_builds_days = 3999'
check 'with static_builds_dir it is removed' 'plays && [ ! -e "$builds/project-3" ]'
allow

printf '%s\n' 'echo "it ran"' | job_of 21 981638
make_second
printf '%s\n' "$hold" "[ -d '$inside' ] && echo STILL" | job_of 20 981637
check 'what a job uses stays, however long the job runs' '
	hold_job && age 40 project-20 && second_play; result=$?; let_go && [ $result -eq 0 ] && logged STILL && [ -d "$own" ] &&
	! grep "removed builds" "$box/second.log"'
check 'the builds of a job that ran are as new as its end' '[ "$(($(date +%s) - $(stat -c %Y "$own")))" -lt 3600 ]'

# A place full of traps: nothing outside is touched, and the job does not fail.
outside=$home/outside
as "$usr" sh -c 'umask 022; mkdir "$1" && echo precious >"$1/file" && chmod 750 "$1"' - "$outside"
unharmed() { [ "$(cat "$outside/file")" = precious ] && [ "$(stat -c %a "$outside")" = 750 ]; }
old_project project-4
as "$usr" sh -c 'cd "$1" && ln -s "$2" link && ln -s "$2/file" file && ln -s / root && mkfifo fifo &&
	mkdir -p locked/inner && ln -s "$2" locked/inner/link && chmod 000 locked/inner && chmod 500 locked' - "$builds/project-4" "$outside"
age 8 project-4
old_project project-5
as "$usr" sh -c 'rm -r "$1" && ln -s "$2" "$1"' - "$builds/project-5" "$outside"
as "$usr" ln -s "$outside" "$builds/removed-7-8"
old_project project-6
mkdir "$builds/project-6/root" && touch "$builds/project-6/root/file"
age 8 project-6
old_project project-7
chown "$two" "$builds/project-7"
old_project project-8
as "$usr" ln -s "$outside/file" "$builds/project-8.job"
echo 'echo "it ran"' | job_of 20 981639
check 'a place full of traps does not fail the job' 'plays && logged "it ran" && [ "$(stage_exit cleanup)" = 0 ]'
check 'links go with what they are in, or stay' '[ ! -e "$builds/project-4" ] && [ -L "$builds/project-5" ] && [ -L "$builds/removed-7-8" ]'
check 'nothing that links lead to is touched' 'unharmed'
check 'what cannot be removed is told in one line, and out of the way' '
	[ "$(grep -c "cannot" "$box/log")" = 1 ] && [ ! -e "$builds/project-6" ] && [ -d "$builds/removed-6-981639/root" ]'
check 'a directory of another account stays' '[ "$(stat -c %U "$builds/project-7")" = "$two" ]'
check 'a directory whose lock file is a link stays' '[ -d "$builds/project-8" ]'
rm -rf "$builds"/removed-6-* "$builds"/project-[5-8]* "$builds"/removed-7-8
old_project project-9
as "$usr" sh -c 'mv "$1" "$2" && ln -s "$2" "$1"' - "$builds" "$home/moved"
check 'nothing is removed behind a link' '
	play; [ $? -eq 2 ] && [ -d "$home/moved/project-9" ] && logged "is a link, not a directory"'
rm -rf "$base" "$home/moved"

echo 'echo "it ran"' | job_of 20 981640
check 'cleanup without any directory succeeds, and makes none' '
	prepare_call && rm -rf "$base" && cleanup_with && [ ! -e "$base" ] && [ ! -s "$box/log" ] || { cat "$box/log"; false; }'

finish
