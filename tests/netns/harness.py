"""Namespaces, engines and measuring tools for the live tests.

Every scenario runs in a forked child that is process 1 of its own pid, network and mount namespace, with private
/run and /var/lib/warren. Whatever it starts dies with it, also when it fails, hangs or is killed.
"""
import contextlib
import ctypes
import faulthandler
import fcntl
import functools
import hashlib
import inspect
import json
import os
import pathlib
import pickle
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback

import pytest

from pywg import checksum

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG = 1
SOCKETS = pathlib.Path("/run/wireguard")
STATE = pathlib.Path("/var/lib/warren")
WORK = pathlib.Path("/run/work")
ROOT = pathlib.Path(__file__).resolve().parents[2]
STAND_IN = os.environ.get("ENGINE_UNDER_TEST") == "wireguard-go"
OWN_WG = os.environ.get("WG_UNDER_TEST") == "warren"  # in the place of the stock one

libc = ctypes.CDLL(None, use_errno=True)


def syscall(name, *args):
    if getattr(libc, name)(*args) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def unshare(flags):
    syscall("unshare", flags)


def mount(source, target, kind=None, flags=0, data=None):
    encode = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    syscall("mount", *encode[:3], ctypes.c_ulong(flags), encode[3])


def warren_path():
    """The program under test, or None where it was never built."""
    named = os.environ.get("WARREN")
    for path in [named] if named else [ROOT / "build/main/warren", ROOT / "build/warren"]:
        if os.access(path, os.X_OK):
            return str(pathlib.Path(path).resolve())
    return None


@functools.cache
def sanitizer():
    """b"tsan" or b"asan" where the program under test was built with it: slow, and without a filter of system calls."""
    found = re.search(rb"__([at]san)_init", pathlib.Path(warren_path()).read_bytes()) if warren_path() else None
    return found and found.group(1)


def engine_argv(kind, foreground):
    flag = ["-f"] if foreground else []
    if kind == "wireguard-go":
        return ["wireguard-go", *flag]
    forced = [(option, os.environ.get("WARREN_TEST_" + option.upper())) for option in ("cipher", "offload", "workers")]
    return [warren_path(), "run", *flag, *(word for option, value in forced if value for word in ("--" + option, value))]


UNDER_TEST = "wireguard-go" if STAND_IN else "warren"


# --- one scenario in its own world ---------------------------------------------------------------


class OutOfTime(Exception):
    pass


