import type { BlockReader, GroupRun } from '@vivace/block';
import type { Batch } from './batch.ts';

/**
 * A run of row groups of a block (see `batchesOf`) as a batch. Rows are in canonical order, all alive, and every trace
 * has one at least. `prepare` must have been called once, with whatever needs, before anything but the counts is asked
 * for. Nothing is read but the index, before `prepare` is called.
 */
export async function blockBatch(reader: BlockReader, run: GroupRun, signal?: AbortSignal): Promise<Batch> {
  const options = signal === undefined ? {} : { signal };
  const columns = await reader.readRun(run, options);
  const { spans, events } = await reader.index(options);
  return {
    id: `${reader.id}/${run.first}`,
    rows: columns.rows,
    traceCount: columns.traceCount,
    eventRows: columns.eventRows,
    get bytesRead() {
      return columns.bytesRead;
    },
    prepare: (needs, prepareSignal) => columns.fetch(needs, prepareSignal),
    traceFirst: () => columns.traceFirst(),
    order: () => undefined,
    traceIds: () => columns.traceIds(),
    start: () => columns.start(),
    end: () => columns.end(),
    duration: () => columns.duration(),
    spanIds: () => columns.spanIds(),
    parentIds: () => columns.parentIds(),
    kind: () => columns.kind(),
    status: () => columns.status(),
    name: () => columns.name(),
    statusMessage: () => columns.statusMessage(),
    resource: () => columns.resource(),
    scope: () => columns.scope(),
    resources: () => columns.resources(),
    scopes: () => columns.scopes(),
    attributeKeys: keysOf(spans.columns),
    attributes: (key) => columns.attributes(key),
    overflow: () => columns.overflow(),
    eventSpan: () => columns.eventSpan(),
    eventKind: () => columns.eventKind(),
    eventTime: () => columns.eventTime(),
    eventName: () => columns.eventName(),
    linkIds: () => columns.linkIds(),
    eventAttributeKeys: keysOf(events.columns),
    eventAttributes: (key) => columns.eventAttributes(key),
    eventOverflow: () => columns.eventOverflow(),
  };
}

function keysOf(columns: readonly { attribute: { key: string } | undefined }[]): string[] {
  return [...new Set(columns.flatMap(({ attribute }) => (attribute === undefined ? [] : [attribute.key])))];
}
