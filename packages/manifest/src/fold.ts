import { type BlockEntry, entryDay } from './block-entry.ts';
import type { Page } from './edit.ts';
import { type Grave, pageGrave } from './graveyard.ts';
import { takeOrdinal } from './ordinals.ts';
import { encodeEntryPage, encodeGravePage } from './page.ts';
import type { PageRef, Root } from './root.ts';

/**
 * Folding: a root that has grown too large moves its entries, and if need be its graves, into pages.
 *
 * Only pages of days that change are written again. Recent days have pages of their own, so that the days that
 * change all the time stay small; days more than `OLD_DAYS` older than the newest share pages, so that years of
 * retention do not fill the root with names of pages.
 */

export interface FoldTarget {
  pageMaxBytes: number;
  /** Stores a page and returns its id, which is not older than the root's floor. */
  put(bytes: Uint8Array): Promise<string>;
}

const OLD_DAYS = 30;
/** Pages smaller than this part of the largest are gathered when there are too many of them. */
const SMALL_PART = 0.25;
const MAX_SMALL_PAGES = 128;
/** Graves stay in the root while there are fewer. */
const MIN_GRAVES = 64;

/** Empties `root.added` and `root.removed` into pages. `pages` are the root's, in its order. */
export async function foldEntries(root: Root, pages: readonly Page[], target: FoldTarget): Promise<void> {
  const touched = touchedPages(root, pages, target.pageMaxBytes);
  if (touched.size === 0 && root.added.length === 0) return;
  const entries = [...root.added];
  const kept: PageRef[] = [];
  root.pages.forEach((ref, i) => {
    if (!touched.has(ref)) {
      kept.push(ref);
      return;
    }
    for (const entry of (pages[i] as Page).values()) {
      if (root.removed.has(entry.id)) continue;
      // Version 1 wrote pages without ordinals.
      entries.push(entry.ordinals === undefined ? { ...entry, ordinals: [takeOrdinal(root)] } : entry);
    }
    root.graves.push(pageGrave(ref.id));
  });
  const newest = entries.reduce((day, entry) => Math.max(day, entryDay(entry)), kept.at(-1)?.lastDay ?? 0);
  for (const group of groupEntries(entries, root.tenant, newest, target.pageMaxBytes)) {
    const id = await target.put(group.bytes);
    kept.push(pageRef(id, group.entries, group.bytes.length));
  }
  root.pages = kept.sort((a, b) => a.day - b.day || (a.id < b.id ? -1 : 1));
  root.added = [];
  root.removed = new Set();
}

/** Moves the graves into pages, unless they are few. */
export async function foldGraves(root: Root, target: FoldTarget): Promise<void> {
  if (root.graves.length < MIN_GRAVES) return;
  for (const part of split(root.graves, (graves) => encodeGravePage(root.tenant, graves), target.pageMaxBytes)) {
    root.gravePages.push({ id: await target.put(part.bytes), graves: part.items.length, stampMs: 0 });
  }
  root.graves = [];
}

function touchedPages(root: Root, pages: readonly Page[], pageMaxBytes: number): Set<PageRef> {
  const days = new Set(root.added.map(entryDay));
  const isSmall = (ref: PageRef) => ref.bytes < pageMaxBytes * SMALL_PART;
  const gather = root.pages.filter(isSmall).length > MAX_SMALL_PAGES;
  const touched = new Set<PageRef>();
  root.pages.forEach((ref, i) => {
    const page = pages[i] as Page;
    const hasDay = [...days].some((day) => ref.day <= day && day <= ref.lastDay);
    const shrinks = root.removed.size > 0 && [...root.removed].some((id) => page.has(id));
    if (shrinks || (hasDay && ref.bytes < pageMaxBytes * 0.75) || (gather && isSmall(ref))) touched.add(ref);
  });
  return touched;
}

/** Pages of entries in the order of their days, none above the limit. */
function groupEntries(
  entries: readonly BlockEntry[],
  tenant: string,
  newest: number,
  pageMaxBytes: number,
): { entries: readonly BlockEntry[]; bytes: Uint8Array }[] {
  const dated = entries.map((entry) => ({ entry, day: entryDay(entry) }));
  dated.sort((a, b) => a.day - b.day || (a.entry.id < b.entry.id ? -1 : 1));
  const groups: BlockEntry[][] = [];
  let groupDay = Number.NaN;
  for (const { entry, day } of dated) {
    const shares = day === groupDay || (day < newest - OLD_DAYS && groupDay < newest - OLD_DAYS);
    if (shares) (groups.at(-1) as BlockEntry[]).push(entry);
    else groups.push([entry]);
    groupDay = day;
  }
  return groups.flatMap((group) =>
    split(group, (part) => encodeEntryPage(tenant, part), pageMaxBytes).map(({ items, bytes }) => ({
      entries: items,
      bytes,
    })),
  );
}

/** Halves a list until the encoding of each part fits. */
function split<T extends BlockEntry | Grave>(
  items: readonly T[],
  encode: (items: readonly T[]) => Uint8Array,
  maxBytes: number,
): { items: readonly T[]; bytes: Uint8Array }[] {
  const bytes = encode(items);
  if (bytes.length <= maxBytes || items.length === 1) return [{ items, bytes }];
  const middle = items.length >> 1;
  return [...split(items.slice(0, middle), encode, maxBytes), ...split(items.slice(middle), encode, maxBytes)];
}

function pageRef(id: string, entries: readonly BlockEntry[], bytes: number): PageRef {
  let day = Number.POSITIVE_INFINITY;
  let lastDay = 0;
  let minStart = (1n << 64n) - 1n;
  let maxEnd = 0n;
  for (const entry of entries) {
    day = Math.min(day, entryDay(entry));
    lastDay = Math.max(lastDay, entryDay(entry));
    if (entry.minStart < minStart) minStart = entry.minStart;
    if (entry.maxEnd > maxEnd) maxEnd = entry.maxEnd;
  }
  return { id, day, lastDay, entries: entries.length, bytes, minStart, maxEnd };
}
