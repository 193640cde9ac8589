-- Rounds, attempts, journals and small objects of the anchorer.
-- Times are whole microseconds since 1970-01-01T00:00:00Z. JSON is compact ASCII text.

CREATE TABLE rounds (
    tree_size  INTEGER PRIMARY KEY CHECK (tree_size > 0),
    root_hash  BLOB    NOT NULL CHECK (length(root_hash) = 32),
    checkpoint TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE backends (
    backend_id INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TABLE attempts (
    backend_id   INTEGER NOT NULL REFERENCES backends,
    tree_size    INTEGER NOT NULL REFERENCES rounds,
    phase        TEXT    NOT NULL CHECK (phase IN (
                     'scheduled', 'prepared', 'submitted', 'pending', 'confirmed', 'final', 'failed')),
    data         TEXT    NOT NULL,
    attestations TEXT    NOT NULL,
    retry_at     INTEGER,
    note         TEXT    NOT NULL,
    expected_at  INTEGER,
    failures     INTEGER NOT NULL CHECK (failures >= 0),
    PRIMARY KEY (backend_id, tree_size)
) STRICT;

CREATE INDEX attempts_by_round ON attempts (tree_size);

-- The three questions that are asked for every digest and at every wake-up; each index holds only
-- the rows that can answer it, so that years of finished rounds cost nothing.
CREATE INDEX attempts_final ON attempts (backend_id, tree_size) WHERE phase = 'final';
CREATE INDEX attempts_standing ON attempts (backend_id, tree_size) WHERE phase <> 'failed';
CREATE INDEX attempts_open ON attempts (backend_id, tree_size) WHERE phase NOT IN ('final', 'failed');

CREATE TABLE journals (
    backend_id INTEGER NOT NULL REFERENCES backends,
    key        TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    PRIMARY KEY (backend_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE VIEW attempt_rows AS
    SELECT b.name AS backend,
           r.tree_size, r.root_hash, r.checkpoint, r.created_at,
           a.phase, a.data, a.attestations, a.retry_at, a.note, a.expected_at, a.failures
      FROM backends b
      JOIN attempts a ON a.backend_id = b.backend_id
      JOIN rounds r ON r.tree_size = a.tree_size;

-- For one backend and one leaf the covering round is the least size above the leaf index.
CREATE VIEW final_sizes AS
    SELECT backend_id, tree_size FROM attempts WHERE phase = 'final';
CREATE VIEW standing_sizes AS
    SELECT backend_id, tree_size FROM attempts WHERE phase <> 'failed';
