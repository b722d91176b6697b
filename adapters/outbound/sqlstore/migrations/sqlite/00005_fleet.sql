-- +goose Up

-- Every new column has a default: the version of the program before this one may still write the rows.
ALTER TABLE plugin_release ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE plugin_release ADD COLUMN signed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE plugin_release ADD COLUMN reported_by TEXT NOT NULL DEFAULT '';

DROP TRIGGER plugin_release_identity;

-- +goose StatementBegin
CREATE TRIGGER plugin_release_identity BEFORE UPDATE ON plugin_release
WHEN NEW.name <> OLD.name OR NEW.version <> OLD.version OR NEW.sha256 <> OLD.sha256 OR NEW.path <> OLD.path
    OR NEW.size <> OLD.size OR NEW.source <> OLD.source OR NEW.signed_by <> OLD.signed_by
    OR NEW.reported_by <> OLD.reported_by OR NEW.installed_at <> OLD.installed_at OR NEW.installed_by <> OLD.installed_by
BEGIN
    SELECT RAISE(ABORT, 'plugin_release_identity: only the status of a release changes');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER plugin_release_revoked BEFORE UPDATE ON plugin_release
WHEN OLD.status = 'revoked' AND NEW.status <> 'revoked'
BEGIN
    SELECT RAISE(ABORT, 'plugin_release_revoked: a revoked release stays revoked');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER plugin_release_forgotten BEFORE DELETE ON plugin_release
WHEN OLD.status = 'revoked'
BEGIN
    SELECT RAISE(ABORT, 'plugin_release_revoked: a revoked release stays revoked');
END;
-- +goose StatementEnd

ALTER TABLE plugin_channel ADD COLUMN candidate TEXT NOT NULL DEFAULT '';
ALTER TABLE plugin_channel ADD COLUMN weight INTEGER NOT NULL DEFAULT 0 CHECK (weight BETWEEN 0 AND 100);
-- A JSON array of store ids.
ALTER TABLE plugin_channel ADD COLUMN stores TEXT NOT NULL DEFAULT '[]';
ALTER TABLE plugin_channel ADD COLUMN phase TEXT NOT NULL DEFAULT 'idle'
    CHECK (phase IN ('idle', 'preparing', 'canary', 'promoting', 'baking', 'rolled_back'));
ALTER TABLE plugin_channel ADD COLUMN goal TEXT NOT NULL DEFAULT '' CHECK (goal IN ('', 'serve', 'canary', 'roll_back'));
ALTER TABLE plugin_channel ADD COLUMN until INTEGER;
-- The phase to which a preparation returns that leads to nothing, and the end of the baking that it interrupted.
ALTER TABLE plugin_channel ADD COLUMN before_phase TEXT NOT NULL DEFAULT ''
    CHECK (before_phase IN ('', 'idle', 'preparing', 'canary', 'promoting', 'baking', 'rolled_back'));
ALTER TABLE plugin_channel ADD COLUMN bakes_until INTEGER;
-- The generation with which the present set of serving releases began.
ALTER TABLE plugin_channel ADD COLUMN since INTEGER NOT NULL DEFAULT 0 CHECK (since >= 0);
-- The entries of the channel's journal and the hash of the last one. What the program before this one saves is no event.
ALTER TABLE plugin_channel ADD COLUMN events INTEGER NOT NULL DEFAULT 0
    CONSTRAINT plugin_channel_events CHECK (events >= 0 AND events <= generation);
ALTER TABLE plugin_channel ADD COLUMN chain BLOB NOT NULL
    DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000' CHECK (length(chain) = 32);

-- +goose StatementBegin
CREATE TRIGGER plugin_channel_generation BEFORE UPDATE ON plugin_channel
WHEN NEW.generation <> OLD.generation + 1 OR NEW.name <> OLD.name
BEGIN
    SELECT RAISE(ABORT, 'plugin_channel_generation: the generation of a channel grows by one');
END;
-- +goose StatementEnd

-- What each process said last about each provider; ready, refused and tallies are JSON.
CREATE TABLE plugin_replica (
    replica    TEXT    NOT NULL CHECK (replica <> ''),
    -- Empty for the sign of life of the process itself.
    name       TEXT    NOT NULL,
    generation INTEGER NOT NULL CHECK (generation >= 0),
    ready      TEXT    NOT NULL,
    refused    TEXT    NOT NULL,
    since      INTEGER NOT NULL CHECK (since >= 0),
    tallies    TEXT    NOT NULL,
    seen_at    INTEGER NOT NULL,
    PRIMARY KEY (replica, name)
) STRICT, WITHOUT ROWID;
