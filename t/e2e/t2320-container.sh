#!/bin/sh
# image: of .gitlab-ci.yml: the author's scripts run in a container, as the user, and end like those
# of any job; everything else runs on the host. The site decides which images there are.
# Flavours: caps root sudo none
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-container.sh"
install_site
at_end() { container_end; }
home=$box/home/$usr
site=$prefix/site
mkdir -m 755 "$site"
mkdir -m 1777 "$box/open"
builds=$home/.jacamar-ci/builds

# asks NAME [JQ-EXPRESSION]: jobs that are made from now on have that image.
asks() {
	image=$1
	job_extra=".response.image = {name: \$ENV.image} | ${2:-.}"
}
export image=

# --- which images there are ---

# allows NAME FULL-NAME and refuses NAME REASON: what config decides about an image.
allows() {
	asks "$1"
	echo true | job
	configure || { cat "$box/log"; return 1; }
	[ "$(jq -r '.job_env.JACAMAR_CI_STATE | fromjson | .job.image' "$box/answer")" = "$2" ]
}
refuses() {
	asks "$1"
	echo true | job
	play
	[ $? -eq 1 ] && logged "$refused_because" && logged "$2" && nothing_ran
}
digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
container_config 'runtime = "podman"'
check 'without a list, every image of a registry is allowed' '
	allows python docker.io/library/python:latest && allows registry.example.com:5000/a/b:1 registry.example.com:5000/a/b:1'
check 'a job without an image has none' '
	asks "" && echo true | job && configure &&
	[ "$(jq -r ".job_env.JACAMAR_CI_STATE | fromjson | .job.image" "$box/answer")" = null ]'
for name in Python:3 --privileged -v '-v=/:/host' 'python --privileged' 'python;id' '$(id)' "python'" 'a/../b' \
	/etc/passwd dir:/etc 'python
--privileged'; do
	check "the image '$(printf %s "$name" | tr '\n' ' ')' is refused" 'refuses "$name" "is not the name of an image, such as registry.example.com/group/app:1 in lower case"'
done
check 'an image whose name is too long is refused' 'refuses "$(printf "r.example/%0600d" 0)" "is not the name of an image"'
job_extra='.response.image = {name: "python", entrypoint: ["sh", 1]}'
echo true | job
check 'an entrypoint that is no list of strings is refused' 'play; [ $? -eq 1 ] && logged "is no list of strings"'
job_extra='.response.image = {name: "python", entrypoint: [("x" * 1100)]}'
echo true | job
check 'an entrypoint that is too long is refused' 'play; [ $? -eq 1 ] && logged "entrypoint of more than 1000 bytes"'

