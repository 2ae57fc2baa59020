"""Warren's `wg` and the stock one, on the Linux kernel driver: what one writes the other reads, and both say the same.

All runs in one guest, whose processor is emulated: the loops are a shell script of its own, and only what differs
comes out.
"""
import time

import pytest

from harness import scenario, warren_path
from kernel_vm import Guest, Unavailable, prepare, with_programs

# Devices k0, written by Warren, and k1, by the stock tool. Numbers alone are good keys as long as the last is a 0.
SCRIPT = r"""
W=/w/wg S=/x/wg
key() { printf '%042d0=' "$1"; }

# device: the [Interface] of every file; peers FROM TO SALT: peers of all kinds, which SALT changes a little
device() {
	printf '[Interface]\nPrivateKey=%s\nListenPort=%d\nFwMark=0x%x\n' "$(key 900001)" $((1000 + $1)) "$1"
}
peers() {
	awk -v from="$1" -v to="$2" -v salt="$3" 'BEGIN {
		for (i = from; i <= to; ++i) {
			printf "[Peer]\nPublicKey=%042d0=\n", i
			if (i % 3 == 0) printf "PresharedKey=%042d0=\n", 5000 + i + salt
			if (i % 5 == 0) printf "Endpoint=[fd00::%x]:%d\n", i, 1 + i
			else if (i % 2) printf "Endpoint=192.0.2.%d:%d\n", i % 256, 1 + i + salt
			if (i % 4 == 1) printf "PersistentKeepalive=%d\n", 1 + i + salt
			for (j = 0; j < (i + salt) % 5; ++j)
				if (j % 2) printf "AllowedIPs=fd00:%x:%x::/48\n", i, j
				else printf "AllowedIPs=10.%d.%d.%d/32\n", i / 256, i % 256, j
		}
	}'
}
# addresses V4 V6: one peer with so many of each, then another
addresses() {
	awk -v v4="$1" -v v6="$2" 'BEGIN {
		printf "[Peer]\nPublicKey=%042d0=\nPersistentKeepalive=9\n", 1
		for (i = 0; i < v4; ++i) printf "AllowedIPs=10.0.%d.%d/32\n", i / 256, i % 256
		for (i = 0; i < v6; ++i) printf "AllowedIPs=fd00::%x/128\n", i
		printf "[Peer]\nPublicKey=%042d0=\nAllowedIPs=192.0.2.1/32,192.0.2.2/32\n", 2
	}'
}

# equal WHAT WORDS...: both tools say the same about all devices, and of k0 the same as of k1
equal() {
	what="$1"; shift
	$W "$@" > /tmp/w 2>&1 || echo "$what: $* by Warren: $(tail -n 1 /tmp/w)"
	$S "$@" > /tmp/s 2>&1
	awk -v what="$what" 'NR == FNR { warren[FNR] = $0; rows = FNR; next }
		warren[FNR] != $0 { print what ": line " FNR " is\n" warren[FNR] "\nand should be\n" $0; exit }
		sub(/^k0/, "") { first[++n] = $0; next }
		sub(/^k1/, "") && first[++m] != $0 { print what ": k0 has\n" first[m] "\nand k1\n" $0; exit }
		END { if (rows != FNR || m != n || !n) print what ": " rows " lines, should be " FNR ", " n " and " m }' /tmp/w /tmp/s
}
# both WHAT VERB WORDS...: what Warren does to k0 is what the stock tool does to k1
both() {
	what="$1" verb="$2"; shift 2
	$W "$verb" k0 "$@" > /tmp/o 2>&1 || echo "$what: $verb: $(cat /tmp/o)"
	$S "$verb" k1 "$@" > /tmp/o 2>&1 || echo "$what: stock $verb: $(cat /tmp/o)"
	equal "$what, $verb" show all dump
}

count_peers() {
	for n in $(seq "$1" "$2"); do
		(device $n; peers 1 $n 0) > /tmp/a
		both "$n peers" setconf /tmp/a
		(device $n; peers 2 $((n + 1)) 7) > /tmp/a
		both "$n peers" syncconf /tmp/a
		[ $((n % 20)) = 0 ] || continue
		peers $((n / 2)) $((n + 5)) 3 > /tmp/a
		both "$n peers" addconf /tmp/a
		both "$n peers" set fwmark 7 peer $(key $n) remove peer $(key 5) allowed-ips 10.9.0.0/16,fd09::/16 \
			endpoint 192.0.2.7:7 persistent-keepalive 7 peer $(key 777) preshared-key /dev/null
		$W showconf k0 > /tmp/w
		$S showconf k0 > /tmp/s
		cmp /tmp/w /tmp/s
	done
}
# refused WORDS...: both tools fail, and with the same words
refused() {
	$W "$@" > /tmp/w 2>&1 && echo "$*: Warren succeeds"
	$S "$@" > /tmp/s 2>&1 && echo "$*: the stock tool succeeds"
	cmp -s /tmp/w /tmp/s || echo "$*: $(cat /tmp/w); should be: $(cat /tmp/s)"
}
# whole FILE: a dump of k0 in which no peer comes twice and no line is cut
whole() {
	awk -F '\t' 'FNR == 1 && NF != 4 || FNR > 1 && NF != 8 { print "line " FNR " has " NF " columns" }
		FNR > 1 && seen[$1]++ { print $1 " comes twice" }' "$1"
}
change_all_the_time() {
	while [ ! -e /tmp/over ]; do
		$S setconf k0 /tmp/a
		$S addconf k0 /tmp/b
	done
}
read_meanwhile() {
	rm -f /tmp/over
	change_all_the_time & changer=$!
	for n in $(seq 1 "$1"); do
		$W show k0 dump > /tmp/w 2>&1 || cat /tmp/w
		whole /tmp/w
	done
	touch /tmp/over
	wait $changer
}

count_addresses() {
	for n in $(seq "$1" "$2"); do
		(device 1; addresses $n $3) > /tmp/a
		both "$n addresses and $3" setconf /tmp/a
	done
}
"""


