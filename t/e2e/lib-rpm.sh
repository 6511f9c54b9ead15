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

# prepare_quick_make: $quick has a make that finds the objects of this tree in the sources of a package,
# and so only links and installs. It is for packages whose compilation is not what a test proves.
prepare_quick_make() {
	quick=$box/quick
	mkdir "$quick"
	# In the order in which make makes them: none is older than what it is made of.
	cat >"$quick/make" <<-MAKE
	#!/bin/sh
	case " \$* " in
	*" all "*) mkdir build && cp -r "$build/generated" "$build/core" "$build/config" "$build/applets" build &&
		cp "$build/libjacamar.a" build && cp -r "$build/libexec" "$build/bin" build || exit 1 ;;
	esac
	exec $(command -v make) "\$@"
	MAKE
	chmod 755 "$quick/make"
}
