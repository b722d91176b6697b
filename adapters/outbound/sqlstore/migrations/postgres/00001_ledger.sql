-- +goose Up

-- The allowed changes of a payment's state. payment.Transitions in core/payment is the source; a test holds
-- the two against each other. Later migrations add rows, the triggers stay.
CREATE TABLE payment_transition (
    from_state TEXT COLLATE "C" NOT NULL,
    to_state   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (from_state, to_state)
);

INSERT INTO payment_transition (from_state, to_state) VALUES
    ('SENDING', 'SUCCEEDED'),
    ('SENDING', 'AUTHORIZED'),
    ('SENDING', 'REQUIRES_ACTION'),
    ('SENDING', 'FAILED'),
    ('SENDING', 'UNKNOWN'),
    ('SENDING', 'MISMATCH'),
    ('SENDING', 'REVERSING'),
    ('UNKNOWN', 'UNKNOWN'),
    ('UNKNOWN', 'SUCCEEDED'),
    ('UNKNOWN', 'AUTHORIZED'),
    ('UNKNOWN', 'FAILED'),
    ('UNKNOWN', 'MISMATCH'),
    ('UNKNOWN', 'REVERSING'),
    ('UNKNOWN', 'REVIEW'),
    ('REQUIRES_ACTION', 'REQUIRES_ACTION'),
    ('REQUIRES_ACTION', 'SENDING'),
    ('REQUIRES_ACTION', 'EXPIRED'),
    ('REQUIRES_ACTION', 'FAILED'),
    ('REQUIRES_ACTION', 'REVERSING'),
    ('AUTHORIZED', 'AUTHORIZED'),
    ('AUTHORIZED', 'CAPTURING'),
    ('AUTHORIZED', 'VOIDING'),
    ('AUTHORIZED', 'EXPIRED'),
    ('CAPTURING', 'CAPTURING'),
    ('CAPTURING', 'SUCCEEDED'),
    ('CAPTURING', 'AUTHORIZED'),
    ('CAPTURING', 'FAILED'),
    ('CAPTURING', 'REVERSED'),
    ('CAPTURING', 'MISMATCH'),
    ('CAPTURING', 'REVIEW'),
    ('VOIDING', 'VOIDING'),
    ('VOIDING', 'VOIDED'),
    ('VOIDING', 'AUTHORIZED'),
    ('VOIDING', 'SUCCEEDED'),
    ('VOIDING', 'REVIEW'),
    ('SUCCEEDED', 'REFUNDING'),
    ('SUCCEEDED', 'VOIDING'),
    ('PARTIALLY_REFUNDED', 'REFUNDING'),
    ('REFUNDING', 'REFUNDING'),
    ('REFUNDING', 'REFUNDED'),
    ('REFUNDING', 'PARTIALLY_REFUNDED'),
    ('REFUNDING', 'SUCCEEDED'),
    ('REFUNDING', 'REVIEW'),
    ('MISMATCH', 'MISMATCH'),
    ('MISMATCH', 'REVERSING'),
    ('MISMATCH', 'REVIEW'),
    ('REVERSING', 'REVERSING'),
    ('REVERSING', 'REVERSED'),
    ('REVERSING', 'FAILED'),
    ('REVERSING', 'REVIEW'),
    ('FAILED', 'SENDING'),
    ('FAILED', 'REVERSING'),
    ('REVIEW', 'SUCCEEDED'),
    ('REVIEW', 'AUTHORIZED'),
    ('REVIEW', 'FAILED'),
    ('REVIEW', 'REVERSED'),
    ('REVIEW', 'VOIDED'),
    ('REVIEW', 'REFUNDED'),
    ('REVIEW', 'PARTIALLY_REFUNDED'),
    ('REVIEW', 'EXPIRED');

