"""One host: a network namespace with a cable to a router, folders of its own, a resolvconf, and what can be seen of it."""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess

import harness
from harness import MS_BIND, WORK, mount, private_directory, processes, wait_until

FOLDER = pathlib.Path("/etc/wireguard")
BIN = WORK / "bin"
HOME = WORK / "home"  # where commands are given
LOG = WORK / "hooks.log"
DNS_LOG = WORK / "resolvconf.log"
HERE = pathlib.Path(__file__).resolve().parent
HOSTS = "127.0.0.1 localhost\n192.0.2.7 vpn.example\n2001:db8::7 six.example\n"


def overlay(folder, files):
    """folder with these programs (name: where it is) on top; nothing of the host is changed."""
    top = WORK / ("over" + folder.replace("/", "-"))
    top.mkdir()
    for name, source in files.items():
        (shutil.copy if name == "resolvconf" else os.symlink)(source, top / name)
    mount("overlay", folder, "overlay", harness.MS_RDONLY, data=f"lowerdir={top}:{folder}")


def private_file(path, text):
    """A file of /etc with another content; it can be written, not replaced."""
    mine = WORK / pathlib.Path(path).name
    mine.write_text(text)
    mount(str(mine), os.path.realpath(path), None, MS_BIND)


def make(resolvconf=True):
    """In a scenario's own world: what a small host has."""
    for folder in (BIN, HOME):
        folder.mkdir()
    private_directory(FOLDER)
    os.chmod(FOLDER, 0o700)
    private_file("/etc/hosts", HOSTS)
    private_file("/etc/resolv.conf", "nameserver 10.1.0.2\noptions attempts:1 timeout:1\n")
    overlay("/usr/sbin", {"warrend": harness.warren_path(), **({"resolvconf": HERE / "resolvconf"} if resolvconf else {})})
    os.chdir(HOME)
    os.environ["PATH"] = f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def cable(lab, default=True):
    """To a router at 10.1.0.2 and fd01::2, which has the default routes."""
    router = lab.namespace()
    lab.veth(lab.root, router, addresses_a=("10.1.0.1/24", "fd01::1/64"), addresses_b=("10.1.0.2/24", "fd01::2/64"))
    if default:
        lab.root.ip("route add default via 10.1.0.2")
        lab.root.ip("-6 route add default via fd01::2")
    return router


# --- what can be seen ------------------------------------------------------------------------------


def said(*argv):
    return subprocess.run(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def addresses():
    lines = []
    for link in json.loads(said("ip", "-j", "addr")):
        kind = " ".join(f for f in link["flags"])
        lines.append(f"{link['ifname']} mtu {link['mtu']} {kind}")
        lines += sorted(f"  {a['family']} {a['local']}/{a['prefixlen']} {a['scope']} {' '.join(k for k in sorted(a) if a[k] is True)}"
                        for a in link["addr_info"] if a.get("local"))
    return lines


def routes():
    return [f"{family} {line}" for family in ("-4", "-6")
            for line in sorted(said("ip", family, "route", "show", "table", "all").splitlines())]


def rules():
    return [f"{family} {line}" for family in ("-4", "-6") for line in said("ip", family, "rule").splitlines()]


MOVING = re.compile(r"nf_conntrack_count|/flush$|mc_forwarding$|stable_secret$|/(neigh|route)/.*gc_|tcp_fastopen_key")


def switches():
    lines = []
    for folder, _folders, names in os.walk("/proc/sys/net"):
        for name in names:
            path = os.path.join(folder, name)
            if MOVING.search(path):
                continue
            with contextlib.suppress(OSError):
                with open(path, "rb") as file:
                    lines.append(f"{path[10:]} {file.read().decode(errors='replace').strip()}")
    return sorted(lines)


def devices():
    """What wg says of each device."""
    lines = []
    for name in sorted(said("wg", "show", "interfaces").split()):
        lines += [name, *said("wg", "showconf", name).splitlines()]
    return lines


def tree(*folders):
    """Every file: its mode, its owner, and its content."""
    lines = []
    for top in folders:
        for folder, below, names in os.walk(top):
            for name in sorted(below + names):
                path = os.path.join(folder, name)
                found = os.lstat(path)
                text = f"{path} {stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid}"
                if stat.S_ISREG(found.st_mode):
                    content = pathlib.Path(path).read_bytes()
                    text += f" {content!r}" if len(content) < 3000 else f" {hashlib.sha256(content).hexdigest()}"
                elif stat.S_ISLNK(found.st_mode):
                    text += f" -> {os.readlink(path)}"
                lines.append(text)
    return sorted(lines)


def look():
    """All of it, a list of lines for each thing."""
    return {
        "addresses": addresses(),
        "routes": routes(),
        "rules": rules(),
        "firewall": said("nft", "list", "ruleset").splitlines(),
        "switches": switches(),
        "devices": devices(),
        "sockets": sorted(os.listdir(harness.SOCKETS)),
        "resolver": [*tree("/run/resolvconf"), *pathlib.Path("/etc/resolv.conf").read_text().splitlines()],
        "files": tree(FOLDER, HOME),
        "state": [line for line in tree("/run/warren", "/var/lib/warren")],
        "mounts": pathlib.Path("/proc/self/mounts").read_text().splitlines(),
    }


def settle():
    """An engine whose device is gone ends by itself, a moment later."""
    def gone():
        links = {name for _, name in socket.if_nameindex()}
        sockets = {name.removesuffix(".sock") for name in os.listdir(harness.SOCKETS) if name.endswith(".sock")}
        return sockets <= links and (sockets or not processes())

    with contextlib.suppress(AssertionError):
        wait_until(gone, 10, every=0.005)


def engines():
    """The command lines of all processes that are left."""
    found = []
    for pid in processes():
        with contextlib.suppress(OSError):
            found.append(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
    return sorted(found)
