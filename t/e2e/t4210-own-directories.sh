#!/bin/sh
# A group that nobody else is in may write to the directories of a job, and the base may be the
# user's own link: what matters is that no other account can change them.
# Flavours: caps sudo none
. "$(dirname "$0")/lib.sh"
install_site
home=$box/home/$usr
base=$home/.jacamar-ci
group=$(id -gn "$usr")
open=$box/open
mkdir -m 1777 "$open"
team=jtteam$$
at_end() {
	gpasswd -d "$two" "$group"
	groupdel "$team"
	groupdel -f "alias$team"
} >/dev/null 2>&1
mode=$(stat -c %a "$home")
printf '%s\n' 'echo "BUILT IN $(pwd -P)"' | job
cp "$box/job.json" "$box/plain.json"
ask() {
	jq --arg value "$1" '.response.variables += [{key: "CUSTOM_CI_BUILDS_DIR", value: $value}]' \
		"$box/plain.json" >"$box/job.json"
}
set_data() {
	write_config "data_dir = \"$1\"
custom_build_dir = true"
}
set_data '$HOME'
builds_in() { play && logged "BUILT IN $1/short/000/group/project" || { cat "$box/log"; return 1; }; }
refuses() {
	play
	[ $? -eq 2 ] && logged "$1" && ! grep -q "^BUILT IN" "$box/log" && no_process || { cat "$box/log"; return 1; }
}
join() { usermod -a -G "$2" "$1"; }
leave() { gpasswd -d "$1" "$2" >/dev/null; }

# --- a group of which the user is the only member ---

members="its group $group, which has other members"
if [ "$flavour" != none ]; then
	chmod 775 "$home"
	check 'a home that the private group of the user can write to is accepted' 'builds_in "$base/builds"'
	check 'directories below the base may be so as well' '
		chmod 2770 "$base" "$base/builds" "$base/scripts" "$base/cache" && builds_in "$base/builds" &&
		[ "$(stat -c %a "$base")" = 2770 ]'
	chmod 777 "$home"
	check 'the job is refused: a home that all accounts can write to' '
		refuses "$home is writable by all accounts, who could replace the job'"'"'s files; run: chmod go-w $home"'
	chmod 775 "$home"
	join "$two" "$group"
	check 'the job is refused: a home of a group with another member' '
		refuses "$home is writable by $members, who could replace the job'"'"'s files; run: chmod g-w $home"'
	leave "$two" "$group"
	primary=$(id -g "$two")
	usermod -g "$group" "$two"
	check 'the job is refused: a home of a group that is the primary one of another account' '
		[ -z "$(getent group "$group" | cut -d: -f4)" ] && refuses "$home is writable by $members"'
	usermod -g "$primary" "$two"
	groupadd -o -g "$(id -g "$usr")" "alias$team"
	join "$two" "alias$team"
	check 'the job is refused: a home of a group whose gid another group with a member has' '
		[ -z "$(getent group "$group" | cut -d: -f4)" ] && refuses "$home is writable by $members"'
	groupdel -f "alias$team"
	check 'the home is accepted again when nobody else is in the group' 'builds_in "$base/builds"'
	prepare_call
	join "$two" "$group"
	check 'no script is run if another account joins the group after prepare' '
		echo "echo it ran" | call >"$box/log"; [ "$(call_exit)" = 2 ] && logged "$home is writable by $members" &&
		! grep "^it ran" "$box/log"'
	leave "$two" "$group"
	cleanup_with
	if setfacl -m "u:$two:rwx" "$home" 2>/dev/null; then
		check 'the job is refused: a home whose access control list names another account' '
			refuses "$home is writable by its group, and its access control list may name other accounts"'
		setfacl -b "$home"
		setfacl -m "u:$two:rwx" "$base/builds"
		check 'the job is refused: a directory with such a list below the base' '
			refuses "$base/builds is writable by its group, and its access control list may name other accounts; run: chmod g-w $base/builds"'
		setfacl -b "$base/builds"
	else
		skip 'an access control list that names another account' 'setfacl does not work here'
	fi
	chmod "$mode" "$home"
	rm -rf "$base"

	groupadd "$team"
	join "$usr" "$team"
	install -d -m 2770 -g "$team" "$open/team"
	set_data "$open/team"
	check 'a directory of the site of mode 2770 is accepted if the user is alone in its group' '
		builds_in "$open/team/$usr/builds" && [ "$(stat -c %a "$open/team/$usr/builds")" = 2700 ]'
	join "$two" "$team"
	check 'the job is refused: one whose group has another member' '
		refuses "$open/team is writable by its group $team, which has other members, who could replace the job'"'"'s files; ask the administrators of this site, who set data_dir"'
	set_data '$HOME'
	ask "$open/team/mine"
	check 'the job is refused: a custom builds directory in one of them' '
		refuses "$open/team is writable by its group $team, which has other members" &&
		logged "; set CUSTOM_CI_BUILDS_DIR, which is $open/team/mine, to a directory that only you can write to"'
	leave "$two" "$team"
	check 'a custom builds directory is accepted where the user is alone' 'builds_in "$open/team/mine"'
	cp "$box/plain.json" "$box/job.json"
	rm -rf "$open/team" "$base"
