#!/bin/sh
# [[auth.rule]]: the site allows and denies jobs by the claims of their id tokens. What the author of a
# job writes anywhere else makes no difference, and a claim that is missing helps nobody.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
install_site
say_why
jacamar=$prefix/bin/jacamar
config=$etc/jacamar-config.toml
log=$box/logs/audit.log
install -d -m 750 -o "$runner" "$box/logs"
# $usr is in $club.
club=jtg$$
at_end() { groupdel "$club" 2>/dev/null; }
groupadd "$club" && usermod -aG "$club" "$usr" || exit 1

# A rule: rule NAME ACTION [CONDITION...].
rule() {
	printf '[[auth.rule]]\nname = "%s"\naction = "%s"\n' "$1" "$2"
	shift 2
	[ $# -eq 0 ] || printf '%s\n' "$@"
}
rest=$(rule rest allow)
nobody=$(rule nobody deny)
# rules TEXT [LINE...]: the rules, and lines of [auth]; without these, the first rule is on line 10.
rules() {
	local text="$1"
	shift
	write_config '' "$(printf 'downscope = "%s"\n' "$downscope"; [ $# -eq 0 ] || printf '%s\n' "$@"
		printf '[auth.logging]\nenabled = true\nlocation = "%s"\n%s\n' "$log" "$text")"
}
# claims CLAIM...: a job with these claims.
claims() { job "$(token "$@")" </dev/null; }

allowed() {
	rm -f "$log"
	configure || { cat "$box/log"; return 1; }
	[ -z "${1:-}" ] || recorded allowed "$1"
}
# denied RULE REASON: config refuses the job, nothing ran, and the record has both.
denied() {
	rm -f "$log"
	configure
	[ $? -eq 1 ] && [ ! -s "$box/answer" ] && nothing_ran && logged "$refused_because" && logged "$2" &&
		recorded refused "$1" || { cat "$box/log"; false; }
}
# recorded DECISION RULE
recorded() {
	# jq takes ten times as long, and no value has a quotation mark.
	grep -F "\"decision\":\"$1\"" "$log" | grep -qF "\"auth_rule\":\"$2\"" || { cat "$log"; false; }
}

# --- each condition, through the real token ---

claims
rules "$(rule a deny 'users = ["somebody"]')$(printf '\n%s' "$rest")"
check 'a job that the last rule allows, and no other rule matches, is admitted; the record names the rule' 'allowed rest'
# matches CONDITION CLAIM: a rule with this condition matches a job with this claim, but not one without.
matches() {
	local condition="$1" rare="$2"
	check "a rule decides by: $condition" '
		rules "$(rule rare allow "$condition")
$nobody"
		claims "$rare" && allowed rare && claims && denied nobody "the rule nobody denies the job"'
	check "it also denies by: $condition" '
		rules "$(rule rare deny "$condition")
$rest"
		claims "$rare" && denied rare "the rule rare denies the job" && claims && allowed rest'
}
matches 'projects = ["group/sub/*"]' project_path=group/sub/project
matches 'ref_protected = false' ref_protected=false
matches 'min_access_level = "maintainer"' user_access_level=owner
matches 'runner_ids = ["71"]' runner_id:=71
matches 'pipeline_sources = ["web", "schedule"]' pipeline_source=schedule
matches 'users = ["'"$two"'"]' user_login="$two"
claims
check 'a rule decides by the groups of the account' '
	rules "$(rule members allow "groups = [\"$club\"]")
$nobody"; allowed members && claims user_login="$two" && denied nobody "the rule nobody denies"
	rules "$(rule members deny "groups = [\"$club\"]")
$rest"; allowed rest && claims && denied members "the rule members denies"'
check 'a rule decides by the provider of an identity' '
	rules "$(rule staff allow "identity_providers = [\"ldapmain\"]")
