#!/bin/sh
# The two packages: what is in them, and that no install, upgrade or exchange leaves a capability
# where others than the runner could execute it. All of it in a system of its own, below $box.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/page.sh"
. "$(dirname "$0")/lib-rpm.sh"
need_root
[ -z "${SANITIZE:-}" ] || skip_all 'what is shipped has no sanitizers'
for program in rpmbuild rpm cc; do
	command -v $program >/dev/null || skip_all "needs $program"
done

# --- the packages, and later ones ---

# build_packages DIRECTORY RPMBUILD [PATH]: as an administrator calls it, whatever runs this test. Of the
# unit tests, which run as a whole beside this one, it runs a suite.
build_packages() {
	env -i PATH="${3:-$PATH}" HOME="$box" CK_RUN_SUITE=text make -s -C "$top" rpm BUILD="$1" RPMBUILD="$2" >"$1.log" 2>&1
}

# Of the later ones only their installation matters. The two first ones are compiled by the same lines of
# rpm.spec, of which the first proves that they compile.
prepare_quick_make
printf '#!/bin/sh\ncase "$*" in *"--with caps"*) PATH=%s:$PATH ;; esac\nexec rpmbuild "$@"\n' "$quick" >"$box/rpmbuild"
chmod 755 "$box/rpmbuild"
build_packages "$box/later" "rpmbuild --nocheck --define 'dist .2'" "$quick:$PATH" &
build_packages "$box/first" "$box/rpmbuild --define 'dist .1' --define 'optflags -O2 -g -Wp,-U_FORTIFY_SOURCE -Wp,-D_FORTIFY_SOURCE=2'"
first_built=$?
wait $!
later_built=$?
package() { find "$box/$1/rpm/RPMS" -name "jacamar-ci-$2*.rpm"; }
plain=$(package first '[0-9]') caps=$(package first caps)
later_plain=$(package later '[0-9]') later_caps=$(package later caps)
check 'make rpm builds both, and tests the program, which is the same in both' '
	[ $first_built -eq 0 ] && [ "$(grep -c "^[1-9][0-9]* checks, 0 failed" "$box/first.log")" = 1 ] &&
	[ -s "$plain" ] && [ -s "$caps" ] || { tail -n 40 "$box/first.log"; false; }'
check 'make rpm builds a later release of both' '
	[ $later_built -eq 0 ] && [ -s "$later_plain" ] && [ -s "$later_caps" ] ||
		{ tail -n 40 "$box/later.log"; false; }'

# list PACKAGE: mode, links, owner and capabilities of each file, and where a link leads.
list() {
	rpm -qp --qf '[%{FILEMODES:perms} %{FILENLINKS} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES} %{FILECAPS} %{FILELINKTOS}\n]' "$1" |
		sed 's/ (none)//; s/ *$//'
}
# programs PACKAGE, to compare with the list that is read.
programs() {
	list "$1" | grep /opt/jacamar/ | grep -v /share | tr -s ' ' | tee "$box/list"
	diff - "$box/list"
}
check 'the package has one executable, its links, and jacamar-auth as a separate file' '
	programs "$caps" <<-FILES
	drwxr-xr-x 1 root:root /opt/jacamar/bin
	lrwxrwxrwx 1 root:root /opt/jacamar/bin/jacamar ../libexec/jacamar-ci
	-rwxr-x--- 1 root:gitlab-runner /opt/jacamar/bin/jacamar-auth cap_setgid,cap_setuid=ep
	drwxr-xr-x 1 root:root /opt/jacamar/libexec
	-rwxr-xr-x 1 root:root /opt/jacamar/libexec/jacamar-ci
	FILES'
check 'in the package without capabilities, jacamar-auth is a link like jacamar' '
	programs "$plain" <<-FILES
	drwxr-xr-x 1 root:root /opt/jacamar/bin
	lrwxrwxrwx 1 root:root /opt/jacamar/bin/jacamar ../libexec/jacamar-ci
	lrwxrwxrwx 1 root:root /opt/jacamar/bin/jacamar-auth ../libexec/jacamar-ci
	drwxr-xr-x 1 root:root /opt/jacamar/libexec
	-rwxr-xr-x 1 root:root /opt/jacamar/libexec/jacamar-ci
	FILES'
