"""Monitor and engine: two processes, of which the one that parses may die."""
import base64
import contextlib
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from bench import Bench
from harness import WORK, Keys, processes, sanitizer, scenario, wait_until
from pywg import INITIATION, RESPONSE, Initiator

ONE = "is one process"
FILTERED = "0" if sanitizer() else "2"  # how the kernel says that there is a filter of system calls


def child_of(engine):
    children = [pid for pid in engine.pids() if pid != engine.main]
    return children[0] if len(children) == 1 else None


def engine_of(engine):
    """The engine below a monitor, in its sandbox."""
    return wait_until(lambda: (pid := child_of(engine)) and in_sandbox(pid) and pid, 5, "an engine")


def in_sandbox(pid):
    """What is given up last."""
    status = status_of(pid)
    return status["NoNewPrivs"] == "1" and status["Seccomp"] == FILTERED


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def kill_engine(engine, number=signal.SIGKILL):
    """Its engine dies; seconds until another serves."""
    old = engine_of(engine)
    begin = time.monotonic()
    os.kill(old, number)
    wait_until(lambda: child_of(engine) not in (None, old) and engine.wg("show", engine.name, "listen-port"), 5,
               every=0.005)
    return time.monotonic() - begin


# --- what the engine may not do ------------------------------------------------------------------


@pytest.mark.parametrize("foreground", [True, False], ids=["foreground", "background"])
@scenario(lacks=ONE, unsanitized="has a thread of its own")
def fs1_engine_has_no_rights(lab, foreground):
    """F-S1, F-S2: its own uid and gid, no group, no capability, no new privileges, a filter, an empty root."""
    ns = lab.namespace()
    engine = lab.engine("wg0", ns, foreground=foreground)
    pid = engine_of(engine)
    assert status_of(engine.main)["Uid"].split() == ["0"] * 4
    status = status_of(pid)
    uids, gids = set(status["Uid"].split()), set(status["Gid"].split())
    assert len(uids) == len(gids) == 1 and uids != {"0"} and gids != {"0"}, status
    assert status["Groups"].split() == []
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, (name, status[name])
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        of_task = status_of(f"{pid}/task/{task.name}")
        assert of_task["NoNewPrivs"] == "1" and of_task["Seccomp"] == FILTERED and of_task["CapEff"] == status["CapEff"]
    assert os.listdir(f"/proc/{pid}/root/") == [] and os.listdir(f"/proc/{pid}/cwd/") == []
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max open files\s+\d{1,3}\s+\d{1,3}\s", limits), limits
    other = lab.engine("wg1", ns)
    assert not uids & set(status_of(engine_of(other))["Uid"].split()), "two engines can reach each other"


@scenario(lacks=ONE)
def engine_runs_as_the_user_warren(lab):
    passwd = WORK / "passwd"
    passwd.write_text("root:x:0:0:root:/root:/bin/sh\nwarren:x:987:986::/nonexistent:/usr/sbin/nologin\n")
    subprocess.run(["mount", "--bind", passwd, "/etc/passwd"], check=True)
    try:
        engine = lab.engine("wg0", lab.namespace())
        status = status_of(engine_of(engine))
        assert set(status["Uid"].split()) == {"987"} and set(status["Gid"].split()) == {"986"}
    finally:
        subprocess.run(["umount", "/etc/passwd"], check=True)


@scenario(lacks=ONE)
def engine_holds_only_what_it_needs(lab):
    """A ledger of descriptors: no netlink, no watch, no directory, no file but the records; none more after a death."""
    bench = Bench(lab)
    bench.connect()

    def ledger(pid):
        kinds = []
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            if int(fd.name) > 2:
                kinds.append(re.sub(r"\[\d+\]", "", os.readlink(fd)))
        return sorted(kinds)

    first = ledger(engine_of(bench.engine))
    of_monitor = ledger(bench.engine.main)
    print(first, of_monitor)
    allowed = {"/dev/net/tun", "socket:", "anon_inode:[eventpoll]", "anon_inode:[eventfd]", "anon_inode:[timerfd]",
               "/memfd:warren-records (deleted)"}
    assert set(first) <= allowed, set(first) - allowed
    netlink = pathlib.Path("/proc/net/netlink").read_text()
    inodes = {os.readlink(f) for f in pathlib.Path(f"/proc/{engine_of(bench.engine)}/fd").iterdir()}
    assert not any(f"socket:[{line.split()[-1]}]" in inodes for line in netlink.splitlines()[1:])
    for _ in range(3):
        kill_engine(bench.engine)
        time.sleep(0.1)
    assert ledger(engine_of(bench.engine)) == first
    wait_until(lambda: ledger(bench.engine.main) == of_monitor, 2, "the monitor loses no descriptor")


