"""A WireGuard device, its addresses, routes and rules on Debian's kernel: what we do reads in `ip` as what `ip` does."""
import json

import pytest

from harness import scenario
from kernel_vm import Guest, Unavailable, prepare, with_programs
from test_route import ITEMS, removing, route_path

SCRIPT = r"""
I=/x/ip R=/w/route
told() {
	$I -d addr show dev wg0 2>&1 | sed 's/^[0-9]*: //'
	for f in -4 -6; do $I -d $f route show table all; $I -d $f rule; done
}
# steps theirs|ours: that command of each line of /w/steps
steps() {
	while IFS='|' read -r theirs ours; do
		[ "$1" = ours ] && theirs="$ours"
		eval "$theirs" || echo "failed: $theirs"
	done < /w/steps
}
"""


def steps():
    """Lines of what `ip` is told and what we are: it comes, all is added, all is removed, it goes."""
    yield "$I link add wg0 type wireguard; told|$R link add wg0; told"
    yield "$I link set wg0 mtu 1380 up; told|$R link up wg0 1380; told"
    yield "$I link set wg0 mtu 1370|$R add mtu wg0 1370"
    for line, words in ITEMS:
        yield f"$I {line}|$R add {words}"
    yield "told|told"
    for line, words in reversed(ITEMS):
        if "rule add" in line and "pref" not in line:
            line = f"{line[:2]} rule add pref {words.split()[2]}"
        yield f"$I {removing(line)}|$R remove {words}"
    yield "told|told"
    yield "$I link del wg0|$R link remove wg0"
    yield "told|$R link remove wg0; told"


@pytest.fixture(scope="session", autouse=True)
def kernel():
    try:
        return prepare()
    except Unavailable as why:
        pytest.skip(str(why))


@scenario(seconds=1800)
def device_of_the_driver_reads_as_ip_makes_it(lab):
    script = "".join(f"{line}\n" for line in steps())
    guest = Guest(lab, lab.namespace(), with_programs({"route": route_path()}, {"script": SCRIPT, "steps": script}))
    guest.run("ip link set eth0 down; . /w/script")
    guest.run("steps theirs > /tmp/theirs 2>&1; steps ours > /tmp/ours 2>&1", seconds=1500)
    assert "failed" not in guest.run("grep failed /tmp/theirs", check=False)
    assert guest.run("diff /tmp/theirs /tmp/ours | head -n 40", check=False) == ""
    assert int(guest.run("grep -c wireguard /tmp/ours")) == 4
    assert int(guest.run("wc -l < /tmp/ours")) > len(ITEMS)
    guest.run("$R link add wg0")
    assert {"name": "wg0", "wireguard": True}.items() <= json.loads(guest.run("$R observe"))["links"][-1].items()
    assert "EEXIST" in guest.run("$R link add wg0", check=False)
