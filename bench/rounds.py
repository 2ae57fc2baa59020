"""Runs by turns: every engine once, then every engine again, so that a noisy machine is noisy for all."""
import statistics
import sys

from machine import DISTURBED, Watch
from world import TROUBLE


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def undisturbed(measure, again=True):
    """The values, and the share of the cores that others had; once more when that was much, and the quieter of both."""
    watch = Watch()
    first = (measure(), watch.stop())
    if first[1] <= DISTURBED or not again:
        return first
    watch = Watch()
    try:
        second = (measure(), watch.stop())
    except TROUBLE:
        return first
    return min(first, second, key=lambda run: run[1])


def brief(values):
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items() if isinstance(value, (int, float)))


def alternate(measures, rounds, keep, lose, name, again=True):
    """measures: engine -> function that returns {figure: value}. keep(engine, values, others); lose(engine, why).

    An engine that failed in two rounds is not tried again.
    """
    failed = dict.fromkeys(measures, 0)
    for turn in range(rounds):
        for engine, measure in measures.items():
            if failed[engine] > 1:
                continue
            try:
                values, others = undisturbed(measure, again)
            except TROUBLE as why:
                failed[engine] += 1
                lose(engine, str(why) or type(why).__name__)
                say(f"{name} {turn + 1}/{rounds} {engine}: {why!r}")
                continue
            keep(engine, values, others)
            disturbance = f"  (others {others:.0%})" if others > DISTURBED else ""
            say(f"{name} {turn + 1}/{rounds} {engine}: {brief(values)}{disturbance}")


def points(xs, measures, rounds, figure, again=True):
    """A series: {engine: [{x, median, min, max}]}; measures: engine -> function of x that returns {figure: value}."""
    found = {engine: [] for engine in measures}
    for x in xs:
        runs = {engine: [] for engine in measures}
        alternate({engine: lambda measure=measure: measure(x) for engine, measure in measures.items()}, rounds,
                  lambda engine, values, others: runs[engine].append(values[figure]), lambda engine, why: None,
                  f"{figure} at {x:,}", again)
        for engine, values in runs.items():
            if values:
                found[engine].append({"x": x, "median": statistics.median(values), "min": min(values), "max": max(values)})
    return found