@scenario(lacks=ONE, unsanitized="is large")
def monitor_stays_small(lab):
    bench = Bench(lab)
    bench.connect()
    kill_engine(bench.engine)
    resident = int(status_of(bench.engine.main)["VmRSS"].split()[0])
    print(f"monitor {resident} kB")
    assert resident < 6 << 10
    maps = pathlib.Path(f"/proc/{bench.engine.main}/maps").read_text()
    assert "warren-records" not in maps, "the monitor looks into the records"


# --- death of the engine ---------------------------------------------------------------------------


def full_tunnel(bench):
    """All traffic of namespace a through wga, its own but the outer packets, as wg-quick does."""
    bench.engine.set("fwmark 51820")
    bench.engine.set(f"peer {bench.peer.key.public_text} allowed-ips 0.0.0.0/0,::/0")
    for family in ("-4", "-6"):
        bench.a.run("ip", family, "route", "add", "default", "dev", "wga", "table", "51820")
        bench.a.run("ip", family, "rule", "add", "not", "fwmark", "51820", "table", "51820")
        bench.a.run("ip", family, "rule", "add", "table", "main", "suppress_prefixlength", "0")
    bench.a.run("ip", "route", "add", "default", "via", "10.1.0.2")  # where it would leak


def routes(ns):
    texts = [ns.run("ip", family, *what.split()) for family in ("-4", "-6")
             for what in ("rule", "route show table all", "addr show dev wga")]
    return re.sub(r"(expires|valid_lft|preferred_lft) \S+", "", "".join(texts))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSYS, signal.SIGABRT])
@scenario(seconds=60, lacks=ONE)
def fp1_killed_engine_fails_closed(lab, number):
    """Under traffic in a full tunnel: back within a second, same routes, and nothing in the clear meanwhile."""
    bench = Bench(lab)
    bench.connect()
    full_tunnel(bench)
    assert bench.echo()
    before, config = routes(bench.a), bench.engine.wg("showconf", "wga")
    sniffer = lab.sniffer(bench.b, "out")
    stop = threading.Event()

    def talk():
        sock = bench.a.udp("0.0.0.0")
        while not stop.is_set():
            sock.sendto(b"a secret in the clear", ("203.0.113.9", 9))
            time.sleep(0.001)

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    time.sleep(0.2)
    seconds = kill_engine(bench.engine, number)
    print(f"back after {seconds:.3f} s")
    message, _ = bench.peer.receive(5, (INITIATION,))
    assert message, "the new engine does not ask for a session"
    bench.peer.drain(0.05)
    assert bench.peer.handshake(when=time.time() + 1) and bench.echo()
    stop.set()
    thread.join()
    marked = bench.a.udp("0.0.0.0")  # what goes round the tunnel is seen
    marked.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 51820)
    marked.sendto(b"known to be in the clear", ("203.0.113.9", 9))
    packets = [frame for _, frame, _ in sniffer.stop()]
    assert any(b"known to be in the clear" in frame for frame in packets), "the sniffer sees nothing"
    clear = [frame for frame in packets if b"secret" in frame]
    assert not clear, f"{len(clear)} packets in the clear"
    assert seconds < 1.5
    assert routes(bench.a) == before
    assert bench.engine.wg("showconf", "wga") == config
    assert bench.engine.alive()


