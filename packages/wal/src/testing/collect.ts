import type { LogRecord, SegmentPosition, WriteAheadLog } from '../log.ts';

/** All records of a segment, of one tenant when named. */
export async function collectRecords(log: WriteAheadLog, at: SegmentPosition, tenant?: string): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of log.read(at, new AbortController().signal, tenant)) records.push(record);
  return records;
}

/** Seals every stream that is not open and gives the records of all of them, in order. */
export async function sealAndCollect(log: WriteAheadLog): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for (const { stream, open } of log.streams()) {
    if (open) continue;
    const { segments } = await log.seal(stream, new AbortController().signal);
    for (const { segment } of segments) records.push(...(await collectRecords(log, { stream, segment })));
  }
  return records;
}
