"""Reads Prometheus' text format, as far as sums over series need it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

SERIES = re.compile(r"^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Exposition:
    """One answer of a `/metrics` page.

    >>> seen = Exposition('runs_total{kind="a",ok="yes"} 2\\nruns_total{kind="b",ok="yes"} 3\\n')
    >>> seen.total("runs_total"), seen.total("runs_total", kind="a"), seen.total("never_total")
    (5.0, 2.0, 0)
    >>> seen.by_label("runs_total", "kind")
    {'a': 2.0, 'b': 3.0}
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._series: dict[str, list[tuple[dict[str, str], float]]] = {}
        for line in text.splitlines():
            found = SERIES.match(line)
            if found:
                labels = dict(LABEL.findall(found.group(2) or ""))
                self._series.setdefault(found.group(1), []).append((labels, float(found.group(3))))

    def __contains__(self, name: str) -> bool:
        return name in self._series

    def matching(self, name: str, labels: Mapping[str, str]) -> Iterator[tuple[dict[str, str], float]]:
        """The series of `name` whose labels include all of `labels`."""
        for series, value in self._series.get(name, []):
            if all(series.get(key) == wanted for key, wanted in labels.items()):
                yield series, value

    def total(self, name: str, **labels: str) -> float:
        """The sum over all matching series; 0 when there is none, as for a counter that never counted."""
        return sum(value for _, value in self.matching(name, labels))

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """Sums of `name` for each value of one label, without the zeros."""
        sums: dict[str, float] = {}
        for series, value in self.matching(name, {}):
            key = series.get(label, "")
            sums[key] = sums.get(key, 0.0) + value
        return {key: value for key, value in sums.items() if value != 0.0}
