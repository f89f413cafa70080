import { formatEndpoint } from '@vivace/config';
import { createHttpApi } from './compose-api.ts';
import type { Base } from './compose-base.ts';
import { createCompactor } from './compose-compactor.ts';
import { createIngester } from './compose-ingester.ts';
import { createIndexer, createQueries, writtenSections } from './compose-queries.ts';
import { createReceivers } from './compose-receivers.ts';
import { openStore } from './compose-storage.ts';
import { collectSeldom } from './heap-growth.ts';
import type { Addresses } from './running.ts';

/** `--target all`: every service in one process, each calling the next directly. */
export async function startAll(base: Base): Promise<Addresses> {
  const parts = await openStore(base);
  const { ingester, log, madeUp } = await createIngester(base, parts, {
    acceptAfterMs: 0,
    onCommitted: (tenant, entry, objects) => {
      querier.keepBlock({ tenant, entry, sections: writtenSections(entry, objects) });
      indexer.notify(tenant);
    },
  });
  const { querier, finder, engine } = createQueries(base, parts, ingester, madeUp);
  const indexer = createIndexer(base, parts);
  const receivers = createReceivers(base, ingester);
  const api = createHttpApi(base, { finder, engine, flush: (signal) => ingester.flush(signal) });
  // What is kept compiled counts for threads that start without it.
  void madeUp.then(collectSeldom);
  await ingester.start();
  await indexer.start();
  const compactor = createCompactor(base.config, { ...parts, ...base, log, onExit: base.onWorkerExit });
  base.ready();
  for (const service of [...compactor, api, receivers.grpc, receivers.http]) await base.start(service);
  return {
    http: formatEndpoint(api.address),
    otlpGrpc: formatEndpoint(receivers.grpc.address()),
    otlpHttp: formatEndpoint(receivers.http.address()),
  };
}