CREATE TABLE payment (
    id                   TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
    company_id           TEXT COLLATE "C" NOT NULL CHECK (company_id <> ''),
    environment          TEXT COLLATE "C" NOT NULL CHECK (environment IN ('live', 'test')),
    store                TEXT COLLATE "C" NOT NULL,
    type                 TEXT COLLATE "C" NOT NULL,
    provider             TEXT COLLATE "C" NOT NULL,
    account              TEXT COLLATE "C" NOT NULL,
    wire                 TEXT COLLATE "C" NOT NULL,
    order_number         TEXT COLLATE "C" NOT NULL CHECK (order_number <> ''),
    -- The payments of the order number that were sent, this one included.
    attempt              BIGINT           NOT NULL CHECK (attempt >= 1),
    currency             TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    amount               BIGINT           NOT NULL CHECK (amount > 0),
    capture              BOOLEAN          NOT NULL,
    authorized           BIGINT           NOT NULL,
    captured             BIGINT           NOT NULL,
    refunded             BIGINT           NOT NULL CHECK (refunded >= 0),
    refund_reserved      BIGINT           NOT NULL CHECK (refund_reserved >= 0),
    state                TEXT COLLATE "C" NOT NULL,
    failure              TEXT COLLATE "C" NOT NULL,
    -- Whether the payment holds its order number. Only a late orphan charge that is given back may be open
    -- without holding it, because another payment may have the number by then.
    live                 BOOLEAN          NOT NULL,
    code                 TEXT COLLATE "C" NOT NULL,
    decline_code         TEXT COLLATE "C" NOT NULL,
    provider_transaction TEXT COLLATE "C" CHECK (provider_transaction <> ''),
    authorization_ends   BIGINT,
    return_url           TEXT COLLATE "C" NOT NULL,
    cancel_url           TEXT COLLATE "C" NOT NULL,
    mandate              TEXT COLLATE "C" NOT NULL,
    credential_ref       TEXT COLLATE "C" NOT NULL,
    plugin_release       TEXT COLLATE "C" NOT NULL,
    version              BIGINT           NOT NULL CHECK (version >= 1),
    chain                BYTEA            NOT NULL CHECK (length(chain) = 32),
    -- Times are microseconds since 1970, UTC.
    created_at           BIGINT           NOT NULL,
    updated_at           BIGINT           NOT NULL,
    CONSTRAINT payment_captured_authorized CHECK (captured <= authorized),
    CONSTRAINT payment_refunded_captured CHECK (refund_reserved <= captured - refunded),
    CONSTRAINT payment_sending_is_live CHECK (live OR state <> 'SENDING'),
    CONSTRAINT payment_ended_is_not_live CHECK (NOT live OR state NOT IN ('FAILED', 'REVERSED', 'VOIDED', 'EXPIRED'))
);

-- One live charge per order number: a second one would be a second charge.
CREATE UNIQUE INDEX payment_live_order ON payment (company_id, environment, provider, account, order_number)
    WHERE live;
-- One payment per charge of the provider.
CREATE UNIQUE INDEX payment_provider_transaction ON payment (environment, provider, account, provider_transaction)
    WHERE provider_transaction IS NOT NULL;
CREATE INDEX payment_created ON payment (company_id, created_at, id);
CREATE INDEX payment_order ON payment (company_id, order_number, created_at, id);
CREATE INDEX payment_store ON payment (company_id, store, created_at, id);
CREATE INDEX payment_type ON payment (company_id, type, created_at, id);
CREATE INDEX payment_state ON payment (company_id, state, created_at, id) WHERE state <> 'SUCCEEDED';

-- +goose StatementBegin
CREATE FUNCTION payment_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'payment_begins: a payment begins as SENDING with version 1'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_begins';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER payment_begins BEFORE INSERT ON payment
    FOR EACH ROW
    WHEN (NEW.state <> 'SENDING' OR NEW.version <> 1) EXECUTE FUNCTION payment_begins();

-- +goose StatementBegin
CREATE FUNCTION payment_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM payment_transition WHERE from_state = OLD.state AND to_state = NEW.state) THEN
        RAISE EXCEPTION 'payment_moves: the state machine has no such change'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_moves';
    END IF;
    RETURN NEW;
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER payment_moves BEFORE UPDATE ON payment
    FOR EACH ROW EXECUTE FUNCTION payment_moves();

-- +goose StatementBegin
CREATE FUNCTION payment_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'payment_version: the version grows by one'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_version';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER payment_version BEFORE UPDATE ON payment
    FOR EACH ROW
    WHEN (NEW.version <> OLD.version + 1) EXECUTE FUNCTION payment_version();

-- +goose StatementBegin
CREATE FUNCTION payment_identity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'payment_identity: what a payment is does not change'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_identity';
END;
$$;
-- +goose StatementEnd

