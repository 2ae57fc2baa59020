"""What is asked of every wg: made at random from a fixed seed, and by hand where an edge is known."""
import base64
import dataclasses
import itertools
import random
import time

from device import Device

SEED = 20260223
FIELDS = ["public-key", "private-key", "listen-port", "fwmark", "peers", "preshared-keys", "endpoints", "allowed-ips",
          "latest-handshakes", "transfer", "persistent-keepalive", "dump"]
VERBS = ["show", "showconf", "set", "setconf", "addconf", "syncconf", "genkey", "genpsk", "pubkey"]


@dataclasses.dataclass
class Case:
    kind: str
    argv: list
    answers: dict = dataclasses.field(default_factory=dict)  # name -> arguments of a Device
    stdin: bytes = b""
    env: dict = dataclasses.field(default_factory=dict)
    files: dict = dataclasses.field(default_factory=dict)
    stdout: str = ""  # a path, relative to nothing: /dev/full
    umask: int = 0o077

    def devices(self):
        return {name: Device(**answer) for name, answer in self.answers.items()}

    def __str__(self):
        return (f"{self.kind}: wg {' '.join(map(repr, self.argv))}\n  devices {self.answers!r}\n  stdin {self.stdin!r}"
                f"\n  environment {self.env!r}\n  files {self.files!r}")


# --- values ----------------------------------------------------------------------------------------


def key(r):
    return base64.b64encode(bytes(r.randrange(256) for _ in range(32))).decode()


def hex_of(text):
    return base64.b64decode(text).hex()


def address(r, host_bits=False):
    if r.random() < 0.6:
        bits = r.choice([0, 1, 8, 16, 23, 24, 31, 32, r.randrange(33)])
        number = r.getrandbits(32)
        if not host_bits:
            number = number >> (32 - bits) << (32 - bits) if bits else 0
        return ".".join(str(number >> s & 255) for s in (24, 16, 8, 0)), bits
    bits = r.choice([0, 1, 32, 48, 63, 64, 65, 127, 128, r.randrange(129)])
    number = r.choice([r.getrandbits(128), 0xfd00 << 112 | r.getrandbits(16), 0xfe80 << 112 | 1, 0xffff << 32 | r.getrandbits(32),
                       0x20010db8 << 96 | r.getrandbits(8)])
    if not host_bits:
        number = number >> (128 - bits) << (128 - bits) if bits else 0
    groups = [f"{number >> s & 0xffff:x}" for s in range(112, -1, -16)]
    text = ":".join(groups)
    if r.random() < 0.5:  # the short form
        import ipaddress
        text = str(ipaddress.IPv6Address(number))
    return text, bits


def endpoint(r):
    port = r.choice([1, 53, 51820, 65535, r.randrange(1, 65536)])
    return r.choice([f"192.0.2.{r.randrange(256)}:{port}", f"[2001:db8::{r.getrandbits(16):x}]:{port}",
                     f"[fe80::{r.getrandbits(16):x}%lo]:{port}", f"[::ffff:192.0.2.1]:{port}"])


# --- what a device answers -------------------------------------------------------------------------


def get_peer(r, public=None, now=0):
    lines = [f"public_key={hex_of(public or key(r))}"]
    rest = []
    if r.random() < 0.5:
        rest.append(f"preshared_key={r.choice([hex_of(key(r)), '0' * 64])}")
    if r.random() < 0.7:
        rest.append(f"endpoint={endpoint(r)}")
    if r.random() < 0.7:
        seconds = r.choice([0, now, now - r.randrange(200), now - r.randrange(10 ** 6), now + 1000, r.randrange(1, now + 1)])
        rest += [f"last_handshake_time_sec={seconds}", f"last_handshake_time_nsec={r.randrange(10 ** 9)}"]
    if r.random() < 0.7:
        rest += [f"tx_bytes={r.getrandbits(r.randrange(1, 64))}", f"rx_bytes={r.choice([0, 1, 1023, 1024, 1048575, 1048576, r.getrandbits(50)])}"]
    if r.random() < 0.7:
        rest.append(f"persistent_keepalive_interval={r.choice([0, 1, 25, 60, 61, 3600, 3661, 65535, r.randrange(65536)])}")
    for _ in range(r.choice([0, 1, 1, 2, 5])):
        ip, bits = address(r)
        rest.append(f"allowed_ip={ip}/{bits}")
    if r.random() < 0.3:
        rest.append("protocol_version=1")
    if r.random() < 0.3:
        r.shuffle(rest)
    return lines + rest


