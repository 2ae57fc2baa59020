# fish completion for warren(8), also under its names warrend and wg
function __warren_words # the words before the cursor without options, the program's name first
	for word in (commandline -opc)
		string match -q -- '-*' $word; or echo $word
	end
end

function __warren_is # VERB [N]: this verb, with N words behind it so far
	set -l words (__warren_words)
	test "$words[2]" = $argv[1]; or return 1
	set -q argv[2]; or return 0
	test (count $words) -eq (math 2 + $argv[2])
end

function __warren_is_at_verb
	test (count (__warren_words)) -eq 1
end

function __warren_sets # BEFORE: in set, behind an interface, not behind a word that wants a value
	__warren_is set; or return 1
	set -l words (__warren_words)
	test (count $words) -gt 2; or return 1
	contains -- $words[-1] private-key preshared-key peer fwmark persistent-keepalive listen-port endpoint allowed-ips; and return 1
	if contains -- peer $words[4..-1]
		test $argv[1] = peer
	else
		test $argv[1] = device
	end
end

function __warren_sets_value # WORD: the value of this word of set
	__warren_is set; or return 1
	set -l words (__warren_words)
	test (count $words) -gt 3; and test "$words[-1]" = $argv[1]
end

function __warren_interfaces
	set -l words (__warren_words)
	set -l program (string replace -r '.*/' '' -- $words[1])
	string split -n ' ' (command $program show interfaces 2>/dev/null)
end

function __warren_keys
	set -l words (__warren_words)
	set -l program (string replace -r '.*/' '' -- $words[1])
	command $program show $words[3] peers 2>/dev/null
end

function __warren_tunnels
	for file in /etc/wireguard/*.conf
		string replace -r '.*/(.*)\.conf$' '$1' -- $file
	end
end

if test (status basename) = wg-quick.fish
	complete -c wg-quick -f
	complete -c wg-quick -n __warren_is_at_verb -a up -d 'bring a tunnel up'
	complete -c wg-quick -n __warren_is_at_verb -a down -d 'take it down'
	complete -c wg-quick -n __warren_is_at_verb -a save -d 'write what runs into its file'
	complete -c wg-quick -n __warren_is_at_verb -a strip -d 'print it for wg setconf'
	for verb in up down save strip
		complete -c wg-quick -n "__warren_is $verb 0" -a '(__warren_tunnels)' -d tunnel
		complete -c wg-quick -n "__warren_is $verb 0" -F
	end
	exit
end

set -l programs warren
test (status basename) = wg.fish; and set programs wg
for program in $programs
	complete -c $program -f
	complete -c $program -n __warren_is_at_verb -a show -d 'devices and their peers'
	complete -c $program -n __warren_is_at_verb -a showconf -d 'a device as a file for setconf'
	complete -c $program -n __warren_is_at_verb -a set -d 'change a device or its peers'
	complete -c $program -n __warren_is_at_verb -a setconf -d 'make the device what the file says'
	complete -c $program -n __warren_is_at_verb -a addconf -d 'add what the file says'
	complete -c $program -n __warren_is_at_verb -a syncconf -d 'as setconf, without touching peers that stay'
	complete -c $program -n __warren_is_at_verb -a genkey -d 'a new private key'
	complete -c $program -n __warren_is_at_verb -a genpsk -d 'a new preshared key'
	complete -c $program -n __warren_is_at_verb -a pubkey -d 'the public key of a private key on standard input'
	complete -c $program -n __warren_is_at_verb -l version -d 'show the version'
	complete -c $program -n __warren_is_at_verb -l help -d 'show help'
	for verb in show showconf set setconf addconf syncconf
		complete -c $program -n "__warren_is $verb 0" -a '(__warren_interfaces)' -d interface
	end
	complete -c $program -n '__warren_is show 0' -a 'all interfaces'
	complete -c $program -n '__warren_is show 1; and not __fish_seen_subcommand_from interfaces' -a 'public-key private-key listen-port fwmark peers preshared-keys endpoints allowed-ips latest-handshakes transfer persistent-keepalive dump'
	complete -c $program -n '__warren_is show' -l help -d 'show help'
	for verb in setconf addconf syncconf
		complete -c $program -n "__warren_is $verb 1" -F
	end
	complete -c $program -n '__warren_sets device' -a 'listen-port fwmark private-key peer'
	complete -c $program -n '__warren_sets peer' -a 'remove endpoint allowed-ips persistent-keepalive preshared-key peer'
	complete -c $program -n '__warren_sets_value peer' -a '(__warren_keys)' -d 'public key'
	complete -c $program -n '__warren_sets_value fwmark' -a off
	complete -c $program -n '__warren_sets_value persistent-keepalive' -a 'off 25'
	complete -c $program -n '__warren_sets_value private-key' -F
	complete -c $program -n '__warren_sets_value preshared-key' -F