def wait_until(condition, seconds=15.0, what=None, every=0.02):
    """Poll until condition() is true; its value is returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what or inspect.getsource(condition).strip()}")
        time.sleep(every)


def private_directory(path):
    """Make path a fresh tmpfs without creating anything on the host: its parent gets an inner copy of the mounts."""
    if not path.exists():
        parent = path.parent
        old = os.open(parent, os.O_PATH | os.O_DIRECTORY)
        mount("tmpfs", str(parent), "tmpfs")
        for entry in os.scandir(f"/proc/self/fd/{old}"):
            target = parent / entry.name
            if entry.is_symlink():
                target.symlink_to(os.readlink(entry.path))
            elif entry.is_dir():
                target.mkdir()
                mount(entry.path, str(target), None, MS_BIND | MS_REC)
        os.close(old)
        path.mkdir(mode=0o700)
    mount("tmpfs", str(path), "tmpfs", MS_NOSUID | MS_NODEV)


def use_own_wg():
    """Whoever asks for wg gets ours."""
    folder = WORK / "bin"
    folder.mkdir()
    (folder / "wg").symlink_to(warren_path())
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"


def make_world():
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    with contextlib.suppress(OSError):
        mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY)
    mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV)
    SOCKETS.mkdir(mode=0o755)
    WORK.mkdir(mode=0o700)
    private_directory(STATE)
    os.chmod(STATE, 0o700)
    os.chdir("/")
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    if OWN_WG:
        use_own_wg()
    os.environ["LC_ALL"] = "C"
    os.environ["WG_HIDE_KEYS"] = "never"
    for name in ("LOG_LEVEL", "WG_PROCESS_FOREGROUND", "WG_TUN_NAME_FILE", "NOTIFY_SOCKET", "WG_TUN_FD", "WG_UAPI_FD"):
        os.environ.pop(name, None)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def child(function, kwargs, seconds, pipe):
    """Process 1 of the new world: set it up, run the scenario, tell the outcome, end."""
    outcome, text, lab = "failed", "", None
    try:
        make_world()
        out = os.open(WORK / "output", os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False)

        def ring(_signal, _frame):
            raise OutOfTime(f"no end after {seconds} s")

        for number in (signal.SIGHUP, signal.SIGINT):  # under nohup, or behind a script's &, programs would not hear them
            if signal.getsignal(number) == signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, ring)
        signal.alarm(seconds)
        faulthandler.dump_traceback_later(seconds + 8, file=sys.stderr)
        lab = Lab()
        try:
            function(lab, **kwargs)
        except Exception:
            lab.diagnose()
            raise
        finally:
            signal.alarm(0)
            problems = lab.close()
        if problems:
            text = "left behind: " + "; ".join(problems)
        else:
            outcome = "passed"
    except pytest.skip.Exception as skip:
        outcome, text = "skipped", str(skip)
    except BaseException:  # whatever ends the scenario is its result
        text = traceback.format_exc()
    with contextlib.suppress(Exception):
        if outcome == "failed":
            for path in sorted(WORK.glob("*")):
                if (path.suffix == ".log" or path.name == "output") and path.stat().st_size:
                    text += f"\n--- {path.name}\n" + path.read_bytes()[-6000:].decode(errors="replace")
    with open(pipe, "wb") as stream:
        pickle.dump((outcome, text), stream)
    os._exit(0)


def isolate(function, kwargs, seconds):
    """Run function(lab, **kwargs) in a new world. Gives ("passed" | "failed" | "skipped", text)."""
    reader, writer = os.pipe()
    outer = os.fork()
    if outer == 0:
        os.close(reader)
        try:
            syscall("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID)
            inner = os.fork()
            if inner == 0:
                syscall("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                child(function, kwargs, seconds, writer)
            os.close(writer)
            signal.signal(signal.SIGALRM, lambda *_: os.kill(inner, signal.SIGKILL))
            signal.alarm(seconds + 20)
            os.waitpid(inner, 0)
        except BaseException:
            with contextlib.suppress(OSError):
                os.write(writer, pickle.dumps(("failed", traceback.format_exc())))
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        data = stream.read()
    os.waitpid(outer, 0)
    return pickle.loads(data) if data else ("failed", f"the scenario died or had no end after {seconds + 20} s")


def scenario(seconds=60, full=False, lacks=None, unsanitized=None):
    """Make function(lab, ...) a test that runs in its own world.

    seconds  its time limit
    full     only in make test-full
    lacks    what the old wireguard-go is known not to do: a skip where it stands in for the engine
    unsanitized  what a sanitizer's own threads, memory or slowness would make false: a skip with such a build
    """
    def decorate(function):
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())[1:]

        @functools.wraps(function)
        def run(**kwargs):
            if os.geteuid() != 0:
                pytest.skip("needs root")
            if STAND_IN and lacks:
                pytest.skip(f"wireguard-go: {lacks}")
            if not STAND_IN and warren_path() is None:
                if os.environ.get("WARREN_BUILD") and (ROOT / "src/cli/run.c").exists():
                    pytest.fail("the program was not built", pytrace=False)
                pytest.skip("there is no engine yet")
            if not STAND_IN and unsanitized and sanitizer():
                pytest.skip(f"built with a sanitizer: {unsanitized}")
            outcome, text = isolate(function, kwargs, seconds)
            if outcome == "skipped":
                pytest.skip(text)
            if outcome == "failed":
                pytest.fail(text, pytrace=False)

        run.__signature__ = signature.replace(parameters=parameters)
        run.__test__ = True  # collected whatever its name
        run.seconds = seconds
        return pytest.mark.full(run) if full else run

    return decorate


# --- parts of a world ------------------------------------------------------------------------------


class CommandFailed(AssertionError):
    def __init__(self, argv, result):
        super().__init__(f"{' '.join(map(str, argv))}: status {result.returncode}\n{result.stdout}{result.stderr}")
        self.result = result


class Namespace:
    """A network namespace without a name: it lives as long as this process. `with ns:` enters it."""

    def __init__(self, path=None):
        if path:
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        else:
            with Namespace("/proc/self/ns/net"):
                unshare(CLONE_NEWNET)
                self.fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.entered = []
        self.path = f"/proc/{os.getpid()}/fd/{self.fd}"

    def __enter__(self):
        self.entered.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        syscall("setns", self.fd, CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        back = self.entered.pop()
        syscall("setns", back, CLONE_NEWNET)
        os.close(back)

    def setup(self):
        """For preexec_fn."""
        syscall("setns", self.fd, CLONE_NEWNET)

    def run(self, *argv, check=True, stdin=None, timeout=60, env=None):
        result = subprocess.run([str(a) for a in argv], preexec_fn=self.setup, text=True, input=stdin,
                                stdin=subprocess.DEVNULL if stdin is None else None, timeout=timeout,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env={**os.environ, **env} if env else None)
        if check and result.returncode != 0:
            raise CommandFailed(argv, result)
        return result if not check else result.stdout

    def ip(self, text):
        return self.run("ip", *text.split())

    def filter(self, hook, *rules):
        """Replace all packet filter rules by one chain."""
        self.run("nft", "flush", "ruleset")
        if rules:
            lines = ["table inet t {", "chain c {", f"type filter hook {hook} priority 0", *rules, "}", "}"]
            self.run("nft", "-f", "-", stdin="\n".join(lines) + "\n")

    def sysctl(self, name, value):
        with self:
            pathlib.Path("/proc/sys", name.replace(".", "/")).write_text(str(value))

    def address(self, device, *addresses):
        for address in addresses:
            self.ip(f"addr add {address} dev {device}" + (" nodad" if ":" in address else ""))

    def wait_addresses(self, *addresses):
        """Until the kernel takes what is sent to these: for IPv6 that is some moments after the link came up."""
        wanted = {socket.inet_pton(socket.AF_INET6, a.split("/")[0]).hex() for a in addresses if ":" in a}

        def taken():
            with self:
                rows = [line.split() for line in pathlib.Path("/proc/thread-self/net/ipv6_route").read_text().splitlines()]
            return wanted <= {row[0] for row in rows if int(row[8], 16) & 0x80000000}  # RTF_LOCAL

        if wanted:
            wait_until(taken, 5, f"{addresses} can be reached", every=0.005)

    def offloads(self, device, **switches):
        """What ethtool -K does: tx, sg, tso, gso, gro on or off."""
        commands = {"tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}  # ETHTOOL_S…
        with self, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for name, value in switches.items():
                word = ctypes.create_string_buffer(struct.pack("II", commands[name], value))
                request = struct.pack("16sP16x", device.encode(), ctypes.addressof(word))
                fcntl.ioctl(sock, 0x8946, request)  # SIOCETHTOOL

    def udp(self, address, port=0, mark=None):
        with self:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sock.bind((address, port))
        return sock

    def tcp(self, address, port=0):
        with self:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            if port:
                sock.bind((address, port))
                sock.listen(16)
        return sock

    def ping(self, address, count=1, interval=0.02, wait=2.0, size=56, tos=0):
        """How many of count echo requests were answered in full, the last after at most wait seconds.

        ping(8) is no judge: once it has seen one answer it waits for the last only twice as long as that one took.
        """
        six = ":" in address
        with self:
            sock = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC,
                                 socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
        with sock, contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sock.setsockopt(*((socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if six else (socket.IPPROTO_IP, socket.IP_TOS)), tos)
            sock.connect((address, 0))
            return self.echo(sock, six, count, interval, wait, os.urandom(size))
        return 0

    @staticmethod
    def echo(sock, six, count, interval, wait, payload):
        ident, seen, sent, due = int.from_bytes(os.urandom(2), "big"), set(), 0, time.monotonic()
        while len(seen) < count:
            now = time.monotonic()
            if sent == count and now > due:
                break
            if sent < count and now >= due:
                head = struct.pack("!BBHHH", 128 if six else 8, 0, 0, ident, sent)
                if not six:  # the kernel does it for ICMPv6
                    head = head[:2] + struct.pack("!H", checksum(head + payload)) + head[4:]
                with contextlib.suppress(OSError):  # an error about an earlier one, or no way
                    sock.send(head + payload)
                sent += 1
                due = now + (interval if sent < count else wait)
            if select.select([sock], [], [], max(0, due - time.monotonic()))[0]:
                with contextlib.suppress(OSError):
                    data = sock.recv(70000)
                    body = data if six else data[(data[0] & 15) * 4:]
                    kind, _, _, number, sequence = struct.unpack("!BBHHH", body[:8])
                    if kind == (129 if six else 0) and number == ident and body[8:] == payload:
                        seen.add(sequence)
        return len(seen)

    def statistics(self, device):
        with self:
            lines = pathlib.Path("/proc/self/net/dev").read_text().splitlines()
        for line in lines:
            if line.split(":")[0].strip() == device:
                numbers = [int(n) for n in line.split(":")[1].split()]
                return {"rx_bytes": numbers[0], "rx_packets": numbers[1], "tx_bytes": numbers[8],
                        "tx_packets": numbers[9]}
        raise AssertionError(f"no device {device}")


class Sniffer:
    """Collects the frames of a device (AF_PACKET). Each: (time, IP packet, outgoing)."""

    def __init__(self, ns, device):
        with ns:
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, socket.htons(3))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            self.sock.bind((device, 3))
        self.frames, self.ended = [], False
        self.thread = threading.Thread(target=self.collect, daemon=True)
        self.thread.start()

    def collect(self):
        while not self.ended:
            if select.select([self.sock], [], [], 0.1)[0]:
                data, origin = self.sock.recvfrom(70000)
                self.frames.append((time.monotonic(), data, origin[2] == socket.PACKET_OUTGOING))

    def stop(self, settle=0.2):
        time.sleep(settle)
        self.ended = True
        self.thread.join()
        self.sock.close()
        return self.frames

    def datagrams(self):
        """The UDP datagrams seen so far, unfragmented: list of Datagram."""
        return [d for d in (Datagram.parse(*frame) for frame in list(self.frames)) if d]


class Datagram:
    """One captured UDP datagram."""

    @classmethod
    def parse(cls, when, data, outgoing):
        self = cls()
        self.when, self.outgoing, self.packet = when, outgoing, data
        if len(data) >= 28 and data[0] >> 4 == 4 and data[9] == 17 and not struct.unpack("!H", data[6:8])[0] & 0x3FFF:
            header = (data[0] & 15) * 4
            self.tos = data[1]
            self.df = bool(data[6] & 0x40)
            self.source, self.target = (socket.inet_ntoa(data[i:i + 4]) for i in (12, 16))
        elif len(data) >= 48 and data[0] >> 4 == 6 and data[6] == 17:
            header = 40
            self.tos = (struct.unpack("!H", data[:2])[0] >> 4) & 0xFF
            self.df = True
            self.source, self.target = (socket.inet_ntop(socket.AF_INET6, data[i:i + 16]) for i in (8, 24))
        else:
            return None
        self.source_port, self.target_port, length = struct.unpack("!HHH", data[header:header + 6])
        self.payload = data[header + 8:header + length]
        self.type = self.payload[0] if self.payload else None
        return self


class Engine:
    """One engine process (or monitor and engine), and wg for its device."""

    def __init__(self, lab, name, ns, kind=None, foreground=True, env=None, args=(), wrapper=(), wait=True,
                 pass_fds=(), stdin=subprocess.DEVNULL):
        self.lab, self.name, self.ns, self.kind = lab, name, ns, kind or UNDER_TEST
        self.socket = SOCKETS / f"{name}.sock"
        self.log = WORK / f"{name}-{len(lab.engines)}.log"
        self.foreground, self.status = foreground, None
        argv = [*wrapper, *engine_argv(self.kind, foreground), *args, name]
        self.environment = {**os.environ, "LOG_LEVEL": "verbose" if foreground else "", **(env or {})}
        if not self.environment["LOG_LEVEL"]:
            del self.environment["LOG_LEVEL"]
        before = set(processes())
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(argv, preexec_fn=ns.setup, env=self.environment, stdin=stdin, stdout=log,
                                            stderr=log, pass_fds=pass_fds)
        lab.engines.append(self)
        if foreground:
            self.main = self.process.pid
            if wait:
                self.wait_ready()
        else:
            self.status = self.process.wait(20)
            fresh = [p for p in processes() if p not in before]
            parents = {p: parent_of(p) for p in fresh}
            roots = [p for p in fresh if parents[p] not in fresh]
            self.main = roots[0] if roots else None

    def wait_ready(self, seconds=10):
        def ready():
            if self.process.poll() is not None and self.foreground:
                raise AssertionError(f"{self.name}: ended with {self.process.returncode}\n{self.read_log()}")
            return is_listening(self.socket)
        wait_until(ready, seconds, f"{self.name} is ready")

    def read_log(self):
        return self.log.read_text(errors="replace")

    def pids(self):
        """The main process and its descendants."""
        return [] if self.main is None else [p for p in processes() if p == self.main or self.main in ancestors(p)]

    def worker_pid(self):
        """The process that moves packets: of the started one and its children, the one that has UDP sockets open.

        Where several have, as when one made them for another, it is the youngest."""
        return max(pid for pid in self.pids() if has_udp_socket(pid))

    def alive(self):
        if self.foreground:
            return self.process.poll() is None
        if self.main is None:
            return False
        with contextlib.suppress(ChildProcessError):
            pid, status = os.waitpid(self.main, os.WNOHANG)
            if pid:
                self.exit = os.waitstatus_to_exitcode(status)
                return False
        return self.main in processes()

    def wait_end(self, seconds=10):
        """Its exit status. A daemon is our child too: we are process 1."""
        if self.foreground:
            return self.process.wait(seconds)
        wait_until(lambda: not self.alive(), seconds, f"{self.name} ends")
        return getattr(self, "exit", None)

    def signal(self, number):
        os.kill(self.main, number)

    def stop(self, seconds=10):
        """End it as a service manager would; its exit status."""
        if not self.alive():
            return self.wait_end(1)
        self.signal(signal.SIGTERM)
        return self.wait_end(seconds)

    def kill(self):
        pids = self.pids()
        for pid in pids:  # the monitor first: it would start another engine
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(Exception):
            self.wait_end(5)
            wait_until(lambda: not set(pids) & set(processes()), 5)

    # Control.

    def wg(self, *argv, check=True, stdin=None):
        return self.ns.run("wg", *argv, check=check, stdin=stdin)

    def set(self, text, check=True):
        return self.wg("set", self.name, *text.split(), check=check)

    def configure(self, private, port=None, fwmark=None, peers=()):
        """peers: dicts with public, and psk, endpoint, allowed, keepalive where wanted."""
        lines = ["[Interface]", f"PrivateKey = {private}"]
        if port:
            lines.append(f"ListenPort = {port}")
        if fwmark:
            lines.append(f"FwMark = {fwmark}")
        for peer in peers:
            lines += ["[Peer]", f"PublicKey = {peer['public']}"]
            for key, word in (("psk", "PresharedKey"), ("endpoint", "Endpoint"), ("allowed", "AllowedIPs"),
                              ("keepalive", "PersistentKeepalive")):
                if peer.get(key):
                    lines.append(f"{word} = {peer[key]}")
        return self.wg("setconf", self.name, "/dev/stdin", stdin="\n".join(lines) + "\n")

    def up(self, *addresses, mtu=None):
        """With addresses and up. The engine need not have heard of it: it serves what comes as soon as it has."""
        self.ns.address(self.name, *addresses)
        self.ns.ip(f"link set {self.name} up" + (f" mtu {mtu}" if mtu else ""))
        self.ns.wait_addresses(*addresses)
        if UNDER_TEST == self.kind == "wireguard-go":
            time.sleep(0.05)

    def show(self, field):
        return self.wg("show", self.name, field)

    def dump(self):
        return self.show("dump").splitlines()

    def port(self):
        return int(self.show("listen-port"))

    def endpoint(self, public):
        return dict(line.split("\t") for line in self.show("endpoints").splitlines())[public]

    def handshake_time(self, public):
        return int(dict(line.split("\t") for line in self.show("latest-handshakes").splitlines())[public])

    def transfer(self, public):
        """(received, sent)."""
        for line in self.show("transfer").splitlines():
            key, received, sent = line.split("\t")
            if key == public:
                return int(received), int(sent)
        raise AssertionError(f"no peer {public}")

    def uapi(self, request, half_close=False):
        """Send bytes or text to the socket; the whole answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(5)
            sock.connect(str(self.socket))
            sock.sendall(request if isinstance(request, bytes) else request.encode())
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            answer = b""
            with contextlib.suppress(socket.timeout, ConnectionResetError):
                while not answer.endswith(b"\n\n"):
                    part = sock.recv(1 << 20)
                    if not part:
                        break
                    answer += part
        return answer.decode()

    # Measures.

    def counted(self, name):
        """A number that diagnose=1 tells."""
        found = re.search(rf"^count={name} (\d+)$", self.uapi("diagnose=1\n\n"), re.M)
        return int(found.group(1)) if found else 0

    def context_switches(self):
        total = {}
        for pid in self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                text = (task / "status").read_text()
                name = (task / "comm").read_text().strip()
                total[f"{pid}/{task.name} {name}"] = sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", text))
        return total

    def resident(self):
        """Bytes of RAM of all its processes; shared pages are split among those that share them."""
        total = 0
        for pid in self.pids():
            total += 1024 * int(re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(),
                                          re.M).group(1))
        return total

    def cpu_seconds(self):
        total = 0
        for pid in self.pids():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")


