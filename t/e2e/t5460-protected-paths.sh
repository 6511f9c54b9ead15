#!/bin/sh
# A job of a ref that is not protected can use none of auth.protected_paths, whatever it does in this
# sub-stage to use them in the next one.
# Flavours: caps sudo none
. "$(dirname "$0")/lib.sh"
compile stray
install_site
say_why
home=$box/home/$usr
file=$etc/jacamar-config.toml

# site PATHS [AUTH-LINES [GENERAL-LINES]]
site() {
	write_config "data_dir = \"\$HOME\"
kill_timeout = \"2s\"
${3:-}" "downscope = \"$downscope\"
no_new_privs = true
isolate = true
protected_paths = [$1]
${2:-}"
}
said() { grep -Fx -- "$1" "$box/log" || { cat "$box/log"; return 1; }; }
check_config() { as "$runner" "$prefix/bin/jacamar" config --check "$file" >"$box/answer" 2>"$box/log"; }

check 'the key needs isolate' '
	site "\"~/.ssh\""; sed -i "/^isolate/d" "$file"; check_config; [ $? -eq 2 ] &&
	logged "$file:10: auth.protected_paths needs auth.isolate"'
check 'a path is absolute or in the home, without components that lead elsewhere' '
	for path in .ssh "~two/.ssh" / "~/" "~/.ssh/" /home//two "~/../two" /home/./two "\$HOME/.ssh"; do
		site "\"$path\""; check_config; [ $? -eq 2 ] && logged "$file:11: an item of auth.protected_paths must" || exit 1
	done
	site "\"~\", \"/etc/site/secrets\", \"~/..ssh\""; check_config'

site '"~/.ssh"'
check_config || {
	skip 'paths are protected' "$(cat "$box/log")"
	finish
}

# The home as it is before each check: nothing of the secrets has moved, nor been changed.
secret='top secret'
as "$usr" sh -c "umask 077; cd; mkdir -p .ssh/keys .config .config/gh work private private/short private/short/000
for f in .ssh/id .ssh/keys/id .config/gh/hosts .netrc private/short/000/id; do echo '$secret' >\$f; done
echo public | tee notes .config/other >work/file"
paths='"~/.ssh", "~/.config/gh", "~/.netrc", "~/.gnupg", "~/private"'
ref() { token ref_protected="$1"; }
keeps_secrets() {
	! grep -F "$secret" "$box/log" && [ "$(cat "$home/.ssh/id" "$home/.ssh/keys/id" "$home/.config/gh/hosts" \
		"$home/.netrc" "$home/private/short/000/id" | grep -cFx "$secret")" = 5 ]
}
read_all='cat ~/.ssh/id ~/.ssh/keys/id ~/.config/gh/hosts ~/.netrc ~/private/short/000/id'

site "$paths"
check 'a job of a protected ref reads the paths' '
	echo "$read_all" | job "$(ref true)"; bounded_play && [ "$(grep -cFx "$secret" "$box/log")" = 5 ]'
check 'a job of another ref does not' '
	echo "$read_all || true" | job "$(ref false)"; bounded_play && keeps_secrets &&
	[ "$(grep -c "Permission denied" "$box/log")" = 5 ]'
check 'nor one whose token does not name a ref' '
	echo "$read_all || true" | job "$(token ref_protected=)"; bounded_play && keeps_secrets'
check 'nor one of a fork, whose owner can protect refs there' '
	site "$paths" "allow_fork_pipelines = true"
	echo "$read_all || true" | job "$(token ref_protected=true project_id=30 project_path=fork/project job_project_id=20 job_project_path=group/project)"
	bounded_play; cat "$box/log"; keeps_secrets && [ "$(grep -c "Permission denied" "$box/log")" = 5 ]'
site "$paths"
check 'it writes, creates and removes nothing there' '
	printf "%s\n" "exec 2>&1" "echo key >~/.ssh/authorized_keys || echo no 1" "echo x >>~/.netrc || echo no 2" "mkdir ~/.gnupg || echo no 3" \
		"rm -rf ~/.ssh ~/.config/gh ~/.netrc || echo no 4" "chmod 755 ~/private || true" | job "$(ref false)"
	bounded_play; chmod 700 "$home/private"; keeps_secrets && for n in 1 2 3 4; do said "no $n" || exit 1; done
	[ ! -e "$home/.gnupg" ] && [ ! -e "$home/.ssh/authorized_keys" ]'
