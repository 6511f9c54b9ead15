# How the rows of bench.sh are measured; source it after ../e2e/lib.sh and install_site.
#
# A row has several peers, of which one is usually ours: functions peer_NAME, each of which makes one
# round. They take turns, so that noise falls on all alike. A round is the median of some runs, and
# the least round of a peer counts: noise only adds. So a least round that another one confirms is
# enough, and on a quiet machine the rounds end early.
#
# BENCH_RUNS     runs in a round (30)
# BENCH_ROUNDS   most rounds (8)

runs=${BENCH_RUNS:-30}
most_rounds=${BENCH_ROUNDS:-8}
least_rounds=3
auth=$prefix/bin/jacamar-auth
jobs=$box/home/$runner
table=$box/table
: >"$table"

# The script of most rows.
: >"$box/empty.bash"
chmod 644 "$box/empty.bash"

# at_row_end 'commands': they run when the row ends, also by a failure; the last ones first.
undo=
at_row_end() {
	undo="$1
$undo"
}
undo_row() {
	trap - EXIT
	eval "$undo" >/dev/null 2>&1
}

# row_fails WHAT: ends the row, with what the last command wrote.
row_fails() {
	{ echo "bench: $1 failed:"; cat "$box/output"; } >&2
	exit 1
}

# row_skips WHY: ends the row, which cannot be measured on this machine.
row_skips() {
	table_line "$row" '' '' '' "skipped: $1"
	exit 0
}

# --- results ---

# print_line WHAT VALUE BUDGET UNIT VERDICT; table_line also keeps it for the summary.
print_line() {
	printf '%-70s %8s %8s %-4s %s\n' "$1" "$2" "$3" "${4:-}" "${5:-}"
}
table_line() {
	printf '  %s\n' "$(print_line "$@")"
	print_line "$@" >>"$table"
}

# hold WHAT VALUE BUDGET UNIT: one result; a BUDGET of - is none.
hold() {
	local verdict=
	[ "$3" = - ] ||
		verdict=$(awk -v value="$2" -v budget="$3" 'BEGIN { print value <= budget ? "met" : "MISSED" }')
	table_line "$1" "$2" "$3" "$4" "$verdict"
}

# value PEER: what counts of its rounds, in seconds. A row whose rounds have two modes, or noise that
# does not only add, has the middle one count: value() { middle "$1"; }
least() { sort -g "$box/rounds.$1" | head -n 1; }
middle() { sort -g "$box/rounds.$1" | awk '{ round[NR] = $1 } END { print round[int((NR + 1) / 2)] }'; }
value() { least "$1"; }

# ratio PEER PEER; beyond PEER PEER: by how many milliseconds the first takes longer; seconds PEER.
ratio() { awk -v a="$(value "$1")" -v b="$(value "$2")" 'BEGIN { printf "%.3f", a / b }'; }
beyond() { awk -v a="$(value "$1")" -v b="$(value "$2")" 'BEGIN { printf "%.2f", (a - b) * 1000 }'; }
seconds() { awk -v a="$(value "$1")" 'BEGIN { printf "%.3f", a }'; }

# --- rounds ---

# take_turns PEER...: $least_rounds to $most_rounds of each; prints the least and the most that they took.
take_turns() {
	local round=0 peer
	while [ "$round" -lt "$most_rounds" ]; do
		round=$((round + 1))
		for peer; do
			"peer_$peer"
		done
		[ "$round" -lt "$least_rounds" ] || ! confirmed "$@" || break
	done
	for peer; do
		sort -g "$box/rounds.$peer" | awk -v peer="$peer" '
			{ time[NR] = $1 * 1000 }
			END { printf "  %s %.2f to %.2f ms,", peer, time[1], time[NR] }'
	done
	echo " in $round rounds"
}

# confirmed PEER...: of each, the two least rounds differ by less than 1 %.
confirmed() {
	local peer
	for peer; do
		sort -g "$box/rounds.$peer" |
			awk 'NR == 1 { least = $1 } NR == 2 { exit $1 >= least * 1.01 }' || return 1
	done
}

# a_round SECONDS: notes one of the peer whose turn it is.
a_round() { echo "$1" >>"$box/rounds.$peer"; }

# by_root COMMAND [hyperfine's options]: one round of a command, as root.
by_root() {
	local command=$1
	shift
	hyperfine -N --warmup 2 --runs "$runs" "$@" --export-json "$box/out.json" "$command" \
		>"$box/output" 2>&1 || row_fails "$peer"
	a_round "$(jq '.results[0].median' "$box/out.json")"
}

# in_job JOB COMMAND...: as the service account, with the environment of that job and no other
# variable; see prepare.
in_job() {
	local job=$1
	shift
	as "$runner" sh -c 'cd "$1" && shift && exec xargs -0 -a env sh -c "$0" - "$#" "$@"' '
		count=$1
		shift
		while [ "$count" -gt 0 ]; do set -- "$@" "$1"; shift; count=$((count - 1)); done
		exec env -i "$@"' "$jobs/$job" "$@"
}

# by_runner JOB COMMAND [hyperfine's options]: one round of a command in that job.
by_runner() {
	local job=$1 command=$2
	shift 2
	in_job "$job" hyperfine -N --warmup 2 --runs "$runs" "$@" --export-json out.json "$command" \
		>"$box/output" 2>&1 || {
		# hyperfine does not tell what the command has said.
		in_job "$job" sh -c "$command" >>"$box/output" 2>&1
		row_fails "$peer"
	}
	a_round "$(jq '.results[0].median' "$jobs/$job/out.json")"
}

# --- jobs ---

# second_job [JQ-EXPRESSION]: $box/job.json becomes that of another job, which may run beside the first.
second_job() {
	job_extra=".response.id = 2 | .custom_env = {CI_CONCURRENT_PROJECT_ID: \"1\"} | ${1:-.}"
	job "$(token job_id=2)" </dev/null
}

# settings [AUTH-LINES [GENERAL-LINES]]: the configuration.
settings() {
	write_config "data_dir = \"\$HOME\"
${2:-}" "downscope = \"$downscope\"
${1:-}"
}

# prepare JOB [AUTH-LINES [GENERAL-LINES]]: makes the calls of config and prepare of $box/job.json,
# with these settings. What its other calls need is in $jobs/JOB.
prepare() {
	install -d -m 700 -o "$runner" "$jobs/$1"
	settings "${2:-}" "${3:-}"
	as "$runner" "$build_for_all/t/runner" --prepare-only "$jobs/$1" "$etc/config.toml" \
		"$box/job.json" >"$box/output" 2>&1 || row_fails "preparing the job $1"
	at_row_end "as $runner sh $jobs/$1/cleanup.sh; rm -rf $jobs/$1"
}
