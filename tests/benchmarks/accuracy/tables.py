"""Records as markdown: one table per data set, methods as rows, mean and standard deviation over seeds."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence

from cells import RECORDED, Selection, cell_of, chosen_data
from data_sets import DATA_SETS
from methods import METHODS, TABLES
from results import Record

Values = dict[str, float]
_SCORES = {
    "pool": "pool_accuracy",
    "test": "test_accuracy",
    "macro-F1": "macro_f1",
    "LLM": "llm_accuracy",
    "clean": "clean_share",
    "purity": "clean_purity",
    "at 60 %": "purity_60",
    "at 18 %": "purity_18",
}
"""Column -> score of a record, all of them shares."""

_LEGEND = (
    "Percent, mean ± standard deviation over n seeds. *pool*: labels of the row's method against the truth of the pool"
    " (for FreeAL the final labels); *test*, *macro-F1*: its student on the test rows; *LLM*: the labels the student"
    " learned from; *clean*, *purity*: share of the pool with P(clean) > 0.7 and how many of those labels are right;"
    " *at 60 %*: purity of the cleanest 60 % of the pool; *calls*: texts asked, over all sets of demonstrations;"
    " *seconds*: with * where answers came from the store of an earlier cell; *Δ*: test accuracy less that of the"
    " baseline, seed by seed."
)


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of a table: values by seed, then column. `stored`: some answers were not asked for anew."""

    title: str
    by_seed: Mapping[int, Values]
    stored: bool = False

    def values(self, column: str) -> list[float]:
        """The values of a column over the seeds that have it."""
        return [values[column] for values in self.by_seed.values() if column in values]


def render(selection: Selection, latest: Mapping[str, Record], *, command: str) -> str:
    """All tables of the selection that have a result, and where they come from. `latest`: records by cell key."""
    used: list[Record] = []
    parts: list[str] = []
    for table in selection.tables:
        found = list(_of_table(selection, table, latest, used))
        parts += [f"## {TABLES[table].title}", *found] if found else []
    if not parts:
        return "No results yet."
    return "\n\n".join([_header(selection, used, command=command), _LEGEND, *parts]) + "\n"


def _of_table(selection: Selection, table: str, latest: Mapping[str, Record], used: list[Record]) -> Iterator[str]:
    for data in chosen_data(selection, table):

        def found(method: str, llm: str, data: str = data) -> dict[int, Record]:
            cells = {
                seed: cell_of(selection, table, data=data, method=method, llm=llm, seed=seed)
                for seed in selection.seeds
            }
            return {seed: latest[cell.key] for seed, cell in cells.items() if cell.key in latest}

        by_llm = {llm: _rows(selection, table, llm, found) for llm in _llms(selection, data)}
        for llm in by_llm:
            used += [r for method in _methods(selection, table) for r in found(method, llm).values()]
        if any(by_llm.values()):
            yield f"### {DATA_SETS[data].title}{_conditions(selection, table)}"
            yield _markdown(by_llm, baseline=METHODS[TABLES[table].baseline].title)


def _llms(selection: Selection, data: str) -> tuple[str, ...]:
    return (RECORDED,) if DATA_SETS[data].annotation_column else selection.llms


def _methods(selection: Selection, table: str) -> list[str]:
    return [name for name in TABLES[table].methods if selection.methods is None or name in selection.methods]


def _conditions(selection: Selection, table: str) -> str:
    rows = selection.rows or TABLES[table].rows
    epochs = selection.epochs or TABLES[table].epochs
    parts = [f"{rows:,} pool rows" if rows else "all rows", f"{epochs} epochs" if epochs else ""]
    return ": " + ", ".join(part for part in parts if part)


def _rows(selection: Selection, table: str, llm: str, found: Callable[[str, str], dict[int, Record]]) -> dict[str, Row]:
    """The rows of one data set and language model that have a value, by title."""
    rows: list[Row] = []
    for name in TABLES[table].shown or TABLES[table].methods:
        method, _, part = name.partition("/")
        if method in _methods(selection, table):
            rows += PARTS[part](METHODS[method].title, found(method, llm))
    return {row.title: row for row in rows if row.by_seed}


def _whole(title: str, records: Mapping[int, Record]) -> list[Row]:
    stored = any(record["from_store"] for record in records.values())
    return [Row(title, {seed: _of_record(record) for seed, record in records.items()}, stored)]


def _of_record(record: Record) -> Values:
    scores = record["scores"]
    values = {column: 100 * scores[name] for column, name in _SCORES.items() if name in scores}
    calls = {"calls": record["calls"]} if record["calls"] else {}
    return values | calls | {"seconds": record["seconds"]}


