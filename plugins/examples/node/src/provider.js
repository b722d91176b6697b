// The provider: what it is, a payment, a search. The gateway is the one that `payrack plugin new` makes up.
import { parse } from './json.js';
import { SendError, exchange } from './gateway.js';

const json = (v) => Buffer.from(JSON.stringify(v));
const seconds = (n) => ({ seconds: n });
const orderColumn = { type: 'string', minLength: 1, maxLength: 40, 'x-payrack-role': 'order' };

export const description = {
  name: 'nodepay',
  version: VERSION,
  contractRevision: 1,
  messageFrom: 'NODEPAY',
  settingsSchema: json({
    type: 'object',
    additionalProperties: false,
    properties: { endpoints: { type: 'object', additionalProperties: false, properties: { live: { type: 'string' }, test: { type: 'string' } } } },
  }),
  types: [{
    name: 'NODEPAY_PAY',
    credentialSchema: json({
      type: 'object',
      additionalProperties: false,
      required: ['account', 'secret'],
      properties: {
        account: { type: 'string', minLength: 1, maxLength: 64, 'x-payrack-role': 'account' },
        secret: { type: 'string', minLength: 1, maxLength: 512, 'x-payrack-secret': true },
      },
    }),
    currencies: [{ code: 'TWD', exponent: 0 }],
    operations: [
      {
        kind: 'OPERATION_KIND_PAY',
        movesMoney: true,
        foundByOrderId: true,
        searchLagMax: seconds(30),
        landingMax: seconds(300),
        maxDuration: seconds(30),
        columnsSchema: json({
          type: 'object',
          additionalProperties: false,
          required: ['order_no', 'amount', 'currency', 'code'],
          properties: {
            order_no: orderColumn,
            amount: { type: 'integer', minimum: 1, 'x-payrack-role': 'amount' },
            currency: { type: 'string', enum: ['TWD'], 'x-payrack-role': 'currency' },
            code: { type: 'string', minLength: 1, maxLength: 64, 'x-payrack-role': 'code', 'x-payrack-secret': true },
            description: { type: 'string', maxLength: 200, 'x-payrack-role': 'description', 'x-payrack-text': true },
          },
        }),
        nativeBodies: [
          { situation: 'SITUATION_DUPLICATE_ORDER', body: json({ code: 'DUPLICATE_ORDER', message: 'The order number is taken.' }) },
          { situation: 'SITUATION_IN_PROGRESS', body: json({ code: 'IN_PROGRESS', message: 'The payment is in progress.' }) },
          { situation: 'SITUATION_REVERSING', body: json({ code: 'REVERSING', message: 'The payment is being given back.' }) },
        ],
      },
      {
        kind: 'OPERATION_KIND_SEARCH',
        foundByOrderId: true,
        searchLagMax: seconds(30),
        maxDuration: seconds(30),
        columnsSchema: json({ type: 'object', additionalProperties: false, required: ['order_no'], properties: { order_no: orderColumn } }),
      },
    ],
  }],
};

// problems says in words for the operator what is wrong with settings.
export function problems(settings) {
  if (settings === null || typeof settings !== 'object' || Array.isArray(settings)) return ['the settings are no JSON object'];
  const out = Object.keys(settings).filter((name) => name !== 'endpoints').map((name) => `there is no setting ${JSON.stringify(name)}`);
  for (const [name, value] of Object.entries(settings.endpoints ?? {})) {
    let url;
    try { url = new URL(value); } catch { /* it is no URL */ }
    if (name !== 'live' && name !== 'test') out.push(`there is no setting endpoints.${name}`);
    else if (!url || url.username || url.search || url.hash) out.push(`endpoints.${name} must be a URL such as https://api.example.com`);
    else if (url.protocol !== 'https:' && !(url.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname))) {
      out.push(`endpoints.${name} must be https`);
    }
  }
  return out;
}

const failure = (effect, reason, detail) => ({ error: { effect, reason, detail } });
const nothingSent = (reason, detail) => failure('EFFECT_NONE', reason, detail);
const unknown = (reason, detail) => failure('EFFECT_POSSIBLE', reason, detail);

