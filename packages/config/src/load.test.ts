import { VivaceError } from '@vivace/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keys } from './keys.ts';
import { type ConfigSources, loadConfig } from './load.ts';
import { renderConfig } from './render.ts';
import { type Config, singleObjectMaxBytes } from './schema.ts';

const fromYaml = (text: string, rest: Omit<ConfigSources, 'file'> = {}) =>
  loadConfig({ file: { name: 'vivace.yaml', text }, ...rest });

function refusal(load: () => Config): VivaceError {
  try {
    load();
  } catch (error) {
    if (error instanceof VivaceError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

test('without anything every setting has its default, in bytes and milliseconds', () => {
  const config = loadConfig({});
  expect(config.target).toBe('all' satisfies Config['target']);
  expect(config.server).toMatchObject({ http_listen_address: '127.0.0.1', http_listen_port: 3200 });
  expect(config.ingester).toMatchObject({ cut_interval: 300_000, generation_max_bytes: 67_108_864 });
  expect(config.ingester.wal.sync_interval).toBe(5);
  expect(config.limits.max_trace_response_bytes).toBe(128_000_000);
  expect(config.distributor.receivers.otlp.protocols.http).toEqual({
    endpoint: '127.0.0.1:4318',
    tls: { cert_file: '', key_file: '', client_ca_file: '' },
    cors: { allowed_origins: [] },
  });
});

test('blocks are separate files on a file system and single objects in a bucket, unless a size says otherwise', () => {
  const s3 = { VIVACE_STORAGE_TRACE_BACKEND: 's3', VIVACE_STORAGE_TRACE_S3_BUCKET: 'traces' };
  const given = { VIVACE_STORAGE_TRACE_BLOCK_SINGLE_OBJECT_MAX_BYTES: '1MiB' };
  expect(singleObjectMaxBytes(loadConfig({}))).toBe(0);
  expect(singleObjectMaxBytes(loadConfig({ env: s3 }))).toBe(8 * 1024 ** 2);
  expect(singleObjectMaxBytes(loadConfig({ env: { ...s3, ...given } }))).toBe(1024 ** 2);
  expect(singleObjectMaxBytes(loadConfig({ env: given }))).toBe(1024 ** 2);
});

test('defaults are not shared between configurations', () => {
  loadConfig({}).distributor.receivers.otlp.protocols.http.cors.allowed_origins.push('http://a');
  expect(loadConfig({}).distributor.receivers.otlp.protocols.http.cors.allowed_origins).toEqual([]);
});

test('the environment wins over the file and flags win over both', () => {
  const text = 'server:\n  http_listen_port: 1\n  log_level: warn\ntarget: all\nmultitenancy_enabled: true\n';
  const env = { VIVACE_SERVER_HTTP_LISTEN_PORT: '2', VIVACE_SERVER_LOG_LEVEL: 'error', VIVACE_TARGET: '' };
  const config = fromYaml(text, { env, flags: new Map([['http-port', '3']]) });
  expect(config.server).toMatchObject({ http_listen_port: 3, log_level: 'error' });
  expect(config.multitenancy_enabled).toBe(true);
});

test('a file in the shape that Tempo and the Collector use is read, with empty groups', () => {
  const config = fromYaml(`
distributor:
  receivers:
    otlp:
      protocols:
        grpc:
        http:
          endpoint: 0.0.0.0:9999
          cors: { allowed_origins: ['https://shop.example', 'http://localhost:*'] }
storage:
  trace: { backend: s3, s3: { bucket: traces, endpoint: http://minio:9000, forcepathstyle: true } }
ingester: { cut_interval: 1m, generation_max_bytes: 1000000000, heads_max_bytes: 2GB }
`);
  const { protocols } = config.distributor.receivers.otlp;
  expect(protocols.grpc.endpoint).toBe('127.0.0.1:4317');
  expect(protocols.http.endpoint).toBe('0.0.0.0:9999');
  expect(protocols.http.cors.allowed_origins).toHaveLength(2);
  expect(config.storage.trace.s3).toMatchObject({ bucket: 'traces', forcepathstyle: true, prefix: '' });
  expect(config.ingester).toMatchObject({ cut_interval: 60_000, generation_max_bytes: 1e9, heads_max_bytes: 2e9 });
});

test('the data directory, address and port flags reach into the settings they stand for', () => {
  const flags = new Map([
    ['data-dir', '/var/lib/vivace/'],
    ['bind', '::1'],
    ['otlp-grpc-port', '0'],
    ['otlp-http-port', '9'],
  ]);
  const config = loadConfig({ flags });
  const { protocols } = config.distributor.receivers.otlp;
  expect(config.storage.trace.wal.path).toBe('/var/lib/vivace/wal');
  expect(config.storage.trace.local.path).toBe('/var/lib/vivace/store');
  expect(config.server.http_listen_address).toBe('::1');
  expect([protocols.grpc.endpoint, protocols.http.endpoint]).toEqual(['[::1]:0', '[::1]:9']);
  const kept = fromYaml('distributor: {receivers: {otlp: {protocols: {grpc: {endpoint: "10.0.0.1:5"}}}}}', {
    flags: new Map([['otlp-grpc-port', '6']]),
  });
  expect(kept.distributor.receivers.otlp.protocols.grpc.endpoint).toBe('10.0.0.1:6');
});

test.each([
  ['http-port', '70000', /^--http-port must be a port from 0 to 65535: '70000'$/],
  ['bind', '127.0.0.1:80', /^--bind takes no port/],
  ['bind', 'a b', /^--bind needs an address/],
  [
    'target',
    'ring',
    /^--target must be one of all, distributor, ingester, querier, query-frontend, compactor: "ring"$/,
  ],
  ['log-level', 'loud', /^--log-level must be one of debug, info, warn, error: "loud"$/],
  ['data-dir', ' ', /^--data-dir needs a directory$/],
])('the flag --%s refuses %s as a usage error', (name, value, message) => {
  const error = refusal(() => loadConfig({ flags: new Map([[name, value]]) }));
  expect(error.message).toMatch(message);
  expect(error.code).toBe('usage');
});

test('variables in the file are replaced after parsing, so that they cannot become keys', () => {
  const text = `server: { http_listen_port: "\${PORT:3201}", http_listen_address: "\${HOST}" }
storage: { trace: { local: { path: "\${DIR:-/tmp}/$\${x}" } } }`;
  const config = fromYaml(text, { env: { HOST: 'localhost' } });
  expect(config.server).toMatchObject({ http_listen_port: 3201, http_listen_address: 'localhost' });
  expect(config.storage.trace.local.path).toBe('/tmp/${x}');
  const path = (value: string) =>
    fromYaml('storage: { trace: { local: { path: "${P}" } } }', { env: { P: value } }).storage.trace.local.path;
  expect(path('x", target: y # {')).toBe('x", target: y # {');
  expect(path('${HOME}')).toBe('${HOME}');
});

test.each([
  [
    'server:\n  http_listen_prot: 1',
    "vivace.yaml:2: unknown key 'server.http_listen_prot': did you mean 'server.http_listen_port'?",
  ],
  ['\nhttp_listen_port: 1', "vivace.yaml:2: unknown key 'http_listen_port': did you mean 'server.http_listen_port'?"],
  ['sever: {}', "vivace.yaml:1: unknown key 'sever': did you mean 'server'?"],
  [
    'memberlist: {}',
    "vivace.yaml:1: unknown key 'memberlist': here there are target, shutdown_delay, multitenancy_enabled, server, distributor, ingester_client, querier_client, storage, ingester, querier, query_frontend, compactor, overrides, tracing, limits",
  ],
  ['__proto__: {a: 1}', "vivace.yaml:1: unknown key '__proto__': here there are"],
  ['server: { constructor: 1 }', "unknown key 'server.constructor': in 'server' there are http_listen_address"],
  [
    'storage: {trace: {s3: {secret_key: hunter2}}}',
    "unknown key 'storage.trace.s3.secret_key': credentials are never part of the configuration",
  ],
  ['server: 5', "vivace.yaml:1: 'server' must hold http_listen_address"],
  ['- a', "vivace.yaml:1: 'the file' must hold target"],
  [
    'target: { a: 1 }',
    'vivace.yaml:1: target must be one of `all`, `distributor`, `ingester`, `querier`, `query-frontend`, `compactor`',
  ],
  ['target: all\ntarget: all', 'vivace.yaml:2: Map keys must be unique'],
  ['server: {', 'vivace.yaml:1: '],
  [
    'server: { http_listen_port: 0x50 }',
    'vivace.yaml:1: server.http_listen_port must be a whole number from 0 to 65535: "0x50"',
  ],
  ['server: { http_listen_port: 80.5 }', 'must be a whole number'],
  ['ingester: { cut_interval: 5 }', 'ingester.cut_interval must be a duration such as 20ms or 5m, 1s to 24h: "5"'],
  ['ingester: { cut_interval: 100ms }', 'ingester.cut_interval must be a duration'],
  ['limits: { max_request_bytes: lots }', 'limits.max_request_bytes must be a size such as 64MiB'],
  ['multitenancy_enabled: maybe', 'multitenancy_enabled must be true or false: "maybe"'],
  ['distributor: {receivers: {otlp: {protocols: {grpc: {endpoint: 4317}}}}}', 'grpc.endpoint must be host:port'],
  [
    'distributor: {receivers: {otlp: {protocols: {http: {cors: {allowed_origins: [shop]}}}}}}',
    'allowed_origins must be a list of origins',
  ],
  [
    'distributor: {receivers: {otlp: {protocols: {http: {cors: {allowed_origins: &a [*a]}}}}}}',
    'allowed_origins must be',
  ],
  [
    'target: ${UNSET}',
    'vivace.yaml:1: target: the environment variable UNSET is not set: set it, or write ${UNSET:default}',
  ],
  ['target: ${not a name}', "'${not a name}' names no variable"],
  ['storage: {trace: {backend: s3}}', 'storage.trace.s3.bucket is needed'],
  ['target: querier', 'ingester_client.addresses is needed with target: querier'],
  ['target: query-frontend', 'querier_client.addresses is needed with target: query-frontend'],
  ['querier_client: {grpc_client_config: {tls_cert_path: k}}', 'querier_client.grpc_client_config.tls_key_path'],
  ['target: distributor', 'ingester_client.addresses is needed with target: distributor'],
  ['target: ingester', 'storage.trace.backend: s3 is needed with target: ingester'],
  [
    'target: ingester\nstorage: {trace: {backend: s3, s3: {bucket: b}}}\ningester: {wal: {backend: disk}}',
    'ingester.wal.backend: bucket is needed with target: ingester',
  ],
  ['ingester_client: {addresses: [ingester]}', 'ingester_client.addresses must be a list of addresses'],
  ['ingester_client: {addresses: ["dns+srv://a:1"]}', 'ingester_client.addresses must be a list of addresses'],
  ['ingester_client: {grpc_client_config: {tls_key_path: k}}', 'tls_key_path are needed together'],
  ['storage: {trace: {s3: {bucket: b}}}', 'storage.trace.backend is local: set it to s3'],
  [
    'storage: {trace: {backend: s3, s3: {bucket: b, endpoint: "minio:9000"}}}',
    's3.endpoint must be an http:// or https:// URL',
  ],
  ['server: {tls: {cert_file: a}}', 'server.tls.cert_file and server.tls.key_file are needed together'],
  ['server: {tls: {client_ca_file: a}}', 'server.tls.client_ca_file needs'],
  [
    'ingester: {generation_max_bytes: 512MiB}',
    'ingester.generation_max_bytes must not be larger than ingester.heads_max_bytes',
  ],
  [
    'limits: {max_request_bytes: 50MiB, ingestion_burst_bytes: 40MiB}',
    'limits.max_request_bytes must not be larger than limits.ingestion_burst_bytes',
  ],
  ['limits: {max_request_bytes: 256MiB}', 'limits.max_request_bytes must be'],
  [
    'limits: {max_request_bytes: 64MiB}',
    'limits.max_request_bytes must not be larger than ingester.wal.max_undurable_bytes',
  ],
  ['ingester: {wal: {max_bytes: 32MiB}}', 'limits.max_request_bytes must not be larger than ingester.wal.max_bytes'],
  ['storage: {trace: {local: {path: d}, wal: {path: d}}}', 'must be different directories'],
])('the file %j is refused with place and remedy', (text, message) => {
  const error = refusal(() => fromYaml(text));
  expect(error.message).toContain(message);
  expect(error.message).not.toContain('hunter2');
  expect(error).toMatchObject({ kind: 'invalid', code: 'config' });
});

test('an unknown variable is refused with the nearest one, except what Kubernetes and our own tools set', () => {
  const error = refusal(() => loadConfig({ env: { VIVACE_SERVER_HTTP_LISTEN_PROT: '1' } }));
  expect(error.message).toBe(
    'unknown environment variable VIVACE_SERVER_HTTP_LISTEN_PROT: did you mean VIVACE_SERVER_HTTP_LISTEN_PORT?',
  );
  loadConfig({
    env: {
      VIVACE_SERVICE_HOST: '10.0.0.1',
      VIVACE_SERVICE_PORT_OTLP: '4317',
      VIVACE_PORT: 'tcp://10.0.0.1:3200',
      VIVACE_PORT_3200_TCP_ADDR: '10.0.0.1',
      VIVACE_DISTRIBUTOR_PORT: 'tcp://10.0.0.2:4317',
      VIVACE_TEST_SEED: '7',
      PATH: '/bin',
    },
  });
});

test('every setting has a variable of its own and can be set by it', () => {
  const variables = [...keys.values()].map((key) => key.variable);
  expect(new Set(variables).size).toBe(variables.length);
  const env = { VIVACE_DISTRIBUTOR_RECEIVERS_OTLP_PROTOCOLS_HTTP_CORS_ALLOWED_ORIGINS: 'http://a, http://b' };
  expect(loadConfig({ env }).distributor.receivers.otlp.protocols.http.cors.allowed_origins).toEqual([
    'http://a',
    'http://b',
  ]);
});

test('the settings in force read back as the same settings', () => {
  const config = loadConfig({
    flags: new Map([['data-dir', '/a${b}']]),
    env: { VIVACE_LIMITS_MAX_TENANTS: '7', VIVACE_INGESTER_CUT_INTERVAL: '90s' },
  });
  expect(fromYaml(renderConfig(config))).toEqual(config);
});

test('user and password of a URL are never shown', () => {
  const env = { VIVACE_STORAGE_TRACE_S3_ENDPOINT: 'https://AKIA:sec@ret@minio:9000/x' };
  const page = renderConfig(loadConfig({ env }));
  expect(page).toContain('endpoint: https://<redacted>@minio:9000/x');
  expect(page).not.toMatch(/AKIA|sec|ret@/);
});

test('a wrong URL is refused without showing user and password', () => {
  const env = { VIVACE_STORAGE_TRACE_S3_ENDPOINT: 'AKIA:hunter2@minio:9000' };
  expect(refusal(() => loadConfig({ env })).message).toBe(
    'VIVACE_STORAGE_TRACE_S3_ENDPOINT: storage.trace.s3.endpoint must be an http:// or https:// URL: "<redacted>@minio:9000"',
  );
});

test('no text makes the reader of the file fail in another way than by refusing it', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'tarserv:{}[]&*!|>-"\'\n ${}#%@,?'.split('')), maxLength: 60 }),
      (text) => {
        try {
          fromYaml(text);
        } catch (error) {
          expect(error).toBeInstanceOf(VivaceError);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
