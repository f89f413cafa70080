import { type Api, type ApiOptions, createApi } from '@vivace/api';
import { renderConfig } from '@vivace/config';
import type { Base } from './compose-base.ts';
import { listenerTls } from './tls.ts';
import { VERSION } from './version.ts';

/** The HTTP port: operations in every process, queries where there is something that answers them. Not started yet. */
export function createHttpApi(base: Base, parts: Pick<ApiOptions, 'finder' | 'engine' | 'flush'>): Api {
  const { config, clock, logger, metrics, notReady } = base;
  const tls = listenerTls(config.server.tls);
  return createApi({
    host: config.server.http_listen_address,
    port: config.server.http_listen_port,
    ...(tls !== undefined && { tls }),
    tenancy: { enabled: config.multitenancy_enabled, multiTenantQueries: true },
    build: { version: VERSION, revision: '' },
    notReady,
    configYaml: () => renderConfig(config),
    logger,
    metrics,
    clock,
    limits: { maxTraceBytes: config.limits.max_trace_response_bytes },
    ...parts,
  });
}
