#!/bin/sh
# The flavour that has no privilege of its own: sudo changes the account, as sudoers allows.
FLAVOUR=sudo
. "$(dirname "$0")/lib.sh"
need_root
command -v visudo >/dev/null || skip_all 'needs sudo'
compile stray
install_site
home=$box/home/$usr
short='kill_timeout = "2s"'
write_config "data_dir = \"\$HOME\"
$short"

# What the manual says

check 'jacamar-auth is a link, and has no capability' '
	[ -L "$prefix/bin/jacamar-auth" ] && ! getcap -r "$prefix" | grep .'
check 'the lines of the manual are six, and visudo finds no fault with them' '
	[ "$(grep -c . "$box/sudoers")" = 6 ] && grep "parsed OK" "$box/visudo"'
cat >"$box/script" <<SCRIPT
id; grep -e Groups -e Uid -e Gid -e Cap -e NoNew -e SigIgn -e SigBlk /proc/self/status
$find_auth; ps -o user:32=,args= -ww -p \$auth,\$sudo,\$user_side,\$PPID,\$\$
tr '\0' '\n' </proc/\$PPID/environ | sed 's/^/has /'
pwd; umask; ulimit -n
for fd in /proc/\$PPID/fd/*; do echo "descriptor \${fd##*/}"; done
exit 3
SCRIPT
check 'they are all that a job needs' '
	command_job <"$box/script"; bounded_play; [ $? -eq 1 ] && logged "exit code 3" && nothing_left'
check 'what is executed is what the manual says' '
	cat >"$box/expected" <<-TREE
	$runner $prefix/bin/jacamar-auth run SCRIPT build_script
	root sudo -n -u $usr -- $prefix/bin/jacamar --no-auth run env-script build_script
	$usr $prefix/bin/jacamar --no-auth run env-script build_script
	$usr /usr/bin/bash --login
	$usr bash $(scripts_dir)/build_script.bash
	TREE
	grep -A4 "jacamar-auth run /" "$box/log" | sed "s/  */ /g; s|run /[^ ]*|run SCRIPT|" |
		diff "$box/expected" -'
check 'all uids and gids of the job are those of the user' '
	uid=$(id -u "$usr") gid=$(id -g "$usr")
	grep -P "^Uid:\t$uid\t$uid\t$uid\t$uid$" "$box/log" &&
	grep -P "^Gid:\t$gid\t$gid\t$gid\t$gid$" "$box/log" && grep -P "^Groups:\t$gid $" "$box/log"'
check 'the job has no capability, and ignores and blocks no signal' '
	[ "$(grep -cP "^(Cap(Inh|Prm|Eff|Amb)|SigIgn|SigBlk):\t0000000000000000$" "$box/log")" = 6 ]'
check 'the login shell has the same environment as with file capabilities' '
	printf "%s\n" "HOME=$home" "LOGNAME=$usr" \
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin" \
		"SHELL=/bin/bash" "USER=$usr" >"$box/expected"
	sed -n "s/^has //p" "$box/log" | grep -v "^JACAMAR_CI_JOB=[0-9a-f]*$" | sort |
		diff "$box/expected" - && grep -q "^has JACAMAR_CI_JOB=" "$box/log"'
check 'the login shell has the same file descriptors as with file capabilities' '
	sed -n "s/^descriptor //p" "$box/log" | sort -n >"$box/has"
	printf "%s\n" 0 1 2 10 78 79 | diff - "$box/has"'
check 'the login shell starts in the home directory, with umask 0022' '
	grep -x 0022 "$box/log" && logged "$home/.jacamar-ci/builds/short/000/group/project"'

