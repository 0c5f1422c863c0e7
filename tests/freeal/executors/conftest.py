"""A Ray cluster of several node processes, and what its processes are and listen on, for those who have Ray."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from freeal.executors.ray_cluster import LOOPBACK

MOST_STARTS = 3


@contextlib.contextmanager
def running(workers):
    """A cluster of so many nodes with a core each: (where it is, what kills a node of it)."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in (LOOPBACK | {"RAY_AUTH_TOKEN": "t" * 64}).items():
            environment.setenv(name, value)
        process, address = started(workers)

        def kill():
            process.stdin.write("kill\n")
            process.stdin.flush()
            assert "killed\n" == process.stdout.readline()

        with process:
            yield address, kill
            process.stdin.close()


def started(workers):
    """The process of a cluster, and its address. Ray gives a node half a minute to come up and ends otherwise, which a
    busy machine does not make at once: what was loaded for one try is there for the next."""
    command = [sys.executable, "-m", "freeal.testing.ray_nodes", str(workers)]
    for _ in range(MOST_STARTS):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if address := process.stdout.readline().strip():
            return process, address
        process.communicate()
    pytest.fail(f"no Ray cluster came up in {MOST_STARTS} tries: see what it wrote to stderr")


@pytest.fixture
def cluster():
    """`with cluster(workers) as (address, kill)`: one to be harmed."""
    return running


@pytest.fixture(scope="session")
def two_workers():
    """The address of one cluster for all who leave it as it is: to start it takes longer than what they ask of it."""
    with running(workers=2) as (address, _):
        yield address


@pytest.fixture
def of_clusters():
    """Gives the numbers of the processes of clusters of our own."""

    def found():
        numbers = set()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if b"freeal-ray-" in (folder / "cmdline").read_bytes():
                    numbers.add(folder.name)
        return numbers

    return found


@pytest.fixture
def listening():
    """Gives the addresses in /proc/net/tcp and tcp6 in state LISTEN, as hexadecimal HOST:PORT."""

    def found():
        addresses = set()
        for name in ("tcp", "tcp6"):
            lines = Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()
            rows = [line.split() for line in lines[1:]]
            addresses |= {row[1] for row in rows if row[3] == "0A"}
        return addresses

    return found


@pytest.fixture
def beyond_loopback():
    """Gives those of such addresses that another machine can reach."""
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    return lambda addresses: {one for one in addresses if one.rpartition(":")[0] not in loopback}
