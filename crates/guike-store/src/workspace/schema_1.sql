-- A name belongs to one kind for ever.
CREATE TABLE names (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('table', 'orders'))
) STRICT;

-- A version and its files never change; only its stage does.
CREATE TABLE versions (
    id       INTEGER PRIMARY KEY,
    name_id  INTEGER NOT NULL REFERENCES names (id),
    number   INTEGER NOT NULL CHECK (number > 0),
    stage    TEXT NOT NULL CHECK (stage IN ('candidate', 'champion', 'archived')),
    -- below the workspace, with / between its parts
    folder   TEXT NOT NULL UNIQUE,
    -- seconds since 1970
    created  INTEGER NOT NULL,
    -- of its files together
    checksum TEXT NOT NULL,
    -- fingerprint of what it was learned from
    data     TEXT NOT NULL,
    -- number of the champion when it was registered
    follows  INTEGER,
    -- JSON
    card     TEXT NOT NULL,
    metrics  TEXT NOT NULL,
    lineage  TEXT NOT NULL,
    -- checksum of all of it but the stage
    seal     TEXT NOT NULL,
    UNIQUE (name_id, number)
) STRICT;

CREATE UNIQUE INDEX one_champion ON versions (name_id) WHERE stage = 'champion';

CREATE TABLE files (
    version_id INTEGER NOT NULL REFERENCES versions (id),
    path       TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    checksum   TEXT NOT NULL,
    PRIMARY KEY (version_id, path)
) STRICT, WITHOUT ROWID;

-- Everything that changed a stage. `parent_id` is the decision to which a rollback returns.
CREATE TABLE decisions (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    name_id    INTEGER NOT NULL REFERENCES names (id),
    action     TEXT NOT NULL CHECK (action IN ('first', 'promote', 'rollback', 'archive')),
    version_id INTEGER NOT NULL REFERENCES versions (id),
    before_id  INTEGER REFERENCES versions (id),
    parent_id  INTEGER REFERENCES decisions (id),
    made_by    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    forced     INTEGER NOT NULL CHECK (forced IN (0, 1)),
    -- JSON
    figures    TEXT NOT NULL,
    -- checksum of all of it
    seal       TEXT NOT NULL
) STRICT;

CREATE INDEX decisions_of_a_name ON decisions (name_id, id);
