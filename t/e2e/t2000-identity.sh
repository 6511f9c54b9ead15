#!/bin/sh
# Who triggered a job is proven by its token, or the job does not run: a refusal leaves no file
# and no process of the user. It is a build failure, which the runner does not try again, with one line
# in the job's log: what the author may know, but with -u the reason.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
install_site
open=$box/open
mkdir -m 1777 "$open"
$sign key --alg RS256 --kid site >"$box/attacker.jwk"
$sign jwks "$box/attacker.jwk" >"$box/attacker.json"

# Without downscoping it takes a rule that judges accounts for a token to be needed.
rules='downscope = "'$downscope'"'
[ "$flavour" != none ] || rules="$rules
user_blocklist = [\"$two\"]"
# site [GENERAL-LINES [AUTH-LINES]]: the configuration, with these lines more.
site() {
	write_config "data_dir = \"\$HOME\"${1:+
$1}" "$rules${2:+
$2}"
}
site

# quiet_job [TOKEN]: a job that would leave a mark wherever and as whoever it ran.
quiet_job() {
	printf '%s\n' "id -un >>$open/ran" | job "$@"
}

# Where a job could have left something: the mark, a file of the user's, a process.
no_trace() {
	[ ! -e "$open/ran" ] && nothing_ran && ! find "$box/home/$usr" "$box/home/$two" /root/.jacamar-ci \
		"$box/home/$runner/.jacamar-ci" -mindepth 1 -newer "$box/stamp" \
		! -path "$box/home/$runner/work*" ! -path "$etc*" 2>/dev/null | grep .
}

# Each job starts where none has been.
clear_traces() {
	if [ -e "$open/ran" ] || [ -e "$box/home/$usr/.jacamar-ci" ]; then
		rm -rf "$open/ran" "$box/home/$usr/.jacamar-ci"
	fi
	: >"$box/stamp"
}

# said: what the driver says, the reference being X.
said() {
	sed -n "/^$program: /{s/reference [0-9a-f]\\{8,\\}/reference X/;p}" "$box/log"
}

# repeated N: what the driver says is one line, $told_line, N times.
repeated() {
	local lines=0 line
	said >"$box/said"
	while IFS= read -r line; do
		lines=$((lines + 1))
		[ $lines -gt 1 ] || told_line=$line
		[ "$line" = "$told_line" ] || return 1
	done <"$box/said"
	[ $lines -eq "$1" ]
}

# ends_with CODE LINES: the whole job fails so, with that many lines, which are all the same.
ends_with() {
	clear_traces
	play
	[ $? -eq "$1" ] && [ "$(stage_exit config)" = "$1" ] && [ "$(stage_exit cleanup)" = 0 ] && no_trace &&
		repeated "$2" || {
		cat "$box/log"
		return 1
	}
}

# A system failure has a line for each of the runner's three tries.
fails() { ends_with 2 3; }

# tells 'REASON': the whole job is refused, once, and its log says that.
tells() {
	ends_with 1 1 && [ "$told_line" = "$program: $refused_because X): $1 $for_help" ] || {
		said
		echo "expected: $1"
		return 1
	}
}

# The configuration alone, with -u; the reason's beginning is what is expected.
fails_with_reason() {
	clear_traces
	configure
	[ $? -eq 1 ] && [ ! -s "$box/answer" ] && no_trace && [ "$(wc -l <"$box/log")" -eq 1 ] &&
		said | grep -qF -- "$program: $refused_because X): $1" || {
		cat "$box/log"
		echo "expected: $1"
		return 1
	}
}

# The whole job takes its time, and its author reads the same in each flavour: caps alone has it, beside
# config. The jobs below that call `tells` are whole in all flavours.
is_refused() {
	[ "$flavour" != caps ] || tells "$told" || return 1
	fails_with_reason "$1"
}

