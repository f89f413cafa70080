import type { Random } from '@vivace/kernel';
import type { S3Process } from '@vivace/object-store/testing';
import { freePorts } from '../harness/free-ports.ts';
import { pause } from '../harness/load.ts';
import type { LogProblems } from '../harness/process-log.ts';
import { s3Env } from '../harness/s3-env.ts';
import { quickSettings } from '../truth/quick-settings.ts';
import { type Kind, Member, type MemberPorts } from './member.ts';
import type { Place } from './network.ts';

export type Sizes = Record<Kind, number>;

export interface ClusterOptions {
  store: S3Process;
  random: Random;
  sizes: Sizes;
  cutInterval: string;
  /** Default: all on this machine's own addresses. */
  place?: (name: string) => Place;
  /** Told when a process ends by itself. */
  onDied: (error: Error) => void;
}

const HERE: Place = { host: '127.0.0.1', launcher: [] };

/** Those that are called start before those that call them, and stop after them. */
const START_ORDER: readonly Kind[] = ['ingester', 'querier', 'distributor', 'query-frontend', 'compactor'];
const PORTS_A_MEMBER = 4;
const READY_WITHIN_MS = 120_000;
const SAMPLE_MS = 1000;

/** The names of the processes of a cluster of these sizes. */
export function memberNames(sizes: Sizes): string[] {
  return START_ORDER.flatMap((kind) => namesOf(kind, sizes));
}

function namesOf(kind: Kind, sizes: Sizes): string[] {
  return Array.from({ length: sizes[kind] }, (_, i) => `${kind}-${i + 1}`);
}

/** The processes of a split deployment on one bucket. */
export class Cluster {
  readonly members: readonly Member[];
  readonly problems: LogProblems;
  readonly #sampling: NodeJS.Timeout;

  /** Resolves when all of them are ready; leaves none behind where that fails. */
  static async start({
    store,
    random,
    sizes,
    cutInterval,
    place = () => HERE,
    onDied,
  }: ClusterOptions): Promise<Cluster> {
    const ports = await freePorts(PORTS_A_MEMBER * memberNames(sizes).length, random);
    const planned = START_ORDER.flatMap((kind) => namesOf(kind, sizes).map((name) => ({ kind, name }))).map((one) => {
      const [http, otlpHttp, otlpGrpc, grpc] = ports.splice(0, PORTS_A_MEMBER);
      return { ...one, place: place(one.name), ports: { http, otlpHttp, otlpGrpc, grpc } as MemberPorts };
    });
    const addresses = (of: Kind) =>
      planned.flatMap((one) => (one.kind === of ? [`${one.place.host}:${one.ports.grpc}`] : [])).join();
    const problems: LogProblems = new Map();
    const env: Record<string, string> = {
      ...s3Env(store, store),
      ...quickSettings(cutInterval),
      VIVACE_MULTITENANCY_ENABLED: 'true',
      VIVACE_COMPACTOR_COMPACTION_BLOCK_RETENTION: '0ms',
      VIVACE_INGESTER_CLIENT_ADDRESSES: addresses('ingester'),
      VIVACE_QUERIER_CLIENT_ADDRESSES: addresses('querier'),
    };
    const members = planned.map((one) => new Member({ ...one, env, problems, onDied }));
    const cluster = new Cluster(members, problems);
    try {
      // Ingesters take ten seconds in which they do nothing.
      await Promise.all([cluster.#start(['ingester']), cluster.#start(START_ORDER.slice(1))]);
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  private constructor(members: readonly Member[], problems: LogProblems) {
    this.members = members;
    this.problems = problems;
    this.#sampling = setInterval(() => {
      for (const member of members) member.sampleMemory();
    }, SAMPLE_MS);
  }

  /** One kind after another. */
  async #start(kinds: readonly Kind[]): Promise<void> {
    for (const kind of kinds) await Promise.all(this.of(kind).map((member) => member.start()));
  }

  of(kind: Kind): Member[] {
    return this.members.filter((member) => member.kind === kind);
  }

  named(name: string): Member {
    const found = this.members.find((member) => member.name === name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  /** Resolves when a process of each kind is ready: who balances load has somebody to turn to. */
  async served(): Promise<void> {
    const kinds = START_ORDER.map((kind) => this.of(kind)).filter(({ length }) => length > 0);
    await until(() => kinds.every((members) => members.some(({ isReady }) => isReady)));
  }

  /** Resolves when all of them are ready, or all of a kind. */
  async whole(kind?: Kind): Promise<void> {
    const members = kind === undefined ? this.members : this.of(kind);
    await until(() => members.every(({ isReady }) => isReady));
  }

  /** Whether an ingester was away at a time of these, or was back for less than `settleMs`. */
  missedIngester(fromMs: number, toMs: number, settleMs: number): boolean {
    return this.of('ingester').some(({ outages }) =>
      outages.some((out) => out.fromMs < toMs && (out.untilMs ?? toMs) + settleMs > fromMs),
    );
  }

  /** All of them as an operator ends them; names those that did not end well. */
  async stop(): Promise<string[]> {
    const wrong: string[] = [];
    for (const kind of START_ORDER.toReversed()) {
      await Promise.all(
        this.of(kind).map(async (member) => {
          const code = await member.stop();
          if (code !== 0) wrong.push(`${member.name} ended with ${code}`);
        }),
      );
    }
    return wrong;
  }

  output(): string {
    return this.members.map((member) => member.output()).join('\n---\n');
  }

  /** Kills whatever is left. */
  async close(): Promise<void> {
    clearInterval(this.#sampling);
    await Promise.all(this.members.map((member) => member.close()));
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (let waitedMs = 0; !holds(); waitedMs += 50) {
    if (waitedMs > READY_WITHIN_MS) throw new Error('a process does not get ready');
    await pause(50);
  }
}
