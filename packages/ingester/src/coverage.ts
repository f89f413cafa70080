import type { CoverStep } from '@vivace/manifest';

/**
 * How far blocks cover each stream, by tenant. `covered` follows the commits; `sealed` runs ahead of it by the
 * generations that are being cut, so that the steps of generations join without gap or overlap.
 */
export class Coverage {
  readonly #covered = new Map<string, Map<string, number>>();
  readonly #sealed = new Map<string, Map<string, number>>();

  /** What a tenant's root says of a stream, learned before the stream is replayed. */
  load(tenant: string, stream: string, covered: number): void {
    levelOf(this.#covered, tenant).set(stream, covered);
    levelOf(this.#sealed, tenant).set(stream, covered);
  }

  /** The step from what was sealed before up to `to`; undefined where there is nothing between. */
  seal(tenant: string, stream: string, to: number): CoverStep | undefined {
    const sealed = levelOf(this.#sealed, tenant);
    const from = sealed.get(stream) ?? 0;
    if (to <= from) return undefined;
    sealed.set(stream, to);
    return { stream, from, to };
  }

  commit(tenant: string, steps: readonly CoverStep[]): void {
    const covered = levelOf(this.#covered, tenant);
    for (const { stream, to } of steps) covered.set(stream, to);
  }

  /** Whether blocks hold, or never need to hold, what these tenants have in a segment. */
  covers(tenants: readonly string[], stream: string, segment: number): boolean {
    return tenants.every((tenant) => (this.#covered.get(tenant)?.get(stream) ?? 0) >= segment);
  }

  /** Forgets a stream that is no more. */
  forget(stream: string): void {
    for (const level of [this.#covered, this.#sealed]) {
      for (const [tenant, streams] of level) {
        streams.delete(stream);
        if (streams.size === 0) level.delete(tenant);
      }
    }
  }
}

function levelOf(levels: Map<string, Map<string, number>>, tenant: string): Map<string, number> {
  let level = levels.get(tenant);
  if (level === undefined) {
    level = new Map();
    levels.set(tenant, level);
  }
  return level;
}
