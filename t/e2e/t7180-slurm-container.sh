#!/bin/sh
# image: of a job in an allocation of Slurm's: its script runs on the node in a container, which ends
# with the job, also if Slurm kills it.
# Flavours: caps none
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-container.sh"
. "$(dirname "$0")/lib-slurm.sh"
install_site
at_end() { slurm_stop; container_end; }
container_start || skip_all "rootless podman does not work on this machine: $(tail -n 1 "$box/no-containers")"
slurm_start
slurm_config
printf '[general.container]\nruntime = "podman"\nimages = ["localhost/site/"]\n' >>"$etc/jacamar-config.toml"
job_extra='.response.image = {name: "localhost/site/app:1"}'

over() { nothing_left && queue_is_empty && [ -z "$(containers)" ]; }
job_extra="$job_extra"' | .scripts.after_script = ["cat /only-in-image", "echo after, not in job ${SLURM_JOB_ID:-0}"]'
command_job <<'SCRIPT'
cat /only-in-image
echo "job $SLURM_JOB_ID, uid $(id -u), in $PWD"
touch made-in-container
exit 42
SCRIPT
check 'the exit code of a script in an image is that of the job' 'play; [ "$(jq .exit_code "$box/result.json")" = 42 ] || { cat "$box/log"; false; }'
check 'the script runs in the image, in an allocation, as the user' '
	logged "of the image" && logged "job $(slurm_number), uid $(id -u "$usr"), in $box/home/$usr/.jacamar-ci/builds"'
check 'after_script runs in the image, outside of the allocation' '
	[ "$(grep -c "^of the image" "$box/log")" = 2 ] && logged "after, not in job 0"'
check 'no process, no container and no batch job is left' over

command_job <<'SCRIPT'
sleep 601 &
echo "the script waits"
sleep 600
SCRIPT
check 'a cancelled job leaves no process, no container and no batch job' '
	bounded_play --cancel-on "the script waits"; [ $? -eq 4 ] && over || { cat "$box/log"; false; }'
command_job <<'SCRIPT'
trap '' TERM
echo "the script waits"
while :; do sleep 600; done
SCRIPT
check 'nor does one that ignores the signal' '
	bounded_play --cancel-on "the script waits"; [ $? -eq 4 ] && over || { cat "$box/log"; false; }'
job_extra='.response.image = {name: "localhost/site/app:1"}'
echo 'cat /only-in-image' | job
check 'the next job runs' 'play && logged "of the image" && over || { cat "$box/log"; false; }'

finish
