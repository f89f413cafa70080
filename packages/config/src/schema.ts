import { LOG_FORMATS, LOG_LEVELS } from '@vivace/telemetry';
import type { z } from 'zod';
import { ingesterClient, querierClient } from './schema-clients.ts';
import {
  choice,
  duration,
  durationOrAuto,
  endpoint,
  flag,
  integer,
  section,
  size,
  sizeOrAuto,
  text,
  textList,
} from './setting.ts';

const MAX_RETENTION_MS = 10 * 365 * 24 * 3_600_000;

/** Listener encryption, the same three keys wherever a listener is. */
const tls = () =>
  section({
    cert_file: text('', {
      about: 'PEM file with the certificate of this listener and its chain. With it the listener speaks TLS only.',
      why: 'Not set: the default address is this machine only, where TLS protects nothing.',
      type: 'a path',
    }),
    key_file: text('', {
      about: 'PEM file with the private key of the certificate.',
      why: 'Not set: needed exactly when `cert_file` is.',
      type: 'a path',
    }),
    client_ca_file: text('', {
      about: 'PEM file with the authorities whose client certificates are accepted; others are refused.',
      why: 'Not set: clients need no certificate.',
      type: 'a path',
    }),
  });

const server = section({
  http_listen_address: text('127.0.0.1', {
    about: 'Address of the HTTP API; `0.0.0.0` is every interface.',
    why: 'There is no login: what is not opened on purpose is reached from this machine only.',
    type: 'an address or host name',
    accept: /^[\w.:-]+$/,
  }),
  http_listen_port: integer(3200, {
    about: 'Port of the HTTP API; 0 picks a free one.',
    why: "Tempo's port, so that data sources need no change.",
    min: 0,
    max: 65_535,
  }),
  log_level: choice(LOG_LEVELS, 'info', {
    about: 'What is logged: this level and above.',
    why: '`info` says what starts, stops and fails, and nothing per request.',
  }),
  log_format: choice(LOG_FORMATS, 'auto', {
    about: 'How log lines on stderr look: `json`, `text`, or `auto` for text on a terminal and JSON elsewhere.',
    why: 'People read terminals, programs read the rest.',
  }),
  tls: tls(),
  grpc_listen_address: text('127.0.0.1', {
    about: 'Address at which other processes of Vivace call this one; `0.0.0.0` is every interface.',
    why: 'There is no login, and the callers are our own: opened on purpose, where only they reach it.',
    type: 'an address or host name',
    accept: /^[\w.:-]+$/,
  }),
  grpc_listen_port: integer(9095, {
    about:
      'Port at which other processes of Vivace call this one; 0 picks a free one. The targets `all` and `distributor` have none.',
    why: "Tempo's port for the same.",
    min: 0,
    max: 65_535,
  }),
  grpc_tls: tls(),
});

const distributor = section({
  receivers: section({
    otlp: section({
      protocols: section({
        grpc: section({
          endpoint: endpoint('127.0.0.1:4317', {
            about: 'Where OTLP over gRPC is taken; port 0 picks a free one.',
            why: "OTLP's own port; this machine only until opened on purpose.",
          }),
          tls: tls(),
        }),
        http: section({
          endpoint: endpoint('127.0.0.1:4318', {
            about: 'Where OTLP over HTTP is taken (`/v1/traces`); port 0 picks a free one.',
            why: "OTLP's own port; this machine only until opened on purpose.",
          }),
          tls: tls(),
          cors: section({
            allowed_origins: textList({
              about: 'Origins whose web pages may send spans, such as `https://shop.example`; `*` is all.',
              why: 'Empty: no page of a browser may write until its origin is named.',
              type: 'a list of origins',
              accept: /^(\*|[a-z][a-z0-9+.-]*:\/\/[\w.*:[\]-]+)$/i,
            }),
          }),
        }),
      }),
    }),
  }),
});

