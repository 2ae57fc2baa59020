# fish completion for warren(8)
complete -c warren -n __fish_use_subcommand -f -a run -d 'the userspace engine on one interface'
complete -c warren -n __fish_use_subcommand -f -l version -d 'show the version'
complete -c warren -f -s h -l help -d 'show help'
for program in warren warrend
	set -l when true
	test $program = warren; and set when '__fish_seen_subcommand_from run'
	complete -c $program -n $when -f -s f -l foreground -d 'stay in the foreground and log to standard error'
	complete -c $program -n $when -l cipher -x -a 'auto libcrypto avx2' -d 'the code that seals and opens packets'
	complete -c $program -n $when -l key-log -r -d 'append the keys of every handshake to a file, for Wireshark'
	complete -c $program -n $when -l workers -x -a '1 2 4 8' -d 'threads that carry packets'
	complete -c $program -n $when -l offload -x -a 'all none '(echo {-,}{tun-tso,tun-uso,join-tcp,join-udp,udp-gso,udp-gro}) -d 'offloads to use, or with a - not to use'
end
