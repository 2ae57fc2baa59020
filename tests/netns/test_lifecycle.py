"""The engine as a process: how it starts, is told things, loses things, and ends."""
import base64
import contextlib
import ctypes
import fcntl
import os
import pathlib
import re
import resource
import signal
import socket
import stat
import struct
import subprocess
import threading
import time

import pytest

from bench import PORT, Bench
from harness import (SOCKETS, STATE, UNDER_TEST, WORK, Engine, Keys, engine_argv, is_listening, libc, processes,
                     scenario, wait_until, wg_output)
from pywg import INITIATION, RESPONSE, Initiator, Key, Peer, Responder, blake2s, stamp_seconds

TUNSETIFF, IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 1, 0x1000, 0x4000


def links(ns):
    return re.findall(r"^\d+: ([^:@]+)", ns.run("ip", "-o", "link"), re.M)


# --- start ---------------------------------------------------------------------------------------


@scenario()
def daemon_returns_when_usable(lab):
    """Without -f the command returns, status 0, when socket and device can be used; no race with what follows."""
    ns = lab.namespace()
    for i in range(5):
        engine = lab.engine(f"wg{i}", ns, foreground=False)
        assert engine.status == 0
        assert is_listening(engine.socket), "the command returned before the socket answers"
        assert f"wg{i}" in links(ns), "the command returned before the device exists"
        engine.set("listen-port 0 fwmark 1")
        ns.ip(f"link set wg{i} up")
        assert engine.main and engine.alive()
        for pid in engine.pids():
            assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
            if UNDER_TEST == "warren":
                assert os.readlink(f"/proc/{pid}/fd/1") == "/dev/null", "a caller's pipe would never end"
                # A monitor may have the system's log instead.
                assert re.match("/dev/null" if pid != engine.main else "/dev/null|socket:",
                                os.readlink(f"/proc/{pid}/fd/2"))


@contextlib.contextmanager
def system_log():
    """A /dev of our own that has a log: its socket."""
    place = WORK / "dev"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    for node in ("null", "zero", "random", "urandom", "net/tun"):
        (place / node).parent.mkdir(exist_ok=True)
        (place / node).touch()
        subprocess.run(["mount", "--bind", f"/dev/{node}", place / node], check=True)
    subprocess.run(["mount", "--rbind", place, "/dev"], check=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind("/dev/log")
        log.settimeout(5)
        yield log
    subprocess.run(["umount", "-l", "/dev"], check=True)
    subprocess.run(["umount", "-l", place], check=True)


@scenario(lacks="logs nothing in the background")
def daemon_tells_the_system_log_of_deaths(lab):
    """Without LOG_LEVEL; and an engine in its sandbox has no such socket."""
    with system_log() as log:
        engine = lab.engine("wg0", lab.namespace(), foreground=False)
        assert os.readlink(f"/proc/{engine.main}/fd/2").startswith("socket:")
        for _ in range(2):
            old = wait_until(lambda: next((pid for pid in engine.pids() if pid != engine.main), None), 5)
            assert os.readlink(f"/proc/{old}/fd/2") == "/dev/null"
            os.kill(old, signal.SIGKILL)
            text = log.recv(4096)
            assert text == b"<27>warren: wg0: the engine was killed by signal 9 (SIGKILL)\n", text
            wait_until(lambda: engine.wg("show", "wg0", "listen-port", check=False).returncode == 0, 5)
        engine.stop()


@scenario(lacks="keeps what it inherits")
def inherited_descriptors_are_closed(lab):
    """What our caller forgot to close is not held for years."""
    ours, theirs = os.pipe()
    engine = lab.engine("wg0", lab.namespace(), pass_fds=(theirs,))
    os.close(theirs)
    os.set_blocking(ours, False)
    assert os.read(ours, 1) == b"", "a pipe of its caller would never end"
    assert engine.alive()


@scenario(lacks="has no records")
def file_size_limit_does_not_matter(lab):
    """ulimit -f 0 ended it without a word. Where the limit cannot be lifted, whoever sets something is told."""
    engine = lab.engine("wg0", lab.namespace(), wrapper=("prlimit", "--fsize=0:unlimited"))
    engine.set("listen-port 4000 fwmark 7")
    assert engine.port() == 4000 and engine.alive()
    engine = lab.engine("wg1", lab.namespace(), wrapper=("prlimit", "--fsize=0:0"))
    result = engine.set("listen-port 4001", check=False)
    assert engine.alive() and (result.returncode == 0 or "too large" in result.stderr), result.stderr


@scenario()
def daemon_keeps_no_pipe_of_its_caller(lab):
    """A caller that reads the command's output to its end gets there."""
    ns = lab.namespace()
    argv = [*engine_argv(UNDER_TEST, False), "wg0"]
    process = subprocess.run(argv, preexec_fn=ns.setup, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=10)
    assert process.returncode == 0
    for pid in processes():
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not processes(), 5)


