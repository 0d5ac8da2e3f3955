"""Every statement about requests, payments and writes; see `Connection` for their form."""

# ruff: noqa: S608 - the column list below is all that is put in

# A payment's columns, in the order in which `payments.payment_from` reads them.
PAYMENT = """
    authorization_id, provider_payment_id, memo, uses_payment_id, status, sandbox, amount,
    currency, payment_url, code, message, cancellation_id, settled, is_cancel_asked,
    is_manual, callback, callback_at"""

KEPT = """
    SELECT reply_status, reply_body, code, value FROM requests
    WHERE id = :id AND reply_status IS NOT NULL"""

INSERT = """
    INSERT INTO requests (
        id, merchant_id, operation, payment_id, request_id, sandbox, value, authorization_id,
        provider_payment_id, state, attempts, looks, next_look_at, created_at, updated_at)
    VALUES (
        :id, :merchant_id, :operation, :payment_id, :request_id, :sandbox, :value,
        :authorization_id, :provider_payment_id, 'running', 1, 0, NOW + :first_look, NOW, NOW)
    ON CONFLICT (id) DO NOTHING
    RETURNING attempts, state = 'manual', code, message, reason"""

# News is kept before anything is done with it, and looked at from now on.
REMEMBER = """
    INSERT INTO requests (
        id, merchant_id, operation, payment_id, request_id, sandbox, value, authorization_id,
        provider_payment_id, state, attempts, looks, next_look_at, created_at, updated_at)
    VALUES (
        :id, :merchant_id, :operation, :payment_id, :request_id, :sandbox, :value,
        :authorization_id, :provider_payment_id, 'waiting', 0, 0, NOW, NOW, NOW)
    ON CONFLICT (id) DO NOTHING
    RETURNING id"""

# The value with which a request began to move money.
STARTED = "SELECT value FROM requests WHERE id = :id AND reference IS NOT NULL"

# A request that VTEX repeats is taken up again; `stays_listed` is a rule of its operation.
TAKE_UP = """
    UPDATE requests SET
        state = CASE WHEN state = 'manual' AND :stays_listed THEN state ELSE 'running' END,
        attempts = attempts + 1, value = :value, looks = 0,
        next_look_at = NOW + :first_look, updated_at = NOW
    WHERE id = :id AND reply_status IS NULL
    RETURNING attempts, state = 'manual', code, message, reason"""

# A row on the operator's list stays there while reconcile looks.
TAKE_UP_DUE = """
    UPDATE requests SET
        state = CASE WHEN state = 'manual' THEN state ELSE 'running' END,
        attempts = attempts + 1, updated_at = NOW
    WHERE id = :id AND next_look_at <= NOW
    RETURNING attempts, state = 'manual', code, message, reason"""

# What is once known of a payment stays known, whatever a later request leaves out or says: VTEX
# may hold an id that it was told before the company told us of another. Of a payment that was
# created here it gives us its own id back, which we told it while there was no other.
LEASE = f"""
    INSERT INTO payments (
        merchant_id, payment_id, authorization_id, provider_payment_id, uses_payment_id,
        status, sends, lease_claim, lease_token, lease_until, created_at, updated_at)
    VALUES (
        :merchant_id, :payment_id, :authorization_id, :provider_payment_id, :uses_payment_id,
        'PENDING', 0,
        :id, :token, NOW + :seconds, NOW, NOW)
    ON CONFLICT (merchant_id, payment_id) DO UPDATE SET
        lease_claim = excluded.lease_claim, lease_token = excluded.lease_token,
        lease_until = excluded.lease_until,
        authorization_id = coalesce(payments.authorization_id, excluded.authorization_id),
        provider_payment_id = coalesce(
            payments.provider_payment_id, excluded.provider_payment_id),
        uses_payment_id = payments.uses_payment_id
            OR (excluded.uses_payment_id AND payments.amount IS NULL)
    WHERE payments.lease_until IS NULL OR payments.lease_until < NOW
    RETURNING {PAYMENT}, sends"""

KNOWN = f"""
    SELECT {PAYMENT} FROM payments
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id"""

PROGRESS = """
    SELECT requests.state, requests.attempts, requests.code, requests.message,
        payments.lease_until > NOW, payments.lease_claim = :id
    FROM payments LEFT JOIN requests ON requests.id = :id
    WHERE payments.merchant_id = :merchant_id AND payments.payment_id = :payment_id"""

SENDS = """
    SELECT action, number, reference, state, NOW - sent_at, failures_before, claim_id,
        amount, refunded_before
    FROM sends WHERE merchant_id = :merchant_id AND payment_id = :payment_id
    ORDER BY sent_at, number"""

# What VTEX asked for of a payment, by request; a request that names no value is of all.
VALUES = """
    SELECT id, value FROM requests
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id AND operation = :operation
        AND value IS NOT NULL"""

# What is known of the payment, in each statement that records it.
_RECORD = """
        authorization_id = :authorization_id, provider_payment_id = :provider_payment_id,
        memo = :memo, status = :status, sandbox = :sandbox, amount = :amount,
        currency = :currency, payment_url = :payment_url, code = :code, message = :message,
        cancellation_id = :cancellation_id, settled = :settled,
        is_cancel_asked = :is_cancel_asked, is_manual = :is_manual, callback = :callback,
        updated_at = NOW"""

