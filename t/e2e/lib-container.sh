# Images and a runtime for the tests of containers; source it after lib.sh.
#
# No registry is reached: the images are made here, of programs of this machine, and each of $usr's
# is localhost/site/NAME:1. What cannot run here is played by a stand-in, which runs the scripts on
# the host and says so.

# container_config [LINES [GENERAL [AUTH]]]: a configuration with that table, or without (LINES: none).
container_config() {
	local table='[general.container]
'"$1"
	[ "$1" != none ] || table=
	write_config "data_dir = \"\$HOME\"
kill_timeout = \"4s\"
${2:-}" "downscope = \"$downscope\"
${3:-}
$table"
}

# container_rootfs DIRECTORY PROGRAM...: these programs, with what they are linked with. /bin/sh is dash.
container_rootfs() {
	local root=$1 program file
	shift
	mkdir -p "$root/bin" "$root/etc" "$root/tmp"
	chmod 1777 "$root/tmp"
	echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
	for program; do
		program=$(command -v "$program") || return 1
		cp "$program" "$root/bin/"
		for file in $(ldd "$program" | grep -o '/[^ ]*'); do
			mkdir -p "$root/${file%/*}"
			cp -Ln "$file" "$root/$file"
		done
	done
	ln -sf dash "$root/bin/sh"
	echo 'of the image' >"$root/only-in-image"
}

# container_import NAME DIRECTORY [podman's options]: makes $usr's image of the directory.
container_import() {
	local name=$1 root=$2
	shift 2
	tar -C "$root" -cf "$box/image.tar" . && chmod 644 "$box/image.tar" &&
		as "$usr" podman import "$@" "$box/image.tar" "localhost/site/$name:1"
}

# container_start: $usr can run containers, and has the images app (bash and dash), plain (dash alone)
# and entry (with an entrypoint). Fails, with the reason in $box/no-containers, where that is not so.
container_start() {
	local home uid conf
	home=$(getent passwd "$usr" | cut -d: -f6) uid=$(id -u "$usr") conf="$home/.config/containers"
	{
		command -v podman && command -v newuidmap || { echo 'podman or newuidmap is missing'; return 1; }
		grep "^$usr:" /etc/subuid || {
			local first=$((100000000 + uid * 65536))
			usermod --add-subuids "$first-$((first + 65535))" --add-subgids "$first-$((first + 65535))" "$usr"
		}
		install -d -o "$usr" "$home/.config" "$conf"
		# crun refuses the cgroups of some machines, on which runc works.
		! command -v runc || printf '[engine]\nruntime = "runc"\n' >"$conf/containers.conf"
		printf '[storage]\ndriver = "vfs"\n' >"$conf/storage.conf"
		container_rootfs "$box/app" bash dash cat env id ls sleep stat touch sed grep mkdir chmod tr &&
			container_rootfs "$box/plain" dash cat env id ls sleep stat touch grep mkdir chmod tr || return 1
		cp -a "$box/app" "$box/entry"
		printf '#!/bin/sh\necho "the entrypoint of the image"\nexec "$@"\n' >"$box/entry/bin/entry"
		chmod 755 "$box/entry/bin/entry"
		container_import app "$box/app" && container_import plain "$box/plain" &&
			container_import entry "$box/entry" --change 'ENTRYPOINT ["/bin/entry"]' || return 1
		as "$usr" podman run --rm --network=host --userns=keep-id localhost/site/app:1 cat /only-in-image
	} >"$box/no-containers" 2>&1
	result=$?
	end_all
	return "$result"
}

# containers: those that $usr has, running or not. What podman itself leaves running is ended. podman
# has been seen to block for ever after its own fork: then it is asked once more.
containers() {
	list_containers 2>"$box/podman-ps" || list_containers 2>"$box/podman-ps" ||
		{ cat "$box/podman-ps"; echo 'podman ps fails'; }
	end_all
}
list_containers() { as "$usr" timeout -k 5 60 podman ps --all --quiet; }

# container_end: removes what podman keeps outside of the home; for at_end.
container_end() {
	local uid
	uid=$(id -u "$usr" 2>/dev/null) || return 0
	end_all
	rm -rf "/tmp/podman-run-$uid" "/tmp/containers-user-$uid" "/dev/shm/libpod_rootless_lock_$uid"
}

# stand_in NAME: a runtime $site/NAME that writes its arguments to $box/open/call, a line each, and
# `pull` and `image` as well; `run` and `exec` run the script here.
stand_in() {
	cat >"$site/$1" <<-SCRIPT
		#!/bin/sh
		[ "\$1" != --cgroup-manager=cgroupfs ] || { global=\$1; shift; }
		printf '%s\n' "\$0" \${global:-} "\$@" >"$box/open/call.\$1"
		env >"$box/open/environment.\$1"
		case \$1 in
		unshare) exit 0 ;;
		image) exit 1 ;;
		run | exec) ;;
		*) echo "the stand-in does not really \$1"; exit 0 ;;
		esac
		echo 'a stand-in runs the script on the host'
		while [ "\$1" != sh ]; do shift; done
		exec "\$@"
	SCRIPT
	chmod 755 "$site/$1"
}
