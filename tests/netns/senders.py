"""A program: sends datagrams for as long as it lives, a few thousand a second, each with a mark of what it is.

senders.py TO[,FROM]...   without FROM as any program sends, with it from a socket that is bound to that address: one that
is kept whatever happens, and one that is bound anew each time.
"""
import contextlib
import socket
import sys
import time

PLAIN, BOUND, KEPT = b"plain-in-clear", b"bound-in-clear", b"kept-in-clear"


def opened(to, source=None):
    sock = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    if source:
        try:
            sock.bind((source, 0))
        except OSError:
            sock.close()
            return None
    return sock


class Sender:
    def __init__(self, to, source):
        self.to, self.source = to, source
        self.kept = opened(to, source)

    def send(self):
        words = f" {self.source} {self.to}".encode()
        self.kept = self.kept or opened(self.to, self.source)
        fresh = opened(self.to, self.source)
        for sock, mark in ((self.kept, KEPT), (fresh, BOUND)):
            with contextlib.suppress(OSError):
                if sock:
                    sock.sendto((mark if self.source else PLAIN) + words, (self.to, 9))
        if fresh:
            fresh.close()


def main():
    senders = [Sender(*(word.split(",") + [None])[:2]) for word in sys.argv[1:]]
    print("ready", flush=True)
    while True:
        for sender in senders:
            sender.send()
        time.sleep(0.0005)


if __name__ == "__main__":
    main()
