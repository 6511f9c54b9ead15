#!/bin/sh
# The command line: its forms, its names, its wrong calls; and of the names only jacamar-auth ever
# holds a capability.
# Flavours: caps sudo
. "$(dirname "$0")/lib.sh"
install_site
auth=$prefix/bin/jacamar-auth
jacamar=$prefix/bin/jacamar
ci=$prefix/libexec/jacamar-ci
version=$(sed -n 's/^#define JACAMAR_VERSION *"\(.*\)"/\1/p' "$top/core/lib/version.h")
open=$box/open
mkdir -m 1777 "$open"

# What is installed

file() { stat -c '%F %a %U:%G' "$1"; }
except sudo 'capabilities, of which it has none' check 'jacamar-auth is a file of its own, for the service account alone' '
	[ "$(file "$auth")" = "regular file 750 root:$runner" ] && ! [ "$auth" -ef "$ci" ]'
except sudo 'capabilities, of which it has none' check 'jacamar-auth has two capabilities, and no more' '
	[ "$(/sbin/getcap "$auth")" = "$auth cap_setgid,cap_setuid=ep" ]'
check 'jacamar-auth is the same program as the other names' 'cmp "$auth" "$ci"'
check 'jacamar is a link to an ordinary program' '
	[ "$(readlink "$jacamar")" = ../libexec/jacamar-ci ] && [ "$(file "$ci")" = "regular file 755 root:root" ]'
except sudo 'capabilities, of which it has none' check 'no other file there has a capability, or another account on it' '
	[ "$(/sbin/getcap -r "$prefix" | wc -l)" -eq 1 ] &&
	! find "$prefix" ! -type l -perm /6022 | grep . && ! find "$prefix" ! -user root | grep .'
check 'everyone may call jacamar' '[ "$(as "$usr" "$jacamar" --version)" = "jacamar $version" ]'
except sudo 'capabilities, of which it has none' check 'nobody but the service account may call jacamar-auth' '
	! as "$usr" "$auth" --version && as "$runner" "$auth" --version'

# Help and version

# says PROGRAM...: on standard output alone, successfully.
says() {
	as "$runner" "$@" >"$box/out" 2>"$box/err" && [ -s "$box/out" ] && [ ! -s "$box/err" ] || {
		cat "$box/out" "$box/err"
		return 1
	}
}
for program in jacamar-auth jacamar; do
	for option in --version -V; do
		check "$program $option prints its version in the first line" '
			says "$prefix/bin/$program" $option && [ "$(head -n 1 "$box/out")" = "$program $version" ]'
	done
	for option in --help -h; do
		check "$program $option prints its usage" 'says "$prefix/bin/$program" $option &&
			for stage in config prepare run cleanup; do
				grep -q "^  $program .*$stage" "$box/out" || { cat "$box/out"; exit 1; }; done'
	done
	check "$program --help stands behind a stage, too" 'says "$prefix/bin/$program" run --help'
	check "$program --vers may be cut short" 'says "$prefix/bin/$program" --vers'
done
check 'help says which stage needs --configuration' '
	as "$runner" "$auth" --help >"$box/out" &&
	grep "jacamar-auth \[-u\] config --configuration FILE$" "$box/out" &&
	grep "jacamar-auth \[-u\] prepare \[--configuration FILE\]$" "$box/out"'
check 'help that nobody can be told fails' '
	! as "$runner" "$auth" --help >/dev/full && ! as "$runner" "$auth" --version >/dev/full'
check 'help that cannot be printed says why in one line' '
	for option in --help --version; do
		as "$runner" "$auth" $option 2>"$box/err" >/dev/full
		echo "jacamar-auth: cannot write to standard output: No space left on device" |
			diff - "$box/err" || exit 1
	done
	as "$runner" "$prefix/libexec/jacamar-ci" --list 2>"$box/err" >/dev/full
	echo "jacamar-ci: cannot write to standard output: No space left on device" | diff - "$box/err"'

# What a request for support needs

