-- The first shape. A host is one JSON document; what must be unique or be found stands beside it.
PRAGMA application_id = 0x42777247;

CREATE TABLE hosts (
  id      BLOB PRIMARY KEY,
  version INTEGER NOT NULL,
  json    TEXT NOT NULL
) STRICT;

-- Names, MACs and UUIDs: each belongs to one host.
CREATE TABLE keys (
  kind  TEXT NOT NULL CHECK (kind IN ('name', 'mac', 'uuid')),
  value TEXT NOT NULL,
  host  BLOB NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
  PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_host ON keys (host);

-- Every build that ever was, also of deleted hosts: no reference to hosts.
CREATE TABLE builds (
  id         BLOB PRIMARY KEY,
  host       BLOB NOT NULL,
  token_hash TEXT NOT NULL,
  opened_at  INTEGER NOT NULL,
  json       TEXT NOT NULL
) STRICT;
CREATE INDEX builds_host ON builds (host, opened_at);
CREATE INDEX builds_token ON builds (token_hash);

CREATE TABLE settings (
  noun TEXT NOT NULL CHECK (noun IN ('global', 'network', 'profile', 'token')),
  name TEXT NOT NULL,
  json TEXT NOT NULL,
  PRIMARY KEY (noun, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
  network     TEXT NOT NULL,
  address     INTEGER NOT NULL,
  mac         TEXT NOT NULL,
  state       TEXT NOT NULL,
  expires     TEXT NOT NULL,
  client_name TEXT,
  PRIMARY KEY (network, address)
) STRICT, WITHOUT ROWID;

CREATE TABLE bodies (
  sha256 TEXT PRIMARY KEY,
  bytes  BLOB NOT NULL
) STRICT;

-- `json` is the whole entry; the columns beside it are there to find it. `at` in microseconds since 1970.
CREATE TABLE journal (
  seq     INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  host    BLOB,
  build   BLOB,
  kind    TEXT NOT NULL,
  patched INTEGER NOT NULL,
  json    TEXT NOT NULL
) STRICT;
CREATE INDEX journal_host ON journal (host, seq) WHERE host IS NOT NULL;
CREATE INDEX journal_build ON journal (build, seq) WHERE build IS NOT NULL;
CREATE INDEX journal_kind ON journal (kind, seq);
CREATE INDEX journal_at ON journal (at);
CREATE INDEX journal_evidence ON journal (at) WHERE patched = 0;
