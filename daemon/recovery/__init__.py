"""After a crash or a lost journal: what the folders say was begun goes on."""
