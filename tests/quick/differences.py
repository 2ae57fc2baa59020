"""Where Warren's wg-quick differs on purpose, each with its reason. Everything else is a failure.

A row is a function of one step: at.theirs is what came of it with stock, at.ours what came of it with Warren, both copies.
It edits theirs into what ours has to be. From ours it takes only what has no counterpart, and only if that is as it should
be. What is left must be equal.
"""
import ast
import copy
import dataclasses
import difflib
import ipaddress
import re

PARTS = ("stdout", "stderr", "hooks", "dns")
ROWS = []


def difference(function):
    ROWS.append(function)
    return function


@dataclasses.dataclass
class At:
    case: object
    theirs: object   # programs.Step
    ours: object
    before: dict     # our host before the first step
    previous: dict   # our host before this one
    own_words: bool = False  # what stock says does not matter

    @property
    def verb(self):
        return self.ours.argv[1] if self.ours.argv[:1] == ["wg-quick"] and len(self.ours.argv) > 1 else self.ours.argv[0]

    @property
    def fails(self):
        return self.theirs.code != 0 and self.ours.code != 0


def without(lines, pattern):
    return [line for line in lines if not re.search(pattern, line)]


def marked_tables(rules, family):
    """Tables of default routes: {number}."""
    return {int(number) for line in rules for number in
            re.findall(rf"^{family} \d+:\s+not from all fwmark \S+ lookup (\d+)", line)}


# --- where stock fails, and ours does what was meant; or the other way round -------------------------------

WORKS = {
    "the same address twice": "what is asked twice is done once",
    "IPv6 is off": "what needs IPv6 is left out and told, where there is none",
    "Table main, connected": "the route is there already: the address brought it",
    "Table OFF": "off is off, however it is spelt",
}
REFUSED = {
    "world writable": "hooks run as root: they are refused in a file that others can write",
    "folder for a file": "a folder is no file; stock takes it for an empty one",
    "glob in Address": "no value is expanded: * is no address, whatever files there are",
}
UNDONE = {
    "Table changed meanwhile": "down takes back what up did, whatever the file says by now",
    "DNS changed meanwhile": "down takes back what up did, whatever the file says by now",
    "peers changed meanwhile": "down takes back what up did, whatever the peers are by now",
    "link gone meanwhile": "what a link that is gone left behind is taken back",
    "file broken meanwhile": "a file that is broken by now does not keep a tunnel up",
    "two defaults of one mark": "the second up fails, and takes nothing of the first with it",
    "DNS that fails": "what a failed up did is undone, at the resolver too",
    "SaveConfig yes": "whether it is up is asked first",
}


def like_before(at):
    return {**at.before, "files": at.ours.host["files"]}


@difference
def works(at):
    """See WORKS."""
    if WORKS.get(at.case.name) and at.ours.code == 0 and at.theirs.code != 0:
        at.theirs.code, at.own_words = 0, True
        at.theirs.host = at.ours.host if at.verb == "up" else like_before(at)


@difference
def refused(at):
    """See REFUSED."""
    if REFUSED.get(at.case.name) and at.ours.code == 1 and at.ours.stderr and not at.ours.hooks:
        at.theirs.code, at.own_words, at.theirs.hooks, at.theirs.host = 1, True, [], at.previous


@difference
def undone(at):
    """See UNDONE."""
    if UNDONE.get(at.case.name) and at.verb == "down" and at.ours.stderr and (at.ours.code == 0 or at.theirs.code == at.ours.code):
        at.theirs.code, at.own_words, at.theirs.dns = at.ours.code, True, at.ours.dns
        at.theirs.host = like_before(at) if at.ours.code == 0 else at.previous


@difference
def failures(at):
    """A failure is status 1, whichever program it was that failed, in our own words; and all that was done is undone."""
    if not at.fails:
        return
    command = r"^\[#\] (ip|wg|nft|sysctl|resolvconf|warrend|wireguard-go|\S+/wireguard-go) |^\[!\] "
    if at.verb == "up":
        at.theirs.host = at.previous
        if at.ours.code == 1 and without(at.ours.stderr, command):
            at.theirs.code = at.ours.code
        at.theirs.dns, at.own_words = at.ours.dns, True


# --- words ---------------------------------------------------------------------------------------------


@difference
def usage(at):
    """The usage is in our own words."""
    if at.theirs.stderr[:1] == at.ours.stderr[:1] and at.ours.stderr[:1] and at.ours.stderr[0].startswith("Usage: wg-quick"):
        at.own_words = True


