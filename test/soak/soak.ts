import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Random, seededRandom } from '@vivace/kernel';
import { type S3Process, type S3ProcessCounts, type S3Weather, startS3Process } from '@vivace/object-store/testing';
import { pause } from '../harness/load.ts';
import { startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';
import { postSpans } from '../harness/span-load.ts';
import { flushPatiently } from '../harness/traces-client.ts';
import { type AskCounts, Asker } from '../truth/asking.ts';
import { type Inventory, judgeBucket } from '../truth/inventory.ts';
import { Ledger, type SentTrace } from '../truth/ledger.ts';
import { type PacedLoad, startPacedLoad } from '../truth/paced-load.ts';
import { Questions } from '../truth/questions.ts';
import { GRACES } from '../truth/quick-settings.ts';
import { type Lives, startLives } from './lives.ts';
import { keepingOf, OVERRIDES, type SoakSettings, settingsEnvironment, TENANTS } from './soak-settings.ts';

export type { SoakSettings } from './soak-settings.ts';

/** What a soak has seen; `failures` is empty where everything was right. */
export interface SoakResult {
  settings: SoakSettings;
  failures: string[];
  minutes: number;
  lives: Lives['lives'];
  logProblems: Lives['problems'];
  load: PacedLoad['counts'];
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

class Run {
  readonly #settings: SoakSettings;
  readonly #tell: (line: string) => void;
  readonly #random: Random;
  readonly #directory = temporaryDirectory();
  readonly #store: S3Process;
  readonly #ledger: Ledger;
  readonly #lives: Lives;
  readonly #load: PacedLoad;
  readonly #asker: Asker;
  readonly #questions: Questions;
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
    this.#questions = new Questions({
      ledger: this.#ledger,
      random: this.#random,
      tenants: TENANTS,
      beginMs: this.#beginMs,
      keptMs: (tenant) => this.#keptMs(tenant),
      onWrong: (error) => this.#fail(error),
    });
    this.#load = startPacedLoad({
      ledger: this.#ledger,
      random: this.#random,
      tenants: TENANTS,
      clients: 4 * TENANTS.length,
      requestsPerSecond,
      post: (_, tenant, body, signal) => {
        const server = this.#lives.current();
        return server && postSpans(server, tenant, body, signal);
      },
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
    const { minutes, readers, questionsPerSecond, weather } = this.#settings;
    await this.#store.setWeather(weather ? stormOf(this.#settings.seed) : undefined);
    const endMs = Date.now() + 60_000 * minutes;
    const pauseMs = (1000 / questionsPerSecond) * readers;
    const ended = () => this.#ended;
    const asking = Promise.all(
      Array.from({ length: readers }, () => this.#questions.askOn(this.#asker, { pauseMs, ended })),
    );
    const sampling = this.#sample();
    while (Date.now() < endMs && this.result.failures.length === 0) await pause(100);
    this.#tell('the storm is over: requests that are under way');
    await this.#load.end();
    await this.#lives.calm();
    this.#ended = true;
    await asking;
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
    await this.#questions.counts(asker);
    await this.#questions.traces(
      asker,
      ledger.traces.filter((trace) => this.#isWorthReading(trace)),
    );
    this.#tell('every trace was read: once more after a kill');
    await this.#lives.restart();
    await this.#questions.counts(asker);
    await this.#questions.requests(asker, 300);
    await flushPatiently(await this.#lives.calm());
    const code = await this.#lives.stop();
    if (code !== 0) this.#fail(new Error(`the last process ended with ${code}`));
    const { inventory, swept } = await judgeBucket(this.#store, GRACES, (error) => this.#fail(error));
    this.result.inventory = inventory;
    this.result.sweptInventory = swept;
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
    await this.#load.giveUp().catch(() => undefined);
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

  /** All that have a span which must be there, and of the others a tenth. */
  #isWorthReading(trace: SentTrace): boolean {
    const last = trace.requests.length - 1;
    if (last < 0) return false;
    const { retentionMs, slackMs } = keepingOf(this.#settings, trace);
    const keptMs = retentionMs === undefined ? Number.POSITIVE_INFINITY : retentionMs + Math.min(slackMs, 60_000);
    return trace.number % 10 === 0 || this.#ledger.request(trace, last).startMs > Date.now() - keptMs;
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

  /** A process that has seen nothing reads from the swept bucket. */
  async #readOnceMore(): Promise<void> {
    const server = await startServer({
      dataDir: this.#newDirectory(),
      env: this.#environment(),
    });
    try {
      this.#last = server;
      await this.#questions.counts(this.#newAsker());
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

export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
}
