"""A fake WireGuard device: a control socket that answers what it is told and records what it is asked."""
import contextlib
import os
import pathlib
import socket
import threading

SOCKETS = pathlib.Path("/run/wireguard")
SET_DONE = b"errno=0\n\n"


class Device:
    """What one interface answers. get and set are bytes; None closes the connection without an answer."""

    def __init__(self, get=b"errno=0\n\n", set=SET_DONE, piece=0, stale=False):
        self.get, self.set = get, set
        self.piece = piece    # send the answer in pieces of so many bytes; 0: at once
        self.stale = stale    # the socket is there, but nobody listens
        self.requests = []


def read_request(sock):
    request = b""
    while not request.endswith(b"\n\n"):
        part = sock.recv(1 << 20)
        if not part:
            break
        request += part
    return request


class Host:
    """The sockets of some devices, for as long as it is entered. Read what came from devices[...].requests."""

    def __init__(self, devices):
        self.devices = devices
        self.listeners = []
        self.threads = []

    def __enter__(self):
        for name, device in self.devices.items():
            path = SOCKETS / f"{name}.sock"
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            listener.bind(str(path))
            if device.stale:
                listener.close()
                continue
            listener.listen(8)
            self.listeners.append((listener, path))
            thread = threading.Thread(target=self.serve, args=(listener, device), daemon=True)
            thread.start()
            self.threads.append(thread)
        return self

    def __exit__(self, *_):
        for listener, _path in self.listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(10)
        for listener, path in self.listeners:
            listener.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def serve(self, listener, device):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError):
                request = read_request(sock)
                device.requests.append(request)
                answer = device.get if request.startswith(b"get=1\n") else device.set
                step = device.piece or max(1, len(answer or b""))
                for at in range(0, len(answer or b""), step):
                    sock.sendall(answer[at:at + step])

    def stale_sockets(self):
        return sorted(name for name, device in self.devices.items()
                      if device.stale and (SOCKETS / f"{name}.sock").exists())
