import type { BlockReader, GroupRun } from '@vivace/block';
import type { Batch } from './batch.ts';
import { readFrom } from './source-failure.ts';

/**
 * A run of row groups of a block (see `batchesOf`) as a batch. Rows are in canonical order, all alive, and every trace
 * has one at least. `prepare` must have been called once, with whatever needs, before anything but the counts is asked
 * for. Nothing is read but the index, before `prepare` is called. What is found damaged when a column is asked for is a
 * `SourceFailure`.
 */
export async function blockBatch(reader: BlockReader, run: GroupRun, signal?: AbortSignal): Promise<Batch> {
  const options = signal === undefined ? {} : { signal };
  const columns = await reader.readRun(run, options);
  const { spans, events } = await reader.index(options);
  const own = <T>(read: () => T): T => readFrom(reader.id, read);
  return {
    id: `${reader.id}/${run.first}`,
    source: reader.id,
    rows: columns.rows,
    traceCount: columns.traceCount,
    eventRows: columns.eventRows,
    get bytesRead() {
      return columns.bytesRead;
    },
    partials: columns.partials,
    prepare: (needs, prepareSignal) => columns.fetch(needs, prepareSignal),
    traceFirst: () => own(() => columns.traceFirst()),
    order: () => undefined,
    traceIds: () => own(() => columns.traceIds()),
    start: () => own(() => columns.start()),
    end: () => own(() => columns.end()),
    duration: () => own(() => columns.duration()),
    spanIds: () => own(() => columns.spanIds()),
    parentIds: () => own(() => columns.parentIds()),
    kind: () => own(() => columns.kind()),
    status: () => own(() => columns.status()),
    name: () => own(() => columns.name()),
    statusMessage: () => own(() => columns.statusMessage()),
    resource: () => own(() => columns.resource()),
    scope: () => own(() => columns.scope()),
    resources: () => own(() => columns.resources()),
    scopes: () => own(() => columns.scopes()),
    attributeKeys: keysOf(spans.columns),
    attributes: (key) => own(() => columns.attributes(key)),
    overflow: () => own(() => columns.overflow()),
    eventSpan: () => own(() => columns.eventSpan()),
    eventKind: () => own(() => columns.eventKind()),
    eventTime: () => own(() => columns.eventTime()),
    eventName: () => own(() => columns.eventName()),
    linkIds: () => own(() => columns.linkIds()),
    eventAttributeKeys: keysOf(events.columns),
    eventAttributes: (key) => own(() => columns.eventAttributes(key)),
    eventOverflow: () => own(() => columns.eventOverflow()),
  };
}

function keysOf(columns: readonly { attribute: { key: string } | undefined }[]): string[] {
  return [...new Set(columns.flatMap(({ attribute }) => (attribute === undefined ? [] : [attribute.key])))];
}
