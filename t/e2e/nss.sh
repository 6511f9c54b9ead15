# A source of accounts and groups of the test's own (nss-faults.c) in nsswitch.conf(5); source it
# after lib.sh and install_site, in a namespace of mounts. Its entries and faults are the files in
# $control.
control=$box/source
mkdir -m 755 "$control" "$box/library"
command -v cc >/dev/null || skip_all 'needs a C compiler'
cc -shared -fPIC -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -DNAME=jtfaults -DCONTROL="\"$control\"" \
	-o "$box/library/libnss_jtfaults.so.2" "$top/t/e2e/nss-faults.c" || exit 1
ldconfig -X -C "$box/ld.so.cache" "$box/library" || exit 1
sed -e '/^passwd:/d' -e '/^group:/d' -e '/^initgroups:/d' /etc/nsswitch.conf >"$box/nsswitch.conf"
printf '%s\n' 'passwd: files jtfaults' 'group: files jtfaults' >>"$box/nsswitch.conf"
chmod 644 "$box/ld.so.cache" "$box/nsswitch.conf"
# order_groups SOURCE...: whom groups are asked of from now on.
order_groups() {
	sed "s/^group:.*/group: $*/" "$box/nsswitch.conf" >"$box/nsswitch.new"
	cat "$box/nsswitch.new" >"$box/nsswitch.conf"
}
mount --bind "$box/ld.so.cache" /etc/ld.so.cache &&
	mount --bind "$box/nsswitch.conf" /etc/nsswitch.conf || skip_all 'needs a namespace of mounts'
for function in getpwnam getpwuid getgrnam getgrgid initgroups; do
	install -m 666 /dev/null "$control/$function.asked"
done
