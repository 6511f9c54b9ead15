# shellcheck shell=bash
#
# What the scheduler runs for an allocation that several jobs share (core/executor/allocation.h): it
# starts the scripts of these jobs, and ends the allocation when it has not been used for some time.
#
# Set before it, by core/executor/allocation.c: here (the allocation's directory), feed (a file that
# this job takes), node (its name), idle and patience (seconds).
#
# Some schedulers feed this text to a shell on its standard input. With the braces, that shell reads
# all of it before the standard input is replaced.
{
	# Ends if one of these variables is not set. shellcheck reports any other unset variable.
	: "${here?}" "${feed?}" "${node?}" "${idle?}" "${patience?}"
	# Schedulers end jobs with these signals. They reach the scripts, too.
	ended=
	trap 'ended=1' TERM USR2 XCPU
	trap : HUP INT QUIT USR1
	exec >/dev/null 2>&1 </dev/null
	shopt -s nullglob
	# Without its feed, this attempt to submit the allocation was given up, and another one holds it.
	# Because of the rename, only one process gets the feed: this job, or the one that gives up the
	# attempt. A job that the scheduler starts again has taken it before.
	command -p mv -f "$feed" "$feed.taken"
	[ -e "$feed.taken" ] || exit 1
	printf '%s %(%s)T.%s\n' "$node" -1 "$$" >"$here/keeper.start.new"
	command -p mv -f "$here/keeper.start.new" "$here/keeper.start"

	# By the job in GitLab: the request whose script was started, the process of its wrapper until no
	# process of the script is left, and since when these processes are being ended.
	declare -A begun=() wrapper=() ending=()
	used=$SECONDS

	# read_request JOB: reads into $request what the job asks for; it is empty if there is nothing.
	read_request() {
		request=
		read -r request <"$here/$1.run"
	}

	# signal_job JOB SIGNAL: signals the processes of the job's script on this node; they have the
	# cookie of the job in this variable of their environment. (Other sub-stages of the job, which may
	# run on this host, have it in JACAMAR_CI_JOB alone.) False if there is none.
	signal_job() {
		local process found=1 cookie=${begun[$1]%% *}
		for process in $(command -p grep -lsxzF "JACAMAR_CI_SHARED=$cookie" /proc/[0-9]*/environ); do
			kill -s "$2" "${process//[!0-9]/}" && found=0
		done
		return "$found"
	}

	# Watches a script that was started. When it has ended, or is no longer asked for, its remaining
	# processes get SIGTERM, and SIGKILL after the patience.
	look_after() {
		local signal=TERM
		read_request "$1"
		if [ "$request" = "${begun[$1]}" ] && [ -e "/proc/${wrapper[$1]}/exe" ]; then
			used=$SECONDS
			return
		fi
		if [ -n "${ending[$1]}" ]; then
			signal=0
			((SECONDS - ending[$1] <= patience)) || signal=KILL
		else
			ending[$1]=$SECONDS
		fi
		signal_job "$1" "$signal" || unset "wrapper[$1]" "ending[$1]"
	}

	# Starts the script that a job asks for. If the job has left the allocation, confirms that no
	# process of it is left.
	answer() {
		read_request "$1"
		if [ "$request" = end ]; then
			command -p rm -f "$here/$1.run"
			unset "begun[$1]"
		elif [ -n "$request" ] && [ "$request" != "${begun[$1]}" ] && [ -z "$ended" ]; then
			begun[$1]=$request
			JACAMAR_CI_JOB=${request%% *} JACAMAR_CI_SHARED=${request%% *} /bin/bash "${request#* }.batch" &
			wrapper[$1]=$!
			used=$SECONDS
		fi
	}

	# Removes the directory of the allocation, so that no job can join it. Under the lock of the jobs:
	# the redirection makes the file, or fails. False if a job has joined, or is joining.
	close_allocation() {
		local file result=0
		if ! (set -C && : >"$here,lock") && [ -e "$here,lock" ]; then
			return 1
		fi
		for file in "$here"/*.run; do
			file=${file##*/}
			read_request "${file%.run}"
			# The scheduler may put the allocation back into the queue: its jobs wait for it then.
			[ "$request" = end ] || { [ -z "$ended" ] && [ "$request" = "${begun[${file%.run}]}" ]; } ||
				result=1
		done
		[ "$result" -ne 0 ] || command -p rm -rf "$here"
		command -p rm -f "$here,lock"
		return "$result"
	}

	while [ -e "$feed.taken" ]; do
		for job in "${!wrapper[@]}"; do
			look_after "$job"
		done
		for job in "$here"/*.run; do
			job=${job##*/}
			job=${job%.run}
			[ -n "${wrapper[$job]}" ] || answer "$job"
		done
		if [ "${#wrapper[@]}" -eq 0 ] && { [ -n "$ended" ] || ((SECONDS - used >= idle)); }; then
			# Another keeper may make the directory again, with its own feed of the same name.
			if close_allocation || [ -n "$ended" ]; then
				break
			fi
		fi
		command -p sleep 0.5
	done
	exit 0
}