check 'all other files are as before' '
	printf "%s\n" "cat ~/notes ~/.config/other ~/work/file /etc/passwd >/dev/null" "echo more >>~/notes" "ls / ~ ~/.config /proc/self >/dev/null" \
		"mkdir -p a b ~/work/d ~/.jacamar-ci/other; echo 1 >a/x; mv a/x b/y; ln b/y a/z; mv a ~/work/d/; mv ~/work/d/a c; rm -r b c ~/work/d" \
		"cp /bin/true t; ./t; git init -q g; mkfifo f; ln -s f l" "mktemp -p . >/dev/null" "python3 -c \"import pty; pty.spawn(\\\"true\\\")\"" "echo all done" |
		job "$(ref false)"; bounded_play && said "all done"'

# What a job could do so that the path, or a later sub-stage, leads it there.
attack() {
	job_extra='.scripts.after_script = ["cat ~/x/id ~/x/keys/id ~/work/x/id ~/work/x ~/n ~/work/n ~/.ssh/id ~/.netrc ~/work/l/id 2>/dev/null || echo after"]'
	printf '%s\n' "$@" | job "$(ref false)"
	bounded_play
	cat "$box/log"
	keeps_secrets && said after
}
check 'a protected path cannot be renamed' 'attack "mv ~/.ssh ~/x || true" "mv ~/.ssh ~/work/x || true" "mv ~/.ssh/keys ~/work/x || true" "mv ~/.netrc ~/work/x || true"'
check 'it cannot be linked' 'attack "ln ~/.netrc ~/n || true" "ln ~/.netrc ~/work/n || true" "ln ~/.ssh/id ~/work/n || true"'
check 'a directory above it cannot be renamed, nor exchanged' '
	attack "mv ~/.config ~/x || true" "mv ~/.config ~/work/x || true" "mv -T ~/work ~/.ssh || true" \
		"python3 -c \"import ctypes,os; print(ctypes.CDLL(None).renameat2(-100, os.path.expanduser(\\\"~/.ssh\\\").encode(), -100, os.path.expanduser(\\\"~/work\\\").encode(), 2))\" || true"'
check 'a symbolic link does not lead there' 'attack "ln -s ~/.ssh ~/work/l" "cat ~/work/l/id || true" "rm ~/work/l"'
check 'nor does another name of the file system' '
	attack "cat /proc/self/root$home/.ssh/id || true" "cat /proc/self/cwd/../../../../../../../../../.ssh/id || true" "cd ~/.ssh && cat id || true" \
		"cat /proc/\$PPID/root$home/.netrc || true" "exec 5<$home/.ssh; cat /proc/self/fd/5/id || true" "python3 -c \"import os; fd=os.open(\\\"$home/.netrc\\\", os.O_PATH); print(open(\\\"/proc/self/fd/%d\\\" % fd).read())\" || true"'
check 'nor does a mount of its own' '
	attack "unshare -rm sh -c \"mount --bind $home/.ssh $home/work && cat $home/work/id; mount -t tmpfs none $home/.ssh; chroot / cat $home/.ssh/id\" || true"'
check 'nor does a process of an earlier sub-stage' '
	attack "setsid -f sh -c \"until cat ~/.ssh/id 2>/dev/null >~/work/stolen; do sleep 0.2; [ -e ~/work/stop ] && break; done\" >/dev/null 2>&1 </dev/null"
	[ ! -s "$home/work/stolen" ]'
# A process that an earlier sub-stage has left can call chmod for a directory above the path, so that
# jacamar cannot reach it at one moment, and lists it at the next. Here fault makes jacamar fail once.
check 'nor does a directory above it that jacamar can reach only a moment later' '
	site "\"~/.config/gh\""; echo : | job "$(ref false)"; prepare_call
	for number in 0 1 2; do
		(become() { command "$build/t/fault" "$box/report" "$prefix" openat2 "$((number > 0))" "$number" 13 "$build/t/as" "$@"; }
			echo "cat ~/.config/gh/hosts ~/.config/other || true" | call >"$box/log"); cat "$box/log"
		[ "$(call_exit)" = 0 ] && logged "hosts: Permission denied" && keeps_secrets &&
			[ "$(grep -c " injected" "$box/report")" = "$((number > 0))" ] || { cat "$box/report"; exit 1; }
	done; call_cleanup'