// ask sends a request and reads the answer; what it throws becomes a failure in settle.
async function ask(settings, r, signal, request) {
  const credential = r.call.credential ?? {};
  for (const name of ['account', 'secret']) {
    if (typeof credential[name] !== 'string' || credential[name] === '') throw new SendError(false, 'REASON_AUTH', `the credential set has no ${name}`);
  }
  if (r.call.account && r.call.account !== credential.account) {
    throw new SendError(false, 'REASON_AUTH', 'the credential set is of another account than the one that the payment is pinned to');
  }
  const endpoint = settings.endpoints?.[r.call.environment];
  if (!endpoint) throw new SendError(false, 'REASON_INVALID', `no gateway is configured for the ${r.call.environment} environment`);
  const raw = await exchange({ ...request, endpoint, credential, signal, notAfter: request.method === 'POST' ? r.call.notAfter : undefined });
  try {
    return { raw, answer: parse(raw) };
  } catch (error) {
    throw new SendError(true, 'REASON_BAD_ANSWER', error.message);
  }
}

function settle(error) {
  if (!(error instanceof SendError)) return unknown('REASON_INTERNAL', 'the plugin failed internally');
  return error.sent ? unknown(error.reason, error.message) : nothingSent(error.reason, error.message);
}

// money reads an amount of an answer; an absent one is no difference.
function money(text, currency) {
  if (text === undefined) return undefined;
  if (!/^(0|[1-9][0-9]{0,17})$/.test(String(text)) || (currency ?? 'TWD') !== 'TWD') {
    throw new SendError(true, 'REASON_BAD_ANSWER', 'an amount of the answer cannot be read');
  }
  return { units: String(text), currency: 'TWD', exponent: 0 };
}

const reference = (p) => ({ orderId: p.order_no ?? '', providerTransactionId: p.transaction_id ?? '' });

// pay charges the code that the payer shows.
export async function pay(settings, r, signal) {
  try {
    // The amount is written in its digits: a JavaScript number would lose some.
    const { amount, ...texts } = { order_no: r.reference.orderId, amount: r.amount.units, currency: r.amount.currency, code: r.oneTimeCode, description: r.description };
    const body = JSON.stringify(texts).replace(/}$/, `,"amount":${amount}}`);
    const { raw, answer } = await ask(settings, r, signal, { method: 'POST', path: '/v1/payments', body });
    const native = { contentType: 'application/json', body: raw };
    const code = String(answer.code ?? '');
    if (code === '0000') {
      const p = answer.payment ?? {};
      if (!p.transaction_id) throw new SendError(true, 'REASON_BAD_ANSWER', 'paid, and there is no transaction id');
      return { result: { outcome: 'OUTCOME_APPROVED', reference: reference(p), captured: money(p.amount, p.currency), providerCode: code }, native };
    }
    // What is not documented as a definite no is unknown: the platform then searches.
    const outcome = code === '1142' ? 'OUTCOME_DECLINED' : 'OUTCOME_UNKNOWN';
    return { result: { outcome, providerCode: code, declineCode: code === '1142' ? 'declined' : '' }, native };
  } catch (error) {
    return settle(error);
  }
}

// search asks what the gateway knows. "Not found" is only said if the gateway said so.
export async function search(settings, r, signal) {
  try {
    if (!r.reference?.orderId) throw new SendError(false, 'REASON_INVALID', 'the gateway needs an order number');
    const query = new URLSearchParams({ order_no: r.reference.orderId }).toString();
    const { raw, answer } = await ask(settings, r, signal, { method: 'GET', path: '/v1/payments', query });
    const native = r.purpose === 'PURPOSE_CLIENT' ? { contentType: 'application/json', body: raw } : undefined;
    const p = answer.payment ?? {};
    if (answer.code === '1150') return { findings: { finding: 'FINDING_NOT_FOUND', complete: true }, native };
    if (answer.code !== '0000' || !p.transaction_id) return { findings: { finding: 'FINDING_IN_PROGRESS' }, native };
    const findings = { finding: 'FINDING_FOUND', complete: true, reference: reference(p), captured: money(p.amount, p.currency) };
    const refunded = money(p.refunded, p.currency);
    if (refunded && refunded.units !== '0') findings.refunded = refunded;
    return { findings, native };
  } catch (error) {
    return settle(error);
  }
}
