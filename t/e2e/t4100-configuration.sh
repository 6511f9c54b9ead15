#!/bin/sh
# The configuration file decides, so it must be the site's own, and is read right or refused with
# its line.
# Flavours: caps sudo
. "$(dirname "$0")/lib.sh"
install_site
file=$etc/jacamar-config.toml
job </dev/null
cp "$file" "$box/good.toml"

# restore: the good file again.
restore() {
	rm -rf "$file"
	install -m 600 -o "$runner" "$box/good.toml" "$file"
}

# fails 'line part'...: the file is not used, each of these is said, and how many lines are.
fails() {
	local part
	configure
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && nothing_ran &&
		logged "jacamar-auth: the configuration cannot be used: $file" || { cat "$box/log"; return 1; }
	for part; do
		logged "$part" || return 1
	done
	[ "$(wc -l <"$box/log")" -eq $(($# + 1)) ] || { cat "$box/log"; return 1; }
}
works() { configure && [ -s "$box/answer" ] || { cat "$box/log"; return 1; }; }

# Whose file it is

check "the service account's own file is used" works
chown root "$file"
chmod 644 "$file"
check "root's file is used" works
chown root:"$runner" "$file"
chmod 640 "$file"
check 'a file of root that the service account can only read is used' works
restore
for mode in 620 660 602 666 777; do
	chmod $mode "$file"
	check "a file of mode $mode is refused" '
		fails "$file: writable by its group or by others; chmod go-w it"'
done
restore
chown "$usr" "$file"
chmod 644 "$file"
check 'a file of another account is refused' 'fails "$file: owned by another account"'
restore
mv "$file" "$etc/elsewhere.toml"
ln -s "$etc/elsewhere.toml" "$file"
check 'a link to a good file is followed' works
chown "$usr" "$etc/elsewhere.toml"
chmod 644 "$etc/elsewhere.toml"
check "a link to another account's file is refused" 'fails "$file: owned by another account"'
restore
# exchanged 'line part': somebody else could put another file in its place.
exchanged() {
	configure
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && nothing_ran && [ "$(wc -l <"$box/log")" -eq 1 ] &&
		logged "jacamar-auth: the configuration $file: $1" || { cat "$box/log"; return 1; }
}
for mode in 770 702 2775; do
	chmod $mode "$etc"
	check "a file in a directory of mode $mode is refused" 'exchanged "$etc is writable by group or others; run: chmod go-w $etc"'
done
chmod 1777 "$etc"
check 'a file in a directory with the sticky bit is used' works
chmod 700 "$etc"
mkdir "$box/shared"
chmod 777 "$box/shared"
ln -s "$etc" "$box/shared/link"
check 'a file behind a link that others can exchange is refused' '
	etc=$box/shared/link file=$box/shared/link/jacamar-config.toml
	exchanged "$box/shared is writable by group or others; run: chmod go-w $box/shared"'
rm -rf "$box/shared"

# hides_setup: without -u the author of the job reads one line a call, with a reference, and no path
# of the site. The runner calls config three times.
hides_setup() {
	bounded_play
	[ $? -eq 2 ] && nothing_ran && grep "^$program: $setup_fault_because [0-9a-f]*): $setup_fault\$" "$box/log" &&
		! grep "^$program: " "$box/log" | grep -v -F "$setup_fault" && ! grep -e "$etc/jacamar" -e chmod -e "$box/keys" "$box/log"
}
chmod 660 "$file"
check 'the author of a job reads neither the path nor the remedy of a file that its group can write' hides_setup
restore
echo nonsense >>"$file"
check 'the author of a job does not read what is wrong in the file' hides_setup
restore
chmod 666 "$box/keys.json"
check 'the author of a job does not read which file of the configuration others can write' hides_setup
chmod 644 "$box/keys.json"
rm -f "$file"
check 'a file that is not there is refused' 'fails "$file: cannot be opened: No such file or directory"'
restore
chown root "$file"
check 'a file that the service account may not read is refused' 'fails "$file: cannot be opened: Permission denied"'
rm -f "$file"
mkdir "$file"
check 'a directory is refused' 'fails "$file: not a regular file"'
rmdir "$file"
mkfifo "$file"
chown "$runner" "$file"
check 'a fifo is refused, and not waited for' 'fails "$file: not a regular file"'
restore
head -c 1048577 /dev/zero | tr '\0' '#' >>"$file"
check 'a file over 1 MiB is refused' 'fails "$file: larger than 1 MiB, the limit for this file"'

# What it says. reads TITLE FILE; refuses TITLE FILE "LINE: message"...: with these and no more.

content() {
	restore
	printf '%s\n' "$1" >"$file"
}
reads() {
	content "$2"
	check "$1" works
}
refuses() {
	title=$1
	content "$2"
	shift 2
	printf '%s\n' "$@" >"$box/parts"
	check "$title" '
		set --
		while IFS= read -r part; do set -- "$@" "$file:$part"; done <"$box/parts"
		fails "$@"'
}
base='[general]
executor = "shell"
data_dir = "$HOME"'
rest="jwks_file = \"$box/keys.json\"
[auth]
downscope = \"$downscope\""

reads 'the good file has all that is needed (so that the next tests tell something)' "$base
$rest"
reads 'indented keys, comments, lists over many lines, CRLF and dotted keys are read' "$(printf '\357\273\277%s' "$base")
	jwks_file = \"$box/keys.json\" # a comment ; and another
	jwt_env_variable = [
		\"SITE_ID_TOKEN\", # the first
		'OTHER',
]
	kill_timeout = \"1m30s\"$(printf '\r')
	[auth]
	  downscope = \"$downscope\"
	  limits.nofile = 1_024"
check 'such keys have their values' '[ "$(jq -r ".job_env.JACAMAR_CI_STATE | fromjson |
	\"\(.general.kill_timeout) \(.[\"auth.limits\"].nofile)\"" "$box/answer")" = "1m30s 1024" ] || { cat "$box/answer"; false; }'

refuses 'an unknown key is refused, with its line and the nearest name' "$base
kill_timeuot = \"90s\"
$rest" '4: unknown key "kill_timeuot" in [general]; did you mean "kill_timeout"?'
refuses 'a key of another table is pointed to its own' "$base
min_uid = 1000
$rest" '4: unknown key "min_uid" in [general]; did you mean "min_uid" in [auth]?'
refuses 'an unknown table is refused' "$base
$rest
[auth.limit]
nofile = 1" '7: unknown table [auth.limit]; did you mean [auth.limits]?'
refuses 'a key outside of any table is refused' "min_uid = 1000
$base
$rest" '1: unknown key "min_uid" outside of any table'
refuses 'all errors are told, not the first' '[general]
executor = "shel"
data_dir = "relative"
kill_timeout = 90
retain_logs = "yes"
jwt_required_aud = ""
[auth]
downscope = "setgid"
min_uid = 0
shell_allowlist = "/bin/bash"
nonsense = 1' '2: ' '3: ' '4: ' '5: ' '6: ' '8: ' '9: ' '10: ' '11: unknown key "nonsense" in [auth]'
refuses 'a missing key is told' '[general]
executor = "shell"
[auth]
downscope = "setuid"' '1: general.data_dir is missing; every file must set it'
refuses 'a key that is set twice is refused' "$base
executor = \"shell\"
$rest" '4: '
refuses 'a key that is set twice under two names is refused' "$base
tls-ca-file = \"/etc/a\"
tls_ca_file = \"/etc/b\"" '5: general.tls-ca-file is set already, on line 4'
refuses 'keys of which each is right, but which contradict each other, are refused' "$base
tls-ca-file = \"/etc/a\"
$rest" '4: general.tls-ca-file conflicts with general.jwks_file on line 5: with a local file of keys'
refuses 'a table that is opened twice is refused' "$base
$rest
[general]
name = \"x\"" '7: '
for value in 1.5 1979-05-27 '{a = 1}' 'yes' '"' "'" '"\q"' '"a" "b"' '[1, "a"]' '"""' '[' '0x' '01' '1__0' ''; do
	content "$base
name = $value
$rest"
	check "the value $value of a text is refused, with its line" '
		configure; [ $? -eq 2 ] && [ ! -s "$box/answer" ] && logged "jacamar-auth: $file:" && nothing_ran'
done
refuses 'a table of tables is refused' "$base
$rest
[[batch]]
skip_cobalt_log = true" '7: '
refuses 'a line that is none of TOML is refused' "$base
this is nonsense
$rest" '4: a key needs an equals sign' '4: '
refuses 'bytes that are not UTF-8 are refused' "$base
name = \"$(printf '\377')\"
$rest" '4: '

refuses 'an executor that never was is refused' "$(printf '%s' "$base" | sed 's/"shell"/"docker"/')
$rest" '2: '
content "$base
jwks_file = \"$box/keys.json\"
[auth]
min_uid = 1000"
check 'without downscope jacamar-auth says what is missing' '
	configure; [ $? -eq 2 ] && logged "the configuration lacks auth.downscope" && nothing_ran'
content "$base
jwks_file = \"$box/keys.json\"
[auth]
downscope = \"su\""
check 'a downscope that is none is refused' 'fails "$file:6: " && logged "must be \"setuid\" or \"sudo\" or \"none\""'

# The program that is executed as the user is the site's own, too.
refuses_program() {
	content "$base
$rest
jacamar_path = \"$2\""
	text=$3
	check "$1" 'configure; [ $? -eq 2 ] && [ ! -s "$box/answer" ] && logged "$text" && nothing_ran'
}
site=$prefix/site
install -d -m 755 "$site" "$site/bin"
install -m 755 "$prefix/libexec/jacamar-ci" "$site/bin/jacamar"
[ "$flavour" != sudo ] ||
	write_sudoers "$(grep NOPASSWD "$box/sudoers" | sed "s|$prefix/bin/|$site/bin/|g")"
reads 'jacamar_path may be a directory' "$base
$rest
jacamar_path = \"$site/bin\""
reads 'jacamar_path may be a file' "$base
$rest
jacamar_path = \"$site/bin/jacamar\""
refuses_program 'jacamar_path must be absolute' bin/jacamar "$file:7: "
refuses_program 'a program that is not there is refused' "$site/bin/other" "$site/bin/other"
chmod 775 "$site/bin/jacamar"
refuses_program 'a program that its group can write is refused' "$site/bin/jacamar" \
	"$site/bin/jacamar is writable by group or others"
chmod 755 "$site/bin/jacamar"
chown "$usr" "$site/bin/jacamar"
refuses_program 'a program of the user is refused' "$site/bin/jacamar" "$site/bin/jacamar is owned by uid"
chown root "$site/bin/jacamar"
chmod 777 "$site"
refuses_program 'a program below a directory that others can write is refused' "$site/bin/jacamar" \
	"$site is writable by group or others"
chmod 755 "$site"
ln -s "$site/bin" "$box/home/$usr/bin"
chown -h "$usr" "$box/home/$usr/bin"
refuses_program 'a program behind a link of the user is refused' "$box/home/$usr/bin/jacamar" "$box/home/$usr"
mv "$site/bin/jacamar" "$box/home/$usr/jacamar"
ln -s "$box/home/$usr/jacamar" "$site/bin/jacamar"
refuses_program 'a link to a place of the user is refused' "$site/bin/jacamar" "$box"
restore
chmod 775 "$prefix/bin"
check 'the program beside jacamar-auth is checked as well' '
	configure; [ $? -eq 2 ] && logged "$prefix/bin is writable by group or others" && nothing_ran'
chmod 755 "$prefix/bin"
check 'the good file is still good' 'play'
prepare_call
chmod 777 "$prefix/bin"
check 'the program is checked again before each stage' '
	call_with; [ $? -eq 2 ] && logged "$program: $setup_fault_because " && logged "$setup_fault" && ! grep "run: chmod" "$box/log"'
check 'with -u, the log has the reason' '
	say_why; chmod 755 "$prefix/bin"; prepare_call; chmod 777 "$prefix/bin"
	call_with; [ $? -eq 2 ] && logged "$prefix/bin is writable by group or others"'
chmod 755 "$prefix/bin"

finish