check 'nor do builds directories that the author chooses' '
	site "$paths" "" "custom_build_dir = true"
	job_extra=".custom_env = {CUSTOM_CI_BUILDS_DIR: \"$home/private\"}"
	echo "cat ~/private/short/000/id id ../id ../../id || true" | job "$(ref false)"; bounded_play; cat "$box/log"; keeps_secrets'
end_all

check 'the login shell that config asks for data_dir cannot read them, either' '
	printf "%s\n" "cat ~/.ssh/id ~/.netrc >~/work/asked 2>&1" "export PLACE=$home/work" >"$home/.bash_profile"; chown "$usr" "$home/.bash_profile"
	site "$paths"; sed -i "s|^data_dir.*|data_dir = \"\$PLACE\"|" "$file"
	echo : | job "$(ref false)"; configure; result=$?; rm -f "$home/.bash_profile"; cp "$home/work/asked" "$box/log"
	[ $result -eq 0 ] && keeps_secrets && logged "Permission denied"'

check 'a job cannot choose a protected directory as data_dir of the next one' '
	install -d "$box/secrets"; cp -rp "$home/private" "$box/secrets/$usr"; site "\"$box/secrets\""
	sed -i "s|^data_dir.*|data_dir = \"\$PLACE\"|" "$file"
	echo "export PLACE=$box/secrets" >"$home/.bash_profile"; chown "$usr" "$home/.bash_profile"
	echo "cat $box/secrets/$usr/short/000/id || true" | job "$(ref false)"; bounded_play; rm -f "$home/.bash_profile"; cat "$box/log"
	logged "Permission denied" && keeps_secrets'

# Links above a path.
check 'a path through a link is refused' '
	as "$usr" ln -s work "$home/linked"; as "$usr" ln -s work/file "$home/last"
	for path in "~/linked/file" "~/last" "$home/linked/none"; do
		site "\"$path\""; echo "echo ran" | job "$(ref false)"; bounded_play; [ $? -eq 2 ] && ! logged ran >/dev/null &&
		logged "$path of auth.protected_paths is, or is below, a symbolic link, which a job could replace: make it a directory" || exit 1
	done; rm "$home/linked" "$home/last"'
except none 'it is the home of the runner' check 'a link of root above the home is followed' '
	ln -s home "$box/link" && usermod -d "$box/link/$usr" "$usr"; site "\"~/.ssh\", \"~/.netrc\""
	echo "cd; pwd; cat ~/.ssh/id $home/.ssh/id $home/.netrc || true" | job "$(ref false)"
	bounded_play; result=$?; usermod -d "$home" "$usr"; [ $result -eq 0 ] && said "$box/link/$usr" && keeps_secrets &&
	[ "$(grep -c "Permission denied" "$box/log")" = 3 ]'

# The whole home.
check 'with the whole home protected a job still has its own directories' '
	site "\"~\", \"~/.config/gh\""; printf "%s\n" "exec 2>&1" "cat ~/.config/other || echo no other" "echo built >file" "cat file" "mkdir -p ~/.jacamar-ci/cache/c; echo 1 >~/.jacamar-ci/cache/c/x" "cat ~/notes || echo no notes" "echo x >~/.bashrc || echo no profile" \
		"$read_all || true" | job "$(ref false)"; bounded_play && said built && said "no other" && said "no notes" && said "no profile" && keeps_secrets'
check 'where jobs work cannot be protected' '
	for path in "~/.jacamar-ci" "~/.jacamar-ci/builds"; do
		site "\"$path\""; echo "echo ran" | job "$(ref false)"; bounded_play; [ $? -eq 2 ] && ! logged "ran" >/dev/null &&
		logged "auth.protected_paths has $path, but jobs work in $home/.jacamar-ci" || exit 1
	done'
check 'jobs end as usual' '
	site "$paths"; echo "$box/stray daemon ignore close forget live; trap \"\" TERM; echo it is ready; sleep 600" | command_job "$(ref false)"
	bounded_play --cancel-on "is ready"; [ $? -eq 4 ] && nothing_left'

finish
