#!/bin/sh
# auth.confirm_job: the server is asked about the job, with the job's own token, and what it says
# decides. "No" and "could not ask" are two answers; in both cases nothing is run.
# Flavours: caps root sudo none
# Where the runner is root, the keys are kept in root's home: one of this test's own.
if [ "${FLAVOUR:-}" = root ] && [ "$(id -u)" -eq 0 ] && [ -z "${SERVER_APART:-}" ]; then
	exec env SERVER_APART=1 unshare -m sh "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
need_root
. "$(dirname "$0")/web.sh"
at_end() { stop_web; }

install_site
[ "$flavour" != root ] || mount --bind "$box/home/root" ~root || exit 1
mkdir -p "$web/attacker" "$web/site/jobs"
make_certificates >"$box/output" 2>&1 || { cat "$box/output"; exit 1; }
keys_of "$web/site" "$box/key.jwk"

# What the server answers is the file of that token's name, or the status that the token names.
cat >"$web/http.conf" <<'NGINX'
log_format tokens '$request_method $request_uri "$http_job_token" "$http_authorization"';
NGINX
cat >"$web/site.conf" <<NGINX
location = /api/v4/job {
	access_log $web/tokens.log tokens;
	if (\$http_job_token = slow) { set \$limit_rate 1; }
$(for status in 400 403 404 429 500 502 503; do
	printf '\tif ($http_job_token = status-%s) { return %s; }\n' $status $status
done)
	try_files /jobs/\$http_job_token =401;
}
NGINX
: >"$web/tokens.log"
start_web_somewhere || exit 1
chmod 755 "$web"
site=https://localhost:$port

# site_config LINE...: jacamar-config.toml with these lines in [auth]; $keys says whose keys count.
keys="jwks_file = \"$box/keys.json\""
site_config() {
	write_config "$(printf 'data_dir = "$HOME"\ngitlab_server = "%s"\ntls-ca-file = "%s"' "$site" "$web/ca.pem")" \
		"$(printf 'downscope = "%s"\n' "$downscope"; printf '%s\n' "$@")"
	sed -i "s|^jwks_file.*|$keys|" "$etc/jacamar-config.toml"
}

# says TOKEN [JQ]: to that token the server answers with the job, changed by that expression.
says() {
	jq -n --arg user "$usr" '{
		id: 981625, status: "running", name: "ci-job", ref: "main",
		user: {id: 1, username: $user, name: "Kim", state: "active", bot: false},
		commit: {id: "0f"}, pipeline: {id: 574, project_id: 20, status: "running"}
	}' | jq "${2:-.}" >"$web/site/jobs/$1"
}

# job_with TOKEN [ID-TOKEN]: the job that has this one, with pipeline 574 of project 20.
job_with() {
	local job_set="response.token=$1 response.job_info.pipeline_id:=574"
	job "${2-$(token iss="$site" pipeline_id=574 project_id=20)}" </dev/null
}

asked() { log_of site >/dev/null; wc -l <"$web/tokens.log"; }
forget() { : >"$web/tokens.log"; }

accepted() { configure && [ -s "$box/answer" ] || { cat "$box/log"; return 1; }; }
nothing() { [ ! -s "$box/answer" ] && [ "$(wc -l <"$box/log")" -eq 1 ] && nothing_ran && ! grep -e glcbt "$box/log"; }
# The author of the job gets a reference, the staff the reason; configure's -u shows it.
is_refused() {
	configure
	[ $? -eq 1 ] && nothing && logged "$refused_because" && logged "$1" || { cat "$box/log"; return 1; }
}
has_failed() {
	configure
	[ $? -eq 2 ] && nothing && ! grep -F "$refused_because" "$box/log" && logged "$1" || { cat "$box/log"; return 1; }
}

write_config "$(printf 'data_dir = "$HOME"\ngitlab_server = "%s"' "$site")"
says glcbt-right
job_with glcbt-right
check 'without the key the server is not asked' 'accepted && [ "$(asked)" -eq 0 ]'

site_config 'confirm_job = true'
job_extra='.response.token = "glcbt-right"'
job "$(token iss="$site")" <<'SCRIPT'
id -un
SCRIPT
job_extra=
check 'a job that the server confirms is run' 'play && logged "$usr" || { cat "$box/log"; false; }'
check 'the server is asked once a job, with the job'"'"'s token in the header and nothing else' '
	asked >/dev/null; [ "$(cat "$web/tokens.log")" = "GET /api/v4/job \"glcbt-right\" \"-\"" ] ||
		{ cat "$web/tokens.log"; false; }'
check 'the token is not in the log of the job' '! grep glcbt "$box/log"'
rm -rf "$box/home/$usr/.jacamar-ci"

keys='# no local keys'
site_config 'confirm_job = true'
forget
job_with glcbt-right
check 'so is it with the keys of the server' '
	accepted && [ "$(asked)" -eq 1 ] && log_of site | grep -F "GET /oauth/discovery/keys"'
forget
job_with glcbt-right "$(token iss="$site" exp@=-3600)"
check 'the job of a token that is not good is not asked for' '
	is_refused "the id token has expired" && [ "$(asked)" -eq 0 ]'
