import type { CommandRun } from './command.ts';
import { blockBytes, inspectTenant, tenantsOf } from './live-blocks.ts';
import { openStoreToRead, withStore } from './open-store.ts';
import { formatBytes } from './output.ts';

/** `vivace manifest show` */
export const run: CommandRun = async (call) => {
  const { output, clock, random } = call;
  return withStore(openStoreToRead(call.config(), clock, random), async (store) => {
    const shown: unknown[] = [];
    for (const tenant of await tenantsOf(call, store)) {
      const contents = await inspectTenant(call, store, tenant);
      const { version, live, covered, floorMs, pages, graves } = contents;
      const bytes = live.reduce((sum, entry) => sum + blockBytes(entry), 0);
      const spans = live.reduce((sum, { rows }) => sum + rows, 0);
      shown.push({ ...contents, pages: [...pages], spans, bytes });
      output.line(`tenant     ${tenant}`);
      output.line(`version    ${version === 0 ? 'none: nothing was ever committed, or the root is gone' : version}`);
      output.line(`blocks     ${live.length}, ${spans} spans, ${formatBytes(bytes)}`);
      output.line(`pages      ${pages.size}`);
      output.line(`removed    ${graves.length} whose objects may still be there`);
      output.line(`floor      ${floorMs === 0 ? 'none' : new Date(floorMs).toISOString()}`);
      output.line(`covered    ${covered.size} streams`);
      for (const [stream, segment] of covered) output.line(`           ${stream} up to segment ${segment}`);
      output.line('');
    }
    if (shown.length === 0) output.note('the store has no tenants');
    output.value(shown);
    return 0;
  });
};