@scenario()
def foreground_stays(lab):
    engine = lab.engine("wg0", lab.namespace())
    time.sleep(0.3)
    assert engine.alive() and engine.process.pid in engine.pids()


@scenario()
def log_level_is_heard(lab):
    sizes = {}
    for level in ("silent", "error", "verbose"):
        bench_ns = lab.namespace()
        engine = lab.engine(f"wg-{level}", bench_ns, env={"LOG_LEVEL": level})
        engine.configure(Keys().private, 0, peers=[{"public": Keys().public, "allowed": "10.9.0.0/24"}])
        engine.up("10.9.0.1/24")
        engine.stop()
        sizes[level] = len([line for line in engine.read_log().splitlines()
                            if not re.search("[│┌└]", line)])
    print(sizes)
    assert sizes["silent"] == 0 and sizes["error"] == 0 and sizes["verbose"] > 0


@scenario()
def wrong_arguments_say_one_line(lab):
    ns = lab.namespace()
    for arguments in ([], ["a", "b"], ["-f"], ["a-name-too-long-for-it"], ["with/slash"], ["with blank"], [".."], ["."],
                      ["--nonsense", "wg0"]):
        result = ns.run(*engine_argv(UNDER_TEST, False), *arguments, check=False, timeout=10)
        if UNDER_TEST == "wireguard-go":
            continue  # prints its usage and ends with 0, or makes a device of an odd name
        assert result.returncode in (1, 2), (arguments, result)
        lines = [line for line in result.stderr.splitlines() if not line.startswith(("Usage: ", " "))]
        assert result.stdout == "" and len(lines) <= 1 and result.stderr, (arguments, result.stderr)
        assert links(ns) == ["lo"] and not processes()
    for pid in processes():
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not processes(), 5)


@scenario()
def kernel_chooses_a_name_from_a_template(lab):
    ns = lab.namespace()
    process = lab.start(ns, *engine_argv(UNDER_TEST, True), "wgt%d", stdout=-3, stderr=-3)
    wait_until(lambda: list(SOCKETS.glob("*.sock")), 5)
    name = list(SOCKETS.glob("*.sock"))[0].stem
    assert name == "wgt0" and name in links(ns)
    process.terminate()
    assert process.wait(5) == 0


@pytest.mark.parametrize("flags", [0, IFF_VNET_HDR], ids=["plain", "vnet"])
@scenario(lacks="expects a TUN that nobody else makes (with packet information)")
def takes_over_a_tun_and_a_socket(lab, flags):
    """WG_TUN_FD and WG_UAPI_FD: descriptors that somebody else has opened; the real name of the TUN wins."""
    a, b = lab.pair()
    with a:
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"wga", IFF_TUN | IFF_NO_PI | flags))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    listener.bind(str(SOCKETS / "wga.sock"))
    os.umask(old)
    listener.listen(8)
    engine = Engine(lab, "wga", a, env={"WG_TUN_FD": str(tun), "WG_UAPI_FD": str(listener.fileno())},
                    pass_fds=(tun, listener.fileno()), wait=False)
    os.close(tun)
    listener.close()
    engine.wait_ready()
    keys, peer_key = Keys(), Key()
    peer = Peer(b, "10.1.0.2", keys.public, ("10.1.0.1", PORT), key=peer_key)
    engine.configure(keys.private, PORT, peers=[{"public": peer_key.public_text, "allowed": "10.9.0.2/32"}])
    engine.up("10.9.0.1/24")
    assert peer.handshake() and peer.echo("10.9.0.2", "10.9.0.1")
    assert engine.stop() == 0
    assert "wga" not in links(a)


@scenario()
def only_a_tun_is_passed(lab):
    ns = lab.namespace()
    with ns:
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"realname", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
    engine = Engine(lab, "other", ns, env={"WG_TUN_FD": str(tun)}, pass_fds=(tun,), wait=False)
    os.close(tun)
    wait_until(lambda: is_listening(SOCKETS / "realname.sock"), 5)
    assert not (SOCKETS / "other.sock").exists()
    assert engine.stop() == 0
    assert not list(SOCKETS.glob("*.sock"))


@scenario(lacks="only on macOS and OpenBSD")
def tun_name_file_is_written(lab):
    ns, path = lab.namespace(), WORK / "name"
    engine = lab.engine("wg0", ns, env={"WG_TUN_NAME_FILE": str(path)})
    assert path.read_text().strip() == "wg0"
    assert engine.stop() == 0