# What sudo gets is nothing of the service's, and what it adds does not reach the job.
check 'no variable of the service environment is on either side of sudo' '
	printf "%s\n" "env | sed s/^/has-/" "$hold" | job; prepare_call
	call_environment="SERVICE_SECRET=secret LD_SECRET=secret BASH_ENV=/nonexistent SUDO_FLAG=1"
	mkdir -p "$box/open"; chmod 1777 "$box/open"; mkfifo -m 666 "$box/open/up" "$box/open/down"
	{ echo "env | sed s/^/has-/"; echo "$hold"; } | call >"$box/log" & waited=$!
	timeout 60 head -n 1 "$box/open/up"; user_side=$(user_side_pid)
	tr "\0" "\n" <"/proc/$user_side/environ" | sort >"$box/user-side"
	tr "\0" "\n" <"/proc/$(ps -o ppid= -p "$user_side" | tr -d " ")/environ" | sort >"$box/sudo"
	timeout 60 sh -c "echo go >$box/open/down"; wait $waited
	cat "$box/sudo"; printf "%s\n" LC_ALL=C PATH=/usr/bin:/bin | diff - "$box/sudo" &&
	! grep -i secret "$box/user-side" "$box/log" && ! grep "^has-SUDO" "$box/log" && call_cleanup'
check 'no variable of the service environment is in the job if sudo keeps its environment' '
	write_sudoers "Defaults:$runner !env_reset, env_keep += SERVICE_SECRET"; prepare_call
	echo "env | sed s/^/has-/" | call >"$box/log"; [ "$(call_exit)" = 0 ] && call_cleanup &&
	! grep -i -e secret -e "has-SUDO" "$box/log"; result=$?; write_sudoers; return $result'
call_environment=
check 'variables that the site lets through reach the job' '
	write_config "data_dir = \"\$HOME\"" "downscope = \"sudo\"
