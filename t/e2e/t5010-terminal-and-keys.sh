#!/bin/sh
# The user's side has no controlling terminal and no kernel key of the service account's, not even
# at its first instruction, when a process of the user can stop and trace it.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
compile on-terminal
compile first-look
compile keys
install_site
home=$box/home/$usr

# The runner is started from a terminal, with a session keyring, as a service of systemd has it.
"$box/keys" session true || skip_all 'needs a kernel with keyrings'
become() { command "$box/keys" session "$box/on-terminal" "$build/t/as" "$@"; }
# use_up ACCOUNT: all its kernel keys, until give_back ACCOUNT.
use_up() {
	: >"$box/filler"
	as "$1" "$box/keys" fill >"$box/filler" &
	wait_until '[ -s "$box/filler" ]'
}
# keys_of UID: how many keys count against the quota of the account (keyrings(7)).
keys_of() { awk -v id="$1:" '$1 == id { count = $4 + 0 } END { print count + 0 }' /proc/key-users; }
give_back() {
	[ ! -s "$box/filler" ] || kill "$(cat "$box/filler")"
	: >"$box/filler"
	as "$1" "$box/keys" clear
	# The kernel frees them a while later.
	id=$(id -u "$1")
	wait_until '[ "$(keys_of "$id")" -lt 50 ]'
}
at_end() { give_back "$usr"; give_back "$runner"; }

look=$prefix/first-look/jacamar
install -d -m 755 "$prefix/first-look"
install -m 755 "$box/first-look" "$look"
[ "$flavour" != sudo ] || {
	write_sudoers "$(sed -n "/NOPASSWD:/s|$prefix/bin/jacamar|$look|p" "$box/sudoers" | sort -u)"
}
# site DATA-DIR: whose user side is looked at first.
site() {
	write_config "data_dir = \"$1\"" "downscope = \"$downscope\"
jacamar_path = \"$look\""
}

check 'the terminal is there for the service account, and takes what is typed' '
	as "$runner" "$box/first-look" >"$box/log" 2>&1; result=$?; cat "$box/log"
	[ $result -eq 99 ] && logged "terminal: typed" && logged ": kept"'

# What a stage finds at its first instruction
install -d -o "$usr" -m 700 "$home/scratch"
echo 'export SCRATCH=$HOME/scratch' >"$home/.bash_profile"
site '$SCRATCH'
looked_by() { sed -n 's/^first look: \([a-z]*\): terminal.*/\1/p' "$box/log" | sort -u | xargs; }
echo 'cat /dev/tty || echo the script has no terminal' | job
check 'a job passes on a terminal, and nothing was typed into it' '
	bounded_play && logged "the script has no terminal"'
check 'config, prepare, run and cleanup were looked at' '
	[ "$(looked_by)" = "cleanup config prepare run" ]'
check 'none of them has a controlling terminal' '
	grep "terminal:" "$box/log" | sort -u; ! grep "terminal:" "$box/log" |
		grep -v "terminal: No such device or address$"'
check 'none of them can keep a keyring that is not of its own account' '
	grep "keyring" "$box/log" | sort -u; uid=$(id -u "$usr")
	grep -q "keyring of" "$box/log" && ! grep "look: .* keyring" "$box/log" |
		grep -v -e "keyring of $uid: kept$" -e "keyring of $(id -u "$runner"): Permission denied$"'
if [ "$flavour" = sudo ]; then
	for option in use_pty '!use_pty'; do
		check "with $option in sudoers it is the same" '
			lines=$(sed -n "/NOPASSWD:/s|$prefix/bin/jacamar|$look|p" "$box/sudoers" | sort -u)
			write_sudoers "Defaults $option
$lines"
			echo "echo the script runs" | job; bounded_play && logged "the script runs" &&
			[ "$(looked_by)" = "cleanup config prepare run" ] &&
			! grep "terminal:" "$box/log" | grep -v "terminal: No such device or address$"'
	done
fi
# The site's own script runs for a person whom nobody has admitted yet.
install -d -m 1777 "$box/open"
cat >"$prefix/validate" <<SCRIPT
#!/bin/sh
if (: </dev/tty) 2>/dev/null; then echo has a terminal; else echo has none; fi >$box/open/terminal
SCRIPT
chmod 755 "$prefix/validate"
check 'the script of auth.runas has no controlling terminal' '
	write_config "data_dir = \"\$HOME\"" "downscope = \"$downscope\"
[auth.runas]
validation_script = \"$prefix/validate\""
	echo "echo the script runs" | job; bounded_play && logged "the script runs" &&
	[ "$(cat "$box/open/terminal")" = "has none" ]'
rm -rf "$home/.jacamar-ci"
write_config

# A user whose quota of keys is used up
used_up='has used up its quota of kernel keys'
fails() { [ $? -eq 2 ] && logged "$used_up" && ! grep 'the script runs' "$box/log"; }
echo 'echo the script runs' | job
check 'if the user has no free key, no stage of the job begins' '
	use_up "$usr" && bounded_play; fails; result=$?; cat "$box/log"
	give_back "$usr"; [ $result -eq 0 ] && nothing_ran'
check 'if the user has no free key, config fails where it asks the login shell for a directory' '
	write_config "data_dir = \"\$SCRATCH\""; use_up "$usr"
	bounded_play; fails; result=$?; cat "$box/log"; write_config; give_back "$usr"
	[ $result -eq 0 ] && [ -z "$(jq -r ".calls[] | select(.stage == \"prepare\").stage" "$box/result.json")" ]'
check 'if the user has no free key, no script runs, and cleanup ends the processes of the job' '
	prepare_call && echo "sleep 600 </dev/null >/dev/null 2>&1 &" | call && [ "$(call_exit)" = 0 ] &&
	living && use_up "$usr" && echo "echo the script runs" | call >"$box/log"
	sh -c "exit $(call_exit)"; fails; result=$?; cat "$box/log"
	[ "$flavour" = none ] || call_cleanup || result=1
	give_back "$usr"; [ "$flavour" != none ] || call_cleanup || result=1
	[ $result -eq 0 ] && nothing_left'
check 'if the user has free keys again, the job runs' 'bounded_play && logged "the script runs"'

# A service account whose quota is used up
full() { use_up "$runner" && bounded_play; result=$?; give_back "$runner"; return $result; }
except 'root sudo none' 'root has no such quota; without capabilities the service account needs keys' \
	check 'jobs need no key of the service account' 'full && logged "the script runs"'
except 'caps root' 'jobs need no key of the service account' \
	check 'a service account without a free key is named as the reason' 'full; fails'

finish