const storage = section({
  trace: section({
    backend: choice(['local', 's3'], 'local', {
      about: 'Where blocks live: a directory of this machine, or a bucket.',
      why: '`local` runs with nothing else; a bucket is for more than one machine.',
    }),
    local: section({
      path: text('./data/store', {
        about: 'Directory of the `local` backend, relative to the working directory.',
        why: '`--data-dir DIR` sets it to `DIR/store`.',
        type: 'a path',
        accept: /\S/,
      }),
    }),
    s3: section({
      bucket: text('', {
        about: 'Name of the bucket; it must exist.',
        why: 'Not set: needed exactly when `backend` is `s3`.',
      }),
      prefix: text('', {
        about: 'Put before every key, so that a bucket can be shared.',
        why: 'Not set: the bucket is ours alone.',
        type: 'a key prefix without a slash at either end',
        accept: /^[^/].*[^/]$|^[^/]$/,
      }),
      endpoint: text('', {
        about: 'URL of a store that is not AWS, such as `http://127.0.0.1:9000`.',
        why: 'Not set: AWS, by region.',
        type: 'an http:// or https:// URL',
        accept: /^https?:\/\/[^\s/]+/i,
      }),
      region: text('', {
        about: 'Region of the bucket.',
        why: 'Not set: what the AWS settings of the environment say, else `us-east-1`.',
        accept: /^[\w-]+$/,
      }),
      forcepathstyle: flag(false, {
        about: 'Puts the bucket into the path instead of the host name; MinIO and most stores of one machine need it.',
        why: 'AWS wants the host name.',
      }),
      hedge_requests_at: durationOrAuto({
        about:
          'A read that the bucket has not answered for so long is sent once more, and the answer that comes first is taken. 0: never. `auto`: longer than nineteen of twenty reads of its size took, and at least 50ms.',
        why: 'One read of a hundred takes many times as long as the others, and a query waits for dozens. At most one read of twenty is sent once more, so that a bucket that is slow as a whole does not get twice the load.',
        maxMs: 60_000,
      }),
      hedge_requests_up_to: integer(2, {
        about: 'Requests for one read at most, the first included.',
        why: 'That two of a hundred are slow at once is rare.',
        min: 1,
        max: 4,
      }),
    }),
    wal: section({
      path: text('./data/wal', {
        about:
          'Directory of the write-ahead log where that is on the disk. It must survive until its spans are cut into blocks.',
        why: '`--data-dir DIR` sets it to `DIR/wal`.',
        type: 'a path',
        accept: /\S/,
      }),
    }),
    block: section({
      single_object_max_bytes: sizeOrAuto({
        about:
          'Blocks up to this size are one object holding all sections; larger ones are separate Parquet files, which other programs can read. 0: always separate files.',
        why: '`auto` is 0 for the `local` backend, where a file costs nothing and every block is to be readable, and 8MiB for a bucket: below that a put for each section costs more than its bytes.',
        max: 1024 ** 3,
      }),
      row_group_rows: integer(131_072, {
        about: 'Spans in a row group, about.',
        why: 'A row group is what a query skips or reads; its dictionaries and its share of the index pay from here.',
        min: 1_024,
        max: 1_048_576,
      }),
      page_rows: integer(4_096, {
        about: 'Spans in a page.',
        why: 'A lookup inflates a page of every column: the fewer rows, the cheaper, and below this the index and the calls of the decompressor cost what is saved.',
        min: 256,
        max: 131_072,
      }),
    }),
  }),
});