@scenario(lacks="no sd_notify")
def readiness_is_notified(lab):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(WORK / "notify"))
    sock.settimeout(5)
    engine = lab.engine("wg0", lab.namespace(), env={"NOTIFY_SOCKET": str(WORK / "notify")}, wait=False)
    assert b"READY=1" in sock.recv(1000).split(b"\n")
    assert is_listening(engine.socket), "ready before it is"
    engine.set("fwmark 1")
    with engine.ns:  # abstract names belong to a network namespace
        abstract = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with abstract:
        abstract.bind("\0warren-test-notify")
        abstract.settimeout(5)
        lab.engine("wg1", engine.ns, env={"NOTIFY_SOCKET": "@warren-test-notify"}, wait=False)
        assert b"READY=1" in abstract.recv(1000).split(b"\n")


@scenario(lacks="leaves it to the kernel")
def device_has_no_link_local_address(lab):
    engine = lab.engine("wg0", lab.namespace())
    engine.ns.ip("link set wg0 up")
    time.sleep(0.3)
    assert "inet6" not in engine.ns.ip("addr show dev wg0")
    assert "mtu 1420" in engine.ns.ip("link show dev wg0")


# --- losing things ---------------------------------------------------------------------------------


def ends_cleanly(engine, seconds=5):
    """The engine ends by itself, spins never, and leaves nothing."""
    begin = time.monotonic()
    engine.wait_end(seconds)
    print(f"ended after {time.monotonic() - begin:.2f} s with {engine.process.returncode}")
    assert engine.process.returncode is not None and engine.process.returncode >= 0, engine.process.returncode
    assert not processes(), "somebody is left"
    return engine.process.returncode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@scenario()
def signal_ends_cleanly(lab, number):
    bench = Bench(lab)
    bench.connect()
    bench.engine.signal(number)
    assert ends_cleanly(bench.engine) == 0
    assert not bench.engine.socket.exists() and "wga" not in links(bench.a)


@scenario()
def fp12_tun_deleted_ends_cleanly(lab):
    bench = Bench(lab)
    bench.connect()
    bench.a.ip("link del wga")
    ends_cleanly(bench.engine)
    assert not bench.engine.socket.exists()


@scenario()
def fp13_namespace_with_our_tun_dies(lab):
    bench = Bench(lab)
    bench.connect()
    holder = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
    wait_until(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net")
               and pathlib.Path(f"/proc/{holder.pid}/comm").read_text() == "sleep\n")
    bench.a.ip(f"link set wga netns {holder.pid}")
    bench.a.run("nsenter", f"--net=/proc/{holder.pid}/ns/net", "ip", "link", "set", "wga", "up")
    time.sleep(0.3)
    assert bench.engine.alive()
    holder.kill()
    holder.wait()
    ends_cleanly(bench.engine, 15)
    assert not bench.engine.socket.exists()


@pytest.mark.parametrize("way", ["deleted", "renamed", "replaced"])
@scenario()
def fp14_socket_removed_ends_cleanly(lab, way):
    bench = Bench(lab)
    bench.connect()
    path = bench.engine.socket
    if UNDER_TEST == "wireguard-go" and way != "deleted":
        pytest.skip("wireguard-go watches deletion only")
    if way == "deleted":
        path.unlink()
    elif way == "renamed":
        path.rename(WORK / "elsewhere")
    else:
        other = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        other.bind(str(WORK / "other"))
        other.listen(1)
        (WORK / "other").rename(path)
    ends_cleanly(bench.engine)
    assert "wga" not in links(bench.a)
    assert path.exists() == (way == "replaced"), "it removed what is not its own"


@scenario()
def fp15_stale_socket_is_replaced_foreign_is_not(lab):
    ns = lab.namespace()
    path = SOCKETS / "wg0.sock"
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stale.bind(str(path))
    stale.close()
    engine = lab.engine("wg0", ns)
    engine.set("fwmark 1")
    assert engine.stop() == 0

    def refused(what):
        result = ns.run(*engine_argv(UNDER_TEST, False), "wg0", check=False, timeout=10)
        assert result.returncode not in (0, None), f"started over {what}"
        assert links(ns) == ["lo"], f"a device is left beside {what}"
        assert not processes()
        return result

    if UNDER_TEST != "warren":
        return
    target = WORK / "target"
    target.write_text("precious")
    path.symlink_to(target)
    refused("a symlink")
    assert path.is_symlink() and target.read_text() == "precious"
    path.unlink()
    path.write_text("a file")
    refused("a file")
    assert path.read_text() == "a file"
    path.unlink()
    path.mkdir()
    refused("a directory")
    assert path.is_dir()
    path.rmdir()
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stale.bind(str(path))
    stale.close()
    os.chown(path, 65534, 65534)
    refused("a stranger's socket")
    assert path.is_socket()
    path.unlink()
    os.chmod(SOCKETS, 0o777)
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stale.bind(str(path))
    stale.close()
    refused("a stale socket in a directory of everybody")
    assert path.is_socket()
    path.unlink()
    os.chmod(SOCKETS, 0o755)
    live = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    live.bind(str(path))
    live.listen(1)
    refused("a live socket")
    assert is_listening(path)
    live.close()


