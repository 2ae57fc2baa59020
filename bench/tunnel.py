"""A tunnel of one kind of engine between two hosts, and a client behind the first: equal for every kind.

client --(cable)-- a ==(tunnel over a cable)== b
"""
from engine import Engine, new_key
from world import Failure, Host, sh

MTU = 1420
FAR = "10.0.0.2"


class Tunnel:
    def __init__(self, kind, tag, options=(), jumbo=False):
        self.kind, self.tag = kind, tag
        self.engines, self.hosts = [], []
        try:
            self.build(options, 9000 if jumbo else 1500)
        except Exception:
            self.end()
            raise

    def build(self, options, cable_mtu):
        for _ in range(3):
            self.hosts.append(Host())
        self.a, self.b, self.client = self.hosts
        self.a.cable(self.b, "cable", "192.0.2.1/24", "192.0.2.2/24", cable_mtu)
        self.client.cable(self.a, "inner", "10.1.0.2/24", "10.1.0.1/24", MTU)
        self.a.write("/proc/sys/net/ipv4/ip_forward", "1")
        self.client.ip("route add default via 10.1.0.1")
        self.keys = [new_key(), new_key()]
        for i, host in enumerate((self.a, self.b)):
            self.engines.append(Engine(self.kind, host, f"{self.tag}{i}", options))
            self.configure(i)
            host.ip(f"address add 10.0.0.{i + 1}/24 dev {self.tag}{i}")
            host.ip(f"link set {self.tag}{i} mtu {MTU} up")
        self.b.ip(f"route add 10.1.0.0/24 dev {self.tag}1")
        # The first initiation may meet an end that does not yet know that its link is up.
        self.a.run("ping", "-c", "1", "-w", "15", FAR, capture_output=True)

    def configure(self, i):
        other = 2 - i
        allowed = "10.0.0.2/32" if i == 0 else "10.0.0.1/32,10.1.0.0/24"
        sh("wg", "set", f"{self.tag}{i}", "private-key", self.keys[i][0], "listen-port", "51820", "peer", self.keys[1 - i][1],
           "endpoint", f"192.0.2.{other}:51820", "allowed-ips", allowed, capture_output=True)

    def set_mtu(self, mtu):
        for i, host in enumerate((self.a, self.b)):
            host.ip(f"link set {self.tag}{i} mtu {mtu}")

    def cpu_seconds(self):
        return [engine.cpu_seconds() for engine in self.engines]

    def counters(self):
        return [engine.counters() for engine in self.engines]

    def is_alive(self):
        return all(engine.process.poll() is None for engine in self.engines)

    def check(self):
        if not self.is_alive():
            raise Failure(f"{self.kind.name} has ended")

    def end(self):
        for engine in self.engines:
            engine.end()
        for host in self.hosts:
            host.end()
        self.engines, self.hosts = [], []