const ingester = section({
  cut_interval: duration('5m', {
    about: 'How long spans stay in memory at most before they are cut into a block.',
    why: 'Longer makes larger blocks, and more log to read again after a crash.',
    minMs: 1_000,
    maxMs: 24 * 3_600_000,
  }),
  small_tenant_cut_interval: duration('30m', {
    about: 'The same for tenants that send little.',
    why: 'A block of a hundred spans takes as many requests as one of a million.',
    minMs: 1_000,
    maxMs: 24 * 3_600_000,
  }),
  generation_max_bytes: size('64MiB', {
    about: "Memory of one tenant's spans before they are cut.",
    why: 'About 250,000 spans of ordinary size, two full row groups.',
    min: 1024 ** 2,
    max: 1024 ** 3,
  }),
  heads_max_bytes: size('256MiB', {
    about: "Memory of all tenants' spans that are not in blocks yet; above it writes wait or are refused with a retry.",
    why: 'Four generations: one filling, one being cut, and room while the store is slow.',
    min: 1024 ** 2,
    max: 64 * 1024 ** 3,
  }),
  chunks_cache_bytes: size('64MiB', {
    about: 'Memory for rows of the heads as they are sent to queriers, with the target `ingester`.',
    why: 'The same rows are encoded once for all queriers; a million spans take some 30 MB.',
    max: 1024 ** 4,
  }),
  instance_name: text('', {
    about:
      'The name by which a process knows the log that it left in a bucket: what a process of the same name left is taken over at the start, what others left only after a minute. No two that run at once may share it.',
    why: 'Not set: the host name, which stays the same over the restarts of a container or a pod of a StatefulSet.',
    type: 'a name of at most 200 characters',
    accept: /^[\w.:@-]{1,200}$/,
  }),
  wal: section({
    backend: choice(['auto', 'disk', 'bucket'], 'auto', {
      about: 'Where the log is that acknowledgements rest on: a directory of this machine, or the object store.',
      why: '`auto` is `bucket` where `storage.trace.backend` is `s3`, so that nothing on a machine has to survive, and `disk` where it is `local`. `disk` before a bucket acknowledges sooner and costs no requests, and that disk must then survive.',
    }),
    put_delay: duration('250ms', {
      about:
        'In a bucket: spans that arrive while segments of the log are on their way wait at most so long for others to go with them. What finds nothing on its way goes at once.',
      why: 'Fewer and larger puts where they take longer than this; where they are faster it does not matter.',
      minMs: 0,
      maxMs: 10_000,
    }),
    sync_interval: duration('5ms', {
      about:
        'On a disk: syncs of the log begin at least this far apart while spans arrive faster than they are synced; every answer waits for its sync.',
      why: 'With 20 ms four clients that wait for their answers sent half as much; with 0 a fast disk was synced 670 times a second for nothing.',
      minMs: 0,
      maxMs: 10_000,
    }),
    sync_bytes: size('4MiB', {
      about: 'On a disk: appended bytes that are synced without waiting longer.',
      why: 'More does not make a sync cheaper.',
      min: 1,
      max: 1024 ** 3,
    }),
    segment_max_bytes: size('8MiB', {
      about:
        'Size at which a segment of the log ends and the next begins; in a bucket at most 64MiB, before compression.',
      why: 'Whole segments are removed once every tenant in them is in blocks: larger ones keep the disk longer, smaller ones are more files.',
      min: 1024,
      max: 1024 ** 3,
    }),
    max_bytes: size('4GiB', {
      about:
        'Size of the log, on the disk or in the bucket; above it writes are refused with a retry until blocks are cut.',
      why: 'Cutting begins at half of it, and minutes of full load fit while the store is down.',
      min: 1024,
      max: 1024 ** 4,
    }),
    max_undurable_bytes: size('64MiB', {
      about: 'Bytes that wait for a sync or a put; above it writes are refused with a retry.',
      why: 'A disk or a bucket that stalls must not fill the memory.',
      min: 1024,
      max: 4 * 1024 ** 3,
    }),
  }),
  warm_up: flag(true, {
    about:
      'Whether the threads that take spans into heads and cut them practise on made-up spans when they start, if `heads_max_bytes` is at least 64 MiB.',
    why: 'About a second of CPU, after which the first million spans take a second less.',
  }),
});

const querier = section({
  cache_bytes: size('256MiB', {
    about: 'Memory for what was read of blocks: indexes, filters, pages and decoded columns.',
    why: 'Indexes and filters of some thousand blocks, and the columns that dashboards ask for of a few million spans.',
    max: 1024 ** 4,
  }),
  filter_cache_bytes: size('64MiB', {
    about: 'Memory for filters of blocks and for the trace index, which say which blocks may have a trace or a value.',
    why: 'The index of some ten million traces, and filters of as many spans; scans do not push them out.',
    max: 1024 ** 4,
  }),
  heads_cache_bytes: size('64MiB', {
    about: 'Memory for rows of ingesters that are in no block yet, with the target `querier`.',
    why: 'They are sent once; a million spans take some 30 MB. Queries under way keep theirs whatever that takes.',
    max: 1024 ** 4,
  }),
  log_heads_bytes: size('256MiB', {
    about:
      'Memory for spans that a querier reads from the log in the bucket itself, because no ingester answers for them, with the target `querier`. Answers say what is missing where that is more.',
    why: 'What one ingester has in memory at most. It is in use only while an ingester is gone, until another has taken its log over.',
    max: 1024 ** 4,
  }),
  disk_cache: section({
    path: text('', {
      about:
        'Directory in which is kept what was read of blocks and the trace index in a bucket, with the targets `all` and `querier`. Each process needs one of its own; nothing in it has to survive.',
      why: 'Not set: memory is all the cache there is. A disk of the machine answers in a fraction of a millisecond, a bucket in tens, and for each read.',
      type: 'a path',
    }),
    max_bytes: size('4GiB', {
      about: 'Size of that directory; what was used last stays.',
      why: 'The columns that queries ask for of some hundred million spans. At most 200,000 files, whose names take 60 MB of memory.',
      min: 1024 ** 2,
      max: 1024 ** 5,
    }),
  }),
  workers: integer(1, {
    about: 'Threads that open blocks and decode their pages.',
    why: 'One answers several hundred lookups a second; each more costs some 30 MB and its share of the cache.',
    min: 1,
    max: 64,
  }),
  keep_partials: flag(true, {
    about: 'Whether rows that a condition selects in a block are kept, within `cache_bytes`.',
    why: 'A dashboard that refreshes asks the same conditions of the same blocks, and blocks never change.',
  }),
  warm_up: flag(true, {
    about:
      'Whether each thread asks itself a hundred queries about the newest blocks when it starts. Where there are none, the target `all` looks a hundred traces up in a made-up one, if `ingester.warm_up` is on.',
    why: 'About a second and a half of CPU and some megabytes read, after which first queries take a quarter of the time.',
  }),
});

