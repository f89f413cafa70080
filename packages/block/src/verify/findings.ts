import { isKind } from '@vivace/kernel';
import type { SectionName } from '../layout.ts';

/** Something that is wrong in a block, and where. */
export interface Finding {
  /** `entry`: what the manifest says of the block. */
  section: SectionName | 'entry';
  rowGroup?: number;
  column?: string;
  /** Of the column in the row group; -1 for its dictionary. */
  page?: number;
  /** Byte in the section. */
  offset?: number;
  what: string;
}

/** Collects what is wrong, up to a bound: damage to one length makes a finding of everything after it. */
export class Findings {
  readonly list: Finding[] = [];
  /** There were more than fit. */
  truncated = false;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  add(finding: Finding): void {
    if (this.list.length < this.#max) this.list.push(finding);
    else this.truncated = true;
  }

  /** Runs a check; what it finds to be damage is a finding there, and the result is undefined. */
  check<Result>(where: Omit<Finding, 'what'>, work: () => Result): Result | undefined {
    try {
      return work();
    } catch (error) {
      if (!isKind(error, 'data')) throw error;
      this.add({ ...where, what: error.message });
      return undefined;
    }
  }
}

/** One line for a person. */
export function describeFinding({ section, rowGroup, column, page, offset, what }: Finding): string {
  const where: string[] = [section];
  if (rowGroup !== undefined) where.push(`row group ${rowGroup}`);
  if (column !== undefined) where.push(`column ${column}`);
  if (page !== undefined) where.push(page < 0 ? 'dictionary' : `page ${page}`);
  if (offset !== undefined) where.push(`offset ${offset}`);
  return `${where.join(', ')}: ${what}`;
}
