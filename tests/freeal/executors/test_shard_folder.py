"""Shards on the disk: cut once, named after their content."""

from __future__ import annotations

import pyarrow as pa
import pytest

from freeal.errors import InputError
from freeal.executors.shard_folder import ShardFolder, decoded, encoded_shard


def _tables(*sizes):
    first = 0
    for size in sizes:
        yield pa.table({"row_id": pa.array(range(first, first + size), pa.int64())})
        first += size


def test_the_same_rows_have_the_same_names(tmp_path):
    """Cut again, what is there already is not written again."""
    first = ShardFolder.write(tmp_path, _tables(3, 2), origin="a")
    times = [(tmp_path / name).stat().st_mtime_ns for name in first.names]
    assert first.names == ShardFolder.write(tmp_path, _tables(3, 2), origin="a").names
    assert times == [(tmp_path / name).stat().st_mtime_ns for name in first.names]


def test_shards_of_another_origin_are_not_taken_for_these(tmp_path):
    """Another table, or other columns of it, is cut anew; what was there goes."""
    ShardFolder.write(tmp_path, _tables(3), origin="a")
    assert ShardFolder.opened(tmp_path, origin="b") is None
    second = ShardFolder.write(tmp_path, _tables(4), origin="b")
    assert {*second.names, "shards.json"} == {path.name for path in tmp_path.iterdir()}


def test_what_was_cut_is_found_again(tmp_path):
    """Number of rows, order and note are kept."""
    ShardFolder.write(tmp_path, _tables(3, 2), origin="a", note={"header": ["x"]})
    found = ShardFolder.opened(tmp_path, origin="a")
    assert (5, 2, {"header": ["x"]}) == (found.rows, len(found.names), found.note)
    assert [3, 4] == found.table(found.names[1]).column("row_id").to_pylist()


def test_half_cut_is_not_cut(tmp_path):
    """Without the file that names all shards, or without one of them, there is nothing to go on with."""
    shards = ShardFolder.write(tmp_path, _tables(3, 2), origin="a")
    (tmp_path / shards.names[1]).unlink()
    assert ShardFolder.opened(tmp_path, origin="a") is None


def test_a_damaged_shard_is_named(tmp_path):
    """The error says which file, and what to do."""
    shards = ShardFolder.write(tmp_path, _tables(3), origin="a")
    (tmp_path / shards.names[0]).write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"shard-000000-.*cannot be read.*delete"):
        shards.table(shards.names[0])


def test_encoded_tables_are_equal_byte_for_byte():
    """Chunks within a column do not show."""
    table = next(_tables(4))
    parts = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    assert encoded_shard(table) == encoded_shard(parts)
    assert table == decoded(encoded_shard(parts))
