# A row of bench.sh: a whole empty job.
#
# The peer is what the shell executor of GitLab Runner does: su for each sub-stage, its script on
# standard input, and no other call. Its runner is root, since su asks others for a password.

peer_job() {
	as "$runner" sh -c 'cd ~/work && exec "$@"' - hyperfine -N --warmup 2 --runs "$runs" \
		--export-json out.json "$build_for_all/t/runner $etc/config.toml $box/job.json" \
		>"$box/output" 2>&1 || row_fails "$peer"
	a_round "$(jq '.results[0].median' "$jobs/work/out.json")"
}
peer_su_job() { by_root "$build_for_all/t/runner $box/su.toml $box/job.json"; }

row_job() {
	job_extra='.scripts = (["prepare_script", "get_sources", "restore_cache", "download_artifacts",
		"build_script", "after_script", "archive_cache", "upload_artifacts_on_success",
		"cleanup_file_variables"] | map({(.): [":"]}) | add)'
	job </dev/null
	settings
	cat >"$box/su.toml" <<-TOML
	[[runners]]
	  token = "short"
	  executor = "custom"
	  builds_dir = "$box/home/$usr"
	  cache_dir = "$box/home/$usr"
	  [runners.custom]
	    run_exec = "/bin/sh"
	    run_args = ["-c", "exec su - $usr -c bash <\"\$0\""]
	TOML
	runs=$(((runs + 2) / 3))
	take_turns job su_job
	hold 'whole empty job, to su for each sub-stage' "$(ratio job su_job)" 1.05 x
}
