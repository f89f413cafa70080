import { crc32, fraction, isKind, utf8Encode, type VivaceError } from '@vivace/kernel';
import type { ObjectStore } from '@vivace/object-store';
import { type Manifest, openManifest } from '../manifest.ts';
import { sweepTenant } from '../sweep.ts';
import { listTenants } from '../tenants.ts';
import {
  type CompactorRules,
  expireModelBlocks,
  keptMs,
  type ModelCompactorOptions,
  mergeBlocks,
} from './model-compactor.ts';
import {
  type Coordinator,
  type CoordinatorOptions,
  type CoordinatorRules,
  openModelIngester,
} from './model-ingester.ts';
import { type HeadAnswer, type QueryRules, queryRecords, StreamList } from './model-query.ts';
import { createMood, type Mood } from './mood.ts';
import { checkBucket, checkClean, checkEmpty, Violation } from './oracle.ts';
import { makeRecord, sentMs } from './records.ts';
import { NO_FAULTS, SimulatedBucket } from './simulated-bucket.ts';
import { type LogFormat, type LogRules, listStreams, SimulatedLog, simulatedLogFormat } from './simulated-log.ts';
import { type SimulatedProcess, World } from './world.ts';

/**
 * The storage protocol under a seeded scheduler: processes that push, cut, compact, adopt and sweep over one
 * bucket, while calls land late or are refused, answers get lost, and processes stall and die. The bucket is
 * checked between events; in the end everything heals, the last process takes over what is left, and all that
 * was acknowledged must be there once, and no garbage.
 */
export interface SimulationOptions {
  seed: number;
  /** Stimuli before everything heals. Default 32. */
  stimuli?: number;
  openCoordinator?: (options: CoordinatorOptions) => Promise<Coordinator>;
  /** How the log lies in the bucket that `openCoordinator` opens. Default: as `SimulatedLog` writes it. */
  logFormat?: LogFormat;
  /** At most one process that appends at a time, and streams of living ones are left alone: as on a disk. */
  exclusive?: boolean;
  sabotage?: Sabotage;
  /** Whether blocks that are too old are removed. Default: not where a coordinator is given, which may not expect it. */
  expires?: boolean;
  /** How wrong the wall clock of a process can be, either way. Default 10 days. */
  maxSkewMs?: number;
  /** Keep the stacks of errors, to look into a seed. */
  traces?: boolean;
}

/** A rule that is broken on purpose: the simulation must notice. */
export interface Sabotage {
  log?: LogRules;
  coordinator?: CoordinatorRules;
  store?: (store: ObjectStore, process: SimulatedProcess) => ObjectStore;
  manifest?: (manifest: Manifest, process: SimulatedProcess) => Manifest;
  query?: QueryRules;
  compactor?: CompactorRules;
  /** The sweep does not ask which streams are open. */
  sweepIgnoresStreams?: boolean;
  /** The sweep deletes the objects of removed blocks at once. */
  sweepWithoutGrace?: boolean;
}

export interface SimulationResult {
  acknowledged: number;
  /** Queries, and those of them that were answered without being PARTIAL. */
  queries: number;
  complete: number;
  steps: number;
  /** The virtual time that passed. */
  elapsedMs: number;
  /** Of every key and byte in the bucket at the end. */
  digest: number;
}

const MAX_MEMBERS = 4;
const TENANTS = ['one', 'Two'];
const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;