-- Looked at only when a statement names what never changes.
CREATE TRIGGER payment_identity BEFORE UPDATE OF id, company_id, environment, store, type, provider, account, wire,
    order_number, attempt, currency, amount, capture, return_url, cancel_url, created_at ON payment
    FOR EACH ROW
    WHEN (NEW.id <> OLD.id OR NEW.company_id <> OLD.company_id OR NEW.environment <> OLD.environment
    OR NEW.store <> OLD.store OR NEW.type <> OLD.type OR NEW.provider <> OLD.provider
    OR NEW.account <> OLD.account OR NEW.wire <> OLD.wire OR NEW.order_number <> OLD.order_number
    OR NEW.attempt <> OLD.attempt OR NEW.currency <> OLD.currency OR NEW.amount <> OLD.amount
    OR NEW.capture <> OLD.capture OR NEW.return_url <> OLD.return_url OR NEW.cancel_url <> OLD.cancel_url
    OR NEW.created_at <> OLD.created_at) EXECUTE FUNCTION payment_identity();

CREATE TABLE operation (
    payment_id           TEXT COLLATE "C" NOT NULL REFERENCES payment (id),
    id                   TEXT COLLATE "C" NOT NULL CHECK (id <> ''),
    -- The payment's version that began the operation; it orders the operations of a payment.
    seq                  BIGINT           NOT NULL,
    kind                 TEXT COLLATE "C" NOT NULL CHECK (kind IN ('pay', 'confirm', 'capture', 'void', 'refund')),
    state                TEXT COLLATE "C" NOT NULL CHECK (state IN ('SENDING', 'UNKNOWN', 'SUCCEEDED', 'FAILED')),
    failure              TEXT COLLATE "C" NOT NULL,
    currency             TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    amount               BIGINT           NOT NULL CHECK (amount > 0),
    order_id             TEXT COLLATE "C" NOT NULL,
    request_id           TEXT COLLATE "C" NOT NULL,
    reversal             BOOLEAN          NOT NULL,
    -- Counts the operations that try to give one charge back.
    attempt              BIGINT           NOT NULL CHECK (attempt >= 0),
    retry_of             TEXT             NOT NULL DEFAULT '',
    provider_transaction TEXT COLLATE "C" CHECK (provider_transaction <> ''),
    refund_ids_seen      TEXT COLLATE "C" NOT NULL,
    epoch                BIGINT           NOT NULL CHECK (epoch >= 1),
    owner_boot           TEXT COLLATE "C" NOT NULL,
    send_deadline        BIGINT,
    next_check_at        BIGINT,
    checks               BIGINT           NOT NULL CHECK (checks >= 0),
    watched_ms           BIGINT           NOT NULL CHECK (watched_ms >= 0),
    absences             BIGINT           NOT NULL CHECK (absences >= 0),
    absent_ms            BIGINT           NOT NULL CHECK (absent_ms >= 0),
    code                 TEXT COLLATE "C" NOT NULL,
    decline_code         TEXT COLLATE "C" NOT NULL,
    plugin_release       TEXT COLLATE "C" NOT NULL,
    trace_id             TEXT COLLATE "C" NOT NULL,
    -- Environment, provider and account in one word: how fast recovery asks is bounded for each.
    lane                 TEXT COLLATE "C" NOT NULL,
    -- The last claim of recovery, and how long it lasts if nothing is recorded before; then it is NULL.
    claimed_at           BIGINT,
    claimed_until        BIGINT,
    sealed_credential    BYTEA,
    sealed_reply         BYTEA,
    created_at           BIGINT           NOT NULL,
    updated_at           BIGINT           NOT NULL,
    PRIMARY KEY (payment_id, id),
    CONSTRAINT operation_absent_watched CHECK (absent_ms <= watched_ms),
    CONSTRAINT operation_attempts_reverse CHECK (attempt = 0 OR reversal)
);

CREATE UNIQUE INDEX operation_one_open ON operation (payment_id) WHERE state IN ('SENDING', 'UNKNOWN');
CREATE UNIQUE INDEX operation_refund ON operation (payment_id, provider_transaction)
    WHERE kind = 'refund' AND provider_transaction IS NOT NULL;
-- What is on its way, by the process life that sent it. It is due by its deadline and not in the index below, so that
-- each operation enters one of the two at a time.
CREATE INDEX operation_sending ON operation (owner_boot) WHERE state = 'SENDING';
CREATE INDEX operation_due ON operation (next_check_at, lane, payment_id)
    WHERE next_check_at IS NOT NULL AND state <> 'SENDING';
