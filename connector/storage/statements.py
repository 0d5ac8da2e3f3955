"""Every statement about requests, payments and writes.

`Connection` explains their form. The lists of columns come from the mapping.
"""

# ruff: noqa: S608 - only lists of columns are put in

from connector.storage.columns import assignments, listed, parameters
from connector.storage.mapping import (
    PAYMENT_COLUMNS,
    PAYMENT_READ_COLUMNS,
    REQUEST_COLUMNS,
    STEP_COLUMNS,
    WRITE_COLUMNS,
)

_COLUMNS_READ = listed(PAYMENT_READ_COLUMNS)
_SET_PAYMENT = f"{assignments(PAYMENT_COLUMNS)}, updated_at = NOW"
_IS_THE_PAYMENT = "merchant_id = :merchant_id AND payment_id = :payment_id"

FINAL_REPLY = """
    SELECT reply_status, reply_body, code, value FROM requests
    WHERE id = :id AND reply_status IS NOT NULL"""

# The columns for a new attempt: its number, whether the request is on the operator's list, and the
# end of the previous attempt.
_ATTEMPT_COLUMNS = "attempts, state = 'manual' AS is_listed, code, message, reason"

INSERT_REQUEST = f"""
    INSERT INTO requests (
        {listed(REQUEST_COLUMNS)}, state, attempts, looks, next_look_at, created_at, updated_at)
    VALUES ({parameters(REQUEST_COLUMNS)}, 'running', 1, 0, NOW + :first_look, NOW, NOW)
    ON CONFLICT (id) DO NOTHING
    RETURNING {_ATTEMPT_COLUMNS}"""

# A notification is recorded before anybody acts on it. Reconcile may act on it at once.
INSERT_NOTIFICATION = f"""
    INSERT INTO requests (
        {listed(REQUEST_COLUMNS)}, state, attempts, looks, next_look_at, created_at, updated_at)
    VALUES ({parameters(REQUEST_COLUMNS)}, 'waiting', 0, 0, NOW, NOW, NOW)
    ON CONFLICT (id) DO NOTHING
    RETURNING id"""

# The value of a request whose first write has begun.
VALUE_OF_BEGUN = "SELECT value FROM requests WHERE id = :id AND reference IS NOT NULL"

# VTEX repeats a request: a new attempt begins. `stays_listed` is a rule of the operation.
REPEAT_REQUEST = f"""
    UPDATE requests SET
        state = CASE WHEN state = 'manual' AND :stays_listed THEN state ELSE 'running' END,
        attempts = attempts + 1, value = :value, looks = 0,
        next_look_at = NOW + :first_look, updated_at = NOW
    WHERE id = :id AND reply_status IS NULL
    RETURNING {_ATTEMPT_COLUMNS}"""

# Reconcile begins an attempt. A request on the operator's list stays there.
TAKE_UP_DUE = f"""
    UPDATE requests SET
        state = CASE WHEN state = 'manual' THEN state ELSE 'running' END,
        attempts = attempts + 1, updated_at = NOW
    WHERE id = :id AND next_look_at <= NOW
    RETURNING {_ATTEMPT_COLUMNS}"""

SET_REFERENCE = "UPDATE requests SET reference = :reference WHERE id = :id"

# A final reply never changes once it is stored.
END_ATTEMPT = """
    UPDATE requests SET
        state = :state, code = :code, message = :message, reason = :reason,
        reply_body = CASE WHEN reply_status IS NULL THEN :body ELSE reply_body END,
        reply_status = coalesce(reply_status, :reply),
        looks = :looks, next_look_at = NOW + :next_look, updated_at = NOW
    WHERE id = :id"""

PROGRESS = """
    SELECT requests.state, requests.attempts, requests.code, requests.message,
        payments.lease_until > NOW AS is_held, payments.lease_claim = :id AS is_same
    FROM payments LEFT JOIN requests ON requests.id = :id
    WHERE payments.merchant_id = :merchant_id AND payments.payment_id = :payment_id"""

