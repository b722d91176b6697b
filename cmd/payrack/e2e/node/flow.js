'use strict'

// The whole life of online payments as another author's client of LINE Pay v3 leads it: request, approval, confirm,
// details, capture, void, refund, and a stored approval that is charged, checked and ended. What it was told is printed
// as one JSON object, for the test that compares it with the sandbox's ledger.

require('./gateway')

const assert = require('node:assert/strict')
const { createLinePayClient, isLinePayApiError } = require('line-pay-merchant')

const { SANDBOX_URL, CHANNEL_ID, CHANNEL_SECRET } = process.env
const client = createLinePayClient({ channelId: CHANNEL_ID, channelSecretKey: CHANNEL_SECRET, env: 'development' })

/** What the customer does in the app. */
async function customer(transactionId, deed) {
  const res = await fetch(`${SANDBOX_URL}/_sandbox/linepay/${transactionId}/${deed}`, { method: 'POST' })
  assert.equal(res.status, 200, `${deed}: ${await res.clone().text()}`)
  return res.json()
}

/** The return code of a call that has to be refused. */
async function refusal(call) {
  try {
    await call
  } catch (err) {
    assert.ok(isLinePayApiError(err), `not an answer of LINE Pay: ${err}`)
    return err.data.returnCode
  }
  return assert.fail('it was not refused')
}

function body(orderId, amount, currency, payment) {
  return {
    amount,
    currency,
    orderId,
    packages: [{ id: 'p1', amount, name: '門市', products: [{ name: '拿鐵 & "可頌"', quantity: 1, price: amount }] }],
    redirectUrls: { confirmUrl: 'https://shop.example/paid', cancelUrl: 'https://shop.example/cancelled' },
    options: { payment: payment ?? {} }
  }
}

async function status(transactionId) {
  const { returnCode } = await client.checkPaymentStatus.send({ transactionId, params: {} }).then(r => r.body)
  return returnCode
}

/** Request, approval and confirm of a payment. */
async function pay(orderId, amount, currency, payment) {
  const requested = (await client.request.send({ body: body(orderId, amount, currency, payment) })).body
  assert.equal(requested.returnCode, '0000')
  const { transactionId } = requested.info
  assert.match(transactionId, /^[0-9]{19}$/)
  assert.match(requested.info.paymentUrl.web, /^http/)
  assert.equal(await status(transactionId), '0000')
  const approved = await customer(transactionId, 'approve')
  const back = new URL(approved.confirm_url)
  assert.equal(back.searchParams.get('transactionId'), transactionId)
  assert.equal(back.searchParams.get('orderId'), orderId)
  assert.equal(await status(transactionId), '0110')
  const confirmed = (await client.confirm.send({ transactionId, body: { amount, currency } })).body
  assert.equal(confirmed.returnCode, '0000')
  assert.equal(confirmed.info.transactionId, transactionId)
  assert.equal(confirmed.info.orderId, orderId)
  assert.equal(confirmed.info.payInfo.reduce((sum, part) => sum + part.amount, 0), amount)
  assert.equal(await status(transactionId), '0123')
  return confirmed.info
}

async function details(transactionId) {
  const found = (await client.paymentDetails.send({ params: { transactionId: [transactionId] } })).body
  assert.equal(found.returnCode, '0000')
  assert.equal(found.info.length, 1)
  return found.info[0]
}

async function refunded() {
  const { transactionId } = await pay('NODE-REFUND', 100, 'TWD')
  const again = client.confirm.send({ transactionId, body: { amount: 100, currency: 'TWD' } })
  assert.equal(await refusal(again), '1172')
  const part = (await client.refund.send({ transactionId, body: { refundAmount: 30 } })).body.info
  assert.match(part.refundTransactionId, /^[0-9]{19}$/)
  assert.equal(await refusal(client.refund.send({ transactionId, body: { refundAmount: 71 } })), '1164')
  const rest = (await client.refund.send({ transactionId, body: { refundAmount: 70 } })).body.info
  assert.equal(await refusal(client.refund.send({ transactionId, body: {} })), '1165')
  const record = await details(transactionId)
  assert.deepEqual(record.refundList.map(r => r.refundTransactionId), [part.refundTransactionId, rest.refundTransactionId])
  assert.deepEqual(record.refundList.map(r => r.refundAmount), [-30, -70])
  return { transaction_id: transactionId, refunds: [part.refundTransactionId, rest.refundTransactionId] }
}

