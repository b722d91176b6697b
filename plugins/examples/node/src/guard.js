// refused says why a request is not done, or nothing. It comes before the provider: a plugin that overlooks a part of a
// request does something else than it was asked for.
const decimals = { TWD: 0 };

export function refused(kind, r, description, { foreign, deadline, configured }) {
  const call = r.call;
  const type = description.types.find((t) => t.name === call?.paymentType);
  if (!call) return ['REASON_INVALID', 'the request has no head'];
  if (!Number.isFinite(deadline)) return ['REASON_INVALID', 'the call has no deadline'];
  if (call.mustUnderstand?.length) return ['REASON_UNSUPPORTED', 'this plugin does not know a contract addition that the request needs'];
  if (!type) return ['REASON_UNSUPPORTED', 'this plugin does not serve the payment type'];
  if (!type.operations.some((o) => o.kind === kind)) return ['REASON_UNSUPPORTED', 'the payment type has no such operation'];
  if (call.environment !== 'live' && call.environment !== 'test') return ['REASON_INVALID', 'the environment is neither live nor test'];
  if (!configured) return ['REASON_UNAVAILABLE', 'the plugin is not configured yet'];
  if (kind === 'OPERATION_KIND_SEARCH') return undefined;
  if (foreign) return ['REASON_UNSUPPORTED', 'the request has a part that this plugin does not know; install a newer release'];
  if (call.notAfter !== undefined && Date.now() > call.notAfter) return ['REASON_TIMEOUT', 'the latest moment to send has passed'];
  if (!r.capture && kind === 'OPERATION_KIND_PAY') return ['REASON_UNSUPPORTED', 'this gateway takes the money at once'];
  if (!(r.amount?.units > 0n)) return ['REASON_INVALID', 'the amount is not positive'];
  if (!(r.amount.currency in decimals)) return ['REASON_INVALID', 'the payment type does not take the currency'];
  if (r.amount.exponent !== decimals[r.amount.currency]) return ['REASON_INVALID', "host and plugin disagree on the currency's decimals"];
  return undefined;
}
