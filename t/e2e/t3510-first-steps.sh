#!/bin/sh
# What fails at the first steps of a process, before it can do anything else, is said in one line.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
need_root
strace -o /dev/null true 2>/dev/null || skip_all 'needs strace, and to be allowed to trace'
install_site
home=$box/home/$usr
write_config
echo 'echo the script runs' | job
prepare_call

# one_line 'TEXT': the call failed, nothing of the job ran, and the log has this line of ours alone.
one_line() {
	cat "$box/log"
	logged "$1" && ! grep 'the script runs' "$box/log" &&
		[ "$(grep -c '^jacamar[a-z-]*: ' "$box/log")" = 1 ]
}

# fails_with INJECTION 'TEXT': the call of run, with what strace(1) injects into its processes.
fails_with() {
	local injection=$1
	become() { command strace -f -qq -o /dev/null -e "trace=${injection%%:*}" -e "inject=$injection" "$build/t/as" "$@"; }
	printf 'echo the script runs\n' | call >"$box/log"
	become() { "$build/t/as" "$@"; }
	[ "$(call_exit)" = 2 ] && one_line "$2"
}
check 'a descriptor of the user side that cannot be set up is reported in one line' '
	fails_with dup3:error=EMFILE "cannot set up the process of the user"'

# Before anything waits for signals: jacamar-auth opens the script.
told_to_end_early() {
	local script
	script=$(sed -n "s/.*'\\(\/[^']*\\)' 'build_script'.*/\\1/p" "$call/call.sh" | tail -n 1)
	[ -n "$script" ] || return 1
	become() {
		command strace -f -qq -o "$box/trace" -P "$(readlink -f "$script")" -P "$script" -e trace=openat \
			-e inject=openat:signal=TERM "$build/t/as" "$@"
	}
	printf 'echo the script runs\n' | call >"$box/log"
	become() { "$build/t/as" "$@"; }
	cat "$box/trace"
	[ "$(call_exit)" = 2 ] && one_line "$1"
}
check 'a signal to end before the user side is started is a cancelled stage' '
	told_to_end_early "$cancelled_line"'

# Nobody can open a socket like a file: as in a container whose /dev lacks the device.
: >"$box/empty"
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$box/socket"
without_null() {
	unshare --mount sh -c 'mount --bind "$0" /dev/null && exec "$@"' "$box/socket" "$@"
}
# call_without_null SCRIPT: makes the call that prepare_call left, where /dev/null is missing, and
# is not its standard input either.
call_without_null() {
	sed "s|</dev/null|<'$box/empty'|" "$call/$1" >"$call/changed.sh"
	(become() { without_null "$build/t/as" "$@"; }; as "$runner" sh "$call/changed.sh" >"$box/log" 2>&1)
}
echo 'echo the script runs' >"$call/script"
chmod 644 "$call/script"
check 'run reports a missing /dev/null in one line' '
	call_without_null call.sh; [ $? -eq 2 ] && one_line "cannot open /dev/null: No such device"'
check 'cleanup reports a missing /dev/null in one line' '
	call_without_null cleanup.sh; [ $? -eq 2 ] && one_line "cannot open /dev/null: No such device"'
check 'config reports a missing /dev/null in one line' '
	become() { without_null "$build/t/as" "$@"; }; exec 3<"$box/empty"
	configure sh -c "exec \"\$@\" <&3" -; [ $? -eq 2 ] && one_line "cannot open /dev/null: No such device"'
finish
