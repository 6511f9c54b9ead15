#!/bin/sh
# The job's token is on no command line while the runner's own scripts run, where any user of the
# node would read it; the scripts work as before, and git goes on working in the author's.
. "$(dirname "$0")/lib.sh"
command -v git >/dev/null && command -v python3 >/dev/null || skip_all 'needs git and python3'
install_site
compile sampler
as "$two" grep -qa "$$" /proc/$$/status || skip_all 'processes of others are hidden here'

# Needles that are in no command line of this test itself.
token=glcbt-64_$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
signature=X-Amz-Signature=of$token
mkdir -m 755 "$box/www" "$box/bin" "$box/found"
mkdir -m 777 "$box/store"
chown "$two" "$box/found"
printf '%s\n' "$token" >"$box/token"
printf '%s\n' "dependency-$token" >"$box/dependency"
rounds=$box/found/rounds

background=
at_end() { [ -z "$background" ] || { kill $background; wait; } 2>/dev/null; }
(cd / && exec setpriv --reuid "$two" --regid "$(id -g "$two")" --init-groups \
	"$box/sampler" "$box/token" "$box/found/lines" "$rounds") &
background=$!
wait_until '[ -s "$rounds" ]' || exit 1
python3 "$top/t/e2e/git-server.py" "$box/www" "$box/token" "$box/port" "$box/refused" "$rounds" &
background="$background $!"
wait_until '[ -s "$box/port" ]' || exit 1
origin=http://127.0.0.1:$(cat "$box/port")
private=http://gitlab-ci-token:$token@127.0.0.1:$(cat "$box/port")

# A project with a submodule by a relative URL, and one by an absolute one.
make_repository() {
	git init -q "$box/$1" && git -C "$box/$1" add . && git -C "$box/$1" -c user.name=a \
		-c user.email=a@b commit -q -m first --allow-empty &&
		git -C "$box/$1" branch -q -M main && mkdir -p "$box/www/group" &&
		git clone -q --bare "$box/$1" "$box/www/group/$1.git" &&
		git -C "$box/www/group/$1.git" config http.receivepack true
}
add_submodule() {
	git -C "$box/project" -c protocol.file.allow=always submodule --quiet add \
		"$box/www/group/$1.git" "$1" &&
		git -C "$box/project" config -f .gitmodules "submodule.$1.url" "$2"
}
{
	make_repository near && make_repository far && git init -q "$box/project" &&
		add_submodule near ../near.git && add_submodule far "$origin/group/far.git" &&
		make_repository project
} >"$box/output" 2>&1 || { cat "$box/output"; exit 1; }

# The stand-ins last until the sampler has seen them.
cat >"$box/bin/git" <<SH
#!/bin/sh
. $box/bin/wait
exec $(command -v git) "\$@"
SH
cat >"$box/bin/wait" <<SH
read -r start <$rounds
round=0
until read -r now <$rounds && [ "\$now" -ge \$((start + 2)) ]; do
	sleep 0.01
	round=\$((round + 1))
	[ "\$round" -lt 3000 ] || exit 1
done
SH
# As gitlab-runner does, it takes the token from either place.
cat >"$box/bin/gitlab-runner" <<SH
#!/bin/sh
. $box/bin/wait
token=\$CI_JOB_TOKEN command=\$1
shift
while [ \$# -gt 1 ]; do
	case \$1 in
	--token) token=\$2 ;;
	--file | --path) file=\$2 ;;
	esac
	shift
done
case \$command in
artifacts-uploader) [ "\$token" = "\$(cat $box/token)" ] && cp "\$file" $box/store/uploaded ;;
artifacts-downloader) [ "\$token" = "\$(cat $box/dependency)" ] && touch downloaded ;;
esac
SH
chmod 755 "$box/bin/"*

