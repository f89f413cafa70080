import { logBackend } from '@vivace/config';
import { isKind, uuidV7, VivaceError } from '@vivace/kernel';
import { type ManifestEdit, openManifest, rootKey, setRootAside, takeInventory } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import { BUCKET_LOG_DEFAULTS, inspectBucketLog } from '@vivace/wal';
import type { CommandCall, CommandRun } from './command.ts';
import { blockBytes } from './live-blocks.ts';
import { openStoreToRead, openStoreToWrite, withStore } from './open-store.ts';
import { formatBytes, printable } from './output.ts';
import { planRebuild, type RebuildPlan } from './rebuild-plan.ts';

/** A root is encoded whole before its entries move into pages. */
const COMMIT_BLOCKS = 2000;
const { leaseMaxAgeMs: LEASE_MAX_AGE_MS } = BUCKET_LOG_DEFAULTS;

/** `vivace manifest rebuild` */
export const run: CommandRun = async (call) => {
  const { flags, output, clock, random } = call;
  const tenant = flags.get('tenant');
  if (tenant === undefined) throw new VivaceError('invalid', 'usage', 'whose root? write --tenant NAME');
  const write = flags.has('write');
  const open = write ? openStoreToWrite : openStoreToRead;
  const config = call.config();
  return withStore(open(config, clock, random), async (store) => {
    if (write && logBackend(config) === 'bucket') await refuseBesideServers(call, store);
    const { plan, root } = await makePlan(call, store, tenant);
    const refused = root === 'readable' && !flags.has('force');
    describe(call, plan, root);
    if (plan.unreadable.length > 0) {
      output.note('blocks that cannot be read stay out, and the sweep deletes what no root names: copy them first');
    }
    if (refused) {
      output.note('the root can be read and stays as it is: --force adds what it lacks and removes what is gone');
    } else if (write) await writeRoot(call, store, tenant, plan, root);
    else output.note('nothing was written: --write does it, with every server stopped');
    output.value({ tenant, root, ...plan, written: write && !refused });
    return refused ? 1 : 0;
  });
};

async function makePlan(call: CommandCall, store: ObjectStore, tenant: string) {
  const { clock, random, signal, progress } = call;
  const inventory = await takeInventory(store, tenant, signal);
  const { root, blocks } = inventory;
  if (root === 'missing' && blocks.size === 0) {
    throw new VivaceError('not-found', 'tenant-unknown', `the store has nothing of this tenant: ${tenant}`);
  }
  const manifest = openManifest({ store, tenant, clock, random });
  const contents = root === 'readable' ? await manifest.inspect(signal) : undefined;
  // Each is looked at twice: for what it is, and for what is in it.
  progress.begin('reading blocks', 2 * inventory.blocks.size);
  const onProgress = () => progress.add(1);
  const plan = await planRebuild({ store, tenant, inventory, contents, signal, onProgress });
  progress.end();
  return { plan, root };
}

/** A directory is locked; in a bucket the leases of the log tell who runs. */
async function refuseBesideServers({ signal }: CommandCall, store: ObjectStore): Promise<void> {
  for await (const { lease } of inspectBucketLog(store, { signal })) {
    if (lease === undefined || lease.released || lease.ageMs > LEASE_MAX_AGE_MS) continue;
    const message = `a server runs on this bucket: stop ${lease.instance} first, which wrote its lease ${Math.round(lease.ageMs / 1000)} s ago; after a crash wait a minute`;
    throw new VivaceError('conflict', 'server-runs', message);
  }
}

async function writeRoot(
  { clock, random, signal, output }: CommandCall,
  store: ObjectStore,
  tenant: string,
  plan: RebuildPlan,
  root: 'readable' | 'missing' | 'damaged',
): Promise<void> {
  if (root === 'damaged') {
    const key = await setRootAside(store, tenant, uuidV7(clock.nowMs(), random), signal);
    output.note(`the damaged root ${rootKey(tenant)} is now ${key}`);
  }
  const manifest = openManifest({ store, tenant, clock, random });
  for (const edit of editsOf(plan)) {
    const result = await manifest.commit(edit, signal).catch((error: unknown) => {
      if (!isKind(error, 'conflict')) throw error;
      throw new VivaceError(
        'conflict',
        error.code,
        `the root changes meanwhile: stop every server first (${error.message})`,
      );
    });
    if (!result.committed) throw new VivaceError('conflict', result.code, `the root was not written: ${result.reason}`);
    output.note(`wrote version ${result.version} of the root of ${tenant}`);
  }
}

/** Commits of a bounded size. The first removes; an edit that does nothing is not committed. */
function editsOf({ add, gone }: RebuildPlan): ManifestEdit[] {
  const edits: ManifestEdit[] = [];
  for (let at = 0; at < add.length; at += COMMIT_BLOCKS) {
    edits.push({ add: add.slice(at, at + COMMIT_BLOCKS), remove: [], cover: [] });
  }
  if (gone.length > 0) edits.unshift({ add: [], remove: gone, cover: [] });
  return edits;
}

function describe({ output }: CommandCall, plan: RebuildPlan, root: string): void {
  const { add, fromPages, contained, buried, incomplete, unreadable, gone } = plan;
  const spans = add.reduce((sum, { rows }) => sum + rows, 0);
  const bytes = add.reduce((sum, entry) => sum + blockBytes(entry), 0);
  output.line(`root         ${root}`);
  output.line(
    `to add       ${add.length} blocks, ${spans} spans, ${formatBytes(bytes)}; ${fromPages} as a page of the manifest has them`,
  );
  for (const { id, rows, traces, level, misdated } of add) {
    output.line(
      `             ${id}  ${rows} spans, ${traces} traces, level ${level}${misdated === true ? ', misdated' : ''}`,
    );
  }
  const lists: [string, string[]][] = [
    ['replaced', contained.map(({ id, in: holders }) => `${id}: every span is in ${holders.join(', ')}`)],
    ['removed', buried],
    ['incomplete', incomplete],
    ['unreadable', unreadable.map(({ id, why }) => `${id}: ${printable(why)}`)],
    ['gone', gone],
  ];
  for (const [name, lines] of lists) {
    output.line(`${name.padEnd(13)}${lines.length}`);
    for (const line of lines) output.line(`             ${line}`);
  }
}
