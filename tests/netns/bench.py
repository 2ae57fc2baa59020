"""One engine in namespace a and Python peers in namespace b: the usual bench of the protocol tests."""
import base64

from harness import Keys
from pywg import ZEROS, Peer

PORT = 51820


class Bench:
    """Engine wga at 10.1.0.1 and fd01::1, inner 10.9.0.1 and fd09::1; peer i has 10.9.0.(2+i) and fd09::(2+i)."""

    def __init__(self, lab, peers=1, psk=None, endpoint=True, keepalive=0, mtu=None, allowed=None, kind=None, args=(),
                 env=None, up=True, wrapper=(), ready=True):
        self.lab = lab
        self.a, self.b = lab.pair()
        for ns in (self.a, self.b):
            ns.sysctl("net.ipv4.conf.all.rp_filter", 0)
            ns.sysctl("net.ipv4.conf.default.rp_filter", 0)
            ns.sysctl("net.ipv6.bindv6only", 1)
            ns.sysctl("net.ipv4.icmp_ratelimit", 0)
        self.keys, self.psk = Keys(), psk
        self.target = ("10.1.0.1", PORT)
        self.engine = lab.engine("wga", self.a, kind=kind, args=args, env=env, wrapper=wrapper)
        self.peers = [Peer(self.b, "10.1.0.2", self.keys.public, self.target,
                           base64.b64decode(psk) if psk else ZEROS, port=5000 + i) for i in range(peers)]
        self.engine.configure(self.keys.private, PORT, peers=[{
            "public": peer.key.public_text, "psk": psk, "keepalive": keepalive,
            "endpoint": f"10.1.0.2:{peer.port}" if endpoint else None,
            "allowed": allowed[i] if allowed else f"10.9.0.{2 + i}/32, fd09::{2 + i}/128"}
            for i, peer in enumerate(self.peers)])
        if up:
            self.engine.up("10.9.0.1/16", "fd09::1/64", mtu=mtu)
            self.a.sysctl("net.ipv4.conf.wga.rp_filter", 0)

    @property
    def peer(self):
        return self.peers[0]

    def endpoint(self, i=0):
        return self.engine.endpoint(self.peers[i].key.public_text)

    def transfer(self, i=0):
        return self.engine.transfer(self.peers[i].key.public_text)

    def inner(self, i=0, family=4):
        """(address of peer i inside, address of the engine inside)."""
        return (f"10.9.0.{2 + i}", "10.9.0.1") if family == 4 else (f"fd09::{2 + i}", "fd09::1")

    def echo(self, i=0, family=4, seconds=2.0, **options):
        return self.peers[i].echo(*self.inner(i, family), seconds=seconds, **options)

    def connect(self, i=0):
        """A session that works both ways."""
        session = self.peers[i].handshake()
        assert session, "no response to a good initiation"
        assert self.echo(i), "no echo through a fresh session"
        return session

    def poke(self, i=0):
        """Make the engine want to send to peer i."""
        sock = self.a.udp("10.9.0.1")
        sock.sendto(b"poke", (f"10.9.0.{2 + i}", 9))
        sock.close()
