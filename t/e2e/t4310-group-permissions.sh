#!/bin/sh
# With group_permissions the user's group can read what a job builds, and nothing of its scripts.
. "$(dirname "$0")/lib.sh"
install_site
home=$box/home/$usr
base=$home/.jacamar-ci
open=$box/open
mkdir -m 1777 "$open"
# A group that has other members would outlive its account.
at_end() {
	usermod -G '' "$usr"
	usermod -G '' "$two"
}
usermod -a -G "$(id -gn "$usr")" "$two"
usermod -a -G "$(id -gn "$two")" "$usr"
chmod 755 "$home"
say_group() {
	write_config "data_dir = \"${1:-\$HOME}\"
group_permissions = true
${2:-}"
}
modes() { for path; do stat -c '%a %U %n' "$path"; done; }
# all_have MODE PATH...: each is a directory of the user's of that mode.
all_have() {
	local mode=$1 path
	shift
	for path; do
		[ "$(stat -c '%F %a %U' "$path")" = "directory $mode $usr" ] || { stat "$path"; return 1; }
	done
}
shared() { printf '%s\n' "$1" "$1/builds" "$1/builds/short" "$1/builds/short/000" "$1/cache"; }
private() {
	printf '%s\n' "$1/scripts" "$1/scripts/short" "$1/scripts/short/000" "$1/scripts/short/000/group" \
		"$1/scripts/short/000/group/project"
}

printf '%s\n' 'echo built >result' 'pwd -P' | job
for data_dir in '$HOME' "$open/ci"; do
	install -d -m 1777 "$open/ci"
	where=$base
	[ "$data_dir" = '$HOME' ] || where=$open/ci/$usr
	say_group "$data_dir" 'retain_logs = true'
	check "in $(basename "$data_dir") builds and cache are for the group, scripts are not" '
		play && all_have 750 $(shared "$where") && all_have 700 $(private "$where") \
			"$where/scripts/short/000/group/project/981625" || { cat "$box/log"; false; }'
	check 'a member of the group reads what was built, and cannot write there' '
		[ "$(as "$two" cat "$where/builds/short/000/group/project/result")" = built ] &&
		! as "$two" touch "$where/builds/short/000/other" && ! as "$two" touch "$where/cache/other"'
	check 'a member of the group reads no script, not even its name' '
		! as "$two" ls "$where/scripts" && ! as "$two" cat "$where/scripts/short/000/group/project/981625/build_script.bash"'
	check 'others read nothing' '
		as "$usr" test -e "$where/builds" && ! as "$runner" ls "$where" && ! as "$runner" ls "$where/builds/short"'
	rm -rf "$where"
done

say_group
for mask in 000 077; do
	check "the runner's umask $mask changes nothing" '
		(umask $mask && play) && all_have 750 $(shared "$base") && all_have 700 $(private "$base") ||
		{ cat "$box/log"; false; }'
	rm -rf "$base"
done
as "$usr" sh -c 'umask 077; mkdir -p "$1/builds/short" "$1/cache"; chmod 755 "$1/cache"' - "$base"
check 'directories that are there keep their mode' '
	play && all_have 700 "$base" "$base/builds" "$base/builds/short" && all_have 755 "$base/cache" &&
	all_have 750 "$base/builds/short/000" || { modes "$base" "$base/builds" "$base/cache"; false; }'
rm -rf "$base"
install -d -m 2777 -o "$usr" -g "$(id -gn "$two")" "$open/project"
chmod 3777 "$open/project"
say_group "$open/project"
check 'the group of a set-group-ID data_dir is handed on' '
	play && [ "$(stat -c "%a %G" "$open/project/$usr/builds/short/000")" = "2750 $(id -gn "$two")" ] &&
	[ "$(stat -c "%a" "$open/project/$usr/scripts")" = 2700 ] || { ls -lAR "$open/project/$usr"; false; }'

# Attacks

say_group
for level in . builds builds/short cache; do
	path=$base/$level
	[ "$level" != . ] || path=$base
	rm -rf "$base" "$open/target"
	as "$usr" sh -c 'umask 077; mkdir -p "$1"' - "$(dirname "$path")"
	install -d -m 700 -o "$usr" "$open/target"
	as "$usr" ln -s "$open/target" "$path"
	# The base may be a link of the user, to a directory that keeps its mode.
	[ "$level" = . ] || check "what a link at $level leads to does not get the mode" '
		play; [ $? -eq 2 ] && logged "$path is a link, not a directory" &&
		[ "$(stat -c %a "$open/target")" = 700 ] && [ -z "$(ls -A "$open/target")" ]'
	rm -f "$path"
	as "$usr" mkdir -m 770 "$path"
	check "one that the group could write at $level is refused all the same" '
		play; [ $? -eq 2 ] && logged "$path is writable by its group $(id -gn "$usr"), which has other members; run: chmod g-w $path"'
done
rm -rf "$base"
as "$usr" sh -c 'umask 077; mkdir -p "$1"; chmod 750 "$1"' - "$(scripts_dir)"
check 'a scripts directory that the group could read becomes private before it holds a script' '
	say_group "\$HOME" "retain_logs = true"; play && all_have 700 "$(scripts_dir)"'
rm -rf "$base"
write_config
check 'without the setting the group reads nothing' 'play && all_have 700 $(shared "$base") $(private "$base")'

finish