@scenario(seconds=60, lacks=ONE)
def configuration_survives_byte_for_byte(lab):
    """Whatever was set, in pieces: keys, ports, marks, endpoints of both families, many prefixes, what was removed."""
    ns = lab.namespace()
    engine = lab.engine("wga", ns)
    peers = [Keys().public for _ in range(40)]
    engine.wg("set", "wga", "private-key", "/dev/stdin", stdin=Keys().private)
    for i, peer in enumerate(peers):
        engine.set(f"peer {peer} allowed-ips 10.{i}.0.0/16,fd{i:02x}::/32,10.200.{i}.0/24,192.168.{i}.7/32"
                   + (f" endpoint 10.1.0.{i}:{1000 + i}" if i % 2 else f" endpoint [fd01::{i + 1}]:9")
                   + (f" persistent-keepalive {i}" if i % 3 else ""))
    engine.wg("set", "wga", "peer", peers[3], "preshared-key", "/dev/stdin", stdin=Keys().private)
    engine.set(f"peer {peers[5]} remove")
    engine.set(f"peer {peers[6]} allowed-ips 10.9.0.0/16")  # taken from another
    engine.set("listen-port 4000 fwmark 0x77")
    engine.set("listen-port 0")
    answer = engine.uapi(f"set=1\npublic_key={base64.b64decode(peers[8]).hex()}\nnonsense=1\n\n")
    assert "errno=0" not in answer
    before = engine.wg("showconf", "wga")
    assert len(before) > 4000
    for number in (signal.SIGKILL, signal.SIGSEGV):
        kill_engine(engine, number)
        assert engine.wg("showconf", "wga") == before
    engine.set("listen-port 4001")
    engine.set("private-key /dev/null")
    before = engine.wg("showconf", "wga")
    kill_engine(engine)
    assert engine.wg("showconf", "wga") == before


@scenario(seconds=60, lacks=ONE)
def learned_endpoint_survives(lab):
    """A peer that roamed is asked where it was last, at once, although nobody configured that."""
    bench = Bench(lab, endpoint=False)
    bench.connect()
    assert bench.endpoint() == f"10.1.0.2:{bench.peer.port}"
    kill_engine(bench.engine)
    message, source = bench.peer.receive(5, (INITIATION,))
    assert message and source == bench.target, "no handshake to where the peer was"
    assert bench.endpoint() == f"10.1.0.2:{bench.peer.port}"


@pytest.mark.parametrize("rewritten", [False, True], ids=["as recorded", "as rewritten"])
@scenario(seconds=60, lacks=ONE)
def fh13_next_engine_refuses_a_recorded_initiation(lab, rewritten):
    """What one engine has accepted the next one refuses, and takes what is later."""
    bench = Bench(lab)
    peer = bench.peer
    recorded = Initiator(peer.key, peer.remote)
    peer.send(recorded.message)
    assert peer.receive(2, (RESPONSE,))[0], "no response to a good initiation"
    if rewritten:  # a new private key is not in the records beside the old one
        bench.engine.wg("set", "wga", "private-key", "/dev/stdin", stdin=Keys().private)
        bench.engine.wg("set", "wga", "private-key", "/dev/stdin", stdin=bench.keys.private)
    for _ in range(2):
        kill_engine(bench.engine)
        peer.drain(0.05)
        before = bench.engine.uapi("diagnose=1\n\n").count("old-timestamp")
        assert before == 0
        peer.send(recorded.message)
        assert peer.receive(0.5, (RESPONSE,)) == (None, None), "a replay is answered"
        wait_until(lambda: "old-timestamp" in bench.engine.uapi("diagnose=1\n\n"), 2, "the replay is counted as one")
    assert peer.handshake() and bench.echo()


@scenario(seconds=60, lacks=ONE)
def records_do_not_grow_for_ever(lab):
    """A thousand changes of one peer, and what was superseded is not kept."""
    bench = Bench(lab)
    public = bench.peer.key.public.hex()

    def size():
        for fd in pathlib.Path(f"/proc/{bench.engine.main}/fd").iterdir():
            if "warren-records" in os.readlink(fd):
                return os.stat(fd).st_blocks * 512, fd
        raise AssertionError("no records")

    for i in range(1000):
        answer = bench.engine.uapi(f"set=1\npublic_key={public}\npersistent_keepalive_interval={i}\n"
                                   + "".join(f"allowed_ip=10.{i % 100}.{j}.0/24\n" for j in range(10)) + "\n")
        assert answer.endswith("errno=0\n\n")
    blocks, path = size()
    print(f"{blocks} bytes")
    assert blocks < 512 << 10
    before = bench.engine.wg("showconf", "wga")
    kill_engine(bench.engine)
    assert bench.engine.wg("showconf", "wga") == before


