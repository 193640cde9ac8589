-- When the log was seen with at least so many leaves: bookkeeping for the age of a digest that no
-- backend has stamped yet.

CREATE TABLE commits (
    tree_size    INTEGER PRIMARY KEY CHECK (tree_size > 0),
    committed_at INTEGER NOT NULL
) STRICT;
