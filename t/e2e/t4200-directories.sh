#!/bin/sh
# A job's directories are where the site says, private, made and removed as the user, never through
# a link, and never outside of their base.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
install_site
home=$box/home/$usr
base=$home/.jacamar-ci
open=$box/open
mkdir -m 1777 "$open"
mounted=
at_end() {
	[ -z "$mounted" ] || umount "$mounted"
	usermod -G '' "$two"
}
# What the group of $usr can write, $two can write, too.
usermod -a -G "$(id -gn "$usr")" "$two"

profile() {
	printf '%s\n' "$@" >"$home/.bash_profile"
	chown "$usr" "$home/.bash_profile"
}
clear_base() { rm -rf "$base"; }
works() { configure "$@" && [ -s "$box/answer" ] || { cat "$box/log"; return 1; }; }
# fails 'line part' [COMMAND...]: config refuses, and nothing ran.
fails() {
	local text="$1"
	shift
	configure "$@"
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && [ "$(wc -l <"$box/log")" -eq 1 ] && logged "$text" &&
		nothing_ran || { cat "$box/log"; return 1; }
}
answer() { jq -r "$1" "$box/answer"; }
# enough: ends a loop. The names of directories are checked before the account is changed, and the
# directories made after it, by the same code in each flavour: caps has all values, the others the first.
enough() { [ "$flavour" != caps ]; }

# Where the site says

printf '%s\n' 'pwd -P' 'stat -c "MODE %a %U" "$0"' 'echo "FILE $0"' | job
for data_dir in '$HOME' '~'; do
	write_config "data_dir = \"$data_dir\""
	check "data_dir $data_dir is .jacamar-ci in the user's home" '
		works && [ "$(answer .builds_dir)" = "$base/builds/short/000" ] && [ "$(answer .cache_dir)" = "$base/cache" ] &&
		[ "$(answer .builds_dir_is_shared)" = false ]'
	check "a job runs there" 'play && logged "$base/builds/short/000/group/project" || { cat "$box/log"; false; }'
	check "the script is for the user alone" '
		logged "MODE 600 $usr" && logged "FILE $base/scripts/short/000/group/project/981625/build_script.bash"'
	# What the job itself makes below builds is its own.
	check "all directories are private, and the user's own" '
		for directory in "$base" "$base/builds" "$base/builds/short" "$base/builds/short/000" "$base/cache" \
			"$base/scripts" "$base/scripts/short" "$base/scripts/short/000" "$base/scripts/short/000/group" \
			"$base/scripts/short/000/group/project"; do
			[ "$(stat -c "%F %a %U" "$directory")" = "directory 700 $usr" ] || { stat "$directory"; exit 1; }
		done'
	check "cleanup removes the scripts directory of the job alone" '
		[ ! -e "$(scripts_dir)" ] && [ -d "$(dirname "$(scripts_dir)")" ] && [ -d "$base/builds/short/000/group/project" ]'
	clear_base
done
for data_dir in "$open/fixed" "$open/fixed/"; do
	install -d -m 1777 "$open/fixed"
	write_config "data_dir = \"$data_dir\""
	check "data_dir $(basename "$open")${data_dir#"$open"} is a directory of the user's below it" '
		play && [ "$(stat -c "%a %U" "$open/fixed/$usr" "$open/fixed/$usr/builds/short/000" | sort -u)" = "700 $usr" ] &&
		! [ -e "$base" ] || { cat "$box/log"; false; }'
	rm -rf "$open/fixed"
done
write_config "data_dir = \"$open/missing\""
check 'a data_dir that is not there fails, and is named' '
	play; [ $? -eq 2 ] && logged "$open/missing" && nothing_ran && [ ! -e "$open/missing" ]'
mkdir -m 755 "$open/closed"
write_config "data_dir = \"$open/closed\""
check 'a data_dir in which the user can make nothing fails' '
	play; [ $? -eq 2 ] && nothing_ran &&
	logged "cannot create the directory $open/closed/$usr: Permission denied; ask the administrators of this site, who set data_dir"'
mkdir -m 1777 "$open/taken"
mkdir -m 700 "$open/taken/$usr"
chown "$two" "$open/taken/$usr"
write_config "data_dir = \"$open/taken\""
check "a data_dir where another account was first fails" '
	play; [ $? -eq 2 ] && logged "$open/taken/$usr" && nothing_ran && [ -z "$(ls -A "$open/taken/$usr")" ]'

