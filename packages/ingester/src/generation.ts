import type { ColumnSetView } from '@vivace/columns';
import type { CoverStep } from '@vivace/manifest';

/** Rows of one tenant that are sealed and on their way into blocks. */
export interface Generation {
  tenant: string;
  /** The builder's name of the head that it was. */
  head: string;
  /** The dead process's stream that its records were replayed from. */
  replays: string | undefined;
  /** The builder's number of it. */
  number: number;
  view: ColumnSetView;
  rows: number;
  /** The log records that it holds: all of the tenant in these segments. */
  covers: CoverStep[];
  /** Whether blocks of others hold all of it that was acknowledged. */
  isTaken: boolean;
  /** When its first and last request came, milliseconds since 1970: spans far from that have a wrong clock. */
  openedMs: number;
  sealedMs: number;
}
