#!/bin/sh
# The keys come from the server that the site or the runner names, over TLS, and from no other,
# whatever the job's author says; they are kept for later jobs.
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
mkdir -p "$web/attacker"
make_certificates >"$box/output" 2>&1 || { cat "$box/output"; exit 1; }
$sign key --alg RS256 --kid site >"$box/attacker.jwk"
$sign key --alg ES256 --kid new >"$box/new.jwk"
keys_of "$web/site" "$box/key.jwk"
keys_of "$web/attacker" "$box/attacker.jwk"
start_web_somewhere || exit 1
site=https://localhost:$port
attacker=https://localhost:$attacker_port
chmod 755 "$web"
cache=$box/home/$runner/.cache/jacamar-ci
kept() { find "$cache" -type f -name '*.json'; }

# site_config LINE...: jacamar-config.toml with these lines in [general], and no local key file.
site_config() {
	{
		printf '[general]\nexecutor = "shell"\ndata_dir = "$HOME"\n'
		printf '%s\n' "$@"
		printf '[auth]\ndownscope = "'$downscope'"\n'
	} >"$etc/jacamar-config.toml"
}
ca="tls-ca-file = \"$web/ca.pem\""
named="gitlab_server = \"$site\""

asked() { log_of "$1" | wc -l; }
forget() { rm -rf "$box/home/$runner/.cache"; : >"$web/site.log"; : >"$web/attacker.log"; : >"$web/plain.log"; }
site_job() { job "$(token iss="$site")" </dev/null; }
succeeds() { configure "$@" && [ -s "$box/answer" ] || { cat "$box/log"; return 1; }; }
# fails TEXT: with this in the one line that it says, and no answer.
fails() {
	local text="$1"
	shift
	configure "$@"
	config_failed $? && [ ! -s "$box/answer" ] && [ "$(wc -l <"$box/log")" -eq 1 ] && logged "$text" &&
		nothing_ran || { cat "$box/log"; return 1; }
}

# The server of the configuration

site_config "$named" "$ca"
job "$(token iss="$site")" <<'SCRIPT'
id -un
SCRIPT
check 'a job whose keys come over TLS succeeds' 'play && logged "$usr" || { cat "$box/log"; false; }'
check 'the server was asked once, without any credentials' '
	[ "$(log_of site)" = "GET /oauth/discovery/keys \"-\" \"-\"" ] || { log_of site; false; }'
check 'the keys are kept in a private file of a private directory' '
	[ "$(kept | wc -l)" -eq 1 ] && [ "$(stat -c "%a %U" "$(kept)")" = "600 $runner" ] &&
	[ "$(stat -c "%a %U" "$cache")" = "700 $runner" ] &&
	[ "$(stat -c "%a %U" "$(dirname "$cache")")" = "700 $runner" ]'
check 'what is kept is what the server sent, and nothing else is' '
	cmp "$(kept)" "$web/site/oauth/discovery/keys" && [ "$(find "$cache" -type f | wc -l)" -eq 1 ]'
check 'a second job does not ask' 'play && [ "$(asked site)" -eq 1 ]'
rm -rf "$box/home/$usr/.jacamar-ci"

forget
site_config "$named"
check 'an authority that the site does not name is not trusted' '
	fails "cannot get the server'"'"'s keys from $site/oauth/discovery/keys" && [ "$(asked site)" -eq 0 ] &&
	logged "general.tls-ca-file must have its certificate authority (not set in $etc/jacamar-config.toml)"'
site_config "$named" "tls-ca-file = \"$web/extensions\""
check 'a file of authorities without certificates is refused and named' '
	fails "cannot get the server'"'"'s keys from $site/oauth/discovery/keys" &&
	logged "general.tls-ca-file must hold certificates, as PEM ($etc/jacamar-config.toml:5)"'
site_config "$named" 'tls-ca-file = "/nonexistent/ca.pem"'
check 'a file of authorities that is not there fails' '
	fails "/nonexistent/ca.pem: No such file or directory" && [ "$(asked site)" -eq 0 ]'