# Who may rename what is in a directory could put a tree of their own in its place at any moment.
team=$open/team/ci
install -d -m 755 "$open/team" "$team"
write_config "data_dir = \"$team\""
refuses_place() {
	play
	[ $? -eq 2 ] && logged "$1 is writable by $2, who could replace the job's files; ask the administrators of this site, who set data_dir" &&
		nothing_ran && [ -z "$(ls -A "$team")" ] || { cat "$box/log"; return 1; }
}
members="its group $(id -gn "$usr"), which has other members"
chgrp "$usr" "$open/team" "$team"
for mode in 777 2777 2770; do
	chmod "$mode" "$team"
	who='all accounts'
	[ "$mode" != 2770 ] || who=$members
	check "the job is refused: a data_dir of mode $mode" 'refuses_place "$team" "$who"'
done
chmod 1777 "$team"
chmod 775 "$open/team"
check 'the job is refused: one below a directory that others can write' 'refuses_place "$open/team" "$members"'
chmod 755 "$open/team"
chmod 3770 "$team"
check 'a directory of a team with the sticky bit is accepted' 'play && [ -d "$team/$usr/builds/short/000" ] || { cat "$box/log"; false; }'
prepare_call
chmod -t "$team"
check 'no script is written or run if the sticky bit goes after prepare' '
	echo "echo the job ran" | call >"$box/log"
	[ "$(call_exit)" = 2 ] && logged "$team is writable by $members" &&
	! grep -q "^the job ran" "$box/log" && ! find "$team/$usr/scripts" -type f | grep .'
check 'cleanup removes nothing if the sticky bit is gone' '
	cleanup_with; [ $? -eq 2 ] && logged "$team is writable by $members" &&
	[ -d "$team/$usr/scripts/short/000/group/project/981625" ]'
as "$two" mkdir -m 1777 "$open/bait"
write_config "data_dir = \"$open/bait\""
check 'the job is refused: one that another account has made where all may' '
	play; [ $? -eq 2 ] && logged "$open/bait belongs to another account (uid $(id -u "$two")), in a directory that others can write to" &&
	nothing_ran && [ -z "$(ls -A "$open/bait")" ]'
rm -rf "$open/team" "$open/bait"
mode=$(stat -c %a "$home")
chmod 770 "$home"
write_config
except none 'the configuration lies there' check 'the job is refused: a home that others can write' '
	play; [ $? -eq 2 ] && nothing_ran &&
	logged "$home is writable by $members, who could replace the job'"'"'s files; run: chmod g-w $home"'
chmod "$mode" "$home"

# Where the user's login shell says