downscope_env = [\"SITE_NAME\"]"
	(become() {
		local home=$1 who=$2
		shift 2
		"$build/t/as" "$home" "$who" SITE_NAME="our site" TZ=Asia/Tokyo "$@"
	}
	echo "echo \"<\$SITE_NAME><\$TZ>\"" | job && bounded_play && logged "<our site><Asia/Tokyo>")'

# Bound as with capabilities: what would keep sudo from working comes behind it.
check 'auth.no_new_privs, auth.limits and auth.seccomp hold for the job' '
	write_config "data_dir = \"\$HOME\"" "downscope = \"sudo\"
no_new_privs = true
limits.nofile = 200
limits.nproc = 60
limits.fsize = 1000000
limits.as = 500000000
[auth.seccomp]
block_calls = [\"mknod\", \"mknodat\"]"
	printf "%s\n" "grep -e NoNewPrivs -e ^Seccomp: /proc/self/status; mkfifo fifo 2>&1 || echo filtered" \
		"echo limits \$(ulimit -n -u -f -v | grep -o \"[0-9]*\$\")" | job
	[ -z "${SANITIZE:-}" ] || sed -i /limits.as/d "$etc/jacamar-config.toml"
	bounded_play && grep -P "^NoNewPrivs:\t1$" "$box/log" && logged "limits 200 60 976" &&
	grep -P "^Seccomp:\t2$" "$box/log" && grep -x filtered "$box/log"'
check 'auth.min_uid and auth.shell_allowlist do, too' '
	write_config "data_dir = \"\$HOME\"" "downscope = \"sudo\"
min_uid = 4000000000"
	bounded_play; [ $? -eq 1 ] && logged "$neutral" &&
	write_config "data_dir = \"\$HOME\"" "downscope = \"sudo\"
shell_allowlist = [\"/bin/zsh\"]" && { bounded_play; [ $? -eq 1 ]; } && logged "$neutral"'
say_why
check 'a data_dir that only the login shell of the user knows is found through sudo' '
	echo "export SITE_WORK=$box/open/work" >"$home/.bash_profile"; mkdir -p -m 1777 "$box/open/work"
	write_config "data_dir = \"\$SITE_WORK\""; echo pwd | job
	bounded_play && logged "$box/open/work/$usr/builds/short/000/group/project"; result=$?
	rm -f "$home/.bash_profile"; return $result'
check 'jacamar-auth with file capabilities drops them before it calls sudo' '
	make -s -C "$top" install-caps DESTDIR= PREFIX="$prefix" SERVICE_USER="$runner" \
		${SANITIZE:+SANITIZE=$SANITIZE} >/dev/null && write_config && echo "id -un" | job && bounded_play &&
	grep -x "$usr" "$box/log"; result=$?
	make -s -C "$top" install DESTDIR= PREFIX="$prefix" ${SANITIZE:+SANITIZE=$SANITIZE} >/dev/null
	return $result'
write_config "data_dir = \"\$HOME\"
$short"

# The job cannot do as sudo or its supervisor do.
check 'an exit code of 1 is that of the script, not a failure of sudo' '
	echo "exit 1" | job; bounded_play; [ $? -eq 1 ] && logged "exit code 1"'
check 'the script cannot signal sudo' '
	printf "%s\n" "$find_auth; for s in TERM KILL STOP HUP; do kill -\$s \$sudo && echo reached it; done" \
		"echo tried \$sudo" | command_job; bounded_play; cat "$box/log"
	grep "^tried [0-9]" "$box/log" && ! grep "^reached it" "$box/log"'

# sudo says no: a system failure with sudo own line and ours, and nothing runs.
refused() {
	bounded_play
	[ $? -eq 2 ] && ! grep "^the script runs" "$box/log" && no_process &&
		! find "$home/.jacamar-ci" -name '*.bash' 2>/dev/null | grep . &&
		logged "sudoers must have: $runner ALL = ($usr) NOPASSWD: $prefix/bin/jacamar --no-auth $1;" &&
		logged "${2:-sudo: }"
}
echo 'echo the script runs' | job
check 'without the lines in sudoers, sudo refuses the job' 'rm "$sudoers"; refused "config env-script" "sudo: a password is required"'
check 'for another user, too' '
	write_sudoers; sed -i "s/($usr, $two)/($two)/" "$sudoers"; refused "config env-script"'
check 'sudo refuses the job if it asks for a password' '
	write_sudoers; sed -i "s/ NOPASSWD: / /" "$sudoers"; refused "config env-script" "sudo: a password is required"'
check 'sudo refuses the job if it requires a terminal' '
	write_sudoers "Defaults:$runner requiretty"
	if (: </dev/tty) 2>/dev/null; then echo "there is one here"; else
		refused "config env-script" "you must have a tty"; fi'
check 'sudo refuses the job if sudoers allows no sub-stage' '
	write_sudoers; sed -i "/ run env-script/d" "$sudoers"; refused "run env-script *"'
check 'sudo refuses the job if the service account has expired' '
	write_sudoers; chage -E 1 "$runner"; refused "config env-script"; result=$?
	chage -E -1 "$runner"; return $result'
check 'sudo refuses the job if no_new_privs is set' '
	(become() { setpriv --no-new-privs "$build/t/as" "$@"; }; refused "config env-script")'
write_sudoers

# sudo does something else than was asked for.
proven() {
	write_sudoers "Defaults:$runner $1"
	bounded_play
	[ $? -eq 2 ] && ! grep "^the script runs" "$box/log" && no_process && logged "$2" &&
		! logged "sudoers must have" >/dev/null
}
check 'other groups than those of the user are refused' '
	groupadd "jtg$$" && usermod -aG "jtg$$" "$runner" && proven preserve_groups "other groups than those of $usr"
	result=$?; groupdel "jtg$$"; return $result'
check 'a sudo that keeps the uid of the service account is refused' 'proven stay_setuid "the identity of $usr is not complete"'
check 'a sudo that logs standard input is refused' '
	write_sudoers "Defaults!$prefix/bin/jacamar log_input, iolog_dir=$box/iolog"
	bounded_play; [ $? -eq 2 ] && logged "does sudo log it (log_input)?" && no_process &&
	! grep "^the script runs" "$box/log"'
check 'which the lines of the manual turn off' '
	write_sudoers "Defaults log_input, iolog_dir=$box/iolog"; rm -rf "$box/iolog"
	bounded_play && logged "the script runs" && [ ! -e "$box/iolog" ]'
write_sudoers

# The ways in which sudo itself runs a command, and each ends what it should.
forgetful="$box/stray daemon ignore close forget live; trap '' TERM; $box/stray ignore live &"
for way in use_pty '!use_pty' '!use_pty, !pam_session, !pam_setcred' "log_output, iolog_dir=$box/iolog"; do
	write_sudoers "Defaults!$prefix/bin/jacamar $way"
	case $way in *pam*) stays=0 ;; *) stays=1 ;; esac
	check "with $way: the exit code is the script's" '
		printf "%s\n" "$find_auth; echo sudo stays: \$(ps -o args= -p \$sudo | grep -c ^sudo)" "exit 255" |
			command_job
		bounded_play; [ $? -eq 1 ] && logged "exit code 255" && logged "sudo stays: $stays" && nothing_left'
	# sudo drops what it has not got rid of when the command ends.
	case $way in *log_output*) ;; *)
		check "with $way: the log is complete" '
			printf "%s\n" "head -c 3000000 /dev/zero | tr \"\\0\" X; printf %s end" | command_job
			bounded_play && [ "$(grep -o "^X*end" "$box/log" | wc -c)" = 3000004 ] && nothing_left
			result=$?; tr -d X <"$box/log"; return $result' ;;
	esac
	check "with $way: a cancelled job ends" 'command_job <<-SCRIPT
		trap "" TERM; $box/stray daemon ignore close forget live; $box/stray ignore live &
		echo it is ready; while :; do sleep 600; done
		SCRIPT
		bounded_play --cancel-on "is ready"; [ $? -eq 4 ] && nothing_left'
	check "with $way: so does one whose user side is killed" '
		play_and "$forgetful" "kill -KILL \$(user_side_pid)"; [ $played -eq 2 ] &&
		logged "killed by signal 9" && nothing_left'
	check "with $way: so does one whose user side is stopped" '
		play_and "$forgetful" "kill -STOP \$(user_side_pid); kill -TERM \$(auth_pid)"
		[ $played -eq 2 ] && nothing_left'
	check "with $way: so does one whose jacamar-auth is killed" '
		play_and "$forgetful" "kill -KILL \$(auth_pid)"
		[ "$(stage_exit run build_script)" = "signal 9" ] && nothing_left'
