#!/bin/sh
# What the program costs, against named peers measured in the same run; `make bench` runs it, as root.
#
#   sh t/bench/bench.sh                  all rows of the table below
#   ROWS='sub-stage job' sh t/bench/bench.sh      (ROWS=help lists them)
#
# Each file next to this one measures one subject: a function row_NAME there prints its results as
# soon as it has them. measure.sh says how they are measured. A summary comes last. The exit code is
# 0 if no budget is missed and every row could be measured or was skipped.

# name       what it measures
all_rows='
sub-stage    an empty sub-stage, to setpriv, runuser, su and sudo
config       the stage config, also with 20 rules and with PAM
isolation    what isolation and a cgroup add to a sub-stage
session      what a session of PAM adds to a sub-stage, for a runner that is root
image        a sub-stage in a container, to podman by hand
job          a whole empty job, to su for each sub-stage
resident     memory, wakeups and libraries while a job sleeps
log          1 GiB of log, to cat
fork-bomb    how fast 3,000 processes end, with a cgroup and without
slurm        when the end of a job in Slurm is noticed
slurm-minute the same, after the first minute of the job
'
names=$(echo "$all_rows" | awk '{ print $1 }')
rows=${ROWS:-$names}
[ "$rows" != help ] || { echo "$all_rows" && exit 0; }
for row in $rows; do
	case "
$all_rows" in
	*"
$row "*) ;;
	*) printf 'bench: there is no row %s. The rows are:\n%s' "$row" "$all_rows" >&2 && exit 1 ;;
	esac
done

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../e2e/lib.sh"
install_site
. "$here/measure.sh"
. "$here/substage.sh"
. "$here/isolation.sh"
. "$here/job.sh"
. "$here/resident.sh"
. "$here/fork_bomb.sh"
. "$here/slurm.sh"

# A row is a process of its own: what it sets does not reach the next row, and a row that fails does
# not end the others. at_row_end has what it must undo.
running=
at_end() { [ -z "$running" ] || { kill "$running" && wait "$running"; } 2>/dev/null; }
for row in $rows; do
	echo "$row"
	start=$(date +%s)
	(
		trap 'undo_row' EXIT
		trap 'exit 1' HUP INT TERM PIPE
		"row_$(echo "$row" | tr - _)"
	) &
	running=$!
	wait "$running" || table_line "$row" '' '' '' FAILED
	running=
	echo "  ($(($(date +%s) - start)) seconds)"
done

printf '\n'
print_line 'what' 'measured' 'at most'
cat "$table"
missed=$(grep -c 'MISSED$' "$table")
not_measured=$(grep -c 'FAILED$' "$table")
echo "$missed of $(grep -c -e 'met$' -e 'MISSED$' "$table") budgets missed, $not_measured rows failed"
[ "$missed" -eq 0 ] && [ "$not_measured" -eq 0 ]
