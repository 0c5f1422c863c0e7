"""The same claims as test_tables.py and test_strangers.py, looked for along the branches of the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SEEDS = {
    "reader": [
        b'\0id,text\n1,"a"\n',
        b"\0sep=;\nid;text\n1;a\n",
        b"\1a\tb\n1\t2\n",
        b'\2{"a": 1}\n',
        b"\0\xff\xfei\0d\0",
    ],
    "spec": [b"description: x\nlabels: [a, b]\n", b"labels: {a: x}\ncsv: {delimiter: tab}\nexamples: [[a, b]]\n"],
    "answers": [b'{"label": "good", "confidence": 0.5}', b"Label: very good", b'{"texts": ["a"]}'],
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", SEEDS)
def test_atheris_finds_nothing_that_falls_over(target, tmp_path):
    """No input that reaches new code ends in anything but a result or an error of ours."""
    pytest.importorskip("atheris", reason="atheris is not installed: pip install atheris")
    for number, seed in enumerate(SEEDS[target]):
        (tmp_path / f"seed-{number}").write_bytes(seed)
    script = Path(__file__).with_name("fuzz.py")
    options = ["-runs=40000", "-max_len=400", f"-artifact_prefix={tmp_path}/found-", str(tmp_path)]
    done = subprocess.run([sys.executable, script, target, *options], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr[-3000:]
