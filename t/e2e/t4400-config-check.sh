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
check 'root may' 'good root "$jacamar" config --check "$file" && ! grep "^# Owned" "$box/out"'
check 'and by jacamar-auth, too' 'good root "$auth" config --check "$file"'
check 'the executable under its own name does the same' 'good "$usr" "$ci" config --check "$file"'
check 'and with auth before it' 'good "$usr" "$ci" auth config --check "$file"'
check '--check=FILE is understood' 'good "$usr" "$jacamar" config --check="$file"'
check 'so is the option before the stage' 'good "$usr" "$jacamar" --check "$file" config'
check '-u changes nothing' 'good "$runner" "$auth" -u config --check "$file"'
check 'jacamar-auth needs no capability for it' '
	ln -s "$ci" "$place/jacamar-auth" && good "$usr" "$place/jacamar-auth" config --check "$file"'
check "a relative path is one to the caller's directory" '
	(cd "$place" && setpriv --reuid "$usr" --clear-groups "$jacamar" config --check site.toml) >"$box/out"'
check 'the help names it' 'ask "$usr" "$jacamar" --help && grep -q "^  jacamar config --check FILE$" "$box/out" &&
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
check 'or none' 'grep -qx "# jacamar_path is unset" "$box/out" && grep -qx "# nofile is unset" "$box/out"'
check 'the tables stand in the order of the manual' '[ "$(grep "^\[" "$box/out" | tr -d "\n")" = \
	"[general][auth][auth.runas][auth.logging][auth.seccomp][auth.limits][batch]" ]'
check 'nothing in it can drive a terminal' '
	line general "name = \"g\\u00FCn \\u202E\\\"stig\\\"\"" "line 8" && ! LC_ALL=C grep -n "[^ -~]" "$box/out"'
check 'a table that cannot be written is a failure' '
	as "$usr" "$jacamar" config --check "$file" >/dev/full; [ $? -eq 2 ]'

# Round trip: what is printed is a file that says the same, to this program and to a job.

settings_of() { sed 's/  *# .*//; /^#/d' "$1"; }
cp "$file" "$box/first.toml"
check 'what it prints is a good file' '
	good "$usr" "$jacamar" config --check "$file" && settings_of "$box/out" >"$box/once" &&
	content "$(cat "$box/out")" && good "$usr" "$jacamar" config --check "$file"'
check 'which says the same' 'settings_of "$box/out" | diff "$box/once" -'
job </dev/null
# state_with FILE: what a job's later stages are told of these settings.
state_with() {
	install -m 600 -o "$runner" "$1" "$etc/jacamar-config.toml"
	configure && jq -S ".job_env.JACAMAR_CI_STATE | fromjson | .settings" "$box/answer"
}
cp "$box/first.toml" "$box/job.toml"
sed -i "s|^	tls_ca_file.*|	jwks_file = '$box/keys.json'|; s|'MINE'|['SITE_ID_TOKEN']|" "$box/job.toml"
check 'a job finds the same in both' '
	state_with "$box/job.toml" >"$box/was" && grep 90000 "$box/was" &&
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
	line auth "allow_bot_accounts = true" "line 8, without effect: no rule asks for a token, so a bot need not show one" &&
	line batch "ff_slurm_sacct = true" "line 10, without effect: the script itself tells its exit code"'
check 'which does not spoil the file either' 'content "$(cat "$box/out")" && good "$usr" "$jacamar" config --check "$file"'

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
check 'also by jacamar-auth' "$wrong"' "$runner" "$auth" config --check "$file"'
check 'and to root' "$wrong"' root "$jacamar" config --check "$file"'
check 'each line begins with the place' '! grep -v "^$file:[0-9][0-9]*: " "$box/err"'
check "with a runner's code for system failures it ends with that" '
	as "$usr" env SYSTEM_FAILURE_EXIT_CODE=77 "$jacamar" config --check "$file" 2>"$box/err"; [ $? -eq 77 ]'
content "$setuid
[general.x]"
check 'errors of TOML are told likewise' 'bad "$file:6: unknown table [general.x]" -- "$usr" "$jacamar" config --check "$file"'
content "$general
jwks_file = \"/etc/keys.json\"
tls-ca-file = \"/etc/ca.pem\""
check 'keys that contradict each other are an error' '
	bad "$file:5: general.tls-ca-file does not go with general.jwks_file on line 4: " -- "$usr" "$jacamar" config --check "$file"'