@scenario(seconds=60, lacks=ONE)
def fs4_records_hold_no_secret_in_clear_and_none_that_ended(lab):
    """Masked, as they can be swapped out; what is replaced or removed is gone at once, beyond a megabyte too."""
    bench = Bench(lab)
    path = next(fd for fd in pathlib.Path(f"/proc/{bench.engine.main}/fd").iterdir() if "records" in os.readlink(fd))
    keys = [(os.urandom(32).hex(), os.urandom(32).hex()) for _ in range(5000)]
    answer = bench.engine.uapi("set=1\n" + "".join(f"public_key={key}\npreshared_key={psk}\n" for key, psk in keys)
                               + "\n")
    assert answer.endswith("errno=0\n\n")

    def content():
        data = path.read_bytes()
        assert len(data) > 600 << 10
        return data

    def masked(name, after=""):
        return re.findall(f"{after}{name}=([0-9a-f]{{64}})\n".encode(), content())

    def psk_of(i):
        return masked("preshared_key", f"public_key={keys[i][0]}\n")

    private = base64.b64decode(bench.keys.private).hex().encode()
    clear = {psk.encode() for _, psk in keys} | {private}
    assert not clear & set(re.findall(rb"[0-9a-f]{64}", content())), "a secret in clear"
    assert len(psk_of(0)) == len(psk_of(1)) == len(psk_of(2)) == len(masked("private_key")) == 1
    old = [*psk_of(0), *psk_of(1), *masked("private_key")]
    kept, fresh = psk_of(2), os.urandom(32).hex()
    bench.engine.uapi(f"set=1\npublic_key={keys[0][0]}\npreshared_key={fresh}\npublic_key={keys[1][0]}\nremove=true\n\n")
    assert old[0] not in content(), "a preshared key that was replaced is still in the records"
    assert old[1] not in content(), "that of a removed peer is"
    assert psk_of(2) == kept and old[2] in content()
    before = bench.engine.wg("showconf", "wga")
    kill_engine(bench.engine)
    assert bench.engine.wg("showconf", "wga") == before
    bench.engine.wg("set", "wga", "private-key", "/dev/stdin", stdin=Keys().private)
    assert old[2] not in content(), "a private key that was replaced is still in the records"
    values = [psk_of(2)[-1], psk_of(3)[-1]]
    bench.engine.uapi("set=1\nreplace_peers=true\n" + f"public_key={keys[2][0]}\npreshared_key={keys[2][1]}\n\n")
    assert not any(value in content() for value in values), "of all that were replaced"
    before = bench.engine.wg("showconf", "wga")
    kill_engine(bench.engine)
    assert bench.engine.wg("showconf", "wga") == before


@scenario(seconds=60, lacks=ONE)
def fs4_records_mask_no_two_secrets_alike(lab):
    """One set may name a peer twice, or one whose key is zero: what is masked alike would tell of what is."""
    bench = Bench(lab)
    path = next(fd for fd in pathlib.Path(f"/proc/{bench.engine.main}/fd").iterdir() if "records" in os.readlink(fd))
    private = base64.b64decode(bench.keys.private).hex()  # another one would have the records rewritten
    rows = [("07" * 32, os.urandom(32).hex()), ("07" * 32, os.urandom(32).hex()), ("00" * 32, os.urandom(32).hex())]
    answer = bench.engine.uapi(f"set=1\nprivate_key={private}\n"
                               + "".join(f"public_key={key}\npreshared_key={psk}\n" for key, psk in rows) + "\n")
    assert answer.endswith("errno=0\n\n")
    values = [value.decode() for value in re.findall(rb"(?:private|preshared)_key=([0-9a-f]{64})\n", path.read_bytes())]
    assert len(values) >= 4
    pads = {int(value, 16) ^ int(secret, 16) for value in values for secret in (private, *(psk for _, psk in rows))}
    assert len(pads) == len(values) * 4, "two secrets under one mask"
    before = bench.engine.wg("showconf", "wga")
    kill_engine(bench.engine)
    assert bench.engine.wg("showconf", "wga") == before


