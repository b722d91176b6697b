-- +goose Up

-- A list behind IN is avoided in rules that every write passes: SQLite makes a table of a list of three and more,
-- anew for each row.

-- The allowed changes of a payment's state. payment.Transitions in core/payment is the source; a test holds
-- the two against each other. Later migrations add rows, the triggers stay.
CREATE TABLE payment_transition (
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    PRIMARY KEY (from_state, to_state)
) STRICT, WITHOUT ROWID;

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
    id                   TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    company_id           TEXT    NOT NULL CHECK (company_id <> ''),
    environment          TEXT    NOT NULL CHECK (environment IN ('live', 'test')),
    store                TEXT    NOT NULL,
    type                 TEXT    NOT NULL,
    provider             TEXT    NOT NULL,
    account              TEXT    NOT NULL,
    wire                 TEXT    NOT NULL,
    order_number         TEXT    NOT NULL CHECK (order_number <> ''),
    -- The payments of the order number that were sent, this one included.
    attempt              INTEGER NOT NULL CHECK (attempt >= 1),
    currency             TEXT    NOT NULL CHECK (length(currency) = 3),
    amount               INTEGER NOT NULL CHECK (amount > 0),
    capture              INTEGER NOT NULL CHECK (capture IN (0, 1)),
    authorized           INTEGER NOT NULL,
    captured             INTEGER NOT NULL,
    refunded             INTEGER NOT NULL CHECK (refunded >= 0),
    refund_reserved      INTEGER NOT NULL CHECK (refund_reserved >= 0),
    state                TEXT    NOT NULL,
    failure              TEXT    NOT NULL,
    -- Whether the payment holds its order number. Only a late orphan charge that is given back may be open
    -- without holding it, because another payment may have the number by then.
    live                 INTEGER NOT NULL CHECK (live IN (0, 1)),
    code                 TEXT    NOT NULL,
    decline_code         TEXT    NOT NULL,
    provider_transaction TEXT    CHECK (provider_transaction <> ''),
    authorization_ends   INTEGER,
    return_url           TEXT    NOT NULL,
    cancel_url           TEXT    NOT NULL,
    mandate              TEXT    NOT NULL,
    credential_ref       TEXT    NOT NULL,
    plugin_release       TEXT    NOT NULL,
    version              INTEGER NOT NULL CHECK (version >= 1),
    chain                BLOB    NOT NULL CHECK (length(chain) = 32),
    -- Times are microseconds since 1970, UTC.
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL,
    CONSTRAINT payment_begins CHECK (version > 1 OR state = 'SENDING'),
    CONSTRAINT payment_captured_authorized CHECK (captured <= authorized),
    CONSTRAINT payment_refunded_captured CHECK (refund_reserved <= captured - refunded),
    CONSTRAINT payment_sending_is_live CHECK (live = 1 OR state <> 'SENDING'),
    CONSTRAINT payment_ended_is_not_live CHECK (live = 0 OR (state <> 'FAILED' AND state <> 'REVERSED' AND state <> 'VOIDED'
        AND state <> 'EXPIRED'))
) STRICT;

-- One live charge per order number: a second one would be a second charge. With payment_ended_order it also
-- finds the payments of an order; a payment is in one of the two.
CREATE UNIQUE INDEX payment_live_order ON payment (company_id, order_number, environment, provider, account)
    WHERE live;
CREATE INDEX payment_ended_order ON payment (company_id, order_number, created_at, id)
    WHERE NOT live;
-- One payment per charge of the provider.
CREATE UNIQUE INDEX payment_provider_transaction ON payment (environment, provider, account, provider_transaction)
    WHERE provider_transaction IS NOT NULL;
-- Lists. Every index costs every payment, so there is one: store and type stand in it to be filtered without a
-- look at the rows.
CREATE INDEX payment_created ON payment (company_id, created_at, id, store, type);
-- Neither a payment on its way nor one that went well is in it, so that most payments never are. What is on its way
-- is found by operation_one_open.
CREATE INDEX payment_state ON payment (company_id, state, created_at, id)
    WHERE state <> 'SENDING' AND state <> 'SUCCEEDED';

