#!/bin/sh
# What the program costs, as ratios against named peers measured in the same run: hyperfine's
# medians, the least of several rounds that take turns, so that noise falls on all alike.
# BENCH_ROUNDS (5) and BENCH_RUNS (60) say how long it takes.
. "$(dirname "$0")/../e2e/lib.sh"
install_site
rounds=${BENCH_ROUNDS:-5}
runs=${BENCH_RUNS:-60}
missed=0

# hold NAME VALUE BUDGET [UNIT]: one row; VALUE and BUDGET are numbers.
hold() {
	verdict=$(awk -v value="$2" -v budget="$3" 'BEGIN { print value <= budget ? "met" : "MISSED" }')
	[ "$verdict" = met ] || missed=$((missed + 1))
	printf '%-66s %9s %9s %-8s %s\n' "$1" "$2" "$3" "${4:-}" "$verdict"
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }
least() { sort -g | head -n 1; }

# measure NAME: the least of the medians of the rounds so far, in seconds.
measure() { least <"$box/median.$1"; }

# round NAME COMMAND...: one more round of a peer, as root.
round() {
	name=$1
	shift
	hyperfine -N --warmup 3 --runs "$runs" --export-json "$box/$name.json" "$@" >/dev/null 2>&1 ||
		{ echo "bench: $name failed" >&2; exit 1; }
	jq '.results[0].median' "$box/$name.json" >>"$box/median.$name"
}

# round_as_runner NAME COMMAND...: one of ours, as the service account, in the job's environment.
round_as_runner() {
	name=$1
	shift
	as "$runner" sh -c 'cd "$1" && shift && exec xargs -0 -a env sh -c '\''
		command=$1 runs=$2 options=$3 && shift 3 && exec env -i "$@" \
			hyperfine -N --warmup 3 --runs "$runs" $options --export-json out.json "$command"
		'\'' - "$@"' - "$call" "$1" "$runs" "${options:-}" >"$box/output" 2>&1 ||
		{ cat "$box/output"; echo "bench: $name failed" >&2; exit 1; }
	jq '.results[0].median' "$call/out.json" >>"$box/median.$name"
}

job </dev/null
call=$box/home/$runner/call
install -d -m 700 -o "$runner" "$call"
as "$runner" "$build_for_all/t/runner" --prepare-only "$call" "$etc/config.toml" "$box/job.json" \
	>"$box/output" 2>&1 || { cat "$box/output"; exit 1; }
at_end() { as "$runner" sh "$call/cleanup.sh" >/dev/null 2>&1; }

: >"$box/empty.bash"
chmod 644 "$box/empty.bash"
auth=$prefix/bin/jacamar-auth

printf '%-66s %9s %9s\n' 'what' 'measured' 'at most'

# --- one sub-stage of an empty script ---
bash_file="bash --login -c 'bash $box/empty.bash; exit \$?'"
i=0
while [ "$i" -lt "$rounds" ]; do
	i=$((i + 1))
	round setpriv "setpriv --reuid $usr --regid $usr --init-groups $bash_file"
	round_as_runner ours "$auth run $box/empty.bash build_script"
	round runuser "runuser -u $usr -- $bash_file"
	round su "su $usr -s /bin/bash -c 'bash --login -c \"bash $box/empty.bash; exit \\\$?\"'"
	round sudo "sudo -n -u $usr -- $bash_file"
	round version "$prefix/bin/jacamar --version"
	round_as_runner config "$auth config --configuration $etc/jacamar-config.toml"
done
ours=$(measure ours)
hold 'empty sub-stage, to setpriv (the floor)' "$(ratio "$ours" "$(measure setpriv)")" 1.35 x
for peer in runuser su sudo; do
	hold "empty sub-stage, to $peer" "$(ratio "$ours" "$(measure $peer)")" 1 x
done
hold 'config with a key at hand, beyond one exec of the program' \
	"$(awk -v a="$(measure config)" -v b="$(measure version)" 'BEGIN { printf "%.2f", (a - b) * 1000 }')" \
	6 ms

# --- what isolating a job adds to a sub-stage ---

# walled NAME AUTH-LINES: a job under these settings, prepared for its call of run.
walled() {
	call=$box/home/$runner/$1
	install -d -m 700 -o "$runner" "$call"
	write_config '' "downscope = \"$downscope\"
no_new_privs = true
$2"
	as "$runner" "$build_for_all/t/runner" --prepare-only "$call" "$etc/config.toml" "$box/job.json" \
		>"$box/output" 2>&1 || { cat "$box/output"; exit 1; }
}
plain_call=$call
walled open ''
write_config '' "downscope = \"$downscope\"
no_new_privs = true
isolate = true"
if as "$runner" "$prefix/bin/jacamar" config --check "$etc/jacamar-config.toml" >"$box/output" 2>&1; then
	walled isolated 'isolate = true'
	walled protected 'isolate = true
