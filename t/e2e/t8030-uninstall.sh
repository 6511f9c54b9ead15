#!/bin/sh
# make uninstall removes what make install and make install-caps have installed, and nothing else.
. "$(dirname "$0")/lib.sh"
[ -z "${SANITIZE:-}" ] || skip_all 'what make installs is the same with sanitizers'
need_root
group=jtg$$
at_end() { groupdel "$group" 2>/dev/null; }
groupadd "$group" || exit 1
root=$box/root

# in_root TARGET [NAME=VALUE...]: make, for a system below $root.
in_root() {
	make -s -C "$top" "$@" DESTDIR="$root" SERVICE_USER="$group"
}
# list: all that is there, with what a file is.
list() { (cd "$root" && find . -printf '%p %y %m %u %g %l\n' -type f -exec sha256sum {} + | sort); }
# new_system [DIRECTORY...]: with these directories, and what a site has for itself.
new_system() {
	rm -rf "$root"
	for directory in opt usr/local/bin usr/local/share etc/logrotate.d var/log/jacamar \
		home/gitlab-runner/.gitlab-runner "$@"; do
		mkdir -p "$root/$directory"
	done
	echo '[general]' >"$root/home/gitlab-runner/.gitlab-runner/jacamar-config.toml"
	echo '{}' >"$root/var/log/jacamar/audit.log"
	cp "$top/config/examples/jacamar.logrotate" "$root/etc/logrotate.d/jacamar"
	list >"$box/before"
}
# as_before: nothing is there that was not, and nothing is missing.
as_before() { list | diff "$box/before" -; }
# installed N: as many files and links at least, so that there is something to remove.
installed() { [ "$(list | grep -c ' [fl] [0-7]* ')" -ge $(($(grep -c ' [fl] [0-7]* ' "$box/before") + $1)) ]; }

for target in install install-caps; do
	check "make uninstall after make $target leaves the files that were there before" '
		new_system && in_root "$target" && installed 20 && in_root uninstall && as_before'
done
check 'make uninstall also removes the file with capabilities if make install came after it' '
	new_system && in_root install-caps && in_root install && in_root uninstall && as_before'
check 'make uninstall removes the files of an installation that was interrupted' '
	new_system && in_root install-caps && cp "$root/opt/jacamar/bin/jacamar-auth" \
		"$root/opt/jacamar/bin/jacamar-auth.new" && in_root uninstall && as_before'
check 'make uninstall of what is not installed succeeds, and removes nothing' '
	new_system && in_root uninstall && as_before'
check 'make uninstall keeps files of the site, and their directories' '
	new_system opt/jacamar/etc opt/jacamar/share/doc/jacamar-ci opt/jacamar/bin
	for file in etc/jacamar-config.toml share/doc/jacamar-ci/notes bin/jacamar-wrapper; do
		echo "of the site" >"$root/opt/jacamar/$file"
	done
	list >"$box/before"
	in_root install-caps && installed 20 && in_root uninstall && as_before'
check 'make uninstall uses PREFIX, MANDIR and COMPLETIONS, and keeps directories outside of PREFIX' '
	places="PREFIX=/opt/ci MANDIR=/usr/share/man COMPLETIONS=/usr/share/completions"
	new_system usr/share/man/man5 usr/share/man/man7 usr/share/man/man8 usr/share/completions
	in_root install $places && [ -e "$root/usr/share/man/man8/jacamar.8" ] &&
	[ -e "$root/usr/share/completions/jacamar" ] && in_root uninstall $places && as_before'
check 'make uninstall keeps the directories of /usr/local, also empty ones' '
	new_system usr/local/libexec usr/local/share/man/man5 usr/local/share/man/man7 usr/local/share/man/man8 \
		usr/local/share/bash-completion/completions usr/local/share/doc
	in_root install PREFIX=/usr/local && [ -L "$root/usr/local/bin/jacamar" ] &&
	in_root uninstall PREFIX=/usr/local && as_before'

finish