def processes():
    """Every process of this world but ourselves and zombies."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX":
                    found.append(int(name))
    return sorted(found)


def has_udp_socket(pid):
    """Whether one of its descriptors is a UDP socket of its namespace."""
    open_ones = set()
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                open_ones.add(os.readlink(entry.path))
        for table in ("udp", "udp6"):
            for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                if f"socket:[{line.split()[9]}]" in open_ones:
                    return True
    return False


def sanitizer_words(log):
    """What the sanitizers of a build that has them said of an engine, one line each."""
    return re.findall(r"^(?:SUMMARY: \w+Sanitizer|.*: runtime error): .*", log, re.M)


def parent_of(pid):
    with contextlib.suppress(OSError):
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return 0


def ancestors(pid):
    found = []
    while pid > 1:
        pid = parent_of(pid)
        found.append(pid)
    return found


def is_listening(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def relay_path():
    """The relay of tests/relay, or None where it was never built."""
    path = pathlib.Path(os.environ.get("WARREN_BUILD") or ROOT / "build/main", "relay")
    return str(path.resolve()) if os.access(path, os.X_OK) else None


class Relay:
    """The program of tests/relay between two engines. relay("set both loss=5") gives what it answers."""

    def __init__(self, lab, ns, a, b, seed=1):
        """a and b: (address:port of its own, address:port of the engine on that side)."""
        if relay_path() is None:
            raise AssertionError("the relay was not built")
        self.process = lab.start(ns, relay_path(), seed, *a, *b, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ok\n", "the relay does not start"

    def __call__(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().rstrip("\n")
        assert answer.startswith("ok"), f"relay: {line}: {answer}"
        return answer[3:]

    def counts(self):
        """{"ab": {"in": …, "lost": …}, "ba": …}"""
        return json.loads(self("stats"))


class Lab:
    """What one scenario has built, and its end."""

    def __init__(self):
        self.engines, self.programs, self.sniffers = [], [], []
        self.mounts = pathlib.Path("/proc/self/mounts").read_text()
        self.root = Namespace("/proc/self/ns/net")

    def namespace(self):
        ns = Namespace()
        ns.ip("link set lo up")
        return ns

    def veth(self, a, b, name_a="out", name_b="out", addresses_a=(), addresses_b=(), mtu=None):
        a.run("ip", "link", "add", name_a, "type", "veth", "peer", "name", name_b, "netns", b.path)
        for ns, name, addresses in ((a, name_a, addresses_a), (b, name_b, addresses_b)):
            ns.sysctl(f"net.ipv6.conf.{name}.addr_gen_mode", 1)
            ns.address(name, *addresses)
            ns.ip(f"link set {name} up" + (f" mtu {mtu}" if mtu else ""))
        a.wait_addresses(*addresses_a)
        b.wait_addresses(*addresses_b)

    def pair(self, mtu=None):
        """Two namespaces with one cable: 10.1.0.1 and .2, fd01::1 and ::2."""
        a, b = self.namespace(), self.namespace()
        self.veth(a, b, addresses_a=("10.1.0.1/24", "fd01::1/64"), addresses_b=("10.1.0.2/24", "fd01::2/64"), mtu=mtu)
        return a, b

    def engine(self, name, ns, **options):
        return Engine(self, name, ns, **options)

    def sniffer(self, ns, device):
        sniffer = Sniffer(ns, device)
        self.sniffers.append(sniffer)
        return sniffer

    def relayed(self, seed=1, outer="v4", **options):
        """Two engines with a relay between them: (engine a, engine b, relay). Inner addresses as in tunnel()."""
        a, r, b = self.namespace(), self.namespace(), self.namespace()
        for i, ns in enumerate((a, b), 1):
            self.veth(ns, r, name_b=f"to{i}", addresses_a=(f"10.{i}.0.1/24", f"fd0{i}::1/64"),
                      addresses_b=(f"10.{i}.0.2/24", f"fd0{i}::2/64"))
        host = "10.{}.0.{}:51820" if outer == "v4" else "[fd0{}::{}]:51820"
        relay = Relay(self, r, (host.format(1, 2), host.format(1, 1)), (host.format(2, 2), host.format(2, 1)), seed)
        return *self.tunnel(a, b, hosts=[host.format(i, 2) for i in (1, 2)], **options), relay

    def start(self, ns, *argv, **options):
        """A program that runs until the end of the scenario, or until it ends itself."""
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen([str(a) for a in argv], preexec_fn=ns.setup, **options)
        self.programs.append(process)
        return process

    def tunnel(self, a, b, kinds=(None, None), psk=None, outer="v4", mtu=None, endpoints=(True, True), keepalive=0,
               hosts=None, args=((), ()), **options):
        """Engines wga in a and wgb in b, each other's peer: 10.9.0.1 and .2, fd09::1 and ::2.

        hosts: the endpoint that each is given, where it is not the other's address.
        args: what each is started with.
        """
        keys = [Keys(), Keys()]
        if not hosts:
            hosts = ("10.1.0.2:51820", "10.1.0.1:51820") if outer == "v4" else ("[fd01::2]:51820", "[fd01::1]:51820")
        engines = [self.engine(name, ns, kind=kind, args=more, **options)
                   for name, ns, kind, more in zip(("wga", "wgb"), (a, b), kinds, args)]
        for i, engine in enumerate(engines):
            engine.keys = keys[i]
            engine.peer = keys[1 - i].public
            engine.configure(keys[i].private, 51820, peers=[{
                "public": engine.peer, "psk": psk, "allowed": f"10.9.0.{2 - i}/32, fd09::{2 - i}/128",
                "endpoint": hosts[i] if endpoints[i] else None, "keepalive": keepalive}])
            engine.up(f"10.9.0.{i + 1}/24", f"fd09::{i + 1}/64", mtu=mtu)
        return engines

    def diagnose(self):
        """Print what the engines say of themselves: for whoever looks at a failure."""
        for engine in self.engines:
            with contextlib.suppress(Exception):
                print(f"{engine.name} says:\n{engine.uapi('diagnose=1' + chr(10) * 2).strip()}")

    def close(self):
        """End everything; what was wrong at the end."""
        problems = []
        for sniffer in self.sniffers:
            if not sniffer.ended:
                sniffer.stop(0)
        for program in self.programs:
            if program.poll() is None:
                program.kill()
            program.wait()
        for engine in self.engines:
            try:
                engine.stop()
            except Exception as error:
                problems.append(f"{engine.name} does not end on SIGTERM: {error}")
                engine.kill()
        while True:
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(-1, os.WNOHANG)[0]:
                    continue
            break
        left = processes()
        if left:
            time.sleep(0.5)
        for pid in processes():
            with contextlib.suppress(OSError):
                problems.append("process " + pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                                .replace(b"\0", b" ").decode(errors="replace"))
        if pathlib.Path("/proc/self/mounts").read_text() != self.mounts:
            problems.append("mounts changed")
        problems += [f"{engine.name}: {words}" for engine in self.engines for words in sanitizer_words(engine.read_log())]
        return problems


class Keys:
    def __init__(self, private=None):
        self.private = private or wg_output("genkey")
        self.public = wg_output("pubkey", self.private)


def wg_output(verb, stdin=None):
    return subprocess.run(["wg", verb], input=stdin, text=True, stdout=subprocess.PIPE, check=True).stdout.strip()


def copy_over_tcp(lab, sender, receiver, address, megabytes, port=7000, timeout=60):
    """Send random bytes from one namespace to another over TCP; seconds taken. Fails unless all arrive unchanged."""
    block = os.urandom(1 << 20)
    listener = receiver.tcp(address, port)
    listener.settimeout(timeout)
    seen, trouble = hashlib.sha256(), []

    def receive():
        try:
            connection, _ = listener.accept()
            connection.settimeout(timeout)
            with connection:
                while True:
                    data = connection.recv(1 << 18)
                    if not data:
                        break
                    seen.update(data)
        except OSError as error:
            trouble.append(error)

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    begin = time.monotonic()
    sock = sender.tcp(address)
    sock.settimeout(timeout)
    sent = hashlib.sha256()
    with sock:
        sock.connect((address, port))
        for _ in range(megabytes):
            sock.sendall(block)
            sent.update(block)
    thread.join(timeout)
    listener.close()
    assert not trouble and not thread.is_alive(), f"TCP transfer: {trouble}"
    assert seen.digest() == sent.digest(), "TCP transfer: other bytes arrived"
    return time.monotonic() - begin


def have(program):
    return shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is not None
