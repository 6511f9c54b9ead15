#!/bin/sh
# Where the site lets them, a job's author says where it builds: in a directory of the user's own,
# and nowhere else.
. "$(dirname "$0")/lib.sh"
install_site
home=$box/home/$usr
base=$home/.jacamar-ci
open=$box/open
mkdir -m 1777 "$open"

printf '%s\n' 'echo "BUILT IN $(pwd -P)"' 'echo "FILE $0"' | job
cp "$box/job.json" "$box/plain.json"
# ask DIRECTORY: $box/job.json's author wants its builds there.
ask() {
	jq --arg value "$1" '.response.variables += [{key: "CUSTOM_CI_BUILDS_DIR", value: $value}]' \
		"$box/plain.json" >"$box/job.json"
}
allow() {
	write_config "data_dir = \"\$HOME\"
custom_build_dir = true
${1:-}"
}
builds_in() {
	play && logged "BUILT IN $1/short/000/group/project" && logged "FILE $base/scripts/" &&
		[ -d "$base/cache" ] || { cat "$box/log"; return 1; }
}
# refuses 'line part': prepare, or config, refuses and nothing of the job ran.
refuses() {
	play
	[ $? -eq 2 ] && logged "$1" && ! grep -q "^BUILT IN" "$box/log" && no_process ||
		{ cat "$box/log"; return 1; }
}
untouched() { [ -z "$(ls -A "$1")" ] || { ls -lAR "$1"; return 1; }; }

ask "$open/mine"
check 'without the setting the variable has no effect, and the log says so' '
	play && logged "BUILT IN $base/builds/short/000/group/project" && [ ! -e "$open/mine" ] &&
	[ "$(grep -c "CUSTOM_CI_BUILDS_DIR has no effect" "$box/log")" = 1 ]'
rm -rf "$base"
allow
check 'with custom_build_dir the job builds there; scripts and cache stay in the base' '
	builds_in "$open/mine" && [ ! -e "$base/builds" ] && ! logged "has no effect" >/dev/null'
check 'what was made is private, and the user'"'"'s own' '
	[ "$(stat -c "%a %U" "$open/mine" "$open/mine/short" "$open/mine/short/000" | sort -u)" = "700 $usr" ]'
check 'what the job built stays' '[ -d "$open/mine/short/000/group/project" ]'
check 'jobs at the same time do not meet' '
	jq ".custom_env.CI_CONCURRENT_PROJECT_ID = \"7\"" "$box/job.json" >"$box/job.new" && mv "$box/job.new" "$box/job.json" &&
	configure CUSTOM_ENV_CUSTOM_CI_BUILDS_DIR="$open/mine" CUSTOM_ENV_CI_CONCURRENT_PROJECT_ID=7 &&
	[ "$(jq -r .builds_dir "$box/answer")" = "$open/mine/short/007" ]'
ask "$home/a b/deeper"
check 'what is missing on the way is made, too' '
	builds_in "$home/a b/deeper" && [ "$(stat -c "%a %U" "$home/a b" "$home/a b/deeper" | sort -u)" = "700 $usr" ]'
as "$usr" sh -c 'mkdir -m 755 "$1"' - "$home/open"
ask "$home/open///"
check 'a directory that is there keeps its mode' 'builds_in "$home/open" && [ "$(stat -c %a "$home/open")" = 755 ]'
ask ''
check 'an empty variable is none' 'play && logged "BUILT IN $base/builds/short/000" && ! grep "has no effect" "$box/log"'
rm -rf "$base"
mkdir -m 755 "$open/site" "$open/site/real"
install -d -o "$usr" "$open/site/real/$usr"
ln -s real "$open/site/link"
ask "$open/site/link/$usr/ci"
check 'a link of the site above what is the user'"'"'s is followed' '
	builds_in "$open/site/real/$usr/ci"'
ask "$open/grouped"
allow 'group_permissions = true'
check 'group_permissions apply to a custom builds directory' '
	builds_in "$open/grouped" && [ "$(stat -c %a "$open/grouped" "$open/grouped/short/000" | sort -u)" = 750 ] &&
	[ "$(stat -c %a "$base/scripts")" = 700 ]'
allow

# In the home directory, which GitLab does not know: $$ becomes $ there, and ~ stays as it is.
for value in '~/ci' '$$HOME/ci' '~/ci/'; do
	ask "$value"
	check "$value is a directory in the home" 'builds_in "$home/ci"'
	rm -rf "$home/ci"
done
for value in '~' '$$HOME'; do
	ask "$value"
	check "$value is the home itself" 'builds_in "$home" && rm -r "$home/short"'
done

# What cannot be a path

long=$(head -c 5000 /dev/zero | tr '\0' a)
for value in relative ../up ./here .. / // "$open/../x" "$open/mine/.." /.. "/$long" "~$usr/x" '~/..' '~/../x' "~/$long" \
	"$(printf '/tmp/a\nb')" "$(printf '/tmp/a\tb')" "$(printf '/tmp/\033[31m')" /tmp/é ' /tmp/x' '`id`'; do
	ask "$value"
	check "the job is refused: '$(printf '%.20s' "$value" | tr -c '[:print:]' '?')' of ${#value} bytes" '
		rm -rf "$base"; refuses "CUSTOM_CI_BUILDS_DIR is '"'"'" && logged "it must be an absolute path other than /, or one that begins with ~/" && nothing_ran'
done
# name: the part of the value that the log names.
while read -r value name; do
	ask "$value"
	check "the job is refused, and told of $name: $value" '
		rm -rf "$base"; refuses "it may have a \$ only in \$HOME at its beginning, not '"'"'$name'"'"'" && nothing_ran'
