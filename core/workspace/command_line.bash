# shellcheck shell=bash
#
# These functions come before the runner's script. They replace the commands to which the runner
# passes the job's token. The arguments of a function are on no command line; it runs the same
# command with the token in the environment. Commands of the same names in the author's hooks run
# unchanged, except that the token is removed from their arguments, too.
#
# All of this runs as the user, with variables of the author. So words are always quoted, and our
# own variables have names that hide no variable from the commands.

# The runner passes git the token as the password in URLs:
# https://gitlab-ci-token:TOKEN@host/group/... The function removes the token and keeps the name. A
# settings file beside the script adds a credential helper, which gives git the token for that name
# on that host. The git configuration that stores the URL includes this file, so that git works in
# later scripts, too: all scripts of the runner export CI_JOB_TOKEN.
_jacamar_settings=${0%/*}/jacamar-git.config
_jacamar_hosts=  # the hosts that the settings are for, a line each
_jacamar_remote= # yes: the token was removed from a remote's URL
_jacamar_token=

git() {
	{ local - && set +x; } 2>/dev/null # CI_DEBUG_TRACE is for the script's own lines
	local _jacamar_word _jacamar_found='' _jacamar_learn='' _jacamar_options=()

	# These commands of the runner have the real token, even if CI_JOB_TOKEN has another value.
	case "${1-} ${2-} ${3-}" in
	'remote add origin' | 'remote set-url origin') _jacamar_learn=yes ;;
	'config --file '* | '-c url.'* | '-c http.userAgent='*) _jacamar_learn=yes ;;
	esac
	for _jacamar_word in "$@"; do
		shift
		case $_jacamar_word in
		*://gitlab-ci-token:*@*) _jacamar_strip ;;
		esac
		set -- "$@" "$_jacamar_word"
	done
	while (($# > 1)); do
		case $1 in
		-c | -C | --git-dir | --work-tree | --namespace | --config-env | --attr-source)
			_jacamar_options+=("$1" "$2") && shift 2
			;;
		-*) _jacamar_options+=("$1") && shift ;;
		*) break ;;
		esac
	done
	# A submodule of a relative URL is on the remote's host.
	case ${1-}:$_jacamar_found:$_jacamar_remote in
	clone:yes:*) set -- clone -c "include.path=$_jacamar_settings" "${@:2}" ;;
	submodule:*:yes) _jacamar_found=yes ;;
	esac
	if [ -z "$_jacamar_found" ]; then
		command git "${_jacamar_options[@]}" "$@"
		return
	fi
	_jacamar_options+=(-c "include.path=$_jacamar_settings")
	command git "${_jacamar_options[@]}" "$@" || return
	_jacamar_keep "$@"
}

# Removes the token from _jacamar_word: a URL, or url.URL.insteadOf, perhaps with =... after it.
_jacamar_strip() {
	local _jacamar_left=${_jacamar_word%%://gitlab-ci-token:*}
	local _jacamar_right=${_jacamar_word#*://gitlab-ci-token:}

	if [ -n "$_jacamar_learn" ]; then
		: "${_jacamar_token:=${_jacamar_right%%@*}}"
	fi
	case ${_jacamar_right%%@*} in
	"${CI_JOB_TOKEN-}" | "$_jacamar_token") ;;
	*) return 0 ;;
	esac
	_jacamar_found=yes
	_jacamar_right=${_jacamar_right#*@}
	_jacamar_word=$_jacamar_left://gitlab-ci-token@$_jacamar_right
	_jacamar_right=${_jacamar_right%%/*}
	_jacamar_set "${_jacamar_left##*[![:alpha:]]}" "${_jacamar_right%%.insteadOf*}"
}

# Adds the settings for a scheme and a host. For the name gitlab-ci-token, the empty helper turns off
# the user's own helpers, which might store the token; emptyAuth makes git ask for the token before
# its first request, which would otherwise try a password of the user's ~/.netrc. Git LFS asks
# without a name: then the user's own helpers come first, and ours does not answer for other names.
# shellcheck disable=SC2016 # for git's shell to expand
_jacamar_set() {
	local _jacamar_helper='"!f() { test \"$1\" = get || return 0; while read -r l; do case $l in'
	_jacamar_helper+=' username=gitlab-ci-token) ;; username=*) return 0 ;; esac; done;'
	_jacamar_helper+=' echo username=gitlab-ci-token; echo \"password=$CI_JOB_TOKEN\"; }; f"'

	case $'\n'$_jacamar_hosts in
	*$'\n'"$1://$2"$'\n'*) return 0 ;;
	$'\n') : >|"$_jacamar_settings" ;;
	esac
	_jacamar_hosts+=$1://$2$'\n'
	printf '%s\n' "[credential \"$1://$2\"]" "helper = $_jacamar_helper" \
		"[credential \"$1://gitlab-ci-token@$2\"]" 'helper =' "helper = $_jacamar_helper" \
		"[http \"$1://gitlab-ci-token@$2\"]" 'emptyAuth = true' >>"$_jacamar_settings"
}

# Makes the git configuration that stores the URL include the settings: that of a file, of the
# repository, or of the submodules.
_jacamar_keep() {
	local _jacamar_where=()

	case $1:${2-} in
	config:*)
		_jacamar_where=(config)
		while (($# > 1)); do
			shift
			case $1 in
			-f | --file) _jacamar_where=(config "$1" "${2-}") ;;
			-f?* | --file=* | --global | --system | --local | --worktree)
				_jacamar_where=(config "$1")
				;;
			esac
		done
		# Without one of these options, a command outside of a repository stores nothing.
		((${#_jacamar_where[@]} > 1)) ||
			command git "${_jacamar_options[@]}" rev-parse --git-dir >/dev/null 2>&1 || return 0
		;;
	remote:*) _jacamar_remote=yes _jacamar_where=(config) ;;
	clone:*) _jacamar_remote=yes ;;
	submodule:update | submodule:add)
		_jacamar_where=(submodule --quiet foreach --recursive git config)
		;;
	esac
	if [ -n "${_jacamar_where-}" ]; then
		command git "${_jacamar_options[@]}" "${_jacamar_where[@]}" --replace-all \
			include.path "$_jacamar_settings" '/jacamar-git\.config$'
	fi
}

# For artifacts, the runner passes gitlab-runner the token as --token; the command also accepts it
# in CI_JOB_TOKEN. Only the first --token is the runner's: paths of the author follow it. The signed
# URLs of caches can only be arguments, so they stay on the command line. A variable of the author
# may have turned on POSIX mode, in which bash can call a function with a dash in its name, but not
# define it.
_jacamar_posix=
case :$SHELLOPTS: in
*:posix:*) _jacamar_posix=-${POSIXLY_CORRECT@a} && set +o posix ;;
esac
gitlab-runner() {
	{ local - && set +x; } 2>/dev/null
	local _jacamar_words=()

	while (($# > 1)); do
		case ${_jacamar_words[0]-}:$1 in
		artifacts-*:--token)
			CI_JOB_TOKEN=$2 command gitlab-runner "${_jacamar_words[@]}" "${@:3}"
			return
			;;
		esac
		_jacamar_words+=("$1")
		shift
	done
	command gitlab-runner "${_jacamar_words[@]}" "$@"
}
case $_jacamar_posix in
-*x*) export POSIXLY_CORRECT=y ;;
-*) set -o posix ;;
esac