-- What a process life claimed and has not finished: when it dies, it is due at once.
CREATE INDEX operation_claimed ON operation (owner_boot) WHERE claimed_until IS NOT NULL;

-- +goose StatementBegin
CREATE FUNCTION operation_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'operation_begins: an operation begins as SENDING'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_begins';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER operation_begins BEFORE INSERT ON operation
    FOR EACH ROW
    WHEN (NEW.state <> 'SENDING') EXECUTE FUNCTION operation_begins();

-- +goose StatementBegin
CREATE FUNCTION operation_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'operation_moves: an operation is sent once, closed once, and its epoch never falls'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_moves';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER operation_moves BEFORE UPDATE ON operation
    FOR EACH ROW
    WHEN ((NEW.state = 'SENDING' AND OLD.state <> 'SENDING')
    OR (OLD.state IN ('SUCCEEDED', 'FAILED') AND NEW.state IN ('SENDING', 'UNKNOWN'))
    OR NEW.epoch < OLD.epoch) EXECUTE FUNCTION operation_moves();

-- +goose StatementBegin
CREATE FUNCTION operation_identity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'operation_identity: what an operation does is fixed before it is sent'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_identity';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER operation_identity BEFORE UPDATE OF payment_id, id, seq, kind, currency, amount, order_id, reversal,
    attempt, lane, created_at ON operation
    FOR EACH ROW
    WHEN (NEW.payment_id <> OLD.payment_id OR NEW.id <> OLD.id OR NEW.seq <> OLD.seq OR NEW.kind <> OLD.kind
    OR NEW.currency <> OLD.currency OR NEW.amount <> OLD.amount OR NEW.order_id <> OLD.order_id
    OR NEW.reversal <> OLD.reversal OR NEW.attempt <> OLD.attempt OR NEW.lane <> OLD.lane
    OR NEW.retry_of <> OLD.retry_of
    OR NEW.created_at <> OLD.created_at) EXECUTE FUNCTION operation_identity();

-- Keys of requests, in monthly generations: a random key that is unique for ever would have to be looked up
-- in an index of all time with every payment. A retention job drops old months; the order number guards the
-- money without them.
CREATE TABLE claim (
    month        BIGINT           NOT NULL,
    company_id   TEXT COLLATE "C" NOT NULL,
    environment  TEXT COLLATE "C" NOT NULL,
    scope        TEXT COLLATE "C" NOT NULL CHECK (scope IN ('header', 'request')),
    key_hash     BYTEA            NOT NULL CHECK (length(key_hash) = 32),
    fingerprint  BYTEA            NOT NULL CHECK (length(fingerprint) = 32),
    payment_id   TEXT COLLATE "C" NOT NULL,
    operation_id TEXT COLLATE "C" NOT NULL,
    claimed_at   BIGINT           NOT NULL,
    PRIMARY KEY (month, company_id, environment, scope, key_hash)
);

-- One row per change, written in its commit. (tx, position) orders the rows of all streams.
CREATE TABLE journal (
    position BIGINT           GENERATED ALWAYS AS IDENTITY,
    stream   TEXT COLLATE "C" NOT NULL,
    n        BIGINT           NOT NULL CHECK (n >= 1),
    at       BIGINT           NOT NULL,
    event    TEXT COLLATE "C" NOT NULL,
    body     BYTEA            NOT NULL,
    prev     BYTEA            NOT NULL CHECK (length(prev) = 32),
    hash     BYTEA            NOT NULL CHECK (length(hash) = 32),
    -- The writing transaction: a reader that stays below the oldest open one misses no late commit.
    tx       XID8             NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (tx, position),
    UNIQUE (stream, n)
);

-- +goose StatementBegin
CREATE FUNCTION journal_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'journal_no_update: the journal is evidence and does not change'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'journal_no_update';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
    FOR EACH ROW EXECUTE FUNCTION journal_no_update();

-- +goose StatementBegin
CREATE FUNCTION journal_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'journal_no_delete: the journal is evidence and does not change'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'journal_no_delete';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
    FOR EACH ROW EXECUTE FUNCTION journal_no_delete();

CREATE TRIGGER journal_no_truncate BEFORE TRUNCATE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION journal_no_delete();

