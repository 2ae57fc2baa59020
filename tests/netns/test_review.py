"""What hostile reviews found in the engine as a process; each once failed."""
import base64
import fcntl
import os
import pathlib
import socket
import time

from bench import Bench
from harness import SOCKETS, STATE, Keys, engine_argv, scenario, wait_until


def hexed(key):
    return base64.b64decode(key).hex()


@scenario(lacks="keeps less than it says")
def peer_removed_and_added_in_one_set(lab):
    """The same key twice in one request, which `wg set ... remove peer ...` sends: whole, and no engine that aborts."""
    engine = lab.engine("wg0", lab.namespace())
    keys = Keys()
    public = hexed(keys.public)
    for block in (f"public_key={public}\nallowed_ip=10.0.0.1/32\n",
                  f"public_key={public}\nremove=true\npublic_key={public}\nallowed_ip=10.0.0.2/32\n",
                  f"replace_peers=true\npublic_key={public}\npublic_key={public}\nallowed_ip=10.0.0.3/32\n",
                  f"public_key={public}\nremove=true\npublic_key={public}\nremove=true\npublic_key={public}\n"
                  f"allowed_ip=10.0.0.4/32\n"):
        assert engine.uapi(f"set=1\n{block}\n") == "errno=0\n\n"
        assert engine.alive()
        assert engine.show("allowed-ips").split()[1:] == [block.split("allowed_ip=")[1].strip()]


@scenario(seconds=30)
def closed_standard_streams_do_no_harm(lab):
    """The TUN must not take the number of a closed standard stream."""
    ns = lab.namespace()
    for i, closed in enumerate(((0,), (1,), (2,), (0, 1, 2))):
        name = f"wg{i}"
        streams = " ".join(f"{fd}>&-" for fd in closed)
        lab.start(ns, "sh", "-c", f'exec "$@" {streams}', "sh", *engine_argv(None, False), name).wait(timeout=10)
        assert pathlib.Path(SOCKETS, f"{name}.sock").is_socket()
        assert f"{name}: " in ns.run("ip", "-o", "link", "show", name)
        ns.run("ip", "link", "set", name, "up")
        os.unlink(pathlib.Path(SOCKETS, f"{name}.sock"))
        wait_until(lambda: name not in ns.run("ip", "-o", "link"), what="the end of the engine")


@scenario(seconds=40, lacks="keeps no state")
def a_locked_state_directory_holds_nobody_up(lab):
    """Whoever can read the state directory can lock it; the engine must not wait for that."""
    bench = Bench(lab)
    os.makedirs(STATE, mode=0o755, exist_ok=True)
    os.chmod(STATE, 0o755)
    handle = os.open(STATE, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    bench.connect()
    engine = lab.engine("wg9", bench.engine.ns)
    engine.configure(Keys().private, 4000, peers=[{"public": Keys().public, "endpoint": "10.1.0.99:1", "keepalive": 1}])
    engine.up("10.7.0.1/24")
    wait_until(lambda: engine.show("transfer").split()[2] != "0", what="an initiation, with its stamp kept first")
    started = time.monotonic()
    engine.wg("show", "wg9")
    assert time.monotonic() - started < 3
    bench.engine.stop()


@scenario(seconds=30, lacks="returns at once")
def failure_to_start_is_told_by_the_exit_code(lab):
    """A process that may start no thread: the command fails, says why, and leaves nothing."""
    ns = lab.namespace()
    with open("/tmp/start.log", "w+") as log:
        process = lab.start(ns, "strace", "-f", "-o", "/dev/null", "-e", "trace=clone3,clone", "-e",
                            "inject=clone3:error=EAGAIN", *engine_argv(None, False), "wg0", stderr=log)
        assert process.wait(timeout=20) == 1
        log.seek(0)
        assert "wg0" in log.read()
    assert not os.path.exists(os.path.join(SOCKETS, "wg0.sock"))
    assert "wg0" not in ns.run("ip", "-o", "link")


@scenario(seconds=40)
def a_port_that_cannot_be_bound_is_tried_again(lab):
    """No socket at link up: no traffic is pretended, and the engine heals by itself."""
    ns = lab.namespace()
    engine = lab.engine("wg0", ns, wrapper=("strace", "-f", "-o", "/dev/null", "-e", "trace=bind", "-e",
                                            "inject=bind:error=EACCES:when=3..4"))
    ns.run("ip", "link", "set", "wg0", "up")
    wait_until(lambda: engine.port() != 0, seconds=15, what="a port")
    assert engine.read_log().count("tried again in") == 2
    os.unlink(engine.socket)  # strace would keep a signal to itself
    engine.wait_end()


@scenario(lacks="takes any socket for its own")
def a_socket_bound_elsewhere_is_served_and_left_alone(lab):
    """WG_UAPI_FD of a supervisor with its own idea of the path: not the engine's to watch or to remove."""
    path = SOCKETS / "of-the-supervisor"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(8)
    engine = lab.engine("wg0", lab.namespace(), env={"WG_UAPI_FD": str(listener.fileno())},
                        pass_fds=(listener.fileno(),), wait=False)
    engine.socket = path
    for _ in range(3):
        assert engine.uapi("get=1\n\n").endswith("errno=0\n\n")
    assert engine.stop() == 0
    assert path.exists()


@scenario(lacks="dies of a signal while it starts")
def a_signal_during_start_leaves_nothing(lab):
    """At any moment from the first: an end in order, or a death before anything was made."""
    ns = lab.namespace()
    for i in range(30):
        process = lab.start(ns, *engine_argv(None, True), "wg0", stderr=-3)
        time.sleep(i * 0.001)
        process.terminate()
        assert process.wait(timeout=10) in (0, -15)
        assert not os.path.exists(os.path.join(SOCKETS, "wg0.sock"))
        assert "wg0" not in ns.run("ip", "-o", "link")