end

# What is not wg's.
if contains warren $programs
	complete -c warren -n __warren_is_at_verb -a up -d 'bring a tunnel up, whole or not at all'
	complete -c warren -n __warren_is_at_verb -a down -d 'take it down'
	complete -c warren -n __warren_is_at_verb -a sync -d 'make the running tunnel equal to its file, live'
	complete -c warren -n __warren_is_at_verb -a save -d 'write what runs into its file'
	complete -c warren -n __warren_is_at_verb -a strip -d 'print the file for setconf'
	complete -c warren -n __warren_is_at_verb -a keep -d 'stay, watch over the tunnel and repair it'
	for verb in up down sync save strip keep
		complete -c warren -n "__warren_is $verb 0" -a '(__warren_tunnels)' -d tunnel
		complete -c warren -n "__warren_is $verb 0" -F
		complete -c warren -n "__warren_is $verb" -s h -l help -d 'show help'
	end
	complete -c warren -n '__warren_is up; or __warren_is sync' -l dry-run -d 'print the steps and do nothing'
	complete -c warren -n '__warren_is up' -l force -d 'go on in spite of errors in the file'
	complete -c warren -n '__warren_is up' -l engine -x -a 'auto kernel user' -d 'what makes the interface'
	complete -c warren -n '__warren_is sync' -l confirm -x -a '30 60 120 yes no' -d 'undo everything unless confirmed in time'
	complete -c warren -n __warren_is_at_verb -a run -d 'the userspace engine on one interface'
	complete -c warren -n __warren_is_at_verb -a check -d 'every mistake in files, and across files'
	complete -c warren -n __warren_is_at_verb -a why -d 'the page of an id: what goes wrong, and what to do'
	complete -c warren -n '__warren_is show' -l json -d 'as JSON, without secrets'
	complete -c warren -n '__warren_is show 1; and not __fish_seen_subcommand_from interfaces all' -a drops -d 'why packets were refused'
	for verb in genkey genpsk
		complete -c warren -n "__warren_is $verb" -s o -r -F -d 'write a new file that only its owner can read'
	end
	for verb in run check showconf set setconf addconf syncconf genkey genpsk pubkey why
		complete -c warren -n "__warren_is $verb" -l help -d 'show help'
	end
	complete -c warren -n '__warren_is run; or __warren_is check; or __warren_is why' -s h -d 'show help'
	complete -c warren -n '__warren_is check' -F
	complete -c warren -n '__warren_is check' -l host -d 'judge the files for this host too'
	complete -c warren -n '__warren_is check' -l strict -d 'warnings count like errors'
	complete -c warren -n '__warren_is check' -l json -d 'as JSON'
	complete -c warren -n '__warren_is check' -l sarif -d 'as SARIF 2.1.0'
	complete -c warren -n '__warren_is check' -l fix -d 'mend what has one safe answer'
	complete -c warren -n '__warren_is check' -s y -l yes -d 'do not ask'
	complete -c warren -n '__warren_is why' -a '(warren why 2>/dev/null | string match -r "^  \S+ .*" | string replace -r "^  (\S+) +" "\$1\t")'
	complete -c warren -n '__warren_is why' -s s -l search -d 'list the pages that mention every TEXT'
	complete -c warren -n '__warren_is why' -l markdown -d 'all pages as Markdown'
	complete -c warrend -f
	complete -c warrend -s h -l help -d 'show help'
	for program in warren warrend
		set -l when true
		test $program = warren; and set when '__warren_is run'
		complete -c $program -n $when -s f -l foreground -d 'stay in the foreground and log to standard error'
		complete -c $program -n $when -l cipher -x -a 'auto libcrypto avx2' -d 'the code that seals and opens packets'
		complete -c $program -n $when -l key-log -r -F -d 'append the keys of every handshake to a file, for Wireshark'
		complete -c $program -n $when -l workers -x -a '1 2 4 8' -d 'threads that carry packets'
		complete -c $program -n $when -l offload -x -a '(__fish_append , all none {-,}{tun-tso,tun-uso,join-tcp,join-udp,udp-gso,udp-gro})' -d 'offloads to use, or with a - not to use'
		complete -c $program -n $when -l version -d 'show the version'
	end
end
