-- Filters of customers that were saved under a name.
CREATE TABLE audiences (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    -- as the address of a page says it
    filter  TEXT NOT NULL,
    -- seconds since 1970
    created INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    -- checksum of all of it
    seal    TEXT NOT NULL
) STRICT;