@difference
def words_of_ip(at):
    """What ip says by the way is not repeated."""
    for step in (at.theirs, at.ours):
        step.stderr = without(step.stderr, r"^Error: Unknown device type\.$|^RTNETLINK answers: ")


@difference
def which_hook(at):
    """Which hook failed is said, with its status."""
    if at.fails:
        for step in (at.theirs, at.ours):
            step.stderr = without(step.stderr, r"^wg-quick: (Pre|Post)(Up|Down) `.*' failed with exit code \d+$")


@difference
def tables_of_nft(at):
    """Each table is a transaction and a line of its own; stock shows the number of a descriptor."""
    at.theirs.stderr = without(at.theirs.stderr, r"^\[#\] nft -f /dev/fd/N$")
    at.ours.stderr = without(at.ours.stderr, r"^\[#\] nft (-f - # table|delete table) ip6? wg-quick-\S+$")


@difference
def one_rule_at_a_time(at):
    """A rule is deleted by all that it says and its priority, so that never another's goes."""
    at.ours.stderr = [re.sub(r"^(\[#\] ip -[46] rule delete) (?:not fwmark \d+ )?(table .*?) priority \d+$", r"\1 \2", line)
                      for line in at.ours.stderr]


@difference
def src_valid_mark(at):
    """It is what it was before, once no tunnel needs it, and each tunnel asks for it; stock leaves it on."""
    at.ours.stderr = without(at.ours.stderr, r"^\[#\] sysctl -q net\.ipv4\.conf\.all\.src_valid_mark=[01]$")
    at.theirs.stderr = without(at.theirs.stderr, r"^\[#\] sysctl -q net\.ipv4\.conf\.all\.src_valid_mark=1$")
    was = [line for line in at.before["switches"] if line.startswith("net/ipv4/conf/all/src_valid_mark ")]
    if not marked_tables(at.ours.host["rules"], "-4"):
        at.theirs.host["switches"] = [was[0] if line.startswith("net/ipv4/conf/all/src_valid_mark ") else line
                                      for line in at.theirs.host["switches"]]


@difference
def findings(at):
    """What `check` would say of the file is said, with its line and the id of the finding."""
    for step in (at.theirs, at.ours):
        step.stderr = without(step.stderr, r"^\[!\] (error|warning|note): .* \[[\w-]+\]$")


@difference
def numbers(at):
    """Addresses are shown with their mask, tables by their number, and the main one not at all."""
    for pattern, new in ((r"^(\[#\] ip -4 address add [0-9.]+) dev", r"\1/32 dev"), (r"^(\[#\] ip -6 address add [0-9a-f:]+) dev", r"\1/128 dev"),
                         (r"^(\[#\] ip -[46] route .*) table main$", r"\1"), (r"^(\[#\] ip -[46] route .*) table default$", r"\1 table 253"),
                         (r"^(\[#\] ip -[46] route .*) table 0x4d2$", r"\1 table 1234")):
        at.theirs.stderr = [re.sub(pattern, new, line) for line in at.theirs.stderr]


@difference
def variables(at):
    """Hooks get a clean environment."""
    if at.case.name == "hooks get no variables":
        at.theirs.hooks = [line.replace("mine=given", "mine=") for line in at.theirs.hooks]


@difference
def mark_of_a_hook(at):
    """All is planned before PreUp runs, the mark too: a mark of one's own stands in FwMark."""
    if at.case.name == "hook that turns mark on" and at.verb in ("up", "down") and not at.ours.code:
        for part in ("routes", "rules", "firewall", "devices"):
            at.theirs.host[part] = [re.sub(r"\b333\b", "51820", line.replace("0x14d", "0xca6c").replace("0x0000014d", "0x0000ca6c"))
                                    for line in at.theirs.host[part]]
        at.theirs.stderr = [line if "PreUp" in line or line == "[#] wg set wg0 fwmark 333" else line.replace("333", "51820") for line in at.theirs.stderr]
        at.ours.stderr = without(at.ours.stderr, r"^\[#\] wg set wg0 fwmark 51820$")


# --- what is on the host ----------------------------------------------------------------------------------


