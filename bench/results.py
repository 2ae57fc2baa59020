"""What was measured: for each figure and each engine the values of all runs, or the reason why there are none."""
import statistics

ENGINES = ("warren", "newest", "debian")
OVER = ("newest", "debian")


class Results:
    def __init__(self):
        self.runs = {}     # figure -> engine -> [(value, share of the cores that others had)]
        self.reasons = {}  # figure -> engine -> why

    def add(self, key, engine, value, others=0.0):
        self.runs.setdefault(key, {}).setdefault(engine, []).append((value, others))

    def miss(self, key, engine, why):
        self.reasons.setdefault(key, {})[engine] = why

    def summary(self, disturbed):
        """As in the JSON: {figure: {engine: {median, min, max, values, disturbed} or {missing: why}}}."""
        found = {}
        for key in {**self.runs, **self.reasons}:
            cells = found.setdefault(key, {})
            for engine in ENGINES:
                runs = self.runs.get(key, {}).get(engine)
                why = self.reasons.get(key, {}).get(engine)
                if runs:
                    cells[engine] = summed(runs, disturbed)
                elif why:
                    cells[engine] = {"missing": why}
        return found


def summed(runs, disturbed):
    values = [value for value, _ in runs]
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values,
            "disturbed": sum(others > disturbed for _, others in runs)}


def median(figures, key, engine="warren"):
    """The median out of a summary, or None."""
    return figures.get(key, {}).get(engine, {}).get("median")


def ratio(figures, key, over):
    """Ours over theirs, or None."""
    ours, theirs = median(figures, key), median(figures, key, over)
    return ours / theirs if ours is not None and theirs else None


def reason(figures, key, engine="warren"):
    return figures.get(key, {}).get(engine, {}).get("missing", "")
