import { type Clock, fraction, type Random, seededRandom } from '@vivace/kernel';

const MAX_STEPS = 20_000;

/**
 * A seeded world of processes on one virtual clock. Everything that waits, waits for an event here; the seed
 * picks which of the due events comes next. A process can stall (its events wait) or die (they never come), as
 * long as all its waiting goes through its `clock` and what is built on `World.after`.
 */
export class World {
  readonly random: Random;
  /** Milliseconds since 1970, as the store has them. */
  nowMs = 1_790_000_000_000;
  #events: SimulatedEvent[] = [];
  readonly #due: number[] = [];
  steps = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** A process whose wall clock is wrong by `skewMs`. */
  spawn(name: string, skewMs = 0): SimulatedProcess {
    return new SimulatedProcess(this, name, skewMs);
  }

  /** Events of a process wait while it stalls; those of none (the network, the store) do not. */
  after(delayMs: number, process: SimulatedProcess | undefined, fire: () => void): () => void {
    const event = { dueMs: Math.ceil(this.nowMs + delayMs), process, fire };
    this.#events.push(event);
    return () => {
      const at = this.#events.indexOf(event);
      if (at >= 0) this.#events.splice(at, 1);
    };
  }

  forget(process: SimulatedProcess): void {
    this.#events = this.#events.filter((event) => event.process !== process);
  }

  /** True with a probability. */
  chance(probability: number): boolean {
    return fraction(this.random) < probability;
  }

  /** A whole number in [0, end). */
  below(end: number): number {
    return Math.floor(fraction(this.random) * end);
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }

  /** Runs until nothing waits any more, or `done`; throws when that takes more than `MAX_STEPS` from the beginning. */
  async run(done: () => boolean = () => false): Promise<void> {
    await settled();
    while (!done() && this.#events.length > 0) {
      if (this.steps >= MAX_STEPS) throw new Error(`the simulation did not end in ${MAX_STEPS} steps`);
      this.#next().fire();
      this.steps++;
      await settled();
    }
  }

  #next(): SimulatedEvent {
    const events = this.#events;
    const due = this.#due;
    due.length = 0;
    let earliest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < events.length; i++) {
      const { dueMs, process } = events[i] as SimulatedEvent;
      const atMs = process === undefined ? dueMs : Math.max(dueMs, process.stalledUntilMs);
      if (atMs <= this.nowMs) due.push(i);
      if (atMs < earliest) earliest = atMs;
    }
    if (due.length === 0) {
      this.nowMs = earliest;
      return this.#next();
    }
    const at = due[this.below(due.length)] as number;
    const event = events[at] as SimulatedEvent;
    events[at] = events.at(-1) as SimulatedEvent;
    events.pop();
    return event;
  }
}

interface SimulatedEvent {
  dueMs: number;
  process: SimulatedProcess | undefined;
  fire: () => void;
}

export class SimulatedProcess {
  readonly world: World;
  readonly name: string;
  readonly clock: Clock;
  alive = true;
  stalledUntilMs = 0;

  constructor(world: World, name: string, skewMs: number) {
    this.world = world;
    this.name = name;
    this.clock = {
      nowMs: () => world.nowMs + skewMs,
      monotonicMs: () => world.nowMs - 1_000_000,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) {
            reject(signal.reason as Error);
            return;
          }
          const onAbort = () => {
            cancel();
            reject(signal?.reason as Error);
          };
          const cancel = world.after(ms, this, () => {
            signal?.removeEventListener('abort', onAbort);
            resolve();
          });
          signal?.addEventListener('abort', onAbort, { once: true });
        }),
      after: (ms, callback) => world.after(ms, this, callback),
    };
  }

  stall(ms: number): void {
    this.stalledUntilMs = this.world.nowMs + ms;
  }

  /** Nothing of it happens any more, except what is already on the network. */
  kill(): void {
    this.alive = false;
    this.world.forget(this);
  }
}

/** Lets every promise that can go on do so. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
