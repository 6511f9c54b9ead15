# What the tests of the audit log share; source it behind lib.sh.

# log_to 'LINES': the configuration, with these in [auth.logging].
log_to() {
	write_config 'data_dir = "$HOME"
kill_timeout = "2s"' "downscope = \"$downscope\"
[auth.logging]
$1"
}

# records [jq's options] 'FILTER': true where the filter is, for the array of all records in $log.
records() {
	[ -s "$log" ] && jq -es "$@" "$log" || { cat "$log" "$box/log"; return 1; }
}

cat >"$box/receive.py" <<'SOURCE'
# receive.py KIND ADDRESS OUT: appends what arrives there, a line a datagram or connection.
import os, socket, sys, threading
kind, address, out = sys.argv[1:]
lock = threading.Lock()
def keep(data):
	with lock, open(out, "ab") as file:
		file.write(data.rstrip(b"\n") + b"\n" if data else b"")
if kind == "unixgram":
	listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	listener.bind(address)
	os.chmod(address, 0o666)
	port = address
else:
	listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
	listener.bind(("127.0.0.1", 0))
	port = "127.0.0.1:%d" % listener.getsockname()[1]
if kind == "tcp":
	listener.listen(100)
with open(out + ".at.new", "w") as file:
	file.write(port)
os.rename(out + ".at.new", out + ".at")
def read(connection):
	parts = list(iter(lambda: connection.recv(65536), b""))
	keep(b"".join(parts))
while True:
	if kind == "tcp":
		threading.Thread(target=read, args=(listener.accept()[0],), daemon=True).start()
	else:
		keep(listener.recv(65536))
SOURCE
# receive NAME KIND [PATH]: starts a receiver, whose address is then $at, its messages in $got.
receive() {
	got=$box/got.$1
	python3 "$box/receive.py" "$2" "${3:-}" "$got" >"$box/receive.$1" 2>&1 &
	receivers="${receivers:-} $!"
	wait_until '[ -s "$got.at" ]' || { cat "$box/receive.$1"; exit 1; }
	at=$(cat "$got.at")
}

end_receivers() {
	[ -z "${receivers:-}" ] || kill $receivers 2>/dev/null
}

# A /dev for the service alone, in which /dev/log is the test's. Its journald is hidden, which would
# come first, unless $journal_visible is set.
install -d -m 755 "$box/dev"
cat >"$box/own-dev" <<SCRIPT
mount --make-rprivate / && mount -t tmpfs -o mode=755 none "$box/dev" || exit 77
for node in null zero full random urandom tty; do
	: >"$box/dev/\$node" && mount --bind "/dev/\$node" "$box/dev/\$node" || exit 77
done
ln -s /proc/self/fd "$box/dev/fd"
ln -s /proc/self/fd/0 "$box/dev/stdin"
ln -s /proc/self/fd/1 "$box/dev/stdout"
ln -s /proc/self/fd/2 "$box/dev/stderr"
[ -n "\${journal_visible:-}" ] || [ ! -d /run/systemd/journal ] ||
	mount -t tmpfs none /run/systemd/journal || exit 77
[ -z "\$socket" ] || ln -s "\$socket" "$box/dev/log"
mount --rbind "$box/dev" /dev || exit 77
exec "\$@"
SCRIPT
# with_syslog SOCKET commands...: with SOCKET, or none, as /dev/log.
with_syslog() {
	(socket=$1
	shift
	become() { socket=$socket command unshare -m sh "$box/own-dev" "$build/t/as" "$@"; }
	"$@")
}
