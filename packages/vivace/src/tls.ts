import { readFileSync } from 'node:fs';
import type { ChannelTls, ListenerTls } from '@vivace/http';
import { systemErrorCode, VivaceError } from '@vivace/kernel';

/** The TLS settings of a listener, as they are in the configuration: paths, empty where not set. */
export interface TlsPaths {
  cert_file: string;
  key_file: string;
  client_ca_file: string;
}

export interface TlsFiles {
  certificate: string;
  key: string;
  clientCa: string | undefined;
}

/** Reads the files of a listener's TLS settings; undefined where it has none. */
export function readTlsFiles(paths: TlsPaths): TlsFiles | undefined {
  if (paths.cert_file === '') return undefined;
  return {
    certificate: readPem(paths.cert_file),
    key: readPem(paths.key_file),
    clientCa: paths.client_ca_file === '' ? undefined : readPem(paths.client_ca_file),
  };
}

/** The same for the listeners of the API and of the port between processes. */
export function listenerTls(paths: TlsPaths): ListenerTls | undefined {
  const files = readTlsFiles(paths);
  if (files === undefined) return undefined;
  const { certificate, key, clientCa } = files;
  return { certificate, key, ...(clientCa !== undefined && { clientCa }) };
}

/** The TLS settings of a client, as they are in the configuration: paths, empty where not set. */
export interface ClientTlsPaths {
  tls_enabled: boolean;
  tls_cert_path: string;
  tls_key_path: string;
  tls_ca_path: string;
  tls_server_name: string;
}

/** Reads the files of a client's TLS settings; undefined where it speaks no TLS. */
export function clientTls(paths: ClientTlsPaths): ChannelTls | undefined {
  if (!paths.tls_enabled) return undefined;
  return {
    ...(paths.tls_ca_path !== '' && { ca: readPem(paths.tls_ca_path) }),
    ...(paths.tls_cert_path !== '' && { certificate: readPem(paths.tls_cert_path) }),
    ...(paths.tls_key_path !== '' && { key: readPem(paths.tls_key_path) }),
    ...(paths.tls_server_name !== '' && { serverName: paths.tls_server_name }),
  };
}

function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new VivaceError(
      'invalid',
      'tls-file',
      `a TLS file cannot be read (${systemErrorCode(error) ?? 'unknown'}): check the path and its mode, ${file}`,
      { cause: error },
    );
  }
}
