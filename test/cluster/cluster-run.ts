import { fraction, type Random, seededRandom } from '@vivace/kernel';
import { type S3Process, startS3Process } from '@vivace/object-store/testing';
import { GrpcSender } from '../harness/grpc-spans.ts';
import { pause } from '../harness/load.ts';
import type { LogProblems } from '../harness/process-log.ts';
import { s3Env } from '../harness/s3-env.ts';
import { startServer, temporaryDirectory } from '../harness/server.ts';
import { postSpans } from '../harness/span-load.ts';
import { flushPatiently } from '../harness/traces-client.ts';
import { type AskCounts, Asker } from '../truth/asking.ts';
import { type Inventory, judgeBucket } from '../truth/inventory.ts';
import { Ledger } from '../truth/ledger.ts';
import { type PacedLoad, startPacedLoad } from '../truth/paced-load.ts';
import { Questions } from '../truth/questions.ts';
import { GRACES } from '../truth/quick-settings.ts';
import { Cluster } from './cluster.ts';
import { type Act, BUCKET, type ClusterSettings } from './cluster-settings.ts';
import type { Member, Outage } from './member.ts';
import type { Network } from './network.ts';
import { oneRetry, type PartAnswer } from './one-retry.ts';

/** What was done to a process, and how long answers were parts after it. */
interface DoneAct {
  second: number;
  what: string;
  /** Until it was ready again, milliseconds. */
  awayMs: number;
  /** Questions that had a part for an answer until the next of them. */
  parts: number;
  /** The last of them, milliseconds after the process was away, and after it was back. */
  lastPartMs: number;
}

/** `failures` is empty where everything was right. */
export interface ClusterResult {
  settings: ClusterSettings;
  failures: string[];
  minutes: number;
  loadMinutes: number;
  acts: DoneAct[];
  members: readonly Pick<Member, 'name' | 'starts' | 'peakRssMib'>[];
  logProblems: LogProblems;
  load: PacedLoad['counts'];
  spans: { sent: number; acknowledged: number; traces: number };
  /** While processes were killed, with one retry; and afterwards. */
  asked: AskCounts;
  askedAfter: AskCounts;
  inventory: Inventory | undefined;
}

export interface Surroundings {
  tell?: (line: string) => void;
  /** What there is to cut; default: none. */
  network?: Network;
  /** Ends it early; its processes are gone when it has. */
  signal?: AbortSignal;
}

const TENANTS = ['shop', 'Shop', 'games'];
const KEPT_FOR_EVER = { retentionMs: undefined, slackMs: 0 };
const CLIENTS_A_TENANT = 4;
/** A supervisor starts a process anew after so long, at least and at most. */
const MIN_DOWN_MS = 300;
const MAX_DOWN_MS = 3000;
const QUESTIONS_AFTER = 150;
const MAX_FAILURES = 50;

/**
 * Sends spans to the distributors and asks through the frontends while processes are killed, each question with one
 * retry; and afterwards looks whether everything that was acknowledged is there once, for those who lived through it
 * and for a process that has just started.
 */
export async function runCluster(settings: ClusterSettings, surroundings: Surroundings = {}): Promise<ClusterResult> {
  const run = new Run(settings, surroundings);
  try {
    await run.start();
    await run.storm();
    if (!run.isOver) await run.verify();
  } catch (error) {
    run.fail(error);
  } finally {
    await run.close();
  }
  return run.result();
}

class Run {
  readonly #settings: ClusterSettings;
  readonly #tell: (line: string) => void;
  readonly #network: Network | undefined;
  readonly #random: Random;
  readonly #ledger: Ledger;
  readonly #beginMs = Date.now();
  readonly #grpc = new GrpcSender();
  readonly #failures: string[] = [];
  readonly #parts: PartAnswer[] = [];
  readonly #done: { act: Act; outage: Outage }[] = [];
  #store: S3Process | undefined;
  #cluster: Cluster | undefined;
  #load: PacedLoad | undefined;
  #stormAsker: Asker | undefined;
  #calmAsker: Asker | undefined;
  #inventory: Inventory | undefined;
  #members: readonly Member[] = [];
  #problems: LogProblems = new Map();
  #turn = 0;
  #loadMs = 0;
  #ended = false;
  #isOver = false;
  /** A process that was started when all others had ended. */
  #last: { http: string } | undefined;

  constructor(settings: ClusterSettings, { tell = () => undefined, network, signal }: Surroundings) {
    this.#settings = settings;
    this.#tell = tell;
    this.#network = network;
    signal?.addEventListener('abort', () => {
      this.#isOver = true;
      this.fail(new Error('it was ended early'));
      void this.close();
    });
    this.#random = seededRandom(settings.seed);
    this.#ledger = new Ledger(settings.seed);
  }

