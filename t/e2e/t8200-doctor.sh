#!/bin/sh
# doctor finds nothing on a good installation, and each fault on one that is not, with the command
# that mends it; it changes nothing itself.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
need_root
. "$(dirname "$0")/web.sh"
clock=
at_end() {
	stop_web
	[ -z "$clock" ] || kill "$clock" 2>/dev/null
}
install_site
jacamar=$prefix/bin/jacamar
auth=$prefix/bin/jacamar-auth
[ "$flavour" != none ] || auth=$jacamar
config=$etc/jacamar-config.toml
runner_config=$etc/config.toml
chmod 600 "$runner_config"
cp -p "$runner_config" "$box/config.toml.good"
home=$box/home/$usr

# ask ACCOUNT [OPTION...]: as that account; started by $launcher, in $inside. The exit code is in
# $box/code, what it prints in $box/out.
launcher='' inside='' bounding=''
ask() {
	local who=$1
	shift
	$inside setpriv $bounding --reuid "$who" --regid "$(id -g "$who")" --init-groups env -i PATH="$PATH" \
		HOME="$box/home/$who" $launcher "$jacamar" doctor "$@" >"$box/out" 2>"$box/err" </dev/null
	echo $? >"$box/code"
}
code() { cat "$box/code"; }
# examine [OPTION...]: everything there is, as the service account, to $box/report.
examine() {
	ask "$runner" --runner-config "$runner_config" --configuration "$config" --user "$usr" --json "$@"
	cp "$box/out" "$box/report"
	jq -r ".findings[].check" "$box/report" >>"$box/names"
	jq -r ".findings[] | select(.result == \"fail\" and .remedy == null).what" "$box/report" >>"$box/unmended"
}
# copied OWNER MODE FILE: how a file that was another's is replaced.
copied() { echo "install -m $2 -o $1 $3 $3.new && \"\${EDITOR:-vi}\" $3.new && mv -f $3.new $3"; }
show() { jq -r '.findings[] | select(.result != "pass") | "\(.result) \(.check): \(.what) -> \(.remedy)"' "$box/report"; cat "$box/err"; }

# good: nothing warns or fails.
good() {
	examine "$@" && [ "$(code)" = 0 ] && [ ! -s "$box/err" ] &&
		[ "$(jq '[.findings[] | select(.result == "warn" or .result == "fail")] | length' "$box/report")" = 0 ] ||
		{ show; false; }
}
# finds RESULT CHECK TEXT REMEDY: such a finding is in the report; its remedy goes to $box/remedy.
finds() {
	jq -r --arg result "$1" --arg check "$2" --arg what "$3" 'first(.findings[] | select(.result == $result
		and .check == $check and (.what | contains($what)))) | .remedy' "$box/report" >"$box/remedy"
	[ -s "$box/remedy" ] && [ "$(jq -r .result "$box/report")" = "${worst:-$1}" ] &&
		[ "$(cat "$box/remedy")" = "$4" ] || { echo "not so: $*"; cat "$box/remedy"; show; return 1; }
	case ${worst:-$1} in
	fail) [ "$(code)" = 1 ] ;;
	*) [ "$(code)" = 0 ] ;;
	esac
}
# mended: its remedy makes all of it good.
mended() {
	EDITOR=true $inside sh -c "$(cat "$box/remedy")" </dev/null && good || { cat "$box/remedy"; false; }
}
# fault TITLE PLANT RESULT CHECK TEXT REMEDY [UNDO]: one that its remedy mends; with UNDO, that does
# in its place, because the remedy is for an administrator's hand.
fault() {
	failed_before=$failed
	plant=$2 result=$3 name=$4 text=$5 remedy=$6 undo=${7:-}
	check "$1" 'eval "$plant" && examine && finds "$result" "$name" "$text" "$remedy" &&
		if [ -n "$undo" ]; then eval "$undo" && good; else mended; fi'
	[ "$failed" = "$failed_before" ] || restore
}

# restore: what a fault that was not mended leaves does not spoil the next.
restore() {
	rm -rf "${prefix:?}/bin" && chown root "$prefix" && usermod -s /bin/bash "$usr"
	make -s -C "$top" "$([ "$flavour" = caps ] && echo install-caps || echo install)" DESTDIR= \
		PREFIX="$prefix" SERVICE_USER="$runner" ${SANITIZE:+SANITIZE=$SANITIZE} >/dev/null
	chmod 755 "$box/home/$runner" && chmod 700 "$etc" && write_config
	eval "$good_runner_config"
}
good_runner_config='cp -p "$box/config.toml.good" "$runner_config"'

# all_named: each check is in the manual.
all_named() {
	sed -n "/^\.Sh CHECKS/,/^\.Sh JSON/s/^\.It Cm //p" "$top/man/jacamar-doctor.8" | sort >"$box/named"
	sort -u "$box/names" | comm -23 - "$box/named" >"$box/unnamed"
	cat "$box/unnamed"
	[ -s "$box/named" ] && [ ! -s "$box/unnamed" ]
}

# --- a good installation ---

check 'nothing is wrong with a good installation' good
check 'the table says the same as the JSON' '
	good && jq -r ".findings[] | \"\(.result) \(.check) \(.what)\", (.remedy | values | \"-> \(.)\")" "$box/report" >"$box/from-json"
	ask "$runner" --runner-config "$runner_config" --configuration "$config" --user "$usr"
	tr -s " " <"$box/out" | sed "s/^ //" | diff "$box/from-json" -'
