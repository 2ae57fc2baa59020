"""Rows of programs that stand beside this one: build/bench_x --json, one for each file bench/x.c."""
import json
import pathlib

from figures import FIGURES, LOOKUPS, PREFIXES, SIZES, WORKS
from rounds import brief, say, undisturbed
from world import Failure, sh

OURS = ("warren", "avx2")


def ask(build, name, *options, prefix=(), seconds=600):
    """What build/bench_NAME --json says, or Failure."""
    path = pathlib.Path(build, f"bench_{name}").resolve()
    if not path.exists():
        raise Failure(f"bench_{name} is not built")
    out = sh(*prefix, str(path), "--json", *options, capture_output=True, timeout=seconds).stdout
    try:
        return json.loads(out)
    except ValueError:
        raise Failure(f"bench_{name} gave no JSON") from None


def cipher(answer):
    """Ours in a batch of 16, and its ratios."""
    found = {}
    for cell in answer:
        if cell["batch"] != 16 or cell["bytes"] not in SIZES:
            continue
        by = found.setdefault((cell["work"], cell["bytes"]), {})
        by[cell["cipher"]] = cell["ns_median"]
        if cell["cipher"] in OURS and cell["to_boringssl"]:
            by["to boringssl"] = cell["to_boringssl"]
    values = {}
    for (work, size), by in found.items():
        ours = next((by[name] for name in OURS if name in by), None)
        if ours is None:
            continue
        values[f"{work}-{size}"] = ours
        if "to boringssl" in by:
            values[f"{work}-{size}-boringssl"] = by["to boringssl"]
        if by.get("libcrypto"):
            values[f"{work}-{size}-libcrypto"] = ours / by["libcrypto"]
    return values


def lookup(answer):
    """Each way by the kind of prefixes whose cost grows most."""
    shapes, values = {}, {}
    for cell in answer["lookup"]:
        shapes.setdefault(cell["prefixes"], {})[cell["count"]] = cell
    for kind in LOOKUPS:
        worst = max(shapes.values(), key=lambda rows: rows[max(PREFIXES)][f"{kind}_ratio"])
        values.update({f"{kind}-{n}": worst[n][f"{kind}_ns"] for n in PREFIXES})
        values[f"growth-{kind}"] = worst[max(PREFIXES)][f"{kind}_ratio"]
    return values


def inside(answer):
    row = answer["peers"][0]
    return {"set-100000": row["set_s"], "bytes-100000": row["bytes_per_peer"], "expired-100000": row["bytes_after_session"],
            "hold-100000": row["longest_hold_us"]}


def offload(answer):
    names = {title: key for key, title in WORKS.items()}
    return {f"{names[cell['work']]}-{what}": cell[f"{what}_ns"] for cell in answer if cell["work"] in names
            for what in ("split", "join")}


def take(bench, row, program, read, *options):
    """read(answer) gives {figure: value}; what it does not give is not measured."""
    names = [key.split(".", 1)[1] for key in FIGURES if key.startswith(f"{row}.")]
    try:
        values, others = undisturbed(lambda: read(ask(bench.build, program, *options)), False)
        why = f"bench_{program} does not give it"
    except (Failure, LookupError, TypeError, ValueError) as error:
        values, others, why = {}, 0.0, str(error) if isinstance(error, Failure) else f"bench_{program} speaks otherwise"
    say(f"{row}: {brief(values) or why}")
    bench.keep(row, "warren", values, others)
    bench.miss(row, "warren", why, [name for name in names if name not in values])


def take_lookup(bench):
    """Half a minute for each kind of prefixes: all of them only with --all."""
    if bench.options.quick:
        bench.miss("lookup", "warren", "takes a minute, not with --quick", [f"growth-{kind}" for kind in LOOKUPS])
    else:
        take(bench, "lookup", "lookup", lookup, *([] if bench.options.all else ["v4-host", "v6-host"]))


ROWS = {
    "cipher": lambda bench: take(bench, "cipher", "cipher", cipher, "31" if bench.options.quick else "301"),
    "offload": lambda bench: take(bench, "offload", "offload", offload),
    "inside": lambda bench: take(bench, "inside", "peers", inside, "100000"),
    "lookup": take_lookup,
}
