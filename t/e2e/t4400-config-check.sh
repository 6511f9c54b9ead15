#!/bin/sh
# config --check FILE tells an administrator all that is wrong with a file, or what its settings
# are: without a job, a runner or a privilege, and as a job would find it.
. "$(dirname "$0")/lib.sh"
install_site
auth=$prefix/bin/jacamar-auth
jacamar=$prefix/bin/jacamar
ci=$prefix/libexec/jacamar-ci
place=$box/place
file=$place/site.toml
mkdir -m 755 "$place"

# content TEXT [OWNER [MODE]]: the file.
content() {
	rm -rf "$file"
	printf '%s\n' "$1" >"$file"
	chown "${2:-root}" "$file"
	chmod "${3:-644}" "$file"
}

# ask ACCOUNT COMMAND...: with a bare environment; fails with the exit code.
ask() {
	local who="$1"
	shift
	as "$who" timeout 30 "$@" >"$box/out" 2>"$box/err" </dev/null
}
show_outputs() { cat "$box/out" "$box/err"; false; }

# good ACCOUNT COMMAND...: the settings on standard output, nothing besides, exit code 0.
good() {
	ask "$@" && grep -qx '\[general\]' "$box/out" && [ ! -s "$box/err" ] || show_outputs
}

# bad LINE-PART... -- ACCOUNT COMMAND...: exactly these lines on standard error, exit code 2.
bad() {
	local code
	: >"$box/parts"
	while [ "$1" != -- ]; do
		printf '%s\n' "$1" >>"$box/parts"
		shift
	done
	shift
	ask "$@"
	code=$?
	[ $code -eq 2 ] && [ ! -s "$box/out" ] &&
		[ "$(wc -l <"$box/err")" -eq "$(wc -l <"$box/parts")" ] || { echo "exit code $code"; show_outputs; return 1; }
	while IFS= read -r part; do
		grep -qF -- "$part" "$box/err" || { echo "not said: $part"; show_outputs; return 1; }
	done <"$box/parts"
}

# line TABLE 'KEY = VALUE' ORIGIN: what was printed has it, in that table, and aligned.
line() {
	awk -v table="[$1]" '/^\[/ { here = $0 } here == table' "$box/out" >"$box/table"
	grep -qxF "$(printf '%-48s  # %s' "$2" "$3")" "$box/table" || show_outputs
}

general='[general]
executor = "shell"
data_dir = "$HOME"'
setuid="$general
[auth]
downscope = \"setuid\""

# A good file, by every name and in every spelling of the call

content "$setuid"
check 'anyone may ask about a file of root' 'good "$usr" "$jacamar" config --check "$file"'
check 'the service account may, by jacamar-auth' 'good "$runner" "$auth" config --check "$file"'
check 'root may ask about its own file' 'good root "$jacamar" config --check "$file" && ! grep "^# Owned" "$box/out"'
check 'root may ask by jacamar-auth' 'good root "$auth" config --check "$file"'
check 'the executable under its own name does the same' 'good "$usr" "$ci" config --check "$file"'
check 'the executable under its own name takes auth before config' 'good "$usr" "$ci" auth config --check "$file"'
check '--check=FILE is understood' 'good "$usr" "$jacamar" config --check="$file"'
check '--check before the stage is understood' 'good "$usr" "$jacamar" --check "$file" config'
check '-u changes nothing' 'good "$runner" "$auth" -u config --check "$file"'
check 'jacamar-auth needs no capability for it' '
	ln -s "$ci" "$place/jacamar-auth" && good "$usr" "$place/jacamar-auth" config --check "$file"'
check "a relative path is one to the caller's directory" '
	(cd "$place" && setpriv --reuid "$usr" --clear-groups "$jacamar" config --check site.toml) >"$box/out"'
check 'the help names config --check' 'ask "$usr" "$jacamar" --help && grep -q "^  jacamar config --check FILE$" "$box/out" &&
	ask "$runner" "$auth" --help && grep -q "^  jacamar-auth config --check FILE$" "$box/out"'

# The table

content "# a comment
$general
	kill_timeout = \"90s\" # ninety
	tls_ca_file = '/etc/ca.pem'
	jwt_env_variable = 'MINE'
	name = \"g\\u00fcn \\u202e\\\"stig\\\"\"
[auth]
downscope = \"setuid\"
shell_allowlist = [
	\"/bin/bash\",
	\"/bin/tcsh\",
]
min_uid = 5_000
[auth.limits]
core = 0
memlock = \"unlimited\""
check 'a file with comments and lists is good' 'good "$usr" "$jacamar" config --check "$file"'
check 'what it sets has its line' 'line general "executor = \"shell\"" "line 3" &&
	line general "kill_timeout = \"1m30s\"" "line 5" && line auth "min_uid = 5000" "line 15" &&
	line auth "shell_allowlist = [\"/bin/bash\", \"/bin/tcsh\"]" "line 11" &&
	line auth.limits "core = 0" "line 17" && line auth.limits "memlock = \"unlimited\"" "line 18"'