site_config "$named" "tls_ca_file = \"$web/ca.pem\""
check 'tls_ca_file is the same setting' 'succeeds && [ "$(asked site)" -eq 1 ]'
forget
site_config "gitlab_server = \"https://127.0.0.1:$port\"" "$ca"
job "$(token iss="https://127.0.0.1:$port")" </dev/null
check "a certificate of another host is refused" '
	fails "cannot get the server'"'"'s keys from https://127.0.0.1:$port/" && [ "$(asked site)" -eq 0 ] &&
	logged "general.gitlab_server must be the name in the server'"'"'s certificate"'

# distrusts PORT REASON ADVICE: of the certificate of that server, in the one line there is.
distrusts() {
	site_config "gitlab_server = \"https://localhost:$1\"" "$ca"
	job "$(token iss="https://localhost:$1")" </dev/null
	fails "cannot get the server's keys from https://localhost:$1/oauth/discovery/keys: $2" && logged "$3" &&
		! logged "tls-ca-file" >/dev/null
}
check 'a certificate that has expired is reported as expired' '
	distrusts $expired_port "SSL certificate problem: certificate has expired" "renew the server'"'"'s certificate"'
check 'a certificate that is not valid yet is reported as not yet valid' '
	distrusts $future_port "SSL certificate problem: certificate is not yet valid" \
		"is this host'"'"'s clock right?"'
check 'a certificate of another host is reported with the host that was asked for' '
	distrusts $other_port "SSL: no alternative certificate subject name matches target" \
		"general.gitlab_server must be the name in the server'"'"'s certificate ($etc/jacamar-config.toml:4)"'
site_config "gitlab_server = \"https://localhost:$plain_port\"" "$ca"
check 'a server that does not speak TLS is refused' '
	fails "cannot get the server'"'"'s keys from https://localhost:$plain_port/" && ! log_of plain | grep GET'

site_job
mkdir -p "$web/site/-"
mv "$web/site/oauth/discovery/keys" "$web/site/-/jwks"
site_config "$named" "$ca"
check 'an old server is asked under its other address' '
	succeeds && [ "$(log_of site | cut -d" " -f2 | tr "\n" " ")" = "/oauth/discovery/keys /-/jwks " ]'
mv "$web/site/-/jwks" "$web/site/oauth/discovery/keys"

# Without TLS: this machine alone

forget
site_config "gitlab_server = \"http://127.0.0.1:$plain_port\""
job "$(token iss="http://127.0.0.1:$plain_port")" </dev/null
check 'http to this machine itself is accepted' 'succeeds && [ "$(asked plain)" -eq 1 ]'
for url in http://gitlab.example.com http://127.0.0.1.attacker.example http://10.0.0.1 \
	http://localhost.attacker.example ftp://localhost "http://user@127.0.0.1" "file://$web/site"; do
	site_config "gitlab_server = \"$url\""
	check "the configuration may not name $url" '
		configure; [ $? -eq 2 ] && [ ! -s "$box/answer" ] && logged "jacamar-config.toml:4: " && logged gitlab_server'
done

# What a server may answer

forget
site_job
answers() {
	site_config "gitlab_server = \"$site/$1\"" "$ca"
	job "$(token iss="$site/$1")" </dev/null
	text=$2
	check "$3" 'fails "$text" && [ ! -e "$cache" ]'
}
mkdir -p "$web/site/big/oauth/discovery" "$web/site/html/oauth/discovery" "$web/site/deep/oauth/discovery" \
	"$web/site/empty/oauth/discovery" "$web/site/slow/oauth/discovery" "$web/site/twice/oauth/discovery"
{ cat "$web/site/oauth/discovery/keys"; head -c 300000 /dev/zero | tr '\0' ' '; } \
	>"$web/site/big/oauth/discovery/keys"
