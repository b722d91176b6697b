-- +goose Up

-- Where companies hear of their payments.
CREATE TABLE webhook_endpoint (
    id             TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    company_id     TEXT    NOT NULL REFERENCES company (id),
    url            TEXT    NOT NULL CHECK (url <> ''),
    -- Types of events with a space between them, empty for all.
    types          TEXT    NOT NULL,
    enabled        INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    sealed         BLOB    NOT NULL CHECK (length(sealed) > 0),
    previous       BLOB,
    previous_until INTEGER,
    version        INTEGER NOT NULL CHECK (version >= 1),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

-- The place of the journal up to which deliveries were queued.
CREATE TABLE webhook_feed (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    fed_tx   INTEGER NOT NULL,
    fed_row  INTEGER NOT NULL
) STRICT;

INSERT INTO webhook_feed (only_row, fed_tx, fed_row) VALUES (1, 0, 0);

CREATE TABLE webhook_delivery (
    id          TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    endpoint_id TEXT    NOT NULL REFERENCES webhook_endpoint (id) ON DELETE CASCADE,
    company_id  TEXT    NOT NULL,
    payment_id  TEXT    NOT NULL,
    n           INTEGER NOT NULL CHECK (n >= 1),
    type        TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('PENDING', 'DELIVERED', 'GIVEN_UP')),
    attempts    INTEGER NOT NULL CHECK (attempts >= 0),
    since       INTEGER NOT NULL,
    next_at     INTEGER,
    epoch       INTEGER NOT NULL CHECK (epoch >= 0),
    status      INTEGER NOT NULL,
    trouble     TEXT    NOT NULL,
    ended_at    INTEGER,
    CONSTRAINT webhook_delivery_due CHECK ((next_at IS NOT NULL) = (state = 'PENDING')),
    CONSTRAINT webhook_delivery_ended CHECK ((ended_at IS NULL) = (state = 'PENDING'))
) STRICT;

-- The order of a payment's events, and what waits behind what.
CREATE UNIQUE INDEX webhook_delivery_order ON webhook_delivery (endpoint_id, payment_id, n);
CREATE INDEX webhook_delivery_next ON webhook_delivery (endpoint_id, next_at) WHERE state = 'PENDING';
CREATE INDEX webhook_delivery_pending ON webhook_delivery (at) WHERE state = 'PENDING';
CREATE INDEX webhook_delivery_given_up ON webhook_delivery (endpoint_id, at) WHERE state = 'GIVEN_UP';
CREATE INDEX webhook_delivery_at ON webhook_delivery (at, id);
CREATE INDEX webhook_delivery_ended_at ON webhook_delivery (ended_at) WHERE ended_at IS NOT NULL;