-- A provider must never see one order id for two attempts: a new payment that does not count those that were sent before
-- it is not stored.
-- +goose StatementBegin
CREATE TRIGGER payment_attempts BEFORE INSERT ON payment
WHEN NEW.attempt - 1 <> (SELECT count(*) FROM payment x WHERE x.company_id = NEW.company_id
    AND x.order_number = NEW.order_number AND NOT x.live AND x.environment = NEW.environment
    AND x.provider = NEW.provider AND x.account = NEW.account AND (x.state <> 'FAILED' OR x.failure <> 'not_sent'))
BEGIN
    SELECT RAISE(IGNORE);
END;
-- +goose StatementEnd

-- A rule that is looked at with every change costs every change. What never changes is looked at only when a statement
-- names it.
-- +goose StatementBegin
CREATE TRIGGER payment_changes BEFORE UPDATE ON payment
WHEN NEW.version <> OLD.version + 1
    OR NOT EXISTS (SELECT 1 FROM payment_transition WHERE from_state = OLD.state AND to_state = NEW.state)
BEGIN
    SELECT CASE
        WHEN NEW.version <> OLD.version + 1
        THEN RAISE(ABORT, 'payment_version: the version grows by one')
        ELSE RAISE(ABORT, 'payment_moves: the state machine has no such change')
    END;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER payment_identity BEFORE UPDATE OF id, company_id, environment, store, type, provider, account, wire,
    order_number, attempt, currency, amount, capture, return_url, cancel_url, created_at ON payment
WHEN NEW.id <> OLD.id OR NEW.company_id <> OLD.company_id OR NEW.environment <> OLD.environment
    OR NEW.store <> OLD.store OR NEW.type <> OLD.type OR NEW.provider <> OLD.provider
    OR NEW.account <> OLD.account OR NEW.wire <> OLD.wire OR NEW.order_number <> OLD.order_number
    OR NEW.attempt <> OLD.attempt OR NEW.currency <> OLD.currency OR NEW.amount <> OLD.amount
    OR NEW.capture <> OLD.capture OR NEW.return_url <> OLD.return_url OR NEW.cancel_url <> OLD.cancel_url
    OR NEW.created_at <> OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'payment_identity: what a payment is does not change');
END;
-- +goose StatementEnd

CREATE TABLE operation (
    payment_id           TEXT    NOT NULL REFERENCES payment (id),
    id                   TEXT    NOT NULL CHECK (id <> ''),
    -- The payment's version that began the operation; it orders the operations of a payment.
    seq                  INTEGER NOT NULL,
    kind                 TEXT    NOT NULL CHECK (kind = 'pay' OR kind = 'confirm' OR kind = 'capture' OR kind = 'void'
        OR kind = 'refund'),
    state                TEXT    NOT NULL CHECK (state = 'SENDING' OR state = 'UNKNOWN' OR state = 'SUCCEEDED'
        OR state = 'FAILED'),
    failure              TEXT    NOT NULL,
    currency             TEXT    NOT NULL CHECK (length(currency) = 3),
    amount               INTEGER NOT NULL CHECK (amount > 0),
    order_id             TEXT    NOT NULL,
    request_id           TEXT    NOT NULL,
    reversal             INTEGER NOT NULL CHECK (reversal IN (0, 1)),
    -- Counts the operations that try to give one charge back.
    attempt              INTEGER NOT NULL CHECK (attempt >= 0),
    retry_of             TEXT    NOT NULL DEFAULT '',
    provider_transaction TEXT    CHECK (provider_transaction <> ''),
    refund_ids_seen      TEXT    NOT NULL,
    epoch                INTEGER NOT NULL CHECK (epoch >= 1),
    owner_boot           TEXT    NOT NULL,
    send_deadline        INTEGER,
    next_check_at        INTEGER,
    checks               INTEGER NOT NULL CHECK (checks >= 0),
    watched_ms           INTEGER NOT NULL CHECK (watched_ms >= 0),
    absences             INTEGER NOT NULL CHECK (absences >= 0),
    absent_ms            INTEGER NOT NULL CHECK (absent_ms >= 0),
    code                 TEXT    NOT NULL,
    decline_code         TEXT    NOT NULL,
    plugin_release       TEXT    NOT NULL,
    trace_id             TEXT    NOT NULL,
    -- Environment, provider and account in one word: how fast recovery asks is bounded for each.
    lane                 TEXT    NOT NULL,
    -- The last claim of recovery, and how long it lasts if nothing is recorded before; then it is NULL.
    claimed_at           INTEGER,
    claimed_until        INTEGER,
    sealed_credential    BLOB,
    sealed_reply         BLOB,
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL,
    PRIMARY KEY (payment_id, id),
    CONSTRAINT operation_absent_watched CHECK (absent_ms <= watched_ms),
    CONSTRAINT operation_attempts_reverse CHECK (attempt = 0 OR reversal = 1)
) STRICT;