container_config "runtime = \"podman\"
images = [\"registry.example.com/group/\", \"docker.io/library/python:3.12\", \"$digest\"]"
check 'a list allows a registry and a path, a tag, and a digest' '
	allows registry.example.com/group/app:1 registry.example.com/group/app:1 &&
	allows python:3.12 docker.io/library/python:3.12 && allows "any@$digest" "docker.io/library/any@$digest"'
for name in python python:3.13 registry.example.com/group-of-others/app registry.example.com.evil.example/group/app \
	evil.example/registry.example.com/group/app localhost/site/app:1 "python:3.12@sha256:$(printf %064d 0)"; do
	check "the image $name, which is not in the list, is refused" 'refuses "$name" "is not one that this site permits"'
done
check 'the audit log has the image that was refused' '
	container_config "runtime = \"podman\"
images = [\"registry.example.com/group/\"]
[auth.logging]
enabled = true
location = \"$etc/audit\"" &&
	refuses python:3.13 "permits" && logged "docker.io/library/python:3.13" &&
	grep "\"decision\": *\"refused\"" "$etc/audit" | grep -F "docker.io/library/python:3.13" | grep -F general.container.images'
container_config 'runtime = "apptainer"
images = ["/images/", "oras://registry.example.com/"]'
check 'apptainer: a list allows files and other sources' '
	allows /images/a/b.sif /images/a/b.sif && allows oras://registry.example.com/a:1 oras://registry.example.com/a:1 &&
	refuses /images/../etc/x.sif "in lower case, or the path of a file *.sif" && refuses /images2/b.sif "permits" && refuses library://a/b "permits"'
container_config 'runtime = "apptainer"'
check 'apptainer: without a list, no file is allowed' '
	refuses /images/b.sif "permits" && allows library://a/b library://a/b:latest'

# --- the calls, with stand-ins ---

stand_in podman
stand_in apptainer
# has FILE WORD...: the recorded call has these words, in this order, somewhere.
has() {
	local file=$box/open/call.$1
	shift
	for word; do
		grep -Fxq -- "$word" "$file" || { echo "without $word:"; cat "$file"; return 1; }
	done
}
container_config "runtime = \"apptainer\"
path = \"$site/apptainer\"
binds = [\"/scratch\", \"/sw:/software:ro\"]"
asks registry.example.com/app:1 '.response.image.entrypoint = ["/bin/env", "--", "A=b c"]'
printf '%s\n' 'echo "in $PWD"' 'exit 7' | job
check 'apptainer (a stand-in) runs the script, and its exit code is that of the job' '
	play; [ $? -eq 1 ] && logged "a stand-in runs the script on the host" && logged "in $builds" &&
	[ "$(exit_code_file 2>/dev/null; jq .exit_code "$box/result.json")" = 7 ]'
check 'apptainer: prepare makes a file of the image' '
	has pull "$site/apptainer" --force "$(scripts_dir)/image.sif" docker://registry.example.com/app:1'
check 'apptainer: the directories of the job and the binds of the site are in the container' '
	has exec "--home=$(scripts_dir)" "--bind=/scratch:/scratch" "--bind=/sw:/software:ro" "$(scripts_dir)/image.sif" &&
	grep -x -- "--bind=$builds/short/000:$builds/short/000" "$box/open/call.exec" &&
	grep -x -- "--bind=\(.*cache.*\):\1" "$box/open/call.exec"'
check 'apptainer: the entrypoint follows the image' '
	grep -Fx -A 3 "$(scripts_dir)/image.sif" "$box/open/call.exec" | tail -n 3 | tr "\n" "|" | grep -Fx "/bin/env|--|A=b c|"'
check 'apptainer: get_sources runs on the host' '! grep -F get_sources "$box/open/call.exec"'

container_config "runtime = \"podman\"
path = \"$site/podman\"
binds = [\"/scratch\", \"/sw:/software:ro\"]"
asks registry.example.com/app:1 '.response.image.entrypoint = ["--privileged", "'"'; touch $box/open/injected;'"'"]'
printf '%s\n' 'echo "in $PWD"' | job
check 'podman (a stand-in) runs the script' 'play && logged "a stand-in runs the script on the host"'
check 'podman: prepare pulls the image unless it is there' '
	has image exists registry.example.com/app:1 && has pull docker://registry.example.com/app:1'
check 'podman: the call has no more privilege than the job' '
	has run --cap-drop=all --security-opt=no-new-privileges --userns=keep-id --network=host --pull=never --rm --ulimit=host \
		--volume=/scratch:/scratch --volume=/sw:/software:ro docker://registry.example.com/app:1'
check 'podman: an entrypoint of the author is one word, and no option' '
	grep -x -- "--entrypoint=\[\"--privileged\",.*" "$box/open/call.run" && ! grep -x -- --privileged "$box/open/call.run" &&
	[ ! -e "$box/open/injected" ]'
check 'podman: the cookie of the job is on no command line' '
	cookie=$(sed -n "s/^JACAMAR_CI_JOB=//p" "$box/open/environment.run") && [ -n "$cookie" ] && has run --env=JACAMAR_CI_JOB &&
	! grep -F "$cookie" "$box/open"/call.*'
check 'podman: cleanup removes the container of the job' '
	has rm --force --ignore "$(sed -n "s/^--name=//p" "$box/open/call.run")"'
rm "$box/open"/call.*
container_config "runtime = \"podman\"
path = \"$site/podman\"
pull = \"always\""
check 'podman: the site can have images always pulled' 'play && [ ! -e "$box/open/call.image" ] && [ -e "$box/open/call.pull" ]'
rm "$box/open"/call.*
sed -i 's/"always"/"never"/' "$etc/jacamar-config.toml"
check 'podman: the site can have images never pulled' 'play && [ ! -e "$box/open/call.pull" ] && [ -e "$box/open/call.run" ]'
container_config none
check 'without the table, the job runs on the host and is told' '
	rm "$box/open"/call.*; play && logged "image: '"'registry.example.com/app:1'"' has no effect" && ! ls "$box/open"/call.*'
container_config "runtime = \"podman\"
path = \"$site/podman\""
asks registry.example.com/app:1 '.response.services = [{name: "postgres:16"}]'
echo true | job
check 'services have no effect beside an image, and the author is told' '
	play && logged "services: have no effect: this site starts only the container of image:" && ! grep "image: .*has no effect" "$box/log"'
container_config 'runtime = "podman"
path = "/nonexistent/podman"'
check 'a runtime that does not exist fails prepare' '
	play; [ $? -eq 2 ] && [ "$(stage_exit prepare)" = 2 ] && logged "could not be pulled: /nonexistent/podman ended with exit code 127; its output is above; ask the administrators of this site to install it"'

# --- real containers ---

if container_start; then
	real=check
else
	say "no container runs here: $(tail -n 1 "$box/no-containers")"
	real=skip_real
fi
# without 'title' 'commands': a check of a real container.
skip_real() { skip "$1" 'rootless podman does not work on this machine'; }

container_config 'runtime = "podman"
images = ["localhost/site/"]'
asks localhost/site/app:1 '.scripts += {upload_artifacts_on_failure: []}'
command_job <<'SCRIPT'
cat /only-in-image
echo "uid $(id -u), in $PWD, home $HOME"
echo "an error" >&2
printf 'binary \001\377\n'
touch made-in-container
ls -ld "$HOME"
sed -n 's/^CapBnd:.//p; s/^NoNewPrivs:.*1$/no new privileges/p' /proc/self/status
exit 42
SCRIPT
[ "$real" = skip_real ] || play
$real 'the exit code of a script in an image is that of the job' '[ "$(jq .exit_code "$box/result.json")" = 42 ] || { cat "$box/log"; false; }'
$real 'the script sees the files of the image' 'logged "of the image"'
$real 'the log has the output and the errors of the script, byte by byte' '
	logged "an error" && LC_ALL=C grep -qaP "binary \x01\xff" "$box/log"'
$real 'the script runs as the user, in the project, without capabilities' '
	logged "uid $(id -u "$usr"), in $builds" && logged 0000000000000000 && logged "no new privileges"'
$real 'the project was fetched, and kept, on the host' '
	[ "$(stage_exit run get_sources)" = 0 ] && [ "$(stage_exit run upload_artifacts_on_failure)" = 0 ]'
$real 'files that the script makes are those of the user' '
	[ "$(find "$builds" -name made-in-container -printf "%u\n")" = "$usr" ]'
$real 'the log has nothing of what podman leaves running' '
	! grep -e "left behind" -e "still held open" "$box/log"'
$real 'no process, no container and no script is left' 'nothing_left && [ -z "$(containers)" ]'

asks '$WHICH' '.response.variables += [{key: "WHICH", value: "localhost/site/app:1"}]'
printf '%s\n' 'echo "image $CI_JOB_IMAGE"' 'cat /only-in-image' | job
$real 'a variable in the name of the image is replaced' 'play && logged "image localhost/site/app:1" && logged "of the image"'
asks localhost/site/app:1 '.scripts.after_script = ["cat /only-in-image", "echo after"]'
echo true | job
$real 'after_script runs in the image, too' 'play && logged "of the image" && logged after'
asks localhost/site/entry:1
echo 'echo run' | job
$real 'the entrypoint of the image is run' 'play && logged "the entrypoint of the image" && logged run'
asks localhost/site/entry:1 '.response.image.entrypoint = [""]'
echo 'echo run' | job
$real 'an empty entrypoint replaces that of the image' 'play && logged run && ! grep "the entrypoint of" "$box/log"'
asks localhost/site/app:1 '.response.image.entrypoint = ["/bin/env", "OF_ENTRYPOINT=yes"]'
echo 'echo "entrypoint $OF_ENTRYPOINT"' | job
$real 'an entrypoint of the author is run' 'play && logged "entrypoint yes"'
asks localhost/site/plain:1
echo true | job
[ "$real" = skip_real ] || prepare_call
$real 'an image without bash runs the script by its sh' '
	echo "cat /only-in-image; echo shell=\$(tr \"\\\\0\" = </proc/\$\$/cmdline)" | call >"$box/log"
	[ "$(call_exit)" = 0 ] && logged "of the image" && logged "shell=sh="'
[ "$real" = skip_real ] || call_cleanup >/dev/null 2>&1
asks localhost/site/missing:1
echo true | job
$real 'an image that cannot be pulled fails prepare, with the words of podman' '
	bounded_play; [ $? -eq 2 ] && [ "$(stage_exit prepare)" = 2 ] && logged "Error: " &&
	logged "the job'\''s image localhost/site/missing:1 could not be pulled" && nothing_left'

# --- its end ---

over() { nothing_left && [ -z "$(containers)" ]; }
asks localhost/site/app:1
command_job <<'SCRIPT'
sleep 601 &
(trap '' TERM; sleep 602) &
echo "the script waits"
sleep 600
SCRIPT
$real 'a cancelled job leaves no process and no container' '
	bounded_play --cancel-on "the script waits"; [ $? -eq 4 ] && over || { cat "$box/log"; false; }'
command_job <<'SCRIPT'
trap 'echo "the script was asked to end"; exit 3' TERM
echo "the script waits"
sleep 600 & wait
SCRIPT
$real 'a script in a container gets the signal of a cancel' '
	bounded_play --cancel-on "the script waits"; logged "the script was asked to end" && over'
command_job <<'SCRIPT'
sleep 600 &
echo "left running"
SCRIPT
$real 'what the script leaves running ends with its container' 'bounded_play && logged "left running" && over'
command_job <<'SCRIPT'
kill -KILL $$
SCRIPT
$real 'a script that is killed fails with the code of the signal' '
	bounded_play; [ $? -eq 1 ] && [ "$(jq .exit_code "$box/result.json")" = 137 ] && over'
command_job <<'SCRIPT'
echo "the script waits"
sleep 600
SCRIPT
command_job <<'SCRIPT'
trap '' TERM
echo "the script waits"
while :; do sleep 600; done
SCRIPT
$real 'a cancelled job that ignores the signal leaves no process and no container' '
	bounded_play --cancel-on "the script waits"; [ $? -eq 4 ] && over || { cat "$box/log"; false; }'
command_job <<'SCRIPT'
echo "the script waits"
sleep 600
SCRIPT
# killed 'PIDS': the job fails after these processes were killed, and nothing is left.
killed() {
	began "the script waits" || return 1
	# shellcheck disable=SC2046 # pids, each a word
	kill -KILL $(eval "$1")
	ended
	[ "$played" -ne 0 ] && wait_until job_is_over && over
}
$real 'after SIGKILL of jacamar nothing is left' 'killed user_side_pid'
$real 'after SIGKILL of jacamar-auth nothing is left' 'killed auth_pid'
$real 'after SIGKILL of podman nothing is left' 'killed "pgrep -U $usr -f \"podman .*run \""'
$real 'after SIGKILL of all that supervises the container nothing is left' '
	killed "user_side_pid; auth_pid; pgrep -U $usr podman; pgrep -U $usr conmon"'

# --- the end of a pull ---

# A registry that accepts the connection and says nothing, as one that is overloaded.
is_pulled() { grep " 0100007F:$(printf %04X "$port") 01 " /proc/net/tcp; }
start_silence
container_config "runtime = \"podman\"
images = [\"127.0.0.1:$port/\"]"
asks "127.0.0.1:$port/app:1"
echo true | job
$real 'a job that is cancelled while its image is pulled leaves no process and no container' '
	bounded_play & waited=$!
	wait_until is_pulled && kill -TERM "$(runner_pid)"; ended
	[ "$played" -eq 4 ] && logged "$cancelled_line" && [ "$(stage_exit prepare)" = 2 ] && over && ! is_pulled'
kill "$silent"
container_config "runtime = \"podman\"
images = [\"localhost/site/\"]"
asks localhost/site/app:1

# --- containers of the user's own ---

# own_is_kept: where podman fails because the conmon of the user's own container was killed, a job does not stop it.
own_is_kept() {
	as "$usr" podman --cgroup-manager=cgroupfs run --detach --network=host localhost/site/app:1 sleep 603 || return 1
	# shellcheck disable=SC2046 # pids, each a word
	kill -KILL $(pgrep -U "$usr" -f "podman|catatonit")
	wait_until '! as "$usr" podman unshare true' || return 1
	bounded_play
	pgrep -U "$usr" -x -f "sleep 603"
}
echo true | job
$real "a job stops no container of the user's own" own_is_kept
# shellcheck disable=SC2046
[ "$real" = skip_real ] || kill -KILL $(pgrep -U "$usr" -x -f "sleep 603")
echo 'cat /only-in-image' | job
$real 'once that has ended, jobs run again' 'bounded_play && logged "of the image"'

finish