fi

# --- a base that is a link ---

install -d -m 755 "$open/scratch"
install -d -m 700 -o "$usr" -g "$group" "$open/scratch/$usr"
target=$open/scratch/$usr
link() {
	rm -rf "$base"
	as "$usr" ln -s "$1" "$base"
}
link "$target"
check 'a base that is a link of the user to a directory of the user is followed' '
	builds_in "$target/builds" && [ -d "$target/cache" ] && [ -L "$base" ]'
check 'cleanup removes the scripts behind the link, and nothing else' '
	[ -d "$target/scripts/short/000/group/project" ] && [ -z "$(ls -A "$target/scripts/short/000/group/project")" ]'
as "$usr" ln -s "$target" "$home/second"
link second
check 'a link to a link of the user is followed' 'builds_in "$target/builds"'
rm -rf "$target/builds"
link "$target"
as "$usr" ln -s / "$target/builds"
check 'the job is refused: a link below such a base' '
	refuses "$target/builds is a link, not a directory; run: mv $target/builds $target/builds.old"'
rm "$target/builds"
link "$open/nowhere"
check 'the job is refused: a link to nothing, which is not made' '
	refuses "cannot find $base: No such file or directory; it is a link: create the directory that it points to, or remove the link" &&
	[ ! -e "$open/nowhere" ]'
link /
check 'the job is refused: a link to the root directory' 'refuses "$base is a link to /; run: rm $base"'
touch "$open/file"
link "$open/file"
check 'the job is refused: a link to a file' 'refuses "$open/file is a file, not a directory; $base is a link to it"'
link "$box/home/$two"
chmod 755 "$box/home/$two"
check 'the job is refused: a link to a directory of another account' '
	refuses "$box/home/$two belongs to another account (uid $(id -u "$two")); $base is a link to it: make the link point to a directory that only you can write to" &&
	[ ! -e "$box/home/$two/builds" ]'
link "$target"
chmod 777 "$target"
check 'the job is refused: a link to a directory that others can write to' '
	refuses "$target is writable by all accounts, who could replace the job'"'"'s files; run: chmod go-w $target"'
chmod 700 "$target"
chmod 777 "$open/scratch"
check 'the job is refused: a link into a directory in which others could replace the target' '
	refuses "$open/scratch is writable by all accounts, who could replace the job'"'"'s files; $base is a link to it"'
chmod 755 "$open/scratch"
rm -rf "$base" "$home/second"
as "$two" ln -s "$target" "$open/theirs"
link "$open/theirs"
check 'the job is refused: a link that leads over the link of another account' '
	refuses "$open/theirs belongs to another account (uid $(id -u "$two")), in a directory that others can write to; $base is a link to it"'
rm -rf "$base"
ln -s "$target" "$base"
chown -h "$two" "$base"
check 'the job is refused: a link of another account in the place of the base' '
	refuses "$base is a link, not a directory; run: mv $base $base.old" && [ ! -e "$target/builds" ]'
rm "$base"
link "$target"
prepare_call
link "$box/home/$two"
check 'no script is written where a link leads that was changed after prepare' '
	echo "echo it ran" | call >"$box/log"; [ "$(call_exit)" = 2 ] && ! grep "^it ran" "$box/log" &&
	[ ! -e "$box/home/$two/scripts" ]'
link "$target"
cleanup_with

as "$usr" ln -s "$target" "$home/custom"
# shellcheck disable=SC2088
ask '~/custom'
check 'a custom builds directory that is a link of the user is followed' 'builds_in "$target"'
cp "$box/plain.json" "$box/job.json"

finish
