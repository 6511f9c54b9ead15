#!/bin/sh
# auth.pam_account: PAM's account rules are asked as the user, with real modules of PAM. Who is
# refused leaves no trace, and where PAM cannot answer no job runs.
# Flavours: caps root
. "$(dirname "$0")/lib.sh"
install_site
say_why
service=jacamar-t6120-$$
file=$etc/jacamar-config.toml
at_end() { rm -f "/etc/pam.d/$service"; }
# The modules run as the user, who must be able to read these files.
pam=$box/pam
mkdir "$pam" && chmod 755 "$pam" || exit 1

# rule LINE...: the account rules of the service.
rule() { printf 'account %s\n' "$@" >"/etc/pam.d/$service"; }
# Written into a file of its own, such as access.conf.
put() { printf '%s\n' "$2" >"$pam/$1" && chmod 644 "$pam/$1"; }
site() { write_config '' "downscope = \"$downscope\"
${1-pam_account = \"$service\"}"; }
check_config() { as "$runner" "$prefix/bin/jacamar" config --check "$file" >"$box/answer" 2>"$box/log"; }

accepted() { configure && jq -e .builds_dir "$box/answer" || { cat "$box/log"; false; }; }
# refused WORDS; fails WORDS: a system failure.
refused() {
	configure
	[ $? -eq 1 ] && [ ! -s "$box/answer" ] && nothing_ran &&
		logged "$refused_because" && logged "PAM refuses the account $usr, by the service $service of auth.pam_account: $1"
}
fails() {
	configure
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && nothing_ran && logged "$1"
}

job </dev/null
site
rule 'required pam_unix.so'
check 'an account that is open has jobs' accepted
check 'a whole job runs' 'echo "echo said-by-job" | job && bounded_play && logged said-by-job'
rm -rf "$box/home/$usr/.jacamar-ci"
job </dev/null
chage -E 0 "$usr"
check 'an account that has expired has none' 'refused "User account has expired: Your account has expired; please contact your system administrator."'
check 'the author of the job is not told the rule' '
	sed -i "s/\"-u\", *//" "$etc/config.toml"; play; code=$?; write_runner_config
	[ $code -eq 1 ] && nothing_ran && [ -n "$(neutral_reference)" ] && ! grep -i -e PAM -e expired "$box/log"'
site ''
check 'without the key PAM is not asked' accepted
site
chage -E -1 "$usr"
usermod -L -e 1 "$usr"
check 'an account that is locked and closed has none' 'refused "User account has expired"'
usermod -e '' "$usr"
check 'a locked password alone closes no account, as for logins by key' accepted
chage -d 0 "$usr"
check 'an account that must change its password has none' 'refused "Authentication token is no longer valid; new one required"'
chage -d -1 "$usr"

put access "- : $usr : ALL"
rule "required pam_access.so accessfile=$pam/access"
check 'pam_access refuses' 'refused "Permission denied"'
put access "+ : $usr : ALL
- : ALL : ALL"
check 'pam_access permits' accepted
put time "$service;*;$usr;!Al0000-2400"
rule "required pam_time.so conffile=$pam/time"
check 'pam_time refuses' 'refused "Permission denied"'
put time "$service;*;$usr;Al0000-2400"
check 'pam_time permits' accepted
put nologin 'Maintenance.
Back at 18:00.'
rule "required pam_nologin.so file=$pam/nologin" 'required pam_permit.so'
check 'pam_nologin refuses, in words of one line' 'refused "Authentication failure: Maintenance. Back at 18:00."'
rm "$pam/nologin"
check 'pam_nologin permits' accepted
put words "$(head -c 3000 /dev/zero | tr '\0' x)"
rule "optional pam_echo.so file=$pam/words" 'required pam_deny.so'
check 'the words of PAM are bounded' 'refused "Authentication failure: xxxx" && [ "$(wc -c <"$box/log")" -lt 1500 ]'

put show "#!/bin/sh
{ env; id; ls -l /proc/self/fd; grep NoNewPrivs /proc/self/status; } >'$box/home/$usr/seen'"
chmod 755 "$pam/show"
rule "required pam_exec.so quiet $pam/show"
check 'a module sees the user, and nothing of the job or the service' '
	seen=$box/home/$usr/seen; accepted && grep "^uid=$(id -u "$usr")($usr)" "$seen" &&
	grep "^NoNewPrivs:.0" "$seen" && grep " 3 -> /proc/.*/fd$" "$seen" && ! grep -e CUSTOM_ENV -e JOB_ -e " 4 -> " "$seen"
	code=$?; [ $code -eq 0 ] || cat "$seen"; rm -f "$seen"; [ $code -eq 0 ]'

# From here on the module waits.
rule 'required pam_exec.so quiet /bin/sleep 987654'
end_sleep() { pkill -KILL -U "$usr" -f '^/bin/sleep 987654'; wait_until no_process; }
check 'PAM that does not answer is a failure of the system, in time' '
	configure; code=$?; end_sleep
	[ $code -eq 2 ] && nothing_ran && logged "PAM has not answered within 10 seconds whether $usr may run jobs"'
# The child, the only process of the user that is none of the module, may be killed by the user,
# which is no answer; but it can be neither read nor traced nor limited.
attack() {
	configure & waiting=$!
	wait_until 'pgrep -U "$usr" -f "^/bin/sleep 987654" >/dev/null' || return 1
	child=$(ps -o ppid= -p "$(pgrep -U "$usr" -f '^/bin/sleep 987654')" | tr -d ' ')
	bad=
	as "$usr" ls "/proc/$child/fd" >/dev/null 2>&1 && bad="$bad fd"
	as "$usr" cat "/proc/$child/environ" >/dev/null 2>&1 && bad="$bad environ"
	as "$usr" prlimit --pid "$child" --nofile=0:0 2>/dev/null && bad="$bad prlimit"
	as "$usr" strace -qq -o /dev/null -p "$child" -e trace=none 2>&1 | grep -q "not permitted" || bad="$bad ptrace"
	as "$usr" kill -KILL "$child" || bad="$bad kill"
	wait "$waiting"
	code=$?
	end_sleep
	[ "$code" -eq 2 ] && [ -z "$bad" ] && nothing_ran && logged "the process that asked PAM about $usr was killed" ||
		{ echo "code $code, done:$bad"; cat "$box/log"; false; }
}
check 'a process of the user can kill the question, and then no job runs, but not change it' attack

rm "/etc/pam.d/$service"
reason="auth.pam_account names the PAM service $service, but neither /etc/pam.d/$service nor /usr/lib/pam.d/$service exists"
check 'a service without a file is a failure of the system: the rules of "other" are not its' 'fails "$reason"'
check 'config --check names it' 'check_config; [ $? -eq 2 ] && logged "$file:" && logged "$reason"'
check 'doctor names it' '
	as "$runner" "$prefix/bin/jacamar" doctor --configuration "$file" >"$box/log" 2>&1; logged "$reason"'
rule 'required no-such-module.so'
check 'a module that does not exist is a failure of the system' 'fails "PAM could not check the account $usr"'
rule 'required pam_deny.so'
site
check 'jacamar --no-auth says that PAM is not asked' '
	(entry="$prefix/bin/jacamar --no-auth"; configure); logged "warning: jacamar --no-auth ignores auth.pam_account"'
for other in sudo none; do
	write_config '' "downscope = \"$other\"
pam_account = \"$service\""
	check "it is refused with downscope = \"$other\"" '
		check_config; [ $? -eq 2 ] && logged "auth.pam_account conflicts with auth.downscope"'
done
finish