done
write_sudoers
check 'a sudo that is killed takes its job with it' '
	play_and "$forgetful" "kill -KILL \$(ps -o ppid= -p \$(user_side_pid))"; [ $played -eq 2 ] &&
	logged "killed by signal 9" && nothing_left'
check 'a user side that is stopped and goes on does not stop sudo for good' '
	printf "%s\n" "$find_auth; (sleep 0.2; kill -CONT \$user_side) & kill -STOP \$user_side; sleep 0.5; exit 7" | job
	bounded_play; [ $? -eq 1 ] && logged "exit code 7" && nothing_left'
check 'a process that keeps forking after the user side was killed is ended' '
	play_and "$find_auth; $box/stray daemon ignore close forget comet live; touch ~/ready; kill -KILL \$user_side" :
	[ $played -eq 2 ] && nothing_left && never_living'

# What cannot be had is not hidden: this one kills whoever comes as its user.
check 'a process that kills all that would end it is left, and the log says so' '
	play_options="--eof-timeout 1"
	play_and "$find_auth; $box/stray daemon close forget killer" :
	{ nothing_left || { logged "some of its processes could not be" && living; }; } && [ $played -ne 0 ]
	result=$?; pkill -KILL -U "$usr" -x stray; return $result'
play_options=
check 'the next job of that user runs as usual' '
	wait_until job_is_over; echo "exit 3" | job; bounded_play; [ $? -eq 1 ] && logged "exit code 3" && nothing_left'

finish