@difference
def rules_of_others(at):
    """Down takes its own rules; stock takes every suppress rule there is, of other tunnels and of the host."""
    if not {"suppress", "one table"} & set(at.case.kinds) or at.verb != "down" or at.fails:
        return
    own = {(family, number) for family, number in (re.match(r"\[#\] ip (-[46]) rule delete table (\d+)", line).groups()
                                                   for line in at.ours.stderr if re.match(r"\[#\] ip -[46] rule delete table \d+", line))}
    at.theirs.stderr, at.ours.stderr = (without(lines, r"^\[#\] ip -[46] rule delete ") for lines in (at.theirs.stderr, at.ours.stderr))
    gone = set()
    for line in at.previous["rules"]:
        found = re.match(r"(-[46]) (\d+):\s+not from all fwmark \S+ lookup (\d+)", line)
        if found and (found[1], found[3]) in own:
            gone |= {line, f"{found[1]} {int(found[2]) - 1}:\tfrom all lookup main suppress_prefixlength 0"}
    at.theirs.host["rules"] = [line for line in at.previous["rules"] if line not in gone]


@difference
def refusing_routes(at):
    """Fail closed: a tunnel's table ends in an unreachable default of the worst metric, so a dead device lets nothing out."""
    at.ours.stderr = without(at.ours.stderr, r"^\[#\] ip -[46] route (add|delete) unreachable (0\.0\.0\.0|::)/0 metric 4294967295 table \d+$")
    at.ours.hooks = without(at.ours.hooks, r"^unreachable default metric 4294967295 $")
    routes = at.theirs.host["routes"]
    wanted = [f"-4 unreachable default table {number} metric 4294967295 " for number in marked_tables(at.theirs.host["rules"], "-4")]
    wanted += [f"-6 unreachable default dev lo table {number} metric 4294967295 pref medium"
               for number in marked_tables(at.theirs.host["rules"], "-6")]
    at.theirs.host["routes"] = sorted([*routes, *(line for line in wanted if line not in routes)])


@difference
def addresses_first(at):
    """IPv4 addresses go before their link, each behind a refusing route: a socket bound to one never sends by another route."""
    if at.verb == "down":
        at.ours.stderr = without(at.ours.stderr, r"^\[#\] ip -4 (address delete \S+ dev \S+|route (add|delete) unreachable \S+ metric 4294967295)$")


@difference
def link_local_of_an_engine(at):
    """wireguard-go lets the kernel give its device a link-local address of chance: no rule guards what is of no other link."""
    if "wireguard-go" in at.case.env.get("WG_QUICK_USERSPACE_IMPLEMENTATION", ""):
        at.theirs.host["firewall"] = without(at.theirs.host["firewall"], r"ip6 daddr fe80::")


@difference
def whole_tables(at):
    """A table of ours that is there already is replaced, not filled up: it stands last then."""
    if at.case.name == "tables of nft from before":
        for step in (at.theirs, at.ours):
            tables = "\n".join(step.host["firewall"]).split("\ntable ")
            step.host["firewall"] = sorted(text.removeprefix("table ") for text in tables)


PLAIN = ("address", "dns", "listenport", "mtu", "privatekey", "saveconfig", "table")
NAMES = {"vpn.example": "192.0.2.7", "six.example": "[2001:db8::7]"}


def said_values(key, value):
    """Of one line: what wg would say of it."""
    if re.match("(pre|post)(up|down)$", key):
        return [value]
    words = [word for word in re.split(r"[,\s]+", value) if word]
    if key == "allowedips":
        return [str(ipaddress.ip_interface(word).network) for word in words]
    if key == "endpoint":
        host, port = words[0].rsplit(":", 1)
        return [f"{NAMES.get(host, host)}:{port}"]
    if key == "persistentkeepalive" and words[0].lower() in ("0", "off"):
        return []
    return words if "key" in key else [word.lower() for word in words]


def meaning(text):
    """What a file says, wherever in its section it stands and however it is spelt: ([Interface], peers)."""
    interface, peers, section = {}, [], {}
    for line in text.splitlines():
        hook = re.match(r"\s*(Pre|Post)(Up|Down)\s*=", line, re.I)
        line = (line if hook else line.split("#")[0]).strip()
        if line.startswith("["):
            section = interface if line.lower() == "[interface]" else {}
            if section is not interface:
                peers.append(section)
        elif "=" in line:
            key, value = (word.strip() for word in line.split("=", 1))
            section.setdefault(key.lower(), []).extend(said_values(key.lower(), value))
    ordered = {key: values if re.match("pre|post", key) and "key" not in key else sorted(values) for key, values in interface.items()}
    return ordered, sorted(str(sorted((key, sorted(values)) for key, values in peer.items() if values)) for peer in peers)


def contents(lines):
    return {line.split(" ")[0]: ast.literal_eval(line.split(" ", 3)[3]).decode() for line in lines
            if re.match(r"\S+\.conf \S+ \S+ b['\"]", line)}


