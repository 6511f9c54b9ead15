#!/bin/sh
# When a job cannot have its directories, its author reads which directory it is, what is wrong with
# it, and what to do or whom to ask; and nothing about the configuration of the service account.
# Flavours: caps sudo
. "$(dirname "$0")/lib.sh"
install_site
home=$box/home/$usr
base=$home/.jacamar-ci
open=$box/open
mkdir -m 1777 "$open"
mounted=
at_end() {
	[ -z "$mounted" ] || umount "$mounted"
}
echo 'echo the job ran' | job
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
site='ask the administrators of this site'

# says 'LINE': the job fails with exactly this line, and the log has nothing else that is for others.
says() {
	play
	[ $? -eq 2 ] && grep -qxF -- "$1" "$box/log" && ! grep -q "^the job ran" "$box/log" && no_process &&
		! grep -e "$etc" -e 'auth\.' -e general.data_dir -e 'run: *chown' "$box/log" || { cat "$box/log"; return 1; }
}

# --- what the author has chosen ---

choose() { echo "set CUSTOM_CI_BUILDS_DIR, which is $1, to a directory that only you can write to"; }
nothing=' (GitLab replaces $HOME and other variables of the cluster by nothing: for your home directory, write ~)'
for value in '$HOME/b' '$NO_SUCH_VARIABLE/b'; do
	ask "$value"
	check "$value, of which GitLab leaves /b, is explained" '
		says "jacamar: cannot create the directory /b: Permission denied; $(choose /b)$nothing"'
done
ask '$NO_SUCH_VARIABLE'
check 'a variable of which GitLab leaves nothing is as good as none' 'play && [ -d "$base/builds/short" ]'
ask /etc
check 'a directory of root is named' 'says "jacamar: /etc belongs to another account (uid 0); $(choose /etc)"'
as "$usr" touch "$home/file"
ask "$home/file/b"
check 'a file in the place of a directory is named' 'says "jacamar: $home/file is a file, not a directory; $(choose "$home/file/b")"'
# A command for a shell that the author of a job has put into a path stays a path.
as "$usr" mkdir -m 777 "$home/a;b" "$home/c'd"
ask "$home/a;b"
check 'a path with a command in it is quoted where the user is told to run something' '
	says "jacamar: $home/a;b is writable by all accounts; run: chmod go-w '"'\$home/a;b'"'"'
ask "$home/c'd"
check 'a path that cannot be quoted is in no command' 'says "jacamar: $home/c'"'"'d is writable by all accounts"'
cp "$box/plain.json" "$box/job.json"

# --- the home ---

mode=$(stat -c %a "$home")
chmod 777 "$home"
check 'a home that all accounts can write to: the remedy is not the sticky bit' '
	says "jacamar: $home is writable by all accounts, who could replace the job'"'"'s files; run: chmod go-w $home"'
chmod 702 "$home"
check 'a home that others can write to, but not the group' '
	says "jacamar: $home is writable by all accounts, who could replace the job'"'"'s files; run: chmod o-w $home"'
check 'the remedy mends it' '
	sed -n "s/.*; run: //p" "$box/log" | head -n 1 >"$box/remedy" && as "$usr" sh "$box/remedy" && play'
chmod "$mode" "$home"
rm -rf "$base"
install -d -m 755 -o "$two" "$base"
check 'a base of another account: the remedy moves it' '
	says "jacamar: $base belongs to another account (uid $(id -u "$two")); run: mv $base $base.old"'
check 'the remedy mends that' 'sed -n "s/.*; run: //p" "$box/log" | head -n 1 >"$box/remedy" && as "$usr" sh "$box/remedy" && play'
rm -rf "$base" "$base.old"
as "$usr" sh -c 'mkdir "$1" && touch "$1/builds"' - "$base"
check 'a file in the base: the remedy moves it' '
	says "jacamar: $base/builds is a file, not a directory; run: mv $base/builds $base/builds.old"'
rm -rf "$base"
mv "$home" "$home.gone"
check 'a home that does not exist' 'says "jacamar-auth: the home directory $home of $usr does not exist: $site to create it"'
mv "$home.gone" "$home"
usermod -d "$box/home/josé" "$usr"
mv "$home" "$box/home/josé"
check 'a home with a letter outside of ASCII is refused for that reason' '
	says "jacamar-auth: the home directory $box/home/jos?? of $usr has a character that is not a printable ASCII character, which is not supported: $site"'
mv "$box/home/josé" "$home"
usermod -d "$home" "$usr"

