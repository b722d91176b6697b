// A self-signed certificate for one life of the process. Node can make keys and signatures; the certificate around
// them is a little DER.
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const der = (tag, ...parts) => {
  const body = Buffer.concat(parts);
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.from(body.length.toString(16).padStart(4, '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x82]), length, body]);
};
const sequence = (...parts) => der(0x30, ...parts);
const oid = (hex) => der(0x06, Buffer.from(hex, 'hex'));
const octets = (...parts) => der(0x04, ...parts);
const time = (date) => der(0x18, Buffer.from(date.toISOString().replace(/[-:T]|\.\d+/g, ''))); // 20260102030405Z

const ecdsaWithSHA256 = sequence(oid('2a8648ce3d040302'));
const name = sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from('localhost')))));

// newCertificate returns { der, certificate, key }: the bytes for the handshake, and PEM for the TLS server.
export function newCertificate() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const serial = randomBytes(16);
  serial[0] = (serial[0] & 0x7f) | 0x40;
  const now = Date.now();
  const extension = (id, value, critical) => sequence(oid(id), ...(critical ? [der(0x01, Buffer.from([0xff]))] : []), octets(value));
  const tbs = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ecdsaWithSHA256,
    name,
    sequence(time(new Date(now - 30_000)), time(new Date(now + 20 * 365 * 86_400_000))),
    name,
    spki,
    der(0xa3, sequence(
      extension('551d13', sequence(der(0x01, Buffer.from([0xff]))), true), // a certificate authority: its own
      extension('551d0f', der(0x03, Buffer.from([2, 0x84])), true), // digital signature, certificate signing
      extension('551d25', sequence(oid('2b06010505070301'), oid('2b06010505070302'))), // server and client
      extension('551d0e', octets(createHash('sha256').update(spki).digest().subarray(0, 20))),
      extension('551d11', sequence(der(0x82, Buffer.from('localhost')))), // the name that the host expects
    )),
  );
  const certificate = sequence(tbs, ecdsaWithSHA256, der(0x03, Buffer.from([0]), sign('sha256', tbs, privateKey)));
  const pem = certificate.toString('base64').replace(/.{1,64}/g, '$&\n');
  return {
    der: certificate,
    certificate: `-----BEGIN CERTIFICATE-----\n${pem}-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}