check 'the configuration is found by the file of the runner' '
	ask "$runner" --runner-config "$runner_config" --json &&
	[ "$(jq -r ".findings[] | select(.check == \"configuration\").result" "$box/out")" = pass ]'
check 'without anything named it says what to name, and fails nothing' '
	ask "$runner" --json && [ "$(code)" = 0 ] &&
	[ "$(jq -r ".findings[] | select(.check == \"configuration\") | .result + .remedy" "$box/out")" = \
		"skipjacamar doctor --configuration FILE" ] || { cat "$box/out"; false; }'
check 'it has colours on a terminal, and nowhere else' '
	examine && ! grep -q "$(printf "\033")" "$box/out" && ask "$runner" --configuration "$config" &&
	! grep -q "$(printf "\033")" "$box/out" &&
	as "$runner" script -qec "$jacamar doctor --configuration $config" /dev/null </dev/null >"$box/out"
	grep "$(printf "\033\\[32mpass")" "$box/out"'
check 'a wrong call is said in one line' '
	for call in --frob "--user" "operand"; do
		ask "$runner" $call
		[ "$(code)" = 2 ] && [ ! -s "$box/out" ] && [ "$(wc -l <"$box/err")" = 1 ] || exit 1
	done
	ask "$runner" --help && [ "$(code)" = 0 ] && grep -e --runner-config "$box/out" &&
	ask "$runner" --version && [ "$(code)" = 0 ] && [ "$(cat "$box/out")" = "$("$jacamar" -V)" ] && ask "$runner" -V && [ "$(code)" = 0 ]'
except none 'there is no jacamar-auth there' check 'it is a command of jacamar, not of jacamar-auth' '
	as "$runner" "$auth" doctor; [ $? -eq 2 ]'

# --- what it does not do ---

if command -v strace >/dev/null && [ -z "${SANITIZE:-}" ]; then
	check 'it opens nothing to write, removes and makes nothing, and executes sudo alone' '
		: >"$box/trace" && chmod 666 "$box/trace"
		(cd / && strace -f -u "$runner" -o "$box/trace" -e trace=file,fchmod,fchown,ftruncate \
			env -i HOME="$box/home/$runner" "$jacamar" doctor --runner-config "$runner_config" \
			--configuration "$config" --user "$usr") >"$box/out" 2>&1
		grep "^pass.*executable" "$box/out" || { cat "$box/out"; exit 1; }
		sed -n "/execve(\"[^\"]*\/bin\/jacamar\"/,\$p" "$box/trace" |
			# What sudo does is its own; each of its processes begins with its execve.
			awk "{ if (\$0 ~ /execve\\(\"[^\"]*\\/sudo\"/) sudo[\$1] = 1; if (!sudo[\$1]) print }" >"$box/calls"
		[ "$(wc -l <"$box/calls")" -gt 100 ] && [ "$(grep -c "execve(" "$box/calls")" = 1 ] &&
		! grep -E "O_WRONLY|O_RDWR|O_CREAT|^[0-9]+ +(creat|unlink|rename|mkdir|rmdir|link|symlink|chmod|fchmod|chown|fchown|lchown|truncate|ftruncate|mknod|utime|setxattr|mount)" \
			"$box/calls" | grep -v "\"/dev/null\"" | grep -v -e "EROFS" ||
			{ grep -E "O_WRONLY|O_RDWR|O_CREAT|execve" "$box/calls"; false; }'
else
	skip 'it opens nothing to write, removes and makes nothing, and executes sudo alone' 'needs strace, and what has no sanitizers'
fi

# --- who else may ask ---

if [ "$flavour" != root ]; then
	check 'root and other users see what they may, are told who sees the rest, and fail nothing' '
		chmod 700 "$etc"
		for who in root "$two"; do
			ask "$who" --runner-config "$runner_config" --configuration "$config" --user "$usr" --json
			[ "$(code)" = 0 ] && [ ! -s "$box/err" ] || { cat "$box/out" "$box/err"; exit 1; }
			jq -r ".findings[].check" "$box/out" >>"$box/names"
			jq -r ".findings[] | select(.check == \"configuration\").remedy" "$box/out" >"$box/remedy"
			[ "$(jq -r ".findings[] | select(.check == \"configuration\").result" "$box/out")" = skip ] &&
			grep -F -- "-u $runner " "$box/remedy" && grep -F "$jacamar doctor --configuration $config --runner-config $runner_config --user $usr" "$box/remedy" || exit 1
		done
		# What they may read is examined, but for what is the service account own.
		chmod 755 "$etc" && chmod 644 "$config" && chmod 600 "$box/keys.json" && chown "$runner" "$box/keys.json"
		ask "$two" --configuration "$config" --runner-config "$runner_config" --user "$usr" --json
		chmod 700 "$etc" && chmod 600 "$config" && chmod 644 "$box/keys.json" && chown root "$box/keys.json"
		[ "$(code)" = 0 ] && [ "$(jq -r ".findings[] | select(.check == \"configuration\").result" "$box/out")" = pass ] &&
		[ "$(jq -r ".findings[] | select(.check == \"keys\").result" "$box/out")" = skip ] &&
		[ "$(jq -r ".findings[] | select(.check == \"data_dir\").result" "$box/out")" = pass ] || { cat "$box/out"; exit 1; }
		ask root --runner-config "$runner_config" --configuration "$config" --user "$usr" --json
		jq -r ".findings[] | select(.check == \"identity\").remedy" "$box/out" >"$box/remedy"
		sh -c "$(cat "$box/remedy")" </dev/null'
fi

if [ "$flavour" = none ] || [ "$flavour" = sudo ]; then
	check 'whose a configuration is does not make that account the service account' '
		for who in root "$two"; do
			ask "$who" --configuration "$config" --json
			cp "$box/out" "$box/report"
			finds fail "service account" "neither the program" "jacamar doctor --runner-config FILE" &&
				[ "$(jq ".findings | length" "$box/report")" = 1 ] || exit 1
		done'
fi

if [ "$flavour" = none ]; then
	check 'the configuration of such a site need not say so' '
		write_config "data_dir = \"\$HOME\"" "min_uid = 1" && good; result=$?; write_config; return $result'
	fault 'a stage lacks --no-auth' 'sed -i "/run_args/s/\"--no-auth\", //" "$runner_config"' fail \
		"runner's arguments" 'run_args lacks --no-auth' \
		"set run_args = [\"--no-auth\", \"run\"] at $runner_config:18" 'eval "$good_runner_config"'
fi

# --- faults of the executable ---

renew="install -m 0750 -o root -g $runner $prefix/libexec/jacamar-ci $auth.new && mv -f $auth.new $auth && setcap cap_setgid,cap_setuid=ep $auth"
if [ "$flavour" = caps ]; then
	setcap="setcap cap_setgid,cap_setuid=ep $auth"
	worst=fail fault 'it belongs to another account' 'chown "$two" "$auth"' fail owner "belongs to uid" \
		"$renew"
	fault 'it belongs to another group' 'chgrp 0 "$auth" && $setcap' fail owner "is not for a group of $runner" \
		"chown root:$runner $auth && chmod 0750 $auth && $setcap"
	fault 'everyone may execute it' 'chmod 755 "$auth"' fail mode 'may be executed by everyone' "chmod 0750 $auth"
	fault 'its group may write it' 'chmod 770 "$auth"' fail mode 'can be written by others' "chmod 0750 $auth"
	fault 'it has the set-user-id bit' 'chmod u+s "$auth"' fail mode 'has a set-id bit' "chmod 0750 $auth"
	fault 'it has no capabilities' 'setcap -r "$auth"' fail capabilities 'lacks cap_setgid and cap_setuid' "$setcap"
	fault 'it has one of the two' 'setcap cap_setuid=ep "$auth"' fail capabilities 'lacks cap_setgid' "$setcap"
	fault 'it has a third' 'setcap cap_setgid,cap_setuid,cap_kill=ep "$auth"' warn capabilities 'has more than' "$setcap"
	fault 'it has another name' 'ln "$auth" "$prefix/bin/other"' fail inode 'has 2 names' "setcap -r $auth; $renew"
	check 'and the other name has no capabilities then' '[ -z "$(getcap "$prefix/bin/other")" ]; rm "$prefix/bin/other"'
	real=$prefix/libexec/jacamar-ci
	fault 'it is a link to what everyone executes' '
		setcap cap_setgid,cap_setuid=ep "$real" && ln -sf ../libexec/jacamar-ci "$auth"' fail inode \
		'is the same file as' "setcap -r $real; $renew"
	fault 'jacamar has capabilities' 'setcap cap_setgid,cap_setuid=ep "$real"' fail jacamar_path \
		'has capabilities' "setcap -r $real"
	check 'it is on a mount that makes capabilities void' '
		unshare -m sleep 60 & space=$!; inside="nsenter -t $space -m"
		wait_until "! cmp -s /proc/self/mountinfo /proc/$space/mountinfo" &&
		$inside mount --bind "$prefix" "$prefix" && $inside mount -o remount,bind,nosuid "$prefix" && examine &&
		finds fail mount "$prefix is mounted with nosuid" "mount -o remount,suid $prefix" && mended
		result=$?; kill $space; return $result'
	fault 'a user is in its group' 'usermod -aG "$runner" "$usr"' fail user 'could become anybody' \
		"gpasswd -d $usr $runner"
	check 'root is told of the account that may execute it' '
		ask root --json && [ "$(code)" = 0 ] && cp "$box/out" "$box/report" &&
		jq -e ".findings | map(select(.check == \"service account\" and (.what | contains(\"$runner\"))))[0]" "$box/out" &&
		[ "$(jq -r ".findings[] | select(.check == \"capabilities\").result" "$box/out")" = pass ] || { show; false; }'
	# Of another account, who would be glad to be told of as the service account.
	theirs=$box/theirs.toml their_runner=$box/their-runner.toml
	install -m 644 -o "$two" "$config" "$theirs"
	install -m 600 -o "$two" "$runner_config" "$their_runner"
	# unhelped: no remedy is about that account, or gives a file away.
	unhelped() { ! jq -r ".findings[].remedy" "$box/report" | grep -w -e "$two" -e chown -e chgrp; }
	ask_theirs() { ask root --configuration "$theirs" --json; cp "$box/out" "$box/report"; [ "$(code)" = 1 ]; }
	unknown() {
		ask_theirs && finds fail "service account" "neither the program" "jacamar doctor --runner-config FILE" &&
			[ "$(jq ".findings | length" "$box/report")" = 1 ] && unhelped
	}
	check 'whose a configuration is does not make that account the service account' '
		ask_theirs && jq -e ".findings | map(select(.check == \"service account\" and (.what | contains(\"the runner is $runner\"))))[0]" "$box/report" &&
		finds fail "configuration owner" "belongs to uid" "$(copied "$runner" 0600 "$theirs")" && unhelped'
	check 'nor where the program is for no such group' '
		chgrp 0 "$auth" && $setcap && unknown; result=$?; chgrp "$runner" "$auth" && $setcap; return $result'
	check 'nor where it is for everyone' '
		setcap -r "$auth" && chmod 755 "$auth" && unknown; result=$?; chmod 750 "$auth" && $setcap; return $result'
	check 'nor does whose the file of the runner is, against the group' '
		ask root --runner-config "$their_runner" --json; cp "$box/out" "$box/report"
		finds fail "runner'\''s file" "belongs to uid" "$(copied "$runner" 0600 "$their_runner")" && unhelped'
	check 'nor that of one which others could have put there' '
		mkdir -m 777 "$box/drop" && cp -p "$their_runner" "$box/drop/" && chgrp 0 "$auth" && $setcap &&
		ask root --runner-config "$box/drop/their-runner.toml" --json; cp "$box/out" "$box/report"
		chgrp "$runner" "$auth" && $setcap
		finds fail "service account" "$box/drop, on the way to" "chmod go-w $box/drop" && unhelped'
	check 'of what is in a directory of another nothing is mended but that' '
		setcap -r "$auth" && chmod 4777 "$auth" && chown "$usr" "$prefix/bin" && examine &&
		finds fail parents "$prefix/bin, on the way to $auth, belongs to uid" "chown -h root $prefix/bin" &&
		[ "$(jq "[.findings[] | select(.result == \"fail\")] | length" "$box/report")" = 1 ]
		result=$?; chown root "$prefix/bin" && chmod 750 "$auth" && $setcap; return $result'
	fault 'it is not there' 'rm "$auth"' fail executable 'No such file' "$renew"
	fault 'it is a directory' 'rm "$auth" && mkdir "$auth"' fail executable 'is not a program' "mv -T $auth $auth.old" \
		'rmdir "$auth" && eval "$renew"'
	fault 'it is another program' 'cp /bin/true "$auth"' fail executable 'is another program by that name' "$renew" 'eval "$renew"'
	fault 'it is of another version' 'echo >>"$auth" && $setcap' warn executable 'is of another version' "setcap -r $auth; $renew"
	fault 'jacamar has the set-group-id bit' 'chmod g+s "$prefix/libexec/jacamar-ci"' fail jacamar_path 'has a set-id bit' \
		"chmod ug-s $prefix/libexec/jacamar-ci"
	fault 'jacamar has the set-user-id bit' 'cp "$prefix/libexec/jacamar-ci" "$box/jacamar" && jacamar=$box/jacamar &&
		chmod u+s "$prefix/libexec/jacamar-ci"' fail jacamar_path 'has a set-id bit' \
		"chmod ug-s $prefix/libexec/jacamar-ci" 'sh "$box/remedy"; jacamar=$prefix/bin/jacamar'
	check 'it is on a mount from which nothing is executed' '
		cp "$prefix/libexec/jacamar-ci" "$box/jacamar" && jacamar=$box/jacamar
		unshare -m sleep 60 & space=$!; inside="nsenter -t $space -m"
		wait_until "! cmp -s /proc/self/mountinfo /proc/$space/mountinfo" &&
		$inside mount --bind "$prefix" "$prefix" && $inside mount -o remount,bind,noexec "$prefix" && examine &&
		finds fail mount "$prefix is mounted with noexec" "mount -o remount,exec $prefix" && $inside sh "$box/remedy" &&
		jacamar=$prefix/bin/jacamar && good
		result=$?; kill $space; return $result'
	check 'behind a directory of the service account another is seen, by root, too' '
		chown "$runner" "$prefix" && chmod 777 "$prefix/bin" && ask root --json
		cp "$box/out" "$box/report" && finds fail parents "$prefix/bin, on the way" "chmod go-w $prefix/bin"
		result=$?; chown root "$prefix" && chmod 755 "$prefix/bin"; return $result'
	# list FILE UID BITS: the account has these permissions on the file by a list of access.
	list() {
		python3 -c 'import os, struct, sys
path, uid, bits = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
mode, none = os.stat(path).st_mode, 0xffffffff
rows = [(1, mode >> 6 & 7, none), (2, bits, uid), (4, mode >> 3 & 7, none), (16, mode >> 3 & 7, none), (32, mode & 7, none)]
os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row) for row in rows))' "$@"
	}
	unlist() { python3 -c 'import os, sys; os.removexattr(sys.argv[1], "system.posix_acl_access")' "$1"; }
	: >"$prefix/listed"
	if list "$prefix/listed" 1 4 2>/dev/null; then
		fault 'a list of access lets another execute it' 'list "$auth" "$(id -u "$two")" 5' fail mode \
			'has a list of access' "setfacl -b $auth && chmod 0750 $auth" 'unlist "$auth"'
	else
		skip 'a list of access lets another execute it' 'needs such lists'
	fi
	rm "$prefix/listed"
	: >"$box/listed"
	if list "$box/listed" 1 4 2>/dev/null; then
		check 'one that lets the service account read the configuration is fine' '
			chown root:root "$config" && chmod 640 "$config" && list "$config" "$(id -u "$runner")" 4 && good
			result=$?; unlist "$config"; write_config; return $result'
	else
		skip 'one that lets the service account read the configuration is fine' 'needs such lists'
	fi
	check 'no remedy touches what is only called by its name' '
		mkdir -p "$box/evil" && ln -sf /bin/sh "$box/evil/jacamar-auth" &&
		sed -i "s|_exec = .*|_exec = \"$box/evil/jacamar-auth\"|" "$runner_config" && examine &&
		[ "$(code)" = 1 ] && grep "not jacamar-auth or jacamar" "$box/report" &&
		! jq -r ".findings[].remedy" "$box/report" | grep -E "setcap|chmod|chown"
		result=$?; eval "$good_runner_config"; return $result'
	check 'nor what only the file of the runner names' '
		install -m 600 /dev/null "$prefix/shadow" &&
		sed -i "s|$config|$prefix/shadow|" "$runner_config" && ask "$runner" --runner-config "$runner_config" --json
		cp "$box/out" "$box/report" && finds fail "configuration owner" "cannot be read by $runner" \
			"set config_args, in $runner_config, to a file that $runner can read"
		result=$?; eval "$good_runner_config"; return $result'
	fault 'its file of keys is closed to the service account' 'chmod 600 "$box/keys.json"' fail keys 'cannot open' \
		"set general.jwks_file at $config:4" 'chmod 644 "$box/keys.json"'
	compile no-seccomp
	fault 'the kernel takes no filter' 'inside=$box/no-seccomp' fail seccomp 'cannot filter system calls' \
		"set auth.seccomp.disabled = true in $config" inside=
	fault 'the file of the runner is of another account' 'chown "$two" "$runner_config"' fail "runner's file" \
		'belongs to uid' "$(copied "$runner" 0600 "$runner_config")"
	fault 'there is no_new_privs' 'launcher="setpriv --no-new-privs"' fail no_new_privs 'file capabilities void' \
		'systemctl edit gitlab-runner.service' 'launcher='
	check 'and no bounding set that has the two' '
		bounding="--bounding-set -setuid" && examine && finds fail "bounding set" "lacks" \
			"systemctl edit gitlab-runner.service"'
elif [ "$flavour" != none ]; then
	fault 'it has capabilities, and everyone may execute it' 'setcap cap_setgid,cap_setuid=ep "$prefix/libexec/jacamar-ci"' \
		fail capabilities 'everyone may execute it' "setcap -r $prefix/libexec/jacamar-ci"
fi
if [ "$flavour" = caps ] || [ "$flavour" = sudo ]; then
fault 'a directory on the way can be written by others' 'chmod 777 "$prefix/bin"' fail parents \
	"$prefix/bin, on the way to $auth, can be written" "chmod go-w $prefix/bin"
fault 'a directory on the way is of another account' 'chown "$usr" "$prefix"' fail parents \
	"belongs to uid" "chown -h root $prefix"
fault 'jacamar is not for users to execute' 'cp "$prefix/libexec/jacamar-ci" "$box/jacamar" &&
	jacamar=$box/jacamar && chmod 750 "$prefix/libexec/jacamar-ci"' fail jacamar_path \
	'is not a program that everyone may execute' "chmod 0755 $prefix/libexec/jacamar-ci" \
	'sh "$box/remedy"; jacamar=$prefix/bin/jacamar'
fault 'jacamar is of another account' 'cp "$prefix/libexec/jacamar-ci" "$box/jacamar" && jacamar=$box/jacamar
	rm "$prefix/bin/jacamar" && install -o "$two" "$box/jacamar" "$prefix/bin/jacamar"' fail jacamar_path 'belongs to uid' \
	"use a program that root has installed anew, not $prefix/bin/jacamar" \
	'jacamar=$prefix/bin/jacamar && ln -sf ../libexec/jacamar-ci "$jacamar"'
fault 'jacamar is not there' 'rm "$jacamar" && jacamar=$prefix/libexec/jacamar-ci' \
	fail jacamar_path 'cannot find' "ln -s ../libexec/jacamar-ci $prefix/bin/jacamar"
fault 'the home of the service account can be written by its group' 'chmod g+w "$box/home/$runner"' fail \
	'service home' 'can be written by others' "chmod go-w $box/home/$runner"

fault 'that home is open to everyone' 'chmod 1777 "$box/home/$runner"' fail 'service home' 'can be written by others' \
	"usermod -d /home/$runner $runner" 'chmod 755 "$box/home/$runner"'

usermod -d "$box/home/none" "$runner"
fault 'there is no such home' : warn 'service home' 'is no directory' "install -d -m 0755 -o $runner $box/home/none"
usermod -d "$box/home/$runner" "$runner"

# --- of the configuration ---

mkdir -m 777 "$box/swap" && ln -s "$config" "$box/swap/config.toml"
check 'a link to the configuration is in a directory for others to write' '
	examine --configuration "$box/swap/config.toml" &&
	jq -e ".findings | map(select(.check == \"configuration parents\" and .result == \"fail\"
		and .remedy == \"chmod go-w $box/swap\"))[0]" "$box/report"'
chmod 755 "$box/swap"
mkdir "$box/swap/between" && mv "$box/swap/config.toml" "$box/swap/between" && ln -s between "$box/swap/link" &&
	chown -h "$two" "$box/swap/link"
check 'or a link on the way to it is of another account' '
	examine --configuration "$box/swap/link/config.toml" &&
	jq -e ".findings | map(select(.check == \"configuration parents\" and .result == \"fail\"
		and .remedy == \"chown -h root $box/swap/link\"))[0]" "$box/report"'
odd="\"\${EDITOR:-vi}\" './+!id'"
check 'no name of a file is an option of what mends it' '
	cd / && examine --configuration "+!id" && finds fail configuration "No such file" "$odd"'
fault 'the configuration belongs to another account' 'chown "$two" "$config" && chmod 644 "$config"' fail \
	'configuration owner' 'neither to root nor' "$(copied "$runner" 0600 "$config")"
fault 'it is not for the service account to read' 'chown root:root "$config"' fail 'configuration owner' \
	'cannot be read' "chgrp -h $runner $config && chmod g+r $config"
write_config
fault 'its directory is closed to the service account' 'chown root "$etc"' fail configuration 'Permission denied' \
	"setfacl -m u:$runner:x $etc" 'chown "$runner" "$etc"'
fault 'or closed by itself' 'chmod 600 "$etc"' fail configuration 'Permission denied' "chmod u+x $etc"
chmod 700 "$etc"
fault 'it can be written by its group' 'chmod g+w "$config"' fail 'configuration mode' 'can be written' "chmod go-w $config"
fault 'its directory can be written by others' 'chmod 777 "$etc"' fail 'configuration parents' \
	"$etc, on the way to $config, can be written" "chmod go-w $etc"
fault 'it is not there' 'mv "$config" "$config.away"' fail configuration 'No such file' \
	"\"\${EDITOR:-vi}\" $config" 'mv "$config.away" "$config"'
# set_general LINE..., set_auth LINE...: what else the configuration says.
set_general() { write_config "data_dir = \"\$HOME\"
$1"; }
set_auth() { write_config "data_dir = \"\$HOME\"" "downscope = \"$downscope\"
$1"; }
fault 'it has a key that there is not' 'set_general "frob = 1"' fail configuration 'jacamar-config.toml:4: unknown key' \
	"\"\${EDITOR:-vi}\" +4 $config" write_config
check 'of very many errors it tells some' '
	set_general "$(seq 50 | sed "s/.*/frob& = 1/")" && examine && finds fail configuration "and more" "jacamar config --check $config" &&
	[ "$(grep -c "unknown key" "$box/report")" = 20 ] && [ "$(jq -r ".findings[-1].check" "$box/report")" != configuration ]
	result=$?; write_config; return $result'
fault 'it does not say how accounts are changed' 'write_config "data_dir = \"\$HOME\"" "min_uid = 1"' fail configuration \
	'auth.downscope is missing' "set auth.downscope = \"setuid\" in $config" write_config
fault 'it blocks a system call that every job needs' 'set_auth "no_new_privs = true
[auth.seccomp]
block_calls = [\"read\"]"' fail configuration 'without which no job' "set auth.seccomp.block_calls at $config:9" write_config
fault 'it has root make directories where there is no root' 'write_config "data_dir = \"/srv\"" "downscope = \"setuid\"
root_dir_creation = true"' fail configuration 'needs a jacamar-auth that is root' \
	"set auth.root_dir_creation = false at $config:7" write_config
fault 'it names a jacamar that is not there' 'set_auth "jacamar_path = \"/nonexistent/jacamar\""' fail jacamar_path \
	'cannot find' "set auth.jacamar_path at $config:7" write_config
install -m 600 /dev/null "$prefix/secret"
fault 'it names a file that is no program' 'set_auth "jacamar_path = \"$prefix/secret\""' fail jacamar_path \
	'is not a program' "set auth.jacamar_path at $config:7" write_config
fault 'it names a jacamar in the home of a user' 'set_auth "jacamar_path = \"$prefix/home/jacamar\"" &&
	install -d -o "$usr" "$prefix/home" && usermod -d "$prefix/home" "$usr" && cp "$prefix/libexec/jacamar-ci" "$prefix/home/jacamar"' \
	fail jacamar_path 'belongs to uid' "use a place in which root alone writes, not $prefix/home" \
	'usermod -d "$home" "$usr"; rm -r "$prefix/home"; write_config'
fault 'or in a directory like /tmp' 'mkdir -m 1777 "$prefix/tmp" && cp "$prefix/libexec/jacamar-ci" "$prefix/tmp/jacamar" &&
	set_auth "jacamar_path = \"$prefix/tmp/jacamar\""' fail jacamar_path 'use a place in which root alone writes' \
	"use a place in which root alone writes, not $prefix/tmp" 'rm -r "$prefix/tmp"; write_config'
fault 'its audit log is a file of the system' 'set_auth "[auth.logging]
enabled = true
location = \"$prefix/secret\""' fail 'audit log' 'Permission denied' "set auth.logging.location at $config:9" write_config
fault 'its validation script is not there' 'set_auth "runas.validation_script = \"/nonexistent/script\""' fail \
	'validation script' 'cannot find' "set auth.runas.validation_script at $config:7" write_config
fault 'its validation script is for others to write' '
	printf "#!/bin/sh\n" >"$prefix/script" && chmod 757 "$prefix/script" && set_auth "runas.validation_script = \"$prefix/script\""' \
	fail 'validation script' 'can be written' "chmod go-w $prefix/script"
fault 'its validation script is of another account' 'chmod 755 "$prefix/script" && chown "$two" "$prefix/script"' fail 'validation script' \
	'belongs to uid' "$(copied root 0755 "$prefix/script")"
fault 'its audit log cannot be made' 'mkdir "$box/log.d" && set_auth "[auth.logging]
enabled = true
location = \"$box/log.d/audit\""' fail 'audit log' 'Permission denied' "install -D -m 0640 -o $runner /dev/null $box/log.d/audit"
fault 'its audit log is of another account' 'chown "$two" "$box/log.d/audit"' fail 'audit log' 'belongs to neither' \
	"set auth.logging.location at $config:9" 'chown "$runner" "$box/log.d/audit"'
fault 'its audit log is for others to write' 'chmod 666 "$box/log.d/audit"' fail 'audit log' 'others can write' \
	"set auth.logging.location at $config:9" 'chmod 640 "$box/log.d/audit"'
write_config
fault 'its file of keys can be written by others' 'chmod 666 "$box/keys.json"' fail keys 'nobody else can write' \
	"chmod go-w $box/keys.json"
fault 'its file of keys has none' 'cp "$box/keys.json" "$box/keys.away" && echo "{\"keys\": []}" >"$box/keys.json"' \
	fail keys 'has none' "set general.jwks_file at $config:4" 'cp "$box/keys.away" "$box/keys.json"'

# --- of the scheduler ---

mkdir "$prefix/slurm"
for name in sbatch scontrol squeue scancel sacct; do
	printf '#!/bin/sh\ntouch %s/executed\n' "$box" >"$prefix/slurm/$name" && chmod 755 "$prefix/slurm/$name"
done
# slurm [LINE]: the executor is that.
slurm() {
	set_general '' && sed -i '/^executor/s/shell/slurm/' "$config" && printf '[batch]\n%s\n' "${1:-}" >>"$config"
}
bin="scheduler_bin = \"$prefix/slurm\""
check 'a scheduler whose commands are there is good, and none is executed' '
	slurm "$bin" && good && grep "the commands of slurm are there" "$box/report" &&
	slurm "env_vars = [\"PATH=$prefix/slurm:\$PATH\"]" && good && grep "the commands of slurm are there" "$box/report" &&
	[ ! -e "$box/executed" ]'
check 'one that does not keep a history is left out' '
	slurm "$bin" && mv "$prefix/slurm/sacct" "$box/" && good && grep "sacct is not there" "$box/report"
	result=$?; mv "$box/sacct" "$prefix/slurm/"; return $result'
fault 'a command of the scheduler is not there' 'slurm "$bin"; mv "$prefix/slurm/scancel" "$box/"' fail scheduler \
	"command scancel in $prefix/slurm" "set batch.scheduler_bin at $config:9" 'mv "$box/scancel" "$prefix/slurm/"'
fault 'its commands are in no directory of PATH' 'slurm "env_vars = [\"PATH=/nonexistent\"]"' fail scheduler \
	'command sbatch in PATH' "set batch.scheduler_bin = \"/DIRECTORY/OF/ITS/COMMANDS\" in $config" 'slurm "$bin"'
fault 'its commands are in a directory for others to write' 'chmod 777 "$prefix/slurm"' fail scheduler \
	"$prefix/slurm, on the way to" "chmod go-w $prefix/slurm"
check 'of one command that does all it is said once that it is not there' '
	slurm "scheduler_bin = \"/nonexistent\"" && sed -i "/^executor/s/slurm/flux/" "$config" && examine &&
	finds fail scheduler "command flux in /nonexistent" "set batch.scheduler_bin at $config:9" &&
	[ "$(jq "[.findings[] | select(.check == \"scheduler\")] | length" "$box/report")" = 1 ]'
write_config

# --- of the runner's file ---

fault 'the file of the runner is for others to read' 'chmod 644 "$runner_config"' fail "runner's file" \
	'is for others, too' "chmod 0600 $runner_config"
fault 'a string of it has no end' 'sed -i "/prepare_exec/s/\"$//" "$runner_config"' fail "runner's file" \
	"$runner_config:15: a string without its closing" "\"\${EDITOR:-vi}\" +15 $runner_config" "$good_runner_config"
fault 'it has a key twice' 'sed -i "/token =/p" "$runner_config"' fail "runner's file" \
	"$runner_config:11: the key" "\"\${EDITOR:-vi}\" +11 $runner_config" "$good_runner_config"
fault 'its token is that of the sample' 'sed -i "/token =/s/\".*\"/\"<RUNNER-TOKEN>\"/" "$runner_config"' fail "runner's file" \
	'its token is still' "\"\${EDITOR:-vi}\" +10 $runner_config" "$good_runner_config"
fault 'its executor is another' 'sed -i "s/\"custom\"/\"shell\"/" "$runner_config"' fail "runner's executor" \
	'it is "shell"' "set executor = \"custom\" at $runner_config:11" "$good_runner_config"
fault 'it has no run_exec' 'sed -i /run_exec/d "$runner_config"' fail "runner's commands" 'run_exec is not set' \
	"set run_exec = \"$auth\" at $runner_config:7" "$good_runner_config"
fault 'a stage executes something else' 'sed -i "/cleanup_exec/s|= .*|= \"/bin/true\"|" "$runner_config"' fail \
	"runner's commands" 'cleanup_exec /bin/true is not what' "set cleanup_exec = \"$auth\" at $runner_config:19" \
	"$good_runner_config"
fault 'a stage is called as another' 'sed -i "/prepare_args/s/prepare\"/run\"/" "$runner_config"' fail \
	"runner's arguments" 'prepare_args does not name the stage' \
	"set prepare_args = [\"prepare\"] at $runner_config:16" "$good_runner_config"
fault 'config is not told the configuration' 'sed -i "/config_args/s/, \"--conf.*\"/ /" "$runner_config"' fail \
	"runner's arguments" 'config_args lacks --configuration' \
	"set config_args = [\"config\", \"--configuration\", \"$config\"] at $runner_config:14" "$good_runner_config"
fault 'cleanup is told another one' 'sed -i "/cleanup_args/s|$config|$box/keys.json|" "$runner_config"' fail \
	"runner's arguments" 'cleanup_args names another configuration' \
	"set cleanup_args = [\"cleanup\", \"--configuration\", \"$config\"] at $runner_config:20" "$good_runner_config"
fault 'the runner kills before a job could be ended' 'echo "graceful_kill_timeout = 60" >>"$runner_config"' warn \
	"runner's timeouts" 'graceful_kill_timeout is 60 s' "set graceful_kill_timeout = 180 at $runner_config:21" \
	"$good_runner_config"

# --- of the system ---

mkdir "$box/lib" && : >"$box/lib/libjose.so.0"
fault 'a library is not there' 'launcher="env LD_LIBRARY_PATH=$box/lib"' fail libraries libjose \
	'apt-get install libjose0 libcurl4 libseccomp2' launcher=

# --- of a user ---

check 'there is no such account' 'examine --user "no$usr" && finds fail user "there is no local account" "useradd -m no$usr"'
fault 'its shell is closed' 'usermod -s /usr/sbin/nologin "$usr"' fail shell 'is closed' "usermod -s /bin/bash $usr"
fault 'its uid is too low' 'set_auth "min_uid = 4000000"' fail user 'is below auth.min_uid' \
	"set auth.min_uid at $config:7" write_config
check 'the host is closed, which the site heeds' '
	set_auth "enforce_nologin = true"; good || exit 1
	unshare -m sleep 60 & space=$!; inside="nsenter -t $space -m"
	wait_until "! cmp -s /proc/self/mountinfo /proc/$space/mountinfo"
	$inside mount -t tmpfs -o mode=755 none /run && $inside sh -c "echo Back at 18:00. >/run/nologin" && examine &&
		finds fail user "closes this host, as auth.enforce_nologin heeds: Back at 18:00." \
			"set auth.enforce_nologin at $config:7"
	result=$?; kill $space; inside=; write_config; return $result'
fault 'it is blocked' 'set_auth "user_blocklist = [\"$usr\"]"' fail user 'is in auth.user_blocklist' \
	"set auth.user_blocklist at $config:7" write_config
fault 'its shell is none of those allowed' 'set_auth "shell_allowlist = [\"/bin/zsh\"]"' fail shell \
	'is not in auth.shell_allowlist' "set auth.shell_allowlist at $config:7" write_config
fault 'scripts have no shell' 'set_general "shell_path = \"/nonexistent/bash\""' fail shell 'is not there' \
	"set general.shell_path = \"/bin/bash\" at $config:4" write_config
# made BASE: what the site makes and gives away. itself COMMAND...: what the user does.
made() { echo "mkdir -m 0700 $1 && chown -h $usr:$(id -g "$usr") $1"; }
itself() { echo "runuser -u $usr -- $*"; }
fault 'it has no home' 'mv "$home" "$home.away"' fail data_dir 'does not exist' "$(made "$home")"
rm -rf "$home" && mv "$home.away" "$home"
data=$box/data base=$box/data/$usr
set_data() { write_config "data_dir = \"$1\""; }
fault 'it cannot make its directory' 'set_data "$data" && mkdir -p "$data" && chown root "$data"' \
	fail data_dir "cannot make $base" "$(made "$base")"
fault 'that is of another account' 'chown "$two" "$base"' fail data_dir 'belongs to another account' \
	"mv -T $base $base.old" 'sh "$box/remedy" && rmdir "$base.old" && eval "$(made "$base")"'
fault 'it can be written by others' 'chmod 777 "$base"' fail data_dir 'can be written' "$(itself "chmod go-w $base")"
fault 'what is above is closed to the user' 'chmod 700 "$data"' fail data_dir "$data is closed to $usr" "chmod a+x $data"
fault 'or that is of the service account, as which it is opened' 'chmod 700 "$data"; chown "$runner" "$data"' fail data_dir \
	"$data is closed to $usr" "runuser -u $runner -- chmod a+x $data"
chown root "$data"
fault 'others could exchange what is above' 'chmod 777 "$data"' fail data_dir \
	"$data can be written by others, who could exchange" "chmod +t $data"
mkdir -m 777 "$box/loose" && mkdir -p "$box/loose/data" && ln -s "$box/loose/data" "$box/to-loose"
fault 'or what a link leads to' 'chmod 777 "$box/loose/data" && chmod 755 "$box/loose" && set_data "$box/to-loose"' fail data_dir \
	"$box/loose/data can be written by others" "chmod +t $box/loose/data"
fault 'or what is on the way that it leads' 'chmod 777 "$box/loose"' fail data_dir \
	"$box/loose can be written by others" "chmod +t $box/loose"
fault 'or another account made it where others can write' 'chmod 1777 "$box/loose" && chown "$two" "$box/loose/data"' fail data_dir \
	"$box/loose/data belongs to uid" "set general.data_dir at $config:3" 'chown root "$box/loose/data"'
set_data "$data"
fault 'it is a link' 'rmdir "$base" && ln -s / "$base" && chmod 1777 "$data"' fail data_dir 'is a link' \
	"mv -T $base $base.old"
rm -f "$base.old"
fault 'what is above is not there' 'set_data "$data/one/two" && chmod 755 "$data"' fail data_dir "$data/one is not there" \
	"mkdir -m 0755 $data/one $data/one/two && $(made "$data/one/two/$usr")"
fault 'what is above is the user own, and closed' 'chown "$usr" "$data/one" && chmod 500 "$data/one" && rm -r "$data/one/two"
	set_data "$data/one"' fail data_dir "cannot make $data/one/$usr" "$(itself "chmod u+wx $data/one")"
fault 'what is the user own the user makes' 'chmod 755 "$data/one"; set_data "$data/one/two"' fail data_dir "$data/one/two is not there" \
	"$(itself "mkdir -p -m 0700 $data/one/two/$usr")"
fault 'what is in a directory of another is for nobody to make' 'rm -r "$data/one/two" && chown "$two" "$data/one"
	chmod 755 "$data/one"' fail data_dir "$data/one/two is not there" "set general.data_dir at $config:3" 'set_data "$data"; eval "$(made "$base")"'
check 'no remedy is led astray by a link of the user' '
	mkdir -p "$data/two/in" "$box/victim" && chown -R "$usr" "$data/two" && set_data "$data/two/in" && chmod 500 "$data/two/in" &&
	examine && finds fail data_dir "cannot make" "$(itself "chmod u+wx $data/two/in")" &&
	rmdir "$data/two/in" && ln -s "$box/victim" "$data/two/in" && ! sh -c "$(cat "$box/remedy")" &&
	[ "$(stat -c "%a %U" "$box/victim")" = "755 root" ] && [ -z "$(ls "$box/victim")" ]'
check 'one that the login shell of the user knows is left out' '
	write_config "data_dir = \"\$SITE_WORK\"" && examine && [ "$(code)" = 0 ] &&
	[ "$(jq -r ".findings[] | select(.check == \"data_dir\").result" "$box/report")" = skip ]'
write_config
fi

# --- of sudo ---

if [ "$flavour" = sudo ]; then
	check 'no name becomes more of sudoers than a path' '
		mkdir -p "$prefix/a, ALL" && cp "$prefix/libexec/jacamar-ci" "$prefix/a, ALL/jacamar" &&
		set_auth "jacamar_path = \"$prefix/a, ALL/jacamar\"" && examine &&
		finds fail sudoers "may not call the stage run" "visudo -f /etc/sudoers.d/jacamar"
		result=$?; write_config; return $result'
	# The remedy's own file is the site's.
	mend_sudoers() { sed -i "s|/etc/sudoers.d/jacamar|$sudoers|" "$box/remedy" && mended; result=$?; write_sudoers; return $result; }
	append="| EDITOR='tee -a' visudo -f /etc/sudoers.d/jacamar"
	rule() { echo "echo '$runner ALL = ($usr) NOPASSWD: $prefix/bin/jacamar --no-auth $1' $append"; }
	check 'a line of sudoers is missing' '
		sed -i "/run env-script/d" "$sudoers" && examine &&
		finds fail sudoers "may not call the stage run as $usr" "$(rule "run env-script *")" && mend_sudoers'
	check 'or it asks for a password' '
		sed -i "/prepare env-script/s/ NOPASSWD://" "$sudoers" && examine &&
		finds fail sudoers "for the stage prepare a password" "$(rule "prepare env-script")" && mend_sudoers'
	check 'or it is not for this user' '
		sed -i "/config env-script/s/($usr, $two)/($two)/" "$sudoers" && examine &&
		finds fail sudoers "may not call the stage config as $usr" "$(rule "config env-script")" && mend_sudoers'
	check 'nothing is allowed' 'mv "$sudoers" "$box/sudoers.away" && examine; mv "$box/sudoers.away" "$sudoers"
		finds fail sudoers "may use nothing of sudo" "$(rule "run env-script *")"'
	for option in log_input stay_setuid preserve_groups; do
		check "the option $option is in force" '
			write_sudoers "Defaults!$prefix/bin/jacamar $option" && examine &&
			finds fail sudoers "the option $option" "echo '\''Defaults!$prefix/bin/jacamar !$option'\'' $append" &&
			mend_sudoers'
	done
	check 'for other commands it may be' '
		write_sudoers "Defaults!/bin/true stay_setuid" && good; result=$?; write_sudoers; return $result'
	fault 'there is no_new_privs' 'launcher="setpriv --no-new-privs"' fail no_new_privs 'makes sudo void' \
		'systemctl edit gitlab-runner.service' 'launcher='
fi

# --- of the server ---

if [ "$flavour" != caps ]; then
	check 'the manual names each check' 'all_named'
	check 'each failure has its remedy' '! grep . "$box/unmended"'
	finish
fi
mkdir -p "$web/attacker"
make_certificates >"$box/output" 2>&1 || { cat "$box/output"; exit 1; }
keys_of "$web/site" "$box/key.jwk"
mkdir -p "$web/site/empty/oauth/discovery" "$web/site/html/oauth/discovery"
echo '{"keys": []}' >"$web/site/empty/oauth/discovery/keys"
echo '<html>Sign in</html>' >"$web/site/html/oauth/discovery/keys"
start_web_somewhere || exit 1
chmod 755 "$web"
site=https://localhost:$port
# of_server URL [LINE]: the configuration names it.
of_server() {
	printf '[general]\nexecutor = "shell"\ndata_dir = "$HOME"\ngitlab_server = "%s"\n%s\n[auth]\ndownscope = "setuid"\n' \
		"$1" "${2-tls-ca-file = \"$web/ca.pem\"}" >"$config"
}
check 'a good server is good, and is asked once, and nothing is kept of it' '
	of_server "$site" && good && [ "$(log_of site | wc -l)" = 1 ] && [ ! -e "$box/home/$runner/.cache" ] &&
	for name in server TLS keys clock; do
		[ "$(jq -r ".findings[] | select(.check == \"$name\").result" "$box/report")" = pass ] || exit 1
	done'
check 'so is one that the runner alone names' '
	of_server "$site" && sed -i /gitlab_server/d "$config" && sed -i "s|url = .*|url = \"$site/\"|" "$runner_config" && good
	result=$?; eval "$good_runner_config"; return $result'
check 'the server of another runner in the same file is none of ours' '
	of_server "$site" && sed -i /gitlab_server/d "$config" && sed -i "s|url = .*|url = \"$site/\"|" "$runner_config" &&
	{ printf "[[runners]]\n  url = \"https://localhost:9\"\n  executor = \"docker\"\n"; cat "$runner_config"; } >"$box/two.toml" &&
	cat "$box/two.toml" >"$runner_config" && good
	result=$?; eval "$good_runner_config"; return $result'
check 'without a configuration a certificate can be refused, too' '
	sed -i -e "s|url = .*|url = \"$site/\"|" -e "/config_args/s/, \"--conf.*\"/ /" "$runner_config" &&
	ask "$runner" --runner-config "$runner_config" --json
	[ "$(code)" = 1 ] && [ "$(jq -r ".findings[] | select(.check == \"TLS\").result" "$box/out")" = fail ]
	result=$?; eval "$good_runner_config"; return $result'
fault 'its authority is not known' 'of_server "$site" ""' fail TLS "cannot get the server's keys" \
	"set general.tls-ca-file = \"/PATH/OF/THE/AUTHORITY.pem\" in $config" 'of_server "$site"'
fault 'the file of its authority is not there' 'of_server "$site" "tls-ca-file = \"/nonexistent\""' fail TLS \
	'cannot open general.tls-ca-file' "set general.tls-ca-file at $config:5" 'of_server "$site"'
fault 'the file of its authority can be written by others' 'chmod 666 "$web/ca.pem"' fail TLS 'nobody else can write' \
	"chmod go-w $web/ca.pem"
fault 'it does not answer' 'of_server "https://localhost:9"' fail server 'cannot get' \
	'curl -v https://localhost:9/oauth/discovery/keys' 'of_server "$site"'
fault 'it has no keys' 'of_server "$site/nowhere"' fail server 'answers with status 404' \
	"curl -v $site/nowhere/oauth/discovery/keys" 'of_server "$site"'
fault 'what it has is no key set' 'of_server "$site/html"' fail server 'is not JSON' \
	"curl -v $site/html/oauth/discovery/keys" 'of_server "$site"'
fault 'its url is none' 'of_server "$site" && sed -i /gitlab_server/d "$config" && sed -i "s|url = .*|url = \"nonsense\"|" "$runner_config"' fail \
	server 'nonsense' "set url at $runner_config:9" 'eval "$good_runner_config"; of_server "$site"'
fault 'it has an empty set of keys' 'of_server "$site/empty"' fail keys 'has none' \
	"curl -v $site/empty/oauth/discovery/keys" 'of_server "$site"'

cat >"$box/clock.py" <<'PYTHON'
# Serves the keys of a file with a clock that is wrong by as many seconds as the path says.
import email.utils, http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(time.time() + int(self.path.split("/")[1]), usegmt=True)
    def do_GET(self):
        body = open(sys.argv[1], "rb").read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
: >"$box/clock.port"
python3 "$box/clock.py" "$box/keys.json" >"$box/clock.port" &
clock=$!
wait_until '[ -s "$box/clock.port" ]' || exit 1
clocks=http://127.0.0.1:$(cat "$box/clock.port")
for at in '120 fail 120 s behind' '-120 warn 120 s ahead of' '-400 fail 400 s ahead of'; do
	set -- $at
	by=$1 result=$2
	shift 2
	fault "its clock differs: this host is $*" 'of_server "$clocks/$by" ""' "$result" clock ' the server' \
		'timedatectl set-ntp true' 'of_server "$site"'
done
check 'a few seconds are no matter' '
	of_server "$clocks/-20" "" && good && of_server "$clocks/20" "" && good'

# --- what is hostile ---

check 'no byte of a name reaches a terminal raw' '
	evil=$(printf "%s/evil\033[31m.toml" "$box") && write_config && cp -p "$config" "$evil" && chmod 666 "$evil"
	for json in "" --json; do
		ask "$runner" --configuration "$evil" --user "$(printf "a\033b")" --runner-config "$evil" $json
		[ "$(code)" = 1 ] && [ -s "$box/out" ] && ! grep "$(printf "\033")" "$box/out" "$box/err" || exit 1
	done
	[ "$(jq -r ".findings[] | select(.check == \"configuration mode\").remedy" "$box/out")" = \
		"$(printf "chmod go-w \$'\''")$(printf %s "$evil" | od -An -v -to1 | tr -d "\n" | sed "s/ /\\\\/g")'\''" ] &&
	bash -c "$(jq -r ".findings[] | select(.check == \"configuration mode\").remedy" "$box/out")" &&
	[ "$(stat -c %a "$evil")" = 644 ]'

check 'each failure has its remedy' '! grep . "$box/unmended"'
check 'the manual names each check, and no other' '
	all_named && [ "$(sort -u "$box/names" | comm -13 - "$box/named" | tr "\n" " ")" = "sudo sudoers " ]'

finish
