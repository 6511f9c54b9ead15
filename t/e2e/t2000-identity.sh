#!/bin/sh
# Who triggered a job is proven by its token, or the job does not run: a refusal leaves no file
# and no process of the user, and is a system failure with one line in the job's log, neutral but
# with -u.
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
	rm -rf "$open/ran" "$box/home/$usr/.jacamar-ci"
	touch "$box/stamp"
}

# said: what the driver says but for cleanup, the reference being X.
said() {
	grep "^$program: " "$box/log" | grep -v 'config did not finish: there is nothing to clean up' |
		sed 's/reference [0-9a-f]\{8,\}/reference X/'
}

# The whole job fails: one line a try.
fails() {
	clear_traces
	play
	[ $? -eq 2 ] && [ "$(stage_exit config)" = 2 ] && [ "$(stage_exit cleanup)" = 0 ] && no_trace &&
		[ "$(said | wc -l)" -eq 3 ] && [ "$(said | uniq | wc -l)" -eq 1 ] || {
		cat "$box/log"
		return 1
	}
}

# The configuration alone, with -u; the reason's beginning is what is expected.
fails_with_reason() {
	clear_traces
	configure
	[ $? -eq 2 ] && [ ! -s "$box/answer" ] && no_trace && [ "$(wc -l <"$box/log")" -eq 1 ] &&
		said | grep -qF -- "$program: this job was refused (reference X): $1" || {
		cat "$box/log"
		echo "expected: $1"
		return 1
	}
}

neutral="$program: this job was refused by the rules of this site; its staff finds the reason under reference X"
# Three tries of a job take their time, and say the same in each flavour: root has one of them.
is_refused() {
	[ "$flavour" = root ] || { fails && [ "$(said | uniq)" = "$neutral" ]; } || return 1
	fails_with_reason "$1"
}

