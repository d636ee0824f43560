-- Ledgers: append-only lists of a tenant, outside any stack. `kind` says what they are about.
CREATE TABLE ledgers (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (kind, tenant, name)
) STRICT;

-- Their records; `ledger` is `ledgers.id`. The body is sealed and check-summed by the engine.
CREATE TABLE ledger_records (
    ledger INTEGER NOT NULL REFERENCES ledgers (id),
    seq INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (ledger, seq)
) STRICT, WITHOUT ROWID;