mkdir -m 1777 "$open/work"
for data_dir in '$SITE_WORK' '$SITE_WORK/ci'; do
	profile "export SITE_WORK=$open/work"
	install -d -m 1777 "$open/work/ci"
	write_config "data_dir = \"$data_dir\""
	where=$open/work${data_dir#'$SITE_WORK'}
	check "data_dir $data_dir is what the user's login shell says" '
		works && [ "$(answer .builds_dir)" = "$where/$usr/builds/short/000" ] && play && [ -d "$where/$usr/cache" ] &&
		[ ! -e "$base" ] || { cat "$box/log"; false; }'
done
profile "export SITE_WORK=$open/work" 'echo chatter; echo "{\"builds_dir\": \"/tmp\"}"; printf chatter >&2' \
	'echo() { :; }; printf() { builtin printf %s /etc; }; builtin() { :; } 2>/dev/null' 'set -e; set -u; trap "echo /etc" EXIT'
check "what a profile prints is not part of config's answer" '
	configure; code=$?; jq -es "length == 0 or (length == 1 and .[0].builds_dir == \"$open/work/ci/$usr/builds/short/000\")" \
	"$box/answer" || { cat "$box/answer"; false; }'
profile "export SITE_WORK=$open/work" 'echo chatter; echo "{\"builds_dir\": \"/tmp\"}"; printf chatter >&2'
check 'what a profile prints does not break the answer of config' '
	works && [ "$(jq -s length "$box/answer")" = 1 ] && [ "$(answer .builds_dir)" = "$open/work/ci/$usr/builds/short/000" ] &&
	logged chatter'
rm -rf "$open/work/ci" "$open/work/$usr"
write_config 'data_dir = "$SITE_WORK"'
for value in relative ../up ./here '' "$open/../x" "$open/work/.." / // /. "$(printf '/tmp/a\tb')" "$(printf '/tmp/a\033[31mb')" \
	/tmp/é '~' '$HOME' "/$(head -c 1100 /dev/zero | tr '\0' d)"; do
	profile "export SITE_WORK='$value'"
	says="'"
	[ -n "$value" ] || says='unset or empty in the login shell'
	check "the job is refused: a data_dir that is '$(printf '%.20s' "$value" | tr -c '[:print:]' '?')' in the login shell" '
		fails "general.data_dir is \$SITE_WORK, but SITE_WORK is $says" &&
		logged "set it in a profile of that shell, such as ~/.bash_profile, to an absolute path of printable ASCII characters, other than /"'
	enough && break
done
# What stands behind the variable does not make a directory of what is none.
write_config 'data_dir = "$SITE_WORK/tmp"'
for value in unset '' / //; do
	profile "export SITE_WORK='$value'"
	[ "$value" != unset ] || profile 'unset SITE_WORK'
	check "the job is refused: a data_dir \$SITE_WORK/tmp, where SITE_WORK is '$value'" '
		fails "general.data_dir is \$SITE_WORK/tmp, but SITE_WORK is" && logged "in the login shell of $usr"'
	enough && break
done
write_config 'data_dir = "$SITE_WORK"'
profile 'unset SITE_WORK'
check 'the job is refused: one that is not set there' 'fails "general.data_dir is \$SITE_WORK, but SITE_WORK is unset or empty"'
profile "export SITE_WORK='$open/work"'
/etc'"'"
check 'the job is refused: one of two lines' 'fails "general.data_dir is \$SITE_WORK, but SITE_WORK is '"'"'"'
profile 'exit 0'
check 'a profile that exits is named' '
	configure; [ $? -eq 2 ] && [ ! -s "$box/answer" ] && logged "did not report \$SITE_WORK" && no_process'
profile "export SITE_WORK=$open/work" 'exec true'
check 'a profile that executes another program is named' '
	configure; [ $? -eq 2 ] && [ ! -s "$box/answer" ] && logged "did not report \$SITE_WORK" && no_process'
profile "export SITE_WORK=$open/work; sleep 600 & sleep 600 >/dev/null 2>&1 &"
check 'processes that a profile leaves do not hold config' 'works && [ "$(answer .builds_dir)" = "$open/work/$usr/builds/short/000" ]'
pkill -KILL -U "$usr"
wait_until '! pgrep -U "$usr" >/dev/null'
rm -f "$home/.bash_profile"
write_config

# What the job's author says

for value in 7 07 000007 1000 999999; do
	want=$(printf '%03d' "$(echo "$value" | sed 's/^0*//')")
	check "CI_CONCURRENT_PROJECT_ID $value is the directory $want" '
		works CUSTOM_ENV_CI_CONCURRENT_PROJECT_ID="$value" && [ "$(answer .builds_dir)" = "$base/builds/short/$want" ]'
	enough && break
done
long=$(printf '%064d' 0)
for value in A -dash a.b_c-d "$long"; do
	check "CI_RUNNER_SHORT_TOKEN $(printf %.20s "$value") of ${#value} bytes is accepted" '
		works CUSTOM_ENV_CI_RUNNER_SHORT_TOKEN="$value" && [ "$(answer .builds_dir)" = "$base/builds/$value/000" ]'
	enough && break
done
for value in ../x .. . .hidden a/b /etc '' "${long}0" 'a b' '$(id)' "$(printf 'a\nb')" é '~'; do
	check "the job is refused: CI_RUNNER_SHORT_TOKEN '$(printf '%.20s' "$value" | tr '\n' ' ')' of ${#value} bytes" '
		fails "CI_RUNNER_SHORT_TOKEN is missing or cannot be a directory" CUSTOM_ENV_CI_RUNNER_SHORT_TOKEN="$value"'
	enough && break
done
for value in 1234567 -1 +1 0x1 '' ' 1' 1a ../1 1/2 "$(printf '1\n')x" 99999999999999999999; do
	check "the job is refused: CI_CONCURRENT_PROJECT_ID '$(printf '%.20s' "$value" | tr '\n' ' ')'" '
		fails "CI_CONCURRENT_PROJECT_ID is missing or not a number" CUSTOM_ENV_CI_CONCURRENT_PROJECT_ID="$value"'
	enough && break
done
check 'the job is refused: none of them' '
	fails "CI_RUNNER_SHORT_TOKEN is missing" env -u CUSTOM_ENV_CI_RUNNER_SHORT_TOKEN &&
	fails "CI_CONCURRENT_PROJECT_ID is missing" env -u CUSTOM_ENV_CI_CONCURRENT_PROJECT_ID'
for path in ../../etc /etc group/.. group/../x group//project group/ '' . 'group/a b' 'group/$(id)' é/x \
	"group/$(head -c 256 /dev/zero | tr '\0' p)"; do
	job "$(token project_path="$path")" </dev/null
	check "a token's project path '$(printf '%.20s' "$path")' makes no directory of that name" '
		configure; code=$?; nothing_ran && { [ $code -eq 1 ] && [ ! -s "$box/answer" ] || { [ -z "$path" ] && [ $code -eq 0 ] &&
		[ "$(jq -r ".job_env.JACAMAR_CI_STATE | fromjson | .directories.scripts" "$box/answer")" = "$(scripts_dir)" ]; }; }'
	[ -n "$path" ] || continue
	jq -n --arg token "$(token -project_path)" --arg path "$path" '{response: {id: 981625,
		job_info: {project_id: 20, project_full_path: $path},
		git_info: {repo_url: "https://gitlab.example.com/group/project.git"},
		variables: [{key: "SITE_ID_TOKEN", value: $token}]}}' >"$box/job.json"
	check "a project path of the response makes no directory outside" 'configure; [ $? -eq 1 ] && [ ! -s "$box/answer" ] && nothing_ran'
	jq --arg path "$path" 'del(.response.job_info.project_full_path) |
		.response.git_info.repo_url = "https://gitlab.example.com/\($path).git"' "$box/job.json" >"$box/job.new"
	mv "$box/job.new" "$box/job.json"
	check "a project path of the repository's URL makes no directory outside" 'configure; [ $? -eq 2 ] && [ ! -s "$box/answer" ] && nothing_ran'
	enough && break
