#!/bin/sh
# Where the runner is root it can make a user's own directory in one of root's: that one alone, for
# that user alone, and never where anybody else could have a hand in it.
. "$(dirname "$0")/lib.sh"
install_site
say_why
home=$box/home/$usr
open=$box/open
mkdir -m 1777 "$open"
# Root's from the top down, which the box is not.
data=$prefix/data
base=$data/$usr
mkdir -m 755 "$data"
ask_root() {
	write_config "data_dir = \"${1:-$data}\"
kill_timeout = \"4s\"
${3:-}" "${2:-downscope = \"setuid\"
root_dir_creation = true}"
}
fails() {
	local text="$1"
	shift
	configure "$@"
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && logged "$text" && nothing_ran && [ ! -e "$base" ] ||
		{ cat "$box/log"; return 1; }
}
printf '%s\n' 'echo "BUILT IN $(pwd -P)"' | job

# Not root

ask_root
check 'who is not root is told what to do' '
	fails "auth.root_dir_creation needs a jacamar-auth that runs as root" && logged "create the directories of users in $data yourself"'
ask_root "$data" 'downscope = "none"
root_dir_creation = true'
check 'root_dir_creation is refused without a change of account' '
	fails "auth.root_dir_creation conflicts with auth.downscope"'
for data_dir in '$HOME' '~' '$SITE_WORK' '$HOME/ci'; do
	ask_root "$data_dir"
	check "root_dir_creation is refused with data_dir $data_dir, which is the user's" '
		fails "auth.root_dir_creation conflicts with general.data_dir"'
done

# From here on the runner is root.
service=$runner
make -s -C "$top" install DESTDIR= PREFIX="$prefix" ${SANITIZE:+SANITIZE=$SANITIZE} >"$box/install" 2>&1 ||
	{ cat "$box/install"; exit 1; }
runner=root
etc=$box/home/root/.gitlab-runner
install -d -m 700 "$box/home/root/work" "$etc"
write_runner_config
say_why

write_config "data_dir = \"$data\""
check 'without the setting the user would have to make it, and is told whom to ask' '
	play; [ $? -eq 2 ] && [ ! -e "$base" ] &&
	logged "cannot create the directory $base: Permission denied; ask the administrators of this site, who set data_dir"'
ask_root
check 'with root_dir_creation root makes the directory, and the job runs there' '
	play && logged "BUILT IN $base/builds/short/000/group/project" || { cat "$box/log"; false; }'
check 'the directory is the user'"'"'s, and private' '[ "$(stat -c "%F %a %U %G" "$base")" = "directory 700 $usr $(id -gn "$usr")" ]'
check 'all that is in the directory is the user'"'"'s, and not writable by others' '[ -z "$(find "$base" ! -user "$usr")" ] && ! find "$base" -perm /022 ! -type l | grep .'
check 'nothing else was made or changed' '[ "$(ls -A "$data")" = "$usr" ] && [ "$(stat -c "%a %U" "$data")" = "755 root" ]'
as "$usr" sh -c 'echo kept >"$1/kept"; chmod 711 "$1"' - "$base"
check 'a directory that is there is left as it is' '
	play && [ "$(stat -c %a "$base")" = 711 ] && [ "$(cat "$base/kept")" = kept ]'
rm -rf "$base"
for mask in 000 077; do
	check "the runner's umask $mask changes nothing" '
		(umask $mask && play) && [ "$(stat -c %a "$base")" = 700 ] || { cat "$box/log"; false; }'
	rm -rf "$base"
done
ask_root "$data" '' 'group_permissions = true'
check 'group_permissions apply to a directory that root makes' '
	play && [ "$(stat -c %a "$base" "$base/builds" | sort -u)" = 750 ] && [ "$(stat -c %a "$base/scripts")" = 700 ]'
rm -rf "$base"
chgrp "$(id -gn "$two")" "$data" && chmod 2755 "$data"
check 'a set-group-ID directory hands its group on' '
	play && [ "$(stat -c "%a %U %G" "$base")" = "2750 $usr $(id -gn "$two")" ] || { stat "$base"; false; }'
