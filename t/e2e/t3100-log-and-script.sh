#!/bin/sh
# What a script finds where it runs, and what becomes of its output.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
install_site
home=$box/home/$usr

# How long a consumer of the log takes depends on how busy the machine is.
write_config 'data_dir = "$HOME"
kill_timeout = "1200s"'
job </dev/null
prepare_call || { cat "$box/log"; exit 1; }

# The log

cat >"$box/script" <<'SCRIPT'
echo to-out
echo to-err >&2
echo reopened-out >/dev/stdout
echo reopened-err >/dev/stderr
echo both | tee /dev/stderr
echo by-proc >/proc/self/fd/2
SCRIPT
check 'a script may open /dev/stdout and /dev/stderr' '
	call <"$box/script" >"$box/log"; [ "$(call_exit)" = 0 ] &&
	printf "%s\n" to-out to-err reopened-out reopened-err both both by-proc | sort >"$box/expected"
	sort "$box/log" | diff "$box/expected" -'

head -c 100000 /dev/urandom >"$box/bytes"
chmod 644 "$box/bytes"
check 'bytes of every kind come through as they are' '
	echo "cat $box/bytes" | call | cmp - "$box/bytes" && [ "$(call_exit)" = 0 ]'
check 'a line without an end stays without one' '
	[ "$(printf "printf no-end" | call | od -An -c | tr -d " ")" = no-end ]'
cat >"$box/script" <<'SCRIPT'
head -c 67108864 /dev/zero | tr '\0' 'x' >~/much
sha256sum <~/much >~/sum
cat ~/much
rm ~/much
SCRIPT
check '64 MiB of log come through as they are' '
	call <"$box/script" | sha256sum >"$box/sum"; [ "$(call_exit)" = 0 ] &&
	cmp "$box/sum" "$home/sum"'

cat >"$box/script" <<'SCRIPT'
exec > >(while IFS= read -r l; do sleep 0.002; echo "$l"; done) 2>&1
seq 1 300; echo "error: the reason"; exit 7
SCRIPT
check 'a consumer of the script has the time that it needs for the log' '
	call <"$box/script" >"$box/log"; [ "$(call_exit)" = 1 ] && [ "$(exit_code_file)" = 7 ] &&
	{ seq 1 300; echo "error: the reason"; } | diff - "$box/log"'
cat >"$box/script" <<'SCRIPT'
exec 8<> <(:)
exec > >(while IFS= read -r l; do
	if ((l % 10)); then read -rt 0.002 -u 8; else date >/dev/null; fi; echo "$l"
done) 2>&1
seq 1 2000
SCRIPT
check 'also one that takes long for each of 2,000 lines' '
	call <"$box/script" >"$box/log"; [ "$(call_exit)" = 0 ] && seq 1 2000 | diff - "$box/log"'
check 'no process of the job has a pipe of the runner' '
	echo "readlink /proc/self/fd/1 /proc/self/fd/2; stat -Lc %U /proc/self/fd/1 /proc/self/fd/2" |
		call >"$box/log"; cat "$box/log"
	[ "$(grep -c "^pipe:" "$box/log")" = 2 ] && [ "$(grep -cx "$usr" "$box/log")" = 2 ]'

# The script

head -c 33554432 /dev/zero | tr '\0' '#' | fold -w 1024 >"$box/script"
printf '\nstat -c "%%a %%U" "$0"; sha256sum <"$0"\n' >>"$box/script"
check 'a script of 32 MiB runs' '
	call <"$box/script" >"$box/log"; [ "$(call_exit)" = 0 ] && [ -s "$box/log" ]'
check 'as it was written, in a file of its user alone' '
	{ echo "600 $usr"; sha256sum <"$box/script"; } | diff - "$box/log"'
check 'nothing of it is left' '! find "$home" -name "*.bash" | grep .'
printf 'echo one\n# a\0b\necho tw\0o\nsha256sum <"$0"\n' >"$box/script"
check 'a script with zero bytes is handed on with them' '
	call <"$box/script" >"$box/log"; logged one && logged "$(sha256sum <"$box/script")"'