# refused 'of what' 'the reason' [TOKEN]: the job is in $box/job.json where no token is given. Its
# author is told $told.
unverified='its id token could not be verified'
not_here='it is not permitted here'
told=$unverified
refused() {
	[ $# -lt 3 ] || quiet_job "$3"
	reason=$2
	check "the job is refused: $1" 'is_refused "$reason"'
}

# A failure that is neither a refusal nor a fault of the setup hides nothing, and is as much the end
# of the job.
fails_in_full() {
	fails && said | uniq | grep -qF -- "$1" || { said; return 1; }
}

failed() {
	reason=$2
	check "failed: $1" 'fails_in_full "$reason"'
}

# A fault of the setup is for the site's staff: only with -u does the log have it.
misconfigured() {
	reason=$2
	check "failed: $1" 'fails_in_full "$setup_fault" && ! said | grep -e "$box" -e chmod -e jwks &&
		{ configure; [ $? -eq 2 ]; } && logged "$reason"'
}

# accepted 'what' [TOKEN]: the job is in $box/job.json where no token is given.
accepted() {
	[ $# -lt 2 ] || quiet_job "$2"
	check "the job is accepted: $1" 'clear_traces; play && grep -qx "$usr" "$open/ran" ||
		{ cat "$box/log"; false; }'
}

# signed [sign's options] KEY, with the claims on standard input.
signed() { $sign token "$@"; }
claims() { $sign claims user_login="$usr" "$@"; }

accepted 'a good token' "$(token)"
check 'no token is in the log' '! grep -F "$(jq -r ".response.variables[0].value" "$box/job.json")" "$box/log"'

# The reference of a refusal is one of its own each time, to be found again.
quiet_job ''
check 'the log of a refused job is one line of the driver and one of the runner' '
	tells "it has no id token; in .gitlab-ci.yml, give the job id_tokens: { SITE_ID_TOKEN: { aud: \
\"https://gitlab.example.com\" } }" && [ "$(wc -l <"$box/log")" -eq 2 ] && [ "$(tail -n 1 "$box/log")" = "job failed: exit code 1" ]'
site 'support = "mail help@example.org, or call 1234"'
check 'the author is told whom the site names for help' '
	for_help="(for help, with this reference: mail help@example.org, or call 1234)"; quiet_job garbage; tells "$unverified"'
check 'so is the author of a job whose account is gone when a later stage begins' '
	quiet_job "$(token)" && prepare_call && sed -i "s/981625/981626/" "$call"/custom-executor*/response.json &&
	{ call_with; [ $? -eq 2 ]; } && logged "it is not permitted here (for help, with this reference: mail help@example.org, or call 1234)"'
site
quiet_job ''
references() { grep -o "reference [0-9a-f]\{12\}" "$box/log"; }
check 'each refusal has a reference of its own' '
	ends_with 1 1 && first=$(references) && ends_with 1 1 && second=$(references) && [ "$first" != "$second" ]'

# The token is there, and of this job
quiet_job ''
check 'the job is refused: a job without a token, whose author is told how it gets one' '
	tells "it has no id token; in .gitlab-ci.yml, give the job id_tokens: { SITE_ID_TOKEN: { aud: \
\"https://gitlab.example.com\" } }" &&
	fails_with_reason "the job has no id token; it needs id_tokens: SITE_ID_TOKEN"'
refused "another job's token, valid as it is" 'the id token is of job 981624, this is job 981625' \
	"$(token job_id=981624)"
refused 'a token without job_id' "the id token's job_id is missing or malformed" "$(token -job_id)"
refused 'a job_id that is no number' "the id token's job_id is missing or malformed" \
	"$(token job_id=981625x)"
accepted 'a job_id that is a JSON number' "$(token job_id:=981625)"
job_extra='.response.job_info += {pipeline_id: 574, user_id: 1, project_full_path: "group/project"}'
accepted 'a token that agrees with all of the response' "$(token)"
refused 'a token of another project' "the id token's project_id is 21, the job's is 20" \
	"$(token project_id=21)"
refused 'a token of another pipeline' "the id token's pipeline_id is 575, the job's is 574" \
	"$(token pipeline_id=575)"
refused 'a token of another user' "the id token's user_id is 2, the job's is 1" "$(token user_id=2)"
refused 'a token of another project path' \
	'the id token is of project group/other, the job of group/project' \
	"$(token project_path=group/other)"
job_extra='.response.variables += [{key: "SITE_ID_TOKEN", value: "'$(token job_id=7)'"}]'
refused 'a token pasted over the own one' 'the id token is of job 7, this is job 981625' "$(token)"
job_extra='.response.variables = [{key: "SITE_ID_TOKEN", value: "'$(token job_id=7)'"},
	{key: "CI_JOB_JWT", value: $token}]'
refused 'a bad token before a good one' 'the id token is of job 7, this is job 981625' "$(token)"
job_extra='.custom_env.SITE_ID_TOKEN = $token | .response.variables = []'
accepted 'a token that is in the environment alone' "$(token)"
job_extra='.custom_env.SITE_ID_TOKEN = "'$(token)'"'
refused "a bad token in the response, whatever the environment has" \
	'the id token is of job 7, this is job 981625' "$(token job_id=7)"
job_extra='.custom_env.CI_JOB_ID = "7"'
refused "another job's token, the job claiming to be that one" \
	'the id token is of job 7, this is job 981625' "$(token job_id=7)"
job_extra=

no_name="the id token's user_login is missing or malformed"
one='jobs run as the service account'

# The project of the job, and that of its code: in the pipeline of a merge request from a fork they
# are two.
project='job_project_id=20 job_project_path=group/project'
fork='project_id=99 project_path=usr/project'
job_extra='.response.job_info += {project_full_path: "group/project"}'
accepted 'a token that names both projects, which are one' "$(token $project)"
refused 'a token of a job of another project' "the id token's job_project_id is 21, the job's is 20" \
	"$(token job_project_id=21 job_project_path=group/project)"
refused 'a token of a job of another project, by its path' \
	'the id token is of project group/other, the job of group/project' \
	"$(token job_project_id=20 job_project_path=group/other)"
refused 'a token with half of a project' 'the id token has one of job_project_id and job_project_path' \
	"$(token job_project_id=20)"
quiet_job "$(token $project $fork)"
check 'the job is refused: code of a fork, which its author is told' '
	tells "this pipeline runs code from the fork usr/project, which is not allowed here; run it in the fork \
itself, or from a branch of this project" &&
	fails_with_reason "this pipeline runs code from the fork usr/project (project 99) in group/project, and"'
refused 'code of a fork, where the server is too old to say whose job it is' \
	"the id token's project_id is 99, the job's is 20; if this is the pipeline of a merge request from a fork: only" \
	"$(token $fork)"
site 'static_builds_dir = true' 'allow_fork_pipelines = true'
accepted 'code of a fork, where the site allows it' "$(token $project $fork)"
check 'the job of a fork has the directories of its own project' '
	[ -d "$box/home/$usr/.jacamar-ci/builds/short/project-20" ] &&
	[ ! -e "$box/home/$usr/.jacamar-ci/builds/short/project-99" ] &&
	[ -d "$box/home/$usr/.jacamar-ci/scripts/short/000/group/project" ] &&
	[ ! -e "$box/home/$usr/.jacamar-ci/scripts/short/000/usr" ]'
refused 'code of a fork all the same, where the server is too old' \
	"the id token's project_id is 99, the job's is 20; if" "$(token $fork)"
site
job_extra=
refused 'a path that would leave the directories' "the id token's claims are malformed" \
	"$(token job_project_id=20 job_project_path=group/../../project)"

# A person, not a machine
told=$not_here
refused 'the mail of a service account under the login of a person' \
	"$usr is a service account, by its mail address service_account_group_7_0a1b@noreply.gitlab.example.com" \
	"$(token user_email=service_account_group_7_0a1b@noreply.gitlab.example.com)"
refused 'the mail of a service account of the server'"'"'s former name' \
	"$usr is a service account, by its mail address Service_Account_1@noreply.old.example.com" \
	"$(token user_email=Service_Account_1@noreply.old.example.com)"
refused 'any mail at the noreply host of the server' \
	"$usr is a machine account of the server, by its mail address x@NoReply.GitLab.example.com" \
	"$(token user_email=x@NoReply.GitLab.example.com)"
refused 'a mail at the host for private commits' "$usr is a machine account of the server, by its mail" \
	"$(token user_email=7-x@users.noreply.gitlab.example.com)"
refused 'a token without a mail' "$usr may be a machine account" "$(token -user_email)"
accepted 'a mail at the noreply host of another server' \
	"$(token user_email=x@users.noreply.gitlab.example.org)"
site '' 'allow_bot_accounts = true'
accepted 'the mail of a service account, where machines may' \
	"$(token user_email=service_account_1@noreply.gitlab.example.com)"
site

# The account of an identity, in place of the login
site '' 'identity_provider = "ldapmain"'
# identity EXTERN-UID...: a token with that identity at ldapmain, or with those.
identity() {
	local list='' uid
	for uid; do
		list="$list${list:+, }{\"provider\": \"ldapmain\", \"extern_uid\": \"$uid\"}"
	done
	token user_login=chosen user_identities:="[$list]"
}
accepted 'an identity that names the account' "$(identity "uid=$usr,ou=people,dc=example,dc=com")"
accepted 'an identity that is the name alone' "$(identity "$usr")"
accepted 'an identity that names the account, whatever the login is' "$(token user_login="$two" user_identities:="[{\"provider\": \"saml\",
	\"extern_uid\": \"$two\"}, {\"provider\": \"ldapmain\", \"extern_uid\": \"cn=$usr,dc=x\"}]")"
quiet_job "$(token user_identities:="[{\"provider\": \"saml\", \"extern_uid\": \"$usr\"}]")"
check 'the job is refused: a token without an identity there, whose author is told what to set' '
	tells "its id token does not contain your identity at ldapmain; set the preference \
pass_user_identities_to_ci_jwt of your GitLab account to true (PUT /api/v4/user/preferences)" && fails_with_reason "the id token of $usr has no identity of the provider ldapmain"'
refused 'two identities of the provider' 'the id token of chosen has 2 identities of the provider ldapmain' \
	"$(identity "$usr" "$usr")"
for uid in "uid=$usr+cn=$two,dc=x" "uid=$two,uid=$usr,dc=x" "uid=$usr, dc=x" "uid=$usr;dc=x" "ou=$usr" \
	"uid=$usr\\\\00,dc=x" "../$usr" '' 1000 -u; do
	refused "an identity that names no account ($uid)" "the identity '$(echo "$uid" | sed 's/\\\\/\\/')' of chosen names no account" \
		"$(identity "$uid")"
done
except none "$one" refused 'an identity that names root' 'root is root, and no job runs as root' "$(identity uid=root)"
told="there is no account 'nobody-here' on this cluster"
refused 'an identity whose account is not here' "there is no local account 'nobody-here'" "$(identity nobody-here)"
told=$unverified
refused 'a login that is none, whatever the identity' "$no_name" \
	"$(token user_login=a@b user_identities:="[{\"provider\": \"ldapmain\", \"extern_uid\": \"$usr\"}]")"
site

# Times: a minute of leeway, no more
told='its id token has expired; run the job again'
refused 'an expired token' 'the id token has expired' "$(token exp@=-61)"
told=$unverified
accepted 'a token that expired within the leeway' "$(token exp@=-20)"
refused 'a token without exp' 'the id token has no time of expiry (exp)' "$(token -exp)"
for time in '"9999999999"' -1 1e19 1e308 null; do
	refused "an exp of $time" "the id token's exp is malformed" "$(token exp:="$time")"
done
too_early="the id token is not valid yet; is this host's clock right?"
refused 'nbf in the future' "$too_early" "$(token nbf@=3600)"
refused 'iat in the future' "$too_early" "$(token iat@=3600)"
accepted 'nbf and iat within the leeway' "$(token nbf@=30 iat@=30)"
refused 'an nbf that is a text' "the id token's nbf is malformed" "$(token nbf=0)"
refused 'an iat before all time' "the id token's iat is malformed" "$(token iat:=-1e308)"

# Who made it
refused 'the token of another server' \
	'the id token was issued by https://gitlab.example.org, not by https://gitlab.example.com' \
	"$(token iss=https://gitlab.example.org)"
refused 'the same server without TLS' \
	'the id token was issued by http://gitlab.example.com, not by https://gitlab.example.com' \
	"$(token iss=http://gitlab.example.com)"
refused 'a server whose name only begins alike' \
	'the id token was issued by https://gitlab.example.com.attacker.example, not by https://gitlab.example.com' \
	"$(token iss=https://gitlab.example.com.attacker.example)"
refused 'a server at another port' \
	'the id token was issued by https://gitlab.example.com:8443, not by https://gitlab.example.com' \
	"$(token iss=https://gitlab.example.com:8443)"
refused 'a token without iss' 'the id token has no issuer (iss)' "$(token -iss)"
accepted 'the bare host of an old server' "$(token iss=gitlab.example.com)"

# Algorithms and keys
pem() {
	jq -r .n "$1" | tr -- '-_' '+/' | awk '{ while (length % 4) $0 = $0 "="; print }' |
		openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n' >"$box/modulus"
	printf '%s\n' 'asn1=SEQUENCE:info' '[info]' 'a=SEQUENCE:alg' 'k=BITWRAP,SEQUENCE:key' '[alg]' \
		'o=OID:rsaEncryption' 'p=NULL' '[key]' "n=INTEGER:0x$(cat "$box/modulus")" \
		'e=INTEGER:0x010001' >"$box/asn1"
	openssl asn1parse -genconf "$box/asn1" -noout -out "$box/public.der" &&
		openssl rsa -pubin -inform DER -in "$box/public.der" -pubout -out "$box/public.pem" 2>/dev/null
}
pem "$box/key.jwk" || exit 1
jq -c '.keys[0]' "$box/keys.json" >"$box/public.jwk"
refused 'alg none' 'the id token is not a compact, signed JWS' \
	"$(claims | signed --alg none --header '{"kid": "site"}')"
refused 'alg none with a signature' "the id token's algorithm 'none' is not accepted" \
	"$(claims | signed --alg none --header '{"kid": "site"}')AAAA"
refused 'alg nOnE' "the id token's algorithm 'nOnE' is not accepted" \
	"$(claims | signed --header '{"alg": "nOnE"}' "$box/key.jwk")"
for secret in public.pem public.der public.jwk keys.json; do
	refused "HS256 with the public key as its secret ($secret)" \
		"the id token's algorithm 'HS256' is not accepted" \
		"$(claims | signed --alg HS256 --secret "$box/$secret" --header '{"kid": "site"}')"
done
refused 'an algorithm that is no text' "the id token's algorithm '' is not accepted" \
	"$(claims | signed --header '{"alg": ["RS256"]}' "$box/key.jwk")"
refused 'an algorithm that is not the key'"'"'s' "the server's key 'site' is not one for RS512" \
	"$(claims | signed --alg RS512 "$box/key.jwk")"
for member in jwk jku x5u x5c crit b64; do
	case $member in
	jwk) value=$(jq -c '.keys[0]' "$box/attacker.json") ;;
	jku | x5u) value='"https://gitlab.example.com/keys"' ;;
	x5c) value='["MIIB"]' ;;
	crit) value='["exp"]' ;;
	b64) value=true ;;
	esac
	refused "a header with $member" "the id token's header has '$member'" \
		"$(claims | signed --header "{\"$member\": $value}" "$box/attacker.jwk")"
	refused "a header with $member, signed by the site's key" "the id token's header has '$member'" \
		"$(claims | signed --header "{\"$member\": $value}" "$box/key.jwk")"
