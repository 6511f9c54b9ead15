#!/bin/sh
# Where static_builds_days is set, cleanup removes the builds of projects that have had no job for so
# long, from the numbered directories as well: nothing that is in use, and nothing behind a link.
# Flavours: caps sudo none
. "$(dirname "$0")/lib.sh"
install_site
say_why
home=$box/home/$usr
base=$home/.jacamar-ci
builds=$base/builds/short
install -d -m 700 -o "$runner" "$box/home/$runner/second"
allow() {
	write_config "data_dir = \"\$HOME\"
kill_timeout = \"4s\"
${1-static_builds_days = 7}"
}
# job_of PROJECT-ID JOB-ID: $box/job.json of the project group/pPROJECT-ID; its build_script is read from
# standard input.
job_of() {
	local job_set="response.id:=$2 response.job_info.project_id:=$1
		response.job_info.project_full_path=group/p$1 response.job_info.project_name=p$1
		response.git_info.repo_url=https://gitlab-ci-token:x@gitlab.example.com/${prefix_of_url:-}group/p$1.git"
	job "$(token project_id="$1" project_path="group/p$1" job_id="$2")"
}
plays() { play "$@" || { cat "$box/log"; return 1; }; }
# has_built PROJECT-ID...: each of these projects has had a job, just now.
has_built() {
	for project; do
		printf '%s\n' "date >file" "mkdir -p '$builds/000/group/p$project.tmp'" | job_of "$project" "98$project" && plays || return 1
	done
}
# age DAYS PROJECT-ID...: as if they had had none for so long.
age() {
	local days=$1
	shift
	for project; do
		as "$usr" touch -h -d "-$days days" "$builds/000-$project.used"
	done
}
# cleans: a job of project 30 cleans up.
cleans() { echo 'echo "it ran"' | job_of 30 98163 && plays && logged 'it ran' && [ "$(stage_exit cleanup)" = 0 ]; }
is_there() { [ -f "$builds/000/group/p$1/file" ]; }
removed() { logged "removed builds that no job had used for 7 days, of projects: $1"; }
fresh() {
	rm -rf "$base" "$home/outside"
	as "$usr" sh -c 'umask 022; mkdir "$1" && echo precious >"$1/file"' - "$home/outside"
}
unharmed() { [ "$(cat "$home/outside/file")" = precious ]; }

allow ''
check 'without the key no build is removed, and none is marked' '
	has_built 21 && ! ls "$builds" | grep used && [ -d "$builds/000/group/p21" ] &&
	as "$usr" sh -c "echo group/p21 >$builds/000-21.used" && age 4000 21 && cleans && is_there 21 && ! logged "removed builds"'
allow 'static_builds_days = 0'
check '0 is never' 'cleans && is_there 21 && [ -e "$builds/000-21.used" ]'
allow
fresh
check 'builds of projects that have had no job for a week are removed, and the log says how many' '
	has_built 21 22 23 && age 8 21 && age 6 22 && age 4000 23 && cleans && removed 2 && ! is_there 21 && is_there 22 && ! is_there 23'
check 'the directory of the runner next to such a project goes with it' '
	ls "$builds/000/group" && [ ! -e "$builds/000/group/p21.tmp" ] && [ -d "$builds/000/group/p22.tmp" ]'
check 'nothing else is left of them' '! ls "$builds" | grep -e "-2[13]\." -e removed -e "job\$" -e new'
check 'a second time there is nothing to do' 'cleans && ! logged "removed builds"'
check 'a project whose builds were removed builds anew' 'has_built 21 && is_there 21'
check 'what was there without a job stays' '
	as "$usr" mkdir -p "$builds/000/group/unknown" "$builds/007/group/p21" && as "$usr" touch -d "-4000 days" "$builds/000/group/unknown" &&
	age 8 21 && cleans && removed 1 && [ -d "$builds/000/group/unknown" ] && [ -d "$builds/007/group/p21" ]'
prefix_of_url=gitlab/
check 'the builds of a server below a path are removed, too' '
	printf "%s\n" "date >file" pwd | job_of 24 9824 && plays && logged "$builds/000/gitlab/group/p24" && age 8 24 && cleans && removed 1 &&
	[ ! -e "$builds/000/gitlab/group/p24" ]'
prefix_of_url=
allow 'static_builds_days = 7
static_builds_dir = true'
check 'with static_builds_dir what numbered directories had before is removed likewise' '
	fresh; allow; has_built 21; age 8 21; allow "static_builds_days = 7
