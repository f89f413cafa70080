import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fraction, type Random, seededRandom } from '@vivace/kernel';
import { createS3Store } from '@vivace/object-store';
import { type S3Process, type S3ProcessCounts, type S3Weather, startS3Process } from '@vivace/object-store/testing';
import { pause } from '../harness/load.ts';
import { startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';
import { flush } from '../harness/traces-client.ts';
import { type AskCounts, Asker } from './asking.ts';
import { type Inventory, sweepLater, takeInventory } from './inventory.ts';
import { Ledger, type SentTrace } from './ledger.ts';
import { type Lives, startLives } from './lives.ts';
import { type SoakLoad, startSoakLoad } from './soak-load.ts';
import { GRACES, keepingOf, OVERRIDES, type SoakSettings, settingsEnvironment, TENANTS } from './soak-settings.ts';

export type { SoakSettings } from './soak-settings.ts';

/** What a soak has seen; `failures` is empty where everything was right. */
export interface SoakResult {
  settings: SoakSettings;
  failures: string[];
  minutes: number;
  lives: Lives['lives'];
  logProblems: Lives['problems'];
  load: SoakLoad['counts'];
  /** Peaks of the lives of the storm: medians of the first and the last third. */
  memory: { lives: number; earlyMib: number; lateMib: number; highestMib: number };
  spans: { sent: number; acknowledged: number; traces: number };
  /** While processes were killed and the store failed, and afterwards, when nothing was wrong any more. */
  asked: AskCounts;
  askedAfter: AskCounts;
  store: S3ProcessCounts | undefined;
  /** The bucket, every ten seconds. */
  bucket: { second: number; objects: number; bytes: number }[];
  inventory: Inventory | undefined;
  /** The same when everything that nobody names was swept as if days had passed. */
  sweptInventory: Inventory | undefined;
}

/**
 * Runs load, kills, faults and questions for the time that is set, then lets the weather clear and looks whether all
 * of it is there: every span that was acknowledged and is not expired once, by id and in a count, from the process
 * that has it in memory and again from one that has just started; and in the bucket nothing that nobody names.
 */
export async function soak(settings: SoakSettings, tell: (line: string) => void): Promise<SoakResult> {
  const run = await Run.begin(settings, tell);
  try {
    await run.storm();
    await run.verify();
  } catch (error) {
    run.result.failures.push((error as Error).message);
  } finally {
    await run.close();
  }
  return run.result;
}

/** Answers of a fair store are whole after so long. */
const SAMPLE_MS = 10_000;
const TELL_MS = 30_000;
const AT_A_TIME = 6;
/** What is in a swept bucket. Seals stay for a year; a claim is what a merge left that was killed. */
const NAMED = new Set(['root', 'live', 'page', 'index', 'seal', 'claim', 'probe']);

class Run {
  readonly #settings: SoakSettings;
  readonly #tell: (line: string) => void;
  readonly #random: Random;
  readonly #directory = temporaryDirectory();
  readonly #store: S3Process;
  readonly #ledger: Ledger;
  readonly #lives: Lives;
  readonly #load: SoakLoad;
  readonly #asker: Asker;
  readonly #beginMs = Date.now();
  readonly #overridesFile: string;
  /** Directories and names that processes got so far. */
  #directories = 0;
  #names = 0;
  /** The process after all others. */
  #last: TestServer | undefined;
  readonly result: SoakResult;
  #ended = false;

  static async begin(settings: SoakSettings, tell: (line: string) => void): Promise<Run> {
    return new Run(settings, tell, await startS3Process());
  }

  private constructor(settings: SoakSettings, tell: (line: string) => void, store: S3Process) {
    this.#settings = settings;
    this.#tell = tell;
    this.#store = store;
    const { seed, killEverySeconds, requestsPerSecond } = settings;
    this.#random = seededRandom(seed);
    this.#ledger = new Ledger(seed);
    this.#overridesFile = path.join(this.#directory.path, 'overrides.yaml');
    writeFileSync(this.#overridesFile, OVERRIDES);
    this.#lives = startLives({
      random: this.#random,
      env: () => this.#environment(),
      dataDir: () => this.#newDirectory(),
      killEveryMs: 1000 * killEverySeconds,
    });
    this.#asker = this.#newAsker();
    this.#load = startSoakLoad({
      ledger: this.#ledger,
      random: this.#random,
      tenants: TENANTS,
      clients: 4 * TENANTS.length,
      requestsPerSecond,
      server: () => this.#lives.current(),
    });
    this.result = {
      settings,
      failures: [],
      minutes: 0,
      lives: this.#lives.lives,
      logProblems: this.#lives.problems,
      load: this.#load.counts,
      memory: { lives: 0, earlyMib: 0, lateMib: 0, highestMib: 0 },
      spans: { sent: 0, acknowledged: 0, traces: 0 },
      asked: this.#asker.counts,
      askedAfter: this.#asker.counts,
      store: undefined,
      bucket: [],
      inventory: undefined,
      sweptInventory: undefined,
    };
  }

  /** Everything at once, for the time that is set. Ends early when an answer is wrong. */
  async storm(): Promise<void> {
    const { minutes, readers, weather } = this.#settings;
    await this.#store.setWeather(weather ? stormOf(this.#settings.seed) : undefined);
    const endMs = Date.now() + 60_000 * minutes;
    const failed = new AbortController();
    const asking = Promise.all(Array.from({ length: readers }, () => this.#ask(failed)));
    asking.catch(() => undefined);
    const sampling = this.#sample();
    while (Date.now() < endMs && !failed.signal.aborted) await pause(100);
    this.#tell('the storm is over: requests that are under way');
    await this.#load.end();
    await this.#lives.calm();
    this.#ended = true;
    await asking.catch((error: unknown) => this.#fail(error));
    await sampling;
    this.result.store = await this.#store.setWeather(undefined);
    this.#judgeMemory();
    for (const [message, { level, last }] of this.#lives.problems) {
      if (level === 'fatal' || message.includes('defect')) this.#fail(new Error(`log: ${last}`));
    }
  }

  /** In fair weather: everything is there, before and after one more kill, and nothing else is. */
  async verify(): Promise<void> {
    const ledger = this.#ledger;
    this.#ended = false;
    const asker = this.#newAsker();
    this.result.askedAfter = asker.counts;
    await flushPatiently(await this.#lives.calm());
    this.#tell(`everything is flushed: ${ledger.acknowledged} spans in ${ledger.traces.length} traces`);
    await this.#verifyCounts(asker);
    const traces = ledger.traces.filter((trace) => this.#isWorthReading(trace)).values();
    await this.#atATime(async () => {
      for (const trace of traces) await asker.checkTrace(trace).catch((error: unknown) => this.#fail(error));
    });
    this.#tell('every trace was read: once more after a kill');
    await this.#lives.restart();
    await this.#verifyCounts(asker);
    const some = Array.from(
      { length: 300 },
      () => ledger.requests[this.#random.u32() % ledger.requests.length],
    ).values();
    await this.#atATime(async () => {
      for (const request of some) {
        if (request === undefined) continue;
        for (const { trace } of request.parts)
          await asker.checkTrace(trace).catch((error: unknown) => this.#fail(error));
        await asker.checkSearch(request).catch((error: unknown) => this.#fail(error));
      }
    });
    await flushPatiently(await this.#lives.calm());
    const code = await this.#lives.stop();
    if (code !== 0) this.#fail(new Error(`the last process ended with ${code}`));
    await this.#judgeBucket();
    await this.#readOnceMore();
  }

  async close(): Promise<void> {
    this.#ended = true;
    this.result.minutes = (Date.now() - this.#beginMs) / 60_000;
    const { requests, traces, acknowledged } = this.#ledger;
    this.result.spans = {
      sent: requests.reduce((sum, { spans }) => sum + spans, 0),
      acknowledged,
      traces: traces.length,
    };
    await this.#load.end().catch(() => undefined);
    await this.#lives.kill();
    await this.#store.close();
    this.#directory.remove();
  }

  /** With the log in the bucket nothing on a disk has to survive, and so nothing does. */
  #newDirectory(): string {
    if (this.#settings.log === 'disk') return path.join(this.#directory.path, 'data');
    rmSync(path.join(this.#directory.path, `data-${this.#directories++}`), { recursive: true, force: true });
    const directory = path.join(this.#directory.path, `data-${this.#directories}`);
    mkdirSync(directory);
    return directory;
  }

  #environment(): Record<string, string> {
    const { freshNames } = this.#settings;
    const instance = freshNames ? `soak-${++this.#names}` : 'soak';
    return settingsEnvironment(this.#settings, { store: this.#store, overridesFile: this.#overridesFile, instance });
  }

  #newAsker(): Asker {
    const settings = this.#settings;
    return new Asker({
      ledger: this.#ledger,
      keeping: (trace) => keepingOf(settings, trace),
      server: () => this.#last ?? this.#lives.current(),
      ended: () => this.#ended,
    });
  }

  /** All spans of a tenant that are younger are there. */
  #keptMs(tenant: string): number {
    return keepingOf(this.#settings, { tenant, marked: false }).retentionMs ?? Number.POSITIVE_INFINITY;
  }

  /** Questions one after another: half of them about what is young, which is on its way from the heads to blocks. */
  async #ask(failed: AbortController): Promise<void> {
    const random = this.#random;
    while (!this.#ended) {
      await pause(fraction(random) * 2 * (1000 / this.#settings.questionsPerSecond) * this.#settings.readers);
      const nowMs = Date.now();
      const young = random.u32() % 2 === 0 ? 20_000 : 15 * 60_000;
      const requests = this.#ledger.requestsAfter(nowMs - young);
      const request = requests[random.u32() % Math.max(1, requests.length)];
      if (request === undefined) continue;
      const part = request.parts[random.u32() % request.parts.length];
      const dice = random.u32() % 8;
      try {
        if (dice < 4 && part !== undefined) await this.#asker.checkTrace(part.trace);
        else if (dice < 6) await this.#asker.checkSearch(request);
        else await this.#checkRecentCount(request.tenant, nowMs);
      } catch (error) {
        this.#fail(error);
        failed.abort();
      }
    }
  }

  /** Of a time in which nothing can be expired when the answer comes. */
  async #checkRecentCount(tenant: string, nowMs: number): Promise<void> {
    const keptMs = this.#keptMs(tenant);
    const marginMs = Math.min(200_000, keptMs / 2);
    const oldestMs = Math.max(this.#beginMs - 1000, nowMs - keptMs + marginMs);
    const lengthMs = 1000 + fraction(this.#random) * Math.min(300_000, nowMs - oldestMs);
    const fromMs = Math.floor(oldestMs + fraction(this.#random) * (nowMs - oldestMs));
    await this.#asker.checkCount(tenant, fromMs, Math.floor(fromMs + lengthMs));
  }

  /** All that have a span which must be there, and of the others a tenth. */
  #isWorthReading(trace: SentTrace): boolean {
    const last = trace.requests.length - 1;
    if (last < 0) return false;
    const { retentionMs, slackMs } = keepingOf(this.#settings, trace);
    const keptMs = retentionMs === undefined ? Number.POSITIVE_INFINITY : retentionMs + Math.min(slackMs, 60_000);
    return trace.number % 10 === 0 || this.#ledger.request(trace, last).startMs > Date.now() - keptMs;
  }

  /** Everything that is not expired, in slices and as a whole. */
  async #verifyCounts(asker: Asker): Promise<void> {
    const endMs = Date.now() + 1;
    for (const tenant of TENANTS) {
      const keptMs = this.#keptMs(tenant);
      const beginMs = Math.max(this.#beginMs - 1000, endMs - keptMs + Math.min(60_000, keptMs / 2));
      for (let fromMs = beginMs; fromMs < endMs; fromMs += 60_000) {
        await asker
          .checkCount(tenant, fromMs, Math.min(endMs, fromMs + 60_000))
          .catch((error: unknown) => this.#fail(error));
      }
      await asker.checkCount(tenant, beginMs, endMs).catch((error: unknown) => this.#fail(error));
    }
  }

  async #atATime(work: () => Promise<void>): Promise<void> {
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
  }

  async #sample(): Promise<void> {
    let toldMs = 0;
    while (!this.#ended) {
      const { objects, bytes } = await this.#store.counts();
      const second = Math.round((Date.now() - this.#beginMs) / 1000);
      this.result.bucket.push({ second, objects, bytes });
      if (Date.now() - toldMs > TELL_MS) {
        toldMs = Date.now();
        const { lives } = this.#lives;
        const { whole } = this.#asker.counts;
        const answers = whole.trace + whole.search + whole.count;
        const memory = lives.at(-1)?.peakRssMib ?? 0;
        this.#tell(
          `${second} s: ${this.#ledger.acknowledged} spans, ${lives.length} lives, ${answers} answers, ` +
            `${objects} objects, last peak ${memory} MiB`,
        );
      }
      for (let waited = 0; waited < SAMPLE_MS && !this.#ended; waited += 100) await pause(100);
    }
  }

  /** The memory of late lives is that of early ones; the first is left out, whose store was empty. */
  #judgeMemory(): void {
    const peaks = this.#lives.lives.flatMap(({ seconds, peakRssMib }) => (seconds > 15 ? [peakRssMib] : [])).slice(1);
    const third = Math.floor(peaks.length / 3);
    const [earlyMib, lateMib] = [median(peaks.slice(0, third)), median(peaks.slice(-third))];
    this.result.memory = { lives: peaks.length, earlyMib, lateMib, highestMib: Math.max(0, ...peaks) };
    if (third > 1 && lateMib > 1.2 * earlyMib + 16) {
      this.#fail(new Error(`memory grows: ${earlyMib} MiB in early lives, ${lateMib} MiB in late`));
    }
  }

  /** What is there now, and when everything that nobody names has been swept: then it is what the roots name. */
  async #judgeBucket(): Promise<void> {
    const { endpoint, region, bucket, credentials } = this.#store;
    const store = await createS3Store({ bucket, endpoint, region, credentials });
    try {
      const signal = AbortSignal.timeout(300_000);
      const inventory = await takeInventory({ store, ...GRACES, signal });
      this.result.inventory = inventory;
      this.#judgeInventory(inventory);
      this.#tell(`${await sweepLater(store, signal)} objects were swept`);
      const swept = await takeInventory({ store, ...GRACES, signal });
      this.result.sweptInventory = swept;
      this.#judgeInventory(swept);
      const left = Object.keys(swept.classes).filter((name) => !NAMED.has(name));
      if (left.length > 0) this.#fail(new Error(`left by the sweep: ${JSON.stringify(swept.classes)}`));
    } finally {
      await store.close();
    }
  }

  #judgeInventory(inventory: Inventory): void {
    for (const kind of ['missing', 'overdue', 'unknown'] as const) {
      const keys = inventory[kind];
      if (keys.length > 0) this.#fail(new Error(`${keys.length} objects are ${kind}: ${keys.slice(0, 5).join('; ')}`));
    }
  }

  /** A process that has seen nothing reads from the swept bucket. */
  async #readOnceMore(): Promise<void> {
    const server = await startServer({
      dataDir: this.#newDirectory(),
      env: this.#environment(),
    });
    try {
      this.#last = server;
      await this.#verifyCounts(this.#newAsker());
    } finally {
      await server.kill();
    }
  }

  #fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#tell(`FAILED: ${message}`);
    if (this.result.failures.length < 50) this.result.failures.push(message);
  }
}

/** What the bar asks for: three calls of ten fail, and some take seconds. */
function stormOf(seed: number): S3Weather {
  const latency = { medianMs: 12, slow: 0.01, maxMs: 3000 };
  return { seed, resets: 0.15, unavailable: 0.1, tooMany: 0.05, latency };
}

/** While the log is replayed there is nothing that could be flushed yet. */
async function flushPatiently(server: TestServer): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await flush(server);
    } catch (error) {
      if (tries === 60) throw error;
      await pause(1000);
    }
  }
}

export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
}
