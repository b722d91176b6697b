// The plugin as a process: handshake, gRPC, logs, the end. plugins/proto/HANDSHAKE.md explains each step.
import fs from 'node:fs';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs/light.js';
import contract from './contract.json';
import { newCertificate } from './certificate.js';
import { refused } from './guard.js';
import { description, pay, problems, search } from './provider.js';

const maxMessage = 1 << 20;
const log = (level, msg, more = {}) => process.stderr.write(JSON.stringify({ time: new Date().toISOString(), level, msg, ...more }) + '\n');

const root = protobuf.Root.fromJSON(contract);
const type = (name) => root.lookupType('payrack.provider.v1.' + name);

// info is the description as protobuf JSON, for --payrack-info.
function info() {
  const object = type('GetInfoResponse').toObject(type('GetInfoResponse').fromObject(description), { bytes: String, enums: String, longs: String });
  return JSON.stringify(object, (name, value) => (/Max$|^maxDuration$/.test(name) && value?.seconds !== undefined ? `${value.seconds}s` : value), 2);
}

// read decodes a request and notices parts that this contract does not have: unknown fields are lost on the way back.
function read(requestType, bytes) {
  const message = requestType.decode(bytes);
  const r = requestType.toObject(message, { bytes: Buffer, enums: String, longs: String });
  r.foreign = requestType.encode(message).finish().length !== bytes.length || unknownEnum(requestType, message);
  if (r.amount) r.amount = { exponent: 0, currency: '', ...r.amount, units: BigInt(r.amount.units ?? 0) };
  if (r.call) {
    const at = r.call.notAfter;
    r.call.notAfter = at && Number(at.seconds ?? 0) * 1000 + (at.nanos ?? 0) / 1e6;
    try {
      r.call.credential = JSON.parse(r.call.credentialJson ?? '{}');
    } catch {
      r.call.credential = {};
    }
  }
  return r;
}

function unknownEnum(t, message) {
  return t.fieldsArray.some((f) => {
    const value = message[f.name];
    if (value === null || value === undefined || !Object.hasOwn(message, f.name)) return false;
    f.resolve();
    if (f.resolvedType instanceof protobuf.Enum) return f.resolvedType.valuesById[value] === undefined;
    return f.resolvedType instanceof protobuf.Type && !f.repeated && unknownEnum(f.resolvedType, value);
  });
}

let settings; // undefined until Configure

// provide answers one call about a payment. Whatever goes wrong, the answer says that nobody knows.
function provide(kind, wrap, work) {
  return async (call, answer) => {
    const r = call.request;
    const deadline = Number(call.getDeadline());
    const no = refused(kind, r, description, { foreign: r.foreign, deadline, configured: settings !== undefined });
    if (no) return answer(null, wrap({ error: { effect: 'EFFECT_NONE', reason: no[0], detail: no[1] } }));
    const ended = new AbortController();
    call.on('cancelled', () => ended.abort());
    const timer = setTimeout(() => ended.abort(), Math.max(0, deadline - Date.now() - 20));
    try {
      return answer(null, wrap(await work(settings, r, ended.signal)));
    } catch {
      log('ERROR', 'call failed internally', { call: kind });
      return answer(null, wrap({ error: { effect: 'EFFECT_POSSIBLE', reason: 'REASON_INTERNAL', detail: 'the plugin failed internally' } }));
    } finally {
      clearTimeout(timer);
    }
  };
}

const methods = {
  GetInfo: (_, answer) => answer(null, description),
  Configure: (call, answer) => {
    let next;
    try {
      next = JSON.parse(call.request.settingsJson?.toString() || '{}');
    } catch {
      return answer(null, { problems: ['the settings are no JSON'] });
    }
    const wrong = problems(next);
    if (wrong.length === 0) settings = next;
    return answer(null, { problems: wrong });
  },
  Health: (_, answer) => answer(null, settings ? { ready: true } : { detail: 'not configured yet' }),
  Pay: provide('OPERATION_KIND_PAY', (a) => ({ answer: a }), pay),
  // This gateway pushes nothing. Whatever somebody sends to the callback is about no payment.
  ParseNotification: (_, answer) => answer(null, {}),
  Search: provide('OPERATION_KIND_SEARCH', (a) => a, search),
};

function service() {
  const out = {};
  for (const m of root.lookupService('payrack.provider.v1.ProviderService').methodsArray) {
    const [requestType, answerType] = [type(m.requestType), type(m.responseType)];
    out[m.name] = {
      path: '/payrack.provider.v1.ProviderService/' + m.name,
      requestStream: false,
      responseStream: Boolean(m.responseStream),
      requestDeserialize: (bytes) => read(requestType, bytes),
      requestSerialize: (r) => requestType.encode(requestType.fromObject(r)).finish(),
      responseSerialize: (a) => Buffer.from(answerType.encode(answerType.fromObject(a)).finish()),
      responseDeserialize: (bytes) => answerType.decode(bytes),
    };
  }
  return out;
}

function serve() {
  // The host proves itself with the certificate of PLUGIN_CLIENT_CERT, we with the one in the handshake line.
  const own = newCertificate();
  const server = new grpc.Server({ 'grpc.max_receive_message_length': maxMessage, 'grpc.max_send_message_length': maxMessage });
  server.addService(service(), methods); // calls without a method answer UNIMPLEMENTED
  const credentials = grpc.ServerCredentials.createSsl(
    Buffer.from(process.env.PLUGIN_CLIENT_CERT), [{ private_key: Buffer.from(own.key), cert_chain: Buffer.from(own.certificate) }], true,
  );
  const socket = path.join(process.env.PLUGIN_UNIX_SOCKET_DIR, 'plugin.sock');
  server.bindAsync('unix:' + socket, credentials, (error) => {
    if (error) {
      log('ERROR', 'cannot serve', { error: error.message });
      process.exit(1);
    }
    process.stdout.write(`1|1|unix|${socket}|grpc|${own.der.toString('base64').replace(/=+$/, '')}\n`);
  });
  // The host drains the calls and then closes our standard input. Signals are for it to handle.
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, () => {});
  process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
  process.on('uncaughtException', () => log('ERROR', 'something was thrown and not caught')); // its text may hold what a client sent
}

if (process.argv.includes('--payrack-info')) {
  fs.writeSync(1, info() + '\n');
} else if (process.env.PAYRACK_PROVIDER_PLUGIN !== '0f0e9b54-6c2f-4b56-9a39-52d7f1f3a9c4' || !process.env.PLUGIN_CLIENT_CERT) {
  process.stderr.write(`This is the payrack provider plugin "${description.name}", version ${description.version}. It is started by payrack, not by hand.\n`);
  process.exit(1);
} else {
  serve();
}