REQUEST_EXISTS = "SELECT 1 FROM requests WHERE id = :id"

# A person closes a request. This counts as an attempt. A repeat that waits for an attempt answers
# with the end of that attempt. By
# the count the repeat notices that a person closed the request.
CLOSE_REQUEST = """
    UPDATE requests SET
        state = 'done', attempts = attempts + 1, next_look_at = NULL, updated_at = NOW
    WHERE id = :id AND state = 'manual'"""

# The values of the requests of one operation. A request without a value means the whole payment.
VALUES = f"""
    SELECT id, value FROM requests
    WHERE {_IS_THE_PAYMENT} AND operation = :operation AND value IS NOT NULL"""

DUE_REQUESTS = f"""
    SELECT {listed(REQUEST_COLUMNS)}, looks, state, next_look_at
    FROM requests WHERE next_look_at <= NOW AND (next_look_at, id) > (:at, :id)
    ORDER BY next_look_at, id LIMIT :most"""

LISTED_REQUESTS = """
    SELECT merchants.name AS merchant, merchants.provider, operation, payment_id, request_id,
        state, code, reference, attempts, requests.created_at, requests.updated_at, message, reason
    FROM requests JOIN merchants ON merchants.id = requests.merchant_id
    WHERE (:state = '' OR state = :state) AND (:merchant = '' OR merchants.name = :merchant)
        AND (:payment_id = '' OR payment_id = :payment_id)
    ORDER BY requests.created_at, requests.id"""

FIND_PAYMENT = f"SELECT {_COLUMNS_READ} FROM payments WHERE {_IS_THE_PAYMENT}"

# Record the payment and take its lease. Change nothing while another request has the lease.
# A stored id never changes. VTEX may still hold an old id, although the company showed us a new id
# later. For a payment that was created here, VTEX may send its own payment id as the company's id:
# our first answer had that id, because there was no other id yet. The first request that names a
# transaction or an order decides by which of them people find the payment.
TAKE_LEASE = f"""
    INSERT INTO payments (
        merchant_id, payment_id, authorization_id, provider_payment_id, uses_payment_id,
        transaction_id, order_id,
        status, sends, lease_claim, lease_token, lease_until, created_at, updated_at)
    VALUES (
        :merchant_id, :payment_id, :authorization_id, :provider_payment_id, :uses_payment_id,
        :transaction_id, :order_id,
        'PENDING', 0, :id, :token, NOW + :seconds, NOW, NOW)
    ON CONFLICT (merchant_id, payment_id) DO UPDATE SET
        lease_claim = excluded.lease_claim, lease_token = excluded.lease_token,
        lease_until = excluded.lease_until,
        authorization_id = coalesce(payments.authorization_id, excluded.authorization_id),
        provider_payment_id = coalesce(
            payments.provider_payment_id, excluded.provider_payment_id),
        transaction_id = coalesce(payments.transaction_id, excluded.transaction_id),
        order_id = coalesce(payments.order_id, excluded.order_id),
        uses_payment_id = payments.uses_payment_id
            OR (excluded.uses_payment_id AND payments.amount IS NULL)
    WHERE payments.lease_until IS NULL OR payments.lease_until < NOW
    RETURNING {_COLUMNS_READ}, sends, lease_claim, lease_token"""

# Give the lease back and record the payment, if the lease is still ours. `callback_change` is a
# `CallbackChange`. "later" leaves time for the answer to VTEX, which takes 20 s at most.
END_LEASE = f"""
    UPDATE payments SET
        lease_claim = NULL, lease_token = NULL, lease_until = NULL,
        callback_at = CASE
            WHEN :callback_change = 'due' AND CAST(:callback AS TEXT) IS NOT NULL THEN NOW
            WHEN :callback_change = 'later' AND CAST(:callback AS TEXT) IS NOT NULL THEN NOW + 30
            WHEN :callback_change = 'dropped' THEN NULL
            ELSE callback_at END,
        {_SET_PAYMENT}
    WHERE {_IS_THE_PAYMENT} AND lease_token = :token"""

