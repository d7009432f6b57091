-- A store of form 1, as it was written then. It is not to be changed.
BEGIN TRANSACTION;
CREATE TABLE entries (
    key BLOB NOT NULL PRIMARY KEY,
    value BLOB NOT NULL,
    revision INTEGER NOT NULL
);
INSERT INTO "entries" VALUES(X'6E6F6465732F7731',X'7B7D',1);
INSERT INTO "entries" VALUES(X'C3A4',X'',1);
INSERT INTO "entries" VALUES(X'61',X'00FF',3);
CREATE TABLE last (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
);
INSERT INTO "last" VALUES(1,3);
COMMIT;
PRAGMA user_version = 1;
