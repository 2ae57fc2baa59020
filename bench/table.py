"""The results as text: the table of a run, and the same as Markdown."""
from bars import judged
from figures import FIGURES
from results import ENGINES, OVER, median, ratio, reason

MISSING = "not measured"


def number(value, digits):
    return f"{value:,.{digits}f}"


def cell(figures, figure, engine):
    value = median(figures, figure.key, engine)
    if value is None:
        return MISSING if reason(figures, figure.key, engine) else ""
    mark = "*" if figures[figure.key][engine]["disturbed"] else ""
    return number(value, figure.digits) + mark


def spread(figures, figure):
    ours = figures[figure.key].get("warren", {})
    if len(ours.get("values", ())) < 2:
        return ""
    return f"{number(ours['min'], figure.digits)} - {number(ours['max'], figure.digits)}"


def ratio_cell(figures, key, over):
    value = ratio(figures, key, over)
    return "" if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def rows(figures):
    """Title, unit, a cell for each engine, the spread of ours, a ratio for each other."""
    return [(f.title, f.unit, *(cell(figures, f, engine) for engine in ENGINES), spread(figures, f),
             *(ratio_cell(figures, f.key, over) for over in OVER)) for f in FIGURES.values() if f.key in figures]


def heads():
    return ("", "", *ENGINES, "warren, min - max", *(f"/ {over}" for over in OVER))


def aligned(table, left):
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return ["  ".join(text.ljust(width) if i in left else text.rjust(width)
                      for i, (text, width) in enumerate(zip(row, widths))).rstrip() for row in table]


def reasons(figures):
    """Why something was not measured, each reason once."""
    found = {}
    for key, cells in figures.items():
        for engine, values in cells.items():
            if values.get("missing"):
                row = key.split(".")[0]
                found.setdefault((engine, values["missing"]), {})[row] = None
    return [f"not measured for {engine}: {', '.join(keys)}: {why}" for (engine, why), keys in found.items()]


def title(result):
    machine = result["machine"]
    return [f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}, Linux {machine['kernel']}, {machine['date']}",
            *(f"{name}: {title}" for name, title in result["engines"].items()),
            f"medians of {result['rounds']} alternating runs of {result['seconds']} s, both ends on this machine"]


def text(result):
    figures = result["figures"]
    lines = title(result) + [""] + aligned([heads(), *rows(figures)], (0, 1))
    if any(cells.get("disturbed") for row in figures.values() for cells in row.values()):
        lines.append(f"* others used more than {result['disturbed']:.0%} of the cores in a run (without --quick: and in its repetition)")
    lines += reasons(figures)
    verdicts = judged(figures)
    lines += ["", *aligned([("bar", "wanted", "is", ""), *verdicts], (0, 1, 2, 3)), "", tally(verdicts)]
    return "\n".join(lines)


def tally(verdicts):
    said = [row[3].split(" (")[0] for row in verdicts]
    return ", ".join(f"{said.count(word)} {word}" for word in ("met", "missed", MISSING)) + f" of {len(said)} bars"


def markdown(table, left=(0,)):
    def line(cells):
        return "| " + " | ".join(cell.strip() for cell in cells) + " |"

    rule = "| " + " | ".join("---" if i in left else "---:" for i in range(len(table[0]))) + " |"
    return [line(table[0]), rule, *map(line, table[1:])]


def series_rows(series, result):
    """One series as a table: what it grows with, then a cell for each engine."""
    points = sorted({point["x"] for rows in series["engines"].values() for point in rows})
    present = [engine for engine in ENGINES if series["engines"].get(engine)]
    by = {engine: {point["x"]: point["median"] for point in series["engines"][engine]} for engine in present}
    table = [(series["x"], *(result["engines"].get(engine, engine) for engine in present))]
    for x in points:
        table.append((f"{x:,}", *(f"{by[engine][x]:,.{series['digits']}f}" if x in by[engine] else "" for engine in present)))
    return table