done
refused 'an unknown key' "general.jwks_file $box/keys.json has no key 'other', which signed the id token" \
	"$(claims | signed --header '{"kid": "other"}' "$box/attacker.jwk")"
refused 'a token that names no key' 'the id token names no key (kid)' \
	"$(claims | signed --header '{"kid": null}' "$box/key.jwk")"
refused "an attacker's key under the site's name" "the id token's signature is wrong" \
	"$(claims | signed "$box/attacker.jwk")"
# Without a signature, a token is not asked what it says.
site 'jwt_required_aud = "https://site.example.com"'
refused "an attacker's token that has expired" "the id token's signature is wrong" \
	"$(claims exp@=-3600 | signed "$box/attacker.jwk")"
refused "an attacker's token for another audience" "the id token's signature is wrong" \
	"$(claims aud=x | signed "$box/attacker.jwk")"
refused "an attacker's token of a login that has no account" "the id token's signature is wrong" \
	"$(claims user_login=nobody-here aud=https://site.example.com | signed "$box/attacker.jwk")"
site
refused "another job's token of a login that has no account" 'the id token is of job 7, this is job 981625' \
	"$(token user_login=nobody-here job_id=7)"

# The form
good=$(token)
head=${good%%.*} rest=${good#*.}
payload=${rest%%.*} signature=${rest#*.}
other=$(token user_login="$two")
other=${other#*.}
refused 'another payload under a good signature' "the id token's signature is wrong" \
	"$head.${other%%.*}.$signature"
refused 'a signature that was cut off' "the id token's signature is wrong" "$head.$payload.${signature%????}"
refused 'no signature' 'the id token is not a compact, signed JWS' "$head.$payload."
refused 'more than three parts' 'the id token is not a compact, signed JWS' "$good.$signature"
refused 'a payload that is no JSON' \
	"the id token's header or claims are not a JSON object, or have a duplicate name" \
	"$(echo 'user_login=root' | signed "$box/key.jwk")"
refused 'a claim that stands twice' \
	"the id token's header or claims are not a JSON object, or have a duplicate name" \
	"$(claims | sed "1s/{/{\"user_login\": \"$two\",/" | signed "$box/key.jwk")"
refused 'a header member that stands twice' \
	"the id token's header or claims are not a JSON object, or have a duplicate name" \
	"$(claims | signed --raw-header '{"alg": "none", "alg": "RS256", "kid": "site"}' "$box/key.jwk")"
refused 'more than 64 KiB' 'the id token SITE_ID_TOKEN is larger than 64 KiB' \
	"$(token pad="$(head -c 60000 /dev/zero | tr '\0' x)")"
for text in garbage a.b.c ... "$good " " $good" '{"alg":"none"}' '/etc/shadow'; do
	quiet_job "$text"
	check "the job is refused: '$(printf %.20s "$text")' as a token" 'tells "$unverified"'
done

# Names
told=$not_here
except none "$one" refused 'the login of root' 'root is root, and no job runs as root' "$(token user_login=root)"
except 'root none' 'root has said so, or: '"$one" refused 'the login of the service account' \
	"$runner is the service account" "$(token user_login="$runner")"
# without_account 'what' LOGIN: the author is told so, since the token proves that this is their name.
without_account() {
	told="there is no account '$2' on this cluster"
	refused "$1" "there is no local account '$2'" "$(token user_login="$2")"
	told=$unverified
}
without_account 'a login that has no account here' nobody-here
without_account 'a login in capitals' "$(echo "$usr" | tr '[:lower:]' '[:upper:]')"
refused 'no login' "$no_name" "$(token -user_login)"
refused 'a login that is a number' "$no_name" "$(token user_login:=0)"
refused 'a login that is a list' "$no_name" "$(token user_login:="[\"$usr\"]")"
long=$(printf '%065d' 0 | tr 0 a)
for login in "../$usr" "$usr/../root" '' 0 1000 -rf "$long" "$usr:x" "$usr root" "\$(id)" "${usr}é" .. .; do
	case $login in
	. | ..) without_account "the login '$login'" "$login" ;;
	*) refused "the login '$(printf %.20s "$login")' of ${#login} bytes" "$no_name" "$(token user_login="$login")" ;;
	esac
done
refused 'a login with a newline' "$no_name" "$(token user_login:="\"$usr\\nroot\"")"
refused 'a login with a zero byte' \
	"the id token's header or claims are not a JSON object, or have a duplicate name" \
	"$(token user_login="${usr}ZERO" | cut -d. -f1).$(claims user_login=ZERO |
		sed "s/ZERO/$usr\\\\u0000/" | signed "$box/key.jwk" | cut -d. -f2,3)"