# row 'NAME': what jacamar-auth -V prints for it.
row() { sed -n "s|^$1   *||p" "$box/out"; }
check 'jacamar -V prints only the version' 'says "$jacamar" -V && [ "$(cat "$box/out")" = "jacamar $version" ]'
check 'jacamar-auth -V prints a short table, which names the kernel and the C library' '
	says "$auth" -V && [ "$(wc -l <"$box/out")" -le 14 ] && [ "$(row kernel)" = "$(uname -rm)" ] &&
	[ "$(row "C library")" = "$(getconf GNU_LIBC_VERSION)" ] && row "kernel has" | grep "no_new_privs, seccomp"'
check 'jacamar-auth -V says by what it changes accounts' '
	says "$auth" -V && row "account change" >"$box/change" && cat "$box/change"
	case $flavour in
	caps) [ "$(cat "$box/change")" = "file capabilities" ] ;;
	sudo) grep "^sudo" "$box/change" ;;
	esac && "$auth" -V | grep -x "account change *root" &&
	as "$runner" setpriv --no-new-privs "$auth" -V | grep "^account change *none .*no_new_privs"'
check 'jacamar-auth -V names the file of each library, and the version where the library tells it' '
	says "$auth" -V && for name in libcap-ng inih jansson libjose libcurl libseccomp; do
		row "$name" | tee "$box/row"; file=$(sed "s/.* //" "$box/row"); [ -f "$file" ] || exit 1
		case $name in inih) name=libinih ;; jansson) name=libjansson ;; esac
		case ${file##*/} in $name.so*) ;; *) exit 1 ;; esac
	done && row jansson | grep "^2\.[0-9.]*, /" && row libseccomp | grep "^2\.[0-9.]*, /" &&
	row libcurl | grep "^[78]\.[0-9.]*, [A-Za-z].*, /"'
if unshare -m true 2>/dev/null; then
	check 'jacamar-auth -V says that a library cannot be opened, and why' '
		says "$auth" -V && curl=$(row libcurl | sed "s/.* //") && [ -f "$curl" ] &&
		become() { command unshare -m sh -c "mount --bind /dev/null $curl && exec \"\$@\"" - "$build/t/as" "$@"; } &&
		says "$auth" -V && row libcurl | grep "^cannot be used: .*libcurl\.so\.4: " && row libjose | grep "^/"'
else
	skip 'jacamar-auth -V says that a library cannot be opened, and why' 'needs a mount namespace'
fi

# Names

check 'jacamar-ci --list prints the applets' '
	says "$ci" --list && [ "$(tr "\n" " " <"$box/out")" = "auth config prepare run cleanup doctor explain " ]'
check 'jacamar-ci --version prints its own name' 'says "$ci" --version && [ "$(cat "$box/out")" = "jacamar-ci $version" ]'
check 'jacamar-ci auth is jacamar-auth' 'says "$ci" auth --version && [ "$(head -n 1 "$box/out")" = "jacamar-auth $version" ]'
ln -s "$ci" "$box/jacamar-auth"
ln -s "$ci" "$box/jacamar"
check 'a link named jacamar-auth is jacamar-auth' '
	says "$box/jacamar-auth" --version && [ "$(head -n 1 "$box/out")" = "jacamar-auth $version" ]'
check 'a link named jacamar is jacamar' 'says "$box/jacamar" --version && [ "$(cat "$box/out")" = "jacamar $version" ]'

# wrong 'line part' COMMAND...: one line on standard error, and the runner's own system failure.
wrong() {
	local text="$1" code
	shift
	as "$runner" SYSTEM_FAILURE_EXIT_CODE=77 "$@" >"$box/out" 2>"$box/err" </dev/null
	code=$?
	[ $code -eq 77 ] && [ ! -s "$box/out" ] && [ "$(wc -l <"$box/err")" -eq 1 ] &&
		grep -qF -- "$text" "$box/err" || { echo "exit code $code"; cat "$box/out" "$box/err"; return 1; }
}
check 'no stage is a wrong call' 'wrong "jacamar-auth: the command is missing: config, prepare, run or cleanup" "$auth"'
check 'an unknown stage is a wrong call' 'wrong "jacamar-auth: unknown command \"build\"; the runner'"'"'s config.toml sets it in" "$auth" build'
check 'an unknown option is a wrong call' 'wrong "unknown option --unknown" "$auth" --unknown config'
check 'a short option is a wrong call' 'wrong "see: jacamar-auth --help" "$auth" -x config'
check 'an unknown letter is named with its whole word' '
	wrong "unknown option -xu; see" "$auth" --configuration file -xu config &&
	wrong "unknown option -ux; see" "$auth" --configuration file -ux config'
check 'arguments that are joined to one are named as they are' '
	wrong "unknown option -u config --configuration file; see" "$auth" "-u config --configuration file"'
check 'an option cut too short is a wrong call' 'wrong "see: jacamar-auth --help" "$auth" --un=1 config'
check 'an option without its value is a wrong call' 'wrong "--configuration needs a value" "$auth" config --configuration'
check 'config without a configuration is a wrong call' 'wrong "config needs --configuration FILE" "$auth" config'
check 'an operand of config is a wrong call' 'wrong "config takes no arguments" "$auth" config extra'
check 'an operand of prepare is a wrong call' 'wrong "prepare takes no arguments" "$auth" prepare extra'
check 'an operand of cleanup is a wrong call' 'wrong "cleanup takes no arguments" "$auth" cleanup extra'
check 'run without operands is a wrong call' 'wrong "run needs two arguments, SCRIPT and SUBSTAGE" "$auth" run'
check 'run with one operand is a wrong call' 'wrong "run needs two arguments, SCRIPT and SUBSTAGE" "$auth" run script'
check 'run with three operands is a wrong call' 'wrong "run needs two arguments, SCRIPT and SUBSTAGE" "$auth" run script a b'
check 'an empty stage is a wrong call' 'wrong "unknown command" "$auth" ""'
check 'jacamar-auth does not take --no-auth' 'wrong "--no-auth is an option of jacamar" "$auth" --no-auth run script a'
check 'jacamar-auth takes env-script for the name of a script' 'wrong "JACAMAR_CI_STATE is not set" "$auth" run env-script a'
for stage in config prepare 'run script build_script' cleanup; do
	check "jacamar ${stage%% *} without --no-auth explains both" '
		wrong "jobs that run as the person who triggered them are started by jacamar-auth" "$jacamar" $stage &&
		grep -q "jacamar --no-auth ${stage%% *}" "$box/err"'
done
check 'jacamar without a stage is a wrong call' 'wrong "jacamar: the command is missing" "$jacamar" --no-auth'
check 'jacamar-ci without an applet is a wrong call' 'wrong "jacamar-ci: " "$ci"'
check 'a message stays one line, whatever the call' '
	wrong "unknown command" "$auth" "$(printf "a\nb\033[31mc")" && ! grep -q "$(printf "\033")" "$box/err"'
long=$(head -c 5000 /dev/zero | tr '\0' a)
check 'a message on a very long name is one line' '
	wrong "$(printf %.100s "$long"): " bash -c '"'"'exec -a "$0" "$1" nonsense'"'"' "$long" "$ci"'
check 'a wrong call ends with 2 if the runner has no code for system failures' '
	as "$runner" "$auth" nonsense 2>/dev/null; [ $? -eq 2 ]'
for code in 0 256 -1 x '' 2x; do
	check "a system failure code '$code' of the runner is none" '
		as "$runner" SYSTEM_FAILURE_EXIT_CODE="$code" "$auth" nonsense 2>/dev/null; [ $? -eq 2 ]'
done
# Behind the channel every exit code is a script's: a failure there is a signal.
for call in 'run env-script' 'prepare env-script extra' 'run env-script a b' '--nonsense run env-script a'; do
	check "jacamar --no-auth $call is a wrong call, too" '
		as "$usr" "$jacamar" --no-auth $call </dev/null >"$box/out" 2>"$box/err"; [ $? -gt 128 ] &&
		[ "$(grep -c "^jacamar: .*; see: jacamar --help$" "$box/err")" -eq 1 ] && [ ! -s "$box/out" ]'
done
check 'the user side without a channel says who calls it' '
	as "$usr" "$jacamar" --no-auth run env-script build_script </dev/null >"$box/out" 2>"$box/err"
	[ $? -ne 0 ] && grep -qF "only jacamar-auth calls env-script" "$box/err" && [ "$(grep -c "^jacamar: " "$box/err")" -eq 1 ] &&
	[ ! -e "$box/home/$usr/.jacamar-ci" ]'

# The documented order of the options, and others

job </dev/null
for form in '-u config --configuration FILE' '--unobfuscated config --configuration FILE' \
	'config --configuration FILE -u' 'config --configuration=FILE' '--configuration FILE config' \
	'-u -u config --configuration FILE'; do
	arguments=$(printf %s "$form" | sed "s|FILE|$etc/jacamar-config.toml|")
	check "jacamar-auth $form is understood" '
		jq .response "$box/job.json" >"$etc/response.json" && chown "$runner" "$etc/response.json" &&
		as "$runner" JOB_RESPONSE_FILE="$etc/response.json" CUSTOM_ENV_CI_RUNNER_SHORT_TOKEN=short \
			CUSTOM_ENV_CI_CONCURRENT_PROJECT_ID=0 "$auth" $arguments | jq -e .builds_dir'
done
check 'behind -- nothing is an option' 'wrong "config takes no arguments" "$auth" -- config --configuration x'

# Sub-stages

job </dev/null
prepare_call || { cat "$box/log"; exit 1; }
cp "$call/call.sh" "$call/true.sh"
# call_substage NAME: the run call, for another sub-stage.
call_substage() {
	sed "s|'build_script' </dev/null|\"\$SUBSTAGE\" </dev/null|" "$call/true.sh" >"$call/call.sh"
	SUBSTAGE=$1
	sed -i "2i SUBSTAGE=\$1; shift" "$call/call.sh"
	call_with "$1"
}
long=$(printf '%064d' 0 | tr 0 s)
for name in step_new-Thing_1 X 0 _ "$long"; do
	check "a sub-stage '$(printf %.20s "$name")' of ${#name} bytes is accepted" 'call_substage "$name" || { cat "$box/log"; false; }'
done
for name in ../x a/b .. . '' "${long}s" 'a b' 'a.b' "a'b" '$(id)' "$(printf 'a\nb')" é; do
	check "a sub-stage '$(printf '%.20s' "$name" | tr '\n' ' ')' of ${#name} bytes is refused" '
		call_substage "$name"; [ $? -eq 2 ] && [ "$(wc -l <"$box/log")" -eq 1 ] &&
		logged "is not the name of a sub-stage: 1 to 64 characters of [A-Za-z0-9_-]" && no_process &&
		! find "$box/home/$usr/.jacamar-ci/scripts" -type f | grep .'
done
check 'the user side refuses a bad one, too' '
	as "$usr" "$jacamar" --no-auth run env-script ../x </dev/null 2>"$box/err"
	[ $? -ne 0 ] && grep -qF "is not the name of a sub-stage: 1 to 64 characters of [A-Za-z0-9_-]" "$box/err"'
job_extra='.substages = ["get_sources", "build_script", "step_Release-2", "unheard_of"] |
	.scripts = {"step_Release-2": ["echo second step"], unheard_of: ["echo third step"]}'
job </dev/null
job_extra=
check 'a whole job with sub-stages that nobody knows yet succeeds' 'play && logged "second step" && logged "third step"'

# Capabilities: whoever starts the capable file under another name, or another file under its name,
# has none. The processes stay where they wait for their standard input, and are looked at there.
mkfifo "$box/fifo"
chmod 666 "$box/fifo"
exec 8<>"$box/fifo"
# status_of ACCOUNT COMMAND...: /proc/PID/status of the command, once it reads, in $box/status.
status_of() {
	local who="$1" pid=
	shift
	rm -f "$box/status"
	as "$who" sh -c 'echo $$ >"$1"; shift; exec "$@"' - "$open/pid" "$@" <&8 >"$box/out" 2>"$box/err" 8<&- &
	waiting=$!
	wait_until '[ -s "$open/pid" ] && pid=$(cat "$open/pid") &&
		{ [ "$(cut -d" " -f1 "/proc/$pid/syscall" 2>/dev/null)" = 0 ] || ! kill -0 $waiting 2>/dev/null; } &&
		! grep -q "^Name:.*\(sh\|env\|setpriv\|probe\)$" "/proc/$pid/status"'
	cp "/proc/$pid/status" "$box/status"
	kill "$pid"
	wait $waiting
	rm -f "$open/pid"
	[ -s "$box/status" ]
}
no_capability() {
	[ "$(grep -c '^Cap\(Inh\|Prm\|Eff\|Amb\):[[:space:]]*0*$' "$box/status")" -eq 4 ] || {
		cat "$box/status" "$box/err"
		return 1
	}
}
cat >"$box/probe.c" <<'C'
#define _GNU_SOURCE
#include <unistd.h>
/* probe FILE [ARGUMENT...]: executes FILE with exactly these arguments, the name included. */
int main(int argc, char **argv)
{
	if (argc > 1)
		execv(argv[1], argv + 2);
	return 127;
}
C
${CC:-cc} -o "$box/probe" "$box/probe.c" || exit 1
for name in jacamar jacamar-ci jacamar-authx xjacamar-auth 'jacamar-auth/' '' ./jacamar ' jacamar-auth' JACAMAR-AUTH; do
	check "the capable file under the name '$name' has no capability" '
		status_of "$runner" "$box/probe" "$auth" "$name" --no-auth run env-script build_script &&
		grep -q "^Name:.*jacamar-auth" "$box/status" && no_capability'
done
check 'root has no capability under another name either' '
	status_of root "$box/probe" "$auth" jacamar --no-auth run env-script build_script && no_capability'
check 'jacamar has no capability' '
	status_of "$usr" "$jacamar" --no-auth run env-script build_script && no_capability'
check 'jacamar has no capability even as root' 'status_of root "$jacamar" --no-auth run env-script build_script && no_capability'
check 'jacamar has no capability even if its caller has ambient ones' '
	status_of root setpriv --reuid "$usr" --clear-groups --inh-caps=+setuid,+setgid,+sys_admin \
		--ambient-caps=+setuid,+setgid,+sys_admin "$jacamar" --no-auth run env-script build_script &&
	no_capability && grep -q "^Uid:	$(id -u "$usr")	" "$box/status"'
exec 8>&-
check 'a call without a name and arguments is a system failure' '
	as "$runner" "$box/probe" "$auth"; [ $? -eq 2 ]'

# Without capabilities jacamar-auth cannot, and says why; the job's user gets nothing.
rm -rf "$box/home/$usr/.jacamar-ci"
cp "$etc/config.toml" "$box/config.true"
job </dev/null
for other in "$ci auth" "$box/jacamar-auth"; do
	except sudo 'capabilities, of which it has none' check "$(basename "${other% auth}") of an ordinary file cannot change accounts, and says why" '
		(entry=$other; configure); [ $? -eq 2 ] && logged "jacamar-auth cannot change accounts" &&
		logged "setcap cap_setgid,cap_setuid=ep" && nothing_ran'
done
# With an argv[0] of its own, as `exec -a` gives it.
printf '#!/bin/bash\nexec -a jacamar "%s" "$@"\n' "$auth" >"$open/renamed"
chmod 755 "$open/renamed"
sed "s|\"$auth\"|\"$open/renamed\"|; s|_args = \[|&\"--no-auth\", |" "$box/config.true" >"$etc/config.toml"
except sudo 'capabilities, of which it has none' check 'the capable file under the name jacamar cannot change accounts' '
	play && logged "warning: this job runs as $runner: jacamar --no-auth ignores auth.downscope" && nothing_ran'
cp "$box/config.true" "$etc/config.toml"
except sudo 'capabilities, of which it has none' check 'no_new_privs of the runner takes the capabilities away, which is said' '
	configure setpriv --no-new-privs; [ $? -eq 2 ] && logged "cannot change accounts" && nothing_ran'
check 'jacamar-auth under its own name still works' play

finish
