import type { CodedColumn, Needs } from '../batch.ts';
import type { FragmentKind } from '../messages.ts';
import { noNeeds } from '../needs.ts';
import { ByteSet } from './byte-set.ts';
import { eventRows } from './event-rows.ts';
import { eachKey } from './fragment-fields.ts';
import { type AttributeScope, type KeySets, keyText } from './key-sets.ts';
import type { MatchedBatch } from './matched-batches.ts';
import type { RowSet } from './row-set.ts';

/** Keys that a source has and no row was found for yet; undefined: any. */
export type MissingKeys = ReadonlyMap<AttributeScope, ReadonlySet<string>> | undefined;

/**
 * Adds the keys of the rows of a batch. Only columns of keys that are not known yet are read; the overflow comes after
 * them, because it is the dearest.
 */
export async function collectKeys(
  { rows, chosen }: MatchedBatch,
  into: KeySets,
  missing: MissingKeys,
  signal: AbortSignal,
): Promise<void> {
  const { batch } = rows;
  const prepare = async (needs: Partial<Needs>) => batch.prepare({ ...noNeeds(), ...needs }, signal);
  const open = (scope: AttributeScope) => into.wants(scope) && !into.truncated && isOpen(scope, into, missing);
  if (open('resource')) {
    await prepare({ fields: new Set(['resource']) });
    const used = chosen.usedNumbers(batch.resource(), batch.resources().length);
    eachUsed(used, (code) => addAll('resource', rows.resource(code).keys(), into));
  }
  if (open('instrumentation')) {
    await prepare({ fields: new Set(['scope']) });
    const used = chosen.usedNumbers(batch.scope(), batch.scopes().length);
    eachUsed(used, (code) => addAll('instrumentation', rows.scope(code).attributes.keys(), into));
  }
  if (open('span')) {
    const keys = batch.attributeKeys.filter((key) => mayBeNew('span', key, into, missing));
    await prepare({ keys: new Set(keys) });
    for (const key of keys) if (anyMeets(chosen, batch.attributes(key))) into.add('span', key);
    if (open('span')) {
      await prepare({ fields: new Set(['overflow']) });
      addFragmentKeys('span', batch.overflow(), chosen, into);
    }
  }
  if (batch.eventRows === 0) return;
  for (const scope of ['event', 'link'] as const) {
    if (!open(scope)) continue;
    const keys = batch.eventAttributeKeys.filter((key) => mayBeNew(scope, key, into, missing));
    await prepare({ eventKeys: new Set(keys), eventFields: new Set(['eventKind']) });
    const events = eventRows(rows, scope, chosen);
    if (events.isEmpty) continue;
    for (const key of keys) if (anyMeets(events, batch.eventAttributes(key))) into.add(scope, key);
    if (!open(scope)) continue;
    await prepare({ eventFields: new Set(['eventKind', 'eventOverflow']) });
    addFragmentKeys(scope, batch.eventOverflow(), events, into);
  }
}

/** Whether a source may have a key of a scope that is not known yet. */
export function isOpen(scope: AttributeScope, into: KeySets, missing: MissingKeys): boolean {
  const keys = missing?.get(scope);
  if (missing === undefined) return true;
  for (const key of keys ?? []) if (!into.has(scope, key)) return true;
  return false;
}

function mayBeNew(scope: AttributeScope, key: string, into: KeySets, missing: MissingKeys): boolean {
  return !into.has(scope, key) && (missing === undefined || missing.get(scope)?.has(key) === true);
}

function anyMeets(chosen: RowSet, columns: readonly CodedColumn[]): boolean {
  return columns.some((column) => chosen.meets(column));
}

function addAll(scope: AttributeScope, keys: Iterable<string>, into: KeySets): void {
  for (const key of keys) into.add(scope, key);
}

function addFragmentKeys(kind: FragmentKind, column: CodedColumn, chosen: RowSet, into: KeySets): void {
  if (column.count === 0) return;
  const { dictionary } = column;
  const seen = new ByteSet();
  eachUsed(chosen.usedCodes(column), (code) => {
    if (into.truncated) return;
    eachKey(kind, dictionary, code, (from, to) => {
      if (seen.add(dictionary.bytes, from, to)) into.add(kind, keyText(dictionary.bytes, from, to));
    });
  });
}

export function eachUsed(used: Uint8Array, use: (code: number) => void): void {
  for (let code = used.indexOf(1); code >= 0; code = used.indexOf(1, code + 1)) use(code);
}