rm -rf "$base"
chgrp 0 "$data" && chmod g-s "$data"
ask_root "$data/"
check 'a data_dir with a slash at its end is accepted' 'play && [ "$(stat -c "%a %U" "$base")" = "700 $usr" ]'
rm -rf "$base"

# What jacamar-auth may do meanwhile

ask_root "$data" '' 'static_builds_dir = true'
printf '%s\n' "$hold" | job
cp "$box/job.json" "$box/held.json"
check 'root'"'"'s third capability is gone before the user'"'"'s side begins, and while a job runs' '
	hold_job && grep -P "^CapEff:\t0000000000000000$" /proc/$(auth_pid)/status && grep -P "^CapPrm:\t00000000000000c0$" /proc/$(auth_pid)/status
	result=$?
	install -d -m 700 "$box/home/root/second"
	jq ".response.id = 981626 | (.response.variables[] | select(.key == \"SITE_ID_TOKEN\") | .value) = \"$(token job_id=981626)\"" \
		"$box/held.json" >"$box/second.json"
	(cd "$box/home/root/second" && exec "$build_for_all/t/runner" --timeout 60 --kill-grace 10 --result result.json \
		"$etc/config.toml" "$box/second.json" >"$box/second.log" 2>&1) & second=$!
	wait_until "grep -q \"waiting for job\" \"$box/second.log\"" &&
		preparing=$(pgrep -U 0 -f "^$prefix/bin/jacamar-auth .*prepare") &&
		grep -P "^CapEff:\t0000000000000000$" /proc/$preparing/status && grep -P "^CapPrm:\t00000000000000c0$" /proc/$preparing/status ||
		result=1
	kill $second; wait $second; let_go; [ $result -eq 0 ] || { cat "$box/log" "$box/second.log"; false; }'
rm -rf "$base"
ask_root
printf '%s\n' 'echo "BUILT IN $(pwd -P)"' | job
prepare_call
rm -rf "$base"
check 'no stage but prepare makes it' '
	call_with; [ $? -eq 2 ] && logged "cannot create the directory $base" && [ ! -e "$base" ] && { cleanup_with; [ ! -e "$base" ]; }'
prepare_call
rm -rf "$base"
check 'a state of another job makes none as the user' '
	jq ".response.id = 981627" "$box/job.json" | jq .response >"$box/home/root/other.json" && chmod 600 "$box/home/root/other.json" &&
	call_with env JOB_RESPONSE_FILE="$box/home/root/other.json"; [ $? -eq 2 ] && [ ! -e "$base" ]'

# Somebody was there first

# refuses 'line part': prepare does, and nothing of the job ran.
refuses() {
	play
	[ $? -eq 2 ] && logged "$1" && ! grep -q "^BUILT IN" "$box/log" && no_process || { cat "$box/log"; return 1; }
}
target=$open/target
plant() {
	rm -rf "$base" "$target"
	install -d -m 755 "$target"
}
plant
install -d -m 755 -o "$two" "$base"
check 'the job is refused: a directory of another user, which stays theirs' '
	refuses "$base belongs to another account (uid $(id -u "$two"))" && [ "$(stat -c "%a %U" "$base")" = "755 $two" ] && [ -z "$(ls -A "$base")" ]'
plant
install -d -m 755 "$base"
check 'the job is refused: one of root, which is not given away' '
	refuses "$base belongs to another account (uid 0); ask the administrators of this site" && [ "$(stat -c "%a %U" "$base")" = "755 root" ]'
plant
install -d -m 700 "$base"
check 'the job is refused: a directory of root that is private, as root would make it' '
	refuses "$base belongs to another account (uid 0); ask the administrators of this site" && [ "$(stat -c "%a %U" "$base")" = "700 root" ]'
plant
ln -s "$target" "$base"
check 'the job is refused: a link, whose end is not given away' '
	refuses "$base is a link or a file, not a directory" && [ "$(stat -c "%a %U" "$target")" = "755 root" ] && [ -z "$(ls -A "$target")" ]'
plant
chown "$usr" "$target"
ln -s "$target" "$base"
check 'the job is refused: a link to a directory of the user' '
	refuses "$base is a link or a file, not a directory" && [ -z "$(ls -A "$target")" ]'
plant
ln -s "$open/nowhere" "$base"
check 'the job is refused: a link to nothing, behind which nothing is made' '
	refuses "$base is a link or a file, not a directory" && [ ! -e "$open/nowhere" ]'
