import type { Clock, Random } from '@vivace/kernel';
import type { Logger } from '@vivace/telemetry';
import type { ForeignStream, WriteAheadLog } from '@vivace/wal';

export interface TakeOversOptions {
  log: WriteAheadLog;
  clock: Clock;
  random: Random;
  logger: Logger;
  signal: AbortSignal;
  /** Reads what blocks do not cover of these streams into heads, and has them cut. */
  replay: (streams: readonly string[]) => Promise<void>;
  /** Called after each look. */
  onLook: () => void;
}

/** Between two looks for streams that nobody works on any more, about: a third of the age of their leases. */
const LOOK_MS = 20_000;
/** Streams that an answer names. */
const MAX_NAMED = 10;

/**
 * The streams of others: which of them this process takes over, at its start and when it finds while running that
 * their processes do not come back, and which of them hold what is not here.
 */
export class TakeOvers {
  readonly #options: TakeOversOptions;
  /** Streams of dead processes that are not wholly in heads yet. */
  readonly #replaying = new Set<string>();
  /** Generations of a stream on their way into blocks, since its replay began. */
  readonly #writing = new Map<string, Promise<boolean>[]>();
  /** Streams of which others have covered a part while they were being replayed. */
  readonly #again = new Set<string>();
  #ended: Promise<void> = Promise.resolve();
  /** Undefined until the first look. */
  #foreign: readonly ForeignStream[] | undefined;
  #nextLook = Promise.withResolvers<void>();
  #cancelLook: () => void = () => undefined;

  constructor(options: TakeOversOptions) {
    this.#options = options;
  }

  /** Begins with the streams that the log has found, and looks for others from now on. */
  async start(): Promise<void> {
    const dead = this.#options.log.streams().filter((state) => !state.open);
    this.#take(dead.map(({ stream }) => stream));
    await this.#look();
  }

  /** Ends the looking. What is being taken over ends with the signal. */
  stop(): void {
    this.#cancelLook();
  }

  /** The end of all take-overs so far; it tells the failure of the last of them. A further one makes it another. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** True while streams of dead processes are being replayed. */
  get replaying(): boolean {
    return this.#replaying.size > 0;
  }

  isReplaying(stream: string): boolean {
    return this.#replaying.has(stream);
  }

  /** Why answers may lack something that others have acknowledged. */
  problems(): string[] {
    const problems: string[] = [];
    if (this.replaying) problems.push('the log of a previous process is being replayed: try again in a moment');
    if (this.#foreign === undefined) problems.push('the logs of other processes could not be listed: try again');
    for (const { instance, stream } of this.#foreign?.slice(0, MAX_NAMED) ?? []) {
      const owner = instance === '' ? 'another process' : `the process ${instance}`;
      problems.push(`what ${owner} has not cut into blocks yet is not asked for: stream ${stream}`);
    }
    return problems;
  }

  /** A generation of the stream is being written: the stream is not done before it is. */
  written(stream: string, writing: Promise<boolean>): void {
    this.#writing.get(stream)?.push(writing);
  }

  /** All of the stream is in heads, unless something of it has to be read again. */
  replayed(stream: string): void {
    if (!this.#again.has(stream)) this.#replaying.delete(stream);
  }

  /** Others have covered a part of what was read of the stream: what they have not is missing until it was read again. */
  replayAgain(stream: string): void {
    this.#replaying.add(stream);
    this.#again.add(stream);
  }

  /** Resolves when the streams were looked at once more. */
  looked(): Promise<void> {
    return this.#nextLook.promise;
  }

  /** Takes streams over, after those that it was told of before. */
  #take(streams: readonly string[]): void {
    if (streams.length === 0) return;
    for (const stream of streams) this.#replaying.add(stream);
    this.#ended = this.#ended.catch(() => undefined).then(() => this.#takeOver(streams));
    this.#ended.catch((error: unknown) => {
      const { logger, signal } = this.#options;
      if (!signal.aborted) logger.error({ err: error }, 'replaying the log failed: its segments are kept');
    });
  }

  /**
   * Replays the streams, and once more those of which it turns out that somebody else, the dead process perhaps, has
   * committed a part: their blocks hold some of the records that were about to be covered.
   */
  async #takeOver(streams: readonly string[]): Promise<void> {
    for (let rest = streams; rest.length > 0; rest = rest.filter((stream) => this.#again.delete(stream))) {
      for (const stream of rest) this.#writing.set(stream, []);
      await this.#options.replay(rest);
      for (const stream of rest) await Promise.all(this.#writing.get(stream) ?? []);
    }
    for (const stream of streams) this.#writing.delete(stream);
  }

  /** Looks for streams that processes have left which do not come back, now and from time to time. */
  async #look(): Promise<void> {
    const { clock, log, logger, onLook, random, signal } = this.#options;
    try {
      const { found, foreign } = await log.look(signal);
      this.#foreign = foreign;
      this.#take(found);
      onLook();
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error }, 'looking for the logs of other processes failed: tried again');
    }
    if (signal.aborted) return;
    this.#nextLook.resolve();
    this.#nextLook = Promise.withResolvers();
    this.#cancelLook = clock.after(LOOK_MS * (0.75 + random.u32() / 2 ** 33), () => void this.#look());
  }
}
