import { fraction, type Random } from '@vivace/kernel';
import { pause } from '../harness/load.ts';
import type { Asker } from './asking.ts';
import type { Ledger, SentTrace } from './ledger.ts';

export interface QuestionsOptions {
  ledger: Ledger;
  random: Random;
  tenants: readonly string[];
  /** Nothing was sent before. */
  beginMs: number;
  /** All spans of a tenant that are younger are there. */
  keptMs: (tenant: string) => number;
  onWrong: (error: unknown) => void;
}

const AT_A_TIME = 6;
const SLICE_MS = 60_000;

/** What is asked while spans come, and when all of them are there. */
export class Questions {
  readonly #options: QuestionsOptions;

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  /**
   * Questions one after another until `ended`, with pauses of `pauseMs` in the middle: half of them about what is
   * young, which is on its way from the heads to blocks.
   */
  async askOn(asker: Asker, { pauseMs, ended }: { pauseMs: number; ended: () => boolean }): Promise<void> {
    const { random, ledger, onWrong } = this.#options;
    while (!ended()) {
      await pause(fraction(random) * 2 * pauseMs);
      const nowMs = Date.now();
      const young = random.u32() % 2 === 0 ? 20_000 : 15 * 60_000;
      const requests = ledger.requestsAfter(nowMs - young);
      const request = requests[random.u32() % Math.max(1, requests.length)];
      if (request === undefined) continue;
      const part = request.parts[random.u32() % request.parts.length];
      const dice = random.u32() % 8;
      try {
        if (dice < 4 && part !== undefined) await asker.checkTrace(part.trace);
        else if (dice < 6) await asker.checkSearch(request);
        else await this.#checkRecentCount(asker, request.tenant, nowMs);
      } catch (error) {
        onWrong(error);
      }
    }
  }

  /** Everything that is not expired, in slices and as a whole. */
  async counts(asker: Asker): Promise<void> {
    const { tenants, beginMs, keptMs, onWrong } = this.#options;
    const endMs = Date.now() + 1;
    for (const tenant of tenants) {
      const kept = keptMs(tenant);
      const firstMs = Math.max(beginMs - 1000, endMs - kept + Math.min(60_000, kept / 2));
      for (let fromMs = firstMs; fromMs < endMs; fromMs += SLICE_MS) {
        await asker.checkCount(tenant, fromMs, Math.min(endMs, fromMs + SLICE_MS)).catch(onWrong);
      }
      await asker.checkCount(tenant, firstMs, endMs).catch(onWrong);
    }
  }

  /** All of these traces by their ids. */
  async traces(asker: Asker, traces: readonly SentTrace[]): Promise<void> {
    const rest = traces.values();
    await atATime(async () => {
      for (const trace of rest) await asker.checkTrace(trace).catch(this.#options.onWrong);
    });
  }

  /** Some requests as the seed picks them: their traces by id, and a search for them. */
  async requests(asker: Asker, times: number): Promise<void> {
    const { ledger, random, onWrong } = this.#options;
    const some = Array.from({ length: times }, () => ledger.requests[random.u32() % ledger.requests.length]).values();
    await atATime(async () => {
      for (const request of some) {
        if (request === undefined) continue;
        for (const { trace } of request.parts) await asker.checkTrace(trace).catch(onWrong);
        await asker.checkSearch(request).catch(onWrong);
      }
    });
  }

  /** Of a time in which nothing can be expired when the answer comes. */
  async #checkRecentCount(asker: Asker, tenant: string, nowMs: number): Promise<void> {
    const { random, beginMs } = this.#options;
    const keptMs = this.#options.keptMs(tenant);
    const marginMs = Math.min(200_000, keptMs / 2);
    const oldestMs = Math.max(beginMs - 1000, nowMs - keptMs + marginMs);
    const lengthMs = 1000 + fraction(random) * Math.min(300_000, nowMs - oldestMs);
    const fromMs = Math.floor(oldestMs + fraction(random) * (nowMs - oldestMs));
    await asker.checkCount(tenant, fromMs, Math.floor(fromMs + lengthMs));
  }
}

async function atATime(work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
}
