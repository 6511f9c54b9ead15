#!/bin/sh
# doctor finds nothing on a good installation, and each fault on one that is not, with the command
# that mends it; it changes nothing itself.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
need_root
. "$(dirname "$0")/web.sh"
. "$(dirname "$0")/audit.sh"
clock='' own_dev=''
at_end() {
	stop_web
	end_receivers
	[ -z "$own_dev" ] || kill "$own_dev" 2>/dev/null
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
launcher='' bounding=''
# Not every host has a /dev/log.
receive local unixgram "$box/local.sock"
# in_space COMMAND...: starts a process with a mount namespace of its own, in $space; $inside goes there.
in_space() {
	$inside unshare -m "$@" &
	space=$!
	wait_until 'grep -qx sleep "/proc/$space/comm"' && inside="nsenter -t $space -m"
}
inside=''
export socket="$at"
in_space sh "$box/own-dev" sleep 100000
own_dev=$space usual=$inside
ask() {
	local who=$1
	shift
	$inside env -C "$PWD" setpriv $bounding --reuid "$who" --regid "$(id -g "$who")" --init-groups env -i PATH="$PATH" \
		HOME="$box/home/$who" $launcher "$jacamar" doctor "$@" >"$box/out" 2>"$box/err" </dev/null
	echo $? >"$box/code"
}
code() { cat "$box/code"; }
# report: what ask has printed goes to $box/report, and to $box/findings: the worst result, then a
# line a finding: result, check, what, remedy.
report() {
	cp "$box/out" "$box/report"
	"$build/t/job" findings "$box/report" >"$box/findings"
}
# examine [OPTION...]: reports everything there is, as the service account.
examine() {
	ask "$runner" --runner-config "$runner_config" --configuration "$config" --user "$usr" --json "$@"
	report
	awk -F '\t' -v names="$box/names" -v unmended="$box/unmended" 'NR > 1 { print $2 >>names }
		$1 == "fail" && $4 == "null" { print $2 >>unmended }' "$box/findings"
}
# result_of CHECK: the result of that check.
result_of() { name=$1 awk -F '\t' '$2 == ENVIRON["name"] { print $1 }' "$box/findings"; }
# copied OWNER MODE FILE: how a file that was another's is replaced.
copied() { echo "install -m $2 -o $1 $3 $3.new && \"\${EDITOR:-vi}\" $3.new && mv -f $3.new $3"; }
show() { jq -r '.findings[] | select(.result != "pass") | "\(.result) \(.check): \(.what) -> \(.remedy)"' "$box/report"; cat "$box/err"; }

# good: nothing warns or fails.
good() {
	examine "$@" && [ "$(code)" = 0 ] && [ ! -s "$box/err" ] &&
		! sed 1d "$box/findings" | grep -E '^(warn|fail)' ||
		{ show; false; }
}
# finds RESULT CHECK TEXT REMEDY: such a finding is in the report; its remedy, which may be none,
# goes to $box/remedy.
finds() {
	result=$1 name=$2 text=$3 awk -F '\t' '$1 == ENVIRON["result"] && $2 == ENVIRON["name"] &&
		index($3, ENVIRON["text"]) { print $4; exit }' "$box/findings" >"$box/remedy"
	[ -s "$box/remedy" ] && [ "$(head -n 1 "$box/findings")" = "${worst:-$1}" ] &&
		[ "$(cat "$box/remedy")" = "${4:-null}" ] || { echo "not so: $*"; cat "$box/remedy"; show; return 1; }
	case ${worst:-$1} in
	fail) [ "$(code)" = 1 ] ;;
	*) [ "$(code)" = 0 ] ;;
	esac
}
# passes CHECK TEXT: such a finding is in the report.
passes() {
	jq -e --arg check "$1" --arg what "$2" \
		'any(.findings[]; .result == "pass" and .check == $check and .what == $what)' "$box/report" >/dev/null || { cat "$box/report"; return 1; }
}
# apply: does what the remedy says, be it a command, or "set KEY = VALUE at FILE:LINE" and the like.
apply() {
	local remedy place file line setting
	remedy=$(cat "$box/remedy")
	place=${remedy##* } setting=${remedy#* }
	file=${place%:*} line=${place##*:} setting=${setting% * *}
	case $remedy in
	"set "*" = "*" at "*) sed -i "${line}s|.*|$(echo "${setting%% = *}" | sed 's/.*[.]//') = ${setting#* = }|" "$file" ;;
	"add "*" = "*" after "*) sed -i "${line}a $setting" "$file" ;;
	*) EDITOR=true $inside sh -c "$remedy" </dev/null ;;
	esac
}
# mended: its remedy makes all of it good.
mended() { apply && good || { cat "$box/remedy"; false; }; }
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

only_stated='a failure has a remedy, unless nobody knows what would mend it'
are_stated='! grep -vx -e user -e shell -e server -e TLS -e keys -e clock "$box/unmended"'
no_auth=''
[ "$flavour" != none ] || no_auth='"--no-auth", '

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
no_login='no login names an account'
except none "$no_login" check 'what GitLab must forbid is said, since nobody here can see it' '
	examine && finds skip "GitLab accounts" "GitLab must forbid users to change their login, and group owners to" \
		"set auth.identity_provider in $config"'
except none "$no_login" check 'but not where no login names an account' '
	write_config "" "downscope = \"$downscope\"
identity_provider = \"ldapmain\""
	good && [ "$(result_of "GitLab accounts")" = pass ]
	code=$?; write_config; exit $code'
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

