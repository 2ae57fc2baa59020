"""Where Warren's wg differs on purpose, each with its reason. Everything else is a failure.

A row is a function of a case and of what another wg did. It gives what Warren is expected to do instead, or None where
it does not apply.
"""
import dataclasses
import re

NEWEST, DEBIAN = "newest", "debian"
ROWS = []


def difference(*programs):
    """A row that is about these programs."""
    def add(function):
        ROWS.append((programs, function))
        return function
    return add


OUTDATED = []


def outdated(function):
    """A row that says whether Debian's, which is of 2021, did what wg did then; the newest one must be as Warren is."""
    OUTDATED.append(function)
    return function


def explained(program, case, results):
    """The reason why ours is right, or None. results: of each program by its name."""
    theirs, ours = results[program], results["warren"]
    for programs, row in ROWS:
        if program in programs and row(case, theirs) == ours:
            return row.__doc__.strip()
    if program != DEBIAN:
        return None
    for row in OUTDATED:
        newest_agrees = NEWEST not in results or results[NEWEST] == ours or explained(NEWEST, case, results)
        if newest_agrees and row(case, theirs, ours):
            return row.__doc__.strip()
    return None


@difference(NEWEST, DEBIAN)
def version(case, theirs):
    """The version names Warren: who looks into a problem must see whose wg this is. The number is the same."""
    if case.argv and case.argv[0] in ("version", "--version", "-v") and theirs.stdout.startswith(b"wireguard-tools v"):
        text = re.sub(rb"^wireguard-tools v[\d.]+ - .*", b"wireguard-tools v1.0.20260223 - as spoken by warren 0.1.0", theirs.stdout)
        return dataclasses.replace(theirs, stdout=text)
    return None


@difference(NEWEST, DEBIAN)
def secrets_are_hidden(case, theirs):
    """A message never quotes what may be a private or preshared key; wg's do. Logs keep messages."""
    if case.kind not in ("conf", "set"):
        return None
    text = theirs.stderr
    quoted = re.search(rb"Key is not the correct length or format: `([^'\n]*)'", text)
    if quoted and quoted.group(1) not in peer_keys(case):
        text = text.replace(quoted.group(0), b"Key is not the correct length or format: `(hidden)'")
    line = re.search(rb"Line unrecognized: `([^=\n]*)(?:=([^\n]*))?'\n", text)
    if line:
        text = text.replace(line.group(0), b"Line unrecognized: `%s'\n" % without_key(line.group(1), line.group(2)))
    return dataclasses.replace(theirs, stderr=text) if text != theirs.stderr else None


def without_key(name, value):
    """A line as it may be shown. value is None where no = stands."""
    key = re.compile(rb"[A-Za-z0-9+/]{40}")
    if key.search(name) or re.match(rb"(?i)(private|preshared)key.", name):
        return b"(hidden)"
    if value and (key.search(value) or re.fullmatch(rb"(?i)(private?|preshared)key", name)):
        return name + b"=(hidden)"
    return name if value is None else name + b"=" + value


def peer_keys(case):
    """The values that stand where a public key is wanted."""
    words = [w.encode() for before, w in zip(case.argv, case.argv[1:]) if before == "peer"]
    for content in case.files.values():
        words += [re.sub(rb"[ \t\v\f\r]", b"", v.split(b"#")[0])
                  for v in re.findall(rb"(?im)^[ \t\v\f\r]*" + b"[ \t\v\f\r]*".join(bytes([c]) for c in b"publickey") +
                                      rb"[ \t\v\f\r]*=([^\n]*)", content)]
    return words


@difference(NEWEST, DEBIAN)
def full_disk(case, theirs):
    """Output that could not be written is a failure; wg says nothing and gives 0."""
    if case.kind != "full" or theirs.code != 0:
        return None
    return dataclasses.replace(theirs, code=1, stderr=b"wg: cannot write to standard output: No space left on device\n")


@difference(NEWEST, DEBIAN)
def byte_order_mark(case, theirs):
    """A byte order mark before the first line is skipped, as editors of other systems leave one."""
    content = case.files.get("file", b"")
    if case.kind != "conf" or content != b"\xef\xbb\xbf[Interface]\n":
        return None
    empty = b"set=1\nprivate_key=" + b"0" * 64 + b"\nlisten_port=0\nfwmark=0\nreplace_peers=true\n\n"
    return dataclasses.replace(theirs, code=0, stderr=b"", requests={"wg0": [empty]})


@difference(NEWEST, DEBIAN)
def folder_is_no_file(case, theirs):
    """A folder in the place of the file is an error; wg takes it for an empty file and clears the device."""
    if case.kind == "conf" and case.argv[2:] == ["."]:
        return dataclasses.replace(theirs, code=1, stderr=b"fopen: Is a directory\n", requests={n: [] for n in theirs.requests})
    return None


@difference(NEWEST, DEBIAN)
def wg_dies(case, theirs):
    """A device that answers with an endpoint that nobody can resolve crashes wg; here that is a protocol error."""
    if case.kind == "hostile" and theirs.code == -11:
        return dataclasses.replace(theirs, code=1, stderr=b"Unable to access interface: Protocol error\n")
    return None


@difference(NEWEST, DEBIAN)
def far_future(case, theirs):
    """A handshake after the year 2554 is one of 2554: times are nanoseconds since 1970 in 64 bits."""
    if case.kind == "hostile" and b"\t99999999999\t" in theirs.stdout:
        return dataclasses.replace(theirs, stdout=theirs.stdout.replace(b"99999999999", b"18446744072"))
    return None


@difference(NEWEST, DEBIAN)
def nul_in_words(case, theirs):
    """A message about a NUL behind a key ends there."""
    if case.kind == "set" and b"`\0'" in theirs.stderr:
        return dataclasses.replace(theirs, stderr=theirs.stderr.replace(b"`\0'", b"`"))
    return None


@outdated
def signs(case, theirs, _ours):
    """Incremental lists of allowed IPs came in 1.0.20250521."""
    return re.search(rb"Unable to parse IP address: `[+-]", theirs.stderr) and any(
        sign in text for text in [*map(str.encode, case.argv), *case.files.values()] for sign in (b"+", b"-"))


@outdated
def usage_of_signs(_case, theirs, ours):
    """Their usage came with them."""
    return theirs.stderr == ours.stderr.replace(b"[+|-]", b"")


@outdated
def sync_clears(case, theirs, ours):
    """syncconf takes away a preshared key (1.0.20250521) and a keepalive (1.0.20260223) that the file does not have."""
    def old(requests):
        return [re.sub(rb"preshared_key=0{64}\n|persistent_keepalive_interval=0\n", b"", r) for r in requests]
    return case.argv[0] == "syncconf" and {n: old(r) for n, r in ours.requests.items()} == {
        n: old(r) for n, r in theirs.requests.items()}


@outdated
def long_names(_case, _theirs, ours):
    """A name that no interface can have is told apart since 2023."""
    return ours.stderr == b"Unable to access interface: File name too long\n"


@outdated
def names_before_endpoints(case, _theirs, _ours):
    """show all endpoints names the interface on each line since 2023."""
    return case.argv == ["show", "all", "endpoints"]
