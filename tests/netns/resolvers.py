"""Hosts with a resolver of their own for the DNS tests: real packages, unpacked and not installed.

Every scenario has a copy of /etc, and /usr with the programs of the packages laid over it; the machine's own stay as
they are.
"""
import contextlib
import fcntl
import functools
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading

import pytest

from harness import MS_BIND, ROOT, WORK, Keys, libc, mount, wait_until, warren_path

MNT_DETACH = 2
BUILD = pathlib.Path(os.environ.get("WARREN_BUILD") or ROOT / "build/main").resolve()
TOOL = BUILD / "dns_tool"
ETC, RESOLV = pathlib.Path("/etc"), pathlib.Path("/etc/resolv.conf")
STATE = pathlib.Path("/var/lib/warren/dns")


# --- packages --------------------------------------------------------------------------------------


def unpack(name, folder):
    subprocess.run(["apt-get", "-o", "APT::Sandbox::User=root", "-qq", "download", name], cwd=folder, check=True,
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    subprocess.run(["dpkg-deb", "-x", next(folder.glob("*.deb")), folder / "root"], check=True)


@functools.cache
def package(name):
    """Where the files of a Debian package are, or None where it cannot be had. Kept in the build folder."""
    cache = BUILD / "packages"
    cache.mkdir(exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (cache / name).is_dir():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                with contextlib.suppress(subprocess.SubprocessError, OSError, StopIteration):
                    unpack(name, pathlib.Path(folder))
                    os.rename(pathlib.Path(folder, "root"), cache / name)
    return cache / name if (cache / name).is_dir() else None


def with_packages(*names):
    """Above @scenario: fetched before its world begins, which has no way out."""
    def decorate(scenario):
        @functools.wraps(scenario)
        def run(*args, **kwargs):
            for name in names:
                if package(name) is None:
                    pytest.skip(f"the package {name} cannot be downloaded")
            return scenario(*args, **kwargs)
        return run
    return decorate


# --- a host ----------------------------------------------------------------------------------------


def lay_over_usr(names):
    """The packages' files above those of /usr. Debian's folders of the root are links into it."""
    merged = WORK / "usr"
    merged.mkdir()
    for name in names:
        for part in package(name).iterdir():
            if part.name in ("usr", "sbin", "bin", "lib"):
                target = merged if part.name == "usr" else merged / part.name
                shutil.copytree(part, target, symlinks=True, dirs_exist_ok=True)
    libc.mount(b"overlay", b"/usr", b"overlay", 0, f"lowerdir={merged}:/usr".encode())


@contextlib.contextmanager
def host(*names):
    """An /etc of its own, as a machine has it that has these packages; undone at the end."""
    copy = WORK / "etc"
    shutil.copytree("/etc", copy, symlinks=True)
    mounted = [b"/etc"]
    mount(str(copy), "/etc", None, MS_BIND)
    try:
        for name in names:
            if (package(name) / "etc").is_dir():
                shutil.copytree(package(name) / "etc", "/etc", symlinks=True, dirs_exist_ok=True)
        if names:
            lay_over_usr(names)
            mounted.append(b"/usr")
        nss = ETC / "nsswitch.conf"
        lines = nss.read_text().splitlines() if nss.exists() else []
        nss.write_text("\n".join([line for line in lines if not line.startswith("hosts:")] + ["hosts: files dns", ""]))
        write("nameserver 192.168.1.1\n")
        yield
    finally:
        for path in reversed(mounted):
            libc.umount2(path, MNT_DETACH)


def write(text, path=RESOLV, mode=0o644):
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    path.write_text(text)
    path.chmod(mode)


def picture(path=RESOLV):
    """All that a change could touch."""
    if path.is_symlink():
        return ("link", os.readlink(path))
    if not path.exists():
        return ("none",)
    st = path.stat()
    return ("file", st.st_mode & 0o7777, st.st_uid, st.st_gid, path.read_bytes())


def tool(*args, ns=None, check=True, wrapper=()):
    """The test's own program; (status, what it said)."""
    result = subprocess.run([*wrapper, TOOL, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, preexec_fn=ns.setup if ns else None, timeout=120)
    print(f"dns_tool {' '.join(args)}: {result.returncode}\n{result.stdout}{result.stderr}", end="")
    if check:
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout
    return result.returncode, result.stdout


def back_end(*quick, ns=None):
    """Whom Warren would tell, and what it says about that."""
    lines = tool("look", *quick, ns=ns).splitlines()
    return lines[0].removeprefix("back end ").strip(), lines[1].removeprefix("prefix ").strip(), "\n".join(lines[2:])


def resolved(lab):
    """A running systemd-resolved on a bus of its own; what is to be waited for has happened."""
    for path, line in (("passwd", "systemd-resolve:x:989:989::/:/usr/sbin/nologin\n"),
                       ("group", "systemd-resolve:x:989:\n")):
        if "systemd-resolve:" not in (ETC / path).read_text():
            with open(ETC / path, "a") as file:
                file.write(line)
    bus(lab)
    folder = pathlib.Path("/run/systemd/resolve")
    folder.mkdir(parents=True)
    shutil.chown(folder, "systemd-resolve", "systemd-resolve")
    with open(ETC / "systemd/resolved.conf", "w") as file:  # nothing but what the test sends
        file.write("[Resolve]\nLLMNR=no\nMulticastDNS=no\nFallbackDNS=\nCache=no\n")
    RESOLV.unlink()
    RESOLV.symlink_to("../run/systemd/resolve/stub-resolv.conf")
    daemon = logged(lab, "resolved", "/lib/systemd/systemd-resolved")
    wait_until(lambda: (folder / "stub-resolv.conf").exists() and has_name("org.freedesktop.resolve1"), 60)
    return daemon


@contextlib.contextmanager
def private_var_lib():
    """A program makes its folder there; Warren's own stays the one of the scenario."""
    upper, work = WORK / "lib-upper", WORK / "lib-work"
    upper.mkdir()
    work.mkdir()
    own = os.open(STATE.parent, os.O_PATH | os.O_DIRECTORY)
    libc.mount(b"overlay", b"/var/lib", b"overlay", 0, f"lowerdir=/var/lib,upperdir={upper},workdir={work}".encode())
    try:
        STATE.parent.mkdir(exist_ok=True)
        mount(f"/proc/self/fd/{own}", str(STATE.parent), None, MS_BIND)
        yield
    finally:
        os.close(own)
        libc.umount2(os.fsencode(STATE.parent), MNT_DETACH)
        libc.umount2(b"/var/lib", MNT_DETACH)


NETWORK_MANAGER = """[main]
plugins=keyfile
dns={dns}
rc-manager={writes}
auth-polkit=false
[keyfile]
unmanaged-devices=except:interface-name:eth0
{more}
"""

WIRED = """[connection]
id=eth0
type=ethernet
interface-name=eth0
[ipv4]
method=manual
address1=192.168.1.2/24,192.168.1.1
dns=192.168.1.1;
dns-search=lan;
[ipv6]
method=disabled
"""


def network_manager(lab, dns="default", writes="file", more=""):
    """Running, with a wired connection to the LAN of Net; it has written /etc/resolv.conf where it is to."""
    wired = ETC / "NetworkManager/system-connections/eth0.nmconnection"
    (ETC / "NetworkManager/NetworkManager.conf").write_text(NETWORK_MANAGER.format(dns=dns, writes=writes, more=more))
    wired.parent.mkdir(exist_ok=True)
    wired.write_text(WIRED)
    wired.chmod(0o600)
    if not pathlib.Path("/run/dbus").exists():
        bus(lab)
    daemon = logged(lab, "network-manager", "/usr/sbin/NetworkManager", "--no-daemon")
    wait_until(lambda: has_name("org.freedesktop.NetworkManager"), 60)
    if writes == "file" and dns == "default":
        wait_until(lambda: re.match("# Generated by NetworkManager\n(.*\n)*nameserver", RESOLV.read_text()), 60)
    return daemon


def end(daemon):
    daemon.terminate()
    daemon.wait(60)


def bus(lab):
    pathlib.Path("/run/dbus").mkdir()
    logged(lab, "bus", "dbus-daemon", "--system", "--nofork", "--nopidfile")
    wait_until(pathlib.Path("/run/dbus/system_bus_socket").exists, 60)


def has_name(name):
    answer = subprocess.run(["dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/",
                             "org.freedesktop.DBus.NameHasOwner", f"string:{name}"], capture_output=True, text=True)
    return "boolean true" in answer.stdout


def logged(lab, name, *argv):
    with open(WORK / f"{name}.log", "ab") as log:
        return lab.start(lab.root, *argv, stdout=log, stderr=log)


# --- who is asked ----------------------------------------------------------------------------------


def name_at(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels), at + 1


class Server:
    """A name server that knows every name, and which of them it was asked."""

    def __init__(self, ns, address, answer):
        self.names, self.answer = [], socket.inet_aton(answer)
        with ns:
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self.sock.bind((address, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            data, sender = self.sock.recvfrom(4096)
            name, end = name_at(data, 12)
            kind = struct.unpack("!H", data[end:end + 2])[0]
            self.names.append(name.lower())
            answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4) + self.answer if kind == 1 else b""
            head = data[:2] + struct.pack("!HHHHH", 0x8180, 1, bool(answer), 0, 0)
            self.sock.sendto(head + data[12:end + 4] + answer, sender)


def warren(*words, check=True):
    result = subprocess.run([warren_path(), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=120)
    print(f"warren {' '.join(words)}: {result.returncode}\n{result.stdout}{result.stderr}", end="")
    assert not check or result.returncode == 0, result.stderr
    return result.stderr


def look_up(name):
    """As most programs do: by the C library, which reads /etc/resolv.conf. The address, or None."""
    result = subprocess.run(["getent", "ahostsv4", name], capture_output=True, text=True, timeout=120,
                            env={**os.environ, "RES_OPTIONS": "attempts:1"})
    return result.stdout.split()[0] if result.returncode == 0 else None


class Net:
    """This host with a LAN (eth0, server 192.168.1.1) and a tunnel (wg0, server 10.0.0.1), each a cable."""

    LAN, TUNNEL = "192.0.2.1", "192.0.2.2"

    def __init__(self, lab, cable=True):
        self.lab, self.host = lab, lab.root
        self.lan_ns = lab.namespace()
        lab.veth(self.host, self.lan_ns, name_a="eth0", addresses_a=["192.168.1.2/24"], addresses_b=["192.168.1.1/24"])
        self.host.ip("route add default via 192.168.1.1")
        self.lan = Server(self.lan_ns, "192.168.1.1", self.LAN)
        self.count = 0
        if cable:
            self.far_ns = lab.namespace()
            lab.veth(self.host, self.far_ns, name_a="wg0", addresses_a=["10.0.0.2/24"], addresses_b=["10.0.0.1/24"])
            self.far = Server(self.far_ns, "10.0.0.1", self.TUNNEL)

    def file(self, allowed="0.0.0.0/0", dns="10.0.0.1", more=""):
        """For `warren up wg0', to an engine at the other end of eth0."""
        here, there = Keys(), Keys()
        engine = self.lab.engine("far", self.lan_ns)
        engine.configure(there.private, 51820, peers=[{"public": here.public, "allowed": "10.0.0.2/32"}])
        engine.up("10.0.0.1/24")
        self.far = Server(self.lan_ns, "10.0.0.1", self.TUNNEL)
        path = ETC / "wireguard/wg0.conf"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(f"[Interface]\nPrivateKey = {here.private}\nAddress = 10.0.0.2/24\nDNS = {dns}\n{more}\n"
                        f"[Peer]\nPublicKey = {there.public}\nAllowedIPs = {allowed}\nEndpoint = 192.168.1.1:51820\n")
        path.chmod(0o600)

    def ask(self, domain="example"):
        """A name that nobody has asked for; who answered it."""
        self.count += 1
        return {self.LAN: "lan", self.TUNNEL: "tunnel", None: None}[look_up(f"n{self.count}.{domain}")]
