-- Each index of the journal is a page more to write with every entry, and in a storm of boots entries are most of what is written. Entries of a
-- build are found by its host, whose index they share; one index by time serves both reading and pruning.
DROP INDEX journal_build;
DROP INDEX journal_evidence;
DROP INDEX journal_at;
CREATE INDEX journal_when ON journal (patched, at);
