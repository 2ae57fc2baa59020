#!/usr/bin/python3
"""Write the first inputs of fuzz_datagram and fuzz_protocol into tests/fuzz/corpus."""
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

for name, inputs in (("protocol", protocol), ("datagram", datagram)):
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    for seed, content in inputs.items():
        (folder / seed).write_bytes(content)
