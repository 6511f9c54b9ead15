#!/bin/sh
# Without [general.container] no job runs in a container: prepare tells the author of a job that asks for an image or services.
# Flavours: caps none
. "$(dirname "$0")/lib.sh"
install_site
effect='no effect: jobs run on the hosts of this site, not in containers'
# tells 'LINE', or 'nothing': the job runs, and the log has that line once and no other of the kind.
tells() {
	play && logged "the job ran" || { cat "$box/log"; return 1; }
	grep "no effect" "$box/log" >"$box/told"
	[ "$1" = nothing ] && [ ! -s "$box/told" ] || [ "$(cat "$box/told")" = "$program: $1" ] || { cat "$box/log"; return 1; }
}
echo 'echo the job ran' | job
cp "$box/job.json" "$box/plain.json"
# ask JQ-EXPRESSION: what the job is, too.
ask() { jq --arg long "$(printf '%0300d' 0)" "$1" "$box/plain.json" >"$box/job.json"; }

check 'a job without an image is told nothing' 'tells nothing'
ask '.response.image = {name: ""} | .response.services = []'
check 'an empty image and no services are none' 'tells nothing'
ask '.response.image = {name: "python:3.12"}'
check 'an image is named' 'tells "image: '"'python:3.12'"' has $effect"'
check 'the line follows that of prepare' '
	grep -A1 "executor shell" "$box/log" | tail -n 1 | grep -q "^$program: image:"'
ask '.response.services = [{name: "postgres:16"}]'
check 'services are mentioned' 'tells "services: have $effect"'
ask '.response.image = {name: "python:3.12"} | .response.services = [{name: "postgres:16"}]'
check 'an image and services are one line' 'tells "image: '"'python:3.12'"' and services: have $effect"'
ask '.response.image = {name: "$WHICH:1"} | .response.variables += [{key: "WHICH", value: "ruby"}]'
check 'the name is the one that the runner makes of it' 'tells "image: '"'ruby:1'"' has $effect"'

# The author of the job chooses the text.
ask '.response.image = {name: "a\n\u001b[2Jb\r\u009bc"}'
check 'an image with control characters stays one printable line' 'tells "image: '"'a??[2Jb???c'"' has $effect"'
ask '.response.image = {name: $long}'
check 'a long image is cut' 'tells "image: '"'\$(printf %0127d 0)'"' has $effect"'
ask '.response.image = {name: "%s%n%n"}'
check 'an image is not a format' 'tells "image: '"'%s%n%n'"' has $effect"'

finish
