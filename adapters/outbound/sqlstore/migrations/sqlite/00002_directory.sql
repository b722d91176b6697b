-- +goose Up

-- The generation of the directory; every write to the tables below raises it in its transaction.
CREATE TABLE directory_generation (
    only_row   INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    generation INTEGER NOT NULL CHECK (generation >= 0)
) STRICT;

INSERT INTO directory_generation (only_row, generation) VALUES (1, 0);

CREATE TABLE company (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    name       TEXT    NOT NULL,
    suspended  INTEGER NOT NULL CHECK (suspended IN (0, 1)),
    on_unknown TEXT    NOT NULL CHECK (on_unknown IN ('', 'reverse', 'hold', 'review')),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE store (
    company_id TEXT    NOT NULL REFERENCES company (id),
    id         TEXT    NOT NULL CHECK (id <> ''),
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (company_id, id)
) STRICT;

-- Every revision stays, because payments that are open name the one that they began with.
CREATE TABLE credential (
    id          TEXT    NOT NULL CHECK (id <> ''),
    revision    INTEGER NOT NULL CHECK (revision >= 1),
    company_id  TEXT    NOT NULL REFERENCES company (id),
    -- NULL is the company's own set.
    store_id    TEXT,
    type        TEXT    NOT NULL,
    provider    TEXT    NOT NULL,
    environment TEXT    NOT NULL CHECK (environment IN ('live', 'test')),
    account     TEXT    NOT NULL,
    wire        TEXT    NOT NULL,
    disabled    INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    is_current  INTEGER NOT NULL CHECK (is_current IN (0, 1)),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    sealed      BLOB    NOT NULL,
    PRIMARY KEY (id, revision),
    FOREIGN KEY (company_id, store_id) REFERENCES store (company_id, id)
) STRICT;

CREATE UNIQUE INDEX credential_current ON credential (company_id, coalesce(store_id, ''), type, environment)
    WHERE is_current = 1;

CREATE TABLE client (
    id           TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    company_id   TEXT    NOT NULL REFERENCES company (id),
    name         TEXT    NOT NULL,
    secret_hash  TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    environments TEXT    NOT NULL,
    disabled     INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    created_at   INTEGER NOT NULL
) STRICT;
