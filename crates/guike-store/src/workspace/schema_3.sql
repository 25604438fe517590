-- Versions whose files were removed. The version stays known: its number is not used again, and decisions name it.
CREATE TABLE removals (
    id         INTEGER PRIMARY KEY,
    version_id INTEGER NOT NULL UNIQUE REFERENCES versions (id),
    -- seconds since 1970
    at         INTEGER NOT NULL,
    -- the newest decision before it
    after_id   INTEGER NOT NULL,
    made_by    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    -- checksum of all of it
    seal       TEXT NOT NULL
) STRICT;
