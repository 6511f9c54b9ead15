#!/bin/sh
# jacamar explain says of a token what config decides about its job, without running anything, and
# which decisions of an audit log another configuration would change.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/audit.sh"
install_site
jacamar=$prefix/bin/jacamar
config=$etc/jacamar-config.toml
home=$box/home/$usr
script=$prefix/runas/validate
mkdir -m 755 "$prefix/runas"
club=jtg$$
at_end() { groupdel "$club" 2>/dev/null; }
groupadd "$club" && usermod -aG "$club" "$usr" || exit 1

# rules LINES...: of [auth]; those that begin with runas. are of [auth.runas].
rules() {
	write_config '' "$(printf 'downscope = "%s"\n' "$downscope"
		for line; do case $line in runas.*) ;; *) printf '%s\n' "$line" ;; esac; done
		for line; do case $line in runas.*) printf '%s\n' "$line" ;; esac; done)"
}

# explain ACCOUNT OPTION...: what it prints is in $box/out and $box/err, the exit code in $box/code.
explain() {
	local who=$1
	shift
	as "$who" "$jacamar" explain --configuration "$config" "$@" >"$box/out" 2>"$box/err"
	echo $? >"$box/code"
}
show() { cat "$box/out" "$box/err"; false; }
exits() {
	local code
	read -r code <"$box/code"
	[ "$code" = "$1" ] || { echo "exit code $code"; show; }
}
# has OUTCOME CHECK TEXT: there is such a line.
has() { grep -F "$(printf '%-12s %-18s ' "$1" "$2")" "$box/out" | grep -F -- "$3" || { echo "not said: $*"; show; }; }
# concludes TEXT: the conclusion has it.
concludes() { sed '1,/^$/d' "$box/out" | grep -F -- "$1" || { echo "not concluded: $1"; show; }; }
# of_token [CLAIM...], of_job: explains a token, or the response of $box/job.json.
of_token() {
	token "$@" >"$etc/token"
	chown "$runner" "$etc/token"
	explain "$runner" --token "$etc/token"
}
of_job() {
	"$build/t/job" response "$box/job.json" >"$box/response.json"
	install -m 600 -o "$runner" "$box/response.json" "$etc/response.json"
	explain "$runner" --response "$etc/response.json" "$@"
}

# agrees: what it says of the job in $box/job.json is what config decides about it.
agrees() {
	local code uid reason
	configure
	code=$?
	explain "$runner" --response "$etc/response.json"
	if [ $code -eq 0 ]; then
		uid=$("$build/t/job" uid "$box/answer")
		exits 0 && concludes "it runs as" && concludes "(uid $uid)."
	else
		reason=$(sed -n "s/^$program: $refused_because [0-9a-f]*): \(.*\) (for help, .*/\1/p" "$box/log")
		[ -n "$reason" ] || { cat "$box/log"; return 1; }
		exits 1 && concludes "The job is refused" && concludes "): $reason"
	fi
}

# --- one job ---

rules
job </dev/null
check 'a job that config admits: each check passes, and the account is named' '
	of_job && exits 0 && concludes "it runs as $(if [ "$flavour" = none ]; then echo "$runner"; else echo "$usr"; fi) (uid " &&
	! grep -v "^pass  " "$box/out" | grep -v -e "^$" -e "^No check refuses the job: " && [ ! -s "$box/err" ]'
check 'every rule is named, in the order of the manual, with its key and the line that sets it' '
	sed -n "/^\.Sh CHECKS/,/^\.Sh REPLAY/s/^\.It Cm //p" "$top/man/jacamar-explain.8" |
		grep -v -x -e job -e issuer -e confirmation -e "PAM account" >"$box/named"
	except=jacamar-auth; [ "$flavour" != caps ] || except=none
	grep -v -x "$except" "$box/named" >"$box/expected"
	rules "pipeline_source_allowlist = [\"push\"]" && of_job &&
	sed -n "s/^pass         \(.\{18\}\).*/\1/p" "$box/out" | sed "s/ *$//" | diff "$box/expected" - &&
	has pass "pipeline source" "auth.pipeline_source_allowlist ($config:7)" &&
	has pass fork "auth.allow_fork_pipelines is not set"'