# Accounts
told=$not_here
low=jtl$$
add_account "$low" -r -K SYS_UID_MIN=300 -K SYS_UID_MAX=999
except none "$one" refused 'a uid below min_uid' "uid $(id -u "$low") of $low is below auth.min_uid, 1000" \
	"$(token user_login="$low")"
site '' "min_uid = $(($(id -u "$usr") + 1))"
except none "$one" refused 'a uid just below a min_uid of the site' \
	"uid $(id -u "$usr") of $usr is below auth.min_uid, $(($(id -u "$usr") + 1))" "$(token)"
site '' "min_uid = $(id -u "$usr")"
accepted 'a uid that is min_uid' "$(token)"
site
for shell in /usr/sbin/nologin /sbin/nologin /bin/false; do
	usermod -s "$shell" "$usr"
	except none "$one" refused "an account closed by $shell" "account $usr is closed: its shell is $shell" "$(token)"
done
site '' 'shell_allowlist = ["/bin/bash", "/bin/false"]'
accepted 'a closed account whose shell is in shell_allowlist' "$(token)"
usermod -s /bin/sh "$usr"
except none "$one" refused 'a shell that is not in shell_allowlist' \
	"the shell /bin/sh of $usr is not in auth.shell_allowlist" "$(token)"
usermod -s /bin/bash "$usr"
site
quiet_job "$(token)"
mv "$box/home/$usr" "$box/home/gone"
except none "$one" failed 'an account whose home is not there' "the home directory $box/home/$usr of $usr does not exist"
touch "$box/home/$usr"
except none "$one" failed 'an account whose home is a file' "the home directory $box/home/$usr of $usr does not exist"
rm "$box/home/$usr"
mv "$box/home/gone" "$box/home/$usr"