-- Signed statements over blocks of the journal, kept like it.
CREATE TABLE seal (
    number    BIGINT           NOT NULL PRIMARY KEY CHECK (number >= 1),
    from_tx   BIGINT           NOT NULL,
    from_row  BIGINT           NOT NULL,
    to_tx     BIGINT           NOT NULL,
    to_row    BIGINT           NOT NULL,
    entries   BIGINT           NOT NULL CHECK (entries >= 1),
    root      BYTEA            NOT NULL CHECK (length(root) = 32),
    prev      BYTEA            NOT NULL CHECK (length(prev) = 32),
    at        BIGINT           NOT NULL,
    key       TEXT COLLATE "C" NOT NULL CHECK (key <> ''),
    signature BYTEA            NOT NULL CHECK (length(signature) > 0)
);

-- +goose StatementBegin
CREATE FUNCTION seal_no_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'seal_no_change: a seal is evidence and does not change'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'seal_no_change';
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION seal_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM seal WHERE number = NEW.number - 1) THEN
        RAISE EXCEPTION 'seal_follows: a seal follows the one before'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'seal_follows';
    END IF;
    RETURN NEW;
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER seal_follows BEFORE INSERT ON seal
    FOR EACH ROW WHEN (NEW.number > 1) EXECUTE FUNCTION seal_follows();

CREATE TRIGGER seal_no_change BEFORE UPDATE OR DELETE ON seal
    FOR EACH ROW EXECUTE FUNCTION seal_no_change();

CREATE TRIGGER seal_no_truncate BEFORE TRUNCATE ON seal
    FOR EACH STATEMENT EXECUTE FUNCTION seal_no_change();

-- The last sign of life of each process life.
CREATE TABLE replica (
    boot    TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (boot <> ''),
    seen_at BIGINT           NOT NULL
);

-- How many claims of recovery an account has seen in a second, of all replicas together.
CREATE TABLE recovery_pace (
    lane   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    second BIGINT           NOT NULL,
    claims BIGINT           NOT NULL CHECK (claims >= 0)
);

-- Stored approvals of payers, added with the answer that brought them.
CREATE TABLE mandate (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (id <> ''),
    company_id     TEXT COLLATE "C" NOT NULL CHECK (company_id <> ''),
    environment    TEXT COLLATE "C" NOT NULL CHECK (environment IN ('live', 'test')),
    store          TEXT COLLATE "C" NOT NULL,
    type           TEXT COLLATE "C" NOT NULL,
    provider       TEXT COLLATE "C" NOT NULL,
    account        TEXT COLLATE "C" NOT NULL,
    wire           TEXT COLLATE "C" NOT NULL,
    credential_ref TEXT COLLATE "C" NOT NULL,
    sealed         BYTEA            NOT NULL CHECK (length(sealed) > 0),
    token_hash     BYTEA            NOT NULL CHECK (length(token_hash) = 32),
    label          TEXT COLLATE "C" NOT NULL,
    state          TEXT COLLATE "C" NOT NULL CHECK (state IN ('ACTIVE', 'DEAD')),
    expires        BIGINT,
    payment_id     TEXT COLLATE "C" NOT NULL,
    version        BIGINT           NOT NULL CHECK (version >= 1),
    created_at     BIGINT           NOT NULL,
    updated_at     BIGINT           NOT NULL
);

CREATE UNIQUE INDEX mandate_token ON mandate (company_id, environment, provider, account, token_hash);
CREATE INDEX mandate_created ON mandate (company_id, created_at, id);

-- +goose StatementBegin
CREATE FUNCTION mandate_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'mandate_changes: a dead mandate never lives again, and what it is does not change'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'mandate_changes';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER mandate_changes BEFORE UPDATE ON mandate
    FOR EACH ROW
    WHEN ((OLD.state = 'DEAD' AND NEW.state <> 'DEAD') OR NEW.version <> OLD.version + 1
    OR NEW.id <> OLD.id OR NEW.company_id <> OLD.company_id OR NEW.environment <> OLD.environment
    OR NEW.store <> OLD.store OR NEW.type <> OLD.type OR NEW.provider <> OLD.provider
    OR NEW.account <> OLD.account OR NEW.wire <> OLD.wire OR NEW.sealed <> OLD.sealed
    OR NEW.token_hash <> OLD.token_hash OR NEW.payment_id <> OLD.payment_id OR NEW.created_at <> OLD.created_at) EXECUTE FUNCTION mandate_changes();
