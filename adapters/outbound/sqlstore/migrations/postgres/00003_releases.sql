-- +goose Up

CREATE TABLE plugin_release (
    name         TEXT COLLATE "C" NOT NULL CHECK (name <> ''),
    version      TEXT COLLATE "C" NOT NULL CHECK (version <> ''),
    sha256       TEXT COLLATE "C" NOT NULL CHECK (length(sha256) = 64),
    path         TEXT COLLATE "C" NOT NULL,
    size         BIGINT           NOT NULL,
    status       TEXT COLLATE "C" NOT NULL CHECK (status IN ('installed', 'verified', 'deprecated', 'revoked')),
    installed_at BIGINT           NOT NULL,
    installed_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (name, version)
);

-- +goose StatementBegin
CREATE FUNCTION plugin_release_identity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'plugin_release_identity: only the status of a release changes'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'plugin_release_identity';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER plugin_release_identity BEFORE UPDATE ON plugin_release
    FOR EACH ROW
    WHEN (NEW.name <> OLD.name OR NEW.version <> OLD.version OR NEW.sha256 <> OLD.sha256 OR NEW.path <> OLD.path
    OR NEW.size <> OLD.size OR NEW.installed_at <> OLD.installed_at OR NEW.installed_by <> OLD.installed_by) EXECUTE FUNCTION plugin_release_identity();

CREATE TABLE plugin_channel (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (name <> ''),
    stable     TEXT COLLATE "C" NOT NULL,
    previous   TEXT COLLATE "C" NOT NULL,
    enabled    BOOLEAN          NOT NULL,
    generation BIGINT           NOT NULL CHECK (generation >= 1),
    updated_at BIGINT           NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason     TEXT COLLATE "C" NOT NULL
);