echo '<html>Sign in</html>' >"$web/site/html/oauth/discovery/keys"
head -c 200000 /dev/zero | tr '\0' '[' >"$web/site/deep/oauth/discovery/keys"
: >"$web/site/empty/oauth/discovery/keys"
jq -c '.keys[0]' "$web/site/oauth/discovery/keys" | sed 's/.*/{"keys": [], "keys": [&]}/' \
	>"$web/site/twice/oauth/discovery/keys"
cp "$web/site/oauth/discovery/keys" "$web/site/slow/oauth/discovery/keys"
answers big "$site/big/oauth/discovery/keys answers with more than 256 KiB" 'an answer of 300 KiB is refused'
answers html "$site/html: the key set is not JSON" 'an answer that is a page is refused'
answers deep 'the key set is not JSON' 'an answer of 200000 brackets is refused'
answers empty 'the key set is not JSON' 'an empty answer is refused'
answers twice 'the key set is not JSON' 'an answer whose keys stand twice is refused'
answers broken "$site/broken/oauth/discovery/keys answers with status 500" 'a server in trouble is named'
answers forbidden "$site/forbidden/oauth/discovery/keys answers with status 403" 'a refusing server is named'
answers nowhere "$site/nowhere/-/jwks answers with status 404" 'a server without keys is named'
check 'the message on a server without keys names general.gitlab_server' '
	logged "general.gitlab_server must be GitLab'"'"'s own URL, with a path only if GitLab has one" &&
	logged "($etc/jacamar-config.toml:4)"'
answers away 'answers with status 302' 'a redirect to another server fails'
check 'the server that the redirect names is not asked' '[ "$(asked attacker)" -eq 0 ]'
answers plain 'answers with status 301' 'a redirect away from TLS fails'
check 'the server without TLS is not asked' '[ "$(asked plain)" -eq 0 ]'
site_config "gitlab_server = \"$site/slow\"" "$ca"
job "$(token iss="$site/slow")" </dev/null
# At a byte a second the answer would take minutes; the guard alone would end a driver that waits.
check 'a server that answers too slowly is given up' '
	configure & waiting=$!
	(sleep 90; pkill -KILL -U "$runner" -x "$program") & guard=$!
	wait $waiting; code=$?
	pkill -P $guard; kill $guard 2>/dev/null
	[ $code -eq 2 ] && [ ! -s "$box/answer" ] && logged "cannot get the server'"'"'s keys from $site/slow/" && nothing_ran'

# What the author may say

forget
hostile="CI_SERVER_URL=$attacker CI_SERVER_HOST=localhost:$attacker_port CI_SERVER_PORT=$attacker_port
	CI_API_V4_URL=$attacker/api/v4 CI_JWKS_URL=$attacker/oauth/discovery/keys
	CI_REPOSITORY_URL=$attacker/group/project.git CI_SERVER_FQDN=localhost:$attacker_port
	CI_SERVER_TLS_CA_FILE=$web/ca.pem JACAMAR_CI_STATE={} GITLAB_SERVER=$attacker
	https_proxy=$attacker HTTPS_PROXY=$attacker ALL_PROXY=$attacker http_proxy=$attacker"
# Both as the response's variables and as the environment that the runner makes of them.
hostile_job() {
	local setting
	hostile_environment=
	job_extra='.'
	for setting in $hostile; do
		job_extra="$job_extra | .response.variables += [{key: \"${setting%%=*}\", value: \"${setting#*=}\"}]"
		hostile_environment="$hostile_environment CUSTOM_ENV_$setting"
	done
	[ -z "${1:-}" ] || job_extra="$job_extra | $1"
	job "$forged" </dev/null
	job_extra=
}
never_asked() { [ "$(asked attacker)" -eq 0 ] || { log_of attacker; return 1; }; }
forge() { $sign token "$box/attacker.jwk" user_login="$usr" "$@"; }

