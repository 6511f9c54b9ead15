# Rows of bench.sh: how long after the end of a job's script in Slurm the call of run returns.

# start_slurm: or skips the row.
start_slurm() {
	command -v slurmctld >/dev/null && command -v munged >/dev/null || row_skips 'needs Slurm and munge'
	. "$here/../e2e/lib-slurm.sh"
	value() { middle "$1"; }
	at_row_end 'slurm_stop; rm -rf "$slurm"'
	slurm_start
	job </dev/null
	install -d -m 700 -o "$runner" "$jobs/slurm"
	slurm_config
	as "$runner" "$build_for_all/t/runner" --prepare-only "$jobs/slurm" "$etc/config.toml" \
		"$box/job.json" >"$box/output" 2>&1 || row_fails 'preparing a job in Slurm'
	at_row_end "as $runner sh $jobs/slurm/cleanup.sh; rm -rf $jobs/slurm"
}

# noted SECONDS [END]: the script takes that long, notes when it ends, and ends with END.
noted() {
	printf '#!/bin/bash\nsleep %s\ndate +%%s.%%N >%s/ended\n%s\n' "$1" "$box/home/$usr" "${2:-}" \
		>"$box/noted.bash"
	chmod 755 "$box/noted.bash"
}

# late COMMAND...: one round: how much later the command returns.
late() {
	rm -f "$box/home/$usr/ended"
	"$@" >"$box/output" 2>&1
	a_round "$(date +%s.%N | awk -v ended="$(cat "$box/home/$usr/ended")" '{ print $1 - ended }')"
}
late_run() { late in_job slurm "$auth" run "$box/noted.bash" build_script; }
peer_waited() {
	noted 3
	late as "$usr" SLURM_CONF="$SLURM_CONF" sbatch --wait --output=/dev/null "$box/noted.bash"
}
peer_noticed() { noted 3; late_run; }
peer_killed() { noted 3 'kill -KILL $$'; late_run; }
peer_later() { noted 62; late_run; }

row_slurm() {
	start_slurm
	most_rounds=3
	take_turns waited noticed killed
	hold 'end of a job in Slurm noticed, to sbatch --wait' "$(ratio noticed waited)" 1 x
	hold 'end of a job in Slurm noticed' "$(seconds noticed)" 1 s
	hold 'the same, of a script that ends by a signal' "$(seconds killed)" 1 s
}

row_slurm_minute() {
	start_slurm
	most_rounds=1
	take_turns later
	hold 'end of a job in Slurm noticed, after its first minute' "$(seconds later)" 1 s
}
