"""Load whose every byte is known, and its judge: the program of tests/flow."""
import contextlib
import itertools
import json
import os
import pathlib
import socket
import struct
import subprocess

from harness import ROOT

UDP_SEGMENT = 103
BASES = itertools.count(0, 100)


def flow_path():
    return pathlib.Path(os.environ.get("WARREN_BUILD") or ROOT / "build/main", "flow").resolve()


class Part:
    """One run of the program."""

    def __init__(self, lab, ns, *argv, waits=False):
        self.process = lab.start(ns, flow_path(), *argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if waits:
            assert self.process.stdout.readline() == "ready\n", "no receiver"

    def result(self, seconds):
        """What it printed; it must have gone well. From here on a receiver waits for no more than is under way."""
        text, _ = self.process.communicate(timeout=seconds)
        assert self.process.returncode == 0, f"{self.process.args}: {self.process.returncode} {text}"
        return json.loads(text) if text.strip() else None


class Udp:
    """Flows of datagrams to one receiver. Each send() is another flow; end() judges all of them."""

    def __init__(self, lab, ns, address, port=6100, idle=600):
        self.lab, self.address, self.port, self.sent = lab, address, port, []
        self.base = next(BASES)  # what is late from an earlier load is not of this one
        self.receiver = Part(lab, ns, "udp-receive", address, port, idle, waits=True)

    def send(self, ns, count, least=1000, most=None, rate=0, segments=1):
        number = self.base + len(self.sent) + 1
        self.sent.append(Part(self.lab, ns, "udp-send", self.address, self.port, number, count, least, most or least, rate,
                              segments))

    def wait(self, seconds=60):
        print([part.result(seconds) for part in self.sent])

    def end(self, seconds=60):
        """{flow: {received, bytes, reordered, duplicated, next}} once nothing comes any more; none has wrong bytes."""
        self.wait(seconds)
        found = self.receiver.result(seconds)
        print(found)
        assert found["wrong"] == 0, "datagrams with other bytes than were sent"
        flows = {int(number) - self.base: flow for number, flow in found["flows"].items()}
        flows = {number: flow for number, flow in flows.items() if 0 < number <= len(self.sent)}
        assert sorted(flows) == list(range(1, len(self.sent) + 1)), "a flow of which nothing came"
        return flows

    def end_in_order(self, seconds=60):
        """The same on a clean path: nothing twice, nothing after a later one. How much is lost tells about the machine
        only, as nobody waits for anybody: see bursts()."""
        flows = self.end(seconds)
        for number, flow in flows.items():
            assert flow["reordered"] == flow["duplicated"] == 0, f"flow {number}: {flow}"
        return flows


def bursts(sender_ns, receiver_ns, target, rounds=50, count=16, size=1200, port=6300):
    """Bursts of equal datagrams by one send each; the next once the last has arrived. All must, in order, unchanged."""
    sender, receiver = sender_ns.udp("::" if ":" in target else "0.0.0.0"), receiver_ns.udp(target, port)
    receiver.settimeout(5)
    with sender, receiver:
        for n in range(rounds):
            sent = [os.urandom(size) for _ in range(count)]
            try:
                sender.sendmsg([b"".join(sent)], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", size))], 0, (target, port))
            except OSError:  # a device that does not segment
                for payload in sent:
                    sender.sendto(payload, (target, port))
            got = []
            with contextlib.suppress(TimeoutError):
                while len(got) < count:
                    got.append(receiver.recv(65536))
            assert len(got) == count, f"burst {n}: {count - len(got)} of {count} lost"
            assert got == sent, f"burst {n}: other bytes, or another order"


class Tcp:
    """A stream in which each place has its own bytes."""

    def __init__(self, lab, sender, receiver, address, megabytes, port):
        self.receiver = Part(lab, receiver, "tcp-receive", address, port, port, megabytes << 20, waits=True)
        self.sender = Part(lab, sender, "tcp-send", address, port, port, megabytes << 20)

    def end(self, seconds=60):
        self.sender.result(seconds)
        self.receiver.result(seconds)


def mixed_load(lab, a, b, count=20000, megabytes=20, rate=8000):
    """Both ways at once: small and large datagrams one by one and many by one send, and a stream. Order and bytes."""
    loads = []
    for sender, receiver, address in ((a, b, "10.9.0.2"), (b, a, "fd09::1")):
        udp = Udp(lab, receiver, address)
        udp.send(sender, count, 64, rate=rate)
        udp.send(sender, count // 2, 1200, rate=rate // 2, segments=32)
        udp.send(sender, count // 2, 16, 1372, rate=rate // 2, segments=2)
        loads.append(udp)
    streams = [Tcp(lab, a, b, "10.9.0.2", megabytes, 7100), Tcp(lab, b, a, "10.9.0.1", megabytes, 7101),
               Tcp(lab, a, b, "fd09::2", megabytes, 7102)]
    for stream in streams:
        stream.end()
    return loads
