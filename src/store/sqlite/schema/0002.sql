-- Rules are settings too. SQLite cannot change a CHECK, so the table is made anew.
CREATE TABLE settings_new (
  noun TEXT NOT NULL CHECK (noun IN ('global', 'network', 'profile', 'rule', 'token')),
  name TEXT NOT NULL,
  json TEXT NOT NULL,
  PRIMARY KEY (noun, name)
) STRICT, WITHOUT ROWID;
INSERT INTO settings_new (noun, name, json) SELECT noun, name, json FROM settings;
DROP TABLE settings;
ALTER TABLE settings_new RENAME TO settings;