MARK_SENDING = f"""
    UPDATE payments SET sends = sends + 1,{_RECORD}
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id
        AND lease_token = :token AND lease_until > NOW"""

SEND = """
    INSERT INTO sends (
        merchant_id, payment_id, action, number, reference, state, failures_before, claim_id,
        amount, refunded_before, sent_at)
    VALUES (
        :merchant_id, :payment_id, :action, :number, :reference, 'open', :failures_before,
        :claim_id, :amount, :refunded_before, NOW)
    ON CONFLICT (merchant_id, payment_id, action, number) DO UPDATE SET
        sent_at = excluded.sent_at"""

REFERENCE = "UPDATE requests SET reference = :reference WHERE id = :id"

CLOSE_SEND = """
    UPDATE sends SET state = :state
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id
        AND action = :action AND number = :number
        AND state IN ('open', 'accepted', 'lost')"""

# `callback_change` is a `CallbackChange`. "later" waits for the answer that is on its way to VTEX,
# which takes 20 s at most.
END_TURN = f"""
    UPDATE payments SET
        lease_claim = NULL, lease_token = NULL, lease_until = NULL,
        callback_at = CASE
            WHEN :callback_change = 'due' AND CAST(:callback AS TEXT) IS NOT NULL THEN NOW
            WHEN :callback_change = 'later' AND CAST(:callback AS TEXT) IS NOT NULL THEN NOW + 30
            WHEN :callback_change = 'dropped' THEN NULL
            ELSE callback_at END,{_RECORD}
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id AND lease_token = :token"""

# A final reply, once kept, never changes.
END_ATTEMPT = """
    UPDATE requests SET
        state = :state, code = :code, message = :message, reason = :reason,
        reply_body = CASE WHEN reply_status IS NULL THEN :body ELSE reply_body END,
        reply_status = coalesce(reply_status, :reply),
        looks = :looks, next_look_at = NOW + :next_look, updated_at = NOW
    WHERE id = :id"""

EVENT = """
    INSERT INTO events (
        request, at, kind, attempt, action, reference, amount, word, http_status, state, code,
        message, reason, who)
    VALUES (
        :id, NOW, :kind, :attempt, :action, :reference, :amount, :word, :http_status, :state,
        :code, :message, :reason, :who)"""

EXISTS = "SELECT 1 FROM requests WHERE id = :id"

MERCHANTS_OF_PAYMENT = """
    SELECT DISTINCT merchants.name
    FROM requests JOIN merchants ON merchants.id = requests.merchant_id
    WHERE payment_id = :payment_id ORDER BY merchants.name"""

STORY = """
    SELECT kind, attempt, action, events.reference, amount, word, http_status, events.state,
        events.code, events.message, events.reason, who, at, operation, request_id
    FROM requests
        JOIN merchants ON merchants.id = requests.merchant_id
        JOIN events ON events.request = requests.id
    WHERE merchants.name = :merchant AND payment_id = :payment_id
    ORDER BY events.id"""

# A lease that ended is taken away: who still thinks to have the turn can record nothing.
FREE = """
    UPDATE payments SET lease_claim = NULL, lease_token = NULL, lease_until = NULL
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id
        AND (lease_until IS NULL OR lease_until < NOW)"""

# It counts as an attempt: a repeat that waits for the attempt before takes only that one's end
# for its answer, and must not tell VTEX an operator's.
CLOSE = """
    UPDATE requests SET
        state = 'done', attempts = attempts + 1, next_look_at = NULL, updated_at = NOW
    WHERE id = :id AND state = 'manual'"""

DUE = """
    SELECT operation, merchant_id, payment_id, request_id, sandbox, value, authorization_id,
        provider_payment_id, looks, state, next_look_at
    FROM requests WHERE next_look_at <= NOW AND (next_look_at, id) > (:at, :id)
    ORDER BY next_look_at, id LIMIT :most"""

LIST = """
    SELECT merchants.name, merchants.provider, operation, payment_id, request_id, state, code,
        reference, attempts, requests.created_at, requests.updated_at, message, reason
    FROM requests JOIN merchants ON merchants.id = requests.merchant_id
    WHERE (:state = '' OR state = :state) AND (:merchant = '' OR merchants.name = :merchant)
        AND (:payment_id = '' OR payment_id = :payment_id)
    ORDER BY requests.created_at, requests.id"""

CALLBACKS_DUE = """
    SELECT merchant_id, payment_id FROM payments WHERE callback_at <= NOW
    ORDER BY callback_at LIMIT :most"""

# One sender at a time: until `seconds` have passed it is nobody else's.
TAKE_CALLBACK = f"""
    UPDATE payments SET
        callback_attempts = callback_attempts + 1, callback_at = NOW + :seconds
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id AND callback_at <= NOW
    RETURNING {PAYMENT}, callback_attempts"""

# One that was dropped in the meantime stays dropped.
END_CALLBACK = """
    UPDATE payments SET callback_at = NOW + :seconds
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id AND callback_at IS NOT NULL"""

DROP_CALLBACK = """
    UPDATE payments SET callback_at = NULL
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id AND callback_at IS NOT NULL"""
