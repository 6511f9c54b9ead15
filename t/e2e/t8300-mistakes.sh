#!/bin/sh
# What administrators get wrong: each mistake gets one line that names the file, the key or the
# account, and the way out; and nothing runs.
. "$(dirname "$0")/lib.sh"
install_site
auth=$prefix/bin/jacamar-auth
ci=$prefix/libexec/jacamar-ci
file=$etc/jacamar-config.toml
# A place of root's below /, as /tmp itself is everybody's.
place=$prefix/place
install -d -m 755 "$place"
at_end() {
	[ ! -d "$box/home/gone" ] || mv "$box/home/gone" "$box/home/$usr"
}

# The lines of a good file: what a mistake adds to [general] is line 4, to [auth] line 7.
# general LINE, auth LINE: a good file with that line more.
general() { write_config "data_dir = \"\$HOME\"
$1"; }
auth() { write_config "data_dir = \"\$HOME\"" "downscope = \"setuid\"
$1"; }

# set_right: all as the guide has it.
set_right() {
	rm -f "$auth"
	chmod 755 "$prefix" "$prefix/bin" "$ci"
	setcap -r "$ci" 2>/dev/null
	install -m 750 -g "$runner" "$ci" "$auth"
	setcap cap_setgid,cap_setuid=ep "$auth"
	write_config
	rm -rf "$place/data" "$box/home/$usr/.jacamar-ci"
	job </dev/null
}

# The ways in which a mistake comes to light; all leave what is said in $box/log. Others than
# configure, which is the stage config with -u:
by_hand() { as "$runner" "$@" >"$box/log" 2>&1 </dev/null; }
a_job() { rm -f "$box/result.json"; say_why; play; }
as_root() { (runner=root; configure); }
# COMMANDS: with mounts that nobody else sees.
with_mounts() {
	mounts=$1
	(
		become() { unshare -m sh -c "$mounts"' && exec "$@"' - "$build/t/as" "$@"; }
		configure
	)
}
can_mount() { unshare -m mount --bind "$box" "$box" 2>/dev/null; }

# one_line_has_all: of $box/words, which are one a line.
one_line_has_all() {
	cp "$box/log" "$box/lines"
	while IFS= read -r word; do
		grep -F -- "$word" "$box/lines" >"$box/fewer" || {
			echo "no line has, with what stands before it: $word"
			cat "$box/log"
			return 1
		}
		mv "$box/fewer" "$box/lines"
	done <"$box/words"
}

# mistake 'what is wrong' 'how to make it so' 'how it comes to light' WORDS...: of one line.
mistake() {
	title=$1 make=$2 shows=$3
	shift 3
	printf '%s\n' "$@" >"$box/words"
	set_right
	check "$title" '
		eval "$make" || exit 1
		eval "$shows"; code=$?
		config_failed $code && nothing_ran && one_line_has_all || { echo "code $code"; cat "$box/log"; false; }'
}
echo 'echo the job ran' | job
check 'a site without a mistake (so that the next tests tell something)' 'play && logged "the job ran"'

# Installing

mistake 'setcap was forgotten' \
	'setcap -r "$auth"' configure \
	'cannot change accounts' "run: setcap cap_setgid,cap_setuid=ep $auth"
mistake 'setcap was run for jacamar instead' \
	'setcap -r "$auth"; setcap cap_setgid,cap_setuid=ep "$ci"' configure \
	'cannot change accounts' "run: setcap cap_setgid,cap_setuid=ep $auth"
mistake 'the unit of the service has NoNewPrivileges=yes' \
	: 'configure setpriv --no-new-privs' \
	'cannot change accounts' 'Remove NoNewPrivileges=yes' "unit of the runner's service"
if can_mount; then
	mistake 'it is on a nosuid mount' \
		: 'with_mounts "mount --bind $prefix $prefix && mount -o remount,bind,nosuid $prefix"' \
		'cannot change accounts' "$auth is on a nosuid mount" 'without nosuid'
else
	skip 'it is on a nosuid mount' 'nothing can be mounted here'
fi
mistake 'everyone may execute jacamar-auth' \
	'chmod 755 "$auth"' configure \
	'has capabilities, and everyone may execute it' "run: chmod o-rwx $auth"
mistake 'jacamar-auth is a hard link to jacamar' \
	'ln -f "$ci" "$auth" && setcap cap_setgid,cap_setuid=ep "$auth"' configure \
	'everyone may execute it under another name' "$auth has hard links" 'make install-caps'
mistake 'a user is in the group of the service account' \
	'usermod -aG "$runner" "$usr"' 'configure; code=$?; gpasswd -d "$usr" "$runner" >/dev/null; (exit $code)' \
	"$usr is in the group (gid $(id -g "$runner"))" "remove $usr from that group, or install $auth for a group"
mistake 'the group may write to a directory above' \
	'chmod 775 "$prefix/bin"' configure \
	"$prefix/bin is writable by group or others" "run: chmod go-w $prefix/bin"
mistake 'a directory above is not of root' \
	'install -d -o "$usr" "$place/data" && cp "$ci" "$place/data/jacamar" && auth "jacamar_path = \"$place/data\""' configure \
	"$place/data is owned by uid $(id -u "$usr")" 'root must own everything' "run: chown root $place/data"
mistake 'jacamar_path leads nowhere' \
	'auth "jacamar_path = \"$place/none\""' configure \
	"cannot find $place/none: No such file or directory" 'is auth.jacamar_path right?' "($file:7)"
mistake 'users may not execute jacamar' \
	'chmod 750 "$ci"' configure \
	"$prefix/bin/jacamar is not a program that everyone may execute" "run: chmod a+rx $prefix/bin/jacamar" auth.jacamar_path
for library in libjose libcurl libseccomp; do
	path=$(ldconfig -p | sed -n "s/.*$library\.so\.[0-9]* .*=> //p" | head -n 1)
	if [ -z "$path" ] || ! can_mount; then
		skip "$library is not installed" 'it cannot be hidden here'
		continue
	fi
	# What it is needed for
	case $library in
	libjose) make= ;;
	libcurl) make='sed "s/^jwks_file.*/gitlab_server = \"https:\/\/localhost:1\"/" "$file" >"$box/f" && cat "$box/f" >"$file"
		job "$(token iss=https://localhost:1)" </dev/null' ;;
	libseccomp) make='auth "no_new_privs = true