# refused 'of what' 'the reason' [TOKEN]: the job is in $box/job.json where no token is given.
refused() {
	[ $# -lt 3 ] || quiet_job "$3"
	reason=$2
	check "refused: $1" 'is_refused "$reason"'
}

# A failure that is not a refusal hides nothing, and is as much the end of the job.
fails_in_full() {
	fails && said | uniq | grep -qF -- "$1" || { said; return 1; }
}

failed() {
	reason=$2
	check "failed: $1" 'fails_in_full "$reason"'
}

# accepted 'what' [TOKEN]: the job is in $box/job.json where no token is given.
accepted() {
	[ $# -lt 2 ] || quiet_job "$2"
	check "accepted: $1" 'clear_traces; play && grep -qx "$usr" "$open/ran" ||
		{ cat "$box/log"; false; }'
}

# signed [sign's options] KEY, with the claims on standard input.
signed() { $sign token "$@"; }
claims() { $sign claims user_login="$usr" "$@"; }

accepted 'a good token' "$(token)"
check 'no token is in the log' '! grep -F "$(jq -r ".response.variables[0].value" "$box/job.json")" "$box/log"'

# The reference of a refusal is one of its own each time, to be found again.
quiet_job ''
check 'each refusal has a reference of its own' 'fails
	[ "$(grep -o "reference [0-9a-f]*" "$box/log" | sort -u | wc -l)" -eq 3 ]'

# The token is there, and of this job
quiet_job ''
check 'refused: a job without a token, whose author is told how it gets one' '
	fails && [ "$(said | uniq)" = "$program: this job was refused (reference X): it has no id token; in \
.gitlab-ci.yml, give the job id_tokens: { SITE_ID_TOKEN: { aud: \"https://gitlab.example.com\" } }" ] &&
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

# Times: a minute of leeway, no more
refused 'an expired token' 'the id token has expired' "$(token exp@=-61)"
accepted 'a token that expired within the leeway' "$(token exp@=-20)"
refused 'a token without exp' 'the id token has no time of expiry (exp)' "$(token -exp)"
refused 'an exp that is a text' 'the id token has no time of expiry (exp)' "$(token exp=9999999999)"
too_early="the id token is not valid yet; is this host's clock right?"
refused 'nbf in the future' "$too_early" "$(token nbf@=3600)"
refused 'iat in the future' "$too_early" "$(token iat@=3600)"
accepted 'nbf and iat within the leeway' "$(token nbf@=30 iat@=30)"
refused 'an nbf that is a text' "the id token's nbf or iat is not a number" "$(token nbf=0)"

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
refused 'another port' \
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
	"the id token's header or claims are not a JSON object, or a member stands twice" \
	"$(echo 'user_login=root' | signed "$box/key.jwk")"
refused 'a claim that stands twice' \
	"the id token's header or claims are not a JSON object, or a member stands twice" \
	"$(claims | sed "1s/{/{\"user_login\": \"$two\",/" | signed "$box/key.jwk")"
refused 'a header member that stands twice' \
	"the id token's header or claims are not a JSON object, or a member stands twice" \
	"$(claims | signed --raw-header '{"alg": "none", "alg": "RS256", "kid": "site"}' "$box/key.jwk")"
refused 'more than 64 KiB' 'the id token SITE_ID_TOKEN is larger than 64 KiB' \
	"$(token pad="$(head -c 60000 /dev/zero | tr '\0' x)")"
for text in garbage a.b.c ... "$good " " $good" '{"alg":"none"}' '/etc/shadow'; do
	quiet_job "$text"
	check "refused: '$(printf %.20s "$text")' as a token" 'fails &&
		[ "$(said | uniq)" = "$neutral" ]'
done

# Names
no_name="the id token's user_login is missing or malformed"
one='jobs run as the service account'
except none "$one" refused 'the login of root' 'root is root, and no job runs as root' "$(token user_login=root)"
except 'root none' 'root has said so, or: '"$one" refused 'the login of the service account' \
	"$runner is the service account" "$(token user_login="$runner")"
refused 'a login that has no account here' "there is no local account 'nobody-here'" \
	"$(token user_login=nobody-here)"
refused 'a login in capitals' "there is no local account '$(echo "$usr" | tr '[:lower:]' '[:upper:]')'" \
	"$(token user_login="$(echo "$usr" | tr '[:lower:]' '[:upper:]')")"
refused 'no login' "$no_name" "$(token -user_login)"
refused 'a login that is a number' "$no_name" "$(token user_login:=0)"
refused 'a login that is a list' "$no_name" "$(token user_login:="[\"$usr\"]")"
long=$(printf '%065d' 0 | tr 0 a)
for login in "../$usr" "$usr/../root" '' 0 1000 -rf "$long" "$usr:x" "$usr root" "\$(id)" "${usr}é" .. .; do
	case $login in
	. | ..) refused "the login '$login'" "there is no local account '$login'" "$(token user_login="$login")" ;;
	*) refused "the login '$(printf %.20s "$login")' of ${#login} bytes" "$no_name" "$(token user_login="$login")" ;;
	esac
done
refused 'a login with a newline' "$no_name" "$(token user_login:="\"$usr\\nroot\"")"
refused 'a login with a zero byte' \
	"the id token's header or claims are not a JSON object, or a member stands twice" \
	"$(token user_login="${usr}ZERO" | cut -d. -f1).$(claims user_login=ZERO |
		sed "s/ZERO/$usr\\\\u0000/" | signed "$box/key.jwk" | cut -d. -f2,3)"

# Accounts
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
failed 'a key file that others can write' "general.jwks_file $box/keys.json must be a file of root"
chmod 644 "$box/keys.json"
chown "$two" "$box/keys.json"
failed 'a key file of another account' "general.jwks_file $box/keys.json must be a file of root"
rm -f "$box/keys.json"
failed 'a key file that is not there' "cannot open general.jwks_file $box/keys.json"
mkdir "$box/shared"
chmod 777 "$box/shared"
$sign jwks "$box/key.jwk" >"$box/shared/keys.json"
ln -s "$box/shared/keys.json" "$box/keys.json"
failed 'one that others can exchange' \
	"general.jwks_file $box/keys.json: $box/shared can be written by others; run: chmod go-w $box/shared"
rm -r "$box/shared" "$box/keys.json"
echo '{"keys": {}}' >"$box/keys.json"
failed 'a key file without keys' 'the key set has no array "keys"'
$sign jwks "$box/key.jwk" >"$box/keys.json"
accepted 'the good token still' "$(token)"

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
