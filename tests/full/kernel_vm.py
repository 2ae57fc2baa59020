"""Debian's kernel with its WireGuard driver in a virtual machine, as a peer.

QEMU without KVM; the kernel comes from Debian's package, the few programs of the guest are those of this host. The
guest obeys a shell on its second serial line. What is downloaded and built is kept beside the build.
"""
import contextlib
import fcntl
import os
import pathlib
import re
import select
import shutil
import subprocess
import time

from harness import ROOT, WORK, have

NEEDED = ["qemu-system-x86_64", "busybox", "cpio", "depmod", "modprobe", "dpkg-deb", "apt-get", "wg", "tc"]
MODULES = ["virtio_pci", "virtio_net", "wireguard", "sch_netem"]
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/x
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
while read -r m; do insmod "$m"; done < /modules
ip link set lo up
stty -F /dev/ttyS1 raw -echo
exec < /dev/ttyS1 > /dev/ttyS1 2>&1
echo READY
alias ip=/x/ip tc=/x/tc
while read -r line; do eval "$line" < /dev/null; echo "END $?"; done
poweroff -f
"""


class Unavailable(Exception):
    """Why there is no guest on this machine."""


def cache():
    build = os.environ.get("WARREN_BUILD")
    return (pathlib.Path(build).parent if build else ROOT / "build") / "kernel-vm"


def quiet(*argv, **options):
    result = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if result.returncode != 0:
        raise Unavailable(f"{argv[0]}: {result.stdout.strip()[-300:]}")
    return result.stdout


def kernel_package():
    found = re.search(r"Depends: (linux-image-[0-9]\S+)", quiet("apt-cache", "depends", "linux-image-amd64"))
    if not found:
        raise Unavailable("no kernel package is known: apt-get update")
    return found.group(1)


def take_programs(tree):
    """wg, ip and tc of this host with their libraries, and busybox."""
    (tree / "bin").mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), tree / "bin/busybox")
    (tree / "x").mkdir()
    for name in ("wg", "ip", "tc"):
        program = shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
        shutil.copy(program, tree / "x" / name)
        for library in re.findall(r"(/\S+)", quiet("ldd", program)):
            target = tree / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)


def take_modules(unpacked, release, tree):
    """The modules in the order in which they want to be loaded."""
    quiet("depmod", "-b", unpacked, release)
    order = []
    for module in MODULES:
        for line in quiet("modprobe", "-d", unpacked, "-S", release, "--show-depends", module).splitlines():
            word = line.split()
            if word[0] == "insmod" and word[1] not in order:
                order.append(word[1])
    (tree / "modules.d").mkdir()
    with open(tree / "modules", "w") as listing:
        for path in order:
            shutil.copy(path, tree / "modules.d")
            listing.write(f"/modules.d/{pathlib.Path(path).name}\n")


def prepare():
    """(kernel, initrd), made once. Run it outside a scenario: it may need the network."""
    missing = [name for name in NEEDED if not have(name)]
    if missing:
        raise Unavailable(f"not installed: {' '.join(missing)}")
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kernel, initrd = folder / "vmlinuz", folder / "initrd.gz"
        if kernel.exists() and initrd.exists() and initrd.stat().st_mtime > pathlib.Path(__file__).stat().st_mtime:
            return kernel, initrd
        for name in ("unpacked", "tree"):
            shutil.rmtree(folder / name, ignore_errors=True)
        if not list(folder.glob("linux-image-*.deb")):
            quiet("apt-get", "download", "-q", kernel_package(), cwd=folder, timeout=300)
        quiet("dpkg-deb", "-x", sorted(folder.glob("linux-image-*.deb"))[-1], folder / "unpacked")
        image = next((folder / "unpacked/boot").glob("vmlinuz-*"))
        tree = folder / "tree"
        take_programs(tree)
        take_modules(folder / "unpacked", image.name.removeprefix("vmlinuz-"), tree)
        for name in ("proc", "sys", "dev", "tmp", "run", "etc"):
            (tree / name).mkdir(exist_ok=True)
        (tree / "init").write_text(INIT)
        (tree / "init").chmod(0o755)
        pack(tree, f"{initrd}.new")
        shutil.copy(image, kernel)
        os.replace(f"{initrd}.new", initrd)
        for name in ("unpacked", "tree"):
            shutil.rmtree(folder / name)
    return kernel, initrd


def pack(tree, archive):
    quiet("sh", "-c", f"find . | cpio -o -H newc --quiet | gzip -1 > '{archive}'", cwd=tree)


def with_programs(programs, scripts):
    """An initrd of this scenario: the common one, programs of this host with their libraries, and texts, all in /w."""
    tree = WORK / "guest-tree"
    (tree / "w").mkdir(parents=True)
    for name, program in programs.items():
        shutil.copy(program, tree / "w" / name)
        for library in re.findall(r"(/\S+)", quiet("ldd", program)):
            target = tree / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
    for name, text in scripts.items():
        (tree / "w" / name).write_text(text)
    pack(tree, WORK / "more.gz")
    shutil.rmtree(tree)
    whole = WORK / "initrd"
    whole.write_bytes((cache() / "initrd.gz").read_bytes() + (WORK / "more.gz").read_bytes())
    return whole


class Guest:
    """A running guest, cabled to a namespace: 10.1.0.2 and fd01::2 on its side, 10.1.0.1 and fd01::1 on ours."""

    def __init__(self, lab, ns, initrd=None):
        kernel, initrd = cache() / "vmlinuz", initrd or cache() / "initrd.gz"
        ns.ip("tuntap add dev cable mode tap")
        ns.address("cable", "10.1.0.1/24", "fd01::1/64")
        ns.ip("link set cable up")
        self.log = open(WORK / "guest.log", "wb")
        self.process = lab.start(
            ns, "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "384", "-smp", "2", "-nodefaults",
            "-no-reboot", "-display", "none", "-kernel", kernel, "-initrd", initrd, "-append",
            "console=ttyS0 quiet panic=1", "-serial", f"file:{WORK}/console.log", "-serial", "pipe:" + self.pipes(),
            "-netdev", "tap,id=n0,ifname=cable,script=no,downscript=no", "-device", "virtio-net-pci,netdev=n0",
            stdout=self.log, stderr=self.log)
        self.reader = os.open(f"{WORK}/guest.out", os.O_RDWR | os.O_NONBLOCK)
        self.writer = os.open(f"{WORK}/guest.in", os.O_RDWR)
        self.pending = b""
        self.wait_for(rb"READY\r?\n", 600)
        self.run("ip addr add 10.1.0.2/24 dev eth0; ip addr add fd01::2/64 dev eth0 nodad; ip link set eth0 up")

    def pipes(self):
        for end in ("in", "out"):
            os.mkfifo(f"{WORK}/guest.{end}")
        return f"{WORK}/guest"

    def wait_for(self, pattern, seconds):
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.pending)
            if found:
                before, self.pending = self.pending[:found.start()], self.pending[found.end():]
                return before, found
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the guest does not answer: {self.pending[-500:]!r}")
            if select.select([self.reader], [], [], 0.5)[0]:
                with contextlib.suppress(BlockingIOError):
                    self.pending += os.read(self.reader, 65536)

    def run(self, command, check=True, seconds=30):
        """Run one line in the guest's shell; what it printed."""
        os.write(self.writer, command.encode() + b"\n")
        before, found = self.wait_for(rb"END (\d+)\r?\n", seconds)
        text = before.decode(errors="replace").replace("\r", "")
        assert not check or found.group(1) == b"0", f"guest: {command}: {text}"
        return text

    def wireguard(self, name, private, port, peer, addresses, allowed, endpoint=None, psk=None):
        self.run(f"echo {private} > /tmp/k; echo {psk or ''} > /tmp/p; ip link add {name} type wireguard; "
                 f"wg set {name} private-key /tmp/k listen-port {port} peer {peer} allowed-ips {allowed}"
                 + (f" endpoint {endpoint}" if endpoint else "") + (" preshared-key /tmp/p" if psk else ""))
        for address in addresses:
            self.run(f"ip addr add {address} dev {name}" + (" nodad" if ":" in address else ""))
        self.run(f"ip link set {name} up")

    def transfer(self, name):
        """(received, sent) of its one peer."""
        return tuple(int(n) for n in self.run(f"wg show {name} transfer").split()[1:3])

    def handshake_age(self, name):
        return int(self.run(f"echo $(( $(date +%s) - $(wg show {name} latest-handshakes | cut -f2) ))"))

    def ping(self, address, count=3, seconds=60, options=""):
        found = re.search(r"(\d+) packets received", self.run(f"ping -c {count} {options} {address}", False, seconds))
        return int(found.group(1)) if found else 0
