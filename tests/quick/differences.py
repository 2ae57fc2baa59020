"""Where Warren's wg-quick differs on purpose, each with its reason. Everything else is a failure."""
import difflib
import re

PARTS = ("stdout", "stderr", "hooks", "dns")


def steady(lines):
    """What is never the same twice: descriptors of a shell, ports that were picked."""
    found = []
    for line in lines:
        line = re.sub(r"/dev/fd/\d+", "/dev/fd/N", line)
        line = re.sub(r"ListenPort = (3[2-9]|[4-6]\d)\d{3}\b", "ListenPort = (picked)", line)
        line = re.sub(r"(/stamp-\w+ .*) b'\d+\\n'", r"\1 (a time)", line)
        line = re.sub(r"fe80::[0-9a-f:]+(?=/64)|fe80::[0-9a-f:]{8,}", "fe80::(picked)", line)
        found.append(line)
    return found


def differ(what, theirs, ours):
    theirs, ours = steady(theirs), steady(ours)
    if theirs == ours:
        return []
    return [f"--- {what}", *list(difflib.unified_diff(theirs, ours, "stock", "warren", lineterm="", n=1))[2:]]


def judge(case, stock, warren):
    faults = []
    for part in stock.before:
        faults += differ(f"before: {part}", stock.before[part], warren.before[part])
    for theirs, ours in zip(stock.steps, warren.steps):
        words = " ".join(theirs.argv)
        if theirs.code != ours.code:
            faults.append(f"--- {words}: status {theirs.code} of stock, {ours.code} of warren")
        for part in PARTS:
            faults += differ(f"{words}: {part}", getattr(theirs, part), getattr(ours, part))
        for part in theirs.host:
            faults += differ(f"after {words}: {part}", theirs.host[part], ours.host[part])
    return faults
