#!/bin/sh
# A release: one file of sources, and the same bytes from whoever makes it and builds it.
. "$(dirname "$0")/lib.sh"
[ -z "${SANITIZE:-}" ] || skip_all 'what is shipped has no sanitizers'
command -v cc >/dev/null || skip_all 'needs a C compiler'

version=$(sed -n 's/.*JACAMAR_VERSION "\(.*\)"/\1/p' "$top/core/lib/version.h")
release=jacamar-ci-$version

# plain_make NAME=VALUE... ARGUMENT...: a make that knows nothing of the one that runs this test.
plain_make() { env -i PATH="$PATH" HOME="$box" "$@"; }

check 'make dist is the same file twice, whoever makes it, and when' '
	plain_make make -s -C "$top" dist BUILD="$box/one" &&
	(umask 077 && cd / && plain_make TZ=Asia/Tokyo LC_ALL=C.UTF-8 \
		make -s -C "$top" dist BUILD="$box/two") &&
	cmp "$box/one/$release.tar.gz" "$box/two/$release.tar.gz"'
check 'the release has the files of the tree, readable by everyone, and nothing that was built' '
	tar -tvzf "$box/one/$release.tar.gz" | tee "$box/list" | grep -F " $release/README" &&
	grep -F " $release/core/lib/version.h" "$box/list" && ! grep "/build/\\|/\\.git/" "$box/list" &&
	! grep -v "^[-d]rw[-x]r-[-x]r-[-x] 0/0 " "$box/list"'

mkdir "$box/a" "$box/a-longer-place" "$box/no-git"
tar -xzf "$box/one/$release.tar.gz" -C "$box/a"
tar -xzf "$box/one/$release.tar.gz" -C "$box/a-longer-place"
printf '#!/bin/sh\nexit 1\n' >"$box/no-git/git"
chmod 755 "$box/no-git/git"
check 'make dist of such a tree is that file again, without git' '
	plain_make PATH="$box/no-git:$PATH" make -s -C "$box/a/$release" dist &&
	cmp "$box/a/$release/build/$release.tar.gz" "$box/one/$release.tar.gz"'
# What could differ, such as paths and times, does so without optimization, too, which takes half the time.
check 'two builds in two directories are the same bytes, without git' '
	plain_make PATH="$box/no-git:$PATH" make -s -j2 -C "$box/a/$release" all CFLAGS="-O0 -g" &&
	(umask 077 && plain_make PATH="$box/no-git:$PATH" TZ=Asia/Tokyo LC_ALL=C.UTF-8 \
		make -s -C "$box/a-longer-place/$release" all CFLAGS="-O0 -g") &&
	cmp "$box/a/$release/build/libjacamar.a" "$box/a-longer-place/$release/build/libjacamar.a" &&
	cmp "$box/a/$release/build/libexec/jacamar-ci" \
		"$box/a-longer-place/$release/build/libexec/jacamar-ci"'
check 'the program does not name the place where it was built' '
	[ -x "$box/a/$release/build/libexec/jacamar-ci" ] &&
	! grep -aF "$box" "$box/a/$release/build/libexec/jacamar-ci"'

# The one place.
tree=$box/a/$release
check 'a version that changes in core/lib/version.h changes everywhere' '
	sed -i "s/\"$version\"/\"98.76.5\"/" "$tree/core/lib/version.h" &&
	plain_make make -s -j2 -C "$tree" install DESTDIR="$box/root" &&
	[ "$("$box/root/opt/jacamar/bin/jacamar" --version)" = "jacamar 98.76.5" ] &&
	for page in "$box"/root/opt/jacamar/share/man/man?/*; do
		grep -x "\\.Os jacamar-ci 98\\.76\\.5" "$page" || exit 1
	done &&
	plain_make make -s -C "$tree" dist && tar -xzOf "$tree/build/jacamar-ci-98.76.5.tar.gz" \
		jacamar-ci-98.76.5/rpm.spec | grep "^Version: *98\\.76\\.5$"'
if command -v rpmspec >/dev/null; then
	check 'rpm.spec has it also in the tree itself' '
		cd "$top" && [ "$(rpmspec -q --qf "%{VERSION}\n" rpm.spec)" = "$version" ]'
else
	skip 'rpm.spec has it also in the tree itself' 'needs rpmspec'
fi

finish
