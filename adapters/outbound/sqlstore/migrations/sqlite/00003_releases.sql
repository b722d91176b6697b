-- +goose Up

CREATE TABLE plugin_release (
    name         TEXT    NOT NULL CHECK (name <> ''),
    version      TEXT    NOT NULL CHECK (version <> ''),
    sha256       TEXT    NOT NULL CHECK (length(sha256) = 64),
    path         TEXT    NOT NULL,
    size         INTEGER NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('installed', 'verified', 'deprecated', 'revoked')),
    installed_at INTEGER NOT NULL,
    installed_by TEXT    NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER plugin_release_identity BEFORE UPDATE ON plugin_release
WHEN NEW.name <> OLD.name OR NEW.version <> OLD.version OR NEW.sha256 <> OLD.sha256 OR NEW.path <> OLD.path
    OR NEW.size <> OLD.size OR NEW.installed_at <> OLD.installed_at OR NEW.installed_by <> OLD.installed_by
BEGIN
    SELECT RAISE(ABORT, 'plugin_release_identity: only the status of a release changes');
END;
-- +goose StatementEnd

CREATE TABLE plugin_channel (
    name       TEXT    NOT NULL PRIMARY KEY CHECK (name <> ''),
    stable     TEXT    NOT NULL,
    previous   TEXT    NOT NULL,
    enabled    INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    generation INTEGER NOT NULL CHECK (generation >= 1),
    updated_at INTEGER NOT NULL,
    updated_by TEXT    NOT NULL,
    reason     TEXT    NOT NULL
) STRICT;