done

# Links, and directories of others, at every level from the base on

mkdir -m 755 "$open/target"
chown "$usr" "$open/target"
levels='. builds builds/short builds/short/000 cache scripts scripts/short scripts/short/000 scripts/short/000/group
	scripts/short/000/group/project'
! enough || levels='. builds/short/000 scripts/short/000/group/project'
# plant LEVEL: all above it as prepare would make it; prints the path.
plant() {
	local path=$base/$1
	[ "$1" != . ] || path=$base
	clear_base
	as "$usr" sh -c 'umask 077; mkdir -p "$1"' - "$(dirname "$path")"
	echo "$path"
}
untouched() { [ -z "$(ls -A "$open/target")" ] && [ "$(stat -c %a "$open/target")" = 755 ] || { ls -lAR "$open/target"; return 1; }; }
printf '%s\n' "echo the job ran" | job
for level in $levels; do
	path=$(plant "$level")
	as "$usr" ln -s "$open/target" "$path"
	# The base may be a link of the user: t4210.
	[ "$level" = . ] || check "the job is refused: a link at $level" '
		play; [ $? -eq 2 ] && logged "$path is a link, not a directory; run: mv $path $path.old" && ! grep -q "^the job ran" "$box/log" &&
		untouched && [ -L "$path" ] && no_process || { cat "$box/log"; false; }'
	path=$(plant "$level")
	as "$usr" touch "$path"
	check "the job is refused: a file at $level" 'play; [ $? -eq 2 ] && logged "$path is a file, not a directory; run: mv $path $path.old" && [ -f "$path" ]'
	path=$(plant "$level")
	as "$usr" mkdir -m 770 "$path"
	check "the job is refused: a directory that others can write at $level" '
		play; [ $? -eq 2 ] && logged "$path is writable by $members; run: chmod g-w $path" && ! grep -q "^the job ran" "$box/log"'
	path=$(plant "$level")
	install -d -m 755 -o "$two" "$path"
	check "the job is refused: a directory of another account at $level" '
		play; [ $? -eq 2 ] && logged "$path belongs to another account (uid $(id -u "$two")); run: mv $path $path.old" &&
		! grep -q "^the job ran" "$box/log" && [ -z "$(ls -A "$path")" ]'
