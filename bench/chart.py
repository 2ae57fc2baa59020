"""Charts as SVG text: lines over a quantity, and bars of ratios. Small files that can be compared line by line."""
import html
import math

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 16, 62, 50
COLOURS = {"warren": "#0b6e4f", "newest": "#c84630", "debian": "#7a6c9c"}
WIDE = 40  # a quantity that grows by more than this has a logarithmic axis


def short(value):
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:.3g}"


def nice_step(span, count=5):
    """1, 2 or 5 times a power of ten, about count of them in the span."""
    power = 10 ** math.floor(math.log10(span / count))
    return next(step * power for step in (1, 2, 5, 10) if span / (step * power) <= count + 1)


class Axis:
    """From values to pixels, and where its ticks are. A linear one begins at 0."""

    def __init__(self, values, begin, end, log=None):
        low, high = min(values), max(values)
        self.log = low > 0 and high / low > WIDE if log is None else log
        if self.log:
            self.low, self.high = 10 ** math.floor(math.log10(low) + 1e-9), 10 ** math.ceil(math.log10(high) - 1e-9)
            self.high = max(self.high, self.low * 10)
            self.ticks = [self.low * 10 ** i for i in range(round(math.log10(self.high / self.low)) + 1)]
        else:
            step = nice_step(max(high, 1e-9))
            self.low, self.high = 0, step * math.ceil(max(high, 1e-9) / step - 1e-9)
            self.ticks = [i * step for i in range(round(self.high / step) + 1)]
        self.begin, self.end = begin, end

    def at(self, value):
        share = ((math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low)) if self.log
                 else (value - self.low) / (self.high - self.low))
        return round(self.begin + share * (self.end - self.begin), 1)


def text(x, y, words, anchor="start", size=12, colour="#333", more=""):
    return (f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"{more}>'
            f"{html.escape(words)}</text>")


def line(x1, y1, x2, y2, colour, width=1):
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" stroke-width="{width}"/>'


def page(parts, height=HEIGHT):
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
                      f'font-family="Helvetica, Arial, sans-serif">', f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
                      *parts, "</svg>", ""])


def frame(x, y, series):
    parts = [text(LEFT, 22, series["title"], size=15, colour="#111", more=' font-weight="bold"')]
    for tick in y.ticks:
        parts += [line(LEFT, y.at(tick), WIDTH - RIGHT, y.at(tick), "#ddd"), text(LEFT - 8, y.at(tick) + 4, short(tick), "end")]
    for tick in x.ticks:
        parts += [line(x.at(tick), HEIGHT - BOTTOM, x.at(tick), HEIGHT - BOTTOM + 5, "#888"),
                  text(x.at(tick), HEIGHT - BOTTOM + 19, short(tick), "middle")]
    return parts + [line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "#888"),
                    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, series["x"], "middle"),
                    text(16, (TOP + HEIGHT - BOTTOM) / 2, series["y"], "middle",
                         more=f' transform="rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2:g})"')]


def legend(names):
    parts, x = [], LEFT
    for engine, name in names.items():
        parts += [line(x, 40, x + 18, 40, COLOURS[engine], 3), text(x + 24, 44, name)]
        x += 44 + 7 * len(name)
    return parts


def lines(series, names):
    """A series of the results: a line for each engine. names: what to call them."""
    present = {engine: rows for engine, rows in series["engines"].items() if rows}
    x = Axis([row["x"] for rows in present.values() for row in rows], LEFT, WIDTH - RIGHT - 12)
    y = Axis([row["median"] for rows in present.values() for row in rows], HEIGHT - BOTTOM, TOP)
    parts = frame(x, y, series) + legend({engine: names.get(engine, engine) for engine in present})
    for engine, rows in present.items():
        spots = [(x.at(row["x"]), y.at(row["median"])) for row in rows]
        parts.append(f'<polyline fill="none" stroke="{COLOURS[engine]}" stroke-width="2.5" points="'
                     f'{" ".join(f"{a:g},{b:g}" for a, b in spots)}"/>')
        parts += [f'<circle cx="{a:g}" cy="{b:g}" r="3.5" fill="{COLOURS[engine]}"/>' for a, b in spots]
    return page(parts)


def bars(title, rows):
    """rows: (words, ratio); a line stands at 1."""
    left, height, step = 250, 70 + 30 * len(rows), 30
    x = Axis([ratio for _, ratio in rows] + [1], left, WIDTH - 60, log=False)
    parts = [text(20, 24, title, size=15, colour="#111", more=' font-weight="bold"')]
    for i, (words, ratio) in enumerate(rows):
        y = 44 + i * step
        parts += [text(left - 8, y + 15, words, "end"),
                  f'<rect x="{left}" y="{y}" width="{x.at(ratio) - left:g}" height="20" fill="{COLOURS["warren"]}"/>',
                  text(x.at(ratio) + 6, y + 15, f"{ratio:.2f}")]
    parts.append(line(x.at(1), 38, x.at(1), height - 20, "#c84630", 1.5))
    return page(parts, height)