CREATE UNIQUE INDEX operation_one_open ON operation (payment_id) WHERE state IN ('SENDING', 'UNKNOWN');
CREATE UNIQUE INDEX operation_refund ON operation (payment_id, provider_transaction)
    WHERE kind = 'refund' AND provider_transaction IS NOT NULL;
-- What is on its way is found by operation_one_open, which holds it anyway.
CREATE INDEX operation_due ON operation (next_check_at, lane, payment_id, id, state)
    WHERE next_check_at IS NOT NULL AND state <> 'SENDING';
-- What a process life claimed and has not finished: when it dies, it is due at once.
CREATE INDEX operation_claimed ON operation (owner_boot) WHERE claimed_until IS NOT NULL;

-- +goose StatementBegin
CREATE TRIGGER operation_begins BEFORE INSERT ON operation
WHEN NEW.state <> 'SENDING'
BEGIN
    SELECT RAISE(ABORT, 'operation_begins: an operation begins as SENDING');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER operation_changes BEFORE UPDATE ON operation
WHEN (NEW.state = 'SENDING' AND OLD.state <> 'SENDING')
    OR (OLD.state IN ('SUCCEEDED', 'FAILED') AND NEW.state IN ('SENDING', 'UNKNOWN'))
    OR NEW.epoch < OLD.epoch
BEGIN
    SELECT RAISE(ABORT, 'operation_moves: an operation is sent once, closed once, and its epoch never falls');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER operation_identity BEFORE UPDATE OF payment_id, id, seq, kind, currency, amount, order_id, reversal,
    attempt, lane, created_at ON operation
WHEN NEW.payment_id <> OLD.payment_id OR NEW.id <> OLD.id OR NEW.seq <> OLD.seq OR NEW.kind <> OLD.kind
    OR NEW.currency <> OLD.currency OR NEW.amount <> OLD.amount OR NEW.order_id <> OLD.order_id
    OR NEW.reversal <> OLD.reversal OR NEW.attempt <> OLD.attempt OR NEW.lane <> OLD.lane
    OR NEW.retry_of <> OLD.retry_of
    OR NEW.created_at <> OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'operation_identity: what an operation does is fixed before it is sent');
END;
-- +goose StatementEnd

-- Keys of requests, in monthly generations: a random key that is unique for ever would have to be looked up
-- in an index of all time with every payment. A retention job drops old months; the order number guards the
-- money without them.
CREATE TABLE claim (
    month        INTEGER NOT NULL,
    company_id   TEXT    NOT NULL,
    environment  TEXT    NOT NULL,
    scope        TEXT    NOT NULL CHECK (scope IN ('header', 'request')),
    key_hash     BLOB    NOT NULL CHECK (length(key_hash) = 32),
    fingerprint  BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    payment_id   TEXT    NOT NULL,
    operation_id TEXT    NOT NULL,
    claimed_at   INTEGER NOT NULL,
    PRIMARY KEY (month, company_id, environment, scope, key_hash)
) STRICT, WITHOUT ROWID;