def get_answer(r, peers=None, publics=()):
    now = int(time.time())
    lines = []
    if r.random() < 0.8:
        lines.append(f"private_key={hex_of(key(r))}")
    if r.random() < 0.8:
        lines.append(f"listen_port={r.randrange(65536)}")
    if r.random() < 0.5:
        lines.append(f"fwmark={r.choice([0, 1, 51820, 0xffffffff, r.getrandbits(32)])}")
    if r.random() < 0.2:
        lines.append("an_unknown_key=1")
    if peers is None:
        peers = r.choice([0, 1, 1, 2, 3, 8])
    known = list(publics)
    for i in range(peers):
        lines += get_peer(r, known[i] if i < len(known) else None, now)
    return ("\n".join(lines) + ("\n" if lines else "") + "errno=0\n\n").encode()


def show_cases(r):
    for field in FIELDS:
        for _ in range(5):
            yield Case("show", ["show", "wg0", field], {"wg0": {"get": get_answer(r)}})
    for _ in range(50):
        env = {"WG_COLOR_MODE": r.choice(["always", "never", "auto", ""]), "WG_HIDE_KEYS": r.choice(["never", "always", "", "Never"])}
        for name in list(env):
            if r.random() < 0.3:
                del env[name]
        yield Case("show", ["show", "wg0"], {"wg0": {"get": get_answer(r), "piece": r.choice([0, 0, 1, 7, 100])}}, env=env)
    for _ in range(30):
        yield Case("showconf", ["showconf", "wg0"], {"wg0": {"get": get_answer(r)}})


def several_cases(r):
    names = ["wg0", "wg1", "a", "tunnel-to-the-sea", "x" * 15, "with space", "wg0.sock", "dot.", "n\u00e4me"]
    for _ in range(40):
        answers = {}
        for name in r.sample(names, r.randrange(0, 5)):
            answers[name] = r.choice([{"get": get_answer(r)}, {"get": get_answer(r)}, {"get": b"errno=1\n\n"}, {"stale": True},
                                      {"get": None}])
        argv = r.choice([[], ["show"], ["show", "all"], ["show", "interfaces"], ["show", "all", r.choice(FIELDS)],
                         ["show", "all", "bogus"], ["show", r.choice(names)], ["show", r.choice(names), "dump"]])
        yield Case("several", argv, answers)