# set_general LINE..., set_auth LINE...: what else the configuration says.
set_general() { write_config "data_dir = \"\$HOME\"
$1"; }
set_auth() { write_config "data_dir = \"\$HOME\"" "downscope = \"$downscope\"
$1"; }

# --- who else may ask ---

if [ "$flavour" != root ]; then
	# told_by ACCOUNT FILE: each finding of everything there is, but for who is asked, and how that is known.
	told_by() {
		(cd "$etc" && ask "$1" --runner-config config.toml --configuration "$config" --user "$usr" --json)
		jq -r ".findings[] | select(.check != \"identity\" and .check != \"service account\") |
			\"\(.result) \(.check): \(.what) -> \(.remedy)\"" "$box/out" | sed "s|$etc/||g" >"$2"
	}
	check 'root gets every finding that the service account does' '
		chmod 700 "$etc" && told_by "$runner" "$box/by-service" && told_by root "$box/by-root" && [ "$(code)" = 0 ] &&
		[ "$(wc -l <"$box/by-root")" -gt 20 ] && diff "$box/by-service" "$box/by-root" &&
		! grep -e "^skip configuration" -e "^skip runner" "$box/by-root" &&
		[ "$(jq -r ".findings[] | select(.check == \"identity\").what" "$box/out")" = "the checks were made as $runner" ]'
	check 'and the same faults' '
		set_auth "user_blocklist = [\"$usr\"]" && sed -i /prepare_args/d "$runner_config" &&
		told_by "$runner" "$box/by-service" && told_by root "$box/by-root" && [ "$(code)" = 1 ] &&
		[ "$(grep -c "^fail" "$box/by-root")" = 2 ] && diff "$box/by-service" "$box/by-root"
		result=$?; write_config; eval "$good_runner_config"; return $result'
	check 'root hands nothing of its environment to the service account, but for proxies' '
		if [ -n "${SANITIZE:-}" ] || ! command -v strace >/dev/null; then exit 0; fi
		(cd / && env -i SECRET=of-root https_proxy=http://localhost:9 PATH="$PATH" $inside strace -f -v -s 4096 -o "$box/trace" -e trace=execve \
			"$jacamar" doctor --runner-config "$runner_config" --configuration "$config") >"$box/out" 2>&1
		grep "execve(\"/usr/bin/setpriv\".*https_proxy=http://localhost:9" "$box/trace" | grep -v SECRET'
	check 'if root cannot become the service account, that is a failure, with the call to make' '
		(cd / && $inside setpriv --no-new-privs "$jacamar" doctor --runner-config "$runner_config" --json) >"$box/out" 2>"$box/err" </dev/null
		echo $? >"$box/code"; report
		finds fail identity "checks that only $runner can make are skipped: setpriv: " "runuser -u $runner -- $jacamar doctor --runner-config $runner_config"'
	check 'other users see what they may, are told who sees the rest, and fail nothing' '
		chmod 700 "$etc"
		for who in "$two"; do
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
		ask "$two" --runner-config "$runner_config" --configuration "$config" --user "$usr" --json
		jq -r ".findings[] | select(.check == \"identity\").remedy" "$box/out" | sed "s/^sudo -u $runner/runuser -u $runner --/" >"$box/remedy"
		$inside sh -c "$(cat "$box/remedy")" </dev/null'
fi

if [ "$flavour" = none ] || [ "$flavour" = sudo ]; then
	check 'whose a configuration is does not make that account the service account' '
		for who in root "$two"; do
			ask "$who" --configuration "$config" --json
			report
			finds fail "service account" "cannot determine the account" "jacamar doctor --runner-config FILE" &&
				[ "$(jq ".findings | length" "$box/report")" = 1 ] || exit 1
		done'
fi

if [ "$flavour" = none ]; then
	check 'the configuration of such a site need not say so' '
		write_config "data_dir = \"\$HOME\"" "min_uid = 1" && good; result=$?; write_config; return $result'
	fault 'a stage lacks --no-auth' 'sed -i "/run_args/s/\"--no-auth\", //" "$runner_config"' fail \
		"runner's arguments" 'run_args lacks --no-auth' \
		"set run_args = [\"--no-auth\", \"run\"] at $runner_config:18" 'eval "$good_runner_config"'
	fault 'the configuration asks for accounts, which jacamar --no-auth ignores' \
		'write_config "data_dir = \"\$HOME\"" "downscope = \"setuid\""' warn downscope \
		"ignores auth.downscope: all jobs run as $runner" \
		"call jacamar-auth in $runner_config, or set auth.downscope = \"none\" in $config" write_config
fi

# --- faults of the executable ---

renew="install -m 0750 -o root -g $runner $prefix/libexec/jacamar-ci $auth.new && mv -f $auth.new $auth && setcap cap_setgid,cap_setuid=ep $auth"
if [ "$flavour" = caps ]; then
	setcap="setcap cap_setgid,cap_setuid=ep $auth"
	worst=fail fault 'it belongs to another account' 'chown "$two" "$auth"' fail owner "is owned by uid" \
		"$renew"
	fault 'it belongs to another group' 'chgrp 0 "$auth" && $setcap' fail owner "is not executable by a group of $runner" \
		"chown root:$runner $auth && chmod 0750 $auth && $setcap"
	fault 'everyone may execute it' 'chmod 755 "$auth"' fail mode 'is executable by everyone' "chmod 0750 $auth"
	fault 'its group may write it' 'chmod 770 "$auth"' fail mode 'is writable by its group (' "chmod 0750 $auth"
	fault 'it has the set-user-id bit' 'chmod u+s "$auth"' fail mode 'has a set-user-ID or set-group-ID bit' "chmod 0750 $auth"
	fault 'it has no capabilities' 'setcap -r "$auth"' fail capabilities 'lacks cap_setgid and cap_setuid' "$setcap"
	fault 'it has one of the two' 'setcap cap_setuid=ep "$auth"' fail capabilities 'lacks cap_setgid' "$setcap"
	fault 'it has a third' 'setcap cap_setgid,cap_setuid,cap_kill=ep "$auth"' warn capabilities 'has more capabilities than' "$setcap"
	fault 'it has another name' 'ln "$auth" "$prefix/bin/other"' fail inode 'has 2 hard links' "setcap -r $auth; $renew"
	check 'and the other name has no capabilities then' '[ -z "$(getcap "$prefix/bin/other")" ]; rm "$prefix/bin/other"'
	real=$prefix/libexec/jacamar-ci
	fault 'it is a link to what everyone executes' '
		setcap cap_setgid,cap_setuid=ep "$real" && ln -sf ../libexec/jacamar-ci "$auth"' fail inode \
		'is the same file as' "setcap -r $real; $renew"
	fault 'jacamar has capabilities' 'setcap cap_setgid,cap_setuid=ep "$real"' fail jacamar_path \
		'has capabilities' "setcap -r $real"
	check 'it is on a mount that makes capabilities void' '
		in_space sleep 60 &&
		$inside mount --bind "$prefix" "$prefix" && $inside mount -o remount,bind,nosuid "$prefix" && examine &&
		finds fail mount "$prefix is mounted with nosuid" "mount -o remount,suid $prefix" && mended
		result=$?; kill $space; return $result'
	fault 'a user is in its group' 'usermod -aG "$runner" "$usr"' fail user 'could use it to become any account' \
		"gpasswd -d $usr $runner"
	fault 'a user has its group as the primary one, which no command takes away' 'usermod -g "$runner" "$usr"' fail user \
		'to become any account' '' 'usermod -g "$usr" "$usr" && chgrp -R "$usr" "$home"'
	check 'root is told of the account that may execute it' '
		ask root --json && [ "$(code)" = 0 ] && report &&
		jq -e ".findings | map(select(.check == \"service account\" and (.what | contains(\"$runner\"))))[0]" "$box/out" &&
		[ "$(jq -r ".findings[] | select(.check == \"capabilities\").result" "$box/out")" = pass ] || { show; false; }'
	# Of another account, who would be glad to be told of as the service account.
	theirs=$box/theirs.toml their_runner=$box/their-runner.toml
	install -m 644 -o "$two" "$config" "$theirs"
	install -m 600 -o "$two" "$runner_config" "$their_runner"
	# unhelped: no remedy is about that account, or gives a file away.
	unhelped() { ! cut -f 4 "$box/findings" | grep -w -e "$two" -e chown -e chgrp; }
	ask_theirs() { ask root --configuration "$theirs" --json; report; [ "$(code)" = 1 ]; }
	unknown() {
		ask_theirs && finds fail "service account" "cannot determine the account" "jacamar doctor --runner-config FILE" &&
			[ "$(jq ".findings | length" "$box/report")" = 1 ] && unhelped
	}
	check 'whose a configuration is does not make that account the service account' '
		ask_theirs && jq -e ".findings | map(select(.check == \"service account\" and (.what | contains(\"runs as $runner \"))))[0]" "$box/report" &&
		finds fail "configuration owner" "is owned by uid" "$(copied "$runner" 0600 "$theirs")" && unhelped'
	check 'nor where the program is for no such group' '
		chgrp 0 "$auth" && $setcap && unknown; result=$?; chgrp "$runner" "$auth" && $setcap; return $result'
	check 'nor where it is for everyone' '
		setcap -r "$auth" && chmod 755 "$auth" && unknown; result=$?; chmod 750 "$auth" && $setcap; return $result'
	check 'nor does whose the file of the runner is, against the group' '
		ask root --runner-config "$their_runner" --json; report
		finds fail "runner'\''s file" "is owned by uid" "$(copied "$runner" 0600 "$their_runner")" && unhelped'
	check 'nor that of one which others could have put there' '
		mkdir -m 777 "$box/drop" && cp -p "$their_runner" "$box/drop/" && chgrp 0 "$auth" && $setcap &&
		ask root --runner-config "$box/drop/their-runner.toml" --json; report
		chgrp "$runner" "$auth" && $setcap
		finds fail "service account" "$box/drop, on the path to" "chmod go-w $box/drop" && unhelped'
	check 'of what is in a directory of another nothing is mended but that' '
		setcap -r "$auth" && chmod 4777 "$auth" && chown "$usr" "$prefix/bin" && examine &&
		finds fail parents "$prefix/bin, on the path to $auth, is owned by uid" "chown -h root $prefix/bin" &&
		[ "$(jq "[.findings[] | select(.result == \"fail\")] | length" "$box/report")" = 1 ]
		result=$?; chown root "$prefix/bin" && chmod 750 "$auth" && $setcap; return $result'
	fault 'it is not there' 'rm "$auth"' fail executable 'No such file' "$renew"
	fault 'it is a directory' 'rm "$auth" && mkdir "$auth"' fail executable 'is not a regular file' "mv -T $auth $auth.old" \
		'rmdir "$auth" && eval "$renew"'
	fault 'it is another program' 'cp /bin/true "$auth"' fail executable 'is another program with this name' "$renew" 'eval "$renew"'
	fault 'it is of another version' 'echo >>"$auth" && $setcap' warn executable 'has another version' "setcap -r $auth; $renew"
	fault 'jacamar has the set-group-id bit' 'chmod g+s "$prefix/libexec/jacamar-ci"' fail jacamar_path 'has a set-id bit' \
		"chmod ug-s $prefix/libexec/jacamar-ci"
	fault 'jacamar has the set-user-id bit' 'cp "$prefix/libexec/jacamar-ci" "$box/jacamar" && jacamar=$box/jacamar &&
		chmod u+s "$prefix/libexec/jacamar-ci"' fail jacamar_path 'has a set-id bit' \
		"chmod ug-s $prefix/libexec/jacamar-ci" 'sh "$box/remedy"; jacamar=$prefix/bin/jacamar'
	check 'it is on a mount from which nothing is executed' '
		cp "$prefix/libexec/jacamar-ci" "$box/jacamar" && jacamar=$box/jacamar
		in_space sleep 60 &&
		$inside mount --bind "$prefix" "$prefix" && $inside mount -o remount,bind,noexec "$prefix" && examine &&
		finds fail mount "$prefix is mounted with noexec" "mount -o remount,exec $prefix" && $inside sh "$box/remedy" &&
		jacamar=$prefix/bin/jacamar && good
		result=$?; kill $space; return $result'
	check 'behind a directory of the service account another is seen, by root, too' '
		chown "$runner" "$prefix" && chmod 777 "$prefix/bin" && ask root --json
		report && finds fail parents "$prefix/bin, on the path" "chmod go-w $prefix/bin"
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
			'has an ACL' "setcap -r $auth; $renew"
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
		[ "$(code)" = 1 ] && grep "not to jacamar-auth or jacamar" "$box/report" &&
		! cut -f 4 "$box/findings" | grep -E "setcap|chmod|chown"
		result=$?; eval "$good_runner_config"; return $result'
	check 'nor what only the file of the runner names' '
		install -m 600 /dev/null "$prefix/shadow" &&
		sed -i "s|$config|$prefix/shadow|" "$runner_config" && ask "$runner" --runner-config "$runner_config" --json
		report && finds fail "configuration owner" "is not readable by $runner" \
			"set config_args in $runner_config to a file that $runner can read"
		result=$?; eval "$good_runner_config"; return $result'
	fault 'its file of keys is closed to the service account' 'chmod 600 "$box/keys.json"' fail keys 'cannot open' \
		"set general.jwks_file at $config:4" 'chmod 644 "$box/keys.json"'
	compile without
	fault 'the kernel takes no filter' 'inside="$inside $box/without seccomp"' fail seccomp 'cannot filter system calls' \
		"set auth.seccomp.disabled = true in $config" 'inside=$usual'
	fault 'the kernel takes no filter, which isolation needs' 'set_auth "no_new_privs = true
isolate = true
[auth.seccomp]
disabled = true"; inside="$inside $box/without seccomp"' fail seccomp 'cannot filter system calls' \
		"set auth.isolate = false at $config:8" 'inside=$usual; write_config'
	fault 'the kernel cannot isolate jobs' 'set_auth "no_new_privs = true
isolate = true"; inside="$inside $box/without landlock_create_ruleset"' fail isolation 'it was built without Landlock' \
		'use a newer kernel, Linux 6.12 or later, with landlock in its option lsm=' 'inside=$usual; write_config'
	fault 'the filters of the site keep jacamar from isolating jobs' 'set_auth "no_new_privs = true
isolate = true
[auth.seccomp]
block_calls = [\"landlock_restrict_self\"]"' fail isolation 'without which auth.isolate cannot' \
		"set auth.seccomp.block_calls at $config:10" write_config
	containers() { set_auth "[general.container]
runtime = \"$1\"
path = \"${2:-/bin/true}\""; }
	fault 'the runtime of containers does not exist' 'containers apptainer /nonexistent' fail "container runtime" \
		'/nonexistent, which starts containers, does not exist' "set general.container.path at $config:9" write_config
	fault 'users may not execute the runtime of containers' 'containers apptainer "$box/keys.json"' fail "container runtime" \
		'is not a program that everyone can execute' "set general.container.path at $config:9" write_config
	check 'what the runtimes of containers need is there' '
		containers apptainer && good && passes "container runtime" "everyone can execute /bin/true, and no other account can replace it" &&
		passes "user namespaces" "users can create user namespaces" && write_config'
	if grep -q "^$usr:" /etc/subuid && [ -u /usr/bin/newuidmap ]; then
		check 'what podman needs is there' 'containers podman && good &&
			passes newuidmap "newuidmap and newgidmap can map ids of users" &&
			passes "subordinate ids" "/etc/subuid and /etc/subgid have ranges of $usr"'
		fault 'a user has no subordinate ids' "$(cat <<-'PLANT'
			containers podman; ids=$(sed -n "s/^$usr:\([0-9]*\):\([0-9]*\)$/\1 \2/p" /etc/subuid)
			usermod --del-subuids "${ids% *}-$((${ids% *} + ${ids#* } - 1))" "$usr"
		PLANT
		)" warn "subordinate ids" "no range of $usr" "usermod --add-subuids FIRST-LAST --add-subgids FIRST-LAST $usr" \
			'usermod --add-subuids "${ids% *}-$((${ids% *} + ${ids#* } - 1))" "$usr"'
		fault 'a hardened service leaves newuidmap too few capabilities' \
			'containers podman; bounding="--bounding-set -all,+setuid,+setgid"' fail newuidmap \
			'gets its privilege from its set-user-ID bit' \
			'chmod u-s /usr/bin/newuidmap && setcap cap_setuid=ep /usr/bin/newuidmap' 'bounding=; write_config'
	fi
	fault 'the file of the runner is of another account' 'chown "$two" "$runner_config"' fail "runner's file" \
		'is owned by uid' "$(copied "$runner" 0600 "$runner_config")"
	fault 'there is no_new_privs' 'launcher="setpriv --no-new-privs"' fail no_new_privs 'disables file capabilities' \
		'systemctl edit gitlab-runner.service' 'launcher='
	check 'and no bounding set that has the two' '
		bounding="--bounding-set -setuid" && examine && finds fail "bounding set" "lacks" \
			"systemctl edit gitlab-runner.service"'
elif [ "$flavour" != none ]; then
	fault 'it has capabilities, and everyone may execute it' 'setcap cap_setgid,cap_setuid=ep "$prefix/libexec/jacamar-ci"' \
		fail capabilities 'everyone can execute it' "setcap -r $prefix/libexec/jacamar-ci"
fi
if [ "$flavour" = caps ] || [ "$flavour" = sudo ]; then
fault 'a directory on the way can be written by others' 'chmod 777 "$prefix/bin"' fail parents \
	"$prefix/bin, on the path to $auth, is writable" "chmod go-w $prefix/bin"
fault 'a directory on the way is of another account' 'chown "$usr" "$prefix"' fail parents \
	"is owned by uid" "chown -h root $prefix"
fault 'the program is in a directory that the service account cannot enter' 'jacamar=$prefix/libexec/jacamar-ci && chmod 700 "$prefix/bin"' \
	fail executable 'Permission denied' "chmod a+x $prefix/bin" 'apply && chmod 755 "$prefix/bin" && jacamar=$prefix/bin/jacamar'
fault 'jacamar is not for users to execute' 'cp "$prefix/libexec/jacamar-ci" "$box/jacamar" &&
	jacamar=$box/jacamar && chmod 750 "$prefix/libexec/jacamar-ci"' fail jacamar_path \
	'is not a program that everyone may execute' "chmod 0755 $prefix/libexec/jacamar-ci" \
	'sh "$box/remedy"; jacamar=$prefix/bin/jacamar'
fault 'jacamar is of another account' 'cp "$prefix/libexec/jacamar-ci" "$box/jacamar" && jacamar=$box/jacamar
	rm "$prefix/bin/jacamar" && install -o "$two" "$box/jacamar" "$prefix/bin/jacamar"' fail jacamar_path 'is owned by uid' \
	"use a program that root has newly installed, not $prefix/bin/jacamar" \
	'jacamar=$prefix/bin/jacamar && ln -sf ../libexec/jacamar-ci "$jacamar"'
fault 'jacamar is not there' 'rm "$jacamar" && jacamar=$prefix/libexec/jacamar-ci' \
	fail jacamar_path 'cannot find' "ln -s ../libexec/jacamar-ci $prefix/bin/jacamar"
fault 'the home of the service account can be written by its group' 'chmod g+w "$box/home/$runner"' fail \
	'service home' 'is writable by its group' "chmod go-w $box/home/$runner"

fault 'that home is open to everyone' 'chmod 1777 "$box/home/$runner"' fail 'service home' 'is writable by its group and others' \
	"use a home directory for $runner that others cannot write to" 'chmod 755 "$box/home/$runner"'

usermod -d "$box/home/none" "$runner"
fault 'there is no such home' : warn 'service home' 'is not a directory' "install -d -m 0755 -o $runner $box/home/none"
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
odd="\"\${EDITOR:-vi}\" +7 './+!id'"
check 'no name of a file is an option of what mends it' '
	cd "$etc" && cp -p "$config" "+!id" && echo "frob = 1" >>"+!id" && examine --configuration "+!id" &&
	finds fail configuration "unknown key" "$odd" &&
	cut -f 4 "$box/findings" | grep -F "\"--configuration\", \"$etc/+!id\"]"; result=$?; rm "$etc/+!id"; return $result'
fault 'the configuration belongs to another account' 'chown "$two" "$config" && chmod 644 "$config"' fail \
	'configuration owner' 'not by root or' "$(copied "$runner" 0600 "$config")"
fault 'it is not for the service account to read' 'chown root:root "$config"' fail 'configuration owner' \
	'is not readable' "chgrp -h $runner $config && chmod g+r $config"
write_config
fault 'its directory is closed to the service account' 'chown root "$etc"' fail configuration 'Permission denied' \
	"use a directory that $runner can enter, not $etc" 'chown "$runner" "$etc"'
fault 'or closed by itself' 'chmod 600 "$etc"' fail configuration 'Permission denied' "chmod u+x $etc"
chmod 700 "$etc"
fault 'it can be written by its group' 'chmod g+w "$config"' fail 'configuration mode' 'is writable' "chmod go-w $config"
fault 'its directory can be written by others' 'chmod 777 "$etc"' fail 'configuration parents' \
	"$etc, on the path to $config, is writable" "chmod go-w $etc"
fault 'it is not there' 'mv "$config" "$config.away"' fail configuration 'No such file' \
	'jacamar doctor --configuration FILE' 'mv "$config.away" "$config"'
check 'its name is misspelt: the name in the file of the runner is told, and nothing wrong of that file' '
	examine --configuration "$etc/jacamar-confg.toml" && finds fail configuration "No such file" "jacamar doctor --configuration $config" &&
	! cut -f 4 "$box/findings" | grep confg &&
	[ "$(jq -r ".findings[] | select(.check == \"runner'\''s arguments\").result" "$box/report")" = pass ] &&
	ask "$runner" $(sed "s/^jacamar doctor//" "$box/remedy") --json && [ "$(code)" = 0 ]'
check 'its name is misspelt in the file of the runner, whose remedy does not repeat that' '
	sed -i "s/jacamar-config.toml/jacamar-confg.toml/" "$runner_config"
	ask "$runner" --runner-config "$runner_config" --json; report
	finds fail "runner'\''s arguments" "config_args names a configuration file that does not exist" \
		"set config_args = [$no_auth\"config\", \"--configuration\", \"FILE\"] at $runner_config:14" &&
	! cut -f 4 "$box/findings" | grep confg && eval "$good_runner_config"'
fault 'it has a key that there is not' 'set_general "frob = 1"' fail configuration 'jacamar-config.toml:4: unknown key' \
	"\"\${EDITOR:-vi}\" +4 $config" write_config
check 'of very many errors it tells some' '
	set_general "$(seq 50 | sed "s/.*/frob& = 1/")" && examine && finds fail configuration "there are more errors" "jacamar config --check $config" &&
	[ "$(grep -c "unknown key" "$box/report")" = 20 ] && [ "$(jq -r ".findings[-1].check" "$box/report")" != configuration ]
	result=$?; write_config; return $result'
fault 'it does not say how accounts are changed' 'write_config "data_dir = \"\$HOME\"" "min_uid = 1"' fail configuration \
	'auth.downscope is missing' "set auth.downscope = \"setuid\" in $config" write_config
fault 'it blocks a system call that every job needs' 'set_auth "no_new_privs = true
[auth.seccomp]
block_calls = [\"read\"]"' fail configuration 'without which jacamar cannot' "set auth.seccomp.block_calls at $config:9" write_config
fault 'it has root make directories where there is no root' 'write_config "data_dir = \"/srv\"" "downscope = \"setuid\"
root_dir_creation = true"' fail configuration 'needs a jacamar-auth that runs as root' \
	"set auth.root_dir_creation = false at $config:7" write_config
fault 'it names a jacamar that is not there' 'set_auth "jacamar_path = \"/nonexistent/jacamar\""' fail jacamar_path \
	'cannot find' "set auth.jacamar_path at $config:7" write_config
install -m 600 /dev/null "$prefix/secret"
fault 'it names a file that is no program' 'set_auth "jacamar_path = \"$prefix/secret\""' fail jacamar_path \
	'is not a program' "set auth.jacamar_path at $config:7" write_config
fault 'it names a jacamar in the home of a user' 'set_auth "jacamar_path = \"$prefix/home/jacamar\"" &&
	install -d -o "$usr" "$prefix/home" && usermod -d "$prefix/home" "$usr" && cp "$prefix/libexec/jacamar-ci" "$prefix/home/jacamar"' \
	fail jacamar_path 'is owned by uid' "use a directory that only root can write to, not $prefix/home" \
	'usermod -d "$home" "$usr"; rm -r "$prefix/home"; write_config'
fault 'or in a directory like /tmp' 'mkdir -m 1777 "$prefix/tmp" && cp "$prefix/libexec/jacamar-ci" "$prefix/tmp/jacamar" &&
	set_auth "jacamar_path = \"$prefix/tmp/jacamar\""' fail jacamar_path 'is writable by its group and others' \
	"use a directory that only root can write to, not $prefix/tmp" 'rm -r "$prefix/tmp"; write_config'
if [ "$flavour" = caps ]; then
	check 'the reason of a refusal goes nowhere, because there is no syslog' '
		in_space env socket= sh "$box/own-dev" sleep 60 && examine &&
		finds warn "audit log" "the reasons of refusals are lost" \
			"set auth.logging.enabled = true and auth.logging.location = \"/LOG/FILE\" in $config" &&
		install -d -o "$runner" "$box/log.own" &&
		printf "[auth.logging]\nenabled = true\nlocation = \"$box/log.own/audit\"\n" >>"$config" && : >"$box/log.own/audit" &&
		chown "$runner" "$box/log.own/audit" && good
		result=$?; kill $space; rm -rf "$box/log.own"; write_config; return $result'
fi
fault 'its audit log is a file of the system' 'set_auth "[auth.logging]
enabled = true
location = \"$prefix/secret\""' fail 'audit log' 'Permission denied' "set auth.logging.location at $config:9" write_config
fault 'its validation script is not there' 'set_auth "runas.validation_script = \"/nonexistent/script\""' fail \
	'validation script' 'cannot find' "set auth.runas.validation_script at $config:7" write_config
fault 'its validation script is for others to write' '
	printf "#!/bin/sh\n" >"$prefix/script" && chmod 757 "$prefix/script" && set_auth "runas.validation_script = \"$prefix/script\""' \
	fail 'validation script' 'is writable by others' "chmod go-w $prefix/script"
fault 'its validation script is not executable' 'chmod 644 "$prefix/script"' fail 'validation script' 'is not a program' \
	"chmod a+x $prefix/script"
fault 'its validation script is of another account' 'chmod 755 "$prefix/script" && chown "$two" "$prefix/script"' fail 'validation script' \
	'is owned by uid' "$(copied root 0755 "$prefix/script")"
fault 'its prepare hook is for others to write' '
	install -m 757 /bin/true "$prefix/hook"; set_general "prepare_hook = \"$prefix/hook\""' \
	fail 'prepare hook' 'is writable' "chmod go-w $prefix/hook"
fault 'its audit log cannot be made' 'mkdir "$box/log.d" && set_auth "[auth.logging]
enabled = true
location = \"$box/log.d/audit\""' fail 'audit log' 'Permission denied' "install -D -m 0640 -o $runner /dev/null $box/log.d/audit"
fault 'its audit log is of another account' 'chown "$two" "$box/log.d/audit"' fail 'audit log' 'belongs to neither' \
	"set auth.logging.location at $config:9" 'chown "$runner" "$box/log.d/audit"'
fault 'its audit log is for others to write' 'chmod 666 "$box/log.d/audit"' fail 'audit log' 'others can write' \
	"set auth.logging.location at $config:9" 'chmod 640 "$box/log.d/audit"'
write_config
fault 'its file of keys can be written by others' 'chmod 666 "$box/keys.json"' fail keys 'is writable by its group and others' \
	"chmod go-w $box/keys.json"
fault 'its file of keys has none' 'cp "$box/keys.json" "$box/keys.away" && echo "{\"keys\": []}" >"$box/keys.json"' \
	fail keys 'has no keys' "set general.jwks_file at $config:4" 'cp "$box/keys.away" "$box/keys.json"'

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
	slurm "$bin" && good && grep "the commands of slurm are installed" "$box/report" &&
	slurm "env_vars = [\"PATH=$prefix/slurm:\$PATH\"]" && good && grep "the commands of slurm are installed" "$box/report" &&
	[ ! -e "$box/executed" ]'
check 'one that does not keep a history is left out' '
	slurm "$bin" && mv "$prefix/slurm/sacct" "$box/" && good && grep "sacct is not installed" "$box/report"
	result=$?; mv "$box/sacct" "$prefix/slurm/"; return $result'
fault 'a command of the scheduler is not there' 'slurm "$bin"; mv "$prefix/slurm/scancel" "$box/"' fail scheduler \
	"command scancel in $prefix/slurm" "set batch.scheduler_bin at $config:9" 'mv "$box/scancel" "$prefix/slurm/"'
fault 'its commands are in no directory of PATH' 'slurm "env_vars = [\"PATH=/nonexistent\"]"' fail scheduler \
	'command sbatch in PATH' "set batch.scheduler_bin = \"/DIRECTORY/OF/ITS/COMMANDS\" in $config" 'slurm "$bin"'
fault 'its commands are in a directory for others to write' 'chmod 777 "$prefix/slurm"' fail scheduler \
	"$prefix/slurm, on the path to" "chmod go-w $prefix/slurm"
check 'of one command that does all it is said once that it is not there' '
	slurm "scheduler_bin = \"/nonexistent\"" && sed -i "/^executor/s/slurm/flux/" "$config" && examine &&
	finds fail scheduler "command flux in /nonexistent" "set batch.scheduler_bin at $config:9" &&
	[ "$(jq "[.findings[] | select(.check == \"scheduler\")] | length" "$box/report")" = 1 ]'
write_config

# --- of the runner's file ---

fault 'the file of the runner is root own, and closed to the service account' 'chown root "$runner_config"' fail "runner's file" \
	"$runner_config is not readable by $runner" "chown -h $runner $runner_config"
fault 'it is closed by itself' 'chmod 000 "$runner_config"' fail "runner's file" \
	"$runner_config is not readable by $runner" "chmod u+r $runner_config" 'apply && chmod 600 "$runner_config"'
fault 'prepare_args are missing' 'sed -i /prepare_args/d "$runner_config"' fail "runner's arguments" \
	'prepare_args does not name the stage' "add prepare_args = [\"prepare\"] after $runner_config:15"
check 'what is added is in the table of the custom executor' '
	sed -i "s/^  executor = .*/&\n  [runners.cache]\n    Shared = true/; /prepare_/d" "$runner_config" && examine &&
	finds fail "runner'\''s arguments" "prepare_args does not" "add prepare_args = [\"prepare\"] after $runner_config:15" && apply &&
	examine && finds fail "runner'\''s commands" "prepare_exec is not set" "add prepare_exec = \"$auth\" after $runner_config:15" &&
	mended; result=$?; eval "$good_runner_config"; return $result'
fault 'the file of the runner is for others to read' 'chmod 644 "$runner_config"' fail "runner's file" \
	'other accounts have access' "chmod 0600 $runner_config"
fault 'a string of it has no end' 'sed -i "/prepare_exec/s/\"$//" "$runner_config"' fail "runner's file" \
	"$runner_config:15: a string without its closing" "\"\${EDITOR:-vi}\" +15 $runner_config" "$good_runner_config"
fault 'it has a key twice' 'sed -i "/token =/p" "$runner_config"' fail "runner's file" \
	"$runner_config:11: the key runners.token is defined already" "\"\${EDITOR:-vi}\" +11 $runner_config" "$good_runner_config"
fault 'its token is that of the sample' 'sed -i "/token =/s/\".*\"/\"<RUNNER-TOKEN>\"/" "$runner_config"' fail "runner's file" \
	'its token is still the placeholder' "\"\${EDITOR:-vi}\" +10 $runner_config" "$good_runner_config"
fault 'its executor is another' 'sed -i "s/\"custom\"/\"shell\"/" "$runner_config"' fail "runner's executor" \
	'the executor is "shell"' "set executor = \"custom\" at $runner_config:11" "$good_runner_config"
fault 'it names no executor' 'sed -i "/^ *executor =/d" "$runner_config"' fail "runner's executor" \
	'the executor is not set, so' "add executor = \"custom\" after $runner_config:7" "$good_runner_config"
except none 'jacamar-auth is not called' check 'a command with a slip of the pen is the only finding about the calls' '
	sed -i "/config_exec/s/jacamar-auth\"/jacamr-auth\"/" "$runner_config" && examine &&
	finds fail "runner'\''s commands" "config_exec $prefix/bin/jacamr-auth does not exist" "set config_exec = \"$auth\" at $runner_config:13" &&
	[ "$(jq "[.findings[] | select(.check | startswith(\"runner\")) | select(.result != \"pass\")] | length" "$box/report")" = 1 ]
	result=$?; jq -c .findings[] "$box/report" | grep "runner.s"; eval "$good_runner_config"; return $result'
fault 'it has no run_exec' 'sed -i /run_exec/d "$runner_config"' fail "runner's commands" 'run_exec is not set' \
	"add run_exec = \"$auth\" after $runner_config:13"
eval "$good_runner_config"
fault 'no runner of it calls the program' 'sed -i /_exec/d "$runner_config"' fail "runner's commands" 'no [[runners]] section of' \
	"set config_exec = \"$auth\" in [runners.custom] of $runner_config" "$good_runner_config"
fault 'a stage executes something else' 'sed -i "/cleanup_exec/s|= .*|= \"/bin/true\"|" "$runner_config"' fail \
	"runner's commands" 'cleanup_exec /bin/true is not the program' "set cleanup_exec = \"$auth\" at $runner_config:19" \
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
fault 'its own default is less than kill_timeout' 'set_general "kill_timeout = \"11m\""' warn "runner's timeouts" \
	'graceful_kill_timeout is 600 s by default; it must be greater than general.kill_timeout, 660 s' \
	"add graceful_kill_timeout = 720 after $runner_config:19"
write_config
eval "$good_runner_config"

# --- of the system ---

mkdir "$box/lib" && : >"$box/lib/libjose.so.0"
fault 'a library is not there' 'launcher="env LD_LIBRARY_PATH=$box/lib"' fail libraries libjose \
	'apt-get install libjose0 libcurl4 libseccomp2' launcher=

# --- of a user ---

check 'there is no such account, and nobody is told to make it' '
	examine --user "No$usr" && finds fail user "there is no local account" ""'
fault 'its shell is closed, and nobody is told to reopen the account' 'usermod -s /usr/sbin/nologin "$usr"' fail shell \
	"account $usr is closed: its shell is /usr/sbin/nologin" '' 'usermod -s /bin/bash "$usr"'
check 'no finding advises to change such a shell' '
	usermod -s /usr/sbin/nologin "$usr" && examine && ! grep -e "change that" -e usermod "$box/report"
	result=$?; usermod -s /bin/bash "$usr"; return $result'
fault 'its uid is too low' 'set_auth "min_uid = 4000000"' fail user 'is below auth.min_uid' \
	"set auth.min_uid at $config:7" write_config
check 'the host is closed, which the site heeds' '
	set_auth "enforce_nologin = true"; good && in_space sleep 60 || exit 1
	$inside mount -t tmpfs -o mode=755 none /run && $inside sh -c "echo Back at 18:00. >/run/nologin" && examine &&
		finds fail user "closes this host to logins (auth.enforce_nologin): Back at 18:00." ""
	result=$?; kill $space; inside=; write_config; return $result'
fault 'it is blocked' 'set_auth "user_blocklist = [\"$usr\"]"' fail user 'is in auth.user_blocklist' \
	"set auth.user_blocklist at $config:7" write_config
fault 'a list of groups names none' 'set_auth "user_allowlist = [\"$usr\"]
groups_allowlist = [\"no$usr\"]"' warn groups "the group no$usr does not exist on this host" "set auth.groups_allowlist at $config:8" write_config
check 'groups that exist are good' '
	set_auth "groups_allowlist = [\"$usr\", \"$two\"]" && good && grep "all groups of auth.groups_allowlist exist" "$box/report"
	result=$?; write_config; return $result'
check 'if the user is refused for that, the key is that one, and the groups of the user are told' '
	set_auth "groups_allowlist = [\"no$usr\"]" && examine &&
	finds fail user "auth.groups_allowlist; its groups: $usr" "set auth.groups_allowlist at $config:7" &&
	worst=fail finds warn groups "the group no$usr does not exist" "set auth.groups_allowlist at $config:7"
	result=$?; write_config; return $result'
fault 'a group of the blocklist is not known, with which each job fails' 'set_auth "groups_blocklist = [\"no$usr\"]"' fail groups \
	"the group no$usr does not exist" "set auth.groups_blocklist at $config:7" write_config
fault 'it is in no group that is allowed' 'set_auth "groups_allowlist = [\"$two\"]"' fail user "its groups: $usr" \
	"set auth.groups_allowlist at $config:7" write_config
fault 'its shell is none of those allowed' 'set_auth "shell_allowlist = [\"/bin/zsh\"]"' fail shell \
	'is not in auth.shell_allowlist' "set auth.shell_allowlist at $config:7" write_config
fault 'scripts have no shell' 'set_general "shell_path = \"/nonexistent/bash\""' fail shell 'does not exist' \
	"set general.shell_path = \"/bin/bash\" at $config:4" write_config
set_data() { write_config "data_dir = \"$1\""; }
# made BASE: what the site makes and gives away. itself COMMAND...: what the user does.
made() { echo "mkdir -m 0700 $1 && chown -h $usr:$(id -g "$usr") $1"; }
itself() { echo "runuser -u $usr -- $*"; }
fault 'data_dir is a directory of / that is not there' 'set_data "/jacamar-test-data.$$"' fail data_dir \
	"/jacamar-test-data.$$ does not exist" "mkdir -m 0755 /jacamar-test-data.$$ && $(made "/jacamar-test-data.$$/$usr")"
rm -rf "/jacamar-test-data.$$"
write_config
fault 'its home is writable by its group, and nobody needs that' 'usermod -aG "$(id -gn "$usr")" "$two" && chmod 770 "$home"' fail data_dir \
	"$home is writable by its group without" "$(itself "chmod go-w $home")"
fault 'its home is for all to write' 'chmod 777 "$home"' fail data_dir \
	"$home is writable by its group and others" "$(itself "chmod go-w $home")"
gpasswd -d "$two" "$(id -gn "$usr")" >/dev/null
fault 'it has no home' 'mv "$home" "$home.away"' fail data_dir 'does not exist' "$(made "$home")"
rm -rf "$home" && mv "$home.away" "$home"
data=$box/data base=$box/data/$usr
fault 'it cannot make its directory' 'set_data "$data" && mkdir -p "$data" && chown root "$data"' \
	fail data_dir "cannot create $base" "$(made "$base")"
fault 'that is of another account' 'chown "$two" "$base"' fail data_dir 'is owned by another account' \
	"mv -T $base $base.old" 'sh "$box/remedy" && rmdir "$base.old" && eval "$(made "$base")"'
fault 'it can be written by others' 'chmod 777 "$base"' fail data_dir 'is writable' "$(itself "chmod go-w $base")"
fault 'what is above is closed to the user' 'chmod 700 "$data"' fail data_dir "$data is not accessible to $usr" "chmod a+x $data"
fault 'or that is of the service account, as which it is opened' 'chmod 700 "$data"; chown "$runner" "$data"' fail data_dir \
	"$data is not accessible to $usr" "runuser -u $runner -- chmod a+x $data"
chown root "$data"
fault 'others could exchange what is above' 'chmod 777 "$data"' fail data_dir \
	"$data is writable by its group and others" "chmod +t $data"
fault 'its group could' 'chgrp "$(id -g "$two")" "$data" && chmod 775 "$data"' fail data_dir \
	"$data is writable by its group without" "chmod +t $data"
check 'a group that the user alone is in may write to what is above' '
	chgrp "$(id -g "$usr")" "$data" && chmod 2775 "$data" && good && passes data_dir "$base exists and is owned by $usr"'
check 'a base that the user alone can write to may be a link of the user' '
	install -d -m 770 -o "$usr" -g "$(id -g "$usr")" "$box/elsewhere" && rmdir "$base" &&
	as "$usr" ln -s "$box/elsewhere" "$base" && good && passes data_dir "$box/elsewhere exists and is owned by $usr"'
fault 'such a link leads to what others can write' 'chmod 772 "$box/elsewhere"' fail data_dir \
	"$box/elsewhere is writable by its group and others" "$(itself "chmod go-w $box/elsewhere")"
fault 'such a link leads to nothing' 'rmdir "$box/elsewhere"' fail data_dir "$base is a link to no directory" \
	"$(itself "rm $base")" 'sh "$box/remedy" && eval "$(made "$base")"'
chgrp root "$data"
mkdir -m 777 "$box/loose" && mkdir -p "$box/loose/data" && ln -s "$box/loose/data" "$box/to-loose"
fault 'or what a link leads to' 'chmod 777 "$box/loose/data" && chmod 755 "$box/loose" && set_data "$box/to-loose"' fail data_dir \
	"$box/loose/data is writable by its group and others" "chmod +t $box/loose/data"
fault 'or what is on the way that it leads' 'chmod 777 "$box/loose"' fail data_dir \
	"$box/loose is writable by its group and others" "chmod +t $box/loose"
fault 'or another account made it where others can write' 'chmod 1777 "$box/loose" && chown "$two" "$box/loose/data"' fail data_dir \
	"$box/loose/data is owned by uid" "set general.data_dir at $config:3" 'chown root "$box/loose/data"'
set_data "$data"
fault 'it is a link' 'rmdir "$base" && ln -s / "$base" && chmod 1777 "$data"' fail data_dir 'is a link' \
	"mv -T $base $base.old"
rm -f "$base.old"
fault 'what is above is not there' 'set_data "$data/one/two" && chmod 755 "$data"' fail data_dir "$data/one does not exist" \
	"mkdir -m 0755 $data/one $data/one/two && $(made "$data/one/two/$usr")"
fault 'what is above is the user own, and closed' 'chown "$usr" "$data/one" && chmod 500 "$data/one" && rm -r "$data/one/two"
	set_data "$data/one"' fail data_dir "cannot create $data/one/$usr" "$(itself "chmod u+wx $data/one")"
fault 'what is the user own the user makes' 'chmod 755 "$data/one"; set_data "$data/one/two"' fail data_dir "$data/one/two does not exist" \
	"$(itself "mkdir -p -m 0700 $data/one/two/$usr")"
fault 'what is in a directory of another is for nobody to make' 'rm -r "$data/one/two" && chown "$two" "$data/one"
	chmod 755 "$data/one"' fail data_dir "$data/one/two does not exist" "set general.data_dir at $config:3" 'set_data "$data"; eval "$(made "$base")"'
check 'no remedy is led astray by a link of the user' '
	mkdir -p "$data/two/in" "$box/victim" && chown -R "$usr" "$data/two" && set_data "$data/two/in" && chmod 500 "$data/two/in" &&
	examine && finds fail data_dir "cannot create" "$(itself "chmod u+wx $data/two/in")" &&
	rmdir "$data/two/in" && ln -s "$box/victim" "$data/two/in" && ! sh -c "$(cat "$box/remedy")" &&
	[ "$(stat -c "%a %U" "$box/victim")" = "755 root" ] && [ -z "$(ls "$box/victim")" ]'
check 'one that the login shell of the user knows is left out' '
	write_config "data_dir = \"\$SITE_WORK\"" && examine && [ "$(code)" = 0 ] &&
	[ "$(result_of "data_dir")" = skip ]'
write_config
fi

# --- of sudo ---

if [ "$flavour" = sudo ]; then
	check 'no name becomes more of sudoers than a path' '
		mkdir -p "$prefix/a, ALL" && cp "$prefix/libexec/jacamar-ci" "$prefix/a, ALL/jacamar" &&
		set_auth "jacamar_path = \"$prefix/a, ALL/jacamar\"" && examine &&
		finds fail sudoers "may not run the stage run" "visudo -f /etc/sudoers.d/jacamar"
		result=$?; write_config; return $result'
	# The remedy's own file is the site's.
	mend_sudoers() { sed -i "s|/etc/sudoers.d/jacamar|$sudoers|" "$box/remedy" && mended; result=$?; write_sudoers; return $result; }
	append="| EDITOR='tee -a' visudo -f /etc/sudoers.d/jacamar"
	rule() { echo "echo '$runner ALL = ($usr) NOPASSWD: $prefix/bin/jacamar --no-auth $1' $append"; }
	check 'a line of sudoers is missing' '
		sed -i "/run env-script/d" "$sudoers" && examine &&
		finds fail sudoers "may not run the stage run as $usr" "$(rule "run env-script *")" && mend_sudoers'
	check 'or it asks for a password' '
		sed -i "/prepare env-script/s/ NOPASSWD://" "$sudoers" && examine &&
		finds fail sudoers "a password for the stage prepare" "$(rule "prepare env-script")" && mend_sudoers'
	check 'or it is not for this user' '
		sed -i "/config env-script/s/($usr, $two)/($two)/" "$sudoers" && examine &&
		finds fail sudoers "may not run the stage config as $usr" "$(rule "config env-script")" && mend_sudoers'
	check 'the line for a program that does not exist names jacamar beside it' '
		sed -i "s|_exec = .*|_exec = \"$prefix/none/jacamar-auth\"|" "$runner_config" && examine &&
		finds fail sudoers "may not run the stage run as $usr" \
			"$(rule "run env-script *" | sed "s|/bin/jacamar |/none/jacamar |")"
		result=$?; eval "$good_runner_config"; return $result'
	check 'nothing is allowed' 'mv "$sudoers" "$box/sudoers.away" && examine; mv "$box/sudoers.away" "$sudoers"
		finds fail sudoers "may not use sudo" "$(rule "run env-script *")"'
	for option in log_input stay_setuid preserve_groups; do
		check "the option $option is in force" '
			write_sudoers "Defaults!$prefix/bin/jacamar $option" && examine &&
			finds fail sudoers "the option $option" "echo '\''Defaults!$prefix/bin/jacamar !$option'\'' $append" &&
			mend_sudoers'
	done
	check 'for other commands it may be' '
		write_sudoers "Defaults!/bin/true stay_setuid" && good; result=$?; write_sudoers; return $result'
	cp /usr/bin/sudo "$box/sudo" && chmod 4755 "$box/sudo"
	check 'sudo has no set-user-id bit' '
		in_space sleep 60 && $inside mount --bind "$box/sudo" /usr/bin/sudo && good && chmod u-s "$box/sudo" && examine &&
		finds fail sudo "/usr/bin/sudo is not a set-user-ID program" "chown root:root /usr/bin/sudo && chmod 4755 /usr/bin/sudo" && mended
		result=$?; kill $space; return $result'
	check 'sudo is on a mount that disables it' '
		in_space sleep 60 && $inside mount --bind "$box/sudo" /usr/bin/sudo && $inside mount -o remount,bind,nosuid /usr/bin/sudo && examine &&
		finds fail sudo "/usr/bin/sudo is mounted with nosuid" "mount -o remount,suid \"\$(findmnt -n -o TARGET -T /usr/bin/sudo)\"" && mended
		result=$?; kill $space; return $result'
	fault 'there is no_new_privs' 'launcher="setpriv --no-new-privs"' fail no_new_privs 'disables sudo' \
		'systemctl edit gitlab-runner.service' 'launcher='
fi

# --- of the server ---

if [ "$flavour" != caps ]; then
	check 'the manual names each check' 'all_named'
	check "$only_stated" "$are_stated"
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
fault 'its certificate has expired' 'of_server "https://localhost:$expired_port"' fail TLS 'certificate has expired' '' 'of_server "$site"'
fault 'its certificate is not valid yet' 'of_server "https://localhost:$future_port"' fail TLS \
	'certificate is not yet valid' '' 'of_server "$site"'
fault 'its certificate is of another host' 'of_server "https://localhost:$other_port"' fail TLS \
	'must be the name in the server' "set general.gitlab_server at $config:4" 'of_server "$site"'
fault 'the file of its authority is not there' 'of_server "$site" "tls-ca-file = \"/nonexistent\""' fail TLS \
	'cannot open general.tls-ca-file' "set general.tls-ca-file at $config:5" 'of_server "$site"'
fault 'the file of its authority can be written by others' 'chmod 666 "$web/ca.pem"' fail TLS 'is writable by its group and others' \
	"chmod go-w $web/ca.pem"
fault 'it does not answer' 'of_server "https://localhost:9"' fail server 'cannot get' '' 'of_server "$site"'
fault 'it has no keys' 'of_server "$site/nowhere"' fail server 'answers with status 404' '' 'of_server "$site"'
fault 'what it has is no key set' 'of_server "$site/html"' fail server 'is not JSON' '' 'of_server "$site"'
fault 'its url is none' 'of_server "$site" && sed -i /gitlab_server/d "$config" && sed -i "s|url = .*|url = \"nonsense\"|" "$runner_config"' fail \
	server 'nonsense' "set url at $runner_config:9" 'eval "$good_runner_config"; of_server "$site"'
fault 'it has an empty set of keys' 'of_server "$site/empty"' fail keys 'has no keys' '' 'of_server "$site"'

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
	fault "its clock differs: this host is $*" 'of_server "$clocks/$by" ""' "$result" clock ' the server' '' 'of_server "$site"'
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

check "$only_stated" "$are_stated"
check 'the manual names each check, and no other' '
	all_named && sort -u "$box/names" | comm -13 - "$box/named" >"$box/elsewhere"; cat "$box/elsewhere"
	[ "$(tr "\n" " " <"$box/elsewhere")" = "PAM cgroup downscope sudo sudoers " ]'

finish
