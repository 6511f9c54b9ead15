# shellcheck shell=bash
#
# What the scheduler runs on the node: it runs the script of a sub-stage, and writes how the script
# ended into files. It also writes the log: a scheduler may copy its own only at the end.
#
# Set before it, by core/executor/batch_files.c: here (the path of the sub-stage's files, without a
# suffix), feed (the path of the shell's input), node (its name), shell (the bash to run), login (its
# option) and patience (seconds).
#
# Some schedulers feed this text to a shell on its standard input. With the braces, that shell reads
# all of it before the standard input is replaced.
{
	# Ends if one of these variables is not set. shellcheck reports any other unset variable.
	: "${here?}" "${feed?}" "${node?}" "${shell?}" "${login?}" "${patience?}"
	# Without its feed, this attempt to submit the job was given up, and another one runs the script.
	# Because of the rename, only one process gets the feed: this job, or the one that gives up the
	# attempt. A job that the scheduler starts again has taken it before.
	command -p mv -f "$feed" "$feed.taken" 2>/dev/null
	{ exec {input}<"$feed.taken"; } 2>/dev/null || exit 1
	# Schedulers end jobs with these signals: then the script was killed, and has not just exited.
	terminated=
	trap 'terminated=" terminated"' TERM USR2 XCPU
	# The script decides what the others mean.
	trap : HUP INT QUIT USR1
	exec >>"$here.log" 2>&1 </dev/null || exit 1
	command -p rm -f "$here.exit"
	# These files get their blocks on the disk before the script can fill it, or its quota.
	printf '%64s\n' '' >"$here.exit.new"
	printf '%64s\n' '' >"$here.report"
	printf '%s %(%s)T.%s\n' "$node" -1 "$$" >"$here.start.new"
	command -p mv -f "$here.start.new" "$here.start"

	# The script writes into a pipe, whose end shows that the log is complete. The signals above reach
	# every process of the job; this one ignores them and copies the rest of the output.
	exec {log}> >(
		trap '' HUP INT QUIT TERM USR1 USR2 XCPU
		command -p cat >>"$here.log" && exit
		# The file system or a quota is full. The script must not get SIGPIPE because of that.
		command -p cat >/dev/null
		exit 1
	)
	copier=$!
	pipe=$(command -p readlink "/proc/$$/fd/$log")
	pipe=${pipe//[^a-z0-9]/?} # a pattern, without brackets of its own
	"$shell" "$login" <&"$input" 79<>"$here.report" >&"$log" 2>&1 {log}>&- {input}<&-
	status=$?
	exec {log}>&- {input}<&-
	code=
	read -r code <"$here.report"

	# A process that reads the script's output and writes the log, as in `exec > >(tee file)`, needs
	# time: until all is written, the log has not grown for 2 s, or the patience is over.
	# If a signal ends a command of this loop, bash writes "Terminated" to its standard error.
	size=-1
	began=$SECONDS
	# A process that has ended has no executable. The shell itself may not notice the end: a scheduler
	# can start it with SIGCHLD blocked.
	while [ -e "/proc/$copier/exe" ]; do
		before=$size
		size=$(command -p stat -c %s "$here.log")
		[ "$size" = "$before" ] || quiet=$SECONDS
		# SECONDS changes with the clock's second: a difference of one can be no time at all.
		if ((SECONDS - quiet > 2 || SECONDS - began > patience)); then
			holders=()
			# Processes that can write into the pipe: the copier and its cat can only read it.
			for process in $(command -p find /proc/[0-9]*/fd -lname "$pipe" -perm -200 -printf '%h\n' |
				command -p sort -u); do
				process=${process//[!0-9]/}
				! read -r name <"/proc/$process/comm" || holders+=("$process ($name)")
			done 2>/dev/null
			printf -v names ', %s' "${holders[@]:-processes that cannot be examined}"
			[ -z "$(command -p tail -c 1 "$here.log")" ] || echo
			printf 'jacamar: the job log is still held open by %s (%s in all); %s\n' \
				"${names:2}" "${#holders[@]}" \
				'what is written to it from here on is lost; start a daemon with </dev/null >FILE 2>&1'
			break
		fi
		command -p sleep 0.05
	done 2>/dev/null
	incomplete=
	if [ ! -e "/proc/$copier/exe" ]; then
		wait "$copier"
		[ $? -ne 1 ] || incomplete=' incomplete'
	fi

	# On NFS, other hosts see the bytes of a file once it is synchronized. Only after that may the name
	# of the exit file appear.
	command -p sync "$here.log"
	size=$(command -p stat -c %s "$here.log")
	printf '%s %s %s%s\n' "${code:--}" "${size:-0}" "$status" "$terminated$incomplete" 1<>"$here.exit.new" &&
		command -p sync "$here.exit.new" &&
		command -p mv -f "$here.exit.new" "$here.exit" ||
		printf 'jacamar: cannot tell how the script ended; is the file system full?\n'
	exit "${code:-1}"
}