protected_paths = ["~/.ssh", "~/.gnupg"]'
	i=0
	while [ "$i" -lt "$rounds" ]; do
		i=$((i + 1))
		for wall in open isolated protected; do
			call=$box/home/$runner/$wall
			round_as_runner "$wall" "$auth run $box/empty.bash build_script"
		done
	done
	for wall in isolated protected; do
		hold "empty sub-stage, beyond one with no_new_privs alone: $wall" \
			"$(awk -v a="$(measure $wall)" -v b="$(measure open)" 'BEGIN { printf "%.2f", (a - b) * 1000 }')" \
			1 ms
	done
fi
for wall in open isolated protected; do
	as "$runner" sh "$box/home/$runner/$wall/cleanup.sh" >/dev/null 2>&1
done
call=$plain_call
write_config

# --- a cgroup for the job ---

. "$(dirname "$0")/../e2e/lib-cgroup.sh"
if [ -n "$hierarchy" ]; then
	own=$hierarchy$(sed -n 's/^0:://p' /proc/self/cgroup)
	in_service=$box/home/$runner/in-service
	at_end() {
		as "$runner" sh "$call/cleanup.sh" >/dev/null 2>&1
		echo $$ >"$own/cgroup.procs"
		remove_service
	}
	delegate "$runner"
	echo $$ >"$service/cgroup.procs"
	printf '[auth.cgroup]\nenabled = true\n' >>"$etc/jacamar-config.toml"
	install -d -m 700 -o "$runner" "$in_service"
	as "$runner" "$build_for_all/t/runner" --prepare-only "$in_service" "$etc/config.toml" \
		"$box/job.json" >"$box/output" 2>&1 || { cat "$box/output"; exit 1; }
	i=0
	while [ "$i" -lt "$rounds" ]; do
		i=$((i + 1))
		round_as_runner without "$auth run $box/empty.bash build_script"
		call=$in_service round_as_runner with "$auth run $box/empty.bash build_script"
	done
	hold 'the same sub-stage in a cgroup of the job, beyond one without' \
		"$(awk -v a="$(measure with)" -v b="$(measure without)" 'BEGIN { printf "%.2f", (a - b) * 1000 }')" \
		1 ms
	echo $$ >"$own/cgroup.procs"
	remove_service
	at_end() { as "$runner" sh "$call/cleanup.sh" >/dev/null 2>&1; }
	write_config
fi

# --- a whole empty job ---

# The peer is what the shell executor of GitLab Runner does: su for each sub-stage, its script on
# standard input, and no other call. Its runner is root, since su asks others for a password.
job_extra='.scripts = (["prepare_script", "get_sources", "restore_cache", "download_artifacts",
	"build_script", "after_script", "archive_cache", "upload_artifacts_on_success",
	"cleanup_file_variables"] | map({(.): [":"]}) | add)'
job </dev/null
job_extra=
cat >"$box/su.toml" <<TOML
[[runners]]
  token = "short"
  executor = "custom"
  builds_dir = "$box/home/$usr"
  cache_dir = "$box/home/$usr"
  [runners.custom]
    run_exec = "/bin/sh"
    run_args = ["-c", "exec su - $usr -c bash <\"\$0\""]
TOML
work=$box/home/$runner/work
round_of_job() {
	as "$runner" sh -c 'cd ~/work && exec "$@"' - hyperfine -N --warmup 3 --runs "$runs" \
		--export-json out.json "$build_for_all/t/runner $etc/config.toml $box/job.json" \
		>"$box/output" 2>&1 || { cat "$box/output"; echo 'bench: job failed' >&2; exit 1; }
	jq '.results[0].median' "$work/out.json" >>"$box/median.job"
}
all_runs=$runs
runs=$(((runs + 2) / 3))
i=0
while [ "$i" -lt "$rounds" ]; do
	i=$((i + 1))
	round_of_job
	round su_job "$build_for_all/t/runner $box/su.toml $box/job.json"
done
hold 'whole empty job, to su for each sub-stage' \
	"$(ratio "$(measure job)" "$(measure su_job)")" 1.05 x
runs=$all_runs

# --- both resident processes while a job sleeps ---
printf 'sleep 30\n' >"$box/sleep.bash"
chmod 644 "$box/sleep.bash"
as "$runner" sh -c 'cd "$1" && exec xargs -0 -a env sh -c '\''exec env -i "$@" '"$auth"' run \
	'"$box"'/sleep.bash build_script'\'' -' - "$call" >/dev/null 2>&1 &
