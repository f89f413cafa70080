import { type Api, type ApiOptions, createApi } from '@vivace/api';
import { renderConfig } from '@vivace/config';
import { VivaceError } from '@vivace/kernel';
import type { Base } from './compose-base.ts';
import { listenerTls } from './tls.ts';
import { VERSION } from './version.ts';

/** The HTTP port: operations in every process, queries where there is something that answers them. Not started yet. */
export function createHttpApi(
  base: Base,
  parts: Pick<ApiOptions, 'finder' | 'engine'> & Partial<Pick<ApiOptions, 'flush'>>,
): Api {
  const { config, clock, logger, metrics, notReady } = base;
  const tls = listenerTls(config.server.tls);
  return createApi({
    host: config.server.http_listen_address,
    port: config.server.http_listen_port,
    ...(tls !== undefined && { tls }),
    tenancy: { enabled: config.multitenancy_enabled, multiTenantQueries: true },
    build: { version: VERSION, revision: '' },
    notReady,
    flush: () => Promise.reject(nothingToFlush(config.target)),
    configYaml: () => renderConfig(config),
    logger,
    metrics,
    clock,
    limits: { maxTraceBytes: config.limits.max_trace_response_bytes },
    ...parts,
  });
}

/** To say that all is in blocks would be wrong: it is in processes that were not asked. */
function nothingToFlush(target: string): VivaceError {
  return new VivaceError('invalid', 'nothing-to-flush', `a ${target} holds no spans: flush the ingesters`);
}
