-- Ids of stacks, runs and objects are 16 bytes; moments are milliseconds since the Unix epoch.

-- The newest fencing token, over all stacks: it outlives leases and stacks.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counters (name, value) VALUES ('token', 0);

-- A stack, or merely a lease on one: without a lineage nothing was committed yet.
CREATE TABLE stacks (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    lineage BLOB,
    serial INTEGER NOT NULL DEFAULT 0,
    body BLOB,
    token INTEGER,
    holder TEXT,
    expires INTEGER,
    UNIQUE (tenant, name)
) STRICT;

-- Rows of state. The body is sealed and check-summed by the engine.
CREATE TABLE objects (
    stack INTEGER NOT NULL REFERENCES stacks (id),
    object BLOB NOT NULL,
    address TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (stack, object)
) STRICT;

-- Runs, in the order in which they were added.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    run BLOB NOT NULL UNIQUE,
    stack INTEGER NOT NULL REFERENCES stacks (id),
    status TEXT NOT NULL,
    started INTEGER NOT NULL,
    finished INTEGER,
    body BLOB NOT NULL
) STRICT;

CREATE INDEX runs_of_stack ON runs (stack, id);

-- Plan segments of runs; `run` is `runs.id`.
CREATE TABLE segments (
    run INTEGER NOT NULL REFERENCES runs (id),
    number INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (run, number)
) STRICT;

-- Journals of runs; `run` is `runs.id`.
CREATE TABLE entries (
    run INTEGER NOT NULL REFERENCES runs (id),
    seq INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