# --- data_dir ---

mkdir -m 755 "$open/closed"
set_data "$open/closed"
check 'a data_dir in which the user cannot create the base' '
	says "jacamar: cannot create the directory $open/closed/$usr: Permission denied; $site, who set data_dir"'
mkdir -m 755 "$open/closed/$usr"
check 'a base that root has created and not given away' '
	says "jacamar: $open/closed/$usr belongs to another account (uid 0); $site, who set data_dir"'
set_data "$open/gone"
check 'a data_dir that does not exist' '
	says "jacamar: cannot open the directory $open/gone: No such file or directory; $site, who set data_dir"'
mkdir -m 777 "$open/loose"
set_data "$open/loose"
check 'a data_dir that all accounts can write to' '
	says "jacamar: $open/loose is writable by all accounts, who could replace the job'"'"'s files; $site, who set data_dir"'
write_config 'data_dir = "$SITE_WORK"'
check 'a data_dir with a variable that is unset names the variable, and no file of the service account' '
	play; [ $? -eq 2 ] && logged "general.data_dir is \$SITE_WORK, but SITE_WORK is unset or empty in the login shell of $usr: set it in a profile" &&
	! grep "$etc" "$box/log"'

# --- no room ---

mkdir "$open/small"
if mount -t tmpfs -o size=64k,mode=1777 tmpfs "$open/small" 2>/dev/null; then
	mounted=$open/small
	lock=$open/small/$usr/builds/short/000-20.job
	set_data "$open/small"
	head -c 65536 /dev/zero >"$open/small/full" 2>/dev/null
	check 'a full file system' 'says "jacamar: cannot write the lock file $lock: No space left on device"'
	rm "$open/small/full"
	mount -o remount,ro "$open/small"
	check 'a read-only file system' 'says "jacamar: cannot create the lock file $lock: Read-only file system"'
	mount -o remount,rw "$open/small"
	rm -rf "$open/small/$usr"
	mount -o remount,ro "$open/small"
	check 'a read-only file system before anything is there' '
		says "jacamar: cannot create the directory $open/small/$usr: Read-only file system; $site, who set data_dir"'
	umount "$mounted"
	mounted=
else
	skip 'a full or read-only file system' 'cannot mount a tmpfs here'
fi

full='the quota of the account or its group is full: Disk quota exceeded'
# full_at CALL 'LINE': config fails with it where the first such call of the user's side has no quota.
full_at() {
	local faulty="$1" line="$2" code
	(
		become() { "$build/t/fault" "$box/calls" "$prefix" "$faulty" 1 1 122 "$build/t/as" "$@"; }
		configure
	)
	code=$?
	[ $code -eq 2 ] && grep -qxF -- "$line" "$box/log" && [ ! -s "$box/answer" ] || { cat "$box/log" "$box/calls"; return 1; }
}
set_data '$HOME'
rm -rf "$base"
if "$build/t/fault" "$box/calls" "$prefix" mkdirat 0 1 122 true; then
	check 'a full quota is called that: no directory can be created' '
		full_at mkdirat "jacamar: cannot create the directory $base: $full"'
	check 'a full quota is called that: the lock file cannot be written' '
		full_at pwrite64 "jacamar: cannot write the lock file $base/builds/short/000-20.job: $full"'
else
	skip 'a full quota is called that' 'the kernel cannot make a system call fail'
fi

if command -v mkfs.btrfs >/dev/null && truncate -s 128M "$box/image" && mkfs.btrfs -q "$box/image" >/dev/null 2>&1 &&
	mount -o loop "$box/image" "$open/small" 2>/dev/null; then
	mounted=$open/small
	btrfs quota enable "$mounted" && btrfs subvolume create "$mounted/data" >/dev/null && btrfs qgroup limit 1M "$mounted/data" &&
		chmod 1777 "$mounted/data"
	set_data "$mounted/data"
	prepare_call
	as "$usr" dd if=/dev/zero of="$mounted/data/much" bs=64k count=32 conv=fsync
	check 'a script cannot be written: a real quota that is full' '
		call_with; [ $? -eq 2 ] && logged "jacamar: cannot write " && logged "$full" && ! grep "^the job ran" "$box/log"'
	rm -rf "$mounted/data/$usr"
	check 'nothing can be created: a real quota that is full' '
		says "jacamar: cannot create the directory $mounted/data/$usr: $full"'
else
	skip 'a real quota that is full' 'needs mkfs.btrfs and a loop device'
fi

finish