HOSTILE = [
    b"", b"\n", b"errno=0\n", b"errno=0", b"errno=0\n\n", b"errno=98\n\n", b"errno=-98\n\n", b"errno=x\n\n", b"errno=1\n\n",
    b"errno=2\n\n", b"errno=13\n\n", b"errno=71\n\n", b"errno=100000\n\n", b"errno=-1\n\n", b"errno=\n\n", b"garbage\n\n",
    b"=\nerrno=0\n\n", b"a=\nerrno=0\n\n", b"=a\nerrno=0\n\n", b"listen_port\nerrno=0\n\n", b"listen_port=\nerrno=0\n\n",
    b"listen_port=65536\nerrno=0\n\n", b"listen_port=-1\nerrno=0\n\n", b"listen_port=+1\nerrno=0\n\n",
    b"listen_port= 1\nerrno=0\n\n", b"listen_port=1 \nerrno=0\n\n", b"listen_port=007\nerrno=0\n\n", b"listen_port=0x10\nerrno=0\n\n",
    b"fwmark=4294967295\nerrno=0\n\n", b"fwmark=4294967296\nerrno=0\n\n", b"fwmark=0x10\nerrno=0\n\n", b"fwmark=01\nerrno=0\n\n",
    b"private_key=00\nerrno=0\n\n", b"private_key=" + b"g" * 64 + b"\nerrno=0\n\n", b"private_key=" + b"AB" * 32 + b"\nerrno=0\n\n",
    b"private_key=" + b"0" * 64 + b"\nerrno=0\n\n", b"private_key=" + b"a" * 65 + b"\nerrno=0\n\n",
    b"public_key=" + b"0" * 64 + b"\nerrno=0\n\n", b"public_key=" + b"1" * 63 + b"\nerrno=0\n\n",
    b"preshared_key=" + b"1" * 64 + b"\nerrno=0\n\n", b"endpoint=1.2.3.4:5\nerrno=0\n\n", b"allowed_ip=10.0.0.0/8\nerrno=0\n\n",
    b"errno=0\nerrno=1\n\n", b"errno=1\nerrno=0\n\n", b"errno=0\nlisten_port=1\n\n", b"LISTEN_PORT=1\nerrno=0\n\n",
    b"listen_port=1\nlisten_port=2\nerrno=0\n\n", b"listen_port=1\r\nerrno=0\n\n", b"rx_bytes=1\nerrno=0\n\n",
]
HOSTILE_PEER = [
    b"listen_port=5", b"fwmark=5", b"private_key=" + b"11" * 32, b"preshared_key=" + b"z" * 64, b"preshared_key=11",
    b"endpoint=", b"endpoint=1.2.3.4", b"endpoint=1.2.3.4:", b"endpoint=:5", b"endpoint=[::1]:5", b"endpoint=[::1]", b"endpoint=::1:5",
    b"endpoint=1.2.3.4:65535", b"endpoint=1.2.3.4:0", b"endpoint=[fe80::1%lo]:5", b"endpoint=[fe80::1%1]:5",
    b"endpoint=[fe80::1%nope]:5", b"allowed_ip=", b"allowed_ip=10.0.0.0", b"allowed_ip=10.0.0.0/", b"allowed_ip=10.0.0.0/33",
    b"allowed_ip=10.0.0.0/x", b"allowed_ip=10.0.0.0/08", b"allowed_ip=10.1.2.3/8", b"allowed_ip=::/129", b"allowed_ip=::/128",
    b"allowed_ip=x/8", b"allowed_ip=10.0/8", b"allowed_ip=::ffff:1.2.3.4/128", b"allowed_ip=1.2.3.4/-1", b"allowed_ip=-10.0.0.0/8",
    b"persistent_keepalive_interval=65535", b"persistent_keepalive_interval=65536", b"persistent_keepalive_interval=off",
    b"persistent_keepalive_interval=", b"rx_bytes=18446744073709551615", b"rx_bytes=x", b"rx_bytes=", b"rx_bytes=-1", b"tx_bytes=0x1",
    b"last_handshake_time_sec=1", b"last_handshake_time_sec=x", b"last_handshake_time_sec=-1", b"last_handshake_time_nsec=5",
    b"last_handshake_time_sec=99999999999", b"protocol_version=2", b"protocol_version=x", b"future_key=\xff\xfe", b"future_key=a=b",
]


def hostile_cases(_r):
    for answer in HOSTILE:
        yield Case("hostile", ["show", "wg0"], {"wg0": {"get": answer}}, env={"WG_HIDE_KEYS": "never"})
    for line in HOSTILE_PEER:
        answer = b"public_key=" + b"01" * 32 + b"\n" + line + b"\nerrno=0\n\n"
        yield Case("hostile", ["show", "wg0", "dump"], {"wg0": {"get": answer}})
    for answer in (b"", b"errno=0\n\n", b"errno=-98\n\n", b"errno=98\n\n", b"errno=-5\n\n", b"errno=-1000\n\n", b"errno=-22\n\n", b"errno=-13\n\n",
                   b"errno=x\n\n", b"garbage", b"\n", b"a=b\nerrno=0\n\n", b"errno=0", b"errno=0\n", b"errno=-22\nerrno=0\n\n", b"errno=\n\n"):
        yield Case("hostile", ["set", "wg0", "listen-port", "1"], {"wg0": {"set": answer}})


# --- set ---------------------------------------------------------------------------------------------