static_builds_dir = true"; cleans && removed 1 && ! is_there 21 && ! ls "$builds" | grep used'
allow 'static_builds_days = 7
custom_build_dir = true'
fresh
check 'builds in a directory that the author chose are not marked, and stay' '
	printf "%s\n" "date >file" | job_of 25 9825 &&
	jq --arg dir "$home/mine" ".response.variables += [{key: \"CUSTOM_CI_BUILDS_DIR\", value: \$dir}]" "$box/job.json" >"$box/job.new" &&
	mv "$box/job.new" "$box/job.json" && chmod 644 "$box/job.json" && plays && [ -f "$home/mine/short/000/group/p25/file" ] &&
	! find "$home/mine" "$base" -name "*.used" | grep .'
rm -rf "$home/mine"
allow

# In use

second_play() {
	as "$runner" sh -c 'cd ~/second && exec "$@"' - "$build_for_all/t/runner" --retry-delay 10 --timeout 90 \
		--kill-grace 20 --eof-timeout 30 --result result.json "$@" "$etc/config.toml" "$box/second.json" \
		>"$box/second.log" 2>&1
}
fresh
echo 'echo "it ran"' | job_of 30 98163
mv "$box/job.json" "$box/second.json"
printf '%s\n' 'date >file' "$hold" '[ -f file ] && echo STILL' | job_of 21 9821
check 'what a job uses stays, however long the job runs' '
	hold_job && age 40 21 && second_play; result=$?; let_go && [ $result -eq 0 ] && logged STILL && is_there 21 &&
	! grep "removed builds" "$box/second.log"'
check 'the builds of a job that ran are as new as its end' '
	[ "$(($(date +%s) - $(stat -c %Y "$builds/000-21.used")))" -lt 3600 ]'

if [ "$flavour" != none ]; then
	fresh
	has_built 21
	age 40 21
	chown -R "$two" "$builds/000/group/p21"
	check 'builds of another account stay' 'cleans && [ -d "$builds/000/group/p21" ]'
	chown -R "$usr" "$builds/000/group/p21"
fi

# Traps, which are the doing of the user: nothing outside is touched, and no job fails. The user's side
# meets them all, by the same code in each flavour.
[ "$flavour" = caps ] || finish

# trapped 'TITLE' 'COMMANDS as the user': an old project whose directories or mark are changed.
trapped() {
	fresh
	has_built 21 >/dev/null
	as "$usr" sh -c "cd '$builds' && $2"
	age 40 21
	check "$1" 'cleans && unharmed'
}
trapped 'a link in place of the number is not followed' 'mkdir ../x && cp -r 000 ../x/001 && ln -s ../x/001 001 &&
	echo group/p21 >001-21.used && touch -d "-40 days" 001-21.used'
check 'what the link leads to stays' '[ -f "$base/builds/x/001/group/p21/file" ] && ! is_there 21'
trapped 'a link in place of the group is not followed' 'mv 000/group ~/outside/group && ln -s ~/outside/group 000/group'
check 'what that link leads to stays' '[ -f "$home/outside/group/p21/file" ]'
trapped 'a link in place of the project is not followed' 'rm -r 000/group/p21 && ln -s ~/outside 000/group/p21'
trapped 'links in the project are not followed' 'ln -s ~/outside 000/group/p21/link && ln -s ~/outside/file 000/group/p21/f'
check 'they are removed with it' '[ ! -e "$builds/000/group/p21" ]'
for path in ../../../../outside /outside "$home/outside" group/../../../../../outside .. . '' group/ '*'; do
	trapped "a mark with the path '$path' removes nothing outside" "printf '%s' '$path' >000-21.used"
done
trapped 'a mark that is a link is not read' 'echo group/p21 >~/outside/mark; ln -sf ~/outside/mark 000-21.used'
check 'its project stays' 'is_there 21 && [ -e "$home/outside/mark" ]'
trapped 'a mark that is a FIFO is not waited for' 'rm 000-21.used; mkfifo 000-21.used'
trapped 'a mark that is a directory is no mark' 'rm 000-21.used; mkdir 000-21.used'
for name in x-21.used 000.used 000-21-3.used 000-x.used -21.used 123456789012345678901-1.used; do
	trapped "a file that is named $name is no mark" "echo group/p21 >./$name; touch -d '-40 days' ./$name; ln -sf nowhere 000-21.used"
	check "the file $name and its project stay" '[ -e "$builds/$name" ] && is_there 21'
done
# does COMMANDS: a job puts something in place of its mark; what its own user has is unharmed.
for does in 'ln -sf ~/outside/file "$mark"' 'ln -f ~/outside/file "$mark"' 'ln -sf ~/outside/file "$mark.new"' \
	'rm -f "$mark"; mkfifo "$mark"' 'rm -f "$mark"; mkdir "$mark"' 'mkdir "$mark.new"'; do
	fresh
	printf '%s\n' "mark='$builds/000-21.used'" "$does" | job_of 21 9821
	check "a job that does $does writes to no other file" 'plays && unharmed'
done

finish
