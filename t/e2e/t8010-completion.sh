#!/bin/sh
# What bash completes for an administrator who tries a configuration by hand.
. "$(dirname "$0")/lib.sh"
[ -z "${SANITIZE:-}" ] || skip_all 'the completion is a script'
command -v bash >/dev/null || skip_all 'needs bash'

# completes WORD...: what bash offers for the last of them, one a line, by the file itself.
cat >"$box/complete" <<'E2'
. "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
offered=$(complete -p "${1##*/}") || exit 1
offered=${offered##*-F }
"${offered%% *}" "$1" "${!#}" "${*: -2:1}"
printf '%s\n' "${COMPREPLY[@]}"
E2
completes() { bash --norc "$box/complete" "$top/config/completion/jacamar.bash" "$@"; }

# offers WORD FOR...: WORD is among what is offered for the others.
offers() {
	local word=$1
	shift
	completes "$@" | tee "$box/offered" | grep -qxF -- "$word" ||
		{ echo "not offered: $word, for: $*"; cat "$box/offered"; false; }
}

check 'the completion offers all that --help names, under each name' '
	for name in jacamar-auth jacamar "jacamar-ci auth" jacamar-ci; do
		$build/bin/jacamar --help | grep -o -e "--[a-z-]*" | sort -u >"$box/options"
		[ -s "$box/options" ] || exit 1
		for option in $(cat "$box/options"); do
			case $name:$option in
			*auth:--no-auth | jacamar:--list | *auth:--list) continue ;;
			esac
			offers "$option" $name config "$option" || exit 1
		done
		for stage in $($build/libexec/jacamar-ci --list | grep -v auth); do
			case $name:$stage in *auth:doctor | *auth:explain) continue ;; esac
			offers "$stage" $name "" || exit 1
		done
	done'
check 'the completion offers all options of doctor' '
	$build/bin/jacamar doctor --help | grep -o -e "--[a-z-]*" | sort -u >"$box/options"
	[ "$(wc -l <"$box/options")" = 6 ] || exit 1
	for option in $(cat "$box/options"); do
		offers "$option" jacamar doctor "$option" || exit 1
	done
	offers root jacamar doctor --user ro && ! offers --no-auth jacamar doctor --'
check 'the completion offers all options of explain' '
	$build/bin/jacamar explain --help | grep -o -e "--[a-z-]*" | sort -u >"$box/options"
	[ "$(wc -l <"$box/options")" = 9 ] || exit 1
	for option in $(cat "$box/options"); do
		offers "$option" jacamar explain "$option" || exit 1
	done
	! offers --user jacamar explain --'
check 'by whatever path the program is called' '
	offers prepare /opt/jacamar/bin/jacamar-auth pre &&
	offers --no-auth /opt/jacamar/bin/jacamar --no && offers auth /opt/jacamar/libexec/jacamar-ci au'
check 'the completion offers nothing that the program would refuse' '
	! offers --no-auth jacamar-auth "" && ! offers --list jacamar "" && ! offers auth jacamar-ci config "" &&
	! offers doctor jacamar-auth "" && ! offers explain jacamar-auth "" && ! offers prepare jacamar config pre && ! offers --check jacamar prepare --'
: >"$box/site settings.toml"
check 'files are offered where a file belongs, also those with a space' '
	cd "$box" && offers "site settings.toml" jacamar-auth config --check s &&
	offers "site settings.toml" jacamar-auth config --configuration = s &&
	offers "site settings.toml" jacamar-auth config --configuration = &&
	offers "site settings.toml" jacamar --no-auth run "" &&
	for option in token response replay jwks; do
		offers "site settings.toml" jacamar explain "--$option" s || exit 1
	done &&
	! offers "site settings.toml" jacamar-auth config ""'
check 'make install puts it where bash looks, under each name' '
	make -s -C "$top" install DESTDIR="$box/root" &&
	for name in jacamar jacamar-auth jacamar-ci; do
		cmp "$box/root/opt/jacamar/share/bash-completion/completions/$name" \
			"$top/config/completion/jacamar.bash" || exit 1
	done'

finish
