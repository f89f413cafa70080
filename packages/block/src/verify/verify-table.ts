import { compareBytes } from '@vivace/kernel';
import type { TableGroup, TableLayout } from '../block-index.ts';
import type { SectionName } from '../layout.ts';
import { TableWriter } from '../parquet/table-writer.ts';
import type { Findings } from './findings.ts';
import type { VerifiedGroup } from './verify-group.ts';

/** Bytes at the front of a Parquet file. */
export const MAGIC_BYTES = 4;

/**
 * Writes a table again from what was verified of it, and compares: what lies around the row groups, magic and footer,
 * has no checksum, but there is only one way to write it.
 */
export class TableReplay {
  readonly #table: TableLayout;
  readonly #section: SectionName;
  readonly #writer: TableWriter;
  /** What was written that is not a row group. */
  #around: Uint8Array[] = [];
  #inGroup = false;
  #whole = true;

  constructor(section: SectionName, table: TableLayout) {
    this.#section = section;
    this.#table = table;
    this.#writer = new TableWriter((bytes) => {
      if (!this.#inGroup) this.#around.push(bytes);
    });
  }

  /** The next row group; undefined where it is damaged: then the footer cannot be known. */
  group(number: number, verified: VerifiedGroup | undefined): void {
    const { rows } = this.#table.groups[number] as TableGroup;
    if (verified === undefined && rows > 0) this.#whole = false;
    if (!this.#whole) return;
    const schemas = this.#table.columns.map(({ schema }) => schema);
    this.#inGroup = true;
    this.#writer.group(schemas, rows, verified?.stored ?? []);
    this.#inGroup = false;
  }

  /** Compares the front and the end of the file, which begins at `endAt` in the section. */
  finish(front: Uint8Array, end: Uint8Array, endAt: number, findings: Findings): void {
    const section = this.#section;
    const [magic] = this.#around.splice(0, 1);
    if (compareBytes(front, magic as Uint8Array) !== 0) {
      findings.add({ section, offset: 0, what: 'the file does not begin as a Parquet file does' });
    }
    if (!this.#whole) return;
    this.#writer.finish();
    let at = 0;
    for (const part of this.#around) {
      for (const byte of part) {
        if (end[at] !== byte) {
          const what = at >= end.length ? 'the footer ends early' : 'the footer is not what the index says';
          findings.add({ section, offset: endAt + at, what });
          return;
        }
        at++;
      }
    }
    if (at < end.length) findings.add({ section, offset: endAt + at, what: 'there are bytes after the footer' });
  }
}