for where in "$named" 'name = "without gitlab_server"'; do
	site_config "$where" "$ca"
	from_url=".response.git_info.repo_url = \"https://gitlab-ci-token:secret@localhost:$port/group/project.git\""
	case $where in
	gitlab_server*) what='with gitlab_server' ;;
	*) what='without gitlab_server' ;;
	esac
	forget
	forged=$(token iss="$site")
	hostile_job "$from_url"
	check "a job's variables do not say who is asked ($what)" '
		succeeds $hostile_environment && never_asked && [ "$(asked site)" -eq 1 ]'
	forget
	forged=$(forge iss="$attacker")
	hostile_job "$from_url"
	check "a token of an attacker's server is refused ($what)" '
		fails "the id token'"'"'s signature is wrong" $hostile_environment && never_asked'
	forget
	forged=$(forge iss="$site")
	hostile_job "$from_url"
	check "an attacker's key under the site's name is refused ($what)" '
		fails "the id token'"'"'s signature is wrong" $hostile_environment && never_asked'
	forget
	forged=$(forge iss="$attacker" | sed 's/^[^.]*/'"$(
		printf '{"alg":"RS256","kid":"site","jku":"%s/oauth/discovery/keys"}' "$attacker" |
			openssl base64 -A | tr -- '+/' '-_' | tr -d =
	)/")
	hostile_job "$from_url"
	check "a token that names an attacker's keys itself is refused ($what)" '
		fails "the id token'"'"'s header has '"'jku'"'" $hostile_environment && never_asked'
	check "the site's server gets no credentials of the job ($what)" '
		! log_of site | grep -e secret -e gitlab-ci-token -e "does not answer"'
done

# Without gitlab_server: the server is the runner's, if the token says so, too

forget
site_config "$ca"
job_extra=".response.git_info.repo_url = \"https://gitlab-ci-token:secret@localhost:$port/group/project.git\""
site_job
check 'without gitlab_server the origin of the repository is asked' '
	succeeds && [ "$(log_of site)" = "GET /oauth/discovery/keys \"-\" \"-\"" ]'
job "$(token iss=https://gitlab.example.com)" </dev/null
check 'a token of another issuer is refused, though its signature is right' '
	fails "was issued by https://gitlab.example.com, not by $site"'
job "$(token iss="https://localhost")" </dev/null
check 'a token of the same host on another port is refused' 'fails "was issued by https://localhost, not by $site"'
forget
job_extra=".response.git_info.repo_url = \"https://localhost:$port@localhost:$attacker_port/group/project.git\""
site_job
check 'what stands before an @ is not the host' '
	fails "the id token'"'"'s signature is wrong" && [ "$(asked site)" -eq 0 ]'
forget
for url in git@localhost:group/project.git "http://gitlab.example.com/group/project.git" "/srv/project.git"; do
	job_extra=".response.git_info.repo_url = \"$url\""
	site_job
	check "a repository at $url names no server" 'fails "the job names no GitLab server; set general.gitlab_server"'
done
job_extra='del(.response.git_info)'
site_job
check 'a response without a repository names no server' \
	'fails "the job names no GitLab server; set general.gitlab_server"'
job_extra=

# The kept keys

forget
site_config "$named" "$ca"
site_job
succeeds || { cat "$box/log"; exit 1; }
new_token() { $sign token "$1" user_login="$usr" iss="$site"; }
keys_of "$web/site" "$box/key.jwk" "$box/new.jwk"
job "$(new_token "$box/new.jwk")" </dev/null
check 'a key that is not known yet is asked for once' 'succeeds && [ "$(asked site)" -eq 2 ]'
check 'a key that was asked for is known from then on' 'succeeds && [ "$(asked site)" -eq 2 ]'
$sign key --alg ES256 --kid nobody >"$box/nobody.jwk"
job "$(new_token "$box/nobody.jwk")" </dev/null
check 'a key that nobody knows is asked for once, and refused' '
	fails "$site has no key '"'nobody'"', which signed the id token" && [ "$(asked site)" -eq 3 ]'
keys_of "$web/site" "$box/new.jwk"
site_job
check 'while the kept keys are fresh, a key that the server withdrew still counts' '
	succeeds && [ "$(asked site)" -eq 3 ]'
