"""A network that is bad in every way: tests/relay between two engines."""
import contextlib
import random
import socket
import struct
import threading
import time

import pytest

from harness import UNDER_TEST, scenario, wait_until

OTHER = "wireguard-go"


@scenario(seconds=60)
def relay_passes_everything_in_order(lab):
    """The relay without rules is a cable: what the other tests find is not its doing."""
    a, b, relay = lab.relayed()
    assert a.ns.ping("10.9.0.2", 3) == 3 and b.ns.ping("fd09::1", 3) == 3
    assert a.endpoint(a.peer) == "10.1.0.2:51820" and b.endpoint(b.peer) == "10.2.0.2:51820"
    for size in (1, 1392, 1393, 8000, 40000):
        assert a.ns.ping("10.9.0.2", 2, size=size) == 2 and b.ns.ping("fd09::1", 2, size=size) == 2
    assert a.transfer(a.peer) == tuple(reversed(b.transfer(b.peer)))
    counts = relay.counts()
    assert all(side["in"] == side["out"] > 10 for side in counts.values()), counts