PORTS = ["1", "51820", "65535", "0", "65536", "70000", "-1", "", "x", "domain", "http", "ntp", "0x10", " 5", "5 ", "99999999999999999999"]
MARKS = ["0", "off", "OFF", "oFf", "1", "0x1", "0xFFffFFff", "4294967295", "4294967296", "010", "0X10", "0x", "", "-1", "x", "1x", "0x1g", " 1"]
KEEPALIVES = ["0", "off", "OFF", "1", "25", "65535", "65536", "-1", "", "x", "25s", "0x10", "007", " 25"]
ENDPOINTS = ["192.0.2.1:51820", "[2001:db8::1]:51820", "2001:db8::1:5", "::1:5", "[::1]", "[::1]:", "[::1", "192.0.2.1", "192.0.2.1:",
             ":5", "", "[]:5", "[fe80::1%lo]:5", "[fe80::1%nope]:5", "192.0.2.1:0", "192.0.2.1:65535", "192.0.2.1:65536", "192.0.2.1:x",
             "192.0.2.1:domain", "vpn.example:51820", "six.example:51820", "two.example:5", "[vpn.example]:51820", "192.0.2.300:5",
             "192.0.2:5", "127.1:5", "0x7f000001:5", "[::ffff:192.0.2.1]:5", "[::1]x:5", "a:b:c", "localhost:1", "192.0.2.1 :5"]
IPS = ["10.0.0.0/8", "10.0.0.1/32", "10.0.0.1", "10.1.2.3/8", "0.0.0.0/0", "::/0", "fd00::/8", "fd00::1/64", "fe80::1", "::", "1.2.3.4/0",
       "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/ 8", "10.0.0/8", "10/8", "x", "",
       "::ffff:1.2.3.4/128", "::1/128/3", "1.2.3.4/8/9", " 10.0.0.0/8 ", "10.0 .0.0/8", "0x0a.0.0.0/8", "1:2/3", "/8", "/"]
SIGNS = ["+", "-", "++", "+-", "- "]
KEYFILES = {
    "good": lambda r: key(r).encode() + b"\n", "bare": lambda r: key(r).encode(), "blanks": lambda r: key(r).encode() + b" \t\r\n\n",
    "empty": lambda r: b"", "short": lambda r: key(r).encode()[:43], "leading": lambda r: b"\n" + key(r).encode(),
    "trailing": lambda r: key(r).encode() + b"\nx", "bits": lambda r: b"A" * 42 + b"B=", "bad": lambda r: b"!" * 44 + b"\n",
    "zero": lambda r: b"A" * 43 + b"=\n", "nul": lambda r: key(r).encode() + b"\0", "nuls": lambda r: b"\0" * 44,
    "long": lambda r: key(r).encode() * 2, "blank": lambda r: b" ",
}
PUBLICS = [base64.b64encode(bytes([i]) * 32).decode() for i in range(1, 6)]


def ip_list(r, signs=True):
    good = ["10.0.0.0/8", "10.0.0.1/32", "10.0.0.1", "fd00::/8", "fe80::1", "::/0", "192.168.1.0/24", "10.1.2.3/8"]
    items = []
    for _ in range(r.choice([1, 1, 2, 3, 6])):
        item = r.choice(good) if r.random() < 0.85 else r.choice(IPS)
        if signs and r.random() < 0.4:
            item = r.choice(SIGNS[:2] if r.random() < 0.9 else SIGNS) + item
        items.append(item)
    return r.choice([",", ",", ", "]).join(items)


def pick(r, values, chance=0.75, good=6):
    """Mostly one that is right, so that the rest of the command is looked at too."""
    return r.choice(values[:good]) if r.random() < chance else r.choice(values)


def peer_words(r):
    words = ["peer", r.choice(PUBLICS) if r.random() < 0.95 else r.choice(["", "x", PUBLICS[0][:-1], "A" * 42 + "B=", "A" * 43 + "="])]
    for _ in range(r.randrange(0, 5)):
        words += r.choice([
            lambda: ["remove"], lambda: ["endpoint", pick(r, ENDPOINTS, good=4)],
            lambda: ["allowed-ips", ip_list(r)], lambda: ["allowed-ips", r.choice([ip_list(r, False), ""])],
            lambda: ["persistent-keepalive", pick(r, KEEPALIVES)], lambda: ["preshared-key", pick(r, list(KEYFILES), good=3)]])()
    return words


