/**
 * What is kept for each tenant that writes, for at most `maxTenants` at a time. One that has not written for
 * `idleMs` gives its place up when it is needed. In order of last use, so finding it costs nothing.
 */
export class TenantTable<T> {
  private readonly entries = new Map<string, { value: T; usedMs: number }>();
  private readonly maxTenants: number;
  private readonly idleMs: number;
  private readonly create: (nowMs: number) => T;

  constructor(maxTenants: number, idleMs: number, create: (nowMs: number) => T) {
    this.maxTenants = maxTenants;
    this.idleMs = idleMs;
    this.create = create;
  }

  get size(): number {
    return this.entries.size;
  }

  /** The tenant's entry, or how many milliseconds later there may be room for one. */
  use(tenant: string, nowMs: number): { value: T } | { waitMs: number } {
    let entry = this.entries.get(tenant);
    if (entry === undefined) {
      if (this.entries.size >= this.maxTenants) {
        const [oldest, { usedMs }] = this.entries.entries().next().value as [string, { usedMs: number }];
        const waitMs = usedMs + this.idleMs - nowMs;
        if (waitMs > 0) return { waitMs };
        this.entries.delete(oldest);
      }
      entry = { value: this.create(nowMs), usedMs: nowMs };
    } else {
      this.entries.delete(tenant);
      entry.usedMs = nowMs;
    }
    this.entries.set(tenant, entry);
    return entry;
  }
}