done <<'VALUES'
$(id) $(id)
$$SCRATCH/ci $SCRATCH/ci
$${HOME}/ci ${HOME}/ci
$$HOMER $HOMER
/tmp/$$USER $USER
~/$$HOME $HOME
VALUES

# What is not the user's

# elsewhere DIRECTORY 'line part'
elsewhere() {
	local text="$2"
	ask "$1"
	check "the job is refused: $(printf %s "$1" | sed "s|$box||")" 'rm -rf "$base"; refuses "$text"'
}
# choose PATH: what each of these ends with.
choose() { echo "; set CUSTOM_CI_BUILDS_DIR, which is $1, to a directory that only you can write to"; }
elsewhere /proc/x "cannot create the directory /proc/x: No such file or directory$(choose /proc/x)"
elsewhere /proc/self/root "/proc/self/root is a link, not a directory$(choose /proc/self/root)"
elsewhere /proc/self/root/etc "/proc/self/root/etc belongs to another account (uid 0)$(choose /proc/self/root/etc)"
elsewhere /etc "/etc belongs to another account (uid 0)$(choose /etc)"
elsewhere /etc/jacamar-test "cannot create the directory /etc/jacamar-test: Permission denied$(choose /etc/jacamar-test)"
# GitLab and its runner know no $HOME.
elsewhere '/etc/$HOME/jacamar-test' "cannot create the directory /etc//jacamar-test: Permission denied$(choose /etc//jacamar-test) (GitLab replaces \$HOME and other variables of the cluster by nothing: for your home directory, write ~)"
elsewhere '$HOME/jacamar-test' "cannot create the directory /jacamar-test: Permission denied$(choose /jacamar-test) (GitLab replaces \$HOME and other variables of the cluster by nothing: for your home directory, write ~)"
elsewhere /dev/null/x "/dev/null is a file, not a directory$(choose /dev/null/x)"
elsewhere /dev/null "/dev/null is a file, not a directory$(choose /dev/null)"
elsewhere /dev/fd/0 "is a link, not a directory"
elsewhere /tmp "/tmp belongs to another account (uid 0)$(choose /tmp)"
elsewhere "$open" "$open belongs to another account (uid 0)$(choose "$open")"
chmod 755 "$box/home/$two" "$box/home/$runner"
elsewhere "$box/home/$two" "belongs to another account (uid $(id -u "$two"))"
elsewhere "$box/home/$two/x" "cannot create the directory $box/home/$two/x: Permission denied"
elsewhere "$box/home/$runner" "belongs to another account (uid $(id -u "$runner"))"
elsewhere "$box/home/$runner/work" "cannot open the directory $box/home/$runner/work: Permission denied"
check 'no directory was made in any place that was refused' '
	[ ! -e /etc/short ] && [ ! -e /tmp/short ] && [ ! -e "$open/short" ] && ! find "$box/home/$two" "$box/home/$runner" -name short | grep .'

mkdir "$open/team"
chmod 2777 "$open/team"
elsewhere "$open/team/mine" "$open/team is writable by all accounts, who could replace the job's files$(choose "$open/team/mine")"
check 'no directory was made where others can write' '[ -z "$(ls -A "$open/team")" ]'
chmod +t "$open/team"
check 'a directory with the sticky bit is accepted' 'builds_in "$open/team/mine"'
rm -rf "$open/team"

# Planted by others, or by the user, at each level from what is named on

for level in place place/short place/short/000; do
	path=$open/way/$level
	plant() {
		rm -rf "$open/way" "$open/target" "$base"
		install -d -m 1777 "$open/way"
		as "$usr" sh -c 'umask 077; mkdir -p "$1"' - "$(dirname "$path")"
		install -d -m 755 -o "$usr" "$open/target"
	}
	ask "$open/way/place"
	plant
	as "$usr" ln -s "$open/target" "$path"
	# The place itself may be a link of the user: t4210.
	[ "$level" = place ] || check "the job is refused: a link at $level" '
		refuses "$path is a link, not a directory; run: mv $path $path.old" && untouched "$open/target"'
	plant
	as "$usr" ln -s "$open/nowhere" "$path"
	[ "$level" = place ] || check "the job is refused: a link to nothing at $level" '
		refuses "$path is a link, not a directory" && [ ! -e "$open/nowhere" ]'
	plant
	as "$usr" touch "$path"
	check "the job is refused: a file at $level" 'refuses "$path is a file, not a directory" && [ -f "$path" ]'
	plant
	install -d -m 755 -o "$two" "$path"
	check "the job is refused: a directory of another account at $level" '
		refuses "belongs to another account (uid $(id -u "$two"))" && untouched "$path"'
	plant
	as "$usr" mkdir -m 1777 "$path"
	check "the job is refused: one that others can write at $level" '
		refuses "$path is writable by all accounts; run: chmod go-w $path" && untouched "$path"'
done
ask "$open/way/place/deeper/still"
rm -rf "$open/way/place"
as "$two" ln -s "$open/nowhere" "$open/way/place"
check 'the job is refused: a link to nothing on a way that is to be made' '
	refuses "$open/way/place is a link, not a directory$(choose "$open/way/place/deeper/still")" && [ ! -e "$open/nowhere" ]'
rm -rf "$open/way"

# Since prepare the user may have changed it: only the user's own job goes astray.
ask "$open/mine"
check 'cleanup does not follow the builds, wherever they went' '
	as "$usr" mkdir "$home/precious" && as "$usr" touch "$home/precious/file" && prepare_call && rm -rf "$open/mine" &&
	as "$usr" ln -s "$home/precious" "$open/mine" && cleanup_with && [ -f "$home/precious/file" ] && [ -L "$open/mine" ]'

finish
