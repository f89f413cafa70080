import type { BlockIndex, TableGroup, TableLayout } from '../block-index.ts';
import { RESOURCE_ROW, type SectionName } from '../layout.ts';
import type { DecodedColumn } from '../parquet/chunk-reader.ts';
import { integerAt } from '../parquet/whole-chunk.ts';
import { type RowsPart, readRows, type TablePart } from '../read-rows.ts';
import { batchesOf, type GroupRun } from '../scan/group-run.ts';
import type { ValueSummary } from '../value-summary.ts';
import type { Findings } from './findings.ts';
import { decodeColumn, type VerifiedGroup, verifyGroup } from './verify-group.ts';
import { type OwnerTable, verifyOwners } from './verify-owners.ts';
import { type RunRows, verifyEventSteps, verifyOrder, verifyParents, verifyTraceLists } from './verify-rows.ts';
import { MAGIC_BYTES, TableReplay } from './verify-table.ts';
import { type TraceTableColumns, traceFacts, verifyTrace } from './verify-traces.ts';
import { ValueCheck } from './verify-values.ts';

/** Reads of sections, whose failures are findings. */
interface TableInput {
  length(section: SectionName): number;
  range(section: SectionName, offset: number, length: number): Promise<Uint8Array | undefined>;
}

export interface TablesCheckOptions {
  index: BlockIndex;
  indexBytes: Uint8Array;
  /** Undefined where it is damaged. */
  filter: Uint8Array | undefined;
  input: TableInput;
  findings: Findings;
  signal: AbortSignal | undefined;
}

const NO_OWNERS: OwnerTable = { owners: { resources: [], scopes: [] }, services: { numbers: [], names: [] } };

/** Checks the four tables of a block, row group by row group. */
export class TablesCheck {
  readonly #options: TablesCheckOptions;
  readonly #replays: Record<'spans' | 'events' | 'resources' | 'traces', TableReplay>;
  #pages = 0;
  /** The row group of the table of traces that is being compared. */
  #traceGroup = -1;
  #traceColumns: TraceTableColumns | undefined;