def _baseline(title: str, score: str) -> Callable[[str, Mapping[int, Record]], list[Row]]:
    def part(_: str, records: Mapping[int, Record]) -> list[Row]:
        known = {seed: record["scores"] for seed, record in records.items() if score in record["scores"]}
        return [Row(title, {seed: {"pool": 100 * scores[score]} for seed, scores in known.items()})]

    return part


def _rounds(title: str, records: Mapping[int, Record]) -> list[Row]:
    most = max((len(record["rounds"]) for record in records.values()), default=0)
    rows = []
    for number in range(1, most + 1):
        entries = {
            seed: record["rounds"][number - 1] for seed, record in records.items() if len(record["rounds"]) >= number
        }
        llm = {seed: {"pool": 100 * entry["llm_accuracy"]} for seed, entry in entries.items()}
        student = {
            seed: {
                "pool": 100 * entry["student_accuracy"],
                "test": 100 * entry["test_accuracy"],
                "macro-F1": 100 * entry["macro_f1"],
            }
            for seed, entry in entries.items()
        }
        rows += [Row(f"{title}, LLM in round {number}", llm), Row(f"{title}, student of round {number}", student)]
    return rows


PARTS: Mapping[str, Callable[[str, Mapping[int, Record]], list[Row]]] = {
    "": _whole,
    "zero_shot": _baseline("LLM zero-shot", "llm_zero_shot"),
    "first_round": _baseline("LLM with round-1 demonstrations", "llm_first_round"),
    "rounds": _rounds,
}
"""What of a method a line shows: the whole of it, or what it was at some stage."""


def _markdown(by_llm: Mapping[str, Mapping[str, Row]], *, baseline: str) -> str:
    (first, rows), *others = by_llm.items()
    shown = [column for column in (*_SCORES, "calls", "seconds") if any(row.values(column) for row in rows.values())]
    titles = list(dict.fromkeys(title for found in by_llm.values() for title in found))
    lines = [["method", "n", *shown, "Δ test", *(f"pool / test with {llm}" for llm, _ in others)]]
    lines.append(["---", *("---:" for _ in lines[0][1:])])
    for title in titles:
        row = rows.get(title, Row(title, {}))
        line = [title, str(len(row.by_seed)), *(_cell(row, column) for column in shown)]
        line.append(_difference(row, rows.get(baseline)))
        line += [_pair(found.get(title)) for _, found in others]
        lines.append(line)
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"Language model: {first}. Δ is to {baseline}.\n\n{table}"


def _cell(row: Row, column: str) -> str:
    values = row.values(column)
    if not values:
        return ""
    if column in {"calls", "seconds"}:
        mark = "*" if row.stored and column == "seconds" else ""
        return f"{statistics.fmean(values):,.0f}{mark}"
    return _spread(values)


def _spread(values: Sequence[float], sign: str = "") -> str:
    mean = f"{statistics.fmean(values):{sign}.1f}"
    return f"{mean} ± {statistics.stdev(values):.1f}" if len(values) > 1 else mean


def _difference(row: Row, baseline: Row | None) -> str:
    if baseline is None or row.title == baseline.title:
        return ""
    pairs = [
        values["test"] - baseline.by_seed[seed]["test"]
        for seed, values in row.by_seed.items()
        if "test" in values and seed in baseline.by_seed
    ]
    return _spread(pairs, "+") if pairs else ""


def _pair(row: Row | None) -> str:
    if row is None:
        return ""
    return " / ".join(_spread(row.values(name)) if row.values(name) else "-" for name in ("pool", "test"))


def _header(selection: Selection, used: Sequence[Record], *, command: str) -> str:
    def seen(name: str) -> str:
        return "; ".join(sorted({str(record[name]) for record in used if record.get(name)}))

    versions = sorted({", ".join(f"{k} {v}" for k, v in record.get("versions", {}).items()) for record in used})
    dates = sorted(record["date"][:10] for record in used if "date" in record)
    span = dates[0] if dates and dates[0] == dates[-1] else " to ".join(dates[:1] + dates[-1:])
    lines = [
        f"`{command}`",
        "",
        f"- machine: {seen('machine')}",
        f"- versions: {'; '.join(filter(None, versions))}",
        f"- source: {seen('commit')}, measured {span}",
        f"- student: {selection.student}; seeds {', '.join(map(str, selection.seeds))}",
    ]
    return "\n".join(lines)