@difference
def saved(at):
    """save changes what differs from what runs and leaves the rest: order, comments, names and search domains. Neither a port
    by chance nor a mark of ours is made permanent, and hooks with "&" come out whole (stock breaks them since bash 5.2).
    Beyond that it says the same."""
    if at.verb not in ("down", "save") or at.theirs.host["files"] == at.ours.host["files"]:
        return
    theirs, ours = contents(at.theirs.host["files"]), contents(at.ours.host["files"])
    if set(theirs) != set(ours):
        return
    for path in ours:
        (own, peers), (other, other_peers) = meaning(ours[path]), meaning(theirs[path])
        for one in (own, other):
            one["dns"] = [word for word in one.get("dns", []) if re.match(r"[0-9.]+$|.*:", word)]
        for key in ("listenport", "fwmark"):
            if key not in own:
                other.pop(key, None)
        if "ampersand" in at.case.kinds:
            own, other = ({k: v for k, v in one.items() if k in PLAIN} for one in (own, other))
        if own != other or peers != other_peers:
            return
    at.theirs.host["files"] = at.ours.host["files"]


@difference
def journal(at):
    """What a tunnel owns, and the file it came from, are kept while it is up; of locks an empty file stays."""
    up = {line.split()[0] for line in at.ours.host["addresses"] if not line.startswith(" ")}
    if at.case.name == "link gone meanwhile":
        up.add("wg0")
    for step in (at.theirs, at.ours):
        step.host["state"] = [line for line in step.host["state"] if not re.match(r"/run/warren/(\S+\.)?lock -rw------- 0:0 b''$", line) and
                              not any(re.match(rf"/run/warren/{re.escape(name)}\.(journal|conf) -rw------- 0:0 ", line) for name in up)]


@difference
def order(at):
    """What protects stands before what it protects, and goes after it: the same commands in another order."""
    if at.verb in ("up", "down"):
        at.theirs.stderr = sorted(at.theirs.stderr)
        at.ours.stderr = sorted(at.ours.stderr)


# --- the two and their difference -------------------------------------------------------------------------


def steady(case, lines):
    """What is never the same twice: descriptors of a shell, ports that were picked, stamps, random addresses."""
    picked = not all(b"listenport" in (text if isinstance(text, bytes) else text.encode()).lower() for text in case.files.values())
    found = []
    for line in lines:
        line = re.sub(r"/dev/fd/\d+", "/dev/fd/N", line)
        line = re.sub(r"(/stamp-\w+ .*) b'\d+\\n'", r"\1 (a time)", line)
        line = re.sub(r"fe80::[0-9a-f:]+(?=/64)|fe80::[0-9a-f:]{8,}", "fe80::(picked)", line)
        if picked:
            line = re.sub(r"ListenPort = \d+", "ListenPort = (picked)", line)
        found.append(line)
    return found


def steady_step(case, step):
    step = copy.deepcopy(step)
    for part in PARTS:
        setattr(step, part, steady(case, getattr(step, part)))
    step.host = {part: steady(case, lines) for part, lines in step.host.items()}
    return step


def differ(what, theirs, ours):
    if theirs == ours:
        return []
    return [f"--- {what}", *list(difflib.unified_diff(theirs, ours, "stock", "warren", lineterm="", n=1))[2:]]


def judge_step(at):
    for row in ROWS:
        row(at)
    theirs, ours, words, faults = at.theirs, at.ours, " ".join(at.ours.argv), []
    if at.own_words:
        theirs.stderr = ours.stderr
    if theirs.code != ours.code:
        faults.append(f"--- {words}: status {theirs.code} of stock, {ours.code} of warren")
    for part in PARTS:
        faults += differ(f"{words}: {part}", getattr(theirs, part), getattr(ours, part))
    if (theirs.code == 0) != (ours.code == 0):
        return faults  # what follows from that says nothing
    for part in theirs.host:
        faults += differ(f"after {words}: {part}", theirs.host[part], ours.host[part])
    return faults


def judge(case, stock, warren):
    """What differs and is not explained, as lines."""
    before = {part: steady(case, lines) for part, lines in warren.before.items()}
    faults, previous = [], before
    for part in before:
        faults += differ(f"before: {part}", steady(case, stock.before[part]), before[part])
    for theirs, ours in zip(stock.steps, warren.steps):
        theirs, ours = steady_step(case, theirs), steady_step(case, ours)
        looked = copy.deepcopy(ours.host)
        faults += judge_step(At(case, theirs, ours, before, copy.deepcopy(previous)))
        previous = looked
    return faults
