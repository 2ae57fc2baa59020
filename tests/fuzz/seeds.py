#!/usr/bin/python3
"""Write the first inputs of fuzz_datagram, fuzz_protocol, fuzz_offload_*, fuzz_uapi_client, fuzz_wg_netlink and
fuzz_observe into tests/fuzz/corpus."""
import pathlib
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
INITIATE, RESPOND, DATA, COOKIE, INNER, _, TIME, LATE, PEER, DEVICE, FINISH = range(11)


def initiation(who=0, source=0, ephemeral=1, step=20, mutation=(0,), twice=0):
    return bytes([INITIATE, who, source, ephemeral, step, *mutation, twice])


def response(source=0, ephemeral=2, mutation=(0,), twice=0):
    return bytes([RESPOND, source, ephemeral, *mutation, twice])


def data(session=0, source=0, counter=2, length=20):
    return bytes([DATA, session, source, counter, length, 0, 0, 1, 0, 0])


def inner(to=0):
    return bytes([INNER, 10, 0, to])


def op(*numbers):
    return bytes(numbers)


finish, second, minutes = op(FINISH), op(TIME, 128), op(TIME, 191)
answered = initiation() + finish + data() + finish
begun = inner() + finish + response() + finish
protocol = {
    "answered": answered + data() + data(counter=0) + finish,
    "begun": begun + data() + inner() + finish,
    "twice": initiation(twice=1) + op(LATE, 0, LATE, 1, LATE, 0, LATE, 1) + data() + finish,
    "response-twice": inner() + finish + response(twice=1) + op(LATE, 1, LATE, 0) + inner(),
    "nobody": initiation(who=2) + finish,
    "replayed": initiation() + finish + initiation(step=16) + finish,
    "spoilt": initiation(mutation=(1, 40)) + finish + inner() + finish + response(mutation=(1, 50)) + finish,
    "cookie": inner() + finish + op(COOKIE, 0x80, 3, 0) + op(TIME, 133) + finish + response() + finish,
    "load": op(DEVICE, 0x86) + initiation() + second + initiation() + finish + data() + finish,
    "rekey": begun + minutes + minutes + inner() + finish + response(ephemeral=9) + finish + inner(),
    "wipe": begun + minutes * 10 + inner(),
    "roam": answered + data(source=7) + finish + inner(),
    "psk": op(PEER, 1, 1) + initiation() + finish + op(DEVICE, 0x85) + initiation(step=30) + finish + data() + finish,
    "removed": initiation() + op(LATE, 0, PEER, 0, 0, PEER, 0, 0) + finish + data() + finish,
    "down": answered + op(DEVICE, 0) + data() + op(DEVICE, 1) + inner() + finish,
    "identity": begun + op(DEVICE, 0x12) + inner() + data() + finish + op(DEVICE, 0x02) + finish,
    "own-key": begun + op(DEVICE, 0x03) + op(DEVICE, 0x83) + finish,
    "no-memory": op(DEVICE, 0xc7) + answered + begun + op(DEVICE, 7) + begun,
    "allowed": answered + op(PEER, 4, 0) + data() + op(PEER, 2, 0xe0) + data() + op(PEER, 16 + 2, 0xe0) + data() + finish,
    "keepalive": op(PEER, 6, 25) + finish + response() + finish + op(TIME, 64) * 4 + finish,
    "simultaneous": inner() + initiation() + finish + response() + finish + data() + data(session=1) + finish + inner(),
    "limit": begun + op(DATA, 0, 0, 1) + b"\xff" * 6 + b"\xe0\x3e" + op(20, 0, 0, 1, 0, 0) + finish,
}


def message(kind, length, flags=0, index=2):
    return bytes([flags, index]) + struct.pack("<I", kind) + bytes(length - 4)


