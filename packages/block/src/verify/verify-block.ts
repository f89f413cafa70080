import { dataError, isKind } from '@vivace/kernel';
import { type BlockIndex, decodeIndex, decodeIndexHeader, indexSummary } from '../block-index.ts';
import { FILTER_BLOCK_BYTES, filterMayHold } from '../filter.ts';
import { SECTION_NAMES, type SectionName } from '../layout.ts';
import type { BlockPlace, ReadRange } from '../open-block.ts';
import type { ValueSummary } from '../value-summary.ts';
import { type Finding, Findings } from './findings.ts';
import { TablesCheck } from './verify-tables.ts';

/** What the manifest says of a block. */
export interface BlockClaim extends BlockPlace {
  rows: number;
  traces: number;
  minStart: bigint;
  maxEnd: bigint;
  filterBytes: number;
}

export interface VerifyOptions {
  claim: BlockClaim;
  readRange: ReadRange;
  /** How long an object is; `not-found` where there is none. */
  objectBytes: (object: string) => Promise<number>;
  signal?: AbortSignal;
  /** Bytes that were just read, for a progress bar. */
  onRead?: (bytes: number) => void;
  /** Default 100. */
  maxFindings?: number;
}

export interface VerifyResult {
  findings: Finding[];
  /** There were more. */
  truncated: boolean;
  /** Bytes that were read, and pages that were decoded. */
  bytes: number;
  pages: number;
}

/**
 * Reads every byte of a block and says what of it is not as FORMAT.md has it. Besides the checksums, which find bytes
 * that changed, it checks what a reader takes on trust: order, parents, counts, the filter, the table of traces, and
 * the bytes that no checksum of ours is over (page headers, footers), of which there is only one right form.
 *
 * Holds one row group at a time, or all of a trace that has several. Rejects with the errors of `readRange` and
 * `objectBytes`, except that what is missing or too short is a finding.
 */
export async function verifyBlock(options: VerifyOptions): Promise<VerifyResult> {
  const { claim, signal, maxFindings = 100 } = options;
  const findings = new Findings(maxFindings);
  const input = new SectionInput(options, findings);
  await verifyPlaces(options, findings);
  const indexBytes = await input.section('index');
  const index = indexBytes && findings.check({ section: 'index' }, () => decodeIndex(indexBytes));
  const filter = await verifyFilter(input, findings);
  let pages = 0;
  if (indexBytes !== undefined && index !== undefined) {
    verifyIndexLength(indexBytes, findings);
    verifyClaim(claim, index, findings);
    const summary = findings.check({ section: 'index' }, (): ValueSummary => indexSummary(index));
    const tables = new TablesCheck({ index, indexBytes, filter, input, findings, signal });
    pages = await tables.run(summary);
  } else {
    // Nothing says where their pages are; at least they are read.
    for (const name of ['spans', 'events', 'resources', 'traces'] as const) await input.section(name);
  }
  return { findings: findings.list, truncated: findings.truncated, bytes: input.bytes, pages };
}

/** Reads of sections. What is not there is a finding, and undefined. */
class SectionInput {
  bytes = 0;
  readonly #options: VerifyOptions;
  readonly #findings: Findings;

  constructor(options: VerifyOptions, findings: Findings) {
    this.#options = options;
    this.#findings = findings;
  }

  length(section: SectionName): number {
    return this.#options.claim.sections[section].length;
  }

  section(section: SectionName): Promise<Uint8Array | undefined> {
    return this.range(section, 0, this.length(section));
  }

  async range(section: SectionName, offset: number, length: number): Promise<Uint8Array | undefined> {
    const { claim, readRange, signal, onRead } = this.#options;
    const place = claim.sections[section];
    signal?.throwIfAborted();
    if (offset + length > place.length) {
      const what = `it has ${place.length} bytes, and the index names bytes up to ${offset + length}`;
      this.#findings.add({ section, offset: place.length, what });
      return undefined;
    }
    if (length === 0) return new Uint8Array(0);
    try {
      const bytes = await readRange(place.object, place.offset + offset, length, signal);
      if (bytes.length !== length) throw dataError('block-truncated', `a read of ${length} bytes gave ${bytes.length}`);
      this.bytes += length;
      onRead?.(length);
      return bytes;
    } catch (error) {
      const isShort = isKind(error, 'invalid') && error.code === 'range-not-satisfiable';
      if (!isShort && !isKind(error, 'not-found', 'data')) throw error;
      this.#findings.add({ section, offset, what: isShort ? 'the object ends early' : error.message });
      return undefined;
    }
  }
}

/** Whether the sections fill their objects: no byte is in none of them, none is in two. */
async function verifyPlaces({ claim, objectBytes }: VerifyOptions, findings: Findings): Promise<void> {
  const objects = new Map<string, { section: SectionName; offset: number; length: number }[]>();
  for (const section of SECTION_NAMES) {
    const { object, offset, length } = claim.sections[section];
    objects.set(object, [...(objects.get(object) ?? []), { section, offset, length }]);
  }
  for (const [object, places] of objects) {
    let at = 0;
    for (const { section, offset, length } of places.toSorted((a, b) => a.offset - b.offset)) {
      if (offset !== at) {
        findings.add({ section, what: `it begins at ${offset} of ${object}, and what is before it ends at ${at}` });
      }
      at = offset + length;
    }
    const section = (places.at(-1) as { section: SectionName }).section;
    try {
      const size = await objectBytes(object);
      if (size !== at)
        findings.add({ section, what: `the object ${object} has ${size} bytes, and its sections ${at}` });
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error;
      findings.add({ section, what: `the object ${object} is missing` });
    }
  }
}

function verifyIndexLength(bytes: Uint8Array, findings: Findings): void {
  const { listOffset, listBytes } = decodeIndexHeader(bytes);
  const end = listOffset + listBytes;
  if (end !== bytes.length) {
    findings.add({
      section: 'index',
      offset: end,
      what: `${bytes.length - end} bytes of the index are in no part of it`,
    });
  }
}

function verifyClaim(claim: BlockClaim, index: BlockIndex, findings: Findings): void {
  for (const name of ['rows', 'traces', 'minStart', 'maxEnd'] as const) {
    if (claim[name] === index[name]) continue;
    findings.add({ section: 'entry', what: `${name} is ${claim[name]}, and in the index ${index[name]}` });
  }
  if (claim.filterBytes !== claim.sections.filter.length) {
    const what = `filterBytes is ${claim.filterBytes}, and the section has ${claim.sections.filter.length}`;
    findings.add({ section: 'entry', what });
  }
}

/** The filter, whose every block has a checksum; undefined where one is wrong. */
async function verifyFilter(input: SectionInput, findings: Findings): Promise<Uint8Array | undefined> {
  const bytes = await input.section('filter');
  if (bytes === undefined) return undefined;
  let right = true;
  const blocks = bytes.length / FILTER_BLOCK_BYTES;
  for (let block = 0; block < blocks && right; block++) {
    const offset = block * FILTER_BLOCK_BYTES;
    // Any hash of that block: half a block past its first, so that rounding cannot lead to a neighbour.
    const high = Math.floor(((block + 0.5) * 2 ** 32) / blocks);
    const probe = () => filterMayHold(bytes.subarray(offset, offset + FILTER_BLOCK_BYTES), bytes.length, 0, high);
    right = findings.check({ section: 'filter', offset }, probe) !== undefined;
  }
  if (blocks === 0) findings.add({ section: 'filter', what: 'the filter is empty' });
  return right && blocks > 0 ? bytes : undefined;
}