until pgrep -U "$usr" -x sleep >/dev/null; do sleep 0.1; done
sleep 1
auth_pid=$(pgrep -U "$runner" -f "^$auth run ")
user_pid=$(pgrep -U "$usr" -f "^$prefix/bin/jacamar ")
pss() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }
wakeups() { awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$auth_pid/status" "/proc/$user_pid/status"; }
hold 'PSS of both processes while a job sleeps' \
	"$(awk -v a="$(pss "$auth_pid")" -v b="$(pss "$user_pid")" 'BEGIN { printf "%.0f", a + b }')" 1638 KiB
before=$(wakeups)
sleep 10
hold 'wakeups of both in ten seconds of sleep' "$(($(wakeups) - before))" 0
others=$(cat "/proc/$auth_pid/maps" "/proc/$user_pid/maps" | grep -o '/[^ ]*\.so[.0-9]*$' | sort -u |
	grep -cvE '/(libc|libcap-ng|libinih|libjansson|libseccomp|ld-linux[^/]*)\.so')
hold 'shared libraries mapped beyond those allowed' "$others" 0
kill -TERM "$auth_pid"
wait

# --- a large log ---
# Copying through a pipe has two speeds here, by where the kernel puts the two processes: the middle
# of the rounds tells more than their least.
middle() { sort -g "$box/median.$1" | sed -n "$(((rounds + 1) / 2))p"; }
big=$(mktemp -p /dev/shm) && chmod 644 "$big"
head -c 1G /dev/zero >"$big"
at_end() {
	rm -f "$big"
	as "$runner" sh "$call/cleanup.sh" >/dev/null 2>&1
}
printf 'cat %s\n' "$big" >"$box/big.bash"
chmod 644 "$box/big.bash"
runs=5
i=0
while [ "$i" -lt "$rounds" ]; do
	i=$((i + 1))
	round cat --output=pipe "setpriv --reuid $usr --regid $usr --init-groups cat $big"
	options=--output=pipe round_as_runner big "$auth run $box/big.bash build_script"
done
hold '1 GiB of log, to cat into the same pipe' "$(ratio "$(middle big)" "$(middle cat)")" 1.05 x

# --- the end of a job in Slurm ---

# late NAME COMMAND...: how long after the end of the script, which notes it, the command returns.
late() {
	name=$1
	shift
	"$@" >/dev/null 2>&1
	date +%s.%N | awk -v ended="$(cat "$box/home/$usr/ended")" '{ print $1 - ended }' \
		>>"$box/median.$name"
}
late_run() {
	as "$runner" sh -c 'cd "$1" && exec xargs -0 -a env sh -c '\''exec env -i "$@" '"$auth"' run \
		'"$box"'/noted.bash build_script'\'' -' - "$call"
}

if command -v slurmctld >/dev/null && command -v munged >/dev/null; then
	. "$(dirname "$0")/../e2e/lib-slurm.sh"
	at_end() {
		slurm_stop
		rm -f "$big"
		as "$runner" sh "$call/cleanup.sh" >/dev/null 2>&1
	}
	as "$runner" sh "$call/cleanup.sh" >/dev/null 2>&1
	slurm_start
	slurm_config
	call=$box/home/$runner/slurm
	install -d -m 700 -o "$runner" "$call"
	as "$runner" "$build_for_all/t/runner" --prepare-only "$call" "$etc/config.toml" \
		"$box/job.json" >"$box/output" 2>&1 || { cat "$box/output"; exit 1; }
	printf '#!/bin/bash\nsleep 3\ndate +%%s.%%N >%s/ended\n' "$box/home/$usr" >"$box/noted.bash"
	chmod 755 "$box/noted.bash"
	# noted NAME SECONDS END: that script, ending otherwise.
	noted() {
		printf '#!/bin/bash\nsleep %s\ndate +%%s.%%N >%s/ended\n%s\n' "$2" "$box/home/$usr" "$3" \
			>"$box/noted.bash"
		late "$1" late_run
	}
	rounds=3
	for i in 1 2 3; do
		late waited as "$usr" SLURM_CONF="$SLURM_CONF" sbatch --wait --output=/dev/null \
			"$box/noted.bash"
		late noticed late_run
	done
	for i in 1 2 3; do
		noted killed 3 'kill -KILL $$'
	done
	hold 'end of a job in Slurm noticed, to sbatch --wait' \
		"$(ratio "$(middle noticed)" "$(middle waited)")" 1 x
	hold 'end of a job in Slurm noticed' "$(middle noticed)" 1 s
	hold 'the same, of a script that ends by a signal' "$(middle killed)" 1 s
	rounds=1
	noted later 62 ''
	hold 'the same, after its first minute' "$(middle later)" 1 s
fi

echo "$missed of the budgets missed"
[ "$missed" -eq 0 ]