@pytest.fixture(scope="session", autouse=True)
def kernel():
    try:
        return prepare()
    except Unavailable as why:
        pytest.skip(str(why))


def boot(lab):
    guest = Guest(lab, lab.namespace(), with_programs({"wg": warren_path()}, {"check.sh": SCRIPT}))
    guest.run("ip link add k0 type wireguard; ip link add k1 type wireguard; . /w/check.sh")
    return guest


def silent(guest, command, seconds=1500):
    began = time.monotonic()
    said = guest.run(command, seconds=seconds)
    print(f"{command}: {time.monotonic() - began:.0f} s")
    assert said == "", said[:2000]


@scenario(seconds=7200)
def fc9_every_count_on_the_kernel_driver(lab):
    """Every number of peers from 1 to 200, and addresses around the ends of requests and of dumped messages."""
    guest = boot(lab)
    for first in range(1, 200, 10):
        silent(guest, f"count_peers {first} {first + 9}")
    # A request of 4096 bytes holds 143 v4 or 100 v6 addresses; the kernel's messages are of 4 to 32 KiB.
    for first, last, v6 in ((0, 2, 0), (139, 146, 0), (284, 289, 0), (1160, 1170, 0), (0, 1, 99), (0, 1, 100), (0, 1, 101)):
        silent(guest, f"count_addresses {first} {last} {v6}")
    silent(guest, "(device 1; peers 1 2000 0) > /tmp/a; both '2000 peers' setconf /tmp/a")
    silent(guest, "(device 1; peers 3 2003 7) > /tmp/a; both '2000 peers' syncconf /tmp/a")
    silent(guest, "(device 1; addresses 20000 20000) > /tmp/a; both '40000 addresses' setconf /tmp/a")


@scenario(seconds=1800)
def fc8_dumps_of_what_changes_on_the_kernel_driver(lab):
    """The kernel marks such a dump as interrupted: it is read again, and never shown in halves."""
    guest = boot(lab)
    silent(guest, "(device 1; peers 1 300 0) > /tmp/a; (device 1; peers 150 450 3; addresses 2000 500) > /tmp/b")
    silent(guest, "read_meanwhile 25")


@scenario(seconds=900)
def wg_says_what_the_kernel_driver_refuses(lab):
    guest = boot(lab)
    for words in ("show nosuch", "show lo", "set nosuch fwmark 1", "set lo fwmark 1", "showconf nosuch",
                  "setconf nosuch /dev/null", "syncconf nosuch /dev/null"):
        silent(guest, f"refused {words}")
    silent(guest, "$W set k0 listen-port 1000; $W set k1 listen-port 1001; ip link set k0 up; ip link set k1 up")
    silent(guest, "refused set k0 listen-port 1001")
    silent(guest, "$W set k0 peer $(key 1) allowed-ips 10.0.0.0/8")
    # 6.1 does not know that flag of an address (behaviour.md C)
    said = guest.run("$W set k0 peer $(key 1) allowed-ips -10.0.0.0/8", check=False)
    assert said == "Unable to modify interface: Invalid argument\n", said
    assert "10.0.0.0/8" in guest.run("$W show k0 allowed-ips")
