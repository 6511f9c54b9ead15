#!/bin/sh
# When capabilities are in effect, as strace(1) sees it: not after the first calls of the program,
# and then for the calls alone that need them.
# Flavours: caps root sudo
. "$(dirname "$0")/lib.sh"
need_root
[ -z "${SANITIZE:-}" ] || skip_all 'the sanitizers make calls of their own, before main() and after'
strace -o /dev/null true 2>/dev/null || skip_all 'needs strace, and to be allowed to trace'
install_site
home=$box/home/$usr
trace=$box/trace
mkdir "$trace"
# Root traces, so that file capabilities and sudo still have an effect: a file for each process.
become() { command strace -qq -ff -o "$trace/of" "$build/t/as" "$@"; }
# traced COMMAND...: and nothing else.
traced() {
	rm -f "$trace"/*
	"$@"
}

# starts: what each start of the program has done before its first capset, a line a fault; then
# how many starts there were.
starts() {
	awk -v prefix="execve(\"$prefix/" '
		FNR == 1 { before = 0 }
		index($0, prefix) == 1 && / = 0$/ && /jacamar/ { before = 1; count++ }
		before && /^openat/ && !/"(\/usr)?\/lib|"\/etc\/ld\.so|"\/proc\/sys\/kernel\/cap_last_cap"/
		before && /^(connect|socket|execve|clone|fork|vfork|unlink|open)\(/ && !/^execve.* = 0$/
		before && /^capset/ {
			before = 0
			if (last !~ /^capget/ || !/effective=0,/)
				print last "; " $0
		}
		{ last = $0 }
		END { print count " starts" }' "$trace"/*
}

# raised: the calls of the program that were made while a capability was in effect again, but for
# those that need it or show nothing to anybody else, a line a fault; then, in one line, which ones
# needed it, and how often one was raised.
raised() {
	awk -v prefix="execve(\"$prefix/" '
		FNR == 1 { ours = 1; raised = 0 }
		/^execve.* = 0$/ { ours = index($0, prefix) == 1; raised = 0 }
		!ours || /^(---|\+\+\+)/ { next }
		/^capset.* = 0$/ {
			now = !/effective=0,/
			count += now && !raised
			raised = now
			next
		}
		!raised { next }
		/^(setgroups|setresgid|setresuid|fchown)\(/ {
			used[substr($0, 1, index($0, "(") - 1)] = 1
			next
		}
		/^(getpid|gettid|capget|capset)\(/ { next }
		/^prctl\(PR_([GS]ET_DUMPABLE|CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)[,)]/ { next }
		{ print FILENAME ": " $0 }
		END {
			line = ""
			for (i = split("fchown setgroups setresgid setresuid", names); i > 0; i--)
				if (names[i] in used)
					line = names[i] " " line
			print line "raised " (count > 0 ? "often" : "never")
		}' "$trace"/*
}

# opened: the libraries that -V opens at run time, each with the permitted set at that time.
opened() {
	sed -n -e 's/^capset.*permitted=\([^,]*\),.*= 0$/permitted \1/p' \
		-e 's/^openat.*\/\(libjose\|libcurl\|libseccomp\)\.so.* = [0-9]*$/\1/p' "$trace"/* |
		awk '$1 == "permitted" { set = $2; next } { print $0 " " set }'
}
check 'jacamar-auth -V opens libraries only after it has dropped the capabilities for good' '
	traced as "$runner" "$prefix/bin/jacamar-auth" -V && opened | tee "$box/opened" &&
	[ "$(sort -u "$box/opened" | tr "\n" ";")" = "libcurl 0;libjose 0;libseccomp 0;" ]'

job_passes() { bounded_play; result=$?; cat "$box/log"; [ $result -eq 0 ] && logged 'the script runs'; }
write_config
job_extra='.scripts += {restore_cache: [], download_artifacts: [], archive_cache: [], upload_artifacts_on_success: []}'
echo 'echo the script runs' | job
job_extra=
check 'a whole job runs while it is traced' 'traced job_passes'
check 'each start of the program lowers the capabilities before it does anything else' '
	starts | tee "$box/starts" && [ "$(wc -l <"$box/starts")" = 1 ] &&
	[ "$(sed "s/ starts//" "$box/starts")" -ge 15 ]'
raises() { raised >"$box/raised"; head -n 50 "$box/raised"; [ "$(cat "$box/raised")" = "$1" ]; }
if [ "$flavour" = sudo ]; then
	check 'none is raised later' 'raises "raised never"'
	finish
fi
check 'they are raised later for calls that change the identity, and nothing else' '
	raises "setgroups setresgid setresuid raised often"'

# Where a job is killed, jacamar-auth acts as the user.
check 'a job is killed while it is traced' '
	echo "kill -KILL \$(ps -o ppid= -p \$PPID); sleep 600" | command_job
	traced bounded_play; [ $? -eq 2 ] && logged "killed by signal 9" && nothing_left'
check 'to kill it, they are raised for calls that change the identity, and nothing else' '
	raises "setgroups setresgid setresuid raised often"'

if [ "$flavour" = root ]; then
	check 'root makes a directory for the user while it is traced' '
		install -d -m 755 "$prefix/data"; write_config "data_dir = \"$prefix/data\"" \
			"downscope = \"setuid\"
root_dir_creation = true"
		echo "echo the script runs" | job; traced job_passes && [ -O "$prefix/data" ] &&
		[ "$(stat -c %U "$prefix/data/$usr")" = "$usr" ]'
	check 'the capability to change the owner of a file is raised for that call alone' '
		raises "fchown setgroups setresgid setresuid raised often"'
fi

finish