@scenario(seconds=60, lacks=ONE)
def engine_that_was_stopped_goes_on(lab):
    """A host that sleeps, or a debugger, stops a brain in its wait, and nothing else may wake it between."""
    engine = lab.engine("wga", lab.namespace())
    before = engine_of(engine)
    time.sleep(0.5)  # whatever it had to do is done
    for pause in (10.5, 0.5):  # the first: as long as it has patience with a wait that fails
        os.kill(before, signal.SIGSTOP)
        time.sleep(0.1)
        os.kill(before, signal.SIGCONT)
        time.sleep(pause)
    assert engine_of(engine) == before


@scenario(seconds=60, lacks=ONE)
def half_a_record_is_ignored(lab):
    """What an engine had begun to write when it died does not count."""
    bench = Bench(lab)
    before = bench.engine.wg("showconf", "wga")
    path = next(fd for fd in pathlib.Path(f"/proc/{bench.engine.main}/fd").iterdir() if "records" in os.readlink(fd))
    text = b"set=1\nlisten_port=7\nreplace_peers=true\n\n"
    with open(path, "r+b") as file:
        data = file.read()
        end = len(data) + -len(data) % 8
        file.seek(end)
        file.write(struct.pack("<IIQ", 0, 1, len(text)) + text)
    kill_engine(bench.engine)
    assert bench.engine.wg("showconf", "wga") == before
    assert text not in pathlib.Path(path).read_bytes()
    bench.engine.set("fwmark 9")
    before = bench.engine.wg("showconf", "wga")
    kill_engine(bench.engine)
    assert bench.engine.wg("showconf", "wga") == before


@scenario(seconds=60, lacks=ONE)
def clients_wait_while_there_is_no_engine(lab):
    """A client that comes between two engines is served by the second."""
    bench = Bench(lab)
    problems = []

    def ask():
        for _ in range(100):
            result = bench.engine.wg("show", "wga", "listen-port", check=False)
            if result.returncode and "Unable to access" in result.stderr:
                problems.append(result.stderr)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    for _ in range(3):
        kill_engine(bench.engine)
    thread.join()
    # One whose connection died with its engine may say so; but few can be that.
    assert len(problems) <= 6, problems


@scenario(seconds=60, lacks=ONE, unsanitized="is slow to start")
def crash_loop_is_backed_off(lab):
    engine = lab.engine("wg0", lab.namespace())
    wait_until(lambda: "running" in engine.read_log(), 5)
    for _ in range(4):
        kill_engine(engine)
    cpu = engine.cpu_seconds()
    old = engine_of(engine)
    begin = time.monotonic()
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: child_of(engine) not in (None, old), 5)
    assert 0.9 < time.monotonic() - begin, "no pause after the fifth death"
    assert engine.cpu_seconds() - cpu < 0.5
    assert engine.read_log().count("SIGKILL") == 5, "a death is not logged with its signal"
    begin = time.monotonic()
    os.kill(engine_of(engine), signal.SIGKILL)
    time.sleep(0.2)
    assert engine.stop() == 0, "told to end while it waits"
    assert time.monotonic() - begin < 1.5


@scenario(seconds=90, full=True, lacks=ONE)
def endless_crash_loop_keeps_the_interface(lab):
    """Engines that keep dying: later and later another one, and never an open moment; the last one works again."""
    bench = Bench(lab)
    bench.connect()
    deaths, deadline = 0, time.time() + 40
    while deaths < 7 and time.time() < deadline:
        pid = child_of(bench.engine)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                deaths += 1
        assert bench.engine.alive() and "wga" in bench.a.ip("-o link")
        time.sleep(0.05)
    assert deaths == 7 and "engines keep dying" in bench.engine.read_log()
    wait_until(lambda: child_of(bench.engine), 10)
    assert bench.engine.uapi("get=1\n\n").endswith("errno=0\n\n")
    assert bench.peer.handshake() and bench.echo()


# --- death of the monitor --------------------------------------------------------------------------


@scenario(lacks=ONE)
def killed_monitor_takes_its_engine_along(lab):
    bench = Bench(lab)
    bench.connect()
    pid = engine_of(bench.engine)
    os.kill(bench.engine.main, signal.SIGKILL)
    wait_until(lambda: pid not in processes(), 2)
    assert bench.engine.process.wait(2) == -signal.SIGKILL
    wait_until(lambda: "wga" not in bench.a.ip("-o link"), 5, "the device goes with the last descriptor")


