#!/bin/sh
# The packages of `make deb` install on a Debian 12 that has nothing, take the place of
# wireguard-tools where asked to, run there, and leave without a trace.
for program in mmdebstrap dh unshare; do
	command -v $program >/dev/null || { echo "SKIP: $program is missing"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "SKIP: needs root"; exit 77; }
# A mount namespace of its own, in which everything ends with this script.
[ -n "${DEB_TEST_INSIDE-}" ] || exec env DEB_TEST_INSIDE=1 unshare --mount --pid --fork --kill-child --mount-proc "$0" "$@"
work=$(mktemp -d)
trap 'umount -R "$work/root/proc" "$work/root/dev/net/tun" 2>/dev/null; rm -rf --one-file-system "$work"' EXIT
passed=0

die()
{
	echo "not so: $*"
	echo "$passed passed, 1 failed, 0 skipped"
	exit 1
}

pass()
{
	passed=$((passed + 1))
	echo "ok: $*"
}

inside()
{
	chroot "$work/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"
}

# In a network of its own: nothing of the host's is touched.
apart()
{
	unshare --net chroot "$work/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C sh -euc "$1"
}

tools/deb "$work" >"$work/log" 2>&1 || { cat "$work/log"; die "make deb"; }
pass "make deb"

mmdebstrap --quiet --variant=apt --skip=cleanup/apt --aptopt='APT::Sandbox::User "root"' bookworm "$work/root" \
	>"$work/log" 2>&1 || { echo "SKIP: no Debian mirror: $(tail -1 "$work/log")"; exit 77; }
cp -L /etc/resolv.conf "$work/root/etc/resolv.conf"
cp "$work"/warren*.deb "$work/root/root/"
mount --bind /proc "$work/root/proc"
mkdir -p "$work/root/dev/net"
touch "$work/root/dev/net/tun"
mount --bind /dev/net/tun "$work/root/dev/net/tun"
before=$(inside sh -c 'ls -d /etc/wireguard /usr/bin/w* /usr/lib/systemd/system/w* /usr/libexec/warren /var/lib/warren 2>/dev/null')

version=$(sed -n 's/^warren (\(.*\)) .*/\1/p;q' debian/changelog)
arch=$(dpkg --print-architecture)
inside apt-get install -qqy --no-install-recommends "/root/warren_${version}_$arch.deb" >"$work/log" 2>&1 ||
	{ cat "$work/log"; die "installs"; }
[ "$(inside warren --version)" = "warren $version" ] || die "runs"
[ "$(inside stat -c %a /etc/wireguard)" = 700 ] || die "the folder of keys is private"
pass "installs and runs on a clean Debian 12"

cat >"$work/run.sh" <<'END'
	umask 077
	warren genkey >/root/key
	warren run deb0
	warren set deb0 private-key /root/key
	test "$(warren show deb0 public-key)" = "$(warren pubkey </root/key)"
	/usr/libexec/warren/wg show interfaces | grep -qx deb0
	rm /run/wireguard/deb0.sock
	printf '[Interface]\nPrivateKey = %s\nAddress = 10.9.9.1/24\n' "$(cat /root/key)" >/etc/wireguard/deb1.conf
	warren up deb1
	grep -q deb1: /proc/net/dev
	warren keep deb1 &
	keep=$!
	sleep 5
	kill -TERM $keep
	wait $keep
	! grep deb1: /proc/net/dev
END
apart "$(cat "$work/run.sh")" || die "engine, up, keep and down run"
pass "engine, up, keep and down run"

inside apt-get install -qqy --no-install-recommends wireguard-tools "/root/warren-drop-in_${version}_all.deb" >"$work/log" 2>&1 &&
	die "stands beside what it takes the place of"
inside apt-get install -qqy --no-install-recommends wireguard-tools >"$work/log" 2>&1 || { cat "$work/log"; die "wireguard-tools"; }
inside apt-get install -qqy --no-install-recommends "/root/warren-drop-in_${version}_all.deb" >"$work/log" 2>&1 ||
	{ cat "$work/log"; die "takes the place"; }
for name in wg wg-quick; do
	[ "$(inside readlink /usr/bin/$name)" = warren ] || die "$name is ours"
done
inside dpkg-query -W -f '${db:Status-Status}' wireguard-tools | grep -qx installed && die "wireguard-tools is gone"
[ "$(inside wg genkey | wc -c)" = 45 ] || die "wg runs"
apart 'wg-quick up deb1; wg show deb1 | grep -q "^interface: deb1"; wg-quick down deb1' || die "wg-quick runs"
rm "$work/root/etc/wireguard/deb1.conf"
inside apt-get check -qq || die "nothing is broken"
pass "takes the place of wireguard-tools"

inside apt-get purge -qqy warren warren-drop-in wireguard-tools >"$work/log" 2>&1 || { cat "$work/log"; die "leaves"; }
after=$(inside sh -c 'ls -d /etc/wireguard /usr/bin/w* /usr/lib/systemd/system/w* /usr/libexec/warren /var/lib/warren 2>/dev/null')
[ "$before" = "$after" ] || die "leaves something behind: $after"
pass "leaves nothing behind"
echo "$passed passed, 0 failed, 0 skipped"
