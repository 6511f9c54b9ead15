#!/bin/sh
# Sets up a site as the end-to-end tests do, and plays jobs there in which something goes wrong.
#
#   sh t/chaos/run.sh chaos      whole jobs, while their processes get random signals: chaos.py
#   sh t/chaos/run.sh faults     single calls, of which one system call fails: faults.py
#
# FLAVOUR is as in t/e2e/lib.sh. AT_ONCE is how many jobs run at the same time, each as an account
# of its own. The beginning of each of the two programs says what else can be set.
what=$1
shift
. "$(dirname "$0")/../e2e/lib.sh"
[ "$flavour" != none ] || { echo "$what: FLAVOUR is caps, root or sudo" >&2; exit 1; }
need_root
compile stray
install_site

# One group is on the site's blocklist; $blocked is in it.
blocklist=jtg$$ blocked=jtb$$
at_end() { groupdel "$blocklist" 2>/dev/null; }
groupadd "$blocklist" && add_account "$blocked" && usermod -aG "$blocklist" "$blocked" || exit 1

users="$usr $two"
at_once=${AT_ONCE:-$(($(nproc) * 2 + 2))}
for number in $(seq 3 "$at_once"); do
	add_account "jtw$$x$number"
	users="$users jtw$$x$number"
done
# The library writes a list of two; the second one may be a list itself.
two=$(echo "$users $blocked" | cut -d ' ' -f 2- | sed 's/ /, /g')
[ "$flavour" != sudo ] || write_sudoers

# Another build may replace the program in the tree meanwhile.
cp "$build/t/fault" "$build_for_all/t/" || exit 1

# What an interrupted driver has started ends before the accounts are removed.
trap 'kill "$driver" && wait "$driver"; exit 1' HUP INT TERM
FLAVOUR=$flavour BOX=$box ETC=$etc PREFIX=$prefix RUNNER=$runner USERS=$users BLOCKED=$blocked \
	BLOCKLIST=$blocklist TOOLS=$build_for_all/t \
	PYTHONDONTWRITEBYTECODE=1 python3 "$top/t/chaos/$what.py" &
driver=$!
wait "$driver"