# What the user has of passwords must not come in between.
home=$box/home/$usr
echo "PATH=$box/bin:\$PATH" >"$home/.bash_profile"
echo 'machine 127.0.0.1 login me password mine' >"$home/.netrc"
printf '[credential]\n\thelper = store\n' >"$home/.gitconfig"
echo "http://me:mine@127.0.0.1%3a$(cat "$box/port")" >"$home/.git-credentials"
cp "$home/.git-credentials" "$box/credentials"
chown -R "$usr" "$home"
chmod 600 "$home/.netrc" "$home/.git-credentials"

# The shapes that the runner's scripts have had: the token in the URL of the remote; of a clone, with
# another server's name for submodules; in a file of settings that the repository includes.
sources_of_remote() {
	cat <<SH
git init -q "\$CI_PROJECT_DIR"
cd "\$CI_PROJECT_DIR"
if \$'git' remote add origin $private/group/project.git >/dev/null 2>&1; then echo fresh; else git remote set-url origin $private/group/project.git; fi
"git" -c "http.userAgent=a runner" fetch -q origin --no-recurse-submodules +refs/heads/main:refs/remotes/origin/main --depth 20
$checkout
if git -c url.$private.insteadOf=$origin submodule update --init --recursive; then echo updated; else exit 1; fi
SH
}
sources_of_clone() {
	cat <<SH
rm -rf "\$CI_PROJECT_DIR"
git -c "http.userAgent=a runner" clone -q --no-checkout $private/group/project.git "\$CI_PROJECT_DIR" --depth 20 --branch main
cd "\$CI_PROJECT_DIR"
$checkout
if git -c url.http://gitlab-ci-token:$token@localhost.insteadOf=http://localhost submodule update --init near; then echo updated; else exit 1; fi
SH
}
sources_of_file() {
	cat <<SH
settings=\$CI_PROJECT_DIR.tmp/.ext.conf
rm -f "\$settings"
"git" "config" "--file" "\$settings" "--replace-all" "url.$private/group/project.git.insteadOf" "$origin/group/project.git" '^x$'
"git" "config" "--file" "\$settings" "--replace-all" "url.$private.insteadOf" "$origin" '^x$'
git init -q "\$CI_PROJECT_DIR"
cd "\$CI_PROJECT_DIR"
if git remote add origin $origin/group/project.git >/dev/null 2>&1; then echo fresh; else git remote set-url origin $origin/group/project.git; fi
git config --replace-all include.path "\$settings"
git -c "http.userAgent=a runner" fetch -q origin --no-recurse-submodules +refs/heads/main:refs/remotes/origin/main
$checkout
if git -c include.path="\$settings" submodule update --init --recursive; then echo updated; else exit 1; fi
git submodule foreach --recursive git config --replace-all include.path "\$settings"
SH
}
checkout='git -c submodule.recurse=false checkout -f -q origin/main
git submodule init
git submodule sync --recursive'

