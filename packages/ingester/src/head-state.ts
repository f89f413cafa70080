/** What the ingester knows of a head that is open in the builder. */
export interface HeadState {
  /** The builder's name of it. */
  readonly key: string;
  readonly tenant: string;
  /** The dead process's stream that is replayed into it; undefined for the head that requests go to. */
  readonly replays: string | undefined;
  /** Bytes of its column set at the last reply. */
  bytes: number;
  /** When its first request came at the earliest, milliseconds since 1970. */
  readonly openedMs: number;
  /** The stream of the log that its records are in → the last segment of it that has one. */
  readonly appended: Map<string, number>;
  /** Its share of the jitter that spreads the cuts of many tenants, 0 to 1. */
  readonly jitter: number;
  /** Set once the builder was told to seal it. */
  sealing: Promise<void> | undefined;
}

/** The name of the head that a tenant's new requests go to. */
export function liveHead(tenant: string): string {
  return `${tenant}/live`;
}

/** The name of the head that a dead process's stream is replayed into. No tenant can have a slash in its name. */
export function replayHead(tenant: string, stream: string): string {
  return `${tenant}/${stream}`;
}