# Remove a lease whose time is over. If its holder still runs, it can record nothing.
REMOVE_OLD_LEASE = f"""
    UPDATE payments SET lease_claim = NULL, lease_token = NULL, lease_until = NULL
    WHERE {_IS_THE_PAYMENT} AND (lease_until IS NULL OR lease_until < NOW)"""

# Record the payment before a write is sent, if the lease is still ours.
BEGIN_WRITE = f"""
    UPDATE payments SET sends = sends + 1, {_SET_PAYMENT}
    WHERE {_IS_THE_PAYMENT} AND lease_token = :token AND lease_until > NOW"""

# A write that is sent again with the same reference keeps its row.
INSERT_WRITE = f"""
    INSERT INTO sends (merchant_id, payment_id, {listed(WRITE_COLUMNS)}, sent_at)
    VALUES (:merchant_id, :payment_id, {parameters(WRITE_COLUMNS)}, NOW)
    ON CONFLICT (merchant_id, payment_id, action, number) DO UPDATE SET
        sent_at = excluded.sent_at"""

END_WRITE = f"""
    UPDATE sends SET state = :state
    WHERE {_IS_THE_PAYMENT} AND action = :action AND number = :number
        AND state IN ('open', 'accepted', 'lost')"""

WRITES = f"""
    SELECT {listed(WRITE_COLUMNS)}, NOW - sent_at AS age FROM sends
    WHERE {_IS_THE_PAYMENT} ORDER BY sent_at, number"""

INSERT_STEP = f"""
    INSERT INTO events (request, at, {listed(STEP_COLUMNS)})
    VALUES (:id, NOW, {parameters(STEP_COLUMNS)})"""

# Each merchant's requests are read by their index. The payment alone has none.
MERCHANTS_OF_PAYMENT = """
    SELECT name FROM merchants
    WHERE EXISTS (
        SELECT 1 FROM requests WHERE merchant_id = merchants.id AND payment_id = :payment_id)
    ORDER BY name"""

STORY = f"""
    SELECT {listed(STEP_COLUMNS, "events")}, at, operation, request_id
    FROM requests
        JOIN merchants ON merchants.id = requests.merchant_id
        JOIN events ON events.request = requests.id
    WHERE merchants.name = :merchant AND payment_id = :payment_id
    ORDER BY events.id LIMIT :most"""

CALLBACKS_DUE = """
    SELECT merchant_id, payment_id FROM payments WHERE callback_at <= NOW
    ORDER BY callback_at LIMIT :most"""

# One sender has the callback for `seconds`. Then another sender may take it.
TAKE_CALLBACK = f"""
    UPDATE payments SET
        callback_attempts = callback_attempts + 1, callback_at = NOW + :seconds
    WHERE {_IS_THE_PAYMENT} AND callback_at <= NOW
    RETURNING {_COLUMNS_READ}, callback_attempts"""

# A callback that was dropped in the meantime stays dropped.
POSTPONE_CALLBACK = f"""
    UPDATE payments SET callback_at = NOW + :seconds
    WHERE {_IS_THE_PAYMENT} AND callback_at IS NOT NULL"""

DROP_CALLBACK = f"""
    UPDATE payments SET callback_at = NULL
    WHERE {_IS_THE_PAYMENT} AND callback_at IS NOT NULL"""

# A sender has a callback for `seconds` at most. A later time is the time of the next try. That try
# comes now, and does not count as one of the planned tries.
BRING_CALLBACK_FORWARD = f"""
    UPDATE payments SET callback_at = NOW, callback_attempts = callback_attempts - 1
    WHERE {_IS_THE_PAYMENT} AND callback_at > NOW + :seconds AND callback_attempts > 0"""
