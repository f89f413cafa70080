import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { createTestAuthority } from './certificates.ts';

test('an authority issues certificates that are its own and nobody else’s', () => {
  const authority = createTestAuthority('one');
  const ca = new X509Certificate(authority.certificate);
  const other = new X509Certificate(createTestAuthority('one').certificate);
  expect(ca.ca).toBe(true);
  for (const issued of [authority.issueServer(), authority.issueClient('grafana')]) {
    const certificate = new X509Certificate(issued.certificate);
    expect(certificate.ca).toBe(false);
    expect(certificate.issuer).toBe('CN=one');
    expect(certificate.verify(ca.publicKey)).toBe(true);
    expect(certificate.verify(other.publicKey)).toBe(false);
  }
});

test('a server certificate is for this machine, a client certificate for its name', () => {
  const authority = createTestAuthority();
  const server = new X509Certificate(authority.issueServer().certificate);
  expect(server.checkHost('localhost')).toBe('localhost');
  expect(server.checkHost('example.com')).toBeUndefined();
  expect([server.checkIP('127.0.0.1'), server.checkIP('::1'), server.checkIP('127.0.0.2')]).toEqual([
    '127.0.0.1',
    '::1',
    undefined,
  ]);
  expect(server.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  const client = new X509Certificate(authority.issueClient('grafana').certificate);
  expect(client.subject).toBe('CN=grafana');
  expect(client.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
});