check 'a key has one name, whatever it is called in the file' '
	line general "tls-ca-file = \"/etc/ca.pem\"" "line 6" && line general "jwt_env_variable = [\"MINE\"]" "line 7"'
check 'what it does not set has its default' 'line general "retain_logs = false" default &&
	line auth "downscope_env = []" default && line auth "max_env_chars = 0" default'
check 'a key without a default is shown as unset' 'grep -qx "# jacamar_path is unset" "$box/out" && grep -qx "# nofile is unset" "$box/out"'
check 'the tables stand in the order of the manual' '[ "$(grep "^\[" "$box/out" | tr -d "\n")" = \
	"[general][general.container][auth][auth.runas][auth.logging][auth.seccomp][auth.limits][auth.cgroup][batch]" ]'
check 'nothing in it can drive a terminal' '
	line general "name = \"g\\u00FCn \\u202E\\\"stig\\\"\"" "line 8" && ! LC_ALL=C grep -n "[^ -~]" "$box/out"'
check 'nor can its name' '
	evil=$(printf "%s/evil\033[31m.toml" "$box/home/$usr"); cp -p "$file" "$evil"
	for end in "" "executor" "[auth.seccomp]
block_calls = [\"none\"]"; do
		echo "$end" >>"$evil"; as "$usr" "$jacamar" config --check "$evil" >"$box/out" 2>"$box/err"
		! grep "$(printf "\033")" "$box/out" "$box/err" && { [ -z "$end" ] || grep -F "evil?[31m.toml:" "$box/err"; } || exit 1
		cp "$file" "$evil"
	done; rm "$evil"'
check 'a table that cannot be written is a failure' '
	as "$usr" "$jacamar" config --check "$file" 2>"$box/err" >/dev/full; [ $? -eq 2 ] &&
	echo "jacamar: cannot write to standard output: No space left on device" | diff - "$box/err"'

# Round trip: what is printed is a file that says the same, to this program and to a job.

settings_of() { sed 's/  *# .*//; /^#/d' "$1"; }
cp "$file" "$box/first.toml"
check 'what it prints is a good file' '
	good "$usr" "$jacamar" config --check "$file" && settings_of "$box/out" >"$box/once" &&
	content "$(cat "$box/out")" && good "$usr" "$jacamar" config --check "$file"'
check 'that file gives the same settings' 'settings_of "$box/out" | diff "$box/once" -'
job </dev/null
# state_with FILE: what a job's later stages are told of these settings.
state_with() {
	install -m 600 -o "$runner" "$1" "$etc/jacamar-config.toml"
	configure && jq -S ".job_env.JACAMAR_CI_STATE | fromjson | del(.job, .directories)" "$box/answer"
}
cp "$box/first.toml" "$box/job.toml"
sed -i "s|^	tls_ca_file.*|	jwks_file = '$box/keys.json'|; s|'MINE'|['SITE_ID_TOKEN']|; s|memlock.*|memlock = 65536|" \
	"$box/job.toml"
check 'a job finds the same in both' '
	state_with "$box/job.toml" >"$box/was" && grep 1m30s "$box/was" &&
	content "$(cat "$box/job.toml")" && good "$usr" "$jacamar" config --check "$file" && cp "$box/out" "$box/shown.toml" &&
	state_with "$box/shown.toml" >"$box/is" && diff "$box/was" "$box/is"'

# What is without effect

content "$general
variable_data_dir = true
[auth]
downscope = \"none\"
shell_allowlist = [\"/bin/bash\"]
allow_bot_accounts = true
[batch]
ff_slurm_sacct = true"
check 'what is without effect says so, and why' '
	good "$usr" "$jacamar" config --check "$file" &&
	line general "variable_data_dir = true" "line 4, without effect: a \$NAME in data_dir is always resolved" &&
	line auth "shell_allowlist = [\"/bin/bash\"]" "line 7, without effect: all jobs run as the service account" &&
	line auth "min_uid = 1000" "default, without effect: all jobs run as the service account" &&
	line auth "allow_bot_accounts = true" "line 8, without effect: no setting requires an id token, and without one a bot is not recognised" &&
	line batch "ff_slurm_sacct = true" "line 10, without effect: the script itself reports its exit code"'
check 'a note on a key without effect does not spoil the file' 'content "$(cat "$box/out")" && good "$usr" "$jacamar" config --check "$file"'
content "$setuid
[auth.logging]
level = \"warn\"
location = \"syslog\"
network = \"udp\"
address = \"log.example.com:514\""
off='without effect: auth.logging.enabled is false'
check 'the keys of an audit log that is off are without effect' '
	good "$usr" "$jacamar" config --check "$file" &&
	line auth.logging "level = \"warn\"" "line 7, $off" && line auth.logging "location = \"syslog\"" "line 8, $off" &&
	line auth.logging "network = \"udp\"" "line 9, $off" && line auth.logging "address = \"log.example.com:514\"" "line 10, $off"'
check 'they have an effect if it is on' '
	echo "enabled = true" >>"$file" && good "$usr" "$jacamar" config --check "$file" &&
	line auth.logging "level = \"warn\"" "line 7" && line auth.logging "address = \"log.example.com:514\"" "line 10"'

# Errors

content '[general]
executor = "shel"
data_dir = "$HOME"
kill_timeuot = "90s"
[auth]
downscope = "setuid"
min_uid = 0
min_uid = 1000
[auth.limit]
nofile = 1'
wrong='bad "$file:2: general.executor must be " "$file:4: unknown key \"kill_timeuot\" in [general]; did you mean \"kill_timeout\"?" \
	"$file:7: auth.min_uid must be from 1 to " "$file:8: the key auth.min_uid is defined already, on line 7" \
	"$file:9: unknown table [auth.limit]; did you mean [auth.limits]?" --'
check 'all errors are told, with their lines and the nearest names' "$wrong"' "$usr" "$jacamar" config --check "$file"'
check 'all errors are told by jacamar-auth' "$wrong"' "$runner" "$auth" config --check "$file"'
check 'all errors are told to root' "$wrong"' root "$jacamar" config --check "$file"'
check 'each line begins with the place' '! grep -v "^$file:[0-9][0-9]*: " "$box/err"'
check "a file with errors ends with the runner's code for system failures" '
	as "$usr" env SYSTEM_FAILURE_EXIT_CODE=77 "$jacamar" config --check "$file" 2>"$box/err"; [ $? -eq 77 ]'
content "$setuid
[general.x]"
check 'errors of TOML are told likewise' 'bad "$file:6: unknown table [general.x]" -- "$usr" "$jacamar" config --check "$file"'
content "$general
jwks_file = \"/etc/keys.json\"
tls-ca-file = \"/etc/ca.pem\""
check 'keys that contradict each other are an error' '
	bad "$file:5: general.tls-ca-file conflicts with general.jwks_file on line 4: " -- "$usr" "$jacamar" config --check "$file"'
content "$setuid
no_new_privs = true
[general.container]
runtime = \"podman\""
podman_needs='general.container.runtime cannot be "podman" with auth.no_new_privs, which the filters of [auth.seccomp] set, too: '
check 'podman needs programs that gain privilege' '
	bad "$file:8: $podman_needs" -- "$usr" "$jacamar" config --check "$file"'
content "$setuid
[auth.seccomp]
block_calls = [\"ptrace\"]
[general.container]
runtime = \"podman\""
check 'podman cannot run with a filter' 'bad "$file:9: $podman_needs" -- "$usr" "$jacamar" config --check "$file"'
content "$setuid
no_new_privs = true
isolate = true
[general.container]
runtime = \"apptainer\""
check 'apptainer needs no such program' 'good "$usr" "$jacamar" config --check "$file"'
content "$setuid
no_new_privs = true
isolate = true
protected_paths = [\"~/.ssh\"]
[general.container]
runtime = \"apptainer\""
check 'with protected paths there are no containers' '
	bad "$file:10: general.container.runtime conflicts with auth.protected_paths on line 8: " -- \
	"$usr" "$jacamar" config --check "$file"'
content "$setuid
[general.container]
images = [\"registry.example.com/\"]"
check 'a list of images needs a runtime' '
	bad "$file:7: general.container.images needs general.container.runtime: " -- "$usr" "$jacamar" config --check "$file"'
for bind in relative '' '/a,/b' /a:b /a:/b:rw /a:/b:ro:/c /a:/b:/c '/../etc' '/a\n'; do
	content "$setuid
[general.container]
runtime = \"podman\"
binds = [\"$bind\"]"
	check "the bind '$bind' is refused" '
		bad "$file:8: an item of general.container.binds must be" -- "$usr" "$jacamar" config --check "$file"'
done
for entry in python -v '*' 'registry.example.com/*' docker://python; do
	content "$setuid
[general.container]
runtime = \"podman\"
images = [\"$entry\"]"
	check "the entry '$entry' of the list of images is refused" '
		bad "$file:8: an item of general.container.images must be" -- "$usr" "$jacamar" config --check "$file"'
done
content "$setuid
run_stage_allowlist = [\"get_sources\"]"
check 'a list of sub-stages without the one of the script is an error' '
	bad "$file:6: auth.run_stage_allowlist has neither build_script nor step_script" -- "$usr" "$jacamar" config --check "$file"'
content "$setuid
no_new_privs = false
[auth.seccomp]
tty_rules = true"
check 'rules of a filter that cannot be had are an error' '
	bad "$file:8: auth.seccomp.tty_rules needs auth.no_new_privs: " -- "$usr" "$jacamar" config --check "$file"'
content "[general]
executor = \"slurm\"
data_dir = \"/ci\"
[batch]
default_args = [\"-N 1\", \"-o x\"]"
check 'arguments that would break the driver are an error' '
	bad "$file:5: batch.default_args cannot be used for sbatch: -o is refused: " -- "$usr" "$jacamar" config --check "$file"'
check 'such arguments are no error with an executor that does not read them' '
	sed -i s/slurm/shell/ "$file" && good "$usr" "$jacamar" config --check "$file"'
content "$setuid
jwt_required_aut = \"x\""
check 'the nearest name is also one that has its entry elsewhere' '
	bad "$file:6: unknown key \"jwt_required_aut\" in [auth]; did you mean \"jwt_required_aud\"?" -- "$usr" "$jacamar" config --check "$file"'
content "$general"
check 'without downscope a file is good, but not for jacamar-auth' '
	good "$usr" "$jacamar" config --check "$file" && good "$usr" "$jacamar" --no-auth config --check "$file" &&
	bad "$file: auth.downscope is missing" -- "$runner" "$auth" config --check "$file"'
check 'jacamar without --no-auth notes what jacamar-auth would refuse' '
	good "$usr" "$jacamar" config --check "$file" && grep "^# jacamar-auth refuses this file: auth.downscope is missing" "$box/out" &&
	good "$usr" "$jacamar" --no-auth config --check "$file" && ! grep refuses "$box/out"'
content "$setuid"
check 'jacamar without --no-auth notes what jacamar --no-auth would ignore' '
	good "$usr" "$jacamar" config --check "$file" && ! grep "refuses this file" "$box/out" &&
	grep -x "# jacamar --no-auth ignores auth.downscope: with it all jobs run as the service account\." "$box/out" &&
	good "$runner" "$auth" config --check "$file" && ! grep ignores "$box/out" &&
	content "$general
[auth]
downscope = \"none\"" && good "$usr" "$jacamar" config --check "$file" && ! grep ignores "$box/out"
	result=$?; content "$setuid"; return $result'
check 'with downscope a file is good for --no-auth, too, with a warning' '
	good "$usr" "$jacamar" --no-auth config --check "$file" &&
	grep "^# Warning: jacamar --no-auth ignores auth.downscope: " "$box/out"'
check 'a hundred errors are a hundred lines' '
	content "$(seq -f "x%g = 1" 100)" && ask "$usr" "$jacamar" config --check "$file"
	[ $? -eq 2 ] && [ "$(wc -l <"$box/err")" -eq 102 ]'

# Whose file it is

content "$setuid" "$runner" 600
check "the service account's own file is good for it" '
	good "$runner" "$auth" config --check "$file" && ! grep "^# Owned" "$box/out"'
check 'of a file that one may not read nothing is said' '
	bad "$file: cannot be opened: Permission denied" -- "$usr" "$jacamar" config --check "$file"'
# What makes root read any file is a capability.
check 'not even root uses a privilege to read it, and is told what to call' '
	bad "$file: cannot be opened: Permission denied" "runuser -u ACCOUNT -- jacamar config --check FILE" -- \
		root "$jacamar" config --check "$file" &&
	bad "$file: cannot be opened: Permission denied" "runuser -u ACCOUNT -- jacamar config --check FILE" -- \
		root "$auth" config --check "$file"'
check 'the call that root is told works' 'runuser -u "$runner" -- "$jacamar" config --check "$file" >"$box/out" && line auth "downscope = \"setuid\"" "line 5"'
chmod 644 "$file"
check 'root may look at the file of any account, and hears whose jobs it is good for' '
	good root "$jacamar" config --check "$file" && [ "$(sed 1q "$box/out")" = \
		"# Owned by $runner, uid $(id -u "$runner"): valid only for a runner of that account." ]'
check 'the note on the owner does not spoil the file' 'content "$(cat "$box/out")" && good "$usr" "$jacamar" config --check "$file"'
content "$setuid" "$runner"
check "another account's file is no configuration to anyone else, as in a job" '
	bad "$file: owned by another account" -- "$usr" "$jacamar" config --check "$file"'
content "$setuid" 1999999999
check 'root may look at a file whose owner has no account' '
	good root "$jacamar" config --check "$file" && grep -q "^# Owned by uid 1999999999: " "$box/out"'
content "$setuid" root 664
check 'a file that others can write is refused' '
	bad "$file: writable by its group or by others; chmod go-w it" -- "$usr" "$jacamar" config --check "$file" &&
	bad "$file: writable by its group or by others; chmod go-w it" -- root "$jacamar" config --check "$file"'
rm -f "$file"
check 'a file that is not there is said to be missing' '
	bad "$file: cannot be opened: No such file or directory" -- "$usr" "$jacamar" config --check "$file"'
check 'a directory is refused' 'bad "$place: not a regular file" -- "$usr" "$jacamar" config --check "$place"'
mkfifo "$file"
check 'a FIFO is refused, and not waited for' 'bad "$file: not a regular file" -- "$usr" "$jacamar" config --check "$file"'
check 'a device is refused' 'bad "/dev/null: not a regular file" -- "$usr" "$jacamar" config --check /dev/null'
check 'standard input is refused' 'bad "-: name a file" -- "$usr" "$jacamar" config --check -'
check 'an empty name is refused' 'bad ": cannot be opened: No such file or directory" -- "$usr" "$jacamar" config --check ""'

# Wrong calls

content "$setuid"
for call in prepare 'run script build_script' cleanup 'config extra' 'config --configuration x'; do
	check "--check does not go with $call" '
		bad "jacamar: --check FILE is an option of config only, and excludes other arguments; see: jacamar --help" -- \
			"$usr" "$jacamar" $call --check "$file"'
done
check '--check without a file is a wrong call' 'bad "--check needs a value" -- "$usr" "$jacamar" config --check'
check '--check without a stage is a wrong call' 'bad "the command is missing" -- "$usr" "$jacamar" --check "$file"'
check 'jacamar-auth does not take --no-auth with it either' '
	bad "--no-auth is an option of jacamar" -- "$runner" "$auth" --no-auth config --check "$file"'
check 'jacamar config without it still needs --no-auth' '
	bad "are started by jacamar-auth" -- "$usr" "$jacamar" config --configuration "$file"'

# A file of Jacamar CI, with the keys of its documentation

content '[general]
executor = "slurm"
data_dir = "/ci"
retain_logs = false
custom_build_dir = true
name = "login nodes"
kill_timeout = "120s"
shell_path = "/bin/bash"
job_message = "hello"
gitlab_server = "https://gitlab.example.com"
tls-ca-file = "/etc/ca.pem"
unrestricted_cmd_line = false
static_builds_dir = false
static_min_days = 14
group_permissions = false
jwt_env_variable = "CI_JOB_JWT"
set_stack_size = true
user_bash_env = ["SITE=1"]
variable_data_dir = true
limit_build_dir = true
max_build_dir = 4
uncap_build_dir_cleanup = false
file_lock_debug = false
user_enabled_limit = true
[auth]
enabled = true
downscope = "setuid"
jacamar_path = "/opt/jacamar/bin"
max_env_chars = 10000
lists_pre_validation = true
root_dir_creation = false
user_allowlist = ["usr"]
user_blocklist = ["two"]
groups_allowlist = ["users"]
groups_blocklist = ["guests"]
shell_allowlist = ["/bin/bash"]
pipeline_source_allowlist = ["push"]
jwt_exp_delay = "15m"
jwt_required_aud = "https://gitlab.example.com"
allow_bot_accounts = false
no_new_privs = true
run_stage_allowlist = ["get_sources", "step_script"]
enforce_nologin = true
[auth.runas]
validation_script = "/etc/ci/validate"
user_variable = "RUNAS_USER"
sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
validation_env = ["SITE=1"]
[auth.logging]
enabled = true
location = "syslog"
level = "debug"
network = "tcp"
address = "localhost:514"
[auth.seccomp]
disabled = false
block_calls = ["ptrace"]
block_all = false
allow_calls = []
error_num_block_actions = 13
limit_setuid = true
tty_rules = true
log_allowed_actions = true
disable_no_new_privs = false
[batch]
arguments_variable = ["SITE_PARAMETERS", "SCHEDULER_PARAMETERS"]
command_delay = "30s"
nfs_timeout = "30s"
allocation_idle = "20m"
scheduler_bin = "/opt/slurm/bin"
env_vars = ["A=1"]
allow_illegal_args = false
skip_cobalt_log = false
ff_slurm_sacct = true
lsf_job_cancellation = true
default_args = ["--qos=ci"]
disable_name_prefix = true'
check 'a file of Jacamar CI is read' 'good "$usr" "$jacamar" config --check "$file"'
check 'a file of Jacamar CI keeps all its values' '
	set=$(grep -c " = " "$file") && [ "$(grep -c "# line " "$box/out")" -eq "$set" ] || show_outputs'
where() { grep -n "^$1 =" "$file" | cut -d: -f1; }
check 'values of a file of Jacamar CI have the names of this program' 'line general "static_builds_days = 14" "line $(where static_min_days)" &&
	line general "jwt_required_aud = \"https://gitlab.example.com\"" "line $(where jwt_required_aud)" &&
	line auth.seccomp "error_num_block_actions = 13" "line $(where error_num_block_actions)" &&
	line general "limit_build_dir = true" "line $(where limit_build_dir), without effect: a runner has one directory for each job that it runs at the same time, and no more"'
check 'a name that has two places has one value' '
	again=$(where jwt_required_aud) && sed -i "/^\[auth\]/i jwt_required_aud = \"x\"" "$file" &&
	bad "$file:$((again + 1)): general.jwt_required_aud is set already, on line " -- "$usr" "$jacamar" config --check "$file"'
# refused_key LINES NAME MESSAGE: the key of Jacamar CI is refused with a hint to the manual, which has it.
refused_key() {
	content "general.executor = \"shell\"
general.data_dir = \"/ci\"
$1"
	bad "$file:3: $3; Jacamar CI has it: see $2 under SETTINGS THAT DIFFER in jacamar-migrate(7)" -- \
		"$usr" "$jacamar" config --check "$file" &&
		sed -n "/^\.Sh SETTINGS THAT DIFFER/,/^\.TE/p" "$top/man/jacamar-migrate.7" | grep "^$2\>"
}
for key in general.podman general.run_mechanism auth.run_mechanism auth.broker auth.runas.validation_plugin \
	auth.seccomp.validation_plugin; do
	check "$key is refused, with a hint to the manual, which has it" '
		refused_key "$key = true" "${key##*.}" "unknown key \"${key##*.}\" in [${key%.*}]"'
done
for table in general.podman auth.broker; do
	check "the table $table is refused, with a hint to the manual, which has it" '
		refused_key "[$table]
url = true" "${table##*.}" "unknown table [$table]"'
done
check 'each key and table that has such a hint was tried' '
	[ "$(awk "/^} OF_JACAMAR_CI/ {inside = 1} /^};/ {inside = 0} inside && /{\"/" "$top/config/load.c" | wc -l)" -eq 8 ]'
content "$setuid
enabled = true
seccomp.disable_no_new_privs = false"
check 'switches of Jacamar CI that ask for what always holds are accepted, with a note' '
	good "$usr" "$jacamar" config --check "$file" &&
	line auth "enabled = true" "line 6, without effect: jacamar-auth always checks who may run jobs" &&
	line auth.seccomp "disable_no_new_privs = false" "line 7, without effect: filters require no_new_privs"'
content "$setuid
enabled = false
seccomp.disable_no_new_privs = true
seccomp.block_calls = [\"ptrace\"]"
check 'the same switches are refused where they ask for the opposite' '
	bad "$file:6: auth.enabled cannot be false: to run all jobs as the service account, call jacamar --no-auth" \
		"$file:7: auth.seccomp.disable_no_new_privs contradicts the filters" -- "$usr" "$jacamar" config --check "$file"'
content "$setuid
seccomp.disable_no_new_privs = true"
check 'disable_no_new_privs is accepted where nothing sets no_new_privs' '
	good "$usr" "$jacamar" config --check "$file" && line auth "no_new_privs = false" default'
for filter in 'block_calls = ["ptrace"]' 'limit_setuid = true' 'tty_rules = true' 'log_allowed_actions = true'; do
	content "$setuid
seccomp.$filter"
	check "$filter implies no_new_privs, with a note" '
		good "$usr" "$jacamar" config --check "$file" &&
		line auth "no_new_privs = true" "default, but true because [auth.seccomp] has filters"'
done
content "$setuid
seccomp.limit_setuid = true
seccomp.disabled = true"
check 'filters that are disabled do not imply no_new_privs' '
	good "$usr" "$jacamar" config --check "$file" && line auth "no_new_privs = false" default'
content "$general"
check 'a number of days that is not set removes no builds, with a note' '
	good "$usr" "$jacamar" config --check "$file" &&
	line general "static_builds_days = 0" "default, old builds are not removed"'
content "$general
static_builds_days = 7"
check 'a number of days that is set has an effect' '
	good "$usr" "$jacamar" config --check "$file" && line general "static_builds_days = 7" "line 4"'
content "$general
static_builds_dir = true"
check 'with static_builds_dir the number of days has another default, with a note' '
	good "$usr" "$jacamar" config --check "$file" && line general "static_builds_days = 7" \
		"default, but 7 because static_builds_dir is set"'
content "$setuid
user_allowlist = [\"kim\", \"J\\u00fcrgen\"]
user_blocklist = [\"lee\", \"J\\u00fcrgen\"]"
check 'a name in both lists of users is noted' '
	good "$usr" "$jacamar" config --check "$file" &&
	grep "^user_allowlist = .*  # line 6, \"J\\\\xc3\\\\xbcrgen\" is in user_blocklist, too, and is refused\$" "$box/out" &&
	[ "$(grep -c "too, and is refused" "$box/out")" = 1 ]'
content "$setuid
user_allowlist = [\"kim\"]
user_blocklist = [\"lee\"]"
check 'lists without a common name have no note' '
	good "$usr" "$jacamar" config --check "$file" && ! grep "and is refused" "$box/out"'

# What a site copies

cp "$top/config/examples/jacamar-config.toml" "$file"
check 'the sample is good' 'good "$runner" "$auth" config --check "$file"'
cp "$top/config/examples/config.toml" "$file"
check "the runner's own file is told from it" '
	bad "$file:1: unknown key \"concurrent\"" "$file:1: general.executor is missing" "$file:1: general.data_dir is missing" \
		"$file:2: " "$file:4: unknown table [session_server]" "$file:7: unknown table [runners]" "$file:12: " -- \
		"$usr" "$jacamar" config --check "$file"'

# The manual: its table of keys, its entries and its examples agree with the program

manual=$top/man/jacamar-config.toml.5

# All three lists have a key a line: table, name, type and default, with tabs between.

# A row of schema.c may begin with a macro for its table, name, type and field.
sed -E '
	s/\{KEY\(([a-z.]+), ([a-z_0-9]+), (SCHEMA_[A-Z_]+)\)/{"\1", "\2", \3, FIELD(\1.\2)/
	s/\{DURATION\(([a-z.]+), ([a-z_]+)\)/{"\1", "\2", SCHEMA_DURATION, FIELD(\1.\2_ms)/
	s/\{LIMIT\(("[a-z]+"), ([A-Z_]+)\)/{"auth.limits", \1, SCHEMA_LIMIT, FIELD(auth.limits[\2]), .later = true/
	s/\{CGROUP\(("[a-z_]+"), ([a-zA-Z_]+\[[A-Z_]+\])\)/{"auth.cgroup", \1, SCHEMA_STRING_OR_INTEGER, FIELD(auth.cgroup.\2), .later = true/
	s/\{RULE_KEY\(([a-z_]+), (SCHEMA_[A-Z_]+)\)/{"auth.rule", "\1", \2/' "$top/config/schema.c" >"$box/schema.c"

# schema_keys: what config/schema.c has. The default is only known to be required or not.
schema_keys() {
	awk '/^const struct schema_row [A-Z_]*SCHEMA/ {inside = 1; next} /^};/ {inside = 0} inside' \
		"$box/schema.c" | tr '\n' ' ' | sed 's/{"/\n&/g' | awk '
		BEGIN {
			type["SCHEMA_CHOICE"] = type["SCHEMA_STRING"] = "string"
			type["SCHEMA_LIST"] = type["SCHEMA_STRING_OR_LIST"] = "array"
			type["SCHEMA_BOOLEAN"] = "boolean"
			type["SCHEMA_INTEGER"] = "integer"
			type["SCHEMA_DURATION"] = "duration"
			type["SCHEMA_LIMIT"] = "limit"
			type["SCHEMA_STRING_OR_INTEGER"] = "quantity"
		}
		/^{"/ {
			gsub(/[{}",]/, " ")
			path = $3 == "SCHEMA_STRING" && / check_absolute_path /
			print $1 "\t" $2 "\t" (path ? "path" : type[$3]) "\t" (/required = true/ ? "required" : "")
		}'
}

# entry_keys: the entries. `.It Ic KEY , KEY Pq TYPE; DEFAULT` is the head of one.
entry_keys() {
	sed 's/\\(dq/"/g' "$manual" | awk '
		/^\.Sh / {table = $2 == "TABLE" ? tolower($3) : ""}
		table != "" && /^\.It Ic .* Pq [a-z]+; / {
			split($0, part, / Pq |; /)
			value = part[3]
			sub(/^default /, "", value) || sub(/^no default$/, "-", value)
			count = split(substr(part[1], 8), key, / , /)
			for (i = 1; i <= count; i++) print table "\t" key[i] "\t" part[2] "\t" value
		}'
}

# table_keys: the table of keys.
table_keys() {
	awk -F'\t' '
		/^\.Sh / {inside = $0 == ".Sh KEYS"}
		inside && /^\\fB\[.*\]/ {gsub(/.*\[|\].*/, ""); table = $0}
		inside && NF == 4 && $1 != "Key" {print table "\t" $1 "\t" $2 "\t" $3}' "$manual"
}

# same FILE OTHER: the same lines, in any order, and many of them.
same() {
	sort "$1" >"$box/a" && sort "$2" | diff "$box/a" - && [ "$(wc -l <"$1")" -ge "${3:-70}" ]
}
schema_keys >"$box/schema"
entry_keys >"$box/entries"
table_keys >"$box/table-of-keys"
check 'the manual has one entry for each key, with its type' '
	cut -f 1-3 "$box/schema" >"$box/types" && cut -f 1-3 "$box/entries" >"$box/shown" && same "$box/types" "$box/shown"'
check 'the manual says which keys are required' '
	grep "required$" "$box/schema" >"$box/required" && grep "required$" "$box/entries" >"$box/shown" &&
	same "$box/required" "$box/shown" 1'
content "$general"
check 'the manual says which keys have no default' '
	good "$usr" "$jacamar" config --check "$file" && settings_of "$box/out" >"$box/defaults" &&
	awk "/^\\[/ {gsub(/[][]/, \"\"); table = \$0} / is unset\$/ {print table \"\\t\" \$2}" "$box/out" >"$box/unset" &&
	grep -v "^auth.rule	" "$box/entries" | sed -n "s/	[a-z]*	-\$//p" >"$box/shown" && same "$box/unset" "$box/shown" 20'
# The program itself reads the defaults of the manual, and must come to the same settings.
content "$(awk -F'\t' '
	$1 == "auth.rule" {next}
	$1 != table {print "[" $1 "]"; table = $1; if (table == "general") print "executor = \"shell\"\ndata_dir = \"$HOME\""}
	$4 != "-" && $4 != "required" {print $2 " = " $4}' "$box/entries")"
check 'each default of the manual is that of the program' '
	good "$usr" "$jacamar" config --check "$file" && settings_of "$box/out" | diff "$box/defaults" - &&
	[ "$(grep -c "# line " "$box/out")" -ge 50 ]'
check 'the table of keys has each key with its type and default' '
	awk -F"\t" -v OFS="\t" "length(\$4) > 12 {\$4 = \"see entry\"} {print}" "$box/entries" >"$box/shown" &&
	same "$box/shown" "$box/table-of-keys"'

# displays PATTERN: each display of the sections whose heading matches, as $box/displays/NUMBER. The
# first line of that file has the heading.
displays() {
	rm -rf "$box/displays"
	mkdir "$box/displays"
	sed 's/\\(dq/"/g' "$manual" | awk -v to="$box/displays/" -v pattern="$1" '
		/^\.S[hs] / {section = $0}
		/^\.Ed/ {inside = 0}
		inside {print >name}
		section ~ pattern && /^\.Bd -literal/ {inside = 1; count++; name = to count; print "# " section >name}'
}
displays '^\.Sh TABLE'
check 'each key whose value has a form of its own has an example' '
	awk "\$3 ~ /^(string|path|array|limit|quantity|duration)\$/ {print \$2}" "$box/entries" >"$box/keys" &&
	[ "$(wc -l <"$box/keys")" -ge 40 ] && code=0 && while read -r key; do
		cat "$box"/displays/* | grep -q "^$key = " || { echo "$key has no example"; code=1; }
	done <"$box/keys" && [ $code -eq 0 ]'
# example_is_read FILE: no error, except that another key is missing or must be left out.
example_is_read() {
	local table
	table=$(sed -n '1s/.* TABLE //p' "$1" | tr 'A-Z' 'a-z')
	content "$(
		echo '[general]'
		grep -q '^executor = ' "$1" || echo 'executor = "shell"'
		grep -q '^data_dir = ' "$1" || echo "data_dir = \"\$HOME\""
		grep -q '^\[' "$1" || [ "$table" = general ] || printf '[%s]\n' "$table"
		sed 1d "$1"
	)"
	ask "$usr" "$jacamar" config --check "$file" ||
		{ [ -s "$box/err" ] && ! grep -v ' needs \| conflicts with ' "$box/err"; }
}
check 'the program reads each example of an entry' '
	[ "$(ls "$box/displays" | wc -l)" -ge 35 ] && code=0 && for number in "$box"/displays/*; do
		example_is_read "$number" || { cat "$file" "$box/err"; code=1; }
	done && [ $code -eq 0 ]'
displays '^\.Sh EXAMPLES'
check 'the manual has examples of whole files' '[ "$(ls "$box/displays" | wc -l)" -ge 4 ]'
for number in "$box"/displays/*; do
	content "$(cat "$number")"
	check "example ${number##*/} of the manual is good" 'good "$runner" "$auth" config --check "$file"'
done

# not_handed_on MEMBER...: those of these members of struct settings whose row in schema.c lacks `.later = true`.
not_handed_on() {
	for member in "$@"; do
		awk -v RS='},' -v field="FIELD($member)" -v member="$member" \
			'index($0, field) && !/\.later = true/ {print member}' "$box/schema.c"
	done
}
check 'each setting that is read from the state of a job is handed on by config' '
	grep -Eho "(state|job)(\.|->)settings\.[a-z_.]+" "$top"/core/*/*.c "$top"/applets/*.c | sed "s/.*settings\.//" |
		sort -u >"$box/members" && [ "$(wc -l <"$box/members")" -ge 15 ] &&
	[ -z "$(not_handed_on $(cat "$box/members"))" ] || { not_handed_on $(cat "$box/members"); false; }'
check 'each key that an error is about is there' '
	grep -hA4 "error_set_key(" "$top"/core/*/*.c "$top"/applets/*.c | grep -Eo "\"(general|auth|batch)[a-z._]*\.[a-z_0-9-]+\"" |
		tr -d \" | sort -u >"$box/about" && [ "$(wc -l <"$box/about")" -ge 20 ] && while read -r key; do
		grep -qF "{\"${key%.*}\", \"${key##*.}\"," "$box/schema.c" || { echo "$key"; exit 1; }
	done <"$box/about"'
# missing_sections PAGE: those that the page refers to, but does not have.
missing_sections() {
	awk '
		/^\.S[hs] / {there[substr($0, 5)]}
		match($0, /^\.(Pq see )?Sx /) {
			title = substr($0, RLENGTH + 1)
			sub(/ [.,;:]$/, "", title)
			wanted[title]
		}
		END {for (title in wanted) if (!(title in there)) print FILENAME ": " title}' "$1"
}
check 'each section that a page of the manual refers to is there' '
	for page in "$top"/man/*.[578]; do missing_sections "$page"; done >"$box/missing"
	[ ! -s "$box/missing" ] || { cat "$box/missing"; false; }'
check 'each page of the manual that is named is there' '
	grep -Eoh "jacamar[a-z.-]*\([578]\)" "$top"/man/*.[578] "$top/README" "$top/NEWS" "$top/SECURITY" | sort -u |
		sed "s/(\(.\))/.\1/" >"$box/named"
	[ "$(wc -l <"$box/named")" -ge 7 ] && while read -r name; do
		[ -f "$top/man/$name" ] || { echo "$name"; exit 1; }
	done <"$box/named"'
content "$(sed -n '/^\[general\]$/,/^\.Ed/{/^\.Ed/d;p}' "$top/man/jacamar-batch.7")"
check 'the example of jacamar-batch(7) is good' 'good "$runner" "$auth" config --check "$file" &&
	line general "executor = \"slurm\"" "line 2"'

finish
