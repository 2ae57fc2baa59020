"""What up does with a tunnel's rules, by the program of ../net_tool, and what a capture says of leaks."""
import os
import pathlib
import socket
import struct

from harness import ROOT, WORK

KEY = "mCPUu8PMp8V5Mk6DT0c4Jqr5wGDak4wgEtNbC72x8E0="
PEER = "[Peer]\nPublicKey = bEOxOlS172afGJzIXTs2V4lldpy9xLGNImHru1t9lmc=\n"


def net_tool():
    return str(pathlib.Path(os.environ.get("WARREN_BUILD") or ROOT / "build/main", "net_tool").resolve())


class Rules:
    """The rules of one tunnel in a namespace: `with Rules(...)` has them there and takes them back."""

    def __init__(self, ns, text, link="wg0", mark=51820):
        self.ns, self.link, self.mark = ns, link, mark
        self.path = WORK / f"{link}.conf"
        self.path.write_text(f"[Interface]\nPrivateKey = {KEY}\n{text}")
        self.items = self.wanted()

    def wanted(self):
        return self.ns.run(net_tool(), "items", self.path, self.link, self.mark)

    def add(self):
        self.ns.run(net_tool(), "add", stdin=self.items)

    def remove(self):
        self.ns.run(net_tool(), "remove", stdin=self.items)

    def there(self):
        return [int(n) for n in self.ns.run(net_tool(), "there", stdin=self.items).split()]

    def __enter__(self):
        self.add()
        return self

    def __exit__(self, *_):
        self.remove()


def ruleset(ns):
    return ns.run("nft", "list", "ruleset")


def in_clear(frames, outer=()):
    """(source, target) of what was sent in clear: all IP but UDP of the ports `outer`, and what a link needs for
    itself (neighbour discovery, listener reports)."""
    found = []
    for _when, data, _outgoing in frames:
        version = data[0] >> 4
        if version == 4 and len(data) >= 20:
            protocol, header = data[9], (data[0] & 15) * 4
            source, target = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
        elif version == 6 and len(data) >= 40:
            protocol, header = data[6], 40
            source, target = (socket.inet_ntop(socket.AF_INET6, data[i:i + 16]) for i in (8, 24))
            if target.startswith("ff02:") or (protocol == 58 and data[40] in range(133, 137)):
                continue
        else:
            continue
        if protocol == 17 and set(struct.unpack("!HH", data[header:header + 4])) & set(outer):
            continue
        found.append((source, target))
    return found
