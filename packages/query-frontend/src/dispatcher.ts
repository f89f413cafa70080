import type { Health, Member } from '@vivace/cluster';
import { fraction, isKind, type Random, toVivaceError, type VivaceError } from '@vivace/kernel';
import type { Lookout } from './lookout.ts';

export interface DispatcherOptions {
  /** The queriers. */
  members: () => readonly Member[];
  health: Health;
  random: Random;
  lookout: Lookout;
}

/** How often a query is asked again of another querier when one dies. */
const MAX_RETRIES = 1;
/** Where so many were not there it is no chance any more: then all are looked for at the same time. */
const MAX_UNREACHED = 2;

/**
 * Gives work to the querier that has the least of it from here; what fails because a querier is gone, to another; and
 * waits for a while for one where none is there.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #outstanding = new Map<string, number>();
  #retries = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Queries that were asked again of another querier. */
  get retries(): number {
    return this.#retries;
  }

  /** What the work of one querier yields. `attempt` is 0, and more where another has failed before its end. */
  async *run<Part>(
    work: (member: Member, attempt: number) => AsyncIterable<Part>,
    signal: AbortSignal,
  ): AsyncGenerator<Part> {
    const { health, lookout } = this.#options;
    const tried = new Set<string>();
    let untilMs: number | undefined;
    let broken = 0;
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      const picked = this.#pick(tried);
      untilMs ??= picked === undefined ? lookout.untilMs() : undefined;
      const member = picked ?? (await lookout.first(untilMs ?? 0, signal));
      tried.add(member.address);
      this.#outstanding.set(member.address, (this.#outstanding.get(member.address) ?? 0) + 1);
      try {
        for await (const part of work(member, attempt)) {
          health.succeeded(member.address);
          yield part;
        }
        return;
      } catch (error) {
        signal.throwIfAborted();
        const failure = toVivaceError(error);
        // What a querier itself says is an answer; a call that breaks off is none.
        if (!isLost(failure)) throw failure;
        health.failed(member.address);
        // Who could not be reached has not begun; who had just been reached and is gone may have died of the query.
        if ((failure.code !== 'connect-failed' || picked === undefined) && broken++ === MAX_RETRIES) throw failure;
        this.#retries++;
      } finally {
        const rest = (this.#outstanding.get(member.address) ?? 1) - 1;
        if (rest > 0) this.#outstanding.set(member.address, rest);
        else this.#outstanding.delete(member.address);
      }
    }
  }

  /** Of those that have not failed a moment ago, here or before. */
  #pick(tried: ReadonlySet<string>): Member | undefined {
    const { members, health, random } = this.#options;
    if (tried.size >= MAX_UNREACHED) return undefined;
    const usable = members().filter(({ address }) => !tried.has(address) && health.isUsable(address));
    const load = ({ address }: Member): number => this.#outstanding.get(address) ?? 0;
    const least = Math.min(...usable.map(load));
    const idle = usable.filter((member) => load(member) === least);
    return idle.length < 2 ? idle[0] : idle[Math.floor(fraction(random) * idle.length)];
  }
}

/** The querier is not there, does not take calls any more, or was lost before its answer was complete. */
function isLost(error: VivaceError): boolean {
  return isKind(error, 'unavailable') && LOST.has(error.code);
}

const LOST: ReadonlySet<string> = new Set(['connect-failed', 'call-broken', 'channel-closed', 'call-unavailable']);
