import type { CommandRun } from './command.ts';
import { parseMoment } from './moments.ts';
import { formatTime, printable } from './output.ts';
import { withReadClient } from './read-client.ts';

interface FoundTrace {
  traceID: string;
  rootServiceName?: string;
  rootTraceName?: string;
  startTimeUnixNano?: string;
  durationMs?: number;
  spanSets?: { matched?: number }[];
}

const PARTIAL = 'x-vivace-partial';
const CURSOR = 'x-vivace-cursor';

/** `vivace search QUERY` */
export const run: CommandRun = async (call) => {
  const { words, flags, output, clock } = call;
  const asked = new URLSearchParams({ q: words[0] as string, partial: 'true' });
  const nowMs = clock.nowMs();
  const seconds = (name: string) => {
    const text = flags.get(name);
    return text === undefined ? undefined : parseMoment(name, text, nowMs) / 1_000_000_000n;
  };
  const from = seconds('from');
  const to = seconds('to');
  if (from !== undefined || to !== undefined) {
    // To the end of the second that it is now.
    const end = to ?? BigInt(Math.ceil(nowMs / 1000));
    asked.set('start', `${from ?? (end > 3600n ? end - 3600n : 0n)}`);
    asked.set('end', `${end}`);
  }
  for (const name of ['limit', 'spss', 'cursor']) {
    const value = flags.get(name);
    if (value !== undefined) asked.set(name, value);
  }
  return withReadClient(call, async (client) => {
    const { body, headers } = await client(`/api/search?${asked.toString()}`);
    const { traces = [] } = body as { traces?: FoundTrace[] };
    output.table([
      ['TRACE', 'START', 'DURATION', 'SPANS', 'SERVICE', 'NAME'],
      ...traces.map((trace) => [
        trace.traceID,
        formatTime(BigInt(trace.startTimeUnixNano ?? 0)),
        `${trace.durationMs ?? 0} ms`,
        `${(trace.spanSets ?? []).reduce((sum, { matched = 0 }) => sum + matched, 0)}`,
        printable(trace.rootServiceName ?? ''),
        printable(trace.rootTraceName ?? ''),
      ]),
    ]);
    output.value(body);
    const cursor = headers.get(CURSOR);
    if (cursor !== null) output.note(`there may be more: --cursor ${cursor}`);
    const partial = headers.get(PARTIAL);
    if (partial === null) return 0;
    output.note(`the answer is not complete: ${partial}`);
    return 1;
  });
};
