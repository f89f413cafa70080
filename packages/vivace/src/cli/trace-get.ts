import type { CommandRun } from './command.ts';
import { withReadClient } from './read-client.ts';
import { type JsonTrace, renderTrace } from './render-trace.ts';

/** `vivace trace get ID` */
export const run: CommandRun = async (call) => {
  const { words, flags, output } = call;
  return withReadClient(call, async (client) => {
    const { body } = await client(`/api/v2/traces/${encodeURIComponent(words[0] as string)}`);
    const answer = body as { trace?: JsonTrace; status?: string; message?: string };
    const found = (answer.trace?.resourceSpans?.length ?? 0) > 0;
    output.value(body);
    if (found) for (const line of renderTrace(answer.trace as JsonTrace)) output.line(line);
    else {
      const hint = flags.has('url')
        ? 'check the id and the tenant'
        : 'spans of the last minutes may be in no block yet: a server knows them, --url';
      output.note(`there is no such trace: ${hint}`);
    }
    if (answer.message !== undefined) output.note(answer.message);
    return found && answer.status !== 'PARTIAL' ? 0 : 1;
  });
};
