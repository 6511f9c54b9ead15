# Completion of jacamar-auth, jacamar and jacamar-ci for bash.

_jacamar()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local words stage='' i
	COMPREPLY=()

	# --configuration=FILE comes as three words.
	[[ $word == = ]] && word=
	[[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD - 2]}

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		config | prepare | run | cleanup | doctor | explain) stage=${COMP_WORDS[i]} ;;
		esac
	done

	if [[ $before =~ ^--(configuration|runner-config|check|token|response|replay|jwks)$ || ($stage == run && $word != -*) ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	fi

	if [[ $stage == doctor ]]; then
		words='--configuration --runner-config --user --json --help --version'
		[[ $before == --user ]] && words=$(compgen -u)
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
		return
	fi

	if [[ $stage == explain ]]; then
		words='--configuration --token --response --replay --jwks --run-script --no-auth --help --version'
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
		return
	fi

	words='--configuration --unobfuscated --help --version'
	[[ -z $stage ]] && words+=' config prepare run cleanup'
	[[ $stage == config ]] && words+=' --check'
	case ${1##*/}:${COMP_WORDS[1]} in
	jacamar-auth:* | jacamar-ci:auth) ;;
	jacamar-ci:*) words+=' --no-auth --list' && ((COMP_CWORD == 1)) && words+=' auth doctor explain' ;;
	*) words+=' --no-auth' && ((COMP_CWORD == 1)) && words+=' doctor explain' ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _jacamar jacamar jacamar-auth jacamar-ci
