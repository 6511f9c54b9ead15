# The packages, for the tests that install them: lib.sh first, then this.

# what_they_need PACKAGE...: prints a package that stands for what these need and the host has
# without a package of rpm's, so that rpm checks the rest.
what_they_need() {
	cat >"$box/needs.spec" <<-NEEDS
	Name: needs
	Version: 1
	Release: 1
	Summary: what the packages need
	License: none
	BuildArch: noarch
	AutoReqProv: no
	Provides: /bin/sh
	$(rpm -qp --requires "$@" | grep -v '^rpmlib\|^/' | sort -u | sed 's/^/Provides: /')
	%description
	%files
	NEEDS
	rpmbuild -bb --quiet --define "_topdir $box/needs" "$box/needs.spec" >"$box/needs.log" 2>&1 ||
		cat "$box/needs.log" >&2
	find "$box/needs" -name '*.rpm'
}

# quick_compiler: $quick has a cc that does not optimize, and so takes half the time, for packages that
# are only installed.
quick_compiler() {
	quick=$box/quick
	mkdir "$quick"
	printf '#!/bin/sh\nexec %s "$@" -O0\n' "$(command -v cc)" >"$quick/cc"
	chmod 755 "$quick/cc"
}