def set_words(r):
    words = []
    for _ in range(r.randrange(0, 3)):
        words += r.choice([lambda: ["listen-port", pick(r, PORTS, good=4)], lambda: ["fwmark", pick(r, MARKS)],
                           lambda: ["private-key", pick(r, [*KEYFILES, "nope", "/dev/null", "."], good=3)]])()
    for _ in range(r.choice([0, 1, 1, 2, 3])):
        words += peer_words(r)
    if r.random() < 0.1:
        words.insert(r.randrange(len(words) + 1), r.choice(["remove", "peer", "Peer", "listen-port", "bogus", "", "endpoint"]))
    if r.random() < 0.05 and words:
        words.pop()
    return words


def set_cases(r):
    def case(words, name="wg0", **more):
        return Case("set", ["set", name, *words], {"wg0": {}}, files={n: make(r) for n, make in KEYFILES.items()}, **more)

    for _ in range(170):
        yield case(set_words(r))
    for word, values in (("listen-port", PORTS), ("fwmark", MARKS), ("private-key", [*KEYFILES, "nope", "/dev/null", "."])):
        for value in values:
            yield case([word, value])
    for value in ENDPOINTS:
        yield case(["peer", PUBLICS[0], "endpoint", value])
    for value in KEEPALIVES:
        yield case(["peer", PUBLICS[0], "persistent-keepalive", value])
    for value in IPS:
        yield case(["peer", PUBLICS[0], "allowed-ips", value])
    for sign, value in itertools.product(SIGNS, IPS[:6]):
        yield case(["peer", PUBLICS[0], "allowed-ips", sign + value])
    for lists in (["10.0.0.0/8,+10.0.0.1"], ["+10.0.0.0/8", "10.0.0.1"], ["10.0.0.1", "+10.0.0.0/8"], ["", "10.0.0.0/8"],
                  ["10.0.0.0/8", ""], ["+10.0.0.0/8", ""], [","], ["10.0.0.0/8,"], [",10.0.0.0/8"], ["10.0.0.0/8,,fd00::/8"]):
        yield case(["peer", PUBLICS[0], *itertools.chain(*(["allowed-ips", one] for one in lists))])
    for retries in ("0", "1x", "-1", "infinity", "", " 1", "99999999999999999999"):
        yield case(["peer", PUBLICS[0], "endpoint", "192.0.2.1:5"], env={"WG_ENDPOINT_RESOLUTION_RETRIES": retries})
    yield case(["peer", PUBLICS[0], "endpoint", "no.such.example:5"], env={"WG_ENDPOINT_RESOLUTION_RETRIES": "1"})
    yield case(["peer", PUBLICS[0], "preshared-key", "/dev/stdin"], stdin=key(r).encode())
    yield case(["peer", PUBLICS[0], "preshared-key", "/dev/stdin"], stdin=b"")
    yield case(["listen-port", "1"], name="a-name-that-is-much-too-long")
    yield case(["listen-port", "1"], name="a/b")
    yield case(["listen-port", "1"], name="")
    yield case(["listen-port", "1"], name="..")


# --- files -------------------------------------------------------------------------------------------


def spaced(r, text):
    """White space where wg takes it out again: anywhere."""
    if r.random() < 0.7:
        return text
    out = list(text)
    for _ in range(r.randrange(1, 4)):
        out.insert(r.randrange(len(out) + 1), r.choice([" ", "\t", "\v", "\f", "\r"]))
    return "".join(out)


def cased(r, text):
    return r.choice([text, text, text.lower(), text.upper(), text.swapcase()])


def entry(r, name, value):
    line = cased(r, name) + r.choice([" = ", "=", " =", "\t=\t"]) + value
    return spaced(r, line) + r.choice(["", "", " # said", "#", " "])