content "$setuid
run_stage_allowlist = [\"get_sources\"]"
check 'so is a list of sub-stages without the one of the script' '
	bad "$file:6: auth.run_stage_allowlist has neither build_script nor step_script" -- "$usr" "$jacamar" config --check "$file"'
content "$setuid
[auth.seccomp]
tty_rules = true"
check 'and rules of a filter that cannot be had' '
	bad "$file:7: auth.seccomp.tty_rules needs auth.no_new_privs: " -- "$usr" "$jacamar" config --check "$file"'
content "[general]
executor = \"slurm\"
data_dir = \"/ci\"
[batch]
default_args = [\"-N 1\", \"-o x\"]"
check 'and arguments that would break the driver' '
	bad "$file:5: batch.default_args cannot be used for sbatch: -o is refused: " -- "$usr" "$jacamar" config --check "$file"'
check 'which another executor does not read' '
	sed -i s/slurm/shell/ "$file" && good "$usr" "$jacamar" config --check "$file"'
content "$setuid
jwt_required_aut = \"x\""
check 'the nearest name is also one that has its entry elsewhere' '
	bad "$file:6: unknown key \"jwt_required_aut\" in [auth]; did you mean \"jwt_required_aud\"?" -- "$usr" "$jacamar" config --check "$file"'
content "$general"
check 'without downscope a file is good, but not for jacamar-auth' '
	good "$usr" "$jacamar" config --check "$file" && good "$usr" "$jacamar" --no-auth config --check "$file" &&
	bad "$file: auth.downscope is missing" -- "$runner" "$auth" config --check "$file"'
content "$setuid"
check 'with one it is, but not for --no-auth' '
	bad "$file:5: auth.downscope asks for a change of account" -- "$usr" "$jacamar" --no-auth config --check "$file"'
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
check 'that call works' 'runuser -u "$runner" -- "$jacamar" config --check "$file" >"$box/out" && line auth "downscope = \"setuid\"" "line 5"'
chmod 644 "$file"
check 'root may look at the file of any account, and hears whose jobs it is good for' '
	good root "$jacamar" config --check "$file" && [ "$(sed 1q "$box/out")" = \
		"# Owned by $runner, uid $(id -u "$runner"): good for jobs of a runner of that account alone." ]'
check 'which does not spoil the file' 'content "$(cat "$box/out")" && good "$usr" "$jacamar" config --check "$file"'
content "$setuid" "$runner"
check "another account's file is no configuration to anyone else, as in a job" '
	bad "$file: owned by another account" -- "$usr" "$jacamar" config --check "$file"'
content "$setuid" 1999999999
check 'also one of nobody is looked at by root' '
	good root "$jacamar" config --check "$file" && grep -q "^# Owned by uid 1999999999: " "$box/out"'
content "$setuid" root 664
check 'a file that others can write is refused' '
	bad "$file: writable by its group or by others; chmod go-w it" -- "$usr" "$jacamar" config --check "$file" &&
	bad "$file: writable by its group or by others; chmod go-w it" -- root "$jacamar" config --check "$file"'
rm -f "$file"
check 'a file that is not there is said to be missing' '
	bad "$file: cannot be opened: No such file or directory" -- "$usr" "$jacamar" config --check "$file"'
check 'a directory is none' 'bad "$place: not a regular file" -- "$usr" "$jacamar" config --check "$place"'
mkfifo "$file"
check 'nor is a fifo, which is not waited for' 'bad "$file: not a regular file" -- "$usr" "$jacamar" config --check "$file"'
check 'nor a device' 'bad "/dev/null: not a regular file" -- "$usr" "$jacamar" config --check /dev/null'
check 'standard input is none' 'bad "-: name a file" -- "$usr" "$jacamar" config --check -'
check 'an empty name is none' 'bad ": cannot be opened: No such file or directory" -- "$usr" "$jacamar" config --check ""'

# Wrong calls

content "$setuid"
for call in prepare 'run script build_script' cleanup 'config extra' 'config --configuration x'; do
	check "--check does not go with $call" '
		bad "jacamar: --check FILE belongs to config alone; see: jacamar --help" -- \
			"$usr" "$jacamar" $call --check "$file"'
done
check 'without a file it is a wrong call' 'bad "a value is missing behind --check" -- "$usr" "$jacamar" config --check'
check 'without a stage, too' 'bad "a stage is missing" -- "$usr" "$jacamar" --check "$file"'
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
[batch]
arguments_variable = ["SITE_PARAMETERS", "SCHEDULER_PARAMETERS"]
command_delay = "30s"
nfs_timeout = "30s"
scheduler_bin = "/opt/slurm/bin"
env_vars = ["A=1"]
allow_illegal_args = false
skip_cobalt_log = false
ff_slurm_sacct = true
lsf_job_cancellation = true
default_args = ["--qos=ci"]
disable_name_prefix = true'
check 'a file of Jacamar CI is read' 'good "$usr" "$jacamar" config --check "$file"'
check 'with all that it sets' '
	set=$(grep -c " = " "$file") && [ "$(grep -c "# line " "$box/out")" -eq "$set" ] || show_outputs'
where() { grep -n "^$1 =" "$file" | cut -d: -f1; }
check 'under its names' 'line general "static_builds_days = 14" "line $(where static_min_days)" &&
	line general "jwt_required_aud = \"https://gitlab.example.com\"" "line $(where jwt_required_aud)" &&
	line auth.seccomp "error_num_block_actions = 13" "line $(where error_num_block_actions)" &&
	line general "limit_build_dir = true" "line $(where limit_build_dir), without effect: a runner has a directory for each job it runs at once, and no more"'
check 'a name that has two places has one value' '
	again=$(where jwt_required_aud) && sed -i "/^\[auth\]/i jwt_required_aud = \"x\"" "$file" &&
	bad "$file:$((again + 1)): general.jwt_required_aud is set already, on line " -- "$usr" "$jacamar" config --check "$file"'
for key in general.podman general.run_mechanism auth.enabled auth.run_mechanism auth.seccomp.log_allowed_actions \
	auth.seccomp.disable_no_new_privs auth.seccomp.validation_plugin; do
	content "general.executor = \"shell\"
general.data_dir = \"/ci\"
$key = true"
	check "$key is refused, as the manual says" '
		bad "$file:3: unknown key \"${key##*.}\" in [${key%.*}]" -- "$usr" "$jacamar" config --check "$file" &&
		sed -n "/^\.Sh FROM JACAMAR/,/^\.Sh EX/p" "$top/man/jacamar-config.toml.5" | grep -w "${key##*.}"'
done

# What a site copies

cp "$top/config/examples/jacamar-config.toml" "$file"
check 'the sample is good' 'good "$runner" "$auth" config --check "$file"'
cp "$top/config/examples/config.toml" "$file"
check "the runner's own file is told from it" '
	bad "$file:1: unknown key \"concurrent\"" "$file:2: " "$file:4: unknown table [session_server]" "$file:7: " "$file:12: " -- \
		"$usr" "$jacamar" config --check "$file"'
content "$general"
check 'the manual has an entry for every key there is' '
	good "$usr" "$jacamar" config --check "$file" &&
	sed -n "s/^#* *\\([a-z0-9_-]*\\) \\(=\\|is unset\\).*/\\1/p" "$box/out" >"$box/keys" &&
	[ "$(wc -l <"$box/keys")" -ge 60 ] && while read -r key; do
		grep -Eq "^\.It.* (Ic .*)?$key( |\$)" "$top/man/jacamar-config.toml.5" || { echo "$key"; exit 1; }
	done <"$box/keys"'
# documented KEY: its entry has a type and a default; the next example that sets it, and the text
# behind that up to the next entry has a word on security.
documented() {
	awk -v key="$1" '
		state == 0 && $1 == ".It" && index(" " $0 " ", " " key " ") && / Pq [^;]+; *[^ ]/ {state = 1; next}
		state == 1 && /^\.Sh / {exit}
		/^\.Bd / {shown = 1} /^\.Ed/ {shown = 0}
		state == 1 && shown && $1 == key && $2 == "=" {state = 2}
		state == 2 && /^\.(It Ic|Sh|Ss) / {exit}
		state == 2 && /^Security:/ {state = 3; exit}
		END {
			split("type and default|example|word on security", missing, "|")
			if (state < 3) print key " has no " missing[state + 1]
			exit state < 3
		}' "$top/man/jacamar-config.toml.5"
}
check 'with its type, its default, an example and what it means for security' '
	[ -s "$box/keys" ] && code=0 && while read -r key; do documented "$key" || code=1; done <"$box/keys" && [ $code -eq 0 ]'
examples=$(sed -n '/^\.Sh EXAMPLES/,/^\.Sh DIAG/{s/\\(dq/"/g;p}' "$top/man/jacamar-config.toml.5")
for number in 1 2; do
	content "$(printf '%s\n' "$examples" | awk -v number=$number '/^\.Ed/ { inside = 0 }
		inside && count == number; /^\.Bd/ { inside = 1; count++ }')"
	check "example $number of the manual is good" 'good "$runner" "$auth" config --check "$file"'
done

finish