# Audiences
site 'jwt_required_aud = "https://site.example.com"'
told='its id token is for another audience; in .gitlab-ci.yml, set its aud to "https://site.example.com"'
refused 'a token for another audience' "the id token is not for the audience 'https://site.example.com'" \
	"$(token)"
refused 'a token without aud' "the id token is not for the audience 'https://site.example.com'" \
	"$(token -aud)"
refused 'an audience that only begins alike' \
	"the id token is not for the audience 'https://site.example.com'" \
	"$(token aud=https://site.example.com.attacker.example)"
refused 'a list of other audiences' "the id token is not for the audience 'https://site.example.com'" \
	"$(token aud:='["a", ["https://site.example.com"]]')"
accepted 'the required audience' "$(token aud=https://site.example.com)"
accepted 'the required audience among others' "$(token aud:='["a", "https://site.example.com"]')"

# What the site's keys may be
told=$unverified
site
$sign key --alg ES384 --kid ec >"$box/ec.jwk"
$sign key --alg PS256 --kid pss >"$box/pss.jwk"
$sign jwks "$box/key.jwk" "$box/ec.jwk" "$box/pss.jwk" >"$box/keys.json"
accepted 'ES384' "$(claims | signed "$box/ec.jwk")"
accepted 'PS256' "$(claims | signed "$box/pss.jwk")"
refused "the name of a key of another kind" "the server's key 'ec' is not one for RS256" \
	"$(claims | signed --header '{"kid": "ec"}' "$box/key.jwk")"
