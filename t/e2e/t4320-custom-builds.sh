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
check 'with it the job builds there; scripts and cache stay in the base' '
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
check 'group_permissions are for it, too' '
	builds_in "$open/grouped" && [ "$(stat -c %a "$open/grouped" "$open/grouped/short/000" | sort -u)" = 750 ] &&
	[ "$(stat -c %a "$base/scripts")" = 700 ]'
allow

# What cannot be a path

long=$(head -c 5000 /dev/zero | tr '\0' a)
for value in relative ../up ./here .. / // '~' '~/x' "$open/../x" "$open/mine/.." /.. "/$long" \
	"$(printf '/tmp/a\nb')" "$(printf '/tmp/a\tb')" "$(printf '/tmp/\033[31m')" /tmp/é ' /tmp/x' '`id`' '$(id)'; do
	ask "$value"
	check "refused: '$(printf '%.20s' "$value" | tr -c '[:print:]' '?')' of ${#value} bytes" '
		rm -rf "$base"; refuses "CUSTOM_CI_BUILDS_DIR is '"'"'" && logged "it must be an absolute, printable path" && nothing_ran'
done

# What is not the user's

# elsewhere DIRECTORY 'line part'
elsewhere() {
	local text="$2"
	ask "$1"
	check "refused: $(printf %s "$1" | sed "s|$box||")" 'rm -rf "$base"; refuses "$text"'
}
elsewhere /proc/x "cannot make 'x' of /proc/x/short/000"
elsewhere /proc/self/root "'root' in /proc/self/root/short/000 is a link or a file, not a directory"
elsewhere /proc/self/root/etc "'etc' in /proc/self/root/etc/short/000 belongs to another account (uid 0)"
elsewhere /etc "'etc' in /etc/short/000 belongs to another account (uid 0)"
elsewhere /etc/jacamar-test "cannot make 'jacamar-test' of /etc/jacamar-test/short/000"
# GitLab and its runner know no $HOME.
elsewhere '$HOME/jacamar-test' "cannot make 'jacamar-test' of /jacamar-test/short/000"
elsewhere /dev/null/x "cannot open"
elsewhere /dev/null "'null' in /dev/null/short/000 is a link or a file, not a directory"
elsewhere /dev/fd/0 "is a link or a file, not a directory"
elsewhere /tmp "'tmp' in /tmp/short/000 belongs to another account (uid 0)"
elsewhere "$open" "'open' in $open/short/000 belongs to another account (uid 0)"
chmod 755 "$box/home/$two" "$box/home/$runner"
elsewhere "$box/home/$two" "belongs to another account (uid $(id -u "$two"))"
elsewhere "$box/home/$two/x" "cannot make 'x' of"
elsewhere "$box/home/$runner" "belongs to another account (uid $(id -u "$runner"))"
elsewhere "$box/home/$runner/work" "cannot open 'work' of"
check 'and nothing was made in any of them' '
	[ ! -e /etc/short ] && [ ! -e /tmp/short ] && [ ! -e "$open/short" ] && ! find "$box/home/$two" "$box/home/$runner" -name short | grep .'

mkdir "$open/team"
chmod 2777 "$open/team"
elsewhere "$open/team/mine" "$open/team can be written by others without the sticky bit: they could exchange the job's files; run: chmod +t"
check 'and nothing was made there either' '[ -z "$(ls -A "$open/team")" ]'
chmod +t "$open/team"
check 'with that bit it is as good a place as any' 'builds_in "$open/team/mine"'
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
	check "refused: a link at $level" '
		refuses "is a link or a file, not a directory" && untouched "$open/target"'
	plant
	as "$usr" ln -s "$open/nowhere" "$path"
	check "refused: a link to nothing at $level" '
		refuses "is a link or a file, not a directory" && [ ! -e "$open/nowhere" ]'
	plant
	as "$usr" touch "$path"
	check "refused: a file at $level" 'refuses "is a link or a file, not a directory" && [ -f "$path" ]'
	plant
	install -d -m 755 -o "$two" "$path"
	check "refused: a directory of another account at $level" '
		refuses "belongs to another account (uid $(id -u "$two"))" && untouched "$path"'
	plant
	as "$usr" mkdir -m 1777 "$path"
	check "refused: one that others can write at $level" '
		refuses "can be written by others; run: chmod go-w" && untouched "$path"'
done
ask "$open/way/place/deeper/still"
rm -rf "$open/way/place"
as "$two" ln -s "$open/nowhere" "$open/way/place"
check 'refused: a link to nothing on a way that is to be made' '
	refuses "is a link or a file, not a directory" && [ ! -e "$open/nowhere" ]'
rm -rf "$open/way"

# Since prepare the user may have changed it: only the user's own job goes astray.
ask "$open/mine"
check 'cleanup does not follow the builds, wherever they went' '
	as "$usr" mkdir "$home/precious" && as "$usr" touch "$home/precious/file" && prepare_call && rm -rf "$open/mine" &&
	as "$usr" ln -s "$home/precious" "$open/mine" && cleanup_with && [ -f "$home/precious/file" ] && [ -L "$open/mine" ]'

finish
