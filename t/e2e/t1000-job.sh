#!/bin/sh
# A whole job, as the guide for administrators describes it.
. "$(dirname "$0")/lib.sh"
install_site

job <<'SCRIPT'
id
/sbin/capsh --print
ps -eo user:32,args --forest -ww
SCRIPT
check 'a job succeeds' 'play --show-stages || { cat "$box/log"; false; }'
check 'it runs as the user' 'logged "uid=$(id -u "$usr")($usr)"'
check 'it runs without a capability' 'logged "Current: =" && ! grep "Current: =." "$box/log"'

# The tree below jacamar-auth: a line "ACCOUNT COMMAND" a process.
tree() {
	grep -A5 "$prefix/bin/jacamar-auth run /" "$box/log" | sed 's/ [ |\\_]*/ /'
}
cat >"$box/expected" <<TREE
$runner $prefix/bin/jacamar-auth run SCRIPT build_script
$usr $prefix/bin/jacamar --no-auth run env-script build_script
$usr /usr/bin/bash --login
$usr bash $box/home/$usr/.jacamar-ci/scripts/short/000/group/project/981625/build_script.bash
TREE
check 'the process tree is the documented one' '
	tree | head -n 4 | sed "s|run /[^ ]*|run SCRIPT|" | diff "$box/expected" -'
check 'no script is left' '! find "$box/home/$usr" -name "*.bash" | grep .'
check 'no process is left' no_process

job <<'SCRIPT'
exit 3
SCRIPT
check 'a failing script fails the job' 'play; [ $? -eq 1 ]'
check 'with its own exit code' 'logged "exit code 3"'
check 'and the runner is told so' '[ "$(stage_exit run build_script)" = 1 ]'

finish
