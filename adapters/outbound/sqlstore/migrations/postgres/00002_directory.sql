-- +goose Up

-- The generation of the directory; every write to the tables below raises it in its transaction.
CREATE TABLE directory_generation (
    only_row   BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    generation BIGINT NOT NULL CHECK (generation >= 0)
);

INSERT INTO directory_generation (only_row, generation) VALUES (1, 0);

CREATE TABLE company (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
    name       TEXT COLLATE "C" NOT NULL,
    suspended  BOOLEAN          NOT NULL,
    on_unknown TEXT COLLATE "C" NOT NULL CHECK (on_unknown IN ('', 'reverse', 'hold', 'review')),
    created_at BIGINT           NOT NULL
);

CREATE TABLE store (
    company_id TEXT COLLATE "C" NOT NULL REFERENCES company (id),
    id         TEXT COLLATE "C" NOT NULL CHECK (id <> ''),
    name       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT           NOT NULL,
    PRIMARY KEY (company_id, id)
);

-- Every revision stays, because payments that are open name the one that they began with.
CREATE TABLE credential (
    id          TEXT COLLATE "C" NOT NULL CHECK (id <> ''),
    revision    BIGINT           NOT NULL CHECK (revision >= 1),
    company_id  TEXT COLLATE "C" NOT NULL REFERENCES company (id),
    -- NULL is the company's own set.
    store_id    TEXT COLLATE "C",
    type        TEXT COLLATE "C" NOT NULL,
    provider    TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL CHECK (environment IN ('live', 'test')),
    account     TEXT COLLATE "C" NOT NULL,
    wire        TEXT COLLATE "C" NOT NULL,
    disabled    BOOLEAN          NOT NULL,
    is_current  BOOLEAN          NOT NULL,
    created_at  BIGINT           NOT NULL,
    updated_at  BIGINT           NOT NULL,
    sealed      BYTEA            NOT NULL,
    PRIMARY KEY (id, revision),
    FOREIGN KEY (company_id, store_id) REFERENCES store (company_id, id)
);

CREATE UNIQUE INDEX credential_current ON credential (company_id, coalesce(store_id, ''), type, environment)
    WHERE is_current;

CREATE TABLE client (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
    company_id   TEXT COLLATE "C" NOT NULL REFERENCES company (id),
    name         TEXT COLLATE "C" NOT NULL,
    secret_hash  TEXT COLLATE "C" NOT NULL,
    scopes       TEXT COLLATE "C" NOT NULL,
    environments TEXT COLLATE "C" NOT NULL,
    disabled     BOOLEAN          NOT NULL,
    created_at   BIGINT           NOT NULL
);
