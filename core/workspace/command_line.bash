# shellcheck shell=bash
#
# Ahead of the runner's script: functions in the place of the commands that it gives the job's
# token to. Their arguments are on no command line; they run the same commands with the token in
# the environment. What the script's author calls by these names in hooks is left as it is, but for
# the same token.
#
# All of it runs as the user, with variables of the author's: words are always quoted, and no name
# of ours hides a variable from what is run.

# Git is given the token as the password of URLs: https://gitlab-ci-token:TOKEN@host/group/... They
# lose it, and keep the name. By a file of settings, beside the script, a credential helper answers
# for that name on that host. The configuration that keeps the URL includes the file, so that git
# works in later scripts, too: the runner's all export CI_JOB_TOKEN.
_jacamar_settings=${0%/*}/jacamar-git.config
_jacamar_hosts=  # that the settings are for, a line each
_jacamar_remote= # yes: a remote's URL has lost the token
_jacamar_token=

git() {
	{ local - && set +x; } 2>/dev/null # CI_DEBUG_TRACE is for the script's own lines
	local _jacamar_word _jacamar_found='' _jacamar_learn='' _jacamar_options=()

	# The runner's own commands tell what the token is, whatever CI_JOB_TOKEN says.
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

# Takes the token out of _jacamar_word: a URL, or url.URL.insteadOf, with =... behind it or not.
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

# Makes the settings for a scheme and a host. For the token's name, the empty helper keeps off the
# user's own, which might store the token, and emptyAuth has git ask before its first request, which
# would else try a password of the user's ~/.netrc. Git LFS asks without a name; then the user's own
# helpers come first, and ours says nothing about other names.
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

# Has the configuration that keeps the URL include them: a file, the repository, the submodules.
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
		# Without one of these words, what has succeeded outside of a repository keeps nothing.
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

# For artifacts gitlab-runner is given the token as --token, and takes it from CI_JOB_TOKEN as well.
# Only the first one is the runner's: behind it come paths of the author's. The signed URLs of
# caches it takes as arguments alone. In POSIX mode, which a variable of the author's may have turned
# on, bash calls a function of such a name, but makes none.
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