keys="jwks_file = \"$box/keys.json\""
site_config 'confirm_job = true'
job_with glcbt-right ''
check 'a job without an id token is refused, whatever the downscope' '
	is_refused "the job has no id token" && [ "$(asked)" -eq 0 ]'

# What the server says

# other TITLE JQ REASON
number=0
other() {
	number=$((number + 1))
	says "glcbt-$number" "$2"
	job_with "glcbt-$number"
	reason=$3
	check "the job is refused: $1" 'is_refused "$reason"'
}
for status in canceled canceling success failed pending; do
	other "a job that is $status" ".status = \"$status\"" "that the job is not running, but '$status'"
done
other 'another job' '.id = 981626' "that the job's id is 981626, the job response says 981625"
other 'another pipeline' '.pipeline.id = 575' "that the job's pipeline.id is 575, the job response says 574"
other 'another project' '.pipeline.project_id = 21' "that the job's pipeline.project_id is 21, the job response says 20"
other 'another user' '.user.id = 2' "that the job's user.id is 2, the id token says 1"
other 'another name' ".user.username = \"$two\"" "that the job's user is $two, the id token says $usr"
other 'a bot' '.user.bot = true' "the server says that $usr is a bot, and auth.allow_bot_accounts is not set"
site_config 'confirm_job = true' 'allow_bot_accounts = true'
check 'a bot is admitted where bots are' accepted
site_config 'confirm_job = true'
other 'an answer without a user' 'del(.user)' "does not report the job's user.id"
other 'an answer without a pipeline' 'del(.pipeline)' "does not report the job's pipeline.id"
other 'an answer whose id is a list' '.id = [981625]' "does not report the job's id"
other 'an answer that does not report whether the user is a bot' 'del(.user.bot)' "does not report the job's user.bot"
check 'the reason is for the staff, not for the author' '
	job_with glcbt-1
	play; logged "$neutral" && ! grep -F "not running" "$box/log"'

# no_answer TITLE TEXT: of the server's answer in $web/site/jobs/glcbt-odd
no_answer() {
	job_with glcbt-odd
	text=$2
	check "failed: $1" 'has_failed "$text"'
}
echo '<html>Sign in</html>' >"$web/site/jobs/glcbt-odd"
no_answer 'a page' 'is not a JSON object'
: >"$web/site/jobs/glcbt-odd"
no_answer 'nothing' 'is not a JSON object'
head -c 200000 /dev/zero | tr '\0' '[' >"$web/site/jobs/glcbt-odd"
no_answer '200000 brackets' 'is not a JSON object'
{ cat "$web/site/jobs/glcbt-right"; head -c 300000 /dev/zero | tr '\0' ' '; } >"$web/site/jobs/glcbt-odd"
no_answer 'an answer of 300 KiB' "$site/api/v4/job answers with more than 256 KiB"

# Which status is a "no"

job_with glcbt-unknown
check 'the job is refused: a token that the server does not know (401)' '
	is_refused "$site/api/v4/job answers with status 401: the job'"'"'s token is not valid" &&
	logged "$etc/jacamar-config.toml:"'
for status in 403 404; do
	job_with status-$status
	check "the job is refused: status $status" 'is_refused "$site/api/v4/job answers with status $status: "'
done
for status in 400 429 500 502 503; do
	job_with status-$status
	check "failed: status $status" 'has_failed "$site/api/v4/job answers with status $status instead of the job"'
done
: >"$web/attacker.log"
direct=$site site=$site/away
site_config 'confirm_job = true'
job_with glcbt-right
check 'failed: a redirect, which is not followed' '
	has_failed "answers with status 302 instead of the job" && logged "redirects are not followed" &&
	[ "$(log_of attacker | wc -l)" -eq 0 ]'
site=$direct
site_config 'confirm_job = true'

# Which token is sent

job_extra='.response.token = "glcbt-right\r\nHost: attacker"'
job "$(token iss="$site")" </dev/null
forget
check 'a token that would end the line of the header is not sent' '
	has_failed "the token of the job response is malformed" && [ "$(asked)" -eq 0 ]'
job_extra='.response.variables += [{key: "CI_JOB_TOKEN", value: "glcbt-right"}]'
job "$(token iss="$site")" </dev/null
job_extra=
check 'one of the variables of the author is not taken' '
	has_failed "the job response has no token of the job" CUSTOM_ENV_CI_JOB_TOKEN=glcbt-right && [ "$(asked)" -eq 0 ]'

# Whether it can be asked at all

cp "$web/site/jobs/glcbt-right" "$web/site/jobs/slow"
job_with slow
check 'failed: a server that answers too slowly' 'has_failed "cannot get the job from $site/api/v4/job: "'
job_with glcbt-right
sed -i '/^tls-ca-file/d' "$etc/jacamar-config.toml"
forget
check 'failed: a server whose authority is not trusted, which gets no token' '
	has_failed "cannot get the job from $site/api/v4/job: " && [ "$(asked)" -eq 0 ] &&
	logged "general.tls-ca-file must have its certificate authority"'
site_config 'confirm_job = true'
stop_web
check 'failed: a server that is down' 'has_failed "cannot get the job from $site/api/v4/job: "'

finish