def config_lines(r, publics):
    lines = []
    if r.random() < 0.9:
        lines.append(spaced(r, cased(r, "[Interface]")))
        for make in r.sample([lambda: ("PrivateKey", key(r)), lambda: ("ListenPort", pick(r, PORTS, 0.9, 4)),
                              lambda: ("FwMark", pick(r, MARKS, 0.9))], r.randrange(0, 4)):
            lines.append(entry(r, *make()))
    for _ in range(r.choice([0, 1, 1, 2, 4])):
        lines.append(spaced(r, cased(r, "[Peer]")))
        if r.random() < 0.97:
            lines.append(entry(r, "PublicKey", r.choice(publics)))
        for make in r.sample([lambda: ("PresharedKey", key(r)), lambda: ("Endpoint", pick(r, ENDPOINTS, 0.9, 4)),
                              lambda: ("AllowedIPs", ip_list(r, r.random() < 0.2)), lambda: ("AllowedIPs", ip_list(r, False)),
                              lambda: ("PersistentKeepalive", pick(r, KEEPALIVES, 0.9))], r.randrange(0, 5)):
            lines.append(entry(r, *make()))
    if r.random() < 0.25:
        lines.insert(r.randrange(len(lines) + 1), r.choice(ODD_LINES))
    for _ in range(r.randrange(0, 3)):
        lines.insert(r.randrange(len(lines) + 1), r.choice(["", "# a comment", "   ", "#[Peer]", "\t# x"]))
    return lines


ODD_LINES = ["Address = 10.0.0.1/24", "PrivateKey =", "AllowedIPs =", "ListenPort =", "Endpoint=", "; comment", "[Unknown]", "[Interface", "x",
             "= 5", "[Peer] x", "PublicKey", "PublicKey : x", "ListenPort = 5 6", "PostUp = echo a; echo b", "[Interface]", "[Peer]",
             "PrivateKey = x", "PrivateKey = " + "A" * 44, "PrivatKey = " + "A" * 43 + "=", "PresharedKey = short", "PublicKey = " + "A" * 44,
             "\ufeff[Interface]", "ListenPort = 1\0 2", "\0", "FwMark = 0x1 # \0", "Listen Port = 7", "n\u00e4 = 1"]


# Private keys that stand where none is looked for.
SECRET = base64.b64encode(bytes(range(100, 132)))
KEY_LINES = [SECRET, b"PrivateKey: " + SECRET, b"PrivateKey " + SECRET, b"PresharedKey" + SECRET[:-1], b"key = '" + SECRET + b"'",
             b"PostUp = wg set %i private-key <(echo " + SECRET + b")"]


def file_of(r, lines):
    end = r.choice(["\n", "\n", "\n", "\r\n"])
    return (end.join(lines) + r.choice([end, end, ""])).encode()


def conf_cases(r):
    def case(verb, content, answer=None, **more):
        return Case("conf", [verb, "wg0", more.pop("path", "file")], {"wg0": {"get": answer or get_answer(r, publics=PUBLICS)}},
                    files={"file": content}, **more)

    for _ in range(210):
        verb = r.choice(["setconf", "addconf", "syncconf", "syncconf"])
        yield case(verb, file_of(r, config_lines(r, PUBLICS)))
    for line in ODD_LINES:
        for before in ("[Interface]\n", "[Peer]\nPublicKey=" + PUBLICS[0] + "\n", ""):
            yield case("setconf", (before + line + "\n").encode())
    for line in KEY_LINES:
        yield case("setconf", b"[Interface]\n" + line + b"\n", answer=b"errno=0\n\n")
        yield case("syncconf", line, answer=b"errno=0\n\n")
    yield case("addconf", b"[Peer]\nPublicKey=" + PUBLICS[0].encode() + b"\nAllowedIPs=FD00::1/64,-10.0.0.1/08\n", answer=b"errno=0\n\n")
    for verb in ("setconf", "addconf", "syncconf"):
        yield case(verb, b"")
        yield case(verb, b"\n\n# nothing\n")
        yield case(verb, b"[Interface]\n")
        yield case(verb, b"[Peer]\n")
        yield case(verb, b"[Peer]\nPublicKey=" + PUBLICS[0].encode())
        yield case(verb, b"", path="nope")
        yield case(verb, b"", path=".")
        yield case(verb, b"", path="/dev/stdin", stdin=b"[Interface]\nListenPort=7")
        yield case(verb, b"[Peer]\nPublicKey=" + PUBLICS[0].encode() + b"\n", answer=b"errno=0\n\n")
        yield case(verb, b"[Peer]\nPublicKey=" + PUBLICS[0].encode() + b"\n", answer=b"errno=13\n\n")
        yield case(verb, b"[Peer]\nPublicKey=" + PUBLICS[0].encode() + b"\nPublicKey=" + PUBLICS[1].encode() + b"\n")
        yield Case("conf", [verb, "nope", "file"], {}, files={"file": b"[Peer]\nPublicKey=" + PUBLICS[0].encode() + b"\n"})
        yield Case("conf", [verb, "wg0", "file"], {"wg0": {"set": b"errno=-98\n\n", "get": get_answer(r, publics=PUBLICS)}},
                   files={"file": b"[Peer]\nPublicKey=" + PUBLICS[0].encode() + b"\n"})
    # A peer twice in the file, known to the device with a preshared key and a keepalive.
    twice = f"[Peer]\nPublicKey={PUBLICS[0]}\n[Peer]\nPublicKey={PUBLICS[1]}\n[Peer]\nPublicKey={PUBLICS[0]}\nAllowedIPs=10.0.0.0/8\n".encode()
    full = ("".join(f"public_key={hex_of(p)}\npreshared_key={'22' * 32}\npersistent_keepalive_interval=25\n" for p in PUBLICS) + "errno=0\n\n").encode()
    yield case("syncconf", twice, answer=full)
    for peers in (1, 2, 3, 5):
        for wanted in (1, 2, 3):
            names = [key(r) for _ in range(5)]
            yield case("syncconf", file_of(r, [x for n in names[:wanted] for x in ("[Peer]", f"PublicKey={n}")]),
                       answer=get_answer(r, peers, names[2 - wanted % 2:]))