@scenario(lacks=ONE)
def hung_engine_does_not_hold_the_end_up(lab):
    engine = lab.engine("wg0", lab.namespace())
    os.kill(engine_of(engine), signal.SIGSTOP)
    engine.signal(signal.SIGTERM)
    assert engine.wait_end(8) == 0
    assert not engine.socket.exists()


@scenario(seconds=60, lacks=ONE)
def first_initiation_behind_link_up_is_answered(lab):
    """Once `ip link set up` has returned, although the monitor, which tells the engine of it, is late."""
    bench = Bench(lab, up=False)
    for _ in range(3):
        os.kill(bench.engine.main, signal.SIGSTOP)
        bench.a.ip("link set wga up")
        bench.peer.send(Initiator(bench.peer.key, bench.peer.remote).message)
        time.sleep(0.1)
        os.kill(bench.engine.main, signal.SIGCONT)
        assert bench.peer.receive(3, (RESPONSE,))[0], "an initiation to a link that is up is refused"
        bench.a.ip("link set wga down")
        wait_until(lambda: re.findall("link (up|down)", bench.engine.read_log())[-1] == "down", 2)
        bench.peer.drain(0.05)
        bench.peer.send(Initiator(bench.peer.key, bench.peer.remote).message)
        assert bench.peer.receive(0.3, (RESPONSE,)) == (None, None), "answered by a link that is down"


@scenario(seconds=60, lacks=ONE)
def mtu_changes_probe_nothing(lab):
    """What the kernel takes is asked when the link comes up, at the price of header errors that the host counts."""
    bench = Bench(lab)

    def errors():
        rows = [line.split() for line in bench.a.run("cat", "/proc/net/snmp").splitlines() if line.startswith("Ip:")]
        return int(dict(zip(*rows))["InHdrErrors"])

    def heard(mtu):
        return re.findall(r"link (up|down), MTU (\d+)", bench.engine.read_log())[-1] == ("up", mtu)

    before = errors()
    for mtu in ("1400", "1390", "1380"):
        bench.a.ip(f"link set wga mtu {mtu}")
        wait_until(lambda: heard(mtu), 2)
    assert errors() == before, "probed again"
    bench.a.ip("link set wga down")
    bench.a.ip("link set wga up")
    wait_until(lambda: errors() > before, 2, "a link that comes up anew is probed")


# --- a device elsewhere ----------------------------------------------------------------------------


@scenario(seconds=60, lacks="hears nothing of it", unsanitized="wakes by itself")
def moved_tun_is_followed_by_events(lab):
    """F-P13: up, down and MTU in another namespace are heard, without polling and without holding that namespace."""
    bench = Bench(lab, up=False, keepalive=1)
    inside, beyond = lab.namespace(), lab.namespace()
    engine = bench.engine

    def log():
        return re.findall(r"link (up|down), MTU (\d+)", engine.read_log())

    bench.a.ip(f"link set wga netns {inside.path}")
    time.sleep(0.3)
    assert bench.peer.receive(0.5, (INITIATION,)) == (None, None), "sends while its link is down elsewhere"
    inside.ip("link set wga up")
    wait_until(lambda: log()[-1][0] == "up", 2)
    assert bench.peer.receive(3, (INITIATION,))[0], "up in another namespace is not heard"
    inside.ip("link set wga mtu 1300")
    wait_until(lambda: log()[-1] == ("up", "1300"), 2)
    inside.ip("link set wga down")
    wait_until(lambda: log()[-1] == ("down", "1300"), 2)
    bench.peer.drain(0.1)
    assert bench.peer.receive(2, (INITIATION,)) == (None, None), "sends although down"
    inside.ip(f"link set wga netns {beyond.path}")
    beyond.ip("link set wga up")
    wait_until(lambda: log()[-1] == ("up", "1300"), 2, "a second move is not followed")
    for pid in engine.pids():
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            assert not os.readlink(fd).startswith("net:["), "a namespace is held"
    beyond.ip("link set wga down")
    wait_until(lambda: log()[-1][0] == "down", 2)
    switches = engine.context_switches()
    time.sleep(2)
    after = engine.context_switches()
    assert {n: after[n] - switches[n] for n in switches if after[n] != switches[n]} == {}, "somebody polls"
    kill_engine(engine)
    beyond.ip("link set wga up")
    wait_until(lambda: log()[-1][0] == "up", 2, "not followed for the next engine")