check 'a script that reads its input finds its end at once' '
	echo "cat; read -r line || echo at-end; readlink /proc/self/fd/0" | call >"$box/log"
	[ "$(call_exit)" = 0 ] && printf "at-end\n/dev/null\n" | diff - "$box/log"'
cat >"$box/script" <<'SCRIPT'
words=(eins zwölf "drei vier"); declare -A map=([ключ]=значение)
[[ ${#words[@]} == 3 && ${words[1]} == zw* ]] && echo "${map[ключ]} ✓"
SCRIPT
check 'a script may use all that bash has, in UTF-8' '
	[ "$(call <"$box/script")" = "значение ✓" ]'
check 'it starts with a umask as a login has it' '[ "$(echo umask | call)" = 0022 ]'
check 'it starts without a limit of its own for core dumps' '
	[ "$(echo "ulimit -c" | call)" = "$(as "$usr" bash -c "ulimit -c")" ]'

# Even where homes are open, scripts are nobody else's.
chmod 755 "$home"
cat >"$box/script" <<'SCRIPT'
cd; stat -c '%a' .jacamar-ci .jacamar-ci/scripts "${0%/*}" "$0"
echo "$0" >~/path
until [ -e ~/seen ]; do sleep 0.05; done
SCRIPT
check 'its directories and its file are closed to all others' '
	call <"$box/script" >"$box/log" & waited=$!
	wait_until "[ -s \"$home/path\" ]" && path=$(cat "$home/path")
	[ -f "$path" ] && ! as "$two" cat "$path" && ! as "$two" ls "${path%/*}" &&
	! as "$two" ls "$home/.jacamar-ci" && { [ "$runner" = root ] || [ "$runner" = "$usr" ] || ! as "$runner" cat "$path"; }; refused=$?
	touch "$home/seen"; wait $waited
	[ $refused -eq 0 ] && printf "%s\n" 700 700 700 600 | diff - "$box/log"'

# Login profiles. The user's own files decide what happens in the user's own shell; the driver
# must not take for a success what was none, and must not hang.

# profile 'TEXT': ~/.bash_profile is this, and nothing else is there.
profile() {
	rm -f "$home/.bash_profile" "$home/.bash_logout" "$home/.profile" "$home/.bashrc"
	printf '%s\n' "$1" >"$home/.bash_profile"
	chown "$usr" "$home/.bash_profile"
}

# with_profile 'TEXT': runs a script that ends with code 3.
with_profile() {
	profile "$1"
	echo 'echo the script runs; exit 3' | call >"$box/log"
	cat "$box/log"
}

# ran: that script has run, and its own code was reported. blamed: it has not, and the log says why.
ran() { logged 'the script runs' && [ "$(call_exit)" = 1 ] && [ "$(exit_code_file)" = 3 ]; }
blamed() {
	! grep -q '^the script runs' "$box/log" && [ "$(call_exit)" = 2 ] &&
		logged 'does a profile' && logged '~/.bashrc'
}

check 'a profile that prints adds to the log' 'with_profile "echo from-profile"; ran && logged from-profile'
check 'a profile may set -e, -u and -f' 'with_profile "set -euf"; ran'
check 'a profile may change PATH, long as it may be' '
	with_profile "PATH=\$PATH\$(printf \":/nonexistent/%05d\" {1..5000})"; ran'
check 'a profile may turn splitting upside down' 'with_profile "IFS=0123456789"; ran'
check 'a profile may trap EXIT' 'with_profile "trap \"echo trapped; exit 0\" EXIT"; ran && logged trapped'
check 'a profile may trap ERR and DEBUG' 'with_profile "trap \"true err\" ERR; trap : DEBUG"; ran'
check 'a profile may define a function bash' 'with_profile "bash() { echo mine; }; export -f bash"; ran'
check 'a profile may define a function echo' 'with_profile "echo() { :; }"; ran'
check 'a profile may define aliases' '
	with_profile "shopt -s expand_aliases; alias bash=true echo=true builtin=true command=true"
	ran || blamed'
check 'a profile may define a function command' 'with_profile "command() { return 0; }"; ran || blamed'
check 'a profile may define a function builtin' 'with_profile "builtin() { :; }"; ran || blamed'
check 'a profile may define both' '
	with_profile "command() { :; }; builtin() { echo 0 >&79; }"; ran || blamed'
check 'a profile may define a function exec and others like it' '
	with_profile "exec() { :; }; eval() { :; }; unset() { :; }; trap() { :; }"; ran || blamed'
check 'a profile that exits is no success' 'with_profile "exit 0"; blamed'
check 'a profile that reads its input is no success' 'with_profile cat; blamed'
check 'a profile that executes another program is no success' 'with_profile "exec /bin/true"; blamed'
check 'a profile that executes nothing more is no success' 'with_profile "set -n"; blamed'
check 'a profile that kills its shell is no success' '
	with_profile "kill -KILL \$\$"; [ "$(call_exit)" = 2 ] && logged "killed by signal 9" &&
	! logged "the script runs" >/dev/null'
check 'a profile that closes the report is no success' '
	with_profile "exec 79>&-"; [ "$(call_exit)" = 2 ] && logged "does a profile"'
check 'a profile with a syntax error does not keep the script from running' 'with_profile "if then"; ran'
check '~/.bash_logout changes nothing' '
	profile :; echo "echo bye; exit 5" >"$home/.bash_logout"; chown "$usr" "$home/.bash_logout"
	echo "echo the script runs; exit 3" | call >"$box/log"; ran'
check 'a login shell is one' '
	profile "shopt -q login_shell && echo is-login"; [ "$(echo : | call)" = is-login ]'

profile 'echo from-profile; export FROM_PROFILE=1'
check 'what a profile exports reaches the script' '
	echo "echo \"<\$FROM_PROFILE>\"" | call >"$box/log"; logged "<1>"'
check 'JACAMAR_NO_BASH_PROFILE leaves profiles out' '
	call_environment=CUSTOM_ENV_JACAMAR_NO_BASH_PROFILE=true
	echo "echo \"<\$FROM_PROFILE>\$PATH\"" | call >"$box/log"
	echo "<>/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin" | diff - "$box/log"'
check 'and only where it is true' '
	call_environment=CUSTOM_ENV_JACAMAR_NO_BASH_PROFILE=yes
	echo : | call >"$box/log"; logged from-profile'
check 'JACAMAR_ETC_PROFILE_ONLY leaves the users own out' '
	call_environment=CUSTOM_ENV_JACAMAR_ETC_PROFILE_ONLY=true
	as "$usr" PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin \
		bash -c ". /etc/profile; echo \"<>\$PATH\"" >"$box/expected"
	echo "echo \"<\$FROM_PROFILE>\$PATH\"" | call >"$box/log"; diff "$box/expected" "$box/log"'
check 'a profile that hangs is ended with the job' '
	profile "echo the profile hangs; sleep 600"; rm -f "$box/log"
	write_config "data_dir = \"\$HOME\"
kill_timeout = \"2s\""
	echo : | job; bounded_play --cancel-on "the profile hangs"; [ $? -eq 4 ] && nothing_left'
check 'cleanup needs no profile' '
	profile "exit 1"; call_cleanup && nothing_left'

rm -f "$home/.bash_profile"
mkdir -m 755 "$box/site"
cp "$(command -v bash)" "$box/site/our bash"
check 'general.shell_path names the shell' '
	write_config "data_dir = \"\$HOME\"
shell_path = \"$box/site/our bash\""
	echo "readlink /proc/\$\$/exe /proc/\$PPID/exe" | job; bounded_play && nothing_left &&
	[ "$(grep -c "^$box/site/our bash" "$box/log")" = 2 ]'
check 'a shell that is not there is a system failure' '
	write_config "data_dir = \"\$HOME\"
shell_path = \"$box/site/none\""
	bounded_play; [ $? -eq 2 ] && logged "$box/site/none" && nothing_left'

finish
