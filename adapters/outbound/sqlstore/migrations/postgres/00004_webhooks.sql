-- +goose Up

-- Where companies hear of their payments.
CREATE TABLE webhook_endpoint (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
    company_id     TEXT COLLATE "C" NOT NULL REFERENCES company (id),
    url            TEXT COLLATE "C" NOT NULL CHECK (url <> ''),
    -- Types of events with a space between them, empty for all.
    types          TEXT COLLATE "C" NOT NULL,
    enabled        BOOLEAN          NOT NULL,
    sealed         BYTEA            NOT NULL CHECK (length(sealed) > 0),
    previous       BYTEA,
    previous_until BIGINT,
    version        BIGINT           NOT NULL CHECK (version >= 1),
    created_at     BIGINT           NOT NULL,
    updated_at     BIGINT           NOT NULL
);

-- The place of the journal up to which deliveries were queued.
CREATE TABLE webhook_feed (
    only_row BIGINT           NOT NULL PRIMARY KEY CHECK (only_row = 1),
    fed_tx   BIGINT           NOT NULL,
    fed_row  BIGINT           NOT NULL
);

INSERT INTO webhook_feed (only_row, fed_tx, fed_row) VALUES (1, 0, 0);

CREATE TABLE webhook_delivery (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
    endpoint_id TEXT COLLATE "C" NOT NULL REFERENCES webhook_endpoint (id) ON DELETE CASCADE,
    company_id  TEXT COLLATE "C" NOT NULL,
    payment_id  TEXT COLLATE "C" NOT NULL,
    n           BIGINT           NOT NULL CHECK (n >= 1),
    type        TEXT COLLATE "C" NOT NULL,
    at          BIGINT           NOT NULL,
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('PENDING', 'DELIVERED', 'GIVEN_UP')),
    attempts    BIGINT           NOT NULL CHECK (attempts >= 0),
    since       BIGINT           NOT NULL,
    next_at     BIGINT,
    epoch       BIGINT           NOT NULL CHECK (epoch >= 0),
    status      BIGINT           NOT NULL,
    trouble     TEXT COLLATE "C" NOT NULL,
    ended_at    BIGINT,
    CONSTRAINT webhook_delivery_due CHECK ((next_at IS NOT NULL) = (state = 'PENDING')),
    CONSTRAINT webhook_delivery_ended CHECK ((ended_at IS NULL) = (state = 'PENDING'))
);

-- The order of a payment's events, and what waits behind what.
CREATE UNIQUE INDEX webhook_delivery_order ON webhook_delivery (endpoint_id, payment_id, n);
CREATE INDEX webhook_delivery_next ON webhook_delivery (endpoint_id, next_at) WHERE state = 'PENDING';
CREATE INDEX webhook_delivery_pending ON webhook_delivery (at) WHERE state = 'PENDING';
CREATE INDEX webhook_delivery_given_up ON webhook_delivery (endpoint_id, at) WHERE state = 'GIVEN_UP';
CREATE INDEX webhook_delivery_at ON webhook_delivery (at, id);
CREATE INDEX webhook_delivery_ended_at ON webhook_delivery (ended_at) WHERE ended_at IS NOT NULL;