/** Throws a Violation, or whatever a part of the protocol threw, with the seed in its message. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const { stackTraceLimit } = Error;
  // Most errors in here are answers of the store; their stacks would cost a tenth of the time.
  if (options.traces !== true) Error.stackTraceLimit = 0;
  try {
    return await new Simulation(options).run();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw Object.assign(new Violation(`seed ${options.seed}: ${text}`), { cause: error });
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

interface Member {
  process: SimulatedProcess;
  store: ObjectStore;
  manifest: (tenant: string) => Manifest;
  coordinator: Coordinator | undefined;
  streams: StreamList;
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #logFormat: LogFormat;
  readonly #never = new AbortController().signal;
  readonly #world: World;
  readonly #mood: Mood;
  readonly #bucket: SimulatedBucket;
  readonly #acknowledged = new Map<number, string>();
  #members: Member[] = [];
  readonly #expires: boolean;
  #records = 0;
  #spawned = 0;
  #queries = 0;
  #complete = 0;
  #stimuli: number;
  #failure: unknown;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#expires = options.expires ?? options.openCoordinator === undefined;
    this.#logFormat = options.logFormat ?? simulatedLogFormat;
    this.#world = new World(options.seed);
    this.#mood = createMood(this.#world);
    this.#bucket = new SimulatedBucket(this.#world);
    this.#stimuli = options.stimuli ?? 32;
  }

  async run(): Promise<SimulationResult> {
    const world = this.#world;
    const startMs = world.nowMs;
    this.#bucket.faults = this.#mood.faults;
    for (let i = this.#options.exclusive ? 1 : 2; i > 0; i--) this.#start();
    // Their logs are open then, unless the store is in their way.
    world.after(15 * SECOND, undefined, () => this.#nextStimulus());
    await this.#runChecked();
    await this.#heal();
    return {
      acknowledged: this.#acknowledged.size,
      queries: this.#queries,
      complete: this.#complete,
      steps: world.steps,
      elapsedMs: world.nowMs - startMs,
      digest: this.#digest(),
    };
  }

  #digest(): number {
    let digest = 0;
    for (const key of this.#bucket.keys('')) {
      digest = crc32(this.#bucket.objects.get(key)?.bytes as Uint8Array, crc32(utf8Encode(key), digest));
    }
    return digest;
  }

  async #runChecked(): Promise<void> {
    for (let stop = false; !stop; ) {
      const until = this.#world.steps + 20 + this.#world.below(150);
      stop = true;
      await this.#world.run(() => {
        if (this.#failure !== undefined) throw this.#failure;
        stop = this.#world.steps < until;
        return !stop;
      });
      checkBucket(this.#bucket, this.#acknowledged, this.#logFormat, (record) => this.#mustBeThere(record));
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Runs a piece of work of a process; what it throws ends the simulation, unless the process is gone. */
  #do(member: Member, work: () => Promise<unknown>): void {
    work().catch((error: unknown) => {
      if (member.process.alive) this.#failure ??= error;
    });
  }

  #start(): Member {
    const world = this.#world;
    const skewMs = world.chance(0.3) ? (2 * fraction(world.random) - 1) * (this.#options.maxSkewMs ?? 10 * DAY) : 0;
    const process = world.spawn(`p${++this.#spawned}`, skewMs);
    const { sabotage } = this.#options;
    const raw = this.#bucket.storeOf(process);
    const store = sabotage?.store?.(raw, process) ?? raw;
    const manifests = new Map<string, Manifest>();
    const manifest = (tenant: string) => {
      let opened = manifests.get(tenant);
      if (opened === undefined) {
        opened = openManifest({
          store,
          tenant,
          clock: process.clock,
          random: world.random,
          rootMaxBytes: 1200,
          pageMaxBytes: 2000,
          onAlarm: (alarm: VivaceError) => {
            this.#failure ??= alarm;
          },
        });
        opened = sabotage?.manifest?.(opened, process) ?? opened;
        manifests.set(tenant, opened);
      }
      return opened;
    };
    const member: Member = {
      process,
      store,
      manifest,
      coordinator: undefined,
      streams: new StreamList(store, process),
    };
    this.#members.push(member);
    const open = this.#options.openCoordinator ?? openModelIngester;
    this.#do(member, async () => {
      member.coordinator = await open({
        process,
        store,
        manifest,
        random: world.random,
        openLog: (onFence) =>
          SimulatedLog.open({
            process,
            store,
            random: world.random,
            onFence,
            ...(sabotage?.log && { rules: sabotage.log }),
          }),
        rules: sabotage?.coordinator ?? {},
      });
    });
    return member;
  }

  #nextStimulus(): void {
    if (this.#stimuli-- === 0) return;
    const world = this.#world;
    const scale = world.below(20);
    const delayMs =
      scale === 0 ? world.below(3 * DAY) : scale < 4 ? world.below(10 * 60 * SECOND) : world.below(2 * SECOND);
    world.after(delayMs, undefined, () => {
      const member = world.pick(this.#members);
      if (member) this.#stimulate(member);
      this.#nextStimulus();
    });
  }

  #stimulate(member: Member): void {
    const world = this.#world;
    const { coordinator, process } = member;
    switch (this.#mood.pick()) {
      case 'push':
        return this.#push(member);
      case 'query':
        return this.#do(member, () => this.#query(member));
      case 'cut':
        return this.#do(member, async () => coordinator?.cut());
      case 'compact':
        return this.#merge(member);
      case 'expire':
        return this.#expire(member);
      case 'adopt':
        return this.#do(member, () => this.#adopt(member));
      case 'sweep':
        return this.#do(member, () => this.#sweep(member));
      case 'stall-inside':
        return this.#stallInside(member);
      case 'hand-over':
        return this.#handOver(member);
      case 'stall':
        return process.stall(world.chance(0.3) ? world.below(4 * DAY) : world.below(60 * SECOND));
      case 'replace':
        return this.#replace(member);
    }
  }

  /** At times two merge the same blocks, or one does while another expires them or takes logs over. */
  #merge(member: Member): void {
    const world = this.#world;
    const tenant = world.pick(TENANTS) as string;
    const merge = (by: Member) => this.#do(by, () => mergeBlocks(this.#compactorOf(by, tenant)));
    merge(member);
    this.#do(member, async () => member.coordinator?.compact?.(tenant));
    const other = world.chance(0.4) ? world.pick(this.#members) : undefined;
    if (other === undefined) return;
    if (world.chance(0.7)) merge(other);
    else if (world.chance(0.5)) this.#expire(other, tenant);
    else if (!this.#options.exclusive) this.#do(other, () => this.#adopt(other));
  }

  #expire(member: Member, tenant = this.#world.pick(TENANTS) as string): void {
    if (!this.#expires) return;
    this.#do(member, () => expireModelBlocks(this.#compactorOf(member, tenant)));
  }

  #compactorOf({ process, store, manifest }: Member, tenant: string): ModelCompactorOptions {
    const rules = this.#options.sabotage?.compactor ?? {};
    return { process, store, manifest: manifest(tenant), random: this.#world.random, rules, signal: this.#never };
  }

  #push({ coordinator, process }: Member): void {
    if (!coordinator) return;
    for (let left = 1 + this.#world.below(3); left > 0; left--) {
      const record = makeRecord(this.#world.nowMs, ++this.#records);
      const tenant = this.#world.pick(TENANTS) as string;
      coordinator.push(tenant, record).then(
        () => {
          if (process.alive) this.#acknowledged.set(record, tenant);
        },
        (error: unknown) => {
          if (!isKind(error, 'unavailable', 'limited')) this.#failure ??= error;
        },
      );
    }
  }

  /**
   * A process stalls for days in the midst of its work. Meanwhile a new one takes over all streams, so that no
   * open one holds the floor down, and sweeps.
   */
  #stallInside(member: Member): void {
    const world = this.#world;
    if (world.chance(0.5)) this.#do(member, async () => member.coordinator?.cut());
    else this.#merge(member);
    world.after(world.below(150), undefined, () => member.process.stall(2 * DAY + world.below(2 * DAY)));
    if (this.#options.exclusive || this.#members.length >= MAX_MEMBERS) return;
    world.after(2 * DAY + world.below(DAY), undefined, () => {
      const other = this.#start();
      world.after(HOUR, other.process, () => {
        this.#do(other, async () => {
          await other.coordinator?.adopt(await listStreams(other.store, other.process));
          await this.#sweep(other);
        });
      });
    });
  }

  /** A process cuts what is not durable yet, and at the same time another takes its stream over. */
  #handOver(member: Member): void {
    this.#push(member);
    this.#do(member, async () => member.coordinator?.cut());
    if (this.#options.exclusive) return;
    const other = this.#world.pick(this.#members.filter((each) => each !== member));
    if (other) this.#do(other, () => this.#adopt(other));
  }

  /** The process dies; another comes for it, and takes over what it finds some time later. */
  #replace(member: Member): void {
    member.process.kill();
    this.#members = this.#members.filter((other) => other !== member);
    const next = this.#start();
    this.#world.after(this.#world.below(5 * 60 * SECOND), next.process, () => this.#do(next, () => this.#adopt(next)));
  }

  /** All that was acknowledged before it began is in the answer once, and nothing twice, unless it says PARTIAL. */
  async #query(member: Member): Promise<void> {
    const world = this.#world;
    const tenant = world.pick(TENANTS) as string;
    const expected: number[] = [];
    for (const [record, of] of this.#acknowledged) if (of === tenant) expected.push(record);
    this.#queries++;
    const { records, partial } = await queryRecords({
      ...member,
      signal: this.#never,
      manifest: member.manifest(tenant),
      askHeads: (stream, above) => this.#askHeads(member, tenant, stream, above),
      rules: this.#options.sabotage?.query ?? {},
    });
    if (partial !== undefined) return;
    this.#complete++;
    const seen = new Set(records);
    if (seen.size < records.length)
      throw new Violation(`a query of ${tenant} saw a record twice: ${records.join(' ')}`);
    const missed = expected.find((record) => !seen.has(record) && this.#mustBeThere(record));
    if (missed !== undefined) throw new Violation(`a query of ${tenant} missed record ${missed} and did not say so`);
  }

  /** A call to each process in turn, which takes a while, and has no answer from those that stall. */
  async #askHeads(asking: Member, tenant: string, stream: string, above: number): Promise<HeadAnswer> {
    let answer: HeadAnswer;
    for (const member of this.#members) {
      const { process } = member;
      if (process.stalledUntilMs > this.#world.nowMs) continue;
      await asking.process.clock.sleep(this.#world.below(20));
      const rows = process.alive ? member.coordinator?.rows(tenant, stream, above) : undefined;
      await asking.process.clock.sleep(this.#world.below(20));
      if (typeof rows === 'object') return rows;
      answer ??= rows;
    }
    return answer;
  }

  /** Whether an acknowledged record must be found now. */
  #mustBeThere(record: number): boolean {
    return !this.#expires || this.#world.nowMs <= sentMs(record) + keptMs(record);
  }

  async #adopt(member: Member): Promise<void> {
    const { coordinator, process, store } = member;
    const streams = await listStreams(store, process);
    if (this.#options.exclusive) return coordinator?.adopt(streams);
    await coordinator?.adopt(streams.filter(() => this.#world.chance(0.7)));
  }

  async #sweep({ manifest, process, store }: Member): Promise<void> {
    try {
      for await (const tenant of listTenants(store, this.#never)) {
        await sweepTenant({
          manifest: manifest(tenant),
          store,
          oldestStream: async () =>
            this.#options.sabotage?.sweepIgnoresStreams ? undefined : (await listStreams(store, process)).sort()[0],
          ...(this.#options.sabotage?.sweepWithoutGrace && { graceMs: 0 }),
          signal: this.#never,
        });
      }
      await this.#logFormat.sweep(store, process);
    } catch (error) {
      // The next sweep goes on.
      if (!isKind(error, 'unavailable', 'limited', 'not-found')) throw error;
    }
  }

  /** No more faults: what is under way ends, then one process takes over everything and sweeps until it is clean. */
  async #heal(): Promise<void> {
    const world = this.#world;
    this.#bucket.faults = NO_FAULTS;
    for (const { process } of this.#members) process.stalledUntilMs = 0;
    await this.#runChecked();
    if (world.chance(0.5)) {
      for (const member of this.#members) this.#do(member, async () => member.coordinator?.cut());
      await this.#runChecked();
    }
    for (const { process } of this.#members) process.kill();
    const heir = this.#start();
    await this.#runChecked();
    this.#do(heir, async () => heir.coordinator?.adopt(await listStreams(heir.store, heir.process)));
    await this.#runChecked();
    // Twice: the first removes pages that only its own commits have replaced.
    for (let sweeps = 0; sweeps < 2; sweeps++) {
      world.nowMs += 3 * DAY;
      this.#do(heir, () => this.#sweep(heir));
      await this.#runChecked();
    }
    checkClean(this.#bucket, this.#logFormat);
    if (!this.#expires) return;
    // In the end everything is too old.
    world.nowMs += 30 * DAY;
    for (const tenant of TENANTS) this.#expire(heir, tenant);
    await this.#runChecked();
    checkEmpty(this.#bucket);
  }
}
