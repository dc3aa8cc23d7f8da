"""What stands beside the AFM figures: statistics, what was left out and why, steps, what E rests on."""

from __future__ import annotations

import re

from dash.development.base_component import Component

from analysis.records import AfmReduction
from app.figures.numbers import value_text
from app.figures.words import STATUS_TEXT
from app.pages import parts
from app.pages.instrument import facts, listed

ROWS = (
    ("mean ± error", lambda part: value_text(part.mean, part.sem, "")),
    ("std (ddof = 0)", lambda part: value_text(part.std, None, "")),
    ("median", lambda part: value_text(part.median, None, "")),
    ("MAD (unscaled)", lambda part: value_text(part.mad, None, "")),
    ("1–99 %", lambda part: _range(part.p01, part.p99)),
    ("5–95 %", lambda part: _range(part.p05, part.p95)),
    ("25–75 %", lambda part: _range(part.p25, part.p75)),
)
FIT_ROWS = (
    ("log-normal: median", lambda part: value_text(part.lognormal_median, None, "")),
    ("log-normal: σ of ln E", lambda part: value_text(part.lognormal_sigma, None, "")),
    ("log-normal: off by (KS)", lambda part: value_text(part.lognormal_distance, None, "")),
)


def panels(sample_id: str, field: AfmReduction) -> list[Component]:
    """The panels of facts about one field."""
    return [
        listed(
            "Steps, in order",
            [_minus(step) for step in field.steps],
            nothing="The height is as it was read.",
            ordered=True,
        ),
        facts(
            "Pixels left out",
            ("", "n", "why"),
            excluded_rows(field),
            testid="afm-excluded",
            actions=[parts.csv_link(sample_id, "afm_summary")],
        ),
        facts("What E rests on", ("", ""), metadata_rows(field), testid="afm-metadata"),
        listed("In the file", field.contents, nothing="Only the channels that are shown."),
        listed(
            "Notes",
            ["AFM sees the top of the crystal; X-rays average through its thickness.", *field.notes],
            nothing="",
        ),
    ]


def part_tables(field: AfmReduction) -> list[Component]:
    """Two tables, of E and of h: a column a part of the field, a row a number."""
    titles = (("modulus", "E (GPa)", (*ROWS, *FIT_ROWS)), ("height", "h (nm)", ROWS))
    return [
        facts(
            title,
            ("", *(part.part for part in found)),
            [
                ("pixels", *(_count(part.n) for part in found)),
                *((name, *(text(part) for part in found)) for name, text in rows),
            ],
            testid=f"afm-statistics-{quantity}",
        )
        for quantity, title, rows in titles
        if (found := [part for part in field.parts if part.quantity == quantity])
    ]


def _minus(sentence: str) -> str:
    """A sentence with the minus sign of print before its numbers."""
    return re.sub(r"(?<=\s)-(?=\d)", "−", sentence)


def _range(low: float, high: float) -> str:
    return f"{value_text(low, None, '')} to {value_text(high, None, '')}"


def _count(n: int) -> str:
    return f"{n:,}".replace(",", "\u202f")


def excluded_rows(field: AfmReduction) -> list[tuple[str, str, str]]:
    """Reason, number of pixels and share of the field of everything that does not count."""
    total = field.status.size
    if not any(field.excluded.values()):
        return [("none", "0", "every pixel of the crystal counts")]
    return [
        (name.replace("_", " "), f"{count}", f"{STATUS_TEXT.get(name, name)} ({_share(count / total)})")
        for name, count in field.excluded.items()
        if count
    ]


def _share(share: float) -> str:
    """A share in %, never rounded to nothing."""
    return f"{100 * share:.1f} %" if share >= 0.0005 else "under 0.1 %"


def metadata_rows(field: AfmReduction) -> list[tuple[str, str]]:
    """What the file says of the modulus (tip radius, Poisson ratio, model) and which channels were read."""
    dx, dy = field.grid.cell_um
    rows, cols = field.grid.shape
    return [
        *field.metadata.items(),
        ("channel of E", field.modulus_title or "none"),
        ("channel of h", field.height_title or "none"),
        ("file", field.file_path),
        ("field", f"{cols} × {rows} px, {cols * dx:.3f} × {rows * dy:.3f} µm"),
    ]
