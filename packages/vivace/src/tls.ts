import { readFileSync } from 'node:fs';
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
