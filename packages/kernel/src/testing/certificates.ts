import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A certificate and its private key, both PEM. */
export interface TestCertificate {
  certificate: string;
  key: string;
}

/** An authority of its own for a test: nothing outside trusts it, and nothing is written to disk. */
export interface TestAuthority {
  /** PEM, for the `ca` of whoever is to trust what it issues. */
  readonly certificate: string;
  /** For a server at `localhost`, 127.0.0.1 and ::1. */
  issueServer(commonName?: string): TestCertificate;
  issueClient(commonName: string): TestCertificate;
}

/** Makes X.509 certificates (RFC 5280) with P-256 keys, as much of the standard as TLS libraries check. */
export function createTestAuthority(commonName = 'test authority'): TestAuthority {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issue = (subject: string, extensions: Buffer[]): TestCertificate => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const certificate = signCertificate(commonName, authority.privateKey, subject, publicKey, extensions);
    return { certificate, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
  };
  return {
    certificate: signCertificate(commonName, authority.privateKey, commonName, authority.publicKey, [
      extension(OID_BASIC_CONSTRAINTS, sequence(Buffer.from([0x01, 0x01, 0xff]))),
    ]),
    issueServer: (subject = 'localhost') =>
      issue(subject, [
        extension(OID_EXTENDED_KEY_USAGE, sequence(OID_SERVER_AUTH)),
        extension(
          OID_SUBJECT_ALT_NAME,
          sequence(dnsName('localhost'), ipAddress([127, 0, 0, 1]), ipAddress(LOOPBACK_6)),
        ),
      ]),
    issueClient: (subject) => issue(subject, [extension(OID_EXTENDED_KEY_USAGE, sequence(OID_CLIENT_AUTH))]),
  };
}

const OID_ECDSA_WITH_SHA256 = oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02);
const OID_COMMON_NAME = oid(0x55, 0x04, 0x03);
const OID_BASIC_CONSTRAINTS = oid(0x55, 0x1d, 0x13);
const OID_SUBJECT_ALT_NAME = oid(0x55, 0x1d, 0x11);
const OID_EXTENDED_KEY_USAGE = oid(0x55, 0x1d, 0x25);
const OID_SERVER_AUTH = oid(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01);
const OID_CLIENT_AUTH = oid(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02);
const LOOPBACK_6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

function signCertificate(
  issuer: string,
  issuerKey: KeyObject,
  subject: string,
  publicKey: KeyObject,
  extensions: Buffer[],
): string {
  const algorithm = sequence(OID_ECDSA_WITH_SHA256);
  // The first bit stays 0, so that the number is positive.
  const serial = Buffer.concat([Buffer.from([0x01]), randomBytes(15)]);
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    name(issuer),
    sequence(der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z'))),
    name(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', signed, issuerKey);
  const certificate = sequence(signed, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = certificate.toString('base64').match(/.{1,64}/g) as string[];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** One value in DER (ITU-T X.690): tag, length in its shortest form, content. */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function oid(...bytes: number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

function name(commonName: string): Buffer {
  return sequence(der(0x31, sequence(OID_COMMON_NAME, der(0x0c, Buffer.from(commonName)))));
}

function extension(id: Buffer, value: Buffer): Buffer {
  return sequence(id, der(0x04, value));
}

function dnsName(host: string): Buffer {
  return der(0x82, Buffer.from(host));
}

function ipAddress(bytes: number[]): Buffer {
  return der(0x87, Buffer.from(bytes));
}
