import { once } from 'node:events';
import http from 'node:http';
import { createDistributor, createDistributorMetrics } from '@vivace/distributor';
import { createByteBudget } from '@vivace/http';
import { type CutBlock, madeUpRequest, type PracticeHead } from '@vivace/ingester';
import { assert, type Clock, createBufferPool, type Random, seededRandom } from '@vivace/kernel';
import { createHttpReceiver, createReceiverMetrics } from '@vivace/receivers';
import { createMetrics } from '@vivace/telemetry';

/** Requests a block. The first round is short: what is compiled after it is compiled for what requests hold. */
const ROUNDS = [5, 45];
const MAX_MEMORY_BYTES = 8 * 1024 * 1024;
/** As exporters do. */
const SENT_AT_ONCE = 2;

export interface PractiseOptions {
  maxRequestBytes: number;
  clock: Clock;
  random: Random;
  signal: AbortSignal;
}

/**
 * Sends made-up spans through a receiver of its own, on a loopback port that is closed again, into a head that is
 * nobody's, and cuts it: so that the code of main thread, builder and cutter is compiled before the first spans come.
 * What comes meanwhile waits for some milliseconds of it. Resolves with the last block that was cut.
 */
export async function practiseIngest(
  { maxRequestBytes, clock, random, signal }: PractiseOptions,
  head: PracticeHead,
): Promise<CutBlock | undefined> {
  const numbers = seededRandom(random.u32());
  const metrics = createMetrics({ processMetrics: false });
  const receiver = createHttpReceiver({
    host: '127.0.0.1',
    port: 0,
    sink: createDistributor({
      next: head.sink,
      clock,
      metrics: createDistributorMetrics(metrics),
      limits: { ingestionRateBytes: Number.MAX_SAFE_INTEGER, ingestionBurstBytes: Number.MAX_SAFE_INTEGER },
      maxTenants: 1,
    }),
    memory: {
      pool: createBufferPool({ maxIdleBytes: MAX_MEMORY_BYTES }),
      budget: createByteBudget(MAX_MEMORY_BYTES),
    },
    clock,
    metrics: createReceiverMetrics(metrics),
    maxRequestBytes,
    multitenancy: false,
    onDefect: () => undefined,
  });
  await receiver.start({ signal });
  const agent = new http.Agent({ keepAlive: true, maxSockets: SENT_AT_ONCE });
  try {
    const url = `http://127.0.0.1:${receiver.address().port}/v1/traces`;
    let block: CutBlock | undefined;
    for (const requests of ROUNDS) {
      let left = requests;
      const sender = async () => {
        while (left-- > 0) await send(url, madeUpRequest(numbers, clock.nowMs()), { agent, signal });
      };
      await Promise.all(Array.from({ length: SENT_AT_ONCE }, sender));
      block = await head.cut();
    }
    return block;
  } finally {
    agent.destroy();
    await receiver.stop();
    await head.clear();
  }
}

async function send(url: string, body: Uint8Array, options: { agent: http.Agent; signal: AbortSignal }): Promise<void> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-length': body.length };
  const request = http.request(url, { method: 'POST', headers, ...options });
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
  assert(response.statusCode === 200, 'nothing in a made-up request is refused');
}