@scenario(seconds=90)
def fp17_double_start_is_refused_first_untouched(lab):
    bench = Bench(lab)
    bench.connect()
    before = bench.engine.dump()[0]
    for ns in (bench.a, lab.namespace()):  # the name is taken, or only its socket
        result = ns.run(*engine_argv(UNDER_TEST, False), "wga", check=False, timeout=10)
        if UNDER_TEST == "warren":
            assert result.returncode == 1 and len(result.stderr.strip().splitlines()) == 1, result
        else:
            assert result.returncode != 0
        assert bench.engine.alive() and bench.engine.dump()[0] == before and bench.echo()
    assert bench.engine.stop() == 0
    ns = lab.namespace()
    started = [subprocess.Popen([*engine_argv(UNDER_TEST, True), "wgr"], preexec_fn=ns.setup, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(50)]
    wait_until(lambda: sum(p.poll() is None for p in started) <= 1, 30)
    time.sleep(0.3)
    winners = [p for p in started if p.poll() is None]
    assert len(winners) == 1, f"{len(winners)} engines for one name"
    assert all(p.returncode == 1 for p in started if p not in winners), [p.returncode for p in started]
    assert "wgr" in links(ns)
    assert is_listening(SOCKETS / "wgr.sock"), "the winner's socket was taken away"
    assert ns.run("wg", "show", "wgr", "listen-port")
    winners[0].terminate()
    assert winners[0].wait(5) == 0


@scenario(lacks="is left without a port")
def fp18_port_taken_is_refused_old_socket_stays(lab):
    bench = Bench(lab)
    bench.connect()
    taken4, taken6 = bench.a.udp("10.1.0.1", 4444), bench.a.udp("fd01::1", 5555)
    for i, port in enumerate((4444, 5555)):
        result = bench.engine.set(f"listen-port {port} fwmark 9", check=False)
        assert result.returncode == 1 and "Unable to modify interface: Address already in use" in result.stderr, result
        assert bench.engine.port() == PORT and bench.engine.show("fwmark").strip() == "off"
        assert bench.echo(), "the old port does not work any more"
        assert bench.peer.handshake(when=time.time() + 1 + i), "no handshake on the old port"
        assert bench.echo()
    taken4.close(), taken6.close()
    bench.engine.set("listen-port 4444")
    bench.peer.target = ("10.1.0.1", 4444)
    assert bench.engine.port() == 4444 and bench.echo()
    other = lab.engine("wgo", bench.a)
    other.configure(Keys().private)
    other.ns.ip("link set wgo up")
    result = other.set("listen-port 4444", check=False)
    assert result.returncode == 1 and "Address already in use" in result.stderr, "two engines share a port"
    assert bench.echo()


@scenario(seconds=40)
def port_change_under_traffic(lab):
    """F-X5: 100 port changes while packets flow; in the end it works on the last one."""
    bench = Bench(lab)
    bench.connect()
    pinger = lab.start(bench.a, "ping", "-n", "-q", "-i", "0.002", "10.9.0.2", stdout=-3)
    for i in range(100):
        assert bench.engine.uapi(f"set=1\nlisten_port={20000 + i}\nfwmark={i}\n\n").endswith("errno=0\n\n")
    pinger.kill()
    assert bench.engine.port() == 20099
    bench.peer.target = ("10.1.0.1", 20099)
    bench.peer.drain(0.02)
    assert bench.echo() or bench.echo()
    open_sockets = bench.a.run("ss", "-H", "-u", "-a", "-n")
    assert set(re.findall(r":(200\d\d)\s", open_sockets)) == {"20099"}, open_sockets


@pytest.mark.parametrize("error", ["EIO", "ENOSYS", "EPERM", "EAGAIN"])
@scenario(lacks="aborts, or reads /dev/urandom")
def fp19_no_random_bytes_no_handshake(lab, error):
    """getrandom fails from some time on: no initiation, no response, no crash, no spinning."""
    bench = Bench(lab, peers=2)
    bench.connect(1)
    engine = bench.engine
    tracer = lab.start(lab.root, "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=getrandom", "-e",
                       f"inject=getrandom:error={error}", "-p", ",".join(map(str, engine.pids())), stdout=-3, stderr=-3)
    wait_until(lambda: all(re.search(rf"TracerPid:\s+{tracer.pid}\b", pathlib.Path(f"/proc/{pid}/status").read_text())
                           for pid in engine.pids()), 5)
    time.sleep(0.3)
    bench.poke(0)
    bench.peers[1].send(Initiator(bench.peers[1].key, bench.peers[1].remote, when=time.time() + 1).message)
    assert bench.peers[0].receive(1) == (None, None), "an initiation without random bytes"
    assert bench.peers[1].receive(0.5, (RESPONSE,)) == (None, None), "a response without random bytes"
    assert engine.alive()
    cpu = engine.cpu_seconds()
    time.sleep(1)
    assert engine.cpu_seconds() - cpu < 0.3
    assert bench.echo(1), "the running session is hurt"
    tracer.terminate()
    tracer.wait(5)
    bench.poke(0)
    assert bench.peers[0].answer(8), "no handshake when random bytes are back"
    assert bench.peers[0].data(2)[0]


@scenario(seconds=40, lacks="stops when accept fails")
def descriptors_run_out(lab):
    """F-P4: no descriptor left: sessions live on, nothing spins, and the socket answers again afterwards."""
    probe = lab.engine("wgp", lab.namespace())
    probe.configure(Keys().private, 0)
    used = max(int(fd) for pid in probe.pids() for fd in os.listdir(f"/proc/{pid}/fd"))
    probe.stop()
    bench = Bench(lab, wrapper=("prlimit", f"--nofile={used + 3}"))
    bench.connect()
    clients = []
    for _ in range(30):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        with contextlib.suppress(OSError):
            client.connect(str(bench.engine.socket))
        clients.append(client)
    time.sleep(0.3)
    cpu = bench.engine.cpu_seconds()
    time.sleep(1)
    used = bench.engine.cpu_seconds() - cpu
    assert bench.echo()
    for client in clients:
        client.close()
    assert used < 0.3 or UNDER_TEST == "wireguard-go", f"{used} s of CPU in one second"
    wait_until(lambda: bench.engine.wg("show", "wga", check=False).returncode == 0, 5)
    assert bench.echo()


@scenario(seconds=40, lacks="blocks on its log")
def fp16_blocked_log_does_not_block(lab):
    """stderr and stdout are a full pipe that nobody reads."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 512)
    os.set_blocking(writer, True)
    a, b = lab.pair()
    process = subprocess.Popen([*engine_argv(UNDER_TEST, True), "wga"], preexec_fn=a.setup, stdin=subprocess.DEVNULL,
                               stdout=writer, stderr=writer, env={**os.environ, "LOG_LEVEL": "verbose"})
    lab.programs.append(process)
    wait_until(lambda: is_listening(SOCKETS / "wga.sock"), 5)
    keys, key = Keys(), Key()
    a.run("wg", "set", "wga", "private-key", "/dev/stdin", "listen-port", "51820", "peer", key.public_text,
          "allowed-ips", "10.9.0.2/32", stdin=keys.private)
    a.address("wga", "10.9.0.1/24")
    a.ip("link set wga up")
    peer = Peer(b, "10.1.0.2", keys.public, ("10.1.0.1", 51820), key=key)
    for i in range(20):
        assert peer.handshake(when=time.time() + i) and peer.echo("10.9.0.2", "10.9.0.1")
        time.sleep(0.03)
    process.terminate()
    assert process.wait(5) == 0
    os.close(reader)


# --- namespaces ------------------------------------------------------------------------------------


@scenario()
def tun_moved_to_another_namespace_keeps_working(lab):
    """As netns.sh: made and bound in one namespace, the device used in another; and back."""
    bench = Bench(lab, up=False)
    inside = lab.namespace()
    for target, origin in ((inside, bench.a), (bench.a, inside)):
        origin.ip(f"link set wga netns {target.path}")
        target.address("wga", "10.9.0.1/16", "fd09::1/64")
        target.ip("link set wga up")
        for attempt in range(3):
            wait_until(lambda: bench.peer.handshake(1.2, when=time.time() + attempt), 8, "a handshake after the move")
            assert bench.echo() and bench.echo(family=6), f"round {attempt}"
            time.sleep(0.05)
        bench.peer.drain(0.02)
        bench.engine.set("listen-port 51821")
        bench.peer.target = ("10.1.0.1", 51821)
        assert bench.echo(), "a port set after the move is of another namespace"
        bench.engine.set(f"listen-port {PORT}")
        bench.peer.target = bench.target
        assert bench.echo()
    assert bench.engine.stop() == 0
    assert "wga" not in links(bench.a) + links(inside)


# --- UAPI ------------------------------------------------------------------------------------------


@scenario(lacks="applies line by line")
def uapi_set_is_atomic(lab):
    """A request with a wrong line anywhere changes nothing at all."""
    bench = Bench(lab)
    session = bench.connect()
    public = bench.peer.key.public.hex()
    fresh, before = Keys(), bench.engine.wg("showconf", "wga")
    for end in ("nonsense=1\n", "allowed_ip=10.0.0.0/33\n", "endpoint=1.2.3.4\n", "persistent_keepalive_interval=70000\n",
                "public_key=00\n", "no equals sign\n", "listen_port=1\n"):
        answer = bench.engine.uapi(f"set=1\nprivate_key={base64.b64decode(fresh.private).hex()}\nlisten_port=4000\nfwmark=3\n"
                                   f"replace_peers=true\npublic_key={'7' * 64}\nallowed_ip=10.77.0.0/16\n"
                                   f"public_key={public}\nreplace_allowed_ips=true\nallowed_ip=10.9.9.9/32\n{end}\n")
        assert re.fullmatch(r"errno=-\d+\n\n", answer), (end, answer)
        assert bench.engine.wg("showconf", "wga") == before, f"changed before {end!r}"
    assert bench.echo() and bench.peer.session is session


@scenario(lacks="commits at the end of input")
def uapi_request_without_blank_line_is_discarded(lab):
    bench = Bench(lab)
    before = bench.engine.wg("showconf", "wga")
    bench.engine.uapi("set=1\nfwmark=3\nreplace_peers=true\n", half_close=True)
    bench.engine.uapi("set=1\nfwmark=3\nreplace_peers=tr", half_close=True)
    bench.engine.uapi("set=1\nlisten_port=7", half_close=True)
    assert bench.engine.wg("showconf", "wga") == before


@scenario(seconds=60)
def uapi_clients_cannot_hold_up_others(lab):
    """F-C7: slow, silent, endless and unread clients; each request may come in any pieces."""
    bench = Bench(lab)
    engine = bench.engine

    def client():
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(5)
        sock.connect(str(engine.socket))
        return sock

    silent, slow, unread = [client() for _ in range(5)], client(), [client() for _ in range(5)]
    for sock in unread:
        sock.sendall(b"get=1\n\n")
    slow.sendall(b"se")
    assert engine.dump() and bench.connect()
    for byte in b"t=1\nfwmark=77\n\n":
        slow.sendall(bytes([byte]))
        time.sleep(0.005)
    assert slow.recv(100) == b"errno=0\n\n"
    assert engine.show("fwmark").strip() == "0x4d"
    slow.sendall(b"get=1\n\n")
    assert b"fwmark=77\n" in slow.recv(10000), "a second request on one connection"
    long = client()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        long.sendall(b"set=1\nprivate_key=" + b"0" * 200000)
        long.sendall(b"\n\n")
        assert b"errno=0" not in long.recv(1000)
    for garbage in (b"\0" * 1000, b"\n", b"nonsense\n\n", os.urandom(5000), b"get=2\n\n", b"set=1\n\0\n\n"):
        sock = client()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            sock.sendall(garbage)
            sock.shutdown(socket.SHUT_WR)
            assert b"errno=0" not in sock.recv(1000)
        sock.close()
    for sock in [*silent, *unread, slow, long]:
        sock.close()
    assert engine.dump() and bench.echo()


@scenario(seconds=60)
def get_and_set_race(lab):
    """F-X6, F-C8: dumps while peers come and go are whole; nothing breaks."""
    bench = Bench(lab)
    bench.connect()
    keys = [os.urandom(31).hex() + "11" for _ in range(200)]
    problems, stop = [], threading.Event()

    def change():
        n = 0
        while not stop.is_set():
            n += 1
            key = keys[n % 200]
            text = f"set=1\npublic_key={key}\n" + ("remove=true\n" if n // 200 % 2 else f"allowed_ip=10.50.{n % 200}.0/24\n")
            if not bench.engine.uapi(text + "\n").endswith("errno=0\n\n"):
                problems.append(text)

    threads = [threading.Thread(target=change, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    end, count = time.monotonic() + 4, 0
    while time.monotonic() < end:
        answer = bench.engine.uapi("get=1\n\n")
        assert answer.endswith("errno=0\n\n") and answer.count("\nlisten_port=") == 1
        assert answer.count("protocol_version=1\n") == answer.count("public_key=")
        assert bench.echo()
        count += 1
    stop.set()
    for thread in threads:
        thread.join()
    print(f"{count} dumps")
    assert not problems, problems[0]


@scenario(seconds=20, lacks="answers whoever may open the socket")
def client_of_another_user_is_closed_and_costs_nothing(lab):
    """A socket that somebody has opened to all: nobody is turned away, and the engine lives on as it was."""
    bench = Bench(lab)
    bench.connect()
    path, before = SOCKETS / "wga.sock", bench.engine.pids()
    os.chmod(path, 0o666)
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                os.setgid(65534)
                os.setuid(65534)
                client = socket.socket(socket.AF_UNIX)
                client.connect(str(path))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    client.sendall(b"get=1\n\n")
                    os._exit(1 if client.recv(1) else 0)
                os._exit(0)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "nobody was answered"
    assert bench.engine.uapi("get=1\n\n").endswith("errno=0\n\n")
    assert bench.engine.pids() == before
    assert bench.echo()


# --- secrets ---------------------------------------------------------------------------------------


@scenario(seconds=60)
def fs7_socket_0600_from_birth(lab):
    """Watched while it is made, again and again: never a moment in which others could open it."""
    ns, seen, stop = lab.namespace(), set(), threading.Event()
    os.umask(0)
    path = SOCKETS / "wg0.sock"

    def watch():
        while not stop.is_set():
            with contextlib.suppress(FileNotFoundError):
                seen.add(stat.S_IMODE(os.lstat(path).st_mode))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    for _ in range(10):
        engine = lab.engine("wg0", ns)
        assert engine.stop() == 0
    stop.set()
    thread.join()
    print([oct(mode) for mode in seen])
    assert seen and not any(mode & 0o077 for mode in seen), [oct(mode) for mode in seen]
    if UNDER_TEST == "warren":
        assert seen == {0o600}
    os.rmdir(SOCKETS)
    lab.engine("wg1", ns)
    assert os.stat(SOCKETS).st_mode & 0o022 == 0, "the directory can be written by others"
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.setgid(65534)
            os.setuid(65534)
            os._exit(is_listening(SOCKETS / "wg1.sock"))
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "anybody may connect"


def may_lock():
    """Does this host let root lock what it likes?"""
    with contextlib.suppress(ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY


@scenario(lacks="no protection of its memory")
def fs3_no_core_no_ptrace(lab):
    bench = Bench(lab)
    bench.connect()
    for pid in bench.engine.pids():
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0\s", limits), limits
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        locked = int(re.search(r"VmLck:\s+(\d+)", status).group(1))
        assert locked > 0 or not may_lock(), "memory may be swapped"
    argv = [*engine_argv("warren", True), "wgc"]
    crash = subprocess.Popen(argv, preexec_fn=bench.a.setup, cwd=WORK, stdout=-3, stderr=-3, stdin=-3)
    wait_until(lambda: is_listening(SOCKETS / "wgc.sock"), 5)
    # Not dumpable: another process of its uid may not look at it. CAP_SYS_PTRACE may; so look without it.
    for pid in bench.engine.pids():
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                uid = os.stat(f"/proc/{pid}/mem").st_uid
                real = int(re.search(r"^Uid:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1))
                os.setgid(65534)
                if real:
                    os.setuid(real)
                else:  # root without capabilities
                    libc.prctl(24, 19, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_SYS_PTRACE
                    header, data = struct.pack("<Ii", 0x20080522, 0), bytes(24)
                    assert libc.syscall(126, ctypes.c_char_p(header), ctypes.c_char_p(data)) == 0  # capset: none
                try:
                    os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
                    os._exit(1)
                except PermissionError:
                    os._exit(0 if uid == 0 else 3)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "its memory can be read"
    crash.send_signal(signal.SIGSEGV)
    crash.wait(5)
    time.sleep(0.3)
    assert not list(WORK.glob("core*")), "a core file"
    for pid in [p for p in processes() if p not in bench.engine.pids()]:
        os.kill(pid, signal.SIGKILL)


@scenario(lacks="leaves keys in its log and memory", unsanitized="maps terabytes")
def secrets_are_nowhere(lab):
    """Not in the log, the arguments, the environment or any file (F-S10)."""
    psk = wg_output("genpsk")
    bench = Bench(lab, psk=psk, env={"LOG_LEVEL": "verbose"})
    bench.connect()
    bench.engine.uapi(f"set=1\nprivate_key={base64.b64decode(bench.keys.private).hex()}x\n\n")
    bench.engine.uapi(f"set=1\npublic_key={bench.peer.key.public.hex()}\npreshared_key={base64.b64decode(psk).hex()}0\n\n")
    secrets = []
    for text in (bench.keys.private, psk):
        raw = base64.b64decode(text)
        secrets += [text.encode(), raw, raw.hex().encode(), raw.hex().upper().encode()]
    places = [bench.engine.log, *(p for p in STATE.rglob("*") if p.is_file()), *(p for p in pathlib.Path("/run").rglob("*")
                                                                               if p.is_file() and WORK not in p.parents)]
    for pid in bench.engine.pids():
        places += [pathlib.Path(f"/proc/{pid}/cmdline"), pathlib.Path(f"/proc/{pid}/environ")]
    for place in places:
        data = place.read_bytes()
        assert not any(secret in data for secret in secrets), f"a secret in {place}"
    # Once removed, a key is not in memory any more (F-S4).
    bench.engine.wg("set", "wga", "private-key", "/dev/null", "peer", bench.peer.key.public_text, "remove")
    time.sleep(0.5)
    assert not (found := memory_holds(bench.engine.pids(), secrets)), found


def memory_holds(pids, secrets):
    found = []
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, mode, _, _, _, *name = line.split()
            if "w" not in mode:
                continue
            begin, end = (int(x, 16) for x in span.split("-"))
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory, contextlib.suppress(OSError):
                memory.seek(begin)
                data = memory.read(end - begin)
                found += [f"secret {i} in {' '.join(name) or span} of {pid}"
                          for i, secret in enumerate(secrets) if secret in data]
    return found


@scenario(lacks="no key log")
def key_log_decrypts_a_handshake(lab):
    """--key-log FILE: 0600, the lines Wireshark reads, and the keys in it are those of the handshake on the wire."""
    path, psk = WORK / "keys", wg_output("genpsk")
    os.umask(0)
    bench = Bench(lab, psk=psk, args=("--key-log", str(path)))
    bench.poke()
    message, source = bench.peer.receive(3, (INITIATION,))
    responder = Responder(bench.peer.key, message)
    response, session = responder.respond(bench.peer.psk)
    bench.peer.add(session)
    bench.peer.send(response, source)
    assert bench.peer.data(2)[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = dict(line.split(" = ", 1) for line in path.read_text().splitlines())
    print(sorted(lines))
    assert lines["LOCAL_STATIC_PRIVATE_KEY"] == bench.keys.private
    assert lines["REMOTE_STATIC_PUBLIC_KEY"] == bench.peer.key.public_text
    assert lines["PRESHARED_KEY"] == psk
    ephemeral = Key(lines["LOCAL_EPHEMERAL_PRIVATE_KEY"])
    assert ephemeral.public == message[8:40], "not the ephemeral of this handshake"
    # With these alone, as Wireshark does: the initiation again, then the response, then our data.
    again = Initiator(Key(lines["LOCAL_STATIC_PRIVATE_KEY"]), base64.b64decode(lines["REMOTE_STATIC_PUBLIC_KEY"]),
                      base64.b64decode(lines["PRESHARED_KEY"]), raw_stamp=responder.stamp, ephemeral=ephemeral,
                      index=struct.unpack("<I", message[4:8])[0])
    assert again.message[:132] == message[:132]
    theirs = again.consume(response)
    assert theirs.receive == session.send and theirs.send == session.receive
    bench.engine.stop()
    os.chmod(path, 0o644)
    result = bench.a.run(*engine_argv("warren", True), "--key-log", path, "wgk", check=False, timeout=5)
    assert result.returncode == 1 and len(result.stderr.strip().splitlines()) == 1, result


# --- the clock -------------------------------------------------------------------------------------


def initiations(bench, count):
    stamps = []
    for _ in range(count):
        bench.a.ip("link set wga down")
        bench.a.ip("link set wga up")
        time.sleep(0.05)
        bench.peer.drain(0.01)
        bench.poke()
        message, _ = bench.peer.receive(7, (INITIATION,))
        assert message, "no initiation"
        stamps.append(stamp_seconds(Responder(bench.peer.key, message).stamp))
    return stamps


@scenario(seconds=90, lacks="keeps no floor of its stamps")
def fp9_stamp_never_goes_back_over_a_restart(lab):
    """After a kill and a start with a clock that lags, stamps go on above all before."""
    bench = Bench(lab)
    bench.poke()
    message, _ = bench.peer.receive(7, (INITIATION,))
    first = stamp_seconds(Responder(bench.peer.key, message).stamp)
    assert abs(first - time.time()) < 5
    public = base64.b64decode(bench.keys.public)
    path = STATE / f"stamp-{blake2s(public)[:16].hex()}"
    assert path.is_file() and stat.S_IMODE(path.stat().st_mode) == 0o600, list(STATE.iterdir())
    floor = int(path.read_text()) / 1e9
    assert first <= floor <= first + 31, "the floor on disk is not above what was sent"
    assert [p.name for p in STATE.iterdir() if "stamp" in p.name and p != path] == []

    def restart(text):
        bench.engine.kill()
        wait_until(lambda: "wga" not in bench.a.ip("-o link"), 5, "the device goes with the last descriptor")
        path.write_text(text)
        bench.engine.socket.unlink(missing_ok=True)
        engine = lab.engine("wga", bench.a)
        engine.configure(bench.keys.private, PORT, peers=[{
            "public": bench.peer.key.public_text, "allowed": "10.9.0.2/32", "endpoint": f"10.1.0.2:{bench.peer.port}"}])
        engine.up("10.9.0.1/16")
        bench.engine = engine
        bench.peer.drain(0.05)
        bench.poke()
        message, _ = bench.peer.receive(7, (INITIATION,))
        assert message
        return stamp_seconds(Responder(bench.peer.key, message).stamp)

    # A floor ahead of the clock is what a clock set back looks like.
    ahead = time.time() + 20
    stamp = restart(f"{int(ahead * 1e9)}\n")
    assert ahead - 0.02 < stamp < ahead + 5, f"{stamp - ahead} s from the floor"
    second = time.time() + 3600
    stamp = restart(f"{int(second * 1e9)}\n")
    assert stamp > second - 0.02
    assert int(path.read_text()) / 1e9 >= stamp
    for broken in ("", "nonsense\n", "-1\n"):
        assert restart(broken) > time.time() - 30, f"a floor file with {broken!r}"
