import { loadConfig } from '@vivace/config';
import { seededRandom, systemClock } from '@vivace/kernel';
import { expect, test } from 'vitest';
import { renderStartReport } from './start-report.ts';

const clock = { ...systemClock, nowMs: () => 1_800_000_000_123 };
const addresses = { http: '127.0.0.1:3200', otlpGrpc: '127.0.0.1:4317', otlpHttp: '127.0.0.1:4318' };

function report(
  env: Record<string, string>,
  running: Partial<{ addresses: typeof addresses; notices: string[] }> = {},
): string {
  return renderStartReport({
    config: loadConfig({ env }),
    running: { addresses, notices: [], ...running },
    clock,
    random: seededRandom(1),
  });
}

test('the report says where everything is and that only this machine reaches it', () => {
  const text = report({ VIVACE_STORAGE_TRACE_LOCAL_PATH: '/d/store', VIVACE_STORAGE_TRACE_WAL_PATH: '/d/wal' });
  expect(text).toContain('HTTP API   http://127.0.0.1:3200\n');
  expect(text).toContain('OTLP gRPC  127.0.0.1:4317\n');
  expect(text).toContain('OTLP HTTP  http://127.0.0.1:4318/v1/traces\n');
  expect(text).toContain('Blocks     /d/store\n');
  expect(text).toContain('Log        /d/wal\n');
  expect(text).toContain('npm run demo\n');
  expect(text).toContain('! Listening on 127.0.0.1: only this machine reaches it. --bind 0.0.0.0 opens it');
});

test('the first trace is an OTLP request of one span with times of now, and the reading command names its id', () => {
  const text = report({});
  const body = JSON.parse(/-d '(.*)'/.exec(text)?.[1] ?? '') as {
    resourceSpans: { scopeSpans: { spans: { traceId: string; endTimeUnixNano: string }[] }[] }[];
  };
  const span = body.resourceSpans[0]?.scopeSpans[0]?.spans[0];
  expect(span?.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(span?.endTimeUnixNano).toBe('1800000000123000000');
  expect(text).toContain(`curl -sS http://127.0.0.1:3200/api/v2/traces/${span?.traceId}\n`);
});

test('other ports reach the demo command, wildcards become addresses that can be called', () => {
  const text = report({}, { addresses: { http: '0.0.0.0:9', otlpGrpc: '[::]:8', otlpHttp: '[::1]:7' } });
  expect(text).toContain('npm run demo -- --http-url http://127.0.0.1:9 --otlp-http-url http://[::1]:7\n');
  expect(text).toContain('! Listening on 0.0.0.0, ::, ::1: whoever reaches it can read and write');
});

const BUCKET = {
  VIVACE_STORAGE_TRACE_BACKEND: 's3',
  VIVACE_STORAGE_TRACE_S3_BUCKET: 'traces',
  VIVACE_STORAGE_TRACE_S3_PREFIX: 'eu',
  VIVACE_STORAGE_TRACE_S3_ENDPOINT: 'http://key:secret@minio:9000',
  VIVACE_STORAGE_TRACE_WAL_PATH: '/d/wal',
};

test('with a bucket blocks and log are there, and nothing must survive', () => {
  const text = report(BUCKET);
  expect(text).toContain('Blocks     s3://traces/eu at http://<redacted>@minio:9000\n');
  expect(text).toContain('Log        s3://traces/eu/wal\n');
  expect(text).not.toContain('survive');
  expect(text).not.toContain('secret');
});

test('with a bucket and the log on the disk the report says that the disk must survive', () => {
  const text = report({ ...BUCKET, VIVACE_INGESTER_WAL_BACKEND: 'disk' });
  expect(text).toContain('Log        /d/wal\n');
  expect(text).toMatch(/! Acknowledged spans are on this disk until they are in the bucket: \/d\/wal must survive/);
  expect(text).not.toContain('secret');
});

test('TLS and tenants are in the commands, notices of the start below', () => {
  const tls = {
    VIVACE_SERVER_TLS_CERT_FILE: 'c',
    VIVACE_SERVER_TLS_KEY_FILE: 'k',
    VIVACE_MULTITENANCY_ENABLED: 'true',
  };
  const text = report(tls, { notices: ['1 block cannot be read and is skipped: 0198'] });
  expect(text).toContain("curl -sS -k -H 'X-Scope-OrgID: demo' https://127.0.0.1:3200/api/v2/traces/");
  expect(text).toContain(
    "curl -sS -H 'X-Scope-OrgID: demo' -H 'Content-Type: application/json' http://127.0.0.1:4318/v1/traces",
  );
  expect(text).toContain('! 1 block cannot be read and is skipped: 0198\n');
});

test('one of several processes says where it is, and what to send to others it does not', () => {
  const distributor = renderStartReport({
    config: loadConfig({
      env: { VIVACE_TARGET: 'distributor', VIVACE_INGESTER_CLIENT_ADDRESSES: 'dns+a://ingester:9095' },
    }),
    running: { addresses, notices: [] },
    clock,
    random: seededRandom(1),
  });
  expect(distributor).toContain(', distributor, is ready\n');
  expect(distributor).toContain('OTLP HTTP  http://127.0.0.1:4318/v1/traces\n');
  expect(distributor).toContain('Ingesters  dns+a://ingester:9095\n');
  expect(distributor).not.toContain('curl');
  const bucket = { VIVACE_STORAGE_TRACE_BACKEND: 's3', VIVACE_STORAGE_TRACE_S3_BUCKET: 'traces' };
  const ingester = renderStartReport({
    config: loadConfig({ env: { VIVACE_TARGET: 'ingester', ...bucket } }),
    running: { addresses: { http: '127.0.0.1:3200', grpc: '127.0.0.1:9095' }, notices: [] },
    clock,
    random: seededRandom(1),
  });
  expect(ingester).toContain('Calls      127.0.0.1:9095\n');
  expect(ingester).toContain('Store      s3://traces\n');
  expect(ingester).not.toContain('OTLP');
});
