"""Tables as text: every cell comes in as the characters that stand there, and goes out the same.

Nothing is converted (`007`, `NA`, `1e5` and dates stay what they are), rows keep their order and their line number, and
a row that does not fit the header is refused with its line instead of being shifted.
"""

from freeal.table.csvrows import detect
from freeal.table.dialect import DELIMITERS, Dialect
from freeal.table.header import find_column, free_name
from freeal.table.reader import RowReader, Table, read_table
from freeal.table.writer import Row, TableWriter, write_rows

__all__ = [
    "DELIMITERS",
    "Dialect",
    "Row",
    "RowReader",
    "Table",
    "TableWriter",
    "detect",
    "find_column",
    "free_name",
    "read_table",
    "write_rows",
]