# --- keys, usage and the rest ------------------------------------------------------------------------


def key_cases(r):
    for verb in ("genkey", "genpsk"):
        yield Case("key", [verb])
        yield Case("key", [verb], stdout="/run/work/run/out", umask=0)
        yield Case("key", [verb], stdout="/run/work/run/out")
        yield Case("key", [verb, "x"])
        yield Case("key", [verb, "--help"])
        yield Case("key", [verb, "-o", "file"])
    for _ in range(12):
        yield Case("key", ["pubkey"], stdin=key(r).encode() + r.choice([b"", b"\n", b" \r\n\t", b"\0\0", b"\n\0\n"]))
    for text in (b"", b"\n", b"x", b" " + key(r).encode(), key(r).encode()[:43], key(r).encode() + b"x", key(r).encode() + b"\nx",
                 b"A" * 43 + b"=", b"A" * 42 + b"B=", b"!" * 44, key(r).encode() * 2, b"\0" * 44, key(r).encode().replace(b"=", b"A")):
        yield Case("key", ["pubkey"], stdin=text)
    yield Case("key", ["pubkey", "x"])


def usage_cases(r):
    for word in ("help", "--help", "-h", "version", "--version", "-v", "bogus", "", "Show", "-x", "--"):
        yield Case("usage", [word])
        yield Case("usage", [word, "x"])
    for verb in VERBS:
        for count in range(0, 5):
            argv = [verb, *["--help", "b", "c", "d"][:count]]
            yield Case("usage", argv, {"wg0": {"get": get_answer(r)}})
        yield Case("usage", [verb, "wg0"], {"wg0": {"get": get_answer(r)}})
    for argv in (["show", "-h"], ["show", "help"], ["show", "all", "dump", "x"], ["show", "interfaces", "dump"], ["show", "wg0", ""],
                 ["show", "wg0", "Dump"], ["show", ""], ["show", "all", ""], ["show", "wg0", "--json"], ["show", "wg0", "drops"],
                 ["show", "x" * 200], ["show", "a/b"], ["show", "../x"], ["show", "x" * 16], ["showconf", "x" * 16], ["show", "lo"]):
        yield Case("usage", argv, {"wg0": {"get": get_answer(r)}})
    for argv in (["show"], ["show", "wg0", "dump"], ["showconf", "wg0"], ["genkey"], ["help"], ["version"], ["pubkey"]):
        yield Case("full", argv, {"wg0": {"get": get_answer(r)}}, stdin=key(r).encode(), stdout="/dev/full")


def all_cases():
    r = random.Random(SEED)
    made = itertools.chain(show_cases(r), several_cases(r), hostile_cases(r), set_cases(r), conf_cases(r), key_cases(r), usage_cases(r))
    return list(made)
