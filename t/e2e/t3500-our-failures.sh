#!/bin/sh
# Where the driver itself cannot go on, that is a system failure with its reason, and nothing of
# the job runs.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
compile stray
install_site
say_why
home=$box/home/$usr

echo 'echo the script runs' | job

# refused 'AUTH-LINE' 'REASON': config fails with the reason, and nothing ran.
refused() {
	write_config 'data_dir = "$HOME"' "downscope = \"$downscope\"
$1"
	bounded_play
	[ $? -eq 2 ] && logged "$2" && ! grep 'the script runs' "$box/log" && nothing_ran &&
		[ "$(jq -r '[.calls[].stage] | unique | join(" ")' "$box/result.json")" = 'cleanup config' ]
}
# accepted 'AUTH-LINE'
accepted() {
	write_config 'data_dir = "$HOME"' "downscope = \"$downscope\"
$1"
	bounded_play && logged 'the script runs' && rm -rf "$home/.jacamar-ci"
}

# A place of root's below /, as /tmp itself is everybody's.
place=$prefix/place
install -d -m 755 "$place" "$place/bin"
cp "$prefix/libexec/jacamar-ci" "$place/bin/jacamar"
path="jacamar_path = \"$place/bin/jacamar\""
no_gain='who could exchange the program is who it runs as'
[ "$flavour" != sudo ] || write_sudoers "$runner ALL = ($usr) NOPASSWD: $place/bin/jacamar"
check 'a jacamar_path of root is fine' 'accepted "$path"'
check 'the directory of jacamar is fine as well' 'accepted "jacamar_path = \"$place/bin\""'
check 'a path that is not there is refused' '
	refused "jacamar_path = \"$place/none\"" "cannot find $place/none"'
check 'a directory without jacamar is refused' '
	refused "jacamar_path = \"$place\"" "$place/jacamar"'
check 'a path that is not absolute is refused' 'refused "jacamar_path = \"bin/jacamar\"" "absolute"'
except none "$no_gain" check 'a program that its group can write is refused' '
	chmod 775 "$place/bin/jacamar"; refused "$path" "$place/bin/jacamar is writable by group or others"
	result=$?; chmod 755 "$place/bin/jacamar"; return $result'
except none "$no_gain" check 'a program that all can write is refused' '
	chmod 757 "$place/bin/jacamar"; refused "$path" "is writable by group or others"
	result=$?; chmod 755 "$place/bin/jacamar"; return $result'
except none "$no_gain" check 'a program whose directory others can write is refused' '
	chmod 777 "$place/bin"; refused "$path" "$place/bin is writable by group or others"
	result=$?; chmod 755 "$place/bin"; return $result'
except none "$no_gain" check 'a program below a directory that others can write is refused, sticky or not' '
	chmod 1777 "$place"; refused "$path" "$place is writable by group or others"
	result=$?; chmod 755 "$place"; return $result'
except none "$no_gain" check 'a program that the user owns is refused' '
	chown "$usr" "$place/bin/jacamar"; refused "$path" "is owned by uid $(id -u "$usr")"
	result=$?; chown root "$place/bin/jacamar"; return $result'
except none "$no_gain" check 'a program whose directory the user owns is refused' '
	chown "$usr" "$place/bin"; refused "$path" "is owned by uid $(id -u "$usr")"
	result=$?; chown root "$place/bin"; return $result'
except none "$no_gain" check 'a symbolic link in a directory that others can write is refused' '
	ln -sfn "$place/bin/jacamar" "$home/jacamar"
	refused "jacamar_path = \"$home/jacamar\"" "is owned by uid $(id -u "$usr")"'
except none "$no_gain" check 'root'"'"'s symbolic link to a program that is not safe is refused' '
	install -d -m 777 "$place/open"; cp "$place/bin/jacamar" "$place/open/"
	ln -s open/jacamar "$place/link"
	refused "jacamar_path = \"$place/link\"" "$place/open is writable by group or others"'
except none "$no_gain" check 'a program that not everyone can execute is refused' '
	chmod 750 "$place/bin/jacamar"; refused "$path" "not a program that everyone may execute"
	result=$?; chmod 755 "$place/bin/jacamar"; return $result'
except none "$no_gain" check 'a program that changes while the job runs is refused from then on' '
	write_config "data_dir = \"\$HOME\"" "downscope = \"$downscope\"
$path"
	prepare_call && chmod 777 "$place/bin" && echo "echo the script runs" | call >"$box/log"
	result=$?; chmod 755 "$place/bin"; [ "$(call_exit)" = 2 ] &&
	logged "is writable by group or others" && ! grep "the script runs" "$box/log" && call_cleanup'
