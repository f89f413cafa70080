import { VivaceError } from '@vivace/kernel';
import { formatEndpoint, parseEndpoint } from './endpoint.ts';
import type { RawValue } from './raw.ts';

const GRPC_ENDPOINT = 'distributor.receivers.otlp.protocols.grpc.endpoint';
const HTTP_ENDPOINT = 'distributor.receivers.otlp.protocols.http.endpoint';

/** A flag that sets settings. */
export interface ConfigFlag {
  /** `http-port`, written `--http-port`. */
  name: string;
  /** What follows it, for the help. */
  placeholder: string;
  about: string;
  /** The settings it stands for; `current` gives what file, environment and defaults say. Throws `invalid`. */
  apply: (value: string, current: (path: string) => string) => Omit<RawValue, 'where'>[];
}

/** Every flag that sets settings, in the order of the help. */
export const configFlags: readonly ConfigFlag[] = [
  {
    name: 'data-dir',
    placeholder: 'DIR',
    about: 'everything on disk: the log in DIR/wal, local blocks in DIR/store',
    apply: (value) => {
      if (value.trim() === '') throw invalid('--data-dir needs a directory');
      const directory = value.replace(/(?<=.)\/+$/, '');
      const below = (name: string) => (directory === '/' ? `/${name}` : `${directory}/${name}`);
      return [
        { path: 'storage.trace.wal.path', value: below('wal') },
        { path: 'storage.trace.local.path', value: below('store') },
      ];
    },
  },
  {
    name: 'http-port',
    placeholder: 'PORT',
    about: 'port of the HTTP API; 0 picks a free one, here and below',
    apply: (value) => [{ path: 'server.http_listen_port', value: checkPort('http-port', value) }],
  },
  {
    name: 'otlp-grpc-port',
    placeholder: 'PORT',
    about: 'port of OTLP over gRPC',
    apply: (value, current) => [withPort(GRPC_ENDPOINT, checkPort('otlp-grpc-port', value), current)],
  },
  {
    name: 'otlp-http-port',
    placeholder: 'PORT',
    about: 'port of OTLP over HTTP',
    apply: (value, current) => [withPort(HTTP_ENDPOINT, checkPort('otlp-http-port', value), current)],
  },
  {
    name: 'grpc-port',
    placeholder: 'PORT',
    about: 'port at which other processes of Vivace call this one',
    apply: (value) => [{ path: 'server.grpc_listen_port', value: checkPort('grpc-port', value) }],
  },
  {
    name: 'bind',
    placeholder: 'ADDRESS',
    about: 'address of all listeners; 0.0.0.0 is every interface',
    apply: (value, current) => {
      const host = value.replace(/^\[(.*)\]$/, '$1');
      if (!/^[\w.:-]+$/.test(host)) throw invalid(`--bind needs an address or host name, without a port: '${value}'`);
      if (/^[\w.-]+:\d+$/.test(host))
        throw invalid(`--bind takes no port: use --http-port, --otlp-grpc-port, --otlp-http-port and --grpc-port`);
      return [
        { path: 'server.http_listen_address', value: host },
        { path: 'server.grpc_listen_address', value: host },
        withHost(GRPC_ENDPOINT, host, current),
        withHost(HTTP_ENDPOINT, host, current),
      ];
    },
  },
  {
    name: 'target',
    placeholder: 'NAME',
    about: 'services that this process runs',
    apply: (value) => [{ path: 'target', value }],
  },
  {
    name: 'log-level',
    placeholder: 'LEVEL',
    about: 'debug, info, warn or error',
    apply: (value) => [{ path: 'server.log_level', value }],
  },
];

function withPort(path: string, port: string, current: (path: string) => string): Omit<RawValue, 'where'> {
  const host = parseEndpoint(current(path))?.host ?? '127.0.0.1';
  return { path, value: formatEndpoint({ host, port: Number(port) }) };
}

function withHost(path: string, host: string, current: (path: string) => string): Omit<RawValue, 'where'> {
  return { path, value: formatEndpoint({ host, port: parseEndpoint(current(path))?.port ?? 0 }) };
}

function checkPort(name: string, value: string): string {
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) {
    throw invalid(`--${name} must be a port from 0 to 65535: '${value}'`);
  }
  return value;
}

function invalid(message: string): VivaceError {
  return new VivaceError('invalid', 'usage', message);
}
