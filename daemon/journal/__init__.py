"""What was begun and what is finished, in SQLite: records of jobs and predictions, their ids, their work folders."""