check 'a file that is not a program is a system failure of prepare' '
	rm -rf "$home/.jacamar-ci"; printf "\\177ELF no program" >"$place/bin/jacamar"
	write_config "data_dir = \"\$HOME\"" "downscope = \"$downscope\"
$path"
	bounded_play; [ $? -eq 2 ] && { logged "cannot execute $place/bin/jacamar" ||
	logged "sudo ended with code 127 before jacamar ran"; } && nothing_ran'
check 'another program is a system failure of prepare, however it ends' '
	for other in true false; do
		cp "/bin/$other" "$place/bin/jacamar"
		bounded_play; [ $? -eq 2 ] && logged "before" && nothing_ran || exit 1
	done'
write_config

except 'root sudo none' 'there are no file capabilities' check 'a program without its capabilities says so' '
	setcap -r "$prefix/bin/jacamar-auth"; bounded_play; result=$?
	setcap cap_setgid,cap_setuid=ep "$prefix/bin/jacamar-auth"
	[ $result -eq 2 ] && logged "setcap cap_setgid,cap_setuid=ep" && nothing_ran'
except 'root sudo none' 'there are no file capabilities' check 'a program with one of its two capabilities says so' '
	setcap cap_setuid=ep "$prefix/bin/jacamar-auth"; bounded_play; result=$?
	setcap cap_setgid,cap_setuid=ep "$prefix/bin/jacamar-auth"
	[ $result -eq 2 ] && logged "setcap cap_setgid,cap_setuid=ep" && nothing_ran'
except 'root sudo none' 'there are no file capabilities' check 'a program that starts with no_new_privs says so' '
	(become() { setpriv --no-new-privs "$build/t/as" "$@"; }; bounded_play)
	[ $? -eq 2 ] && logged "Remove NoNewPrivileges=yes" && nothing_ran'

# The user's processes: as many as there may be, or one more.
limited() {
	(become() { command prlimit --nproc="$nproc" "$build/t/as" "$@"; }; nproc=$1; shift; bounded_play "$@")
}
except none 'they would be too many for the runner as well' check 'a user with too many processes: a system failure that says so' '
	as "$usr" sh -c "for i in \$(seq 40); do sleep 600 & done"
	limited 30; result=$?; end_all; wait_until "! pgrep -U $usr >/dev/null"
	[ $result -eq 2 ] && logged "Resource temporarily unavailable" && nothing_left'
check 'a limit that leaves no room for the shell: a system failure that says so' '
	write_config "data_dir = \"\$HOME\"" "downscope = \"$downscope\"
limits.nproc = 1"
	bounded_play; [ $? -eq 2 ] && logged "Resource temporarily unavailable" &&
	! grep "the script runs" "$box/log" && nothing_left'
write_config
# More than the soft limit, which jobs need not keep to, and not more than a job may have.
except none 'they would be too many for the runner as well' check 'cleanup finds a process free where a job has taken all it may have' '
	wait_until "! pgrep -U $usr >/dev/null"
	echo true | job && prepare_call && echo true | call && [ "$(call_exit)" = 0 ] || exit 1
	as "$usr" sh -c "for i in \$(seq 52); do sleep 600 & done"
	cleanup_with prlimit --nproc=45:60; result=$?; end_all; cat "$box/log"
	[ $result -eq 0 ] && ! find "$home/.jacamar-ci/scripts" -type f | grep .'
except none 'no place would be left for the runner either' check 'a job that leaves a bomb, which takes each place that is free, is cleaned up all the same' '
	wait_until "! pgrep -U $usr >/dev/null"
	echo "$box/stray daemon ignore close bomb live" | command_job
	limited 50; nothing_left; result=$?; cat "$box/log"; end_all; [ $result -eq 0 ]'

# The user's keys: a job can use up the quota of its user, and keep it used up.
compile keys
check 'a job that uses up the keys of its user is cleaned up all the same' '
	printf "%s\n" "$box/keys fill >~/keys 2>&1 & until [ -s ~/keys ]; do sleep 0.05; done" |
		command_job
	bounded_play; cat "$box/log"; nothing_left; result=$?; end_all
	as "$usr" "$box/keys" clear; [ $result -eq 0 ]'
check 'a full disk: a system failure that says so' '
	rm -rf "$home/.jacamar-ci"; echo "echo the script runs" | command_job; prepare_call
	write_config "data_dir = \"\$HOME\"" "downscope = \"$downscope\"
limits.fsize = 1000"
	prepare_call && { echo "echo the script runs"; head -c 5000 /dev/zero | tr "\0" "#"; } |
		call >"$box/log"
	[ "$(call_exit)" = 2 ] && ! grep "the script runs" "$box/log" && call_cleanup && nothing_left'

finish
