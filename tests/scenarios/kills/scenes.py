"""The stages that are killed: a first run with everything in it, and a later one with something to replace."""

from __future__ import annotations

from pathlib import Path

from stage import Stage

from freeal.testing.server import MessagesServer

SPEC = "description: Is the customer satisfied?\nlabels: [positive, negative]\ntext_columns: [text]\n"
REAL_CALLS = (
    "freeal.student.training.robust_training:RobustTraining._lesson",
    "freeal.student.training.robust_training:RobustTraining._step",
    "freeal.prediction.window_scoring:score",
    "freeal.prediction.prediction_run:PredictionRun.finish",
    "freeal.job.write_output_folder:write",
)
"""Points within a run with torch where no file is touched: between epochs, within one, while rows are predicted."""
CONCURRENCY = 8
"""`llm.concurrency`: calls of a real run that may be under way at a kill."""
_SETTINGS = """\
watch: {{mode: "off", stability_seconds: 0.0, rescan_seconds: 0.2}}
llm: {{provider: anthropic, base_url: "{url}", daily_budget_usd: 5.0}}
student: {{model: {encoder}, mode: {mode}, epochs: 2, batch_size: 4}}
loop: {{iterations: {iterations}, shots: 2, demos_per_class: 2}}
jobs: {{keep_versions: {kept}, min_free_disk_mb: 0}}
log: {{format: json}}
"""


def verdict(text: str) -> str:
    """What the language model says of a text."""
    return "positive" if "good" in text else "negative"


def rows(count: int, *, start: int = 0) -> str:
    """A CSV of texts a bag of words can tell apart."""
    lines = [f"{n},a {'good' if n % 2 else 'bad'} thing number {n}" for n in range(start, start + count)]
    return "\n".join(["id,text", *lines]) + "\n"


def _drop(folder: Path, stem: str, *, csv: str, spec: str) -> None:
    (folder / "inbox" / f"{stem}.csv").write_text(csv)
    (folder / "inbox" / f"{stem}.yaml").write_text(spec)


def _drop_to_predict(folder: Path, name: str, csv: str) -> None:
    (folder / "models" / "reviews" / "predict").mkdir(parents=True, exist_ok=True)
    (folder / "models" / "reviews" / "predict" / name).write_text(csv)


def _settle(
    folder: Path, url: str, *, encoder: str = "minilm", mode: str = "frozen", iterations: int = 1, kept: int = 1
) -> None:
    (folder / "inbox").mkdir(parents=True)
    settings = _SETTINGS.format(url=url, encoder=encoder, mode=mode, iterations=iterations, kept=kept)
    (folder / "freeal.yaml").write_text(settings)


def first(folder: Path, server: MessagesServer, *, kept: int = 1) -> Stage:
    """A pair to train on, one with an unusable spec, and a CSV that waits for the model of the first."""
    _settle(folder, server.base_url, kept=kept)
    _drop(folder, "reviews", csv=rows(4), spec=SPEC)
    _drop(folder, "broken", csv=rows(2, start=50), spec="labels: [positive, negative]\n")
    _drop_to_predict(folder, "new.csv", rows(3, start=100))
    return Stage(folder, server)


def later(folder: Path, server: MessagesServer, *, kept: int = 1) -> Stage:
    """After all that: the same pair again, a new version that takes the old one's place, a second `new.csv`.

    With one version `kept` the same pair is no longer done already if it comes after the new version.
    """
    stage = first(folder, server, kept=kept)
    stage.run()
    _drop(folder, "reviews", csv=rows(4), spec=SPEC)
    _drop(folder, "updated", csv=rows(5, start=10), spec=SPEC + "name: reviews\n")
    _drop_to_predict(folder, "new.csv", rows(2, start=200))
    return stage


def corrected(folder: Path, server: MessagesServer) -> Stage:
    """A model that a person corrects, twice."""
    _settle(folder, server.base_url)
    _drop(folder, "reviews", csv=rows(4), spec=SPEC)
    stage = Stage(folder, server)
    stage.run()
    place = folder / "models" / "reviews" / "corrections"
    for name, label in (("1.csv", "positive"), ("2.csv", "negative")):
        (place / name).write_text(f"text,freeal_corrected\na bad thing number 0,{label}\n")
    return stage


def real(folder: Path, server: MessagesServer, encoder: Path) -> Stage:
    """`python -m daemon --once` with nothing scripted: an encoder is fine-tuned, rows are labelled with it."""
    _settle(folder, server.base_url, encoder=f'"{encoder}"', mode="finetune", iterations=2)
    _drop(folder, "reviews", csv=rows(16), spec=SPEC)
    _drop_to_predict(folder, "new.csv", rows(6, start=100))
    return Stage(folder, server, module="daemon", arguments=("--once",))
