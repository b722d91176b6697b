-- +goose Up

-- Every new column has a default: the version of the program before this one may still write the rows.
ALTER TABLE plugin_release
    ADD COLUMN source      TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN signed_by   TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN reported_by TEXT COLLATE "C" NOT NULL DEFAULT '';

DROP TRIGGER plugin_release_identity ON plugin_release;

CREATE TRIGGER plugin_release_identity BEFORE UPDATE ON plugin_release
    FOR EACH ROW
    WHEN (NEW.name <> OLD.name OR NEW.version <> OLD.version OR NEW.sha256 <> OLD.sha256 OR NEW.path <> OLD.path
    OR NEW.size <> OLD.size OR NEW.source <> OLD.source OR NEW.signed_by <> OLD.signed_by
    OR NEW.reported_by <> OLD.reported_by OR NEW.installed_at <> OLD.installed_at
    OR NEW.installed_by <> OLD.installed_by) EXECUTE FUNCTION plugin_release_identity();

-- +goose StatementBegin
CREATE FUNCTION plugin_release_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'plugin_release_revoked: a revoked release stays revoked'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'plugin_release_revoked';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER plugin_release_revoked BEFORE UPDATE ON plugin_release
    FOR EACH ROW WHEN (OLD.status = 'revoked' AND NEW.status <> 'revoked') EXECUTE FUNCTION plugin_release_revoked();

CREATE TRIGGER plugin_release_forgotten BEFORE DELETE ON plugin_release
    FOR EACH ROW WHEN (OLD.status = 'revoked') EXECUTE FUNCTION plugin_release_revoked();

ALTER TABLE plugin_channel
    ADD COLUMN candidate TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN weight    BIGINT           NOT NULL DEFAULT 0 CHECK (weight BETWEEN 0 AND 100),
    -- A JSON array of store ids.
    ADD COLUMN stores    TEXT COLLATE "C" NOT NULL DEFAULT '[]',
    ADD COLUMN phase     TEXT COLLATE "C" NOT NULL DEFAULT 'idle'
        CHECK (phase IN ('idle', 'preparing', 'canary', 'promoting', 'baking', 'rolled_back')),
    ADD COLUMN goal      TEXT COLLATE "C" NOT NULL DEFAULT '' CHECK (goal IN ('', 'serve', 'canary', 'roll_back')),
    ADD COLUMN until     BIGINT,
    -- The phase to which a preparation returns that leads to nothing, and the end of the baking that it interrupted.
    ADD COLUMN before_phase TEXT COLLATE "C" NOT NULL DEFAULT ''
        CHECK (before_phase IN ('', 'idle', 'preparing', 'canary', 'promoting', 'baking', 'rolled_back')),
    ADD COLUMN bakes_until  BIGINT,
    -- The generation with which the present set of serving releases began.
    ADD COLUMN since     BIGINT           NOT NULL DEFAULT 0 CHECK (since >= 0),
    -- The entries of the channel's journal and the hash of the last one. What the program before this one saves is no event.
    ADD COLUMN events    BIGINT           NOT NULL DEFAULT 0
        CONSTRAINT plugin_channel_events CHECK (events >= 0 AND events <= generation),
    ADD COLUMN chain     BYTEA            NOT NULL
        DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000' CHECK (length(chain) = 32);

-- +goose StatementBegin
CREATE FUNCTION plugin_channel_generation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'plugin_channel_generation: the generation of a channel grows by one'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'plugin_channel_generation';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER plugin_channel_generation BEFORE UPDATE ON plugin_channel
    FOR EACH ROW
    WHEN (NEW.generation <> OLD.generation + 1 OR NEW.name <> OLD.name) EXECUTE FUNCTION plugin_channel_generation();

-- What each process said last about each provider; ready, refused and tallies are JSON.
CREATE TABLE plugin_replica (
    replica    TEXT COLLATE "C" NOT NULL CHECK (replica <> ''),
    -- Empty for the sign of life of the process itself.
    name       TEXT COLLATE "C" NOT NULL,
    generation BIGINT           NOT NULL CHECK (generation >= 0),
    ready      TEXT COLLATE "C" NOT NULL,
    refused    TEXT COLLATE "C" NOT NULL,
    since      BIGINT           NOT NULL CHECK (since >= 0),
    tallies    TEXT COLLATE "C" NOT NULL,
    seen_at    BIGINT           NOT NULL,
    PRIMARY KEY (replica, name)
);