# each LINES...: config and explain agree about each of these jobs, under these rules.
each() {
	rules "$@"
	for job in "$box"/jobs/*; do
		cp "$job" "$box/job.json"
		agrees >"$box/agreement" 2>&1 || { echo "$job: $*"; cat "$box/agreement"; return 1; }
	done
}
mkdir "$box/jobs"
# sample NAME [TOKEN]: one of these jobs.
sample() {
	local name=$1
	shift
	job "$@" </dev/null
	mv "$box/job.json" "$box/jobs/$name"
}
$sign key --alg RS256 --kid site >"$box/other.jwk"
sample good
sample other-user "$(token user_login="$two")"
sample unknown-user "$(token user_login=jacamar-nobody)"
sample root "$(token user_login=root)"
sample web "$(token pipeline_source=web)"
sample fork "$(token job_project_id=20 job_project_path=group/project project_id=99 project_path=usr/project)"
sample bot "$(token user_login=project_1_bot)"
sample machine "$(token user_email=x@noreply.gitlab.example.com)"
sample identity "$(token user_identities:="[{\"provider\": \"saml\", \"extern_uid\": \"$two\"}]")"
sample unprotected "$(token ref_protected=false)"
sample no-role "$(token -user_access_level)"
sample other-job "$(token job_id=1)"
sample other-project "$(token project_id=21 project_path=group/other)"
sample other-issuer "$(token iss=https://other.example.com)"
sample forged "$($sign token "$box/other.jwk" user_login="$usr")"
sample unsigned "$(token | sed 's/[^.]*$//')"
sample no-expiry "$(token -exp)"
sample no-login "$(token -user_login)"
for lines in '' 'pipeline_source_allowlist = ["push"]' 'allow_fork_pipelines = true' 'allow_bot_accounts = true' \
	'identity_provider = "saml"' "user_blocklist = [\"$usr\"]" "user_allowlist = [\"$usr\"]" \
	"groups_blocklist = [\"$club\"]" "groups_allowlist = [\"$club\"]" 'shell_allowlist = ["/bin/zsh"]' \
	'min_uid = 4000000' 'lists_pre_validation = true'; do
	check "config and explain agree about all jobs, with ${lines:-no rule}" 'each "$lines"'
	# Both ask the functions of core/policy, which treat root and sudo as caps, but for jacamar-auth.
	case $flavour in root | sudo) break ;; esac
done
main='[[auth.rule]]
name = "main"
action = "allow"
ref_protected = true
min_access_level = "developer"'
others='[[auth.rule]]
name = "others"
action = "deny"'
check 'config and explain agree about all jobs, with rules by claims' 'each "$main
$others" && each "$(printf "%s\n" "$others" "projects = [\"group/*\"]" "ref_protected = false" "$main" "[[auth.rule]]" \
	"name = \"rest\"" "action = \"allow\"")"'
check 'the rule by claims that decides is named, with its line' '
	rules "$main" "$others" && of_token && exits 0 && has pass "auth rules" "the rule main allows the job ($config:7)" &&
	of_token ref_protected=false && exits 1 && has refuse "auth rules" "the rule others denies the job ($config:12)" &&
	concludes "refused (auth rules): the rule others denies the job" &&
	of_token -user_access_level && exits 1 && concludes "a rule before it needs a valid user_access_level"'
check 'config and explain agree about the audience, with its line' '
	write_config "data_dir = \"\$HOME\"
jwt_required_aud = \"https://hpc.example.com\"" && job </dev/null && agrees && concludes "general.jwt_required_aud" && concludes "($config:4)"
	job "$(token aud=https://hpc.example.com)" </dev/null && agrees && exits 0'
job '' </dev/null
rules "user_blocklist = [\"x\"]"
check 'a job without a token is refused where a rule needs one' 'agrees && concludes "the job has no id token"'

rules 'pipeline_source_allowlist = ["web"]' "user_blocklist = [\"$usr\"]"
check 'the first check that refuses decides, and those after it are made all the same' '
	of_token && exits 1 && has refuse "pipeline source" "($config:7)" && has pass fork "" && has refuse lists "($config:8)" &&
	concludes "refused (pipeline source): "'
rules 'identity_provider = "saml"'
check 'a check that needs what another one could not find is not reached' '
	of_token && exits 1 && has refuse "account name" "has no identity of the provider saml" &&
	grep -x "not reached  lists" "$box/out" && grep "^not reached  uid " "$box/out"'

# --- what cannot be known ---

rules
check 'a token that has expired says so, and the rest is explained as of before' '
	of_token iat@=-90000 nbf@=-90000 exp@=-86400 && exits 0 && has expired validity " seconds ago" &&
	concludes "it runs as" && concludes "The token has expired: this is the result while it was valid."'
check 'a fault of a token that has expired is found' '
	rules "pipeline_source_allowlist = [\"web\"]"; of_token iat@=-90000 nbf@=-90000 exp@=-86400 && exits 1 &&
	has expired validity "" && concludes "refused (pipeline source)"'
rules
check 'without a job response it is not checked whose job the token is of, nor by which server' '
	of_token job_id=1 iss=https://other.example.com && exits 0 && has "not checked" job "--response" &&
	has "not checked" issuer "" && concludes "A check that was not made may still refuse it."'
keyless() { rules "$@" && sed -i /jwks_file/d "$config"; }
check 'without a key set the signature is not checked, and is not said to be right' '
	keyless; of_token && exits 0 && has "not checked" signature "--jwks" && ! grep "^pass *signature" "$box/out" &&
	concludes "A check that was not made may still refuse it."'
check 'with --jwks the signature is checked by that key set' '
	keyless; token >"$etc/token"; explain "$runner" --token "$etc/token" --jwks "$box/keys.json" && exits 0 &&
	has pass signature "$box/keys.json" &&
	$sign token "$box/other.jwk" user_login="$usr" >"$etc/token"
	explain "$runner" --token "$etc/token" --jwks "$box/keys.json" && exits 1 && has refuse signature "signature is wrong"'
check 'a key set that cannot be read is an error, and decides nothing' '
	rules; explain "$runner" --token "$etc/token" --jwks /nonexistent && exits 2 && has error signature /nonexistent &&
	concludes "The job fails"'
check 'a key set of the configuration that others can change is an error, as for a job' '
	cp "$box/keys.json" "$box/loose.json"; chmod 666 "$box/loose.json"; rules && sed -i "s|keys.json|loose.json|" "$config" && job </dev/null
	configure; of_job && exits 2 && reason=$(sed -n "s/^$program: //p" "$box/log") && [ -n "$reason" ] && has error signature "$reason" &&
	concludes "The job fails"'
check 'a server that would be asked about the job is not asked' '
	rules "confirm_job = true"; of_token && has "not checked" confirmation "($config:7)"'
if [ "$flavour" = caps ] || [ "$flavour" = root ]; then
	check 'PAM, which is asked as the user, is not asked' '
		rules "pam_account = \"login\""; of_token && has "not checked" "PAM account" "($config:7)"'
fi

# --- the RunAs script ---

cat >"$script" <<SCRIPT
#!/bin/sh
touch $box/open/asked
[ "\$1" = $two ] && exit 1
echo '{"username": "$two"}'
SCRIPT
chmod 755 "$script"
mkdir -m 1777 "$box/open"
asked() { [ -e "$box/open/asked" ]; }
with_script() { rules "$@" "runas.validation_script = \"$script\""; }
asking() { with_script 'runas.user_variable = "BE"' "$@"; }
check 'the script of RunAs is not run, and not said to accept' '
	with_script; of_token && ! asked && has "not checked" "RunAs script" "($config:7)" && exits 0 &&
	concludes "A check that was not made may still refuse it."'
job_extra=".response.variables += [{key: \"BE\", value: \"$two\"}]"
job </dev/null
job_extra=
check 'what it is assumed to answer is the account that the job asks for' '
	asking "user_blocklist = [\"$two\"]"; of_job && ! asked && has "not checked" "RunAs script" "accepts the job as $two" &&
	'"$([ "$flavour" = none ] || echo 'exits 1 && concludes "$two is in auth.user_blocklist"')"' :'
check 'with a token alone it is not known whether the job asks for an account' '
	asking; of_token && has "not checked" "RunAs script" "that the job does not set BE"'
job </dev/null
if [ "$flavour" = none ]; then
	skip 'with --run-script its answer counts' 'no other account can be given'
else
	check 'with --run-script its answer counts' '
		with_script; of_job --run-script && exits 0 && asked && concludes "it runs as $two" && has pass "RunAs script" "$two"'
	rm -f "$box/open/asked"
fi

# --- nothing runs, and nothing is told ---

check 'nothing runs as the user, and no file is made' '
	rules; of_token && nothing_ran && [ "$(find "$home" -newer "$etc/token" | wc -l)" = 0 ]'
check 'no part of the token is printed, whatever is wrong with it' '
	rules; for claim in job_id=1 exp@=-1 user_login=root iss=x; do
		of_token "$claim"
		for part in $(tr . " " <"$etc/token"); do ! grep -F "$part" "$box/out" "$box/err" || exit 1; done
	done; echo "plain $(cat "$etc/token")" >"$etc/noise"; chown "$runner" "$etc/noise"; explain "$runner" --token "$etc/noise"
	exits 1 && ! grep -F "$part" "$box/out" "$box/err"'
escape=$(printf '\033')
check 'no byte of a token, a response or a log reaches the terminal raw' '
	rules; bad=$(printf "a\033[31m\nb")
	of_token pipeline_source="$bad" user_login="$bad" ref="$bad" && rules "pipeline_source_allowlist = [\"web\"]" &&
	of_token pipeline_source="$bad"; ! grep "$escape" "$box/out" "$box/err" &&
	job_extra=".response.variables += [{key: \"BE\", value: \"x\u001b[31m\"}]" job </dev/null && asking && of_job &&
	! grep "$escape" "$box/out" "$box/err" &&
	printf "{\"stage\":\"config\",\"decision\":\"refused\",\"rule\":\"x\\\\u001b\",\"login\":\"%s\",\"job\":1}\n" "$usr" >"$etc/forged"
	chown "$runner" "$etc/forged"; explain "$runner" --replay "$etc/forged" && ! grep "$escape" "$box/out" "$box/err"'
check 'nor does a byte of the name of a file' '
	evil=$(printf "%s/evil\033[31m" "$etc"); head -c 70000 /dev/zero | tr "\0" x >"$evil"; chown "$runner" "$evil"; chmod 600 "$evil"
	for option in token response replay; do explain "$runner" --$option "$evil"; ! grep "$escape" "$box/out" "$box/err" || exit 1; done
	grep -F "evil?[31m:1: not replayed" "$box/err" && as "$runner" "$jacamar" explain --configuration "$evil" --replay "$evil" >"$box/out" 2>"$box/err"
	[ $? = 2 ] && grep -F "evil?[31m:1: " "$box/err" && ! grep "$escape" "$box/out" "$box/err"'
job </dev/null
check 'files that are no token or no response are one clear line' '
	rules; : >"$etc/empty"; chown "$runner" "$etc/empty"; explain "$runner" --token "$etc/empty" && exits 2 &&
	concludes "has no id token" && explain "$runner" --response "$etc/empty" && exits 2 && concludes "is not JSON" &&
	head -c 100000 /dev/zero | tr "\0" a >"$etc/empty" && explain "$runner" --token "$etc/empty" && exits 2 &&
	explain "$runner" --token "$etc/none" && exits 2 && [ ! -s "$box/out" ] && [ "$(wc -l <"$box/err")" = 1 ] && grep "$etc/none" "$box/err"'

# --- who asks ---

if [ "$flavour" = caps ]; then
	cd "$etc" || exit 1
	check 'root is told what the service account sees' '
		rules "user_blocklist = [\"$usr\"]"; token >"$box/token"; chmod 600 "$box/token"
		explain "$runner" --token "$etc/token"; sed "s|($config|(|" "$box/out" >"$box/expected.short"; cp "$etc/token" "$box/token"
		"$jacamar" explain --configuration jacamar-config.toml --token "$box/token" >"$box/out" 2>"$box/err"
		[ $? = 1 ] && sed "s|($config|(|; s|($etc/|(|" "$box/out" | diff - "$box/expected.short"'
	cd "$top" || exit 1
	check 'root is told which file has no token, and which log has no decision' '
		: >"$box/empty"; chmod 600 "$box/empty"; rules
		"$jacamar" explain --configuration "$config" --token "$box/empty" >"$box/out" 2>"$box/err"
		[ $? = 2 ] && concludes "$box/empty has no id token" || show
		"$jacamar" explain --configuration "$config" --replay "$box/empty" >"$box/out" 2>"$box/err"
		[ $? = 2 ] && grep -F "$box/empty has no record" "$box/err" || show'
	check 'an input that is no file is standard input' '
		: | as "$runner" "$jacamar" explain --configuration "$config" --token - >"$box/out" 2>"$box/err"
		[ $? = 2 ] && concludes "standard input has no id token" || show'
	check 'another account cannot read the configuration, and learns nothing' '
		cp "$etc/token" "$box/token"; chmod 644 "$box/token"; explain "$two" --token "$box/token"; exits 2 && [ ! -s "$box/out" ] &&
		grep "the configuration cannot be used" "$box/err"'
	check 'only the service account runs the script' '
		explain "$two" --token "$box/token" --run-script; exits 2 && grep "only $runner can run the RunAs script" "$box/err"'
	check 'an account that may execute jacamar-auth is refused, as by config' '
		rules; usermod -aG "$runner" "$usr"; agrees; result=$?; gpasswd -d "$usr" "$runner" >/dev/null
		[ $result = 0 ] && has refuse jacamar-auth "may execute jacamar-auth"'
fi
check 'a wrong call is one line, and exits with 2' '
	for options in "" "--token a --response b" "--token" "--replay a --jwks b" "--replay a --run-script" "--token a b" "--user a"; do
		as "$runner" "$jacamar" explain --configuration "$config" $options >"$box/out" 2>"$box/err"
		[ $? = 2 ] && [ ! -s "$box/out" ] && [ "$(wc -l <"$box/err")" = 1 ] && grep "see: jacamar explain --help" "$box/err" || exit 1
	done; ! as "$runner" "$jacamar" explain --token a && ! as "$runner" "$prefix/bin/jacamar-auth" explain --token a'

# --- the replay of a log ---

# It applies the rules to what the log has, as above.
case $flavour in root | sudo) finish ;; esac

log=$box/logs/audit.log
install -d -m 750 -o "$runner" "$box/logs"
logging="logging.enabled = true
logging.location = \"$log\""
# logged_rules LINES...: rules whose decisions are recorded.
logged_rules() { rules "$@" "$logging"; }
# decide: config decides about all the jobs, into an empty log.
decide() {
	rm -f "$log"
	for job in "$box"/jobs/*; do
		cp "$job" "$box/job.json"
		configure
	done
}
replay() { explain "$runner" --replay "$log"; }
count() { tail -n 1 "$box/out" | grep -F -- "$1" || show; }
decisions=$(ls "$box/jobs" | wc -l)
# Their tokens are refused before a rule is applied.
faulty=7
replayed=$((decisions - faulty))

logged_rules 'pipeline_source_allowlist = ["push"]' "user_blocklist = [\"$two\"]"
decide
check 'nothing is different under the same configuration' '
	replay && exits 0 && [ "$(wc -l <"$box/out")" = 1 ] &&
	count "$replayed decisions: $replayed the same, 0 different, 0 not known; not replayed: $faulty refused before the rules, 0 lines"'
check 'what another configuration refuses is told, with its line, and the exit code is 1' '
	rules "pipeline_source_allowlist = [\"push\"]" "user_blocklist = [\"$usr\", \"$two\"]"
	replay && exits 1 && grep -x "job 981625 of $usr: allowed as .* -> refused (lists): $usr is in auth.user_blocklist ($config:8)" "$box/out" &&
	count " different, 0 not known" && ! count " 0 different"'
check 'what another configuration admits is told' '
	rules "user_blocklist = [\"$two\"]"; replay && exits 1 &&
	grep -x "job 981625 of $usr: refused (pipeline source) -> allowed as .*" "$box/out" && count "1 different, 0 not known"'
check 'a machine account that only its mail address shows is refused again, and admitted where it may' '
	rules "pipeline_source_allowlist = [\"push\"]" "user_blocklist = [\"$two\"]" "allow_bot_accounts = true"; replay && exits 1 &&
	grep "of $usr: refused (machine account) -> allowed as" "$box/out"'
check 'a fork, too' '
	rules "pipeline_source_allowlist = [\"push\"]" "user_blocklist = [\"$two\"]" "allow_fork_pipelines = true"; replay && exits 1 &&
	[ "$(grep -c "of $usr: refused (fork) -> allowed as" "$box/out")" = 1 ]'
check 'what a rule by claims denies is told, with its line' '
	rules "pipeline_source_allowlist = [\"push\"]" "user_blocklist = [\"$two\"]" "$main" "$others"; replay && exits 1 &&
	[ "$(grep -c "of $usr: allowed as .* -> refused (auth rules): the rule others denies the job" "$box/out")" = 2 ] &&
	grep "the rule others denies the job ($config:14)$" "$box/out" && count "2 different, 0 not known"'
provider='identity_providers = ["saml"]'
check 'what depends on identities that the log does not have is not known to a rule by claims' '
	rules "pipeline_source_allowlist = [\"push\"]" "user_blocklist = [\"$two\"]" "$main" "$provider" "$others"; replay && exits 2 &&
	grep "of $usr: allowed as .* -> not known: the record does not have the identities of the person" "$box/out" && count "0 different"'
check 'it is known if another rule decides before that' '
	rules "pipeline_source_allowlist = [\"push\"]" "user_blocklist = [\"$two\"]" "$main" "$others" "ref_protected = false" \
		"$(echo "$others" | sed s/others/people/)" "$provider" "$(echo "$others" | sed s/others/rest/)"; replay && exits 1 &&
	grep "of $usr: allowed as .* -> refused (auth rules): the rule others denies the job" "$box/out" && count "1 different, 1 not known"'
check 'it is not known if a later rule cannot be checked' '
	rules "pipeline_source_allowlist = [\"push\"]" "user_blocklist = [\"$two\"]" "$main" "$provider" \
		"$(echo "$others" | sed s/others/people/)" "users = [\"x\"]" "$others"; replay
	grep "job 981625 of jacamar-nobody: .* -> not known: the record does not have the identities of the person" "$box/out"'
check 'what depends on an identity that the log does not have is not known' '
	rules "identity_provider = \"saml\""; replay && exits 2 && count "not known" &&
	grep "of $usr: allowed as .* -> not known: the record does not have the identity at saml" "$box/out"'
check 'a refusal by another check than the rules, or without the name of its rule, is not said to be admitted' '
	rules "user_blocklist = [\"$two\"]"; sed -i "s/\"rule\":\"[^\"]*\",//" "$log"; replay && exits 2 &&
	grep "of $usr: refused: the pipeline.s source .* -> not known: the rules admit it, but the record does not name the rule that refused it" "$box/out" &&
	count "0 different"; result=$?; logged_rules "pipeline_source_allowlist = [\"push\"]" "user_blocklist = [\"$two\"]"; decide; exit $result'
if [ "$flavour" != none ]; then
	check 'another account is a difference' '
		logged_rules "identity_provider = \"saml\""; decide; rules "identity_provider = \"saml\""; replay && count " 0 different" &&
		rules; replay && exits 1 && grep "of $usr: allowed as $two -> allowed as $usr" "$box/out"'
	check 'the answer that the RunAs script gave is used again' '
		with_script "$logging"; decide; rm -f "$box/open/asked"
		with_script; replay && exits 0 && ! asked && with_script "user_blocklist = [\"$two\"]"; replay && exits 1 &&
		grep "of $usr: allowed as $two -> refused (lists): $two is in auth.user_blocklist" "$box/out" && ! asked'
	check 'without an answer in the log it is not known' '
		logged_rules; decide; with_script; replay && exits 2 && count "0 different" &&
		grep "of $usr: allowed as $usr -> not known: the record does not have the script.s answer for $usr" "$box/out" && ! asked'
fi
logged_rules "user_allowlist = [\"$usr\"]"
decide
rules "user_allowlist = [\"$usr\"]"
check 'the log may come from syslog, with its prefix and other lines, through standard input' '
	{ echo "Nov 28 10:00:00 host sshd[1]: hello"; sed "s/^/Nov 28 10:00:00 host jacamar-auth[2]: /" "$log"; } >"$box/syslog"
	explain "$runner" --replay - <"$box/syslog" && exits 0 && count "$replayed decisions: $replayed the same"'
check 'lines that cannot be read are counted, and the rest is replayed' '
	{ cat "$log"; sed "s/,\"pid.*//" "$log" | head -n 1; sed "s/\"login\":\"[^\"]*\"/\"login\":\"-x\"/" "$log" | grep allowed | head -n 1
		sed "s/\"login\":\"[^\"]*\"/\"login\":7/" "$log" | grep allowed | head -n 1
		printf "{\"stage\":\"config\",\"decision\":\"allowed\",\"ref\":\"%099999d\"}\n" 0; } >"$box/syslog"
	explain "$runner" --replay - <"$box/syslog" && exits 2 && count "$replayed the same, 0 different, 0 not known" && count ", 4 lines"'
check 'a line that is longer than any record is named, and the rest is replayed' '
	{ echo other; printf "{\"stage\":\"config\"%70000d\n" 0; head -n 1 "$log"; head -c 70000 /dev/zero; echo; sed 1d "$log"
		printf "%70000d" 0; } >"$box/syslog"
	explain "$runner" --replay - <"$box/syslog" && exits 2 && count "$replayed the same, 0 different, 0 not known" && count ", 3 lines" &&
	[ "$(wc -l <"$box/err")" = 3 ] && for line in 2 4 $((decisions + 4)); do
		grep "^jacamar: $box/syslog:$line: not replayed: the line has more than [0-9]* bytes, which no record has; remove it" "$box/err" ||
			exit 1
	done'
check 'a log without a decision is an error' '
	echo "{\"stage\":\"run\",\"decision\":\"ok\"}" | explain "$runner" --replay - && exits 2 &&
	[ ! -s "$box/out" ] && grep "no record that allows or refuses a job" "$box/err"'
[ "$flavour" != caps ] || check 'root replays a log that only the service account can read' '
	"$jacamar" explain --configuration "$config" --replay "$log" >"$box/out" 2>"$box/err"; [ $? = 0 ] && count "$replayed the same"'

finish