  constructor(options: TablesCheckOptions) {
    this.#options = options;
    const { index } = options;
    this.#replays = {
      spans: new TableReplay('spans', index.spans),
      events: new TableReplay('events', index.events),
      resources: new TableReplay('resources', index.resourceTable),
      traces: new TableReplay('traces', index.traceTable),
    };
  }

  /** Gives the number of pages. */
  async run(summary: ValueSummary | undefined): Promise<number> {
    const { index, filter, findings, signal } = this.#options;
    const owners = await this.#owners();
    const values = new ValueCheck(filter, findings);
    const used = {
      resources: new Int32Array(index.resourceCount),
      scopes: new Int32Array(index.scopeCount),
    };
    let whole = owners !== undefined;
    let lastTraceId: Uint8Array | undefined;
    let trace = 0;
    let min = 2n ** 64n - 1n;
    let max = 0n;
    for (const run of batchesOf(index)) {
      signal?.throwIfAborted();
      const rows = await this.#run(run, owners ?? NO_OWNERS);
      if (rows === undefined || owners === undefined) {
        // What follows counts from here: the index's word is taken for it.
        whole = false;
        lastTraceId = undefined;
        trace = index.traceGroups[run.end]?.firstTrace ?? index.traces;
        this.#traceColumns = undefined;
        continue;
      }
      const { set, resourceIds, scopeIds } = rows;
      verifyOrder(index, rows, lastTraceId, findings);
      verifyParents(index, rows, findings);
      verifyTraceLists(index, rows, trace, (group) => this.#traceList(group), findings);
      verifyEventSteps(index, rows, findings);
      values.rows(set, run.first);
      for (const id of resourceIds) used.resources[id] = (used.resources[id] as number) + 1;
      for (const id of scopeIds) used.scopes[id] = (used.scopes[id] as number) + 1;
      const { firstRow } = index.spans.groups[run.first] as TableGroup;
      for (const facts of traceFacts(set, firstRow, resourceIds, owners.services)) {
        await this.#compareTrace(trace, facts);
        trace++;
        if (facts.start < min) min = facts.start;
        lastTraceId = facts.id;
      }
      for (const halves of [set.start, set.end]) {
        for (let row = 0; row < set.spanCount; row++) {
          const time = (BigInt(halves[2 * row + 1] as number) << 32n) | BigInt(halves[2 * row] as number);
          if (time > max) max = time;
        }
      }
    }
    if (whole && owners !== undefined) {
      if (trace !== index.traces)
        findings.add({ section: 'index', what: `it says ${index.traces} traces, and there are ${trace}` });
      if (min !== index.minStart)
        findings.add({ section: 'index', what: `the earliest start is ${min}, and it says ${index.minStart}` });
      if (max !== index.maxEnd)
        findings.add({ section: 'index', what: `the latest end is ${max}, and it says ${index.maxEnd}` });
      for (const [id, bytes] of owners.owners.resources.entries())
        values.owner(RESOURCE_ROW, bytes, used.resources[id] ?? 0);
      for (const [id, bytes] of owners.owners.scopes.entries())
        values.owner(RESOURCE_ROW + 1, bytes, used.scopes[id] ?? 0);
      if (summary !== undefined) values.finish(summary);
    }
    await this.#restOfTraces();
    for (const section of ['spans', 'events', 'resources', 'traces'] as const) await this.#finish(section);
    return this.#pages;
  }

  /** Reads the run's row groups of spans and events; undefined where something is wrong with them. */
  async #run(run: GroupRun, { owners }: OwnerTable) {
    const { index, findings } = this.#options;
    const parts: RowsPart[] = [];
    const parents: RunRows['parents'][number][] = [];
    const resourceIds: number[] = [];
    const scopeIds: number[] = [];
    let right = true;
    for (let group = run.first; group < run.end; group++) {
      const spans = await this.#group('spans', index.spans, group);
      const { rows } = index.events.groups[group] as TableGroup;
      const events = await this.#group('events', index.events, group);
      if (spans === undefined || (rows > 0 && events === undefined)) {
        right = false;
        continue;
      }
      parts.push({
        spans: partOf(index.spans, group, spans),
        events: events && partOf(index.events, group, events),
      });
      const column = (name: string) => this.#column('spans', index.spans, group, spans, name);
      const delta = column('parent');
      const id = column('parent_id');
      const resource = column('resource_id');
      const scope = column('scope_id');
      if (delta === undefined || id === undefined || resource === undefined || scope === undefined) {
        right = false;
        continue;
      }
      parents.push({ delta, id });
      for (const code of resource.codes) resourceIds.push(integerAt(resource.entries, code));
      for (const code of scope.codes) scopeIds.push(integerAt(scope.entries, code));
    }
    if (!right || owners.resources.length === 0) return undefined;
    const where = { section: 'spans', rowGroup: run.first } as const;
    const before = findings.list.length;
    const set = findings.check(where, () => readRows(index, parts, owners, 0));
    if (set !== undefined) return { run, set, parents, resourceIds: Int32Array.from(resourceIds), scopeIds };
    this.#locate(parts, run);
    // A page that says where is better than a run that only says that.
    if (findings.list.length > before + 1) findings.list.splice(before, 1);
    return undefined;
  }

  /** Decodes column by column what could not be read as rows. */
  #locate(parts: readonly RowsPart[], run: GroupRun): void {
    const { index, findings } = this.#options;
    for (const [i, { spans, events }] of parts.entries()) {
      for (const [section, table, part] of [
        ['spans', index.spans, spans],
        ['events', index.events, events],
      ] as const) {
        if (part === undefined) continue;
        const place = { section, table, group: run.first + i };
        for (const [column, { schema }] of table.columns.entries()) {
          const layout = part.chunks[column];
          if (layout === undefined || layout.pages.length === 0) continue;
          decodeColumn(place, { schema, layout, group: part.group, cache: part.cache }, findings);
        }
      }
    }
  }

  async #group(
    section: 'spans' | 'events' | 'resources' | 'traces',
    table: TableLayout,
    group: number,
  ): Promise<VerifiedGroup | undefined> {
    const { input, findings } = this.#options;
    const { rows, offset, length } = table.groups[group] as TableGroup;
    let verified: VerifiedGroup | undefined;
    if (rows > 0) {
      const before = table.groups.slice(0, group).findLast((other) => other.length > 0);
      const start = before === undefined ? MAGIC_BYTES : before.offset + before.length;
      if (offset !== start) {
        findings.add({
          section,
          rowGroup: group,
          offset,
          what: `it begins at ${offset}, and what is before it ends at ${start}`,
        });
      }
      const bytes = await input.range(section, offset, length);
      verified = bytes && verifyGroup({ section, table, group }, bytes, findings);
    }
    this.#pages += verified?.pages ?? 0;
    this.#replays[section].group(group, verified);
    return verified;
  }

  #column(
    section: SectionName,
    table: TableLayout,
    group: number,
    { chunks }: VerifiedGroup,
    name: string,
  ): DecodedColumn | undefined {
    const number = table.columns.findIndex(({ schema, attribute }) => attribute === undefined && schema.name === name);
    const chunk = chunks[number];
    return chunk && decodeColumn({ section, table, group }, chunk, this.#options.findings);
  }

  async #owners(): Promise<OwnerTable | undefined> {
    const { index, findings } = this.#options;
    const table = index.resourceTable;
    const columns: Map<string, DecodedColumn>[] = [];
    for (const group of table.groups.keys()) {
      const verified = await this.#group('resources', table, group);
      const decoded = verified && this.#decodeAll('resources', table, group, verified);
      if (decoded === undefined) return undefined;
      columns.push(decoded);
    }
    return verifyOwners(index, columns, findings);
  }

  /** Every column of a row group; undefined where one does not decode. */
  #decodeAll(
    section: SectionName,
    table: TableLayout,
    group: number,
    { chunks }: VerifiedGroup,
  ): Map<string, DecodedColumn> | undefined {
    const columns = new Map<string, DecodedColumn>();
    let right = true;
    for (const chunk of chunks) {
      const decoded = decodeColumn({ section, table, group }, chunk, this.#options.findings);
      if (decoded === undefined) right = false;
      else columns.set(chunk.schema.name, decoded);
    }
    return right ? columns : undefined;
  }

  #traceList(group: number): Uint8Array {
    const { offset, length } = (this.#options.index.traceGroups[group] as { list: { offset: number; length: number } })
      .list;
    return this.#options.indexBytes.subarray(offset, offset + length);
  }

  /** Compares trace number `trace` with its row in the table of traces, of which one row group is held. */
  async #compareTrace(trace: number, facts: Parameters<typeof verifyTrace>[0]): Promise<void> {
    const { index, findings } = this.#options;
    const { groups } = index.traceTable;
    while (trace >= endOf(groups[this.#traceGroup]) && this.#traceGroup + 1 < groups.length)
      await this.#nextTraceGroup();
    const group = groups[this.#traceGroup];
    if (group === undefined || this.#traceColumns === undefined || trace >= endOf(group) || trace < group.firstRow)
      return;
    verifyTrace(facts, this.#traceColumns, trace - group.firstRow, this.#traceGroup, findings);
  }

  async #nextTraceGroup(): Promise<void> {
    const { index } = this.#options;
    this.#traceGroup++;
    const verified = await this.#group('traces', index.traceTable, this.#traceGroup);
    this.#traceColumns = verified && this.#decodeAll('traces', index.traceTable, this.#traceGroup, verified);
  }

  async #restOfTraces(): Promise<void> {
    const { index } = this.#options;
    while (this.#traceGroup + 1 < index.traceTable.groups.length) await this.#nextTraceGroup();
  }

  /** Front and footer of a table. */
  async #finish(section: 'spans' | 'events' | 'resources' | 'traces'): Promise<void> {
    const { index, input, findings } = this.#options;
    const table =
      section === 'spans' || section === 'events'
        ? index[section]
        : index[section === 'traces' ? 'traceTable' : 'resourceTable'];
    const length = input.length(section);
    const end = endOfGroups(table);
    const front = await input.range(section, 0, MAGIC_BYTES);
    if (front === undefined) return;
    if (end > length)
      return findings.add({ section, offset: length, what: `it ends before its row groups, which end at ${end}` });
    const footer = await input.range(section, end, length - end);
    if (footer !== undefined) this.#replays[section].finish(front, footer, end, findings);
  }
}

function endOf(group: TableGroup | undefined): number {
  return group === undefined ? 0 : group.firstRow + group.rows;
}

function endOfGroups({ groups }: TableLayout): number {
  const last = groups.findLast(({ length }) => length > 0);
  return last === undefined ? MAGIC_BYTES : last.offset + last.length;
}

function partOf(table: TableLayout, group: number, { chunks }: VerifiedGroup): TablePart {
  const { firstRow, rows } = table.groups[group] as TableGroup;
  const [first] = chunks as [VerifiedGroup['chunks'][number]];
  return {
    group: first.group,
    chunks: chunks.map(({ layout }) => layout),
    cache: first.cache,
    firstRow,
    from: 0,
    to: rows,
  };
}