check 'all other files belong to root'\''s, for everyone to read and for nobody to change' '
	for package in "$plain" "$caps"; do
		list "$package" | grep -v /bin/jacamar-auth >"$box/rest"
		[ "$(wc -l <"$box/rest")" -gt 15 ] && ! grep cap_ "$box/rest" &&
		! grep -v "^\\(l\\|-rwxr-xr-x\\|-rw-r--r--\\|drwxr-xr-x\\).* 1 root:root /" "$box/rest" || exit 1
	done'
check 'manual, samples, licence, README and completion are there' '
	for package in "$plain" "$caps"; do
		list "$package" >"$box/list"
		for file in /share/licenses/.*/LICENSE /share/doc/.*/README \
			/bash-completion/completions/jacamar-auth; do
			grep -q "^[l-].*$file" "$box/list" || { echo "$file"; exit 1; }
		done
		(cd "$top" && ls man/*.[0-9]) | sed "s|.*/||" >"$box/names"
		(cd "$top" && ls config/examples) >>"$box/names"
		for name in $(cat "$box/names"); do
			grep -q "^-rw-r--r-- 1 root:root .*/$name$" "$box/list" || { echo "$name"; exit 1; }
		done
		rpm -qp --licensefiles "$package" | grep LICENSE && rpm -qp --docfiles "$package" | grep README || exit 1
	done'
check 'no directory is theirs that others own, too' '
	for package in "$plain" "$caps"; do
		list "$package" | grep "^d" | tee "$box/list"
		[ "$(grep -c " /opt/jacamar" "$box/list")" -gt 5 ] &&
			! grep "^d.* /usr/share/\(bash-completion\|man\|man/man.\)\(/completions\)*$" "$box/list" || exit 1
	done'
check 'a distribution that says how much _FORTIFY_SOURCE is wanted gets no warning' '
	! grep -i "redefined" "$box/first.log"'
check 'the requirements have the names of RHEL, also those of the libraries that are opened by name' '
	for package in "$plain" "$caps"; do
		echo "$package"
		rpm -qp --requires "$package" >"$box/requires"
		isa=$(rpm -E "%{?_isa}")
		for name in "libjose$isa" "libcurl$isa" "libseccomp$isa" bash "libcap-ng.so.0()(64bit)"; do
			grep -qx "$name" "$box/requires" || { echo "$name"; exit 1; }
		done
	done
	rpm -qp --requires "$(find "$box/first/rpm/SRPMS" -name "*.src.rpm")" | tee "$box/requires"
	for name in gcc make inih-devel jansson-devel libcap-ng-devel libjose-devel libcurl-devel \
		libseccomp-devel check-devel openssl-devel; do
		grep -qx "$name" "$box/requires" || exit 1
	done'

# --- a system with what they need ---

root=$box/system
auth=$root/opt/jacamar/bin/jacamar-auth

# bring PROGRAM: copies it there, with its libraries.
bring() {
	local file
	for file in "$1" $(ldd "$1" | grep -o '/[^ ]*'); do
		mkdir -p "$root${file%/*}"
		cp -nL "$file" "$root$file"
	done
}
# path_of PROGRAM: lib.sh has functions of some names.
path_of() { (unset -f "$1" && command -v "$1"); }
new_system() {
	rm -rf "$root"
	mkdir -p "$root/etc" "$root/home" "$root/tmp" "$root/dev" "$root/usr"
	for directory in bin sbin lib lib64; do
		mkdir "$root/usr/$directory"
		ln -s "usr/$directory" "$root/$directory"
	done
	mknod -m 666 "$root/dev/null" c 1 3
	for program in sh getent groupadd useradd; do
		bring "$(path_of $program)"
	done
	bring "$build/libexec/jacamar-ci"
	echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
	echo 'root:x:0:' >"$root/etc/group"
	: >"$root/etc/shadow"
	: >"$root/etc/gshadow"
	system_rpm -i "$needs"
}

needs=$(what_they_need "$plain" "$caps" "$later_plain" "$later_caps")

# What Debian's rpm says of itself is left out.
system_rpm() { command rpm --root "$root" "$@" 2>"$box/rpm-says" || { cat "$box/rpm-says"; false; }; }
in_system() { chroot --userspec="$1" --groups="${2:-}" "$root" "$3" --version; }
runner_group() { awk -F: '$1 == "gitlab-runner" {print $3}' "$root/etc/group"; }

# The two states that there may be at rest. Of the whole system.
the_runner_alone() {
	[ "$(getcap -r "$root")" = "$auth cap_setgid,cap_setuid=ep" ] &&
		[ "$(stat -c '%A %u:%g %h' "$auth")" = "-rwxr-x--- 0:$(runner_group) 1" ] ||
		{ getcap -r "$root"; stat "$auth"; false; }
}
nobody() {
	[ -z "$(getcap -r "$root")" ] && { [ ! -e "$auth" ] || [ -L "$auth" ]; } ||
		{ getcap -r "$root"; stat "$auth"; false; }
}

# --- install ---

new_system
title='capabilities come last, when the file is closed to others already, and under another name'
if command -v strace >/dev/null; then
	check "$title" '
		strace -f -y -o "$box/trace" -e trace=%file,%desc rpm --root "$root" -i "$caps" &&
		sed -n "s/^[0-9]* *\([a-z0-9]*\)(.*bin.*jacamar-auth;.*/\1 &/p" "$box/trace" |
			grep -o -e "^open.* .*0200)" -e "^[fl]*ch[a-z]* .*[0-9])" \
				-e "^[fl]*setxattr .*capability" -e "^rename.*" |
			tee "$box/calls" | sed "s/ .*//; s/^[fl]//" | tr "\n" " " >"$box/order"
		cat "$box/calls"
		grep "^openat* chown chmod setxattr rename[a-z0-9]* $" "$box/order" &&
		grep "chown.* 0, $(runner_group))" "$box/calls" && grep "chmod.*, 0750)" "$box/calls"'
else
	skip "$title" 'needs strace'
	system_rpm -i "$caps"
fi
check 'they are the runner'\''s alone, whose group and account are made where they are not there' '
	the_runner_alone && grep "^gitlab-runner:x:[0-9]*:$(runner_group):.*:/home/gitlab-runner:/bin/bash$" "$root/etc/passwd" &&
	[ "$(stat -c %u "$root/home/gitlab-runner")" = "$(awk -F: "/^gitlab-runner:/ {print \$3}" "$root/etc/passwd")" ]'
check 'everyone may call jacamar, the runner jacamar-auth, and nobody else' '
	in_system 4711:4711 "" /opt/jacamar/bin/jacamar &&
	in_system 4711:"$(runner_group)" "" /opt/jacamar/bin/jacamar-auth &&
	! in_system 4711:4711 "" /opt/jacamar/bin/jacamar-auth'
check 'rpm finds them as they were packaged' 'system_rpm -V jacamar-ci-caps'
check 'rpm -V would find a change of the mode or the capabilities of jacamar-auth' '
	chmod 755 "$auth" && ! system_rpm -V jacamar-ci-caps && chmod 750 "$auth" &&
	setcap -r "$auth" && ! system_rpm -V jacamar-ci-caps &&
	system_rpm --restore jacamar-ci-caps && the_runner_alone && system_rpm -V jacamar-ci-caps'

# --- upgrade ---

check 'an upgrade keeps the capabilities, and removes them from the old file, which somebody may have kept' '
	ln "$auth" "$root/kept" && system_rpm -U "$later_caps" && the_runner_alone &&
	[ -e "$root/kept" ] && [ ! "$root/kept" -ef "$auth" ] &&
	system_rpm -V jacamar-ci-caps'

# --- exchange ---

check 'the two packages exclude each other, and neither replaces the other unasked' '
	! system_rpm -i "$later_plain" && ! system_rpm -U "$later_plain" && the_runner_alone'
check 'removing the package removes all that it installed, except the account' '
	system_rpm -e jacamar-ci-caps && nobody && [ ! -e "$root/opt/jacamar" ] &&
	[ -n "$(runner_group)" ] && [ -e "$root/kept" ]'
check 'the package without capabilities has none, whoever calls it' '
	system_rpm -i "$plain" && nobody && in_system 4711:4711 "" /opt/jacamar/bin/jacamar-auth &&
	! system_rpm -i "$caps" && ! system_rpm -U "$later_caps" && nobody'
check 'a package is upgraded to one of its own kind' 'system_rpm -U "$later_plain" && nobody && system_rpm -V jacamar-ci'
check 'the packages can be exchanged back, and the account is left as it is' '
	cp "$root/etc/passwd" "$box/passwd" && system_rpm -e jacamar-ci && system_rpm -i "$caps" &&
	the_runner_alone && cmp "$root/etc/passwd" "$box/passwd"'

new_system
check 'where the group cannot be made, nothing is installed' '
	for program in groupadd useradd; do
		printf "#!/bin/sh\nexit 1\n" >"$root$(path_of $program)"
	done
	! system_rpm -i "$caps" && nobody && [ ! -e "$auth" ] && ! rpm --root "$root" -q jacamar-ci-caps'

# --- dnf, which exchanges in one transaction ---

if command -v dnf >/dev/null && command -v createrepo_c >/dev/null; then
	new_system
	mkdir "$box/both" "$box/other"
	cp "$later_plain" "$later_caps" "$box/both"
	cp "$later_caps" "$box/other"
	createrepo_c -q "$box/both"
	createrepo_c -q "$box/other"
	# system_dnf REPOSITORY COMMAND...
	system_dnf() {
		local repository=$1
		shift
		command dnf -q -y --installroot="$root" --releasever=1 --setopt=reposdir=/none \
			--setopt=pluginpath=/none --setopt=gpgcheck=0 \
			--repofrompath="$repository,$box/$repository" --repo="$repository" "$@"
	}
	check 'dnf upgrade keeps the kind, also where a repository has the other one alone' '
		system_rpm -i "$plain" && system_dnf other upgrade && nobody &&
		rpm --root "$root" -q jacamar-ci && system_dnf both upgrade && nobody &&
		[ "$(rpm --root "$root" -q jacamar-ci)" = "$(basename "$later_plain" .rpm)" ]'
	check 'dnf swap gives the capabilities' '
		system_dnf both swap jacamar-ci jacamar-ci-caps && the_runner_alone &&
		system_rpm -V jacamar-ci-caps'
	check 'the exchange also removes the capabilities from a file that somebody has kept' '
		ln "$auth" "$root/kept" && system_dnf both swap jacamar-ci-caps jacamar-ci && nobody &&
		[ -L "$auth" ] && [ -e "$root/kept" ] && system_rpm -V jacamar-ci'

	# To the letter, in that system, and with what they presume.
	new_system
	rpm() { system_rpm "$@"; }
	dnf() { system_dnf both "$@"; }
	make() { [ "$*" = rpm ] && cp "$caps" "$box/guide"; }
	check 'the commands of jacamar-deploy(7) do what it says' '
		mkdir "$box/guide" && cd "$box/guide" && page_commands PACKAGES >"$box/commands" &&
		[ "$(wc -l <"$box/commands")" = 5 ] && while read -r prompt command; do
			echo "$command"
			case $command in
			"rpm -U "*) rm ./*.rpm && cp "$later_caps" . ;;
			"dnf swap "*) system_rpm -e jacamar-ci-caps && system_rpm -i "$plain" ;;
			esac && eval "$command" </dev/null || exit 1
			[ "$command" = "make rpm" ] || the_runner_alone || exit 1
		done <"$box/commands"'
	unset -f rpm dnf make
else
	skip 'dnf upgrade keeps the kind' 'needs dnf and createrepo_c'
	skip 'dnf swap gives the capabilities' 'needs dnf and createrepo_c'
	skip 'and takes them' 'needs dnf and createrepo_c'
	skip 'the commands of jacamar-deploy(7) do what it says' 'needs dnf and createrepo_c'
fi

finish
