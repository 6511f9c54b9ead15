# A Slurm of the test's own, on this machine's loopback; source it after lib.sh.
#
# slurm_start: $slurm_nodes (4) nodes of 8 processors, of which there need not be so many, munge
# with a key of its own, no accounting, and the lines $slurm_lines. All of it lives in $box, and is ended with the test.
# SLURM_CONF is set for this shell's own calls; jobs get it by [batch] env_vars.

slurm_missing() {
	local name
	for name in slurmctld slurmd munged sbatch squeue scontrol scancel sdiag; do
		command -v "$name" >/dev/null || { echo "$name"; return 0; }
	done
	return 1
}
need_root
PATH=$PATH:/usr/sbin:/sbin
missing=$(slurm_missing) && skip_all "needs Slurm and munge: $missing is not here"

slurm=$box/slurm
bounds=$bounds_of_batch
export SLURM_CONF="$slurm/slurm.conf"

# slurm_end PIDFILE...: ends those daemons, and waits for it.
slurm_end() {
	local file pid round
	for file; do
		pid=$(cat "$file" 2>/dev/null) || continue
		kill "$pid" 2>/dev/null || continue
		round=0
		while [ -e "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do
			round=$((round + 1))
			[ "$round" -ne 200 ] || kill -KILL "$pid"
			[ "$round" -lt 400 ] || break
			sleep 0.05
		done
	done
}

slurm_stop() {
	# The jobs of a test that failed.
	timeout 20 scancel --signal=KILL --full --user="$usr" >/dev/null 2>&1
	timeout 20 scancel --user="$usr" >/dev/null 2>&1
	slurm_end "$slurm"/node*.pid "$slurm/slurmctld.pid" "$slurm/munged.pid"
}

# free_port: one that nobody listens on now.
free_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

slurm_write_conf() {
	local host node
	host=$(hostname -s)
	cat <<-CONF
		ClusterName=test$$
		SlurmctldHost=$host(127.0.0.1)
		SlurmctldPort=$(free_port)
		SlurmUser=root
		AuthType=auth/munge
		AuthInfo=socket=$slurm/munge/socket,cred_expire=5
		StateSaveLocation=$slurm/state
		SlurmctldPidFile=$slurm/slurmctld.pid
		SlurmctldLogFile=$slurm/slurmctld.log
		SlurmdPidFile=$slurm/%n.pid
		SlurmdLogFile=$slurm/%n.log
		SlurmdSpoolDir=$slurm/spool.%n
		SlurmdParameters=config_overrides
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		MpiDefault=none
		AccountingStorageType=accounting_storage/none
		JobAcctGatherType=jobacct_gather/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_CPU
		SchedulerType=sched/backfill
		SchedulerParameters=batch_sched_delay=1,sched_min_interval=1,sched_interval=1
		KillWait=2
		ReturnToService=2
		MessageTimeout=10
	CONF
	for node in $(seq "${slurm_nodes:-4}"); do
		echo "NodeName=node$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=8"
	done
	echo 'PartitionName=all Nodes=ALL Default=YES State=UP'
	printf '%s\n' "${slurm_lines:-}"
}

slurm_start_controller() {
	slurmctld -f "$SLURM_CONF" && wait_until 'scontrol ping | grep -q UP'
}

slurm_start() {
	local node
	mkdir -p "$slurm/state"
	mkdir -m 755 "$slurm/munge"
	chmod 755 "$slurm"
	head -c 1024 /dev/urandom >"$slurm/munge.key"
	chmod 600 "$slurm/munge.key"
	munged --force --key-file="$slurm/munge.key" --socket="$slurm/munge/socket" \
		--pid-file="$slurm/munged.pid" --log-file="$slurm/munged.log" \
		--seed-file="$slurm/munged.seed" >"$slurm/output" 2>&1 &&
		slurm_write_conf >"$SLURM_CONF" && chmod 644 "$SLURM_CONF" &&
		slurm_start_controller >>"$slurm/output" 2>&1 ||
		{ cat "$slurm/output"; tail -n 5 "$slurm"/*.log; echo 'slurm: cannot be started'; exit 1; }
	for node in $(seq "${slurm_nodes:-4}"); do
		mkdir -p "$slurm/spool.node$node"
		slurmd -f "$SLURM_CONF" -N "node$node" >>"$slurm/output" 2>&1
	done
	wait_until '[ "$(sinfo -h -N -p all -o %T | grep -c idle)" = "${slurm_nodes:-4}" ]' ||
		{ sinfo -N; tail -n 5 "$slurm"/*.log; exit 1; }
}

# slurm_config [GENERAL-LINES [BATCH-LINES]]: as write_config, with slurm as the executor.
slurm_config() {
	write_config "data_dir = \"\$HOME\"
${1:-kill_timeout = \"40s\"}"
	sed -i 's/^executor = .*/executor = "slurm"/' "$etc/jacamar-config.toml"
	printf '[batch]\nenv_vars = ["SLURM_CONF=%s"]\n%s\n' "$SLURM_CONF" \
		"${2:-command_delay = \"1s\"}" >>"$etc/jacamar-config.toml"
}

# with_arguments TEXT: for job_extra: sets the job's variable SCHEDULER_PARAMETERS.
with_arguments() {
	jq -rn --arg text "$1" '".response.variables += [{key: \"SCHEDULER_PARAMETERS\", raw: true,
		value: \($text | tojson)}]"'
}

# job_beside ID: makes $box/job.json the job ID of $usr, too. play_beside ID [runner's options]:
# plays that, beside others; its log is $box/log.ID. Returns what t/runner does.
job_beside() {
	jq --arg token "$(token job_id="$1")" --argjson id "$1" '.response.id = $id |
		.response.variables[0].value = $token | .response.variables += [
			{key: "CI_CONCURRENT_PROJECT_ID", value: ($id % 1000 | tostring)}]' \
		"$box/job.json" >"$box/job.$1.json"
	chmod 644 "$box/job.$1.json"
}

play_beside() {
	local id=$1
	shift
	as "$runner" TMPDIR="$runner_files" sh -c 'cd ~/work && exec "$@"' - "$build_for_all/t/runner" --retry-delay 10 \
		--eof-timeout 60 --timeout 200 --report-late "$box/late-calls" "$@" \
		"$etc/config.toml" "$box/job.$id.json" >"$box/log.$id" 2>&1
}

# queue: the user's jobs that have not ended.
queue() { squeue --noheader --user="$usr" --format='%A %T %j %r'; }

# slurm_number [LOG]: of the job in $box/log.
slurm_number() { sed -n 's/^.*: slurm job \([0-9]*\)$/\1/p' "${1:-$box/log}" | tail -n 1; }
slurm_state() { scontrol --local show job "$1" | sed -n 's/^ *JobState=\([^ ]*\).*/\1/p'; }
