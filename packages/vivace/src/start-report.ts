import path from 'node:path';
import { type Config, logBackend, parseEndpoint, redactUrl } from '@vivace/config';
import { bytesToHex, type Clock, type Random } from '@vivace/kernel';
import type { Running } from './running.ts';
import { VERSION } from './version.ts';

export interface StartReportInput {
  config: Config;
  running: Pick<Running, 'addresses' | 'notices'>;
  clock: Clock;
  random: Random;
}

/** What a start prints: where everything is, and commands that send a first trace and read it back, to be pasted. */
export function renderStartReport(input: StartReportInput): string {
  const { otlpGrpc, otlpHttp } = input.running.addresses;
  if (input.config.target !== 'all' || otlpGrpc === undefined || otlpHttp === undefined) return renderPartReport(input);
  return renderWholeReport(input, { otlpGrpc, otlpHttp });
}

/** One of several processes: where it is; what to send and ask goes elsewhere. */
function renderPartReport({ config, running }: StartReportInput): string {
  const { http, otlpGrpc, otlpHttp, grpc } = running.addresses;
  const { protocols } = config.distributor.receivers.otlp;
  const lines = [
    `HTTP       ${url(http, config.server.tls.cert_file !== '')}`,
    otlpGrpc !== undefined && `OTLP gRPC  ${otlpGrpc}${protocols.grpc.tls.cert_file === '' ? '' : ' (TLS)'}`,
    otlpHttp !== undefined && `OTLP HTTP  ${url(otlpHttp, protocols.http.tls.cert_file !== '')}/v1/traces`,
    grpc !== undefined && `Calls      ${grpc}${config.server.grpc_tls.cert_file === '' ? '' : ' (TLS)'}`,
    (config.target === 'distributor' || config.target === 'querier') &&
      `Ingesters  ${config.ingester_client.addresses.join(', ')}`,
    config.target === 'query-frontend' && `Queriers   ${config.querier_client.addresses.join(', ')}`,
    config.target !== 'distributor' && config.target !== 'query-frontend' && `Store      ${blocksPlace(config)}`,
  ];
  const shown = lines.filter((line) => line !== false).map((line) => `  ${line}\n`);
  return `\nVivace ${VERSION}, ${config.target}, is ready\n\n${shown.join('')}`;
}

function renderWholeReport(
  { config, running, clock, random }: StartReportInput,
  otlp: { otlpGrpc: string; otlpHttp: string },
): string {
  const { addresses } = running;
  const { protocols } = config.distributor.receivers.otlp;
  const http = url(addresses.http, config.server.tls.cert_file !== '');
  const otlpHttp = url(otlp.otlpHttp, protocols.http.tls.cert_file !== '');
  const notices = [...standingNotices(config, addresses), ...running.notices];
  const traceId = bytesToHex(random.bytes(16));
  const demo =
    http === 'http://127.0.0.1:3200' && otlpHttp === 'http://127.0.0.1:4318'
      ? ''
      : ` -- --http-url ${http} --otlp-http-url ${otlpHttp}`;

  return `
Vivace ${VERSION} is ready

  HTTP API   ${http}
  OTLP gRPC  ${otlp.otlpGrpc}${protocols.grpc.tls.cert_file === '' ? '' : ' (TLS)'}
  OTLP HTTP  ${otlpHttp}/v1/traces
  Blocks     ${blocksPlace(config)}
  Log        ${logPlace(config)}

Send a first trace, then read it:

  ${curl(otlpHttp, config)} -H 'Content-Type: application/json' ${otlpHttp}/v1/traces -d '${firstTrace(traceId, clock, random)}'
  ${curl(http, config)} ${http}/api/v2/traces/${traceId}

Some realistic traces:  npm run demo${demo}
Grafana:                a data source of type Tempo with the URL ${http} (deploy/grafana/datasource.yaml)
${notices.length === 0 ? '' : `\n${notices.map((notice) => `! ${notice}`).join('\n')}\n`}`;
}

function standingNotices(config: Config, addresses: Running['addresses']): string[] {
  const notices: string[] = [];
  const bound = Object.values(addresses) as string[];
  const hosts = [...new Set(bound.map((address) => parseEndpoint(address)?.host ?? address))];
  if (hosts.every(isLoopback)) {
    notices.push(
      `Listening on ${hosts.join(', ')}: only this machine reaches it. --bind 0.0.0.0 opens it; there is no login.`,
    );
  } else {
    notices.push(`Listening on ${hosts.join(', ')}: whoever reaches it can read and write; there is no login.`);
  }
  if (config.storage.trace.backend === 's3' && logBackend(config) === 'disk') {
    notices.push(
      `Acknowledged spans are on this disk until they are in the bucket: ${path.resolve(config.storage.trace.wal.path)} must survive a restart (POST /flush moves everything at once).`,
    );
  }
  return notices;
}

function blocksPlace(config: Config): string {
  const { endpoint } = config.storage.trace.s3;
  const at = config.storage.trace.backend === 's3' && endpoint !== '' ? ` at ${redactUrl(endpoint)}` : '';
  return storePlace(config) + at;
}

function logPlace(config: Config): string {
  if (logBackend(config) === 'disk') return path.resolve(config.storage.trace.wal.path);
  return `${storePlace(config)}/wal`;
}

function storePlace(config: Config): string {
  const { backend, local, s3 } = config.storage.trace;
  return backend === 'local' ? path.resolve(local.path) : `s3://${[s3.bucket, s3.prefix].filter(Boolean).join('/')}`;
}

function url(address: string, tls: boolean): string {
  const { host, port } = parseEndpoint(address) ?? { host: address, port: 0 };
  // A wildcard is where one listens, not where one connects.
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  return `${tls ? 'https' : 'http'}://${name}:${port}`;
}

function curl(to: string, config: Config): string {
  const tenant = config.multitenancy_enabled ? " -H 'X-Scope-OrgID: demo'" : '';
  return `curl -sS${to.startsWith('https:') ? ' -k' : ''}${tenant}`;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/** OTLP JSON of one span that ends now. */
function firstTrace(traceId: string, clock: Clock, random: Random): string {
  const endMs = clock.nowMs();
  const span = {
    traceId,
    spanId: bytesToHex(random.bytes(8)),
    name: 'hello',
    kind: 2,
    startTimeUnixNano: `${endMs - 100}000000`,
    endTimeUnixNano: `${endMs}000000`,
  };
  const service = { key: 'service.name', value: { stringValue: 'first-steps' } };
  return JSON.stringify({ resourceSpans: [{ resource: { attributes: [service] }, scopeSpans: [{ spans: [span] }] }] });
}