-- One row per change, written in its commit. position orders the rows of all streams.
CREATE TABLE journal (
    position INTEGER PRIMARY KEY,
    stream   TEXT    NOT NULL,
    n        INTEGER NOT NULL CHECK (n >= 1),
    at       INTEGER NOT NULL,
    event    TEXT    NOT NULL,
    body     BLOB    NOT NULL,
    prev     BLOB    NOT NULL CHECK (length(prev) = 32),
    hash     BLOB    NOT NULL CHECK (length(hash) = 32),
    UNIQUE (stream, n)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
BEGIN
    SELECT RAISE(ABORT, 'journal_no_update: the journal is evidence and does not change');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
BEGIN
    SELECT RAISE(ABORT, 'journal_no_delete: the journal is evidence and does not change');
END;
-- +goose StatementEnd

-- Signed statements over blocks of the journal, kept like it.
CREATE TABLE seal (
    number    INTEGER NOT NULL PRIMARY KEY CHECK (number >= 1),
    from_tx   INTEGER NOT NULL,
    from_row  INTEGER NOT NULL,
    to_tx     INTEGER NOT NULL,
    to_row    INTEGER NOT NULL,
    entries   INTEGER NOT NULL CHECK (entries >= 1),
    root      BLOB    NOT NULL CHECK (length(root) = 32),
    prev      BLOB    NOT NULL CHECK (length(prev) = 32),
    at        INTEGER NOT NULL,
    key       TEXT    NOT NULL CHECK (key <> ''),
    signature BLOB    NOT NULL CHECK (length(signature) > 0)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER seal_follows BEFORE INSERT ON seal
WHEN NEW.number > 1 AND NOT EXISTS (SELECT 1 FROM seal WHERE number = NEW.number - 1)
BEGIN
    SELECT RAISE(ABORT, 'seal_follows: a seal follows the one before');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER seal_no_update BEFORE UPDATE ON seal
BEGIN
    SELECT RAISE(ABORT, 'seal_no_change: a seal is evidence and does not change');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER seal_no_delete BEFORE DELETE ON seal
BEGIN
    SELECT RAISE(ABORT, 'seal_no_change: a seal is evidence and does not change');
END;
-- +goose StatementEnd

-- How many claims of recovery an account has seen in a second.
CREATE TABLE recovery_pace (
    lane   TEXT    NOT NULL PRIMARY KEY,
    second INTEGER NOT NULL,
    claims INTEGER NOT NULL CHECK (claims >= 0)
) STRICT;

-- Stored approvals of payers, added with the answer that brought them.
CREATE TABLE mandate (
    id             TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    company_id     TEXT    NOT NULL CHECK (company_id <> ''),
    environment    TEXT    NOT NULL CHECK (environment IN ('live', 'test')),
    store          TEXT    NOT NULL,
    type           TEXT    NOT NULL,
    provider       TEXT    NOT NULL,
    account        TEXT    NOT NULL,
    wire           TEXT    NOT NULL,
    credential_ref TEXT    NOT NULL,
    sealed         BLOB    NOT NULL CHECK (length(sealed) > 0),
    token_hash     BLOB    NOT NULL CHECK (length(token_hash) = 32),
    label          TEXT    NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('ACTIVE', 'DEAD')),
    expires        INTEGER,
    payment_id     TEXT    NOT NULL,
    version        INTEGER NOT NULL CHECK (version >= 1),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX mandate_token ON mandate (company_id, environment, provider, account, token_hash);
CREATE INDEX mandate_created ON mandate (company_id, created_at, id);

-- +goose StatementBegin
CREATE TRIGGER mandate_changes BEFORE UPDATE ON mandate
WHEN (OLD.state = 'DEAD' AND NEW.state <> 'DEAD') OR NEW.version <> OLD.version + 1
    OR NEW.id <> OLD.id OR NEW.company_id <> OLD.company_id OR NEW.environment <> OLD.environment
    OR NEW.store <> OLD.store OR NEW.type <> OLD.type OR NEW.provider <> OLD.provider
    OR NEW.account <> OLD.account OR NEW.wire <> OLD.wire OR NEW.sealed <> OLD.sealed
    OR NEW.token_hash <> OLD.token_hash OR NEW.payment_id <> OLD.payment_id OR NEW.created_at <> OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'mandate_changes: a dead mandate never lives again, and what it is does not change');
END;
-- +goose StatementEnd
