-- Keys are the UTF-8 of their text, so that SQLite compares them byte by byte and a prefix is a
-- range. The last revision stands apart: a deletion must not let one come twice.
CREATE TABLE entries (
    key BLOB NOT NULL PRIMARY KEY,
    value BLOB NOT NULL,
    revision INTEGER NOT NULL
);
CREATE TABLE last (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
);
INSERT INTO last VALUES (1, 0);
