"""Every statement about requests, payments and writes; see `Connection` for their form."""

KEPT = """
    SELECT reply_status, reply_body, code, value FROM requests
    WHERE id = :id AND reply_status IS NOT NULL"""

INSERT = """
    INSERT INTO requests (
        id, merchant_id, operation, payment_id, request_id, sandbox, value, state, attempts,
        looks, next_look_at, created_at, updated_at)
    VALUES (
        :id, :merchant_id, :operation, :payment_id, :request_id, :sandbox, :value, 'running', 1,
        0, NOW + :first_look, NOW, NOW)
    ON CONFLICT (id) DO NOTHING
    RETURNING id"""

# What VTEX repeats is taken up again.
TAKE_UP = """
    UPDATE requests SET
        state = 'running', attempts = attempts + 1, value = :value, looks = 0,
        next_look_at = NOW + :first_look, updated_at = NOW
    WHERE id = :id AND reply_status IS NULL"""

# A row on the operator's list stays there while reconcile looks.
TAKE_UP_DUE = """
    UPDATE requests SET
        state = CASE WHEN state = 'manual' THEN state ELSE 'running' END,
        attempts = attempts + 1, updated_at = NOW
    WHERE id = :id AND next_look_at <= NOW"""

# What VTEX once knew of a payment stays known, whatever a later request leaves out.
LEASE = """
    INSERT INTO payments (
        merchant_id, payment_id, authorization_id, provider_payment_id, status, sends,
        lease_claim, lease_token, lease_until, created_at, updated_at)
    VALUES (
        :merchant_id, :payment_id, :authorization_id, :provider_payment_id, 'PENDING', 0,
        :id, :token, NOW + :seconds, NOW, NOW)
    ON CONFLICT (merchant_id, payment_id) DO UPDATE SET
        lease_claim = excluded.lease_claim, lease_token = excluded.lease_token,
        lease_until = excluded.lease_until,
        authorization_id = coalesce(excluded.authorization_id, payments.authorization_id),
        provider_payment_id = coalesce(
            excluded.provider_payment_id, payments.provider_payment_id)
    WHERE payments.lease_until IS NULL OR payments.lease_until < NOW
    RETURNING authorization_id, provider_payment_id, status, sandbox, cancellation_id, sends"""

PROGRESS = """
    SELECT requests.state, requests.attempts, requests.code, requests.message,
        payments.lease_until > NOW, payments.lease_claim = :id
    FROM payments LEFT JOIN requests ON requests.id = :id
    WHERE payments.merchant_id = :merchant_id AND payments.payment_id = :payment_id"""

SENDS = """
    SELECT action, number, reference, state, NOW - sent_at, failures_before FROM sends
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id ORDER BY sent_at, number"""

MARK_SENDING = """
    UPDATE payments SET sandbox = :sandbox, sends = sends + 1, updated_at = NOW
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id
        AND lease_token = :token AND lease_until > NOW"""

SEND = """
    INSERT INTO sends (
        merchant_id, payment_id, action, number, reference, state, failures_before, sent_at)
    VALUES (
        :merchant_id, :payment_id, :action, :number, :reference, 'open', :failures_before, NOW)
    ON CONFLICT (merchant_id, payment_id, action, number) DO UPDATE SET
        sent_at = excluded.sent_at"""

REFERENCE = "UPDATE requests SET reference = :reference WHERE id = :id"

CLOSE_SENDS = """
    UPDATE sends SET state = :state
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id
        AND action = :action AND state = 'open'"""

# A new reference means that the one before it certainly failed.
FAIL_EARLIER = """
    UPDATE sends SET state = 'failed'
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id
        AND action = :action AND number < :number AND state = 'open'"""

END_TURN = """
    UPDATE payments SET
        lease_claim = NULL, lease_token = NULL, lease_until = NULL, status = :status,
        cancellation_id = :cancellation_id, sandbox = :sandbox, updated_at = NOW
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id AND lease_token = :token"""

# A final reply, once kept, never changes.
END_ATTEMPT = """
    UPDATE requests SET
        state = :state, code = :code, message = :message,
        reply_body = CASE WHEN reply_status IS NULL THEN :body ELSE reply_body END,
        reply_status = coalesce(reply_status, :reply),
        looks = :looks, next_look_at = NOW + :next_look, updated_at = NOW
    WHERE id = :id"""

EVENT = """
    INSERT INTO events (request, at, state, code, message)
    VALUES (:id, NOW, :state, :code, :message)"""

DUE = """
    SELECT merchant_id, payment_id, request_id, sandbox, value, looks, state, next_look_at
    FROM requests WHERE next_look_at <= NOW AND (next_look_at, id) > (:at, :id)
    ORDER BY next_look_at, id LIMIT :most"""

LIST = """
    SELECT merchants.name, merchants.provider, operation, payment_id, request_id, state, code,
        reference, attempts, requests.created_at, requests.updated_at
    FROM requests JOIN merchants ON merchants.id = requests.merchant_id
    WHERE (:state = '' OR state = :state) AND (:merchant = '' OR merchants.name = :merchant)
    ORDER BY requests.created_at, requests.id"""