plant
touch "$base"
check 'the job is refused: a file, which stays root'"'"'s' '
	refuses "$base is a link or a file, not a directory" && [ "$(stat -c %U "$base")" = root ]'
plant
install -d -m 772 -o "$usr" "$base"
check 'the job is refused: one that others can write' 'refuses "$base is writable by all accounts; run: chmod go-w $base"'
plant

# The site's own script may name another place; not so the user's shell, whoever sends it there.
rm -rf "$base"
mkdir -m 755 "$data/other"
as "$usr" sh -c 'printf "%s\n" "export HOME=$1" "echo the profile ran" >~/.bash_profile' - "$prefix"
# validate DATA-DIR: what the validation script gives each job.
validate() {
	printf '%s\n' '#!/bin/sh' "echo '{\"data_dir\": \"$1\"}'" >"$prefix/validate"
	chmod 755 "$prefix/validate"
	ask_root "$data" "downscope = \"setuid\"
root_dir_creation = true
runas.validation_script = \"$prefix/validate\""
}
validate "$data/other"
check 'a place that the validation script names is accepted' '
	play && [ "$(stat -c "%a %U" "$data/other/$usr")" = "700 $usr" ] && [ ! -e "$base" ]'
validate '$HOME/data'
check 'root makes nothing in a place that the user'"'"'s shell names' '
	refuses "cannot create the directory $base: Permission denied" && logged "the profile ran" && [ ! -e "$base" ]'
rm "$home/.bash_profile"
validate '$HOME'
check 'root makes nothing in a home' 'play && [ "$(stat -c "%a %U" "$home/.jacamar-ci")" = "700 $usr" ]'
rm -rf "$data/other" "$home/.jacamar-ci"

# Places in which others have a hand

# place DIRECTORY 'line part': refused as data_dir, and nothing is made there.
place() {
	ask_root "$1"
	check "the job is refused: $2" "refuses '$3' && [ ! -e '$1/$usr' ] && ! find '$data' '$open' -user '$usr' -name '$usr' | grep ."
}
for mode in 1777 777 775 757; do
	chmod "$mode" "$data"
	place "$data" "a place of mode $mode" "$data is writable by group or others"
done
chmod 755 "$data"
chown "$two" "$data"
place "$data" 'a place of another account' "$data is owned by uid $(id -u "$two")"
chown "$usr" "$data"
place "$data" 'a place of the user'"'"'s' "$data is owned by uid $(id -u "$usr")"
chown "$service" "$data"
place "$data" 'a place of the service account of another flavour' "$data is owned by uid $(id -u "$service")"
chown 0 "$data"
mkdir -m 755 "$data/mid" "$data/mid/deep" "$open/mid"
chmod 777 "$data/mid"
place "$data/mid/deep" 'one below a place that others can write' "$data/mid is writable by group or others"
chmod 755 "$data/mid"
chown "$two" "$data/mid"
place "$data/mid/deep" 'one below a place of another account' "$data/mid is owned by uid $(id -u "$two")"
chown 0 "$data/mid"
place "$open/mid" 'one below the place of all' "$open is writable by group or others"
ln -s "$data/mid/deep" "$open/link"
place "$open/link" 'a link in a place that others can write' "$open is writable by group or others"
ln -s "$open/mid" "$data/link"
place "$data/link" 'a link to below one' "is writable by group or others"
as "$two" ln -s "$data/mid/deep" "$open/theirs" && mv -T "$open/theirs" "$data/theirs"
place "$data/theirs" 'a link of another account' "$data/theirs is owned by uid $(id -u "$two")"
place "$data/missing" 'a place that is not there' "cannot find $data/missing"
check 'which root does not make, either' '[ ! -e "$data/missing" ]'
touch "$data/file"
place "$data/file" 'a file' "cannot open $data/file"
rm "$data/link" "$data/theirs" "$data/file"
ln -s mid "$data/link"
ask_root "$data/link/deep"
check 'a link of root'"'"'s in a place of root'"'"'s is followed' '
	play && [ "$(stat -c "%a %U" "$data/mid/deep/$usr")" = "700 $usr" ] || { cat "$box/log"; false; }'

finish
