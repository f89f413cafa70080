import type { Clock, Service } from '@vivace/kernel';
import type { Resolver } from './resolver.ts';
import { type Member, memberAt, type Source } from './source.ts';

export interface DiscoveryOptions {
  sources: readonly Source[];
  resolver: Resolver;
  clock: Clock;
  /** Between two looks; names without members are asked for again sooner. */
  refreshMs: number;
  /** Told of a name that cannot be looked up, once until it can be. */
  onProblem: (name: string, error: unknown) => void;
}

/** More are not called: no installation has as many, and a name that has is not ours. */
const MAX_MEMBERS = 1000;
/** After a look that found nobody, or nobody who answers. */
const EMPTY_REFRESH_MS = 1000;

/**
 * Who there is to call: a list of addresses, and what DNS says of names, looked up again from time to time. Only for
 * routing: a list that is old or differs from that of others sends spans to other members, and costs nothing else.
 * A name that cannot be looked up keeps the members that it had.
 */
export class Discovery implements Service {
  readonly #options: DiscoveryOptions;
  readonly #found = new Map<Source, readonly Member[]>();
  readonly #failing = new Set<Source>();
  #members: readonly Member[] = [];
  #started: Promise<void> | undefined;
  #stopped = false;
  #cancel: () => void = () => undefined;
  #lookedMs = 0;
  /** When names are looked up next; undefined while they are, and where there are none. */
  #dueMs: number | undefined;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  /** By address, each once. The same list until it changes. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** Resolves after the first look, whatever that found. */
  start(): Promise<void> {
    this.#started ??= this.#refresh();
    return this.#started;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
  }

  /** Looks again as soon as where it knows nobody: those that it knows do not answer. */
  lookSoon(): void {
    const soonMs = this.#lookedMs + EMPTY_REFRESH_MS;
    if (this.#stopped || this.#dueMs === undefined || this.#dueMs <= soonMs) return;
    this.#lookAt(soonMs);
  }

  #lookAt(dueMs: number): void {
    const { clock } = this.#options;
    this.#cancel();
    this.#dueMs = dueMs;
    this.#cancel = clock.after(Math.max(0, dueMs - clock.monotonicMs()), () => void this.#refresh());
  }

  async #refresh(): Promise<void> {
    const { sources, clock, refreshMs } = this.#options;
    this.#dueMs = undefined;
    await Promise.all(sources.map((source) => this.#look(source)));
    if (this.#stopped) return;
    const members = new Map<string, Member>();
    for (const member of [...this.#found.values()].flat()) members.set(member.address, member);
    const sorted = [...members.values()].sort((a, b) => (a.address < b.address ? -1 : 1)).slice(0, MAX_MEMBERS);
    const same =
      sorted.length === this.#members.length && sorted.every((m, i) => m.address === this.#members[i]?.address);
    if (!same) this.#members = sorted;
    if (sources.every(({ kind }) => kind === 'static')) return;
    const waitMs = sorted.length === 0 ? Math.min(EMPTY_REFRESH_MS, refreshMs) : refreshMs;
    this.#lookedMs = clock.monotonicMs();
    this.#lookAt(this.#lookedMs + waitMs);
  }

  async #look(source: Source): Promise<void> {
    try {
      const found = await lookUp(source, this.#options.resolver);
      this.#found.set(source, found);
      this.#failing.delete(source);
    } catch (error) {
      if (this.#failing.has(source) || this.#stopped) return;
      this.#failing.add(source);
      this.#options.onProblem(source.kind === 'static' ? source.host : source.name, error);
    }
  }
}

async function lookUp(source: Source, resolver: Resolver): Promise<Member[]> {
  switch (source.kind) {
    case 'static':
      return [memberAt(source.host, source.port)];
    case 'a':
      return (await resolver.addresses(source.name)).map((host) => memberAt(host, source.port, source.name));
    case 'srv':
      return (await resolver.services(source.name)).map(({ name, port }) => memberAt(name.replace(/\.$/, ''), port));
  }
}