$nobody"; claims user_identities:="[{\"provider\": \"saml\"}, {\"provider\": \"ldapmain\", \"extern_uid\": \"x\"}]"
	allowed staff && claims user_identities:="[{\"provider\": \"saml\", \"extern_uid\": \"ldapmain\"}]" &&
	denied nobody "the rule nobody denies the job ("'

# --- a whole job ---

protected="$(rule production allow 'projects = ["prod/**"]' 'ref_protected = true' 'min_access_level = "maintainer"')
$nobody"
rules "$protected"
job "$(token project_path=prod/app user_access_level=maintainer)" <<'SCRIPT'
echo it runs
SCRIPT
check 'a job that a rule allows runs' 'play && logged "it runs"'
rm -rf "$box/home/$usr/.jacamar-ci"

# The rules are applied by the same code in each flavour that changes the account, before it does: these
# differ no further.
case $flavour in root | sudo) finish ;; esac

# --- a claim that is missing ---

for missing in 'ref_protected = true/-ref_protected/ref_protected' 'ref_protected = false/-ref_protected/ref_protected' \
	'min_access_level = "planner"/-user_access_level/user_access_level' 'runner_ids = ["1"]/-runner_id/runner_id' \
	'pipeline_sources = ["push"]/-pipeline_source/pipeline_source' \
	'identity_providers = ["x"]/-user_identities/user_identities' 'fork = false/-job_project_path/job_project_path' \
	'min_access_level = "planner"/user_access_level=root/user_access_level' \
	'min_access_level = "planner"/user_access_level:=null/user_access_level' \
	'ref_protected = true/ref_protected=yes/ref_protected'; do
	condition=${missing%%/*} claim=${missing##*/} change=${missing#*/}
	change=${change%/*}
	claims "$change"
	check "without the claim ($change), no rule allows the job by: $condition" '
		rules "$(rule a allow "$condition")
$nobody"; denied nobody "the rule nobody denies the job; a rule before it needs a valid $claim, which the id token does not have ("'
	check "and none that denies it lets it pass: $condition" '
		rules "$(rule a deny "$condition")
$rest"; denied a "the id token has no valid $claim, so it is not known whether the rule a denies the job"'
done

# --- what the author of a job can write ---

rules "$protected"
claims user_access_level=owner project_path=prod/app
check 'the claims of the token are enough' 'allowed production'
job_extra='.response.job_info.project_full_path = null | .response.variables += [
	{key: "CI_PROJECT_PATH", value: "prod/app", public: true}, {key: "CI_COMMIT_REF_PROTECTED", value: "true"},
	{key: "ref_protected", value: "true"}, {key: "user_access_level", value: "owner"},
	{key: "JWT_USER_ACCESS_LEVEL", value: "owner"}, {key: "CI_RUNNER_ID", value: "71"}]'
claims ref_protected=false
check 'variables of the job are no claims' 'denied nobody "the rule nobody denies"'
job_extra=
check 'variables of the environment are no claims' '
	configure CUSTOM_ENV_CI_PROJECT_PATH=prod/app CUSTOM_ENV_CI_COMMIT_REF_PROTECTED=true CUSTOM_ENV_user_access_level=owner \
		JWT_REF_PROTECTED=true; [ $? -eq 1 ] && logged "the rule nobody denies"'
# The owner of a fork gives roles and protects refs there; the job runs in prod/app.
fork='project_id=30 project_path=fork/app job_project_id=20 job_project_path=prod/app'
for condition in 'min_access_level = "maintainer"' 'ref_protected = true'; do
	claims $fork user_access_level=owner
	check "a role and a protected ref of a fork do not count for the project of the job: $condition" '
		rules "$(rule production allow "projects = [\"prod/**\"]" "$condition")
$nobody" "allow_fork_pipelines = true"; denied nobody "the rule nobody denies" || exit 1
		rules "$(rule production deny "projects = [\"prod/**\"]" "$condition")
$rest" "allow_fork_pipelines = true"; denied production "it is not known whether the rule production denies the job"'
done
$sign key --alg RS256 --kid site >"$box/other.jwk"
job "$($sign token "$box/other.jwk" user_login="$usr" project_path=prod/app user_access_level=owner)" </dev/null
check 'claims that another key has signed are refused before the rules' '
	rm -f "$log"; configure; [ $? -eq 1 ] && logged "signature is wrong" && ! grep auth_rule "$log"'
job "$(token project_path=prod/app user_access_level=owner | sed 's/[^.]*$//')" </dev/null
check 'claims without a signature are refused before the rules' '
	rm -f "$log"; configure; [ $? -eq 1 ] && nothing_ran && ! grep auth_rule "$log"'
# wrong CLAIM: the token is refused before the rules, where all of them allow the job.
rules "$rest"
wrong() {
	claims "$1"
	check "a claim of another type or form is refused before the rules: $1" '
		rm -f "$log"; configure; [ $? -eq 1 ] && nothing_ran && logged "malformed" && ! grep auth_rule "$log"'
}
for value in 50 true '["owner"]' '{"owner": 1}' 50.5 '"owner\nowner"' '"own\u0007er"'; do
	wrong "user_access_level:=$value"
done
for value in 1 '["true"]' '"true\n"' '"truetrue"'; do wrong "ref_protected:=$value"; done
for value in '"prod/../x"' '"prod/app\n"' '"other\nprod/app"' '"prod//app"' '"/prod/app"' '"prod/app/"' '"prod/."' '"prod/\u00e4pp"' \
	'"prod/\uff0e\uff0e/x"' '"prod/*"' '"prod/%2e%2e/x"' '"prod/app x"' '7' '["prod/app"]'; do
	wrong "project_path:=$value"
done
for value in '"x"' '-1' '1.5' '[1]' true; do wrong "runner_id:=$value"; done

rules "$(rule production deny 'projects = ["Prod/**"]')
$rest"
for path in prod/app PROD/app pRoD/Sub/app; do
	claims project_path=$path
	check "case does not help past a rule that denies a project: $path" 'denied production "the rule production denies"'
done
for path in prod-2/app other/prod/app prod.evil/app xprod/app; do
	claims project_path=$path
	check "a project of another group is another one: $path" 'allowed rest'
done
rules "$(rule kim deny "users = [\"$usr\"]")
$rest"
claims user_login="J${usr#j}"
check 'a login with letters of another case does not help past a rule that denies a user' '
	configure; [ $? -eq 1 ] && nothing_ran && logged "there is no local account"'

# --- forks ---

fork='job_project_id=20 job_project_path=group/project project_id=99 project_path=usr/project'
claims $fork
rules "$(rule own allow 'projects = ["usr/*"]')
$nobody" 'allow_fork_pipelines = true'
check 'the pipeline of a fork is not one of the project of its code' 'denied nobody "the rule nobody denies"'
rules "$(rule group allow 'projects = ["group/*"]' 'fork = false')
$nobody" 'allow_fork_pipelines = true'
check 'a rule can leave out forks' 'denied nobody "the rule nobody denies"'
rules "$(rule forks deny 'projects = ["group/*"]' 'fork = true')
$rest" 'allow_fork_pipelines = true'
check 'a rule can deny forks of a group' 'denied forks "the rule forks denies"'
check 'and admits the project itself' '
	claims job_project_id=20 job_project_path=group/project && allowed rest'
claims $fork
rules "$rest"
check 'a rule that allows all jobs does not replace the other checks' '
	configure; [ $? -eq 1 ] && logged "code from the fork" && claims && rules "$rest" "user_blocklist = [\"$usr\"]" &&
	configure; [ $? -eq 1 ] && logged "is in auth.user_blocklist"'

# --- who is told what ---

rules "$(rule secret-name deny 'projects = ["group/*"]')
$rest"
claims
sed -i 's/"-u", *//' "$etc/config.toml"
check 'the author of a job learns nothing of the rules' '
	rm -f "$log"; play; [ $? -ne 0 ] && nothing_ran && logged "): $neutral" &&
	! grep -i -e secret -e auth.rule -e group/ "$box/log" && recorded refused secret-name'
check 'the record of a refusal has the name of the rule, its line and the check' '
	jq -es --arg at "($config:10)" "any(.[]; .rule == \"auth rules\" and .auth_rule == \"secret-name\" and
		(.reason | endswith(\$at)))" "$log"'
write_runner_config
say_why

# --- the file ---

claims
rules "$rest
$(rule late deny)"
check 'no job runs with a rule that can never match' '
	configure; [ $? -eq 2 ] && nothing_ran && logged "$config:13: the rule late can never match: the rule rest on line 10 matches all of its jobs"'
check 'config --check finds it' '
	as "$runner" "$jacamar" config --check "$config" 2>"$box/err"; [ $? -eq 2 ] && grep "^$config:13: the rule late can never match" "$box/err"'
many() { i=0; while [ $i -lt "$1" ]; do i=$((i + 1)); rule "r$i" deny "users = [\"u$i\"]"; done; echo "$rest"; }
check 'a hundred rules are read, and decide' 'rules "$(many 99)" && allowed rest'
check 'more than that are one clear message' '
	rules "$(many 2000)"; configure; [ $? -eq 2 ] && nothing_ran && [ "$(grep -c "$config" "$box/log")" -le 2 ] &&
	logged "more than 100 tables [[auth.rule]]"'
rules "$(rule a allow 'users = ["x"]')
$nobody"
job '' </dev/null
check 'a job without a token is refused where there are rules' '
	configure; [ $? -eq 1 ] && nothing_ran && logged "the job has no id token"'

finish
