"""Tables as text: every cell comes in as the characters that stand there, and goes out the same.

Nothing is converted (`007`, `NA`, `1e5` and dates stay what they are), rows keep their order and their line number, and
a row that does not fit the header is refused with its line instead of being shifted.
"""

from freeal.table.column_names import find_column, free_name
from freeal.table.csv_parsing.dialect import DELIMITERS, Dialect
from freeal.table.csv_parsing.dialect_detection import detect_dialect
from freeal.table.csv_writer import Row, TableWriter, write_rows
from freeal.table.table_reader import RowReader, Table, read_table

__all__ = [
    "DELIMITERS",
    "Dialect",
    "Row",
    "RowReader",
    "Table",
    "TableWriter",
    "detect_dialect",
    "find_column",
    "free_name",
    "read_table",
    "write_rows",
]
