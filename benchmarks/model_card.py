"""Enter measured figures into a model's card, and print them as the tables of the README.

Example:
lookonce evaluate discs --data ../shared/data/spine/lumbar --subjects unseen --by source --json >real.json
python benchmarks/model_card.py src/lookonce/weights/discs.json metrics=real.json simulated=simulated.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

#: Figures of the card in the order of the columns: heading, digits after the point, digits of the interval.
FIGURES = {
    "dtt_mm": ("DTT mm", 2, 2),
    "fnr_percent": ("FNR %", 1, 1),
    "fpr_percent": ("FPR %", 1, 1),
    "wrong_names_percent": ("wrong names %", 1, 1),
    "all_right_percent": ("all right %", 0, 0),
    "certain_percent": ("certain %", 0, 0),
    "level_shift_percent": ("shifted %", 0, 0),
    "silent_shift_percent": ("silent shifts %", 0, 0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("card", type=Path, help="the card to complete")
    parser.add_argument("figures", nargs="+", metavar="TOPIC=FILE", help="topic of the card, and what evaluate printed")
    options = parser.parse_args()
    card = json.loads(options.card.read_text())
    for figures in options.figures:
        topic, path = figures.split("=", 1)
        rows = json.loads(Path(path).read_text())["rows"]
        card["about"][topic] = {_name(row): _entry(row) for row in rows}
        print(f"{topic}\n\n{_table(rows)}\n")
    options.card.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")


def _name(row: dict[str, Any]) -> str:
    if row["data"] == "pooled" or row["group"] == "n/a":
        return str(row["data"])
    return f"{row['data']} {row['group']}"


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    figures = {name: [_rounded(row[name][part]) for part in ("value", "low", "high")] for name in FIGURES}
    return {"scans": row["scans"], "patients": row["patients"], **figures}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _table(rows: list[dict[str, Any]]) -> str:
    headings = ["set", "scans (patients)", *(heading for heading, *_ in FIGURES.values())]
    lines = [headings, ["---"] * len(headings)]
    for row in rows:
        lines.append([_name(row), f"{row['scans']} ({row['patients']})", *(_cell(row, name) for name in FIGURES)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(row: dict[str, Any], name: str) -> str:
    _, digits, fine = FIGURES[name]
    value, low, high = (row[name][part] for part in ("value", "low", "high"))
    if value is None:
        return "-"
    return f"{value:.{digits}f}" + ("" if low is None else f" ({low:.{fine}f}–{high:.{fine}f})")


if __name__ == "__main__":
    main()