datagram = {
    "initiation": message(1, 148),
    "response": message(2, 92),
    "cookie": message(3, 64),
    "keepalive": message(4, 32),
    "data": message(4, 112, flags=3),
    "short": message(4, 31),
    "reserved": message(0x01000001, 148),
    "load": message(1, 148, flags=1),
    "empty": bytes(2),
    "one": bytes([0, 0, 1]),
}


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xffff)
    return total


def packet(version=4, proto=6, payload=300, seq=0, ident=1, flags=0x10, options=b"", extension=b"", port=1000, whole=True):
    """A packet that is right, or (not whole) one whose checksum is that of the pseudo header."""
    if proto == 6:
        header = struct.pack(">HHIIBBHHH", port, 80, seq, 7, (20 + len(options)) // 4 << 4, flags, 500, 0, 0) + options
    else:
        header = struct.pack(">HHHH", port, 80, 8 + payload, 0)
    body = header + bytes(i & 0xff for i in range(payload))
    if version == 4:
        source, target = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
        ip = struct.pack(">BBHHHBBH", 0x45 + len(extension) // 4, 0, 20 + len(extension) + len(body), ident, 0x4000, 64,
                         proto, 0) + source + target + extension
        ip = ip[:10] + struct.pack(">H", 0xffff - checksum(ip)) + ip[12:]
    else:
        source, target = bytes([0xfd]) + bytes(14) + b"\1", bytes([0xfd]) + bytes(14) + b"\2"
        following = bytes([proto]) + extension if extension else b""
        ip = struct.pack(">IHBB", 0x60000000, len(following) + len(body), 60 if extension else proto, 64) + source + \
            target + following
    total = checksum(source + target + struct.pack(">HH", proto, len(body)))
    if whole:
        total = 0xffff - checksum(struct.pack(">H", total) + body)
    at = 16 if proto == 6 else 6
    return ip + body[:at] + struct.pack(">H", total) + body[at + 2:], len(ip)


def from_tun(kind, size, **more):
    data, start = packet(whole=False, **more)
    return struct.pack("<BBHHHH", 1, kind, 0, size, start, 6 if more.get("proto") == 17 else 16) + data


def joined(kinds, *packets):
    return bytes([kinds]) + b"".join(struct.pack(">BH", control, len(data)) + data for control, data in packets)


def row(count, step=300, control=0, **more):
    return [(control, packet(seq=i * step, ident=i, payload=step, **more)[0]) for i in range(count)]


split = {
    "tcp4": from_tun(1, 100),
    "tcp4-options": from_tun(1, 100, options=bytes([1, 1, 8, 10]) + bytes(8)),
    "tcp4-ip-options": from_tun(1, 100, extension=bytes([1, 1, 1, 0])),
    "tcp4-ecn": from_tun(0x81, 100, flags=0xd8),
    "tcp4-fin": from_tun(1, 70, flags=0x19),
    "tcp6": from_tun(4, 120, version=6),
    "tcp6-extension": from_tun(4, 120, version=6, extension=bytes(7)),
    "udp4": from_tun(5, 64, proto=17),
    "udp6": from_tun(5, 299, version=6, proto=17),
    "one": from_tun(1, 300),
    "plain": bytes(10) + packet()[0],
    "plain-unfinished": from_tun(0, 0, proto=17),
    "ufo": from_tun(3, 64, proto=17),
    "no-size": from_tun(1, 0),
}
join = {
    "tcp4": joined(15, *row(5), *row(1, step=100, flags=0x18)),
    "tcp6": joined(15, *row(5, version=6)),
    "udp": joined(15, *row(4, proto=17), *row(4, proto=17, version=6)),
    "ecn": joined(15, *row(1, flags=0xd0), *row(3, flags=0x50)),
    "two": joined(15, *(p for pair in zip(row(5), row(5, port=1001)) for p in pair)),
    "flush": joined(15, *row(3), *row(3, control=1)),
    "nothing": joined(0, *row(3)),
    "no-header": joined(0x80, *row(3)),
    "odd": joined(15, *row(2), (6, packet(extension=bytes([1, 1, 1, 0]))[0]), (0, packet()[0][:30]), (0, b""), *row(2)),
    "mended": joined(15, *row(4, control=6)),
}



GET, SET, DIAGNOSE = 0, 2, 3
KEY = "01" * 31 + "40"
whole_peer = (f"public_key={KEY}\npreshared_key={KEY}\nprotocol_version=1\nendpoint=[fe80::1%1]:9\nlast_handshake_time_sec=1\n"
              "last_handshake_time_nsec=2\ntx_bytes=3\nrx_bytes=4\npersistent_keepalive_interval=25\n"
              "allowed_ip=10.0.0.0/8\nallowed_ip=fd00::/64\n")


def answer(operation, text, *pieces):
    return bytes([operation | len(pieces) << 2, *pieces]) + text.encode()


client = {
    "device": answer(GET, f"private_key={KEY}\nlisten_port=51820\nfwmark=7\nerrno=0\n\n"),
    "peer": answer(GET, whole_peer + "errno=0\n\n", 3),
    "peers": answer(GET, 2 * whole_peer + "errno=0\n\n", 1, 70),
    "odd": answer(GET, f"public_key={KEY}\nendpoint=127.1:0\nallowed_ip=1.2.3.4/007\nx=\nerrno=0\n\n"),
    "refused": answer(GET, "errno=98\n\n"),
    "negative": answer(GET, "errno=-5\n\n"),
    "set": answer(SET, "errno=0\n\n"),
    "set-refused": answer(SET, "errno=-98\n\n", 0),
    "junk": answer(SET, "HTTP/1.1 400\r\n\r\n"),
    "diagnosis": answer(DIAGNOSE, f"reject=replay 1 2 3 1.2.3.4:5\nknock={KEY} 1 2 3 -\nicmp=1.2.3.4:5 3 1 113 1 2 3 8.8.8.8\n"
                        f"count=packets 5\npublic_key={KEY}\nreject=replay 1 2 3 fd00::1\nerrno=0\n\n", 9),
}


def attribute(kind, content):
    return struct.pack("=HH", len(content) + 4, kind) + content + bytes(-len(content) % 4)


def netlink(kind, content, flags=2):
    return struct.pack("=IHHII", 16 + len(content), kind, flags, 1, 0) + content


def received(*messages):
    return struct.pack(">H", sum(map(len, messages))) + b"".join(messages)


def address(family, ip, bits):
    return attribute(0, attribute(1, struct.pack("=H", family)) + attribute(2, ip) + attribute(3, bytes([bits])))


def dumped(number, *addresses, more=b""):
    return attribute(0, attribute(1, bytes([number]) * 32) + more + attribute(9, b"".join(addresses)))


def dump(*content):
    return netlink(30, bytes(4) + b"".join(content))


v4, v6 = address(2, bytes([10, 0, 0, 1]), 32), address(10, bytes(16), 0)
settings = attribute(2, b"\7" * 32) + attribute(4, struct.pack("=H", 2) + bytes([0, 9, 1, 2, 3, 4]) + bytes(8)) + \
    attribute(5, b"\1\0") + attribute(6, struct.pack("=qq", 5, 6)) + attribute(7, bytes(8)) + attribute(8, bytes(8)) + \
    attribute(10, bytes(4))
own = attribute(1, bytes(4)) + attribute(2, b"wg0\0") + attribute(3, b"\1" * 32) + attribute(4, b"\2" * 32) + \
    attribute(6, b"\1\1") + attribute(7, bytes(4))
done = netlink(3, bytes(4))
netlinks = {
    "device": received(dump(own)) + received(done),
    "peers": received(dump(own, attribute(8, dumped(1, v4, v6, more=settings) + dumped(2))), done),
    "joined": received(dump(attribute(8, dumped(1, v4, more=settings)))) + received(dump(attribute(8, dumped(1, v6) + dumped(2)))) +
    received(done),
    "changed": received(netlink(30, bytes(4) + own, flags=0x12)) + received(done),
    "refused": received(netlink(2, struct.pack("=i", -19))),
    "failed": received(dump(own), netlink(3, struct.pack("=i", -105))),
    "family": received(netlink(16, bytes(4) + attribute(2, b"wireguard\0") + attribute(1, b"\36\0"))),
    "link": received(netlink(16, bytes(16) + attribute(3, b"wg0\0") + attribute(18, attribute(1, b"wireguard\0")))),
    "many": received(dump(attribute(8, b"".join(dumped(i, *[v4] * i) for i in range(40))))) + received(done),
}



def u32(number):
    return struct.pack("=I", number)


def hop(link, more=b"", flags=0):
    return struct.pack("=HBBI", 8 + len(more), flags, 0, link) + more


def told_link(name, index=2, more=b""):
    return netlink(16, struct.pack("=BBHIII", 0, 0, 1, index, 1, 0) + attribute(3, name + b"\0") + more)


def told_address(family, bits, more):
    return netlink(20, struct.pack("=BBBBI", family, bits, 0, 0, 2) + more)


def told_route(family, bits, kind=1, table=254, flags=0, more=b""):
    return netlink(24, struct.pack("=BBBBBBBBI", family, bits, 0, 0, table, 3, 0, kind, flags) + more)


def told_rule(family, table=254, action=1, flags=0, more=b""):
    return netlink(32, struct.pack("=BBBBBBBBI", family, 0, 0, 0, table, 0, 0, action, flags) + more)


ten, wide = bytes([10, 0, 0, 0]), bytes([0xfd]) + bytes(15)
local = bytes([0xfe, 0x80]) + bytes(13) + b"\1"
mark = attribute(10, u32(51820)) + attribute(16, u32(0xffffffff))
observed = {
    "links": b"\0" + received(told_link(b"lo"), told_link(b"wg0", 3, attribute(4, u32(1420)) +
                                                           attribute(18, attribute(1, b"wireguard\0")))) + received(done),
    "addresses": b"\0" + received(told_address(2, 24, attribute(1, ten) + attribute(2, ten)),
                                  told_address(10, 64, attribute(1, wide))) + received(done),
    "routes": b"\1" + received(told_route(2, 8, more=attribute(1, ten) + attribute(4, u32(2)) + attribute(5, ten) +
                                          attribute(15, u32(51820)) + attribute(6, u32(7)) +
                                          attribute(8, attribute(2, u32(1400)))),
                               told_route(2, 0, 7, 0, more=attribute(15, u32(51820)) + attribute(6, u32(0xffffffff)))) +
    received(done),
    "routes6": b"\2" + received(told_route(10, 128, more=attribute(1, wide) + attribute(4, u32(2)) + attribute(7, wide)),
                                told_route(10, 0, 9, 5, 0x11), told_route(2, 0), told_route(10, 0, flags=0x200)) + received(done),
    "hops": b"\0" + received(told_route(2, 0, more=attribute(9, hop(2, attribute(5, ten)) + hop(3, flags=0x11) +
                                                            hop(4, attribute(18, b"\12\0" + local))))) + received(done),
    "rules": b"\0" + received(told_rule(2, 0, flags=2, more=attribute(6, u32(32765)) + attribute(15, u32(51820)) + mark),
                              told_rule(10, more=attribute(14, u32(0)) + attribute(21, b"\3")),
                              told_rule(2, 0, 8, more=attribute(3, b"eth0\0")),
                              told_rule(2, more=attribute(14, u32(0xffffffff)))) + received(done),
}

for name, inputs in (("uapi_client", client), ("wg_netlink", netlinks), ("observe", observed), ("protocol", protocol), ("datagram", datagram), ("offload_split", split), ("offload_join", join)):
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    for seed, content in inputs.items():
        (folder / seed).write_bytes(content)
