"""Every table of the corpus. The folder must be on the path: `sys.path.insert(0, "tests/corpus")`."""

from __future__ import annotations

import csv_delimiters
import csv_encodings
import csv_forms
import csv_headers
import csv_lines
import csv_quoting
import csv_ragged
import csv_spectrum

CASES = (
    *csv_encodings.CASES,
    *csv_delimiters.CASES,
    *csv_quoting.CASES,
    *csv_lines.CASES,
    *csv_ragged.CASES,
    *csv_headers.CASES,
    *csv_forms.CASES,
    *csv_spectrum.CASES,
)
