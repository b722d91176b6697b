// One HTTP request to the gateway, sent at most once. What is thrown says whether a byte may have left, because
// everything that the platform does next depends on it.
import { createHmac, randomBytes } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';

const maxAnswer = 64 << 10;

// SendError: sent is false only if nothing of the request can have left.
export class SendError extends Error {
  constructor(sent, reason, detail) {
    super(detail);
    this.sent = sent;
    this.reason = reason;
  }
}

// Connections are kept, and given up before the gateway does so: it could close one in the moment in which it is used,
// and then nobody knows whether the request arrived.
const kept = { keepAlive: true, timeout: 25_000, maxFreeSockets: 256 };
const agents = { 'http:': new http.Agent(kept), 'https:': new https.Agent({ ...kept, minVersion: 'TLSv1.2' }) };

// exchange signs and sends a request and returns the bytes of the answer. notAfter is a time in ms, or undefined.
export function exchange({ endpoint, method, path, query = '', body = '', credential, signal, notAfter }) {
  const url = new URL(endpoint);
  const nonce = randomBytes(16).toString('hex');
  const full = url.pathname.replace(/\/$/, '') + path;
  const mac = createHmac('sha256', credential.secret).update(method + full + query + body + nonce).digest('hex');
  const secure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    let sent = false;
    const request = (secure ? https : http).request({
      agent: agents[url.protocol],
      method,
      path: full + (query && '?' + query),
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port || undefined,
      headers: {
        host: url.host,
        ...(body && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        'x-account': credential.account,
        'x-nonce': nonce,
        'x-signature': mac,
      },
    });
    const lost = (reason, detail) => {
      signal.removeEventListener('abort', aborted);
      request.destroy();
      reject(new SendError(sent, reason, sent ? detail : detail + '; nothing was sent'));
    };
    const aborted = () => lost('REASON_TIMEOUT', 'no answer in time');
    signal.addEventListener('abort', aborted, { once: true });
    request.on('error', () => lost('REASON_UNAVAILABLE', sent ? 'the connection broke before the answer' : 'the gateway could not be reached'));
    // Node writes nothing before end(): until then it is certain that nothing was sent.
    const send = () => {
      if (signal.aborted) return aborted();
      if (notAfter !== undefined && Date.now() > notAfter) return lost('REASON_TIMEOUT', 'the latest moment to send has passed');
      sent = true;
      return request.end(body);
    };
    request.on('socket', (socket) => (socket.connecting ? socket.once(secure ? 'secureConnect' : 'connect', send) : send()));
    request.on('response', (answer) => {
      const pieces = [];
      let length = 0;
      answer.on('data', (piece) => {
        pieces.push(piece);
        length += piece.length;
        if (length > maxAnswer) lost('REASON_BAD_ANSWER', 'the answer is longer than 64 KiB');
      });
      answer.on('error', () => lost('REASON_BAD_ANSWER', 'the answer broke off'));
      answer.on('end', () => {
        if (!answer.complete) return lost('REASON_BAD_ANSWER', 'the answer broke off');
        signal.removeEventListener('abort', aborted);
        if (answer.statusCode < 200 || answer.statusCode > 299) {
          return reject(new SendError(true, reasonOf(answer.statusCode), `HTTP status ${answer.statusCode}`));
        }
        return resolve(Buffer.concat(pieces));
      });
    });
  });
}

function reasonOf(status) {
  if (status === 401 || status === 403) return 'REASON_AUTH';
  if (status === 429) return 'REASON_RATE_LIMITED';
  return status >= 500 ? 'REASON_UNAVAILABLE' : 'REASON_BAD_ANSWER';
}