seccomp.block_calls = [\"mount\"]"' ;;
	esac
	mistake "$library is not installed" \
		"$make" 'with_mounts "mount --bind /dev/null $path"' \
		"cannot open a library: $path" "install $library"
done

# again [COMMAND...]: make install-caps once more, as for the first time, started by COMMAND.
again() {
	env "$@" make -s -C "$top" install-caps DESTDIR= PREFIX="$prefix" \
		SERVICE_USER="${service_user:-$runner}" ${SANITIZE:+SANITIZE=$SANITIZE}
}
# installed_files: all that is there, with what tells a file from one that has taken its place.
installed_files() { find "$prefix" -printf '%i %m %U:%G %C@ %p\n' | sort; getcap -r "$prefix"; }
set_right
check 'SERVICE_USER is misspelt: nothing is touched' '
	installed_files >"$box/before"; service_user=nobody-here
	! again >"$box/log" 2>&1 && logged "there is no group nobody-here" && logged "SERVICE_USER=" &&
	installed_files | diff "$box/before" -'
mkdir "$box/no-setcap"
printf '#!/bin/sh\nexit 1\n' >"$box/no-setcap/setcap"
chmod 755 "$box/no-setcap/setcap"
check 'the file system takes no capabilities: the program that had them stays' '
	installed_files | grep /bin/ >"$box/before"
	! again PATH="$box/no-setcap:$PATH" && [ ! -e "$auth.new" ] &&
	installed_files | grep "/bin/jacamar-auth\|cap_" >"$box/after"
	grep "/bin/jacamar-auth\|cap_" "$box/before" | diff - "$box/after"'
title='capabilities come when the file is closed to others already, and under another name'
if command -v strace >/dev/null; then
	check "$title" '
		again strace -f -y -o "$box/trace" -e trace=%file,%desc &&
		grep "/bin/jacamar-auth" "$box/trace" | sed "s/^[0-9]* *//" |
			grep -o -e "^open.*O_CREAT.* 0600)" -e "^[fl]*ch[a-z]* *[(].* = 0$" \
				-e "^[fl]*setxattr.*capability" -e "^rename.* = 0$" |
			tee "$box/calls" | sed "s/ *[(].*//; s/^[fl]//; s/at[2]*\$//" | tr "\n" " " >"$box/order"
		cat "$box/calls"
		grep "^open chown chmod setxattr rename $" "$box/order" &&
		grep "chown.* 0, $(id -g "$runner")[,)]" "$box/calls" && grep "chmod.*, 0750)" "$box/calls" &&
		[ "$(getcap "$auth")" = "$auth cap_setgid,cap_setuid=ep" ]'
else
	skip "$title" 'needs strace'
fi

# The configuration

mistake 'config_args names a file that is not there' \
	'rm "$file"' configure \
	"the configuration cannot be used: $file" "(read as $runner;" "config_args in the runner's config.toml"
mistake 'the service account cannot read the file' \
	'chown root "$file"; chmod 600 "$file"' configure \
	"$file: cannot be opened: Permission denied" 'must be able to read it, and to enter the directories above it'
mistake 'the file is of somebody else' \
	'chown "$two" "$file"; chmod 644 "$file"' configure \
	"$file: owned by another account" 'must be root or the account that runs this program; chown it'
mistake 'the service is started as root, for want of User=' \
	: as_root \
	"the configuration cannot be used: $file" "(read as root;"
mistake 'a key is misspelt' \
	'general "kill_timout = \"2m\""' configure \
	"$file:4: unknown key \"kill_timout\" in [general]" 'did you mean "kill_timeout"?'
mistake 'a key is in the wrong section' \
	'general "downscope_env = []"' configure \
	"$file:4: unknown key \"downscope_env\" in [general]" 'did you mean "downscope_env" in [auth]?'
mistake 'a value is of the wrong type' \
	'general "retain_logs = \"true\""' configure \
	"$file:4: general.retain_logs must be true or false, not a string"
mistake 'a duration has no unit' \
	'general "kill_timeout = 120"' configure \
	"$file:4: general.kill_timeout must be a duration in quotes, such as \"90s\"" 'not an integer'
mistake 'a duration has an odd one' \
	'general "kill_timeout = \"2 minutes\""' configure \
	"$file:4: general.kill_timeout must be a duration such as \"90s\"" 'not "2 minutes"'
mistake 'the executor is unknown' \
	'sed "s/\"shell\"/\"Shell\"/" "$file" >"$box/f" && cat "$box/f" >"$file"' configure \
	"$file:2: general.executor must be \"shell\"" 'not "Shell"'
mistake 'data_dir is not absolute' \
	'write_config "data_dir = \"scratch\""' configure \
	"$file:3: general.data_dir must be \"\$HOME\", \"~\", an absolute path" 'not "scratch"'
mistake 'gitlab_server lacks its https://' \
	'general "gitlab_server = \"gitlab.example.com\""' configure \
	"$file:4: general.gitlab_server must be https://host" 'not "gitlab.example.com"'
mistake 'downscope was forgotten' \
	'write_config "data_dir = \"\$HOME\"" "min_uid = 1000"' configure \
	'the configuration lacks auth.downscope' 'set it to "setuid"' "(not set in $file)"
mistake 'sudo shall change the account, and is not there' \
	'write_config "data_dir = \"\$HOME\"" "downscope = \"sudo\""' \
	'if [ -e /usr/bin/sudo ]; then with_mounts "mount --bind /dev/null /usr/bin/sudo && mount --bind /tmp /usr/local/bin"
	else configure; fi' \
	'auth.downscope is "sudo", but /usr/bin/sudo is no' 'install sudo' "($file:6)"
mistake 'a system call is misspelt' \
	'auth "no_new_privs = true
seccomp.block_calls = [\"opne\"]"' configure \
	'auth.seccomp.block_calls names "opne"' "($file:8)"
mistake 'there is no directory for the audit log' \
	'auth "logging.enabled = true
logging.location = \"$place/none/audit.log\""' configure \
	"the audit log cannot be written: $place/none/audit.log: cannot be opened: No such file or directory" '[auth.logging]'

# The runner's config.toml

mistake 'prepare_args are missing' \
	: 'by_hand "$auth"' \
	'the command is missing: config, prepare, run or cleanup' "runner's config.toml" prepare_args
mistake 'run_args are missing' \
	: 'by_hand "$auth" /tmp/custom-executor1/script.1/script. build_script' \
	'unknown command "/tmp/custom-executor1/script.1/script."' "runner's config.toml" run_args
mistake 'config_args are one string' \
	: 'by_hand "$auth" "config --configuration $file"' \
	'unknown command "config --configuration /' "runner's config.toml" config_args 'each word needs quotes of its own'
mistake 'prepare_args are those of run' \
	: 'by_hand "$auth" run' \
	'run needs two arguments, SCRIPT and SUBSTAGE' "in the runner's config.toml" 'it must be the command in run_args, and in no others'
mistake 'run_args are those of cleanup' \
	: 'by_hand "$auth" cleanup /tmp/script. build_script' \
	'cleanup takes no arguments' "in the runner's config.toml" 'it must be the command in cleanup_args, and in no others'
mistake 'config_args lack --configuration' \
	: 'by_hand "$auth" config' \
	'config needs --configuration FILE' "add it to config_args in the runner's config.toml"
mistake 'config_exec is missing' \
	: 'by_hand "$auth" prepare' \
	'JACAMAR_CI_STATE is not set' "is config_exec set in the runner's config.toml"
mistake 'somebody calls it by hand' \
	: 'by_hand "$auth" config --configuration "$file"' \
	'JOB_RESPONSE_FILE is not set' 'by hand, use: config --check FILE'
mistake 'run is called by jacamar --no-auth, after a config by jacamar-auth' \
	: 'configure && by_hand env JACAMAR_CI_STATE="$(jq -r .job_env.JACAMAR_CI_STATE "$box/answer")" \
		"$prefix/bin/jacamar" --no-auth prepare' \
	'config was run by jacamar-auth, but prepare by jacamar --no-auth' 'must call the same program for all stages'

# Jobs and accounts

mistake 'the id token of a job has another name here' \
	'general "jwt_env_variable = \"HPC_TOKEN\""' configure \
	'the job has no id token' 'it needs id_tokens: HPC_TOKEN' general.jwt_env_variable "($file:4)"
check 'and its author is told how to name it' '
	general "jwt_env_variable = \"HPC_TOKEN\""; play; [ $? -eq 1 ] && nothing_ran &&
	logged "it has no id token; in .gitlab-ci.yml, give the job id_tokens: { HPC_TOKEN: { aud: \"https://gitlab.example.com\" } }" &&
	! logged jwt_env_variable >/dev/null'
mistake 'its audience is not that of the site' \
	'general "jwt_required_aud = \"https://hpc.example.com\""' configure \
	'of general.jwt_required_aud' 'set aud to it in .gitlab-ci.yml' "($file:4)"
mistake 'the person has no account here' \
	'job "$(token user_login=nobody-here)" </dev/null' configure \
	"there is no local account 'nobody-here'" 'getent passwd '\''nobody-here'\'' must find it'
mistake 'the account has no shell' \
	'usermod -s /sbin/nologin "$usr"' 'configure; code=$?; usermod -s /bin/bash "$usr"; (exit $code)' \
	"account $usr is closed: its shell is /sbin/nologin" 'add it to auth.shell_allowlist' "(not set in $file)"
mistake 'the uid is below min_uid' \
	'auth "min_uid = 60000"' configure \
	"uid $(id -u "$usr") of $usr is below auth.min_uid, 60000" "($file:7)"
mistake 'the user is blocked' \
	'auth "user_blocklist = [\"$usr\"]"' configure \
	"$usr is in auth.user_blocklist" "($file:7)"
mistake 'nobody made the home' \
	'mv "$box/home/$usr" "$box/home/gone"' 'configure; code=$?; mv "$box/home/gone" "$box/home/$usr"; (exit $code)' \
	"the home directory $box/home/$usr of $usr does not exist: ask the administrators of this site to create it"

# The server and its tokens

mistake 'gitlab_server is another host' \
	'general "gitlab_server = \"https://gitlab.example.org\""' configure \
	'was issued by https://gitlab.example.com, not by https://gitlab.example.org' 'is general.gitlab_server right?' "($file:4)"
mistake 'the server is down' \
	'write_config "" "downscope = \"setuid\""; sed "s/^jwks_file.*/gitlab_server = \"https:\/\/localhost:1\"/; s/^\$/data_dir = \"~\"/" "$file" >"$box/f"
	cat "$box/f" >"$file"; job "$(token iss=https://localhost:1)" </dev/null' configure \
	"cannot get the server's keys from https://localhost:1/oauth/discovery/keys" 'can this host reach it' \
	'is general.gitlab_server right?' "($file:4)"
mistake 'the clock of this host is slow' \
	'job "$(token iat@=3600 nbf@=3600 exp@=7200)" </dev/null' configure \
	'the id token is not valid yet' "is this host's clock right?"
mistake 'or fast' \
	'job "$(token iat@=-7200 nbf@=-7200 exp@=-3600)" </dev/null' configure \
	'the id token has expired, 360' "seconds ago" "this host's clock is wrong"
mistake 'the group may write to jwks_file' \
	'chmod 664 "$box/keys.json"' 'configure; code=$?; chmod 644 "$box/keys.json"; (exit $code)' \
	"general.jwks_file $box/keys.json must be a regular file that root or the service account owns" \
	"run: chown root $box/keys.json; chmod go-w,a+r $box/keys.json" "($file:4)"
mistake 'jwks_file is the page of somebody who was not signed in' \
	'echo "<html>" >"$place/page"; general ""; sed "s|^jwks_file.*|jwks_file = \"$place/page\"|" "$file" >"$box/f"; cat "$box/f" >"$file"' configure \
	"general.jwks_file $place/page: the key set is not JSON" "($file:5)"

# Directories: found by prepare, as the user

mistake 'the file system of data_dir is not mounted' \
	'write_config "data_dir = \"$place/data\""' a_job \
	"cannot open the directory $place/data: No such file or directory; ask the administrators of this site, who set data_dir"
mistake 'users can make nothing in data_dir' \
	'mkdir "$place/data" && write_config "data_dir = \"$place/data\""' a_job \
	"cannot create the directory $place/data/$usr: Permission denied" 'ask the administrators of this site, who set data_dir'
mistake "root made the user's directory, and left it at that" \
	'install -d "$place/data" "$place/data/$usr" && write_config "data_dir = \"$place/data\""' a_job \
	"$place/data/$usr belongs to another account (uid 0)" 'ask the administrators of this site, who set data_dir'
mistake 'the home is of root' \
	'chown root "$box/home/$usr"' 'a_job; code=$?; chown "$usr" "$box/home/$usr"; (exit $code)' \
	"cannot create the directory $box/home/$usr/.jacamar-ci: Permission denied" \
	"$box/home/$usr belongs to another account (uid 0): ask the administrators of this site"
mistake 'the home is closed to its own user' \
	'chmod 555 "$box/home/$usr"' 'a_job; code=$?; chmod 755 "$box/home/$usr"; (exit $code)' \
	"cannot create the directory $box/home/$usr/.jacamar-ci: Permission denied" "run: chmod u+rwx $box/home/$usr"
mistake 'the base is closed to its own user' \
	'install -d -m 0 -o "$usr" "$box/home/$usr/.jacamar-ci"' 'a_job; code=$?; rm -rf "$box/home/$usr/.jacamar-ci"; (exit $code)' \
	"cannot open the directory $box/home/$usr/.jacamar-ci: Permission denied" "run: chmod u+rwx $box/home/$usr/.jacamar-ci"
mistake 'shell_path is not there' \
	'general "shell_path = \"$place/bash\""; echo "echo the job ran" | job' 'a_job; code=$?; rm -rf "$box/home/$usr/.jacamar-ci"; (exit $code)' \
	"cannot execute $place/bash: No such file or directory" 'check general.shell_path'

# The script of auth.runas

runas() {
	printf '#!/bin/sh\n' >"$place/script"
	chmod 755 "$place/script"
	auth "runas.validation_script = \"$place/script\"
$1"
}
mistake 'the script cannot be executed' \
	'runas; chmod 644 "$place/script"' configure \
	"$place/script is not a program" auth.runas.validation_script "run: chmod a+rx $place/script" "($file:7)"
mistake 'others may write to it' \
	'runas; chmod 775 "$place/script"' configure \
	"$place/script is writable by group or others" "run: chmod go-w $place/script"
mistake 'it is not there' \
	'runas; rm "$place/script"' configure \
	"cannot find $place/script" 'is auth.runas.validation_script right?' "($file:7)"
mistake 'it was changed since its sha256 was taken' \
	'runas "runas.sha256 = \"$(printf "%064d" 0)\""' configure \
	"auth.runas.validation_script $place/script has the sha256 $(printf '#!/bin/sh\n' | sha256sum | cut -d' ' -f1)" \
	'auth.runas.sha256; if you changed the script, change the setting' "($file:8)"

finish
