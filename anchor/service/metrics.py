"""Samples for a monitoring system, and their text form.

Source: Prometheus text exposition format, version 0.0.4. Only gauges and counters; values are
floats, times are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Sample:
    """One number with its name and labels.

    Attributes:
        name: ``vestige_…``; with its unit, and ``_total`` for counters.
        help: one line; the same for all samples of a name.
        kind: ``gauge`` or ``counter``.
        value: the number.
        labels: pairs of label name and value.
    """

    name: str
    help: str
    kind: Literal["gauge", "counter"]
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def render_metrics(samples: Iterable[Sample]) -> str:
    """Return the samples as text, those of one name together, in the order of first appearance."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, []).append(sample)
    lines = []
    for name, group in by_name.items():
        lines.append(f"# HELP {name} {_escaped_help(group[0].help)}")
        lines.append(f"# TYPE {name} {group[0].kind}")
        lines.extend(_line(sample) for sample in group)
    return "".join(f"{line}\n" for line in lines)


def _line(sample: Sample) -> str:
    labels = ",".join(f'{key}="{_escaped_label(value)}"' for key, value in sample.labels)
    return (
        f"{sample.name}{{{labels}}} {_number(sample.value)}"
        if labels
        else (f"{sample.name} {_number(sample.value)}")
    )


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


def _escaped_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _escaped_label(text: str) -> str:
    return _escaped_help(text).replace('"', '\\"')