quiet_job "$(token)"
chmod 666 "$box/keys.json"
misconfigured 'a key file that others can write' "general.jwks_file $box/keys.json must be a regular file that root or the service account owns"
chmod 644 "$box/keys.json"
chown "$two" "$box/keys.json"
misconfigured 'a key file of another account' "general.jwks_file $box/keys.json must be a regular file that root or the service account owns"
rm -f "$box/keys.json"
misconfigured 'a key file that is not there' "cannot open general.jwks_file $box/keys.json"
mkdir "$box/shared"
chmod 777 "$box/shared"
$sign jwks "$box/key.jwk" >"$box/shared/keys.json"
ln -s "$box/shared/keys.json" "$box/keys.json"
misconfigured 'a key file that others can exchange' \
	"general.jwks_file $box/keys.json: $box/shared is writable by group or others; run: chmod go-w $box/shared"
rm -r "$box/shared" "$box/keys.json"
echo '{"keys": {}}' >"$box/keys.json"
misconfigured 'a key file without keys' 'the key set has no array "keys"'
$sign jwks "$box/key.jwk" >"$box/keys.json"
accepted 'the good token, after all of these' "$(token)"

# The response itself
broken() {
	quiet_job "$(token)"
	jq --arg raw "$2" '.raw_response = $raw' "$box/job.json" >"$box/job.new" && mv "$box/job.new" "$box/job.json"
	reason=$3
	check "failed: $1" 'fails_in_full "$reason"'
}
broken 'an empty job response' '' 'the job response is not JSON'
broken 'a job response that is cut off' '{"id": 981625,' 'the job response is not JSON'
broken 'a job response that is a list' '[981625]' 'the job response is not JSON'
broken 'a job response without an id' '{"variables": []}' 'the job response has no id'
broken 'a job response whose id is 0' '{"id": 0}' 'the job response has no id'
broken 'a job response whose id is negative' '{"id": -981625}' 'the job response has no id'

finish
