import type { Health, Member } from '@vivace/cluster';
import { fraction, isKind, type Random, toVivaceError, VivaceError } from '@vivace/kernel';

export interface DispatcherOptions {
  /** The queriers. */
  members: () => readonly Member[];
  health: Health;
  random: Random;
}

/** How often a query is asked again of another querier when one dies. */
const MAX_RETRIES = 1;

/** Gives work to the querier that has the least of it from here; what fails because a querier is gone, to another. */
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
    const { health } = this.#options;
    const tried = new Set<string>();
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      const member = this.#pick(tried);
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
        if (attempt === MAX_RETRIES) throw failure;
        this.#retries++;
      } finally {
        const rest = (this.#outstanding.get(member.address) ?? 1) - 1;
        if (rest > 0) this.#outstanding.set(member.address, rest);
        else this.#outstanding.delete(member.address);
      }
    }
  }

  #pick(tried: ReadonlySet<string>): Member {
    const { members, health, random } = this.#options;
    const all = members();
    const others = all.filter(({ address }) => !tried.has(address));
    const usable = others.filter(({ address }) => health.isUsable(address));
    // Better one that failed a moment ago than none, and better the same again than a failure.
    const candidates = [usable, others, all].find((some) => some.length > 0);
    if (candidates === undefined) {
      throw new VivaceError('unavailable', 'no-querier', 'there is no querier to ask: try again');
    }
    const load = ({ address }: Member): number => this.#outstanding.get(address) ?? 0;
    const least = Math.min(...candidates.map(load));
    const idle = candidates.filter((member) => load(member) === least);
    return idle[Math.floor(fraction(random) * idle.length)] as Member;
  }
}

/** The querier is not there, does not take calls any more, or was lost before its answer was complete. */
function isLost(error: VivaceError): boolean {
  return isKind(error, 'unavailable') && LOST.has(error.code);
}

const LOST: ReadonlySet<string> = new Set(['connect-failed', 'call-broken', 'channel-closed', 'call-unavailable']);