async function captured() {
  const { transactionId, authorizationExpireDate } = await pay('NODE-CAPTURE', 9.99, 'USD', { capture: false })
  assert.ok(Date.parse(authorizationExpireDate) > Date.now())
  assert.equal((await details(transactionId)).payStatus, 'AUTHORIZATION')
  const taken = (await client.capture.send({ transactionId, body: { amount: 4.25, currency: 'USD' } })).body
  assert.equal(taken.info.transactionId, transactionId)
  assert.equal(await refusal(client.capture.send({ transactionId, body: { amount: 1, currency: 'USD' } })), '1179')
  const record = await details(transactionId)
  assert.equal(record.payStatus, 'CAPTURE')
  assert.equal(record.payInfo.reduce((sum, one) => sum + one.amount, 0), 4.25)
  return { transaction_id: transactionId }
}

async function voided() {
  const { transactionId } = await pay('NODE-VOID', 250, 'THB', { capture: false })
  assert.equal((await client.void.send({ transactionId, body: {} })).body.returnCode, '0000')
  assert.equal(await refusal(client.void.send({ transactionId, body: {} })), '1165')
  assert.equal((await details(transactionId)).payStatus, 'VOIDED_AUTHORIZATION')
  return { transaction_id: transactionId }
}

async function preapproved() {
  const { transactionId, regKey } = await pay('NODE-PREAPPROVED', 168, 'TWD', { payType: 'PREAPPROVED' })
  assert.match(regKey, /^RK[0-9A-Z]{13}$/)
  assert.equal((await client.checkRegKey.send({ regKey, params: {} })).body.returnCode, '0000')
  assert.equal((await client.checkRegKey.send({ regKey, params: { creditCardAuth: true } })).body.returnCode, '0000')
  const charge = { productName: 'Auto Test', amount: 1680, currency: 'TWD', orderId: 'NODE-CHARGE' }
  const charged = (await client.payPreapproved.send({ regKey, body: charge })).body
  assert.match(charged.info.transactionId, /^[0-9]{19}$/)
  assert.notEqual(charged.info.transactionId, transactionId)
  assert.equal((await client.expireRegKey.send({ regKey, body: {} })).body.returnCode, '0000')
  assert.equal(await refusal(client.checkRegKey.send({ regKey, params: {} })), '1193')
  assert.equal(await refusal(client.payPreapproved.send({ regKey, body: { ...charge, orderId: 'NODE-CHARGE-B' } })), '1193')
  return { transaction_id: transactionId, charge: charged.info.transactionId }
}

async function cancelled() {
  const { transactionId } = (await client.request.send({ body: body('NODE-CANCEL', 50, 'JPY') })).body.info
  await customer(transactionId, 'cancel')
  assert.equal(await status(transactionId), '0121')
  return { transaction_id: transactionId }
}

async function tooEarly() {
  const { transactionId } = (await client.request.send({ body: body('NODE-EARLY', 50, 'TWD') })).body.info
  assert.equal(await refusal(client.confirm.send({ transactionId, body: { amount: 50, currency: 'TWD' } })), '1169')
  assert.equal(await status(transactionId), '0122')
  return { transaction_id: transactionId }
}

async function foreign() {
  const other = createLinePayClient({ channelId: CHANNEL_ID, channelSecretKey: '0'.repeat(32), env: 'development' })
  assert.equal(await refusal(other.request.send({ body: body('NODE-FOREIGN', 50, 'TWD') })), '1106')
  assert.equal(await refusal(other.paymentDetails.send({ params: { orderId: ['NODE-VOID'] } })), '1106')
  return {}
}

async function main() {
  const told = {}
  for (const part of [refunded, captured, voided, preapproved, cancelled, tooEarly, foreign]) {
    told[part.name] = await part()
  }
  process.stdout.write(JSON.stringify(told) + '\n')
}

main().catch(err => {
  process.stderr.write(`${err.stack}\n`)
  process.exitCode = 1
})
