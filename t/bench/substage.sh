# Rows of bench.sh: one sub-stage of an empty script, the stage config, and a sub-stage in a session of PAM
# and in a container.

as_user="setpriv --reuid $usr --regid $usr --init-groups"
by_hand="bash --login -c 'bash $box/empty.bash; exit \$?'"
peer_setpriv() { by_root "$as_user $by_hand"; }
peer_runuser() { by_root "runuser -u $usr -- $by_hand"; }
peer_su() { by_root "su $usr -s /bin/bash -c 'bash --login -c \"bash $box/empty.bash; exit \\\$?\"'"; }
peer_sudo() { by_root "sudo -n -u $usr -- $by_hand"; }
peer_ours() { by_runner ours "$auth run $box/empty.bash build_script"; }

row_sub_stage() {
	local peer
	job </dev/null
	prepare ours
	take_turns setpriv ours runuser su sudo
	hold 'empty sub-stage, to setpriv (the floor)' "$(ratio ours setpriv)" 1.35 x
	for peer in runuser su sudo; do
		hold "empty sub-stage, to $peer" "$(ratio ours "$peer")" 1 x
	done
}

# --- config ---

# Each is one call of config with the configuration $etc/NAME.toml.
configure_with() { by_runner config "$auth config --configuration $etc/$1.toml"; }
peer_version() { by_root "$prefix/bin/jacamar --version"; }
peer_config() { configure_with plain; }
peer_rules() { configure_with rules; }
peer_pam_permit() { configure_with pam-permit; }
peer_pam_unix() { configure_with pam-unix; }

# settings_file NAME [AUTH-LINES]
settings_file() {
	settings "${2:-}"
	cp -p "$etc/jacamar-config.toml" "$etc/$1.toml"
}

# Only the third condition of the first 19 does not match. The last rule has to match all other jobs.
twenty_rules() {
	local number=0
	while [ "$number" -lt 19 ]; do
		number=$((number + 1))
		printf '[[auth.rule]]\nname = "rule-%d"\naction = "deny"\n' "$number"
		printf 'projects = ["group/**"]\npipeline_sources = ["push", "web", "schedule"]\n'
		printf 'users = ["someone-%d", "someone-else-%d"]\n' "$number" "$number"
	done
	printf '[[auth.rule]]\nname = "last"\naction = "allow"\n'
}

row_config() {
	local module service
	job </dev/null
	prepare config
	settings_file plain
	settings_file rules "$(twenty_rules)"
	# pam_permit does nothing, so the time is ours; pam_unix starts unix_chkpwd(8), and has no budget.
	for module in permit unix; do
		service=jacamar-bench-$$-$module
		at_row_end "rm -f /etc/pam.d/$service"
		echo "account required pam_$module.so" >"/etc/pam.d/$service"
		settings_file pam-$module "pam_account = \"$service\""
	done
	take_turns version config rules pam_permit pam_unix
	hold 'config with a key at hand, beyond one exec of the program' "$(beyond config version)" 6 ms
	hold 'config with 20 tables [[auth.rule]], the last matches, beyond none' "$(beyond rules config)" 2 ms
	hold 'config with auth.pam_account (pam_permit), beyond without' "$(beyond pam_permit config)" 2 ms
	hold 'config with auth.pam_account (pam_unix), beyond without' "$(beyond pam_unix config)" - ms
}

# --- a session of PAM ---

peer_without_session() { by_runner without_session "$auth run $box/empty.bash build_script"; }
peer_session() { by_runner session "$auth run $box/empty.bash build_script"; }

# Only a runner that is root has sessions. pam_permit does nothing, so the time is ours.
row_session() {
	local service=jacamar-bench-$$-session
	runner=root jobs=$box/home/root etc=$box/home/root/.gitlab-runner
	install -d -m 700 "$jobs" "$etc"
	write_runner_config
	at_row_end "rm -f /etc/pam.d/$service"
	printf '%s required pam_permit.so\n' auth account session >"/etc/pam.d/$service"
	job </dev/null
	prepare without_session
	second_job
	prepare session "pam_session = \"$service\""
	take_turns without_session session
	hold 'empty sub-stage, with auth.pam_session (pam_permit), beyond without' \
		"$(beyond session without_session)" 2 ms
}

# --- a container ---

# What a user types: the options are those without which the script could not do the same.
podman_by_hand() {
	echo "podman run --rm --network=host --userns=keep-id --volume=$box/empty.bash:/empty.bash \
localhost/site/app:1 bash /empty.bash"
}
# podman leaves a process running in the user's namespace, and the next podman is faster: no round
# begins with that of the peer before.
peer_podman() {
	end_all
	by_root "env -i HOME=$box/home/$usr PATH=$PATH $as_user bash --login -c '$(podman_by_hand)'"
}
peer_image() {
	end_all
	by_runner image "$auth run $box/empty.bash build_script"
}

row_image() {
	. "$here/../e2e/lib-container.sh"
	at_row_end container_end
	container_start || row_skips "podman does not work: $(tail -n 1 "$box/no-containers")"
	job </dev/null
	prepare ours
	second_job '.response.image = {name: "localhost/site/app:1"}'
	prepare image '[general.container]
runtime = "podman"
images = ["localhost/site/"]'
	runs=$(((runs + 2) / 3))
	take_turns podman image setpriv ours
	hold 'empty sub-stage in an image, to podman run by hand' "$(ratio image podman)" - x
	hold 'empty sub-stage in an image, beyond podman run by hand' "$(beyond image podman)" - ms
	hold 'the same, without what an empty sub-stage takes beyond setpriv' \
		"$(awk -v a="$(beyond image podman)" -v b="$(beyond ours setpriv)" 'BEGIN { printf "%.2f", a - b }')" \
		2 ms
}
