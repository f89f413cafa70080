import { seededRandom, utf8Decode, utf8Encode } from '@vivace/kernel';
import { createScheduler } from '@vivace/kernel/testing';
import { createMemoryStore, type ObjectStore } from '@vivace/object-store';
import { createFaultyStore, type Fault, type FaultCall } from '@vivace/object-store/testing';
import { segmentsPrefix } from '../bucket-layout.ts';
import { openBucketLog } from '../bucket-log.ts';
import type { BucketLogEvent, BucketLogLimits } from '../bucket-log-options.ts';
import { type InspectedBucketStream, inspectBucketLog } from '../inspect-bucket-log.ts';
import type { WriteAheadLog } from '../log.ts';
import { collectRecords } from './collect.ts';

export const never = new AbortController().signal;
export const HOUR_MS = 3_600_000;

/** A log of one process. */
export interface SceneLog {
  log: WriteAheadLog;
  events: BucketLogEvent[];
  /** What goes wrong with its calls. */
  plan: (call: FaultCall) => Fault | undefined;
  calls: FaultCall[];
  append: (text: string, tenant?: string) => ReturnType<WriteAheadLog['append']>;
}

export interface SceneLogOptions {
  instance?: string;
  limits?: Partial<BucketLogLimits>;
  skewMs?: number;
  store?: ObjectStore;
}

/** Logs of several processes in one bucket, on a virtual clock. */
export class BucketScene {
  readonly memory: ObjectStore;
  /** How far the store's clock is ahead. */
  aheadMs = 0;
  readonly #scheduler = createScheduler(seededRandom(1));
  #logs = 0;

  constructor() {
    const { clock } = this;
    this.memory = createMemoryStore({ clock: { ...clock, nowMs: () => clock.nowMs() + this.aheadMs } });
  }

  get clock() {
    return this.#scheduler.clock;
  }

  /** Lets time pass until the promise is settled. */
  async finished<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const end = () => {
      done = true;
    };
    promise.then(end, end);
    await this.#scheduler.run(() => done);
    return promise;
  }

  passed(ms: number): Promise<void> {
    return this.finished(this.clock.sleep(ms));
  }

  async open({ instance, limits = {}, skewMs = 0, store = this.memory }: SceneLogOptions = {}): Promise<SceneLog> {
    const { clock } = this;
    const calls: FaultCall[] = [];
    const faulty = createFaultyStore(store, {
      clock,
      plan: (call) => {
        calls.push(call);
        return opened.plan(call);
      },
    });
    const events: BucketLogEvent[] = [];
    const opened: SceneLog = {
      log: undefined as unknown as WriteAheadLog,
      events,
      plan: () => undefined,
      calls,
      append: (text, tenant = 'a') => opened.log.append(tenant, utf8Encode(text)),
    };
    const random = seededRandom(100 + this.#logs++);
    opened.log = await this.finished(
      openBucketLog({
        store: faulty,
        clock: { ...clock, nowMs: () => clock.nowMs() + skewMs },
        random,
        instance: instance ?? `process-${this.#logs}`,
        limits,
        onEvent: (event) => events.push(event),
      }),
    );
    return opened;
  }

  /** Numbers of a stream's segments. */
  async numbersOf(stream: string): Promise<number[]> {
    return (await this.memory.list(segmentsPrefix(stream))).objects.map(({ key }) => Number(key.slice(-12)));
  }

  async inspected(): Promise<InspectedBucketStream[]> {
    const streams: InspectedBucketStream[] = [];
    for await (const stream of inspectBucketLog(this.memory, { signal: never })) streams.push(stream);
    return streams;
  }

  /** The texts of a stream that a log takes over, after it has looked for it. */
  async takenOver({ log }: SceneLog, stream: string): Promise<string[]> {
    const { segments } = await this.finished(log.seal(stream, never));
    const texts: string[] = [];
    for (const { segment } of segments) {
      for (const { bytes } of await this.finished(collectRecords(log, { stream, segment })))
        texts.push(utf8Decode(bytes));
    }
    return texts;
  }
}

export const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

/** The segments that a log has put, or tried to. */
export const puts = ({ calls }: SceneLog) => calls.filter(isSegment);

export const isSegment = ({ operation, key }: FaultCall) => operation === 'put' && key.startsWith('wal/');
