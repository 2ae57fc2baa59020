"""A WireGuard peer in plain Python: independent of the engine, able to be wrong in any way on purpose.

Both roles of the handshake, cookies in both roles, data. Nothing happens by itself: each message is made, sent and
consumed when the scenario says so.
"""
import base64
import contextlib
import hashlib
import hmac as hmac_module
import os
import select
import struct
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

INITIATION, RESPONSE, COOKIE, DATA = 1, 2, 3, 4
LENGTHS = {INITIATION: 148, RESPONSE: 92, COOKIE: 64}
ZEROS = bytes(32)


def blake2s(data, key=b"", size=32):
    return hashlib.blake2s(data, key=key, digest_size=size).digest()


def hmac(key, data):
    return hmac_module.new(key, data, hashlib.blake2s).digest()


def kdf(chain, data, count):
    secret, found, last = hmac(chain, data), [], b""
    for i in range(count):
        last = hmac(secret, last + bytes([i + 1]))
        found.append(last)
    return found


CONSTRUCTION = blake2s(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
IDENTIFIER = blake2s(CONSTRUCTION + b"WireGuard v1 zx2c4 Jason@zx2c4.com")


def nonce(counter):
    return bytes(4) + struct.pack("<Q", counter)


def seal(key, counter, data, ad=b""):
    return ChaCha20Poly1305(key).encrypt(nonce(counter), data, ad)


def unseal(key, counter, data, ad=b""):
    return ChaCha20Poly1305(key).decrypt(nonce(counter), data, ad)


def hchacha20(key, nonce16):
    """From the key stream: a ChaCha20 block is HChaCha20's state plus what it began with."""
    block = Cipher(ChaCha20(key, nonce16), mode=None).encryptor().update(bytes(64))
    start = b"expand 32-byte k" + key + nonce16
    words = [(a - b) & 0xFFFFFFFF for a, b in zip(struct.unpack("<16I", block), struct.unpack("<16I", start))]
    return struct.pack("<8I", *words[:4], *words[12:])


def xseal(key, nonce24, data, ad):
    return ChaCha20Poly1305(hchacha20(key, nonce24[:16])).encrypt(bytes(4) + nonce24[16:], data, ad)


def xunseal(key, nonce24, data, ad):
    return ChaCha20Poly1305(hchacha20(key, nonce24[:16])).decrypt(bytes(4) + nonce24[16:], data, ad)


class Key:
    """A private key and its public one."""

    def __init__(self, private=None):
        if isinstance(private, str):
            private = base64.b64decode(private)
        self.handle = X25519PrivateKey.from_private_bytes(private) if private else X25519PrivateKey.generate()
        self.bytes = self.handle.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        self.public = self.handle.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.private_text = base64.b64encode(self.bytes).decode()
        self.public_text = base64.b64encode(self.public).decode()
        self.initiated = 0.0

    def pace(self):
        """An engine takes the initiations of one key only 20 ms apart: wait until the next is no flood."""
        time.sleep(max(0.0, self.initiated + 0.03 - time.monotonic()))
        self.initiated = time.monotonic()

    def exchange(self, public):
        return self.handle.exchange(X25519PublicKey.from_public_bytes(public))


def stamp(when=None):
    """TAI64N of a time in seconds."""
    when = time.time() if when is None else when
    return struct.pack(">QI", (1 << 62) + 10 + int(when), int(when % 1 * 1e9))


def stamp_seconds(data):
    whole, part = struct.unpack(">QI", data)
    return whole - (1 << 62) - 10 + part / 1e9


def mac1(public, message):
    return blake2s(message, key=blake2s(b"mac1----" + public), size=16)


def mac2(cookie, message):
    return blake2s(message, key=cookie, size=16) if cookie else bytes(16)


def with_macs(body, public, cookie=None):
    body += mac1(public, body)
    return body + mac2(cookie, body)


def random_index():
    return int.from_bytes(os.urandom(4), "little")


class Session:
    """The keys of one finished handshake."""

    def __init__(self, send, receive, local, remote):
        self.send, self.receive, self.local, self.remote, self.counter = send, receive, local, remote, 0

    def seal(self, inner=b"", counter=None, pad=True, index=None):
        if counter is None:
            counter, self.counter = self.counter, self.counter + 1
        if pad:
            inner += bytes(-len(inner) % 16)
        head = struct.pack("<IIQ", DATA, self.remote if index is None else index, counter)
        return head + seal(self.send, counter, inner)

    def open(self, message):
        """(counter, inner with its padding). InvalidTag where it is not ours."""
        counter = struct.unpack("<Q", message[8:16])[0]
        return counter, unseal(self.receive, counter, message[16:])


class Initiator:
    """Half a handshake: makes an initiation, consumes the response."""

    def __init__(self, key, remote, psk=ZEROS, when=None, index=None, cookie=None, raw_stamp=None, ephemeral=None):
        self.key, self.remote, self.psk = key, remote, psk
        self.index = random_index() if index is None else index
        self.ephemeral = ephemeral or Key()
        hash_ = blake2s(IDENTIFIER + remote)
        chain, = kdf(CONSTRUCTION, self.ephemeral.public, 1)
        hash_ = blake2s(hash_ + self.ephemeral.public)
        chain, secret = kdf(chain, self.ephemeral.exchange(remote), 2)
        static = seal(secret, 0, key.public, hash_)
        hash_ = blake2s(hash_ + static)
        chain, secret = kdf(chain, key.exchange(remote), 2)
        sealed_stamp = seal(secret, 0, raw_stamp or stamp(when), hash_)
        self.hash, self.chain = blake2s(hash_ + sealed_stamp), chain
        self.body = struct.pack("<II", INITIATION, self.index) + self.ephemeral.public + static + sealed_stamp
        self.message = with_macs(self.body, remote, cookie)

    def consume(self, message):
        """The session. InvalidTag or AssertionError where the response is wrong."""
        kind, sender, receiver = struct.unpack("<III", message[:12])
        assert (kind, len(message), receiver) == (RESPONSE, 92, self.index), "not a response to this"
        assert message[60:76] == mac1(self.key.public, message[:60]), "response with a wrong mac1"
        ephemeral = message[12:44]
        hash_ = blake2s(self.hash + ephemeral)
        chain, = kdf(self.chain, ephemeral, 1)
        chain, = kdf(chain, self.ephemeral.exchange(ephemeral), 1)
        chain, = kdf(chain, self.key.exchange(ephemeral), 1)
        chain, extra, secret = kdf(chain, self.psk, 3)
        hash_ = blake2s(hash_ + extra)
        assert unseal(secret, 0, message[44:60], hash_) == b""
        send, receive = kdf(chain, b"", 2)
        return Session(send, receive, self.index, sender)


class Responder:
    """The other half: consumes an initiation, makes the response."""

    def __init__(self, key, message):
        kind, self.remote_index = struct.unpack("<II", message[:8])
        assert (kind, len(message)) == (INITIATION, 148), "not an initiation"
        assert message[116:132] == mac1(key.public, message[:116]), "initiation with a wrong mac1"
        self.key, self.message, self.remote_ephemeral = key, message, message[8:40]
        hash_ = blake2s(IDENTIFIER + key.public)
        chain, = kdf(CONSTRUCTION, self.remote_ephemeral, 1)
        hash_ = blake2s(hash_ + self.remote_ephemeral)
        chain, secret = kdf(chain, key.exchange(self.remote_ephemeral), 2)
        self.remote = unseal(secret, 0, message[40:88], hash_)
        hash_ = blake2s(hash_ + message[40:88])
        chain, secret = kdf(chain, key.exchange(self.remote), 2)
        self.stamp = unseal(secret, 0, message[88:116], hash_)
        self.hash, self.chain = blake2s(hash_ + message[88:116]), chain

    def respond(self, psk=ZEROS, index=None, cookie=None):
        """(message, session)."""
        index = random_index() if index is None else index
        ephemeral = Key()
        hash_ = blake2s(self.hash + ephemeral.public)
        chain, = kdf(self.chain, ephemeral.public, 1)
        chain, = kdf(chain, ephemeral.exchange(self.remote_ephemeral), 1)
        chain, = kdf(chain, ephemeral.exchange(self.remote), 1)
        chain, extra, secret = kdf(chain, psk, 3)
        hash_ = blake2s(hash_ + extra)
        body = struct.pack("<III", RESPONSE, index, self.remote_index) + ephemeral.public + seal(secret, 0, b"", hash_)
        receive, send = kdf(chain, b"", 2)
        return with_macs(body, self.remote, cookie), Session(send, receive, index, self.remote_index)


def cookie_reply(own_public, message, cookie):
    """Answer a handshake message with a cookie instead."""
    sender = message[4:8]
    first_mac = message[116:132] if message[0] == INITIATION else message[60:76]
    nonce24 = os.urandom(24)
    key = blake2s(b"cookie--" + own_public)
    return struct.pack("<I", COOKIE) + sender + nonce24 + xseal(key, nonce24, cookie, first_mac)


def consume_cookie(remote_public, message, sent):
    """The cookie in an answer to the handshake message sent."""
    assert message[0] == COOKIE and len(message) == 64 and message[4:8] == sent[4:8]
    first_mac = sent[116:132] if sent[0] == INITIATION else sent[60:76]
    return xunseal(blake2s(b"cookie--" + remote_public), message[8:32], message[32:64], first_mac)


class Peer:
    """A key, a socket and the sessions made with one engine."""

    def __init__(self, ns, address, remote_public, target=None, psk=ZEROS, port=0, key=None):
        self.ns, self.psk, self.key = ns, psk, key or Key()
        self.remote = base64.b64decode(remote_public) if isinstance(remote_public, str) else remote_public
        self.sock = ns.udp(address, port)
        self.address, self.port = self.sock.getsockname()[:2]
        self.target, self.session, self.sessions, self.cookie = target, None, {}, None

    def send(self, message, to=None, sock=None, hurry=False):
        if message[:1] == bytes([INITIATION]) and not hurry:
            self.key.pace()
        (sock or self.sock).sendto(message, to or self.target)

    def receive(self, seconds=2.0, kinds=None, sock=None):
        """The next datagram of these types: (message, source), or (None, None)."""
        end = time.monotonic() + seconds
        sock = sock or self.sock
        while True:
            left = end - time.monotonic()
            if left < 0 or not select.select([sock], [], [], left)[0]:
                return None, None
            try:
                message, source = sock.recvfrom(70000)
            except ConnectionRefusedError:
                continue
            if message and (kinds is None or message[0] in kinds):
                return message, source

    def drain(self, seconds=0.05):
        """All that waits: list of messages."""
        found = []
        while True:
            message, _ = self.receive(seconds)
            if message is None:
                return found
            found.append(message)

    def add(self, session):
        self.session = self.sessions[session.local] = session
        return session

    def is_taken_at_once(self, **options):
        """Whether a handshake without a cookie is answered by a response: no load, or no more."""
        self.cookie = None
        self.drain()
        return self.handshake(1.0, **options) and not self.cookie

    def handshake(self, seconds=3.0, confirm=True, **options):
        """Initiate; the session once the engine has answered, else None. Answers a cookie with another try."""
        end = time.monotonic() + seconds
        last = None
        while time.monotonic() < end:
            self.key.pace()  # before it is made: a stamp of the same 17 ms would be a replay
            last = Initiator(self.key, self.remote, self.psk, cookie=self.cookie, **options)
            self.send(last.message, hurry=True)
            message, _ = self.receive(min(1.0, end - time.monotonic()), (RESPONSE, COOKIE))
            if message is None:
                continue
            if message[0] == COOKIE:
                with contextlib.suppress(AssertionError, InvalidTag):
                    self.cookie = consume_cookie(self.remote, message, last.message)
                time.sleep(0.05)
                continue
            if message[8:12] != struct.pack("<I", last.index):
                continue  # of an earlier try
            session = self.add(last.consume(message))
            if confirm:
                self.send(session.seal())
            return session
        return None

    def answer(self, seconds=3.0, psk=None):
        """Wait for an initiation of the engine and answer it; the Responder, or None."""
        message, source = self.receive(seconds, (INITIATION,))
        if message is None:
            return None
        responder = Responder(self.key, message)
        assert responder.remote == self.remote, "an initiation with another static key"
        response, session = responder.respond(self.psk if psk is None else psk)
        self.add(session)
        self.send(response, source)
        responder.source = source
        return responder

    def data(self, seconds=2.0, keepalives=False, sock=None):
        """The next inner packet for one of our sessions (padding on): (inner, source), or (None, None)."""
        end = time.monotonic() + seconds
        while True:
            message, source = self.receive(end - time.monotonic(), (DATA,), sock)
            if message is None:
                return None, None
            session = self.sessions.get(struct.unpack("<I", message[4:8])[0])
            if session:
                inner = session.open(message)[1]
                if inner or keepalives:
                    return inner, source

    def echo(self, source, target, seconds=2.0, sock=None, to=None, number=None, size=56):
        """Send an echo request through the tunnel as source; True when its reply comes back through it."""
        number = random_index() & 0xFFFF if number is None else number
        self.send(self.session.seal(echo_request(source, target, number, size)), to, sock)
        return self.echo_reply(number, seconds, sock)

    def echo_reply(self, number, seconds=2.0, sock=None):
        end = time.monotonic() + seconds
        while True:
            inner, _ = self.data(end - time.monotonic(), sock=sock)
            if inner is None:
                return False
            if is_echo(inner, number, reply=True):
                return True

    def fileno(self):
        return self.sock.fileno()

    def close(self):
        self.sock.close()


# --- inner packets -----------------------------------------------------------------------------


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packed(address):
    import ipaddress
    return ipaddress.ip_address(address).packed


def ipv4(source, target, protocol, payload, tos=0, ident=0, total=None, version_ihl=0x45):
    head = struct.pack("!BBHHHBBH4s4s", version_ihl, tos, 20 + len(payload) if total is None else total, ident, 0, 64,
                       protocol, 0, packed(source), packed(target))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(source, target, header, payload, tos=0):
    return struct.pack("!IHBB16s16s", 6 << 28 | tos << 20, len(payload), header, 64, packed(source),
                       packed(target)) + payload


def echo_request(source, target, number, size=56, tos=0, kind=None):
    """ICMP or ICMPv6 by the form of the addresses."""
    if ":" in source:
        body = struct.pack("!BBHHH", 128 if kind is None else kind, 0, 0, number, 1) + bytes(size)
        pseudo = packed(source) + packed(target) + struct.pack("!II", len(body), 58)
        body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
        return ipv6(source, target, 58, body, tos)
    body = struct.pack("!BBHHH", 8 if kind is None else kind, 0, 0, number, 1) + bytes(size)
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return ipv4(source, target, 1, body, tos)


def is_echo(inner, number, reply=False):
    if len(inner) >= 28 and inner[0] >> 4 == 4 and inner[9] == 1:
        kind, body = (0 if reply else 8), inner[20:]
    elif len(inner) >= 48 and inner[0] >> 4 == 6 and inner[6] == 58:
        kind, body = (129 if reply else 128), inner[40:]
    else:
        return False
    return body[0] == kind and struct.unpack("!H", body[4:6])[0] == number


def udp(source, target, source_port, target_port, payload, tos=0):
    length = 8 + len(payload)
    head = struct.pack("!HHHH", source_port, target_port, length, 0)
    if ":" not in source:
        return ipv4(source, target, 17, head + payload, tos)
    pseudo = packed(source) + packed(target) + struct.pack("!II", length, 17)
    head = head[:6] + struct.pack("!H", checksum(pseudo + head + payload) or 0xFFFF)
    return ipv6(source, target, 17, head + payload, tos)


# --- a flood -----------------------------------------------------------------------------------


def flood(ns, sources, target, remote_public, seconds, pause=0.0):
    """Fork a process that sends initiations with a valid mac1 and nonsense inside, from these addresses. Its pid."""
    remote = base64.b64decode(remote_public) if isinstance(remote_public, str) else remote_public
    socks = [ns.udp(address) for address in sources]
    messages = []
    for _ in range(512):
        body = struct.pack("<I", INITIATION) + os.urandom(112)
        messages.append(with_macs(body, remote))
    pid = os.fork()
    if pid:
        for sock in socks:
            sock.close()
        return pid
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for i, message in enumerate(messages):
                with contextlib.suppress(OSError):
                    socks[i % len(socks)].sendto(message, target)
            if pause:
                time.sleep(pause)
    finally:
        os._exit(0)
