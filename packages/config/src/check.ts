import { VivaceError } from '@vivace/kernel';
import { type Config, logBackend } from './schema.ts';

/** More than a record of the log has besides the request. */
const LOG_RECORD_HEAD_BYTES = 1024;
const DAY_MS = 24 * 3_600_000;

/** Settings that only make sense together. Throws `invalid` with all that is wrong. */
export function checkTogether(config: Config): void {
  const problems: string[] = [];
  const { storage, ingester, limits, server, distributor, compactor } = config;
  const { protocols } = distributor.receivers.otlp;

  if (storage.trace.backend === 's3' && storage.trace.s3.bucket === '') {
    problems.push('storage.trace.s3.bucket is needed with storage.trace.backend: s3');
  }
  if (storage.trace.backend === 'local' && storage.trace.s3.bucket !== '') {
    problems.push(
      'storage.trace.s3.bucket is set but storage.trace.backend is local: set it to s3, or remove the bucket',
    );
  }
  const listeners: [string, { cert_file: string; key_file: string; client_ca_file: string }][] = [
    ['server.tls', server.tls],
    ['server.grpc_tls', server.grpc_tls],
    ['distributor.receivers.otlp.protocols.grpc.tls', protocols.grpc.tls],
    ['distributor.receivers.otlp.protocols.http.tls', protocols.http.tls],
  ];
  for (const [path, tls] of listeners) {
    if ((tls.cert_file === '') !== (tls.key_file === '')) {
      problems.push(`${path}.cert_file and ${path}.key_file are needed together`);
    } else if (tls.client_ca_file !== '' && tls.cert_file === '') {
      problems.push(`${path}.client_ca_file needs ${path}.cert_file and ${path}.key_file`);
    }
  }
  for (const client of ['ingester_client', 'querier_client'] as const) {
    const { tls_cert_path, tls_key_path } = config[client].grpc_client_config;
    if ((tls_cert_path === '') !== (tls_key_path === '')) {
      const path = `${client}.grpc_client_config`;
      problems.push(`${path}.tls_cert_path and ${path}.tls_key_path are needed together`);
    }
  }
  problems.push(...problemsOfTarget(config));
  const notAbove = (low: string, lowValue: number, high: string, highValue: number) => {
    if (lowValue > highValue) problems.push(`${low} must not be larger than ${high}`);
  };
  notAbove(
    'ingester.generation_max_bytes',
    ingester.generation_max_bytes,
    'ingester.heads_max_bytes',
    ingester.heads_max_bytes,
  );
  notAbove(
    'ingester.wal.segment_max_bytes',
    ingester.wal.segment_max_bytes,
    'ingester.wal.max_bytes',
    ingester.wal.max_bytes,
  );
  notAbove(
    'limits.max_request_bytes',
    limits.max_request_bytes,
    'limits.ingestion_burst_bytes',
    limits.ingestion_burst_bytes,
  );
  // The log adds a head to a request; what it can never take would be refused only after it is in memory.
  notAbove(
    'limits.max_request_bytes',
    limits.max_request_bytes + LOG_RECORD_HEAD_BYTES,
    'ingester.wal.max_undurable_bytes',
    ingester.wal.max_undurable_bytes,
  );
  notAbove(
    'limits.max_request_bytes',
    limits.max_request_bytes + LOG_RECORD_HEAD_BYTES,
    'ingester.wal.max_bytes',
    ingester.wal.max_bytes,
  );
  notAbove(
    'storage.trace.block.page_rows',
    storage.trace.block.page_rows,
    'storage.trace.block.row_group_rows',
    storage.trace.block.row_group_rows,
  );
  if (DAY_MS % compactor.compaction.compaction_window !== 0) {
    problems.push('24h must be a multiple of compactor.compaction.compaction_window, such as 1h');
  }
  if (storage.trace.backend === 'local' && storage.trace.local.path === storage.trace.wal.path) {
    problems.push('storage.trace.local.path and storage.trace.wal.path must be different directories');
  }
  const cachePath = config.querier.disk_cache.path;
  if (cachePath !== '' && storage.trace.backend === 'local') {
    problems.push(
      'querier.disk_cache.path needs storage.trace.backend: s3, what is on a disk already is not kept on one',
    );
  }
  if (cachePath !== '' && cachePath === storage.trace.wal.path) {
    problems.push('querier.disk_cache.path and storage.trace.wal.path must be different directories');
  }
  if (problems.length > 0) throw new VivaceError('invalid', 'config', problems.join('; '));
}

/** Whom a target calls. */
const CALLS: Partial<Record<Config['target'], 'ingester_client' | 'querier_client'>> = {
  distributor: 'ingester_client',
  querier: 'ingester_client',
  'query-frontend': 'querier_client',
};

/** One of several processes has nothing on a disk that others would have to see. */
function problemsOfTarget(config: Config): string[] {
  const { target, storage } = config;
  if (target === 'all') return [];
  const client = CALLS[target];
  if (client !== undefined && config[client].addresses.length === 0) {
    return [`${client}.addresses is needed with target: ${target}`];
  }
  if (target === 'distributor' || target === 'query-frontend') return [];
  if (storage.trace.backend !== 's3') {
    return [`storage.trace.backend: s3 is needed with target: ${target}, a directory is for one process`];
  }
  if (logBackend(config) !== 'bucket') {
    return [`ingester.wal.backend: bucket is needed with target: ${target}, a log on a disk is for one process`];
  }
  return [];
}