const queryFrontend = section({
  max_outstanding_per_tenant: integer(2000, {
    about: 'Queries of one tenant that may wait for their turn; above it 429.',
    why: 'A dashboard asks dozens at once. Tenants take turns, so those of one do not hold up another.',
    min: 1,
    max: 100_000,
  }),
  api_timeout: duration('30s', {
    about: 'A query that takes longer is given up with 504.',
    why: 'Grafana gives up after 30 seconds by default.',
    minMs: 100,
    maxMs: 3_600_000,
  }),
});

const compactor = section({
  disabled: flag(false, {
    about: 'This process merges no blocks, deletes none that are too old, and sweeps nothing.',
    why: 'Without it blocks get more and more, and nothing is ever deleted: off only where another process does it.',
  }),
  compaction: section({
    block_retention: duration('336h', {
      about:
        'How long spans are kept, by their own time; then the blocks that hold nothing newer are removed, which is up to a day later, or `compaction_window` where it is less than a week. 0: for ever. A tenant can have another, see `overrides`.',
      why: "14 days, Tempo's default.",
      maxMs: MAX_RETENTION_MS,
    }),
    compaction_window: duration('1h', {
      about:
        'Blocks of so much time are merged first, and what comes of that once more into the blocks of a day. A day must be a multiple of it.',
      why: 'Twelve cuts of five minutes: a span is rewritten twice in its life, and a query over today opens some dozens of blocks.',
      minMs: 60_000,
      maxMs: 24 * 3_600_000,
    }),
    compaction_cycle: duration('30s', {
      about: 'Pause before looking for blocks to merge again; it grows where there is nothing to do.',
      why: 'A new block comes every few minutes.',
      minMs: 100,
      maxMs: 3_600_000,
    }),
    max_block_spans: integer(20_000_000, {
      about: 'Spans of a merged block, at most.',
      why: 'Half a GB: larger ones would not make a query cheaper, and one that fails is begun again.',
      min: 1_000,
      max: 100_000_000,
    }),
    max_input_blocks: integer(32, {
      about: 'Blocks that one merge reads, at most.',
      why: 'A day of hours fits; each is held open with a few pages of every column.',
      min: 2,
      max: 256,
    }),
    compacted_block_retention: duration('1h', {
      about:
        'How long the objects of blocks that were merged or have expired stay for queries that had begun; at least twice `query_frontend.api_timeout`.',
      why: 'Longer than any query, and than an answer of the store that is late.',
      minMs: 1_000,
      maxMs: 7 * 24 * 3_600_000,
    }),
  }),
  sweep_interval: duration('1h', {
    about:
      'How often the objects that no list of blocks names any more are looked for and deleted, a tenant at a time.',
    why: 'It lists all objects of the tenant: a request for every 1,000.',
    minMs: 1_000,
    maxMs: 7 * 24 * 3_600_000,
  }),
});

const overrides = section({
  per_tenant_override_config: text('', {
    about: 'YAML file with settings of single tenants, see operations.md. It is read again when it changes.',
    why: 'Not set: all tenants are alike.',
    type: 'a path',
  }),
  per_tenant_override_period: duration('10s', {
    about: 'How often that file is looked at.',
    why: 'Soon enough for a person, and one read of a small file.',
    minMs: 100,
    maxMs: 3_600_000,
  }),
});

const tracing = section({
  otlp_endpoint: text('', {
    about:
      'URL of OTLP over HTTP to which spans of our own work go, such as `http://collector:4318`; `/v1/traces` is added where it names no path.',
    why: 'Not set: nothing is traced. It may be this very process: requests with our own spans are never traced.',
    type: 'an http:// or https:// URL',
    accept: /^https?:\/\/[^\s/]+/i,
  }),
  sample_one_in: integer(100, {
    about: 'One push and one query of so many is traced, by chance.',
    why: 'Enough to see what is slow, and nothing that is felt.',
    min: 1,
    max: 1_000_000,
  }),
});