done
# The last level is the job's own: cleanup removes what stands there, and another try succeeds.
first_try_refuses() {
	play && [ "$(jq -r "[.calls[] | select(.stage == \"prepare\") | .exit] | first" "$box/result.json")" = 2 ] &&
		logged "$1" && untouched && [ ! -e "$(scripts_dir)" ] && no_process || { cat "$box/log"; return 1; }
}
path=$(plant scripts/short/000/group/project/981625)
as "$usr" ln -s "$open/target" "$path"
check "refused, and then removed: a link at the job's own directory" '
	first_try_refuses "is a link, not a directory"'
path=$(plant scripts/short/000/group/project/981625)
as "$usr" touch "$path"
check "refused, and then removed: a file there" 'first_try_refuses "is a file, not a directory"'
path=$(plant scripts/short/000/group/project/981625)
as "$usr" mkdir -m 770 "$path"
check "refused, and then removed: a directory there that others can write" 'first_try_refuses "is writable by $members"'
clear_base
mv "$home" "$box/home/real"
ln -s "$box/home/real" "$home"
check 'a home that is a link of the site is followed' 'play && [ -d "$box/home/real/.jacamar-ci/builds/short/000" ]'
rm "$home"
mv "$box/home/real" "$home"
clear_base

# Between two stages
scripts=$(scripts_dir)
for level in scripts scripts/short scripts/short/000 scripts/short/000/group scripts/short/000/group/project \
	scripts/short/000/group/project/981625; do
	clear_base
	path=$base/$level
	prepare_call
	as "$usr" sh -c 'mv "$1" "$2" && ln -s "$2" "$1"' - "$path" "$home/moved"
	check "the job is refused: a link at $level since prepare" '
		call_with; [ $? -eq 2 ] && logged "$path is a link, not a directory" && ! grep -q "^the job ran" "$box/log" &&
		! find "$home/moved/" -name "*.bash" | grep .'
	as "$usr" sh -c 'd=$1; shift; mkdir -p "$d" && touch "$d/kept"' - \
		"$home/moved$(printf '%s' "$scripts" | sed "s|^$path||")"
	check "cleanup does not follow a link at $level" '
		cleanup_with; code=$?; [ -f "$home/moved$(printf "%s" "$scripts" | sed "s|^$path||")/kept" ] &&
		{ [ $code -eq 2 ] || [ ! -e "$path" ]; }'
	rm -rf "$home/moved"
	enough && break
done
clear_base

# Cleanup

odd='cd "$(dirname "$0")"; ln -s /etc link; ln -s "$HOME/precious" precious; ln -s . self; ln -s / root;
	mkdir -p locked/inside; touch locked/inside/file; ln "$HOME/precious/file" hard; mkfifo fifo;
	mkdir "$(printf "new\nline")"; touch "$(printf "new\nline/\033[31m")" -- "-rf *"; mkdir empty;
	d=deep; for i in $(seq 100); do mkdir -p "$d"; d=$d/d; done; chmod 000 locked/inside locked; chmod 500 empty deep'
printf '%s\n' "$(printf %s "$odd" | tr -d '\n')" | job
as "$usr" sh -c 'mkdir "$1" && echo precious >"$1/file"' - "$home/precious"
check 'cleanup removes a scripts directory with odd contents' 'prepare_call && call_with && [ -d "$scripts/locked" ] &&
	[ -p "$scripts/fifo" ] && cleanup_with && [ ! -e "$scripts" ] || { cat "$box/log"; ls -lA "$scripts"; false; }'
check 'cleanup removes nothing that a link in the scripts directory leads to' '
	[ "$(cat "$home/precious/file")" = precious ] && [ -d "$home/precious" ] && [ -f /etc/passwd ] && [ -d "$base/scripts" ]'
check 'cleanup without a scripts directory succeeds' 'prepare_call && rm -rf "$scripts" && cleanup_with'
check 'cleanup without any directory succeeds' 'prepare_call && rm -rf "$base" && cleanup_with'
check 'scripts directories of other jobs stay' '
	prepare_call && as "$usr" mkdir "$scripts/../981624" "$scripts/../9816250" && cleanup_with && [ ! -e "$scripts" ] &&
	[ -d "$(dirname "$scripts")/981624" ] && [ -d "$(dirname "$scripts")/9816250" ]'
clear_base
write_config 'data_dir = "$HOME"
retain_logs = true'
echo 'echo the job ran' | job
check 'retain_logs keeps the scripts' '
	play && [ -f "$scripts/build_script.bash" ] && [ "$(stat -c "%a %U" "$scripts/build_script.bash")" = "600 $usr" ] &&
	grep -q "the job ran" "$scripts/build_script.bash" && no_process'
check 'a second try of the same job replaces them' 'play && [ -f "$scripts/build_script.bash" ]'
as "$usr" sh -c 'rm "$1/build_script.bash"; ln -s "$2" "$1/build_script.bash"' - "$scripts" "$home/precious/file"
check 'a second try does not write through a symbolic link in the place of a script' '
	play && [ "$(cat "$home/precious/file")" = precious ] && [ ! -L "$scripts/build_script.bash" ]'
as "$usr" sh -c 'rm "$1/build_script.bash"; ln "$2" "$1/build_script.bash"' - "$scripts" "$home/precious/file"
check 'a second try does not write through a hard link in the place of a script' 'play && [ "$(cat "$home/precious/file")" = precious ]'
clear_base
as "$usr" sh -c 'umask 077; mkdir -p "$1"; chmod 755 "$1" "$1/.."' - "$scripts"
check 'a scripts directory that was readable by others becomes private before it holds a script' '
	play && [ "$(stat -c %a "$scripts")" = 700 ]'
write_config
clear_base

# When something is missing or full

prepare_call
mv "$home" "$home.gone"
check 'a home that vanished since config fails, and is named' '
	call_with; [ $? -eq 2 ] && logged "$home" && ! grep -q "^the job ran" "$box/log" && no_process'
mv "$home.gone" "$home"
echo 'exit 3' | job
prepare_call
for file in /nonexistent/code "$box/home" /dev/full; do
	check "an exit code that cannot be written to $(basename "$file") is a system failure, which names it" '
		call_with env BUILD_EXIT_CODE_FILE="$file"; [ $? -eq 2 ] && logged "BUILD_EXIT_CODE_FILE $file"'
done
as "$runner" ln -s "$box/home/$runner/elsewhere" "$call/code"
check 'a link in the place of the file for the exit code is not followed' '
	call_with env BUILD_EXIT_CODE_FILE="$call/code"; [ $? -eq 2 ] && logged "BUILD_EXIT_CODE_FILE $call/code" &&
	[ ! -e "$box/home/$runner/elsewhere" ]'
check 'a job whose exit code has no file just fails' 'call_with env -u BUILD_EXIT_CODE_FILE; [ $? -eq 1 ]'
mkdir "$open/small"
if mount -t tmpfs -o size=64k,mode=1777 tmpfs "$open/small" 2>/dev/null; then
	mounted=$open/small
	write_config "data_dir = \"$open/small\""
	echo 'echo the job ran' | job
	check 'a small file system does for a small job' 'play || { cat "$box/log"; false; }'
	prepare_call
	head -c 65536 /dev/zero >"$open/small/full" 2>/dev/null
	check 'a full file system is a system failure that names the script' '
		call_with; [ $? -eq 2 ] && logged "cannot write $open/small/$usr/scripts/short/000/group/project/981625/" &&
		logged "No space left on device" && ! grep -q "^the job ran" "$box/log" && no_process'
	check 'a full file system leaves no part of the script behind' '! find "$open/small/$usr/scripts" -type f | grep .'
	cleanup_with
	head -c 65536 /dev/zero >>"$open/small/full" 2>/dev/null
	check 'a file system that is full before fails in config, and leaves no lock file' '
		play; [ $? -eq 2 ] && logged "cannot write the lock file $open/small/$usr/builds/short/000-20.job: No space left on device" &&
		[ "$(grep -c "cannot write" "$box/log")" = 3 ] && ! find "$open/small/$usr" -name "*.job" | grep .'
else
	skip 'a full file system is a system failure' 'cannot mount a tmpfs here'
fi

finish
