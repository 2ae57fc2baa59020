# bash completion for warren(8)
_warren()
{
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}

	if [[ ${COMP_WORDS[0]##*/} != warrend && $COMP_CWORD -eq 1 ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'run --help --version' -- "$word")
	elif [[ $previous == --cipher ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'auto libcrypto avx2' -- "$word")
	elif [[ $previous == --key-log ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	elif [[ $previous == --workers ]]; then
		mapfile -t COMPREPLY < <(compgen -W '1 2 4 8' -- "$word")
	elif [[ $previous == --offload ]]; then
		mapfile -t COMPREPLY < <(compgen -W "all none $(echo {-,}{tun-tso,tun-uso,join-tcp,join-udp,udp-gso,udp-gro})" -- "$word")
	else
		mapfile -t COMPREPLY < <(compgen -W '-f --foreground --cipher --key-log --workers --offload --help --version' -- "$word")
	fi
}
complete -F _warren warren warrend