# sources SHAPE [SCRIPT]: plays a whole job with those sources; SCRIPT is added to its script. What
# the sampler has found is in $box/seen afterwards. $variable is what CI_JOB_TOKEN is, if not the
# job's token; $expected what is played returns, if not 0.
sources() {
	SOURCES=$("sources_of_$1") TOKEN=$token VARIABLE=${variable:-$token} DEPENDENCY=$(cat "$box/dependency")
	CACHE="--file x.zip --timeout 10 --url https://store/x?$signature"
	export SOURCES TOKEN VARIABLE DEPENDENCY CACHE
	local job_extra='.response.variables += [{key: "CI_JOB_TOKEN", value: $ENV.VARIABLE}] |
		.scripts.get_sources = ($ENV.SOURCES | split("\n")) |
		.scripts.download_artifacts = ["\"gitlab-runner\" $'\''artifacts-downloader'\'' --url http://x --token " +
			$ENV.DEPENDENCY + " --id 5"] |
		.scripts.restore_cache = ["if gitlab-runner cache-extractor " + $ENV.CACHE + "; then echo ok; fi"] |
		.scripts.archive_cache = ["if gitlab-runner cache-archiver " + $ENV.CACHE + " --path a; then echo ok; fi"] |
		.scripts.upload_artifacts_on_success = ["gitlab-runner artifacts-uploader --url http://x --token " +
			$ENV.TOKEN + " --id 6 --path made"] |
		.scripts.upload_artifacts_on_failure = .scripts.upload_artifacts_on_success'
	printf '%s\n' 'set -e; [ -e downloaded ]' 'git fetch -q origin' 'git ls-remote -q origin main >made' \
		'git push -q origin "HEAD:refs/heads/b-$RANDOM$RANDOM"' 'git -C near fetch -q origin' "${2:-}" | job
	rm -f "$box/refused" "$box/store/uploaded"
	as "$two" truncate -s 0 "$box/found/lines"
	bounded_play
	code=$?
	# Before a command of this test has the token among its arguments.
	sort -u "$box/found/lines" >"$box/seen"
	[ "$code" -eq "${expected:-0}" ] && [ -s "$box/store/uploaded" ] || { cat "$box/log"; return 1; }
}
others_saw() { cat "$box/seen"; grep -F -- "$1" "$box/seen" | grep -F "$token" >/dev/null; }
# Which also says that the sampler has looked.
only_caches_were_seen() {
	others_saw 'gitlab-runner cache-extractor' && others_saw 'gitlab-runner cache-archiver' &&
		! grep -v '/gitlab-runner cache-' "$box/seen"
}
no_password_was_tried() { [ ! -e "$box/refused" ] || { cat "$box/refused"; false; }; }
no_file_has_it() {
	! grep -rlF "$token" "$home/.jacamar-ci/builds" "$home/.git-credentials" "$home/.gitconfig"
}

write_config
check 'a job with a new repository, submodules, artifacts and caches succeeds' 'sources remote'
check 'nobody else sees the token of such a job, but in the signed URLs of caches' only_caches_were_seen
check 'no file of the repository has the token, and nothing else is left' 'no_file_has_it && nothing_left'
check 'the server was asked with no other password, the users own included' no_password_was_tried
check 'the token was not stored among the credentials of the user' 'diff "$box/credentials" "$home/.git-credentials"'
check 'a job with a repository that is there already succeeds' 'sources remote "git -C far status"'
check 'nobody else sees the token of that job' only_caches_were_seen
check 'a job with a file of settings succeeds, in all submodules' '
	sources file "git -C far fetch -q origin"'
check 'nobody else sees the token of that job' only_caches_were_seen
check 'a job with a clone succeeds' 'sources clone'
check 'nobody else sees the token of that job' only_caches_were_seen
check 'the server was asked with no other password by that job' no_password_was_tried
check 'a job that fails uploads its artifacts, too, and nobody sees its token' '
	expected=1; sources remote "exit 1" && logged "exit code 1" && others_saw "gitlab-runner cache-extractor" &&
	! grep -v "/gitlab-runner cache-" "$box/seen"'
check 'a job whose author has set CI_JOB_TOKEN fails, and nobody sees the token' '
	variable=other; ! sources remote >/dev/null && logged "Authentication failed" && [ ! -s "$box/seen" ]'

write_config 'data_dir = "$HOME"
unrestricted_cmd_line = true'
check 'unrestricted_cmd_line leaves the scripts as the runner wrote them' 'sources remote'
for command in 'git remote set-url origin' 'git-remote-http origin' 'submodule update' \
	artifacts-downloader artifacts-uploader; do
	check "with unrestricted_cmd_line others see the token: $command" "others_saw '$command'"
done
check 'with unrestricted_cmd_line others see the token with a new repository' 'rm -rf "$home/.jacamar-ci/builds"; sources remote && others_saw "git remote add"'
check 'with unrestricted_cmd_line others see the token with a file of settings' 'sources file && others_saw "git config --file"'
check 'with unrestricted_cmd_line others see the token with a clone' 'sources clone && others_saw "clone -q --no-checkout"'

finish