  async start(): Promise<void> {
    const { sizes, cutInterval } = this.#settings;
    const network = this.#network;
    this.#store = await startS3Process(network?.place(BUCKET));
    this.#cluster = await Cluster.start({
      store: this.#store,
      random: this.#random,
      sizes,
      cutInterval,
      ...(network !== undefined && { place: (name) => network.place(name) }),
      onDied: (error) => {
        this.#isOver = true;
        this.fail(error);
      },
    });
    this.#members = this.#cluster.members;
    this.#problems = this.#cluster.problems;
    this.#tell(`${this.#members.length} processes are ready`);
  }

  /** Load and questions for the time that is set, and the acts at even distances. */
  async storm(): Promise<void> {
    const cluster = this.#cluster as Cluster;
    const { minutes, acts, readers, questionsPerSecond, requestsPerSecond } = this.#settings;
    const asker = new Asker({
      ledger: this.#ledger,
      keeping: () => KEPT_FOR_EVER,
      server: (attempts) => this.#frontend(attempts.at(-1)?.http),
      ended: () => this.#ended,
      patience: oneRetry(cluster, this.#parts),
      takesParts: true,
    });
    this.#stormAsker = asker;
    const load = startPacedLoad({
      ledger: this.#ledger,
      random: this.#random,
      tenants: TENANTS,
      clients: CLIENTS_A_TENANT * TENANTS.length,
      requestsPerSecond,
      post: (client, tenant, body, signal) => {
        const distributors = cluster.of('distributor');
        const to = distributors[this.#turn++ % distributors.length] as Member;
        return client % 2 === 0
          ? postSpans(to, tenant, body, signal)
          : this.#grpc.send(to.otlpGrpc, tenant, body, signal);
      },
    });
    this.#load = load;
    const beginMs = Date.now();
    const questions = this.#questions();
    const pauseMs = (1000 / questionsPerSecond) * readers;
    const ended = () => this.#ended;
    const asking = Array.from({ length: readers }, () => questions.askOn(asker, { pauseMs, ended }));
    const suspendedMs = acts.reduce((sum, act) => sum + ('seconds' in act ? 1000 * act.seconds : 0), 0);
    const paceMs = Math.max(0, 60_000 * minutes - suspendedMs) / (acts.length + 1);
    for (const act of acts) {
      await this.#rest(paceMs);
      if (this.#failures.length > 0) break;
      await this.#perform(cluster, act);
      this.#tellWhere();
    }
    const endMs = Math.max(beginMs + 60_000 * minutes, Date.now() + paceMs);
    await this.#rest(endMs - Date.now());
    this.#loadMs = Date.now() - beginMs;
    this.#tell('no new requests: those that are under way');
    await (this.#failures.length === 0 ? load.end() : load.giveUp());
    this.#ended = true;
    await Promise.all(asking);
  }

  /** Everything is there: in heads, in blocks, in the bucket alone. */
  async verify(): Promise<void> {
    const cluster = this.#cluster as Cluster;
    const store = this.#store as S3Process;
    this.#ended = false;
    const asker = new Asker({
      ledger: this.#ledger,
      keeping: () => KEPT_FOR_EVER,
      server: () => this.#last ?? this.#frontend(undefined),
      ended: () => this.#ended,
    });
    this.#calmAsker = asker;
    const questions = this.#questions();
    await cluster.whole();
    await questions.counts(asker);
    for (const ingester of cluster.of('ingester')) await flushPatiently(ingester);
    this.#tell(`everything is flushed: ${this.#ledger.acknowledged} spans in ${this.#ledger.traces.length} traces`);
    await questions.counts(asker);
    await questions.traces(asker, this.#ledger.traces);
    await questions.requests(asker, QUESTIONS_AFTER);
    this.#tell('every trace was read: all processes end');
    for (const wrong of await cluster.stop()) this.fail(new Error(wrong));
    const { inventory } = await judgeBucket(store, GRACES, (error) => this.fail(error));
    this.#inventory = inventory;
    await this.#readOnceMore(store, questions, asker);
  }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#load?.giveUp().catch((error: unknown) => this.fail(error));
    await this.#cluster?.close();
    this.#grpc.close();
    await this.#store?.close();
  }

  result(): ClusterResult {
    const { requests, traces, acknowledged } = this.#ledger;
    const none: AskCounts = new Asker({
      ledger: this.#ledger,
      keeping: () => KEPT_FOR_EVER,
      server: () => undefined,
      ended: () => true,
    }).counts;
    for (const [message, { level, last }] of this.#problems) {
      if (level === 'fatal' || message.includes('defect')) this.fail(new Error(`log: ${last}`));
    }
    return {
      settings: this.#settings,
      failures: this.#failures,
      minutes: (Date.now() - this.#beginMs) / 60_000,
      loadMinutes: this.#loadMs / 60_000,
      acts: this.#doneActs(),
      members: this.#members,
      logProblems: this.#problems,
      load: this.#load?.counts ?? { taken: 0, resent: 0, refused: 0, gone: 0, longestMs: 0 },
      spans: { sent: requests.reduce((sum, { spans }) => sum + spans, 0), acknowledged, traces: traces.length },
      asked: this.#stormAsker?.counts ?? none,
      askedAfter: this.#calmAsker?.counts ?? none,
      inventory: this.#inventory,
    };
  }

  /** Something is wrong with the processes themselves: nothing more can be asked. */
  get isOver(): boolean {
    return this.#isOver;
  }

  fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#tell(`FAILED: ${message}`);
    if (this.#failures.length < MAX_FAILURES) this.#failures.push(message);
  }

  /**
   * As a balancer of load does: at first any, as it does not know yet who is gone; for a retry one that is ready, and
   * another than the one that was asked before where there is one.
   */
  #frontend(not: string | undefined): Member {
    const all = (this.#cluster as Cluster).of('query-frontend');
    const ready = not === undefined ? all : all.filter(({ isReady }) => isReady);
    const others = ready.filter(({ http }) => http !== not);
    const among = [others, ready, all].find(({ length }) => length > 0) as Member[];
    return among[this.#turn++ % among.length] as Member;
  }

  #questions(): Questions {
    return new Questions({
      ledger: this.#ledger,
      random: this.#random,
      tenants: TENANTS,
      beginMs: this.#beginMs,
      keptMs: () => Number.POSITIVE_INFINITY,
      onWrong: (error) => this.fail(error),
    });
  }

  async #perform(cluster: Cluster, act: Act): Promise<void> {
    if ('kill' in act) {
      const member = cluster.named(act.kill);
      // Of each kind one at a time.
      await cluster.whole(member.kind);
      await member.kill();
      this.#done.push({ act, outage: member.outages.at(-1) as Outage });
      await pause(MIN_DOWN_MS + fraction(this.#random) * (MAX_DOWN_MS - MIN_DOWN_MS));
      member.start().catch((error: unknown) => this.fail(error));
      return;
    }
    await cluster.whole();
    if ('suspend' in act) {
      const member = cluster.named(act.suspend);
      member.suspend();
      this.#done.push({ act, outage: member.outages.at(-1) as Outage });
      await this.#rest(1000 * act.seconds);
      member.resume();
      return;
    }
    const { cut, away, seconds } = act;
    const network = this.#network as Network;
    const outage: Outage = { how: 'cut off', fromMs: Date.now(), untilMs: undefined };
    this.#done.push({ act, outage });
    if (away !== undefined) cluster.named(away).outages.push(outage);
    await network.cut(...cut);
    await this.#rest(1000 * seconds);
    await network.join(...cut);
    outage.untilMs = Date.now();
  }

  /** Less where something is wrong already. */
  async #rest(ms: number): Promise<void> {
    const untilMs = Date.now() + ms;
    while (Date.now() < untilMs && this.#failures.length === 0) await pause(Math.min(100, untilMs - Date.now()));
  }

  #tellWhere(): void {
    const act = this.#doneActs().at(-1);
    if (act === undefined) return;
    const { whole, second } = (this.#stormAsker as Asker).counts;
    this.#tell(
      `${act.second} s: ${act.what}; ` +
        `${this.#ledger.acknowledged} spans, ${whole.trace + whole.search + whole.count} whole answers, ` +
        `${second} of them by the retry, ${this.#parts.length} parts`,
    );
  }

  #doneActs(): DoneAct[] {
    return this.#done.map(({ act, outage }, i) => {
      const { fromMs, untilMs = Date.now() } = outage;
      const nextMs = this.#done[i + 1]?.outage.fromMs ?? Number.POSITIVE_INFINITY;
      const parts = this.#parts.filter(({ endMs }) => endMs > fromMs && endMs <= nextMs);
      return {
        second: Math.round((fromMs - this.#beginMs) / 1000),
        what: describe(act),
        awayMs: untilMs - fromMs,
        parts: parts.length,
        lastPartMs: parts.reduce((last, { endMs }) => Math.max(last, endMs - fromMs), 0),
      };
    });
  }

  /** A process that has seen nothing, with all services, on what the others have left. */
  async #readOnceMore(store: S3Process, questions: Questions, asker: Asker): Promise<void> {
    const directory = temporaryDirectory();
    const env = { ...s3Env(store, store), VIVACE_MULTITENANCY_ENABLED: 'true' };
    try {
      const { host, launcher = [] } = this.#network?.place(BUCKET) ?? {};
      const flags = host === undefined ? [] : ['--bind', host];
      const server = await startServer({ dataDir: directory.path, env, flags, launcher });
      try {
        this.#last = server;
        await questions.counts(asker);
        await questions.requests(asker, QUESTIONS_AFTER);
      } finally {
        await server.kill();
      }
    } finally {
      directory.remove();
    }
  }
}

function describe(act: Act): string {
  if ('kill' in act) return `killed ${act.kill}`;
  return 'suspend' in act ? `suspended ${act.suspend}` : `cut ${act.cut.join(' from ')}`;
}