const limits = section({
  ingestion_rate_bytes: size('256MiB', {
    about: 'Bytes a second that one tenant may send, after decompression; above it 429 with a time to retry.',
    why: 'More than two cores take in: it stops a runaway, and the log and the heads push back before.',
    min: 1024,
  }),
  ingestion_burst_bytes: size('512MiB', {
    about: 'Bytes that one tenant may send at once after a pause; at least `max_request_bytes`.',
    why: 'Two seconds of the rate: Collectors that were cut off send what they kept.',
    min: 1024,
  }),
  max_request_bytes: size('32MiB', {
    about: 'Bytes of one request after decompression; above it 413 or RESOURCE_EXHAUSTED.',
    why: "The Collector's batches of 8,192 spans fit with 4 KiB a span.",
    min: 1024,
    // A record of the log is at most 256 MiB.
    max: 255 * 1024 ** 2,
  }),
  max_attribute_bytes: size('1MiB', {
    about: 'Bytes of one attribute, key and value; a span with a larger one is refused and counted in the answer.',
    why: 'Stack traces and prompts of some hundred KB fit; nothing is cut short in silence.',
    min: 128,
    max: 64 * 1024 ** 2,
  }),
  max_trace_bytes: size('128MB', {
    about: 'Bytes of one trace in one generation; spans above it are refused and counted in the answer.',
    why: 'The size of an answer: what could not be shown whole is not taken in. 100,000 spans fit.',
    min: 1024,
  }),
  max_attribute_columns: integer(512, {
    about: 'Attribute keys of a block that are columns of their own; the others are searchable in one shared column.',
    why: 'Each column costs in every row group: 1,000 columns in 100 groups took 0.7 s only to open.',
    min: 1,
    max: 4_096,
  }),
  max_tenants: integer(1_000, {
    about: 'Tenants with spans in memory at once; a further one is refused with a time to retry.',
    why: 'Each needs about a quarter of a MiB before its first block.',
    min: 1,
    max: 100_000,
  }),
  max_trace_response_bytes: size('128MB', {
    about: 'Bytes of a trace in an answer; above it v1 says 422 and v2 gives what fits, marked PARTIAL.',
    why: 'What a browser can still show; Grafana takes no more by default.',
    min: 1024,
    max: 1024 ** 3,
  }),
});

/** Every setting there is. Types, defaults, checks, `docs/config.md` and the help come from here. */
export const configSchema = section({
  target: choice(['all', 'distributor', 'ingester', 'querier', 'query-frontend', 'compactor'], 'all', {
    about: 'Which services this process runs. All but `all` and `distributor` need a bucket, and the log in it.',
    why: '`all`: one process does everything.',
  }),
  shutdown_delay: duration('0s', {
    about: 'How long a process that was asked to stop says that it is not ready before it stops to take requests.',
    why: 'A process alone has nobody to send its clients elsewhere; behind a load balancer, as long as that takes to notice.',
    maxMs: 15_000,
  }),
  multitenancy_enabled: flag(false, {
    about: 'Takes the tenant from the `X-Scope-OrgID` header and refuses requests without it.',
    why: 'Off: one tenant, `single-tenant`, and no header needed.',
  }),
  server,
  distributor,
  ingester_client: ingesterClient,
  querier_client: querierClient,
  storage,
  ingester,
  querier,
  query_frontend: queryFrontend,
  compactor,
  overrides,
  tracing,
  limits,
});

/** Sizes in bytes, durations in milliseconds, texts empty where not set. Keys are as in the file. */
export type Config = z.output<typeof configSchema>;

const BUCKET_SINGLE_OBJECT_MAX_BYTES = 8 * 1024 ** 2;

/** `storage.trace.block.single_object_max_bytes` in bytes, for the backend that is set. */
export function singleObjectMaxBytes({ storage }: Config): number {
  const { backend, block } = storage.trace;
  if (block.single_object_max_bytes !== 'auto') return block.single_object_max_bytes;
  return backend === 'local' ? 0 : BUCKET_SINGLE_OBJECT_MAX_BYTES;
}

/** `ingester.wal.backend`, for the store that is set. */
export function logBackend({ ingester, storage }: Config): 'disk' | 'bucket' {
  const { backend } = ingester.wal;
  if (backend !== 'auto') return backend;
  return storage.trace.backend === 'local' ? 'disk' : 'bucket';
}
