"""A Ray cluster of several node processes on this machine, for tests: `python -m freeal.testing.ray_nodes WORKERS`.

The first line of stdout is its address. Each line of stdin kills a worker node; the end of stdin ends the cluster. The
environment must hold RAY_AUTH_TOKEN: whoever joins needs the same.
"""

from __future__ import annotations

import os
import sys

from freeal.executors.ray_cluster import LOOPBACK


def main() -> int:
    """Run until stdin ends."""
    os.environ.update(LOOPBACK)
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 100_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    workers = [cluster.add_node(num_cpus=1, object_store_memory=100_000_000) for _ in range(int(sys.argv[1]))]
    print(cluster.address, flush=True)  # noqa: T201 - asked for
    for _ in sys.stdin:
        cluster.remove_node(workers.pop(), allow_graceful=False)
        print("killed", flush=True)  # noqa: T201 - asked for
    cluster.shutdown()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