touch -d '11 minutes ago' "$(kept)"
check 'after ten minutes a key that the server withdrew does not count' 'fails "has no key '"'site'"'" && [ "$(asked site)" -eq 4 ]'
keys_of "$web/site" "$box/key.jwk"
forget
succeeds
touch -d '11 minutes ago' "$(kept)"
check 'after ten minutes the keys are renewed' '
	succeeds && [ "$(asked site)" -eq 2 ] && [ -z "$(find "$cache" -name "*.json" -mmin +5)" ]'
touch -d 'tomorrow' "$(kept)"
check 'kept keys from the future are not used' 'succeeds && [ "$(asked site)" -eq 3 ]'

stop_web
check 'a server that does not answer is not missed while kept keys are fresh' 'succeeds && [ ! -s "$box/log" ]'
touch -d '2 hours ago' "$(kept)"
check 'older keys stand in for it, with a warning' '
	succeeds && logged "warning: cannot get the server'"'"'s keys from $site/" &&
	logged "using its keys of 120 minutes ago" && [ "$(wc -l <"$box/log")" -eq 1 ]'
job "$(forge iss="$site")" </dev/null
check 'old keys do not make a forged token good' 'fails "the id token'"'"'s signature is wrong"'
job "$(new_token "$box/new.jwk")" </dev/null
check 'a key that the old keys do not have stays unknown' 'fails "$site has no key '"'new'"'"'
site_job
touch -d '25 hours ago' "$(kept)"
check 'kept keys of more than a day are not used' 'fails "cannot get the server'"'"'s keys from $site/"'
rm -rf "$cache"
check 'without kept keys the job fails, and the server is named' '
	fails "cannot get the server'"'"'s keys from $site/oauth/discovery/keys"'

# Kept keys that another account could have written: as if there were none
start_web || exit 1
poison() {
	forget
	as "$runner" mkdir -p -m 700 "$box/home/$runner/.cache" "$cache"
	chmod 700 "$box/home/$runner/.cache"
	cp "$web/attacker/oauth/discovery/keys" "$poisoned"
	chown "$runner" "$poisoned"
	chmod 600 "$poisoned"
}
forget
succeeds
poisoned=$(kept)
job "$(forge iss="$site")" </dev/null
poison
check 'what stands in the cache is believed (so that the next tests tell something)' succeeds
ignored() {
	check "$1" 'fails "the id token'"'"'s signature is wrong" && [ "$(asked site)" -eq 1 ]'
}
chmod 620 "$poisoned"
ignored 'a kept file that its group can write is not used'
poison
chmod 602 "$poisoned"
ignored 'a kept file that others can write is not used'
poison
chown "$two" "$poisoned"
chmod 644 "$poisoned"
ignored 'a kept file of another account is not used'
poison
mv "$poisoned" "$box/keys.elsewhere"
ln -s "$box/keys.elsewhere" "$poisoned"
ignored 'a kept file that is a symbolic link is not used'
poison
chmod 770 "$cache"
ignored 'a cache directory that its group can write is not used'
poison
chmod 777 "$box/home/$runner/.cache"
ignored 'a kept file below a directory that others can write is not used'
poison
mv "$cache" "$cache.elsewhere"
ln -s "$cache.elsewhere" "$cache"
ignored 'a cache directory that is a symbolic link is not used'
rm -rf "$cache" "$cache.elsewhere"
site_job
forget
mkdir -m 700 "$box/home/$runner/.cache"
except root 'root can write everywhere' check 'a cache that cannot be kept is a warning, not a failure' '
	succeeds && logged "warning: " && [ "$(asked site)" -eq 1 ]'
rmdir "$box/home/$runner/.cache"
poison
check "what is kept of one server is not used for another" '
	site_config "gitlab_server = \"$attacker\"" "$ca"; job "$(token iss="$attacker")" </dev/null
	fails "the id token'"'"'s signature is wrong" && [ "$(asked attacker)" -eq 1 ]'

finish
