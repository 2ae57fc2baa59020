# bash completion for warren(8), also under its names warrend, wg and wg-quick
_warren_words()
{
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word")
}

_warren_files()
{
	compopt -o filenames 2>/dev/null # fails outside of a completion, in tests
	mapfile -t COMPREPLY < <(compgen -f -- "$word")
}

# The last item of a list with commas, of those that are not in it yet.
_warren_list()
{
	local taken=${word%"${word##*,}"} item left=
	for item in $1; do
		[[ ,$taken == *,"$item",* ]] || left+=" $item"
	done
	compopt -o nospace 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -P "$taken" -W "$left" -- "${word##*,}")
}

_warren_interfaces()
{
	_warren_words "$1 $("$program" show interfaces 2>/dev/null)"
}

_warren_run()
{
	case $previous in
	--cipher) _warren_words 'auto libcrypto avx2' ;;
	--key-log) _warren_files ;;
	--workers) _warren_words '1 2 4 8' ;;
	--offload) _warren_list "all none $(echo {-,}{tun-tso,tun-uso,join-tcp,join-udp,udp-gso,udp-gro})" ;;
	*) _warren_words '-f --foreground --cipher --key-log --workers --offload -h --help --version' ;;
	esac
}

_warren_show()
{
	local fields='public-key private-key listen-port fwmark peers preshared-keys endpoints
		allowed-ips latest-handshakes transfer persistent-keepalive dump'
	local extra=
	[[ $program == wg ]] || extra='--json'
	if [[ $word == -* ]]; then
		_warren_words "$extra --help"
	elif ((count == 0)); then
		_warren_interfaces "all interfaces $extra"
	elif ((count == 1)) && [[ ${arguments[0]} != interfaces ]]; then
		[[ -z $extra || ${arguments[0]} == all ]] || fields+=' drops'
		_warren_words "$fields"
	fi
}

_warren_set()
{
	local peer=false i
	for ((i = 1; i < count; ++i)); do
		[[ ${arguments[i]} == peer ]] && peer=true
	done
	case $previous in
	private-key | preshared-key) _warren_files ;;
	peer) _warren_words "$("$program" show "${arguments[0]}" peers 2>/dev/null)" ;;
	fwmark) _warren_words 'off' ;;
	persistent-keepalive) _warren_words 'off 25' ;;
	listen-port | endpoint | allowed-ips) ;;
	*)
		if $peer; then
			_warren_words 'remove endpoint allowed-ips persistent-keepalive preshared-key peer'
		else
			_warren_words 'listen-port fwmark private-key peer'
		fi
		;;
	esac
}

_warren_new_key()
{
	if [[ $previous == -o ]]; then
		_warren_files
	elif [[ $program != wg ]]; then
		_warren_words '-o --help'
	fi
}

_warren_why()
{
	if [[ $word == -* ]]; then
		_warren_words '-s --search --markdown -h --help'
	else
		_warren_words "$("$program" why 2>/dev/null | sed -n 's/^  \([^ ]*\).*/\1/p')"
	fi
}

_warren_check()
{
	if [[ $word == -* ]]; then
		_warren_words '--host --strict --json --sarif --fix -y --yes -h --help'
	else
		_warren_files
	fi
}

# A tunnel by its name, of /etc/wireguard, or by a file of that form.
_warren_tunnel()
{
	local file names=
	if [[ $word == */* ]]; then
		_warren_files
		return
	fi
	for file in /etc/wireguard/*.conf; do
		[[ ! -r $file ]] || { file=${file##*/}; names+=" ${file%.conf}"; }
	done
	_warren_words "$names"
}

_warren_up()
{
	if [[ $previous == --engine ]]; then
		_warren_words 'auto kernel user'
	elif [[ $word == -* ]]; then
		_warren_words '--dry-run --force --engine -h --help'
	elif ((count == 0)); then
		_warren_tunnel
	fi
}

_warren_sync()
{
	if [[ $previous == --confirm ]]; then
		_warren_words '30 60 120 yes no'
	elif [[ $word == -* ]]; then
		_warren_words '--dry-run --confirm -h --help'
	elif ((count == 0)); then
		_warren_tunnel
	fi
}

_warren_one_tunnel()
{
	if [[ $word == -* ]]; then
		_warren_words '-h --help'
	elif ((count == 0)); then
		_warren_tunnel
	fi
}

_warren_quick()
{
	if ((COMP_CWORD == 1)); then
		_warren_words 'up down save strip --help'
	elif ((COMP_CWORD == 2)); then
		_warren_tunnel
	fi
}

_warren_verb()
{
	case $verb in
	run) _warren_run ;;
	show) _warren_show ;;
	showconf) ((count > 0)) || _warren_interfaces ;;
	set)
		if ((count == 0)); then
			_warren_interfaces
		else
			_warren_set
		fi
		;;
	setconf | addconf | syncconf)
		case $count in
		0) _warren_interfaces ;;
		1) _warren_files ;;
		esac
		;;
	genkey | genpsk) _warren_new_key ;;
	up) _warren_up ;;
	sync) _warren_sync ;;
	down | save | strip | keep) _warren_one_tunnel ;;
	check) _warren_check ;;
	why) _warren_why ;;
	esac
}

_warren()
{
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
	local program=${COMP_WORDS[0]##*/} verb=${COMP_WORDS[1]} first=2 arguments=() count i
	local wg_verbs='show showconf set setconf addconf syncconf genkey genpsk pubkey'

	COMPREPLY=()
	# --offload=LIST comes in three words.
	[[ $previous$word != --*= ]] || word=
	[[ $previous != '=' || ${COMP_WORDS[COMP_CWORD-2]} != --* ]] || previous=${COMP_WORDS[COMP_CWORD-2]}
	if [[ $program == wg-quick ]]; then
		_warren_quick
		return
	fi
	[[ $program != warrend ]] || { verb=run first=1; }
	if ((COMP_CWORD < first)); then
		if [[ $program == wg ]]; then
			_warren_words "$wg_verbs --help --version"
		else
			_warren_words "up down sync save strip keep run check why $wg_verbs --help --version"
		fi
		return
	fi
	for ((i = first; i < COMP_CWORD; ++i)); do
		[[ ${COMP_WORDS[i]} == -* ]] || arguments+=("${COMP_WORDS[i]}")
	done
	count=${#arguments[@]}
	_warren_verb
}
complete -F _warren warren warrend
# Under this name where warren is installed as wg: else wg and wg-quick have completions of their own.
[[ ${BASH_SOURCE[0]##*/} != @(wg|wg-quick) ]] || complete -F _warren wg wg-quick
