"""What language model servers send back, read: a reader per dialect, thoughts told from answers, errors in any form."""
