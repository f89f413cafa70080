import { assert, isUuidV7, uuidV7TimeMs } from '@vivace/kernel';
import { type BlockEntry, writeEntry } from './block-entry.ts';
import { ByteWriter } from './byte-writer.ts';
import { blockGrave, pageGrave, segmentGrave } from './graveyard.ts';
import { takeOrdinal, uniteOrdinals } from './ordinals.ts';
import type { Root } from './root.ts';
import { type IndexEdit, indexMisfit, writeSegment } from './trace-segment.ts';

/** What one commit changes. All of it happens, or nothing. */
export interface ManifestEdit {
  /** Blocks whose objects are stored already. */
  add: readonly BlockEntry[];
  /** Ids of blocks that the added ones replace, or that are too old. */
  remove: readonly string[];
  cover: readonly CoverStep[];
  /** Raises the floor: ids made before are refused from then on. Never lowers it. */
  floorMs?: number;
  /** Ids of graves whose objects are deleted. */
  bury?: ReadonlySet<string>;
  /** Segments of the trace index whose objects are stored already, and those that they replace. */
  index?: IndexEdit;
  /** Forgets coverage of streams that are older, and lets the floor age anew. */
  forgetBelowMs?: number;
}

/** The added blocks hold a tenant's records of the segments (from, to] of a stream. */
export interface CoverStep {
  stream: string;
  from: number;
  to: number;
}

/**
 * `covered`: other blocks hold these records already. `forgotten`: they do as well, for the stream was closed so long ago
 * that its coverage is forgotten, and no root will say any more how far it went; as a step for each stream says it, an
 * edit of several is `covered`. `removed`: a block to be removed is not live any more. `floor`: the id of an added block is older than
 * the floor, because its writer stalled: the same rows can be written again under a new id. `index`: the segments of
 * the trace index are not those that the edit was made for.
 */
export type LostReason = 'covered' | 'forgotten' | 'removed' | 'floor' | 'index';

export type Verdict =
  | { kind: 'valid' }
  /** The root holds the edit already: an earlier attempt, or its late answer. */
  | { kind: 'done' }
  /** It does not fit, and can never fit any more. */
  | { kind: 'lost'; reason: LostReason; message: string }
  /** It does not fit now: a step before it is missing. */
  | { kind: 'gap'; message: string }
  /** The answer depends on pages. */
  | { kind: 'pages' };

/** Entries of a page by their ids. */
export type Page = ReadonlyMap<string, BlockEntry>;

/** Throws for what no correct program asks for. */
export function checkEdit(edit: ManifestEdit): void {
  const scratch = new ByteWriter();
  for (const entry of edit.add) {
    assert(isUuidV7(entry.id), `the id of a block is no UUIDv7: ${entry.id}`);
    // One that cannot be written must fail by itself, not with the edits that it would be committed with.
    writeEntry(scratch, entry);
  }
  for (const segment of edit.index?.add ?? []) {
    assert(isUuidV7(segment.id), `the id of a segment is no UUIDv7: ${segment.id}`);
    writeSegment(scratch, segment);
  }
  for (const { stream, from, to } of edit.cover) {
    assert(isUuidV7(stream), `the id of a stream is no UUIDv7: ${stream}`);
    assert(Number.isSafeInteger(to) && from >= 0 && from < to, 'a step of coverage must go up');
  }
}

/** Whether an edit fits a root. `pages` are all pages of the root, or undefined where they are not loaded. */
export function judge(edit: ManifestEdit, root: Root, pages: readonly Page[] | undefined): Verdict {
  const needsPages = root.pages.length > 0 && pages === undefined;
  const misfit = findMisfit(edit, root, pages);
  // Only what it removes, covers or indexes keeps an edit from fitting twice. One with neither is looked for in
  // everything.
  if (misfit === undefined && isOnce(edit)) return { kind: 'valid' };
  if (edit.index?.add.some(({ id }) => isSegmentKnown(id, root)) === true) return { kind: 'done' };
  if (edit.add.length > 0) {
    // Attempts are atomic: one block of the edit stands for all. Whoever asks again with the same blocks must
    // not be told that it lost, because it would then delete what is live.
    if (edit.add.some(({ id }) => isKnown(id, root, pages))) return { kind: 'done' };
    if (needsPages) return { kind: 'pages' };
  }
  return misfit ?? { kind: 'valid' };
}

/** Whether an edit that happened fits no more. */
export function isOnce({ cover, remove, index }: ManifestEdit): boolean {
  return cover.length > 0 || remove.length > 0 || index !== undefined;
}

function isSegmentKnown(id: string, { segments, graves }: Root): boolean {
  return segments.some((segment) => segment.id === id) || graves.some((grave) => grave.id === id);
}

function findMisfit(edit: ManifestEdit, root: Root, pages: readonly Page[] | undefined): Verdict | undefined {
  for (const { stream, from } of edit.cover) {
    const covered = root.covered.get(stream);
    if (covered === undefined && uuidV7TimeMs(stream) < root.floorMs) {
      const reason = edit.cover.length === 1 ? 'forgotten' : 'covered';
      return lost(reason, `a stream without coverage is older than the floor: ${stream}`);
    }
    if ((covered ?? 0) > from) {
      return lost('covered', `the log is covered up to ${covered}, and the blocks begin after ${from}: ${stream}`);
    }
    if ((covered ?? 0) < from) {
      return {
        kind: 'gap',
        message: `the log is covered up to ${covered ?? 0}, and the blocks begin after ${from}: ${stream}`,
      };
    }
  }
  for (const { id } of edit.add) {
    if (uuidV7TimeMs(id) < root.floorMs) return lost('floor', `a new block is older than the floor: ${id}`);
  }
  if (edit.index !== undefined) {
    for (const { id } of edit.index.add) {
      if (uuidV7TimeMs(id) < root.floorMs) return lost('floor', `a new segment is older than the floor: ${id}`);
    }
    const misfit = indexMisfit(edit.index, root);
    if (misfit !== undefined) return lost('index', misfit);
  }
  if (edit.remove.length > 0 && root.pages.length > 0 && pages === undefined) return { kind: 'pages' };
  for (const id of edit.remove) {
    if (!findLive(id, root, pages)) return lost('removed', `a block to be replaced is not live any more: ${id}`);
  }
  return undefined;
}

/** Changes `root` by an edit that was judged valid. */
export function applyEdit(edit: ManifestEdit, root: Root, pages: readonly Page[] | undefined): void {
  if (edit.forgetBelowMs !== undefined) {
    assert(edit.forgetBelowMs <= root.floorMs, 'only streams below the floor are forgotten');
    for (const stream of root.covered.keys()) {
      if (uuidV7TimeMs(stream) < edit.forgetBelowMs) root.covered.delete(stream);
    }
    root.aging = { floorMs: root.floorMs, sinceMs: 0 };
  }
  root.floorMs = Math.max(root.floorMs, edit.floorMs ?? 0);
  for (const { stream, to } of edit.cover) root.covered.set(stream, to);
  const replaced: BlockEntry[] = [];
  for (const id of edit.remove) {
    const entry = findLive(id, root, pages);
    assert(entry, 'a removed block is live');
    replaced.push(entry);
    const at = root.added.indexOf(entry);
    if (at >= 0) root.added.splice(at, 1);
    else root.removed.add(id);
    root.graves.push(blockGrave(entry));
  }
  addBlocks(edit, replaced, root);
  if (edit.index !== undefined) applyIndex(edit.index, root);
}

/** Gives every block its ordinals: those of what it replaces, and one of its own if it has anything else. */
function addBlocks({ add, cover }: ManifestEdit, replaced: readonly BlockEntry[], root: Root): void {
  const hasOwn = replaced.length === 0 || cover.length > 0 || replaced.some(({ ordinals }) => ordinals === undefined);
  const inherited = uniteOrdinals(replaced.map(({ ordinals = [] }) => ordinals));
  // What version 1 added gets its ordinals now.
  root.added = root.added.map((entry) =>
    entry.ordinals === undefined ? { ...entry, ordinals: [takeOrdinal(root)] } : entry,
  );
  for (const entry of add) {
    root.added.push({ ...entry, ordinals: uniteOrdinals([inherited, hasOwn ? [takeOrdinal(root)] : []]) });
  }
}

function applyIndex({ add, remove }: IndexEdit, root: Root): void {
  const gone = new Set(remove);
  root.segments = [...root.segments.filter(({ id }) => !gone.has(id)), ...add].sort((a, b) => a.first - b.first);
  root.graves.push(...remove.map(segmentGrave));
}

/** Takes graves out of the root; those of its pages come into it first. */
export function applyBury(
  buried: ReadonlySet<string>,
  root: Root,
  paged: readonly { page: string; graves: Root['graves'] }[],
): void {
  for (const { page, graves } of paged) {
    root.gravePages = root.gravePages.filter(({ id }) => id !== page);
    root.graves.push(...graves, pageGrave(page));
  }
  root.graves = root.graves.filter(({ id }) => !buried.has(id));
}

function findLive(id: string, root: Root, pages: readonly Page[] | undefined): BlockEntry | undefined {
  const added = root.added.find((entry) => entry.id === id);
  if (added || root.removed.has(id)) return added;
  for (const page of pages ?? []) {
    const entry = page.get(id);
    if (entry) return entry;
  }
  return undefined;
}

function isKnown(id: string, root: Root, pages: readonly Page[] | undefined): boolean {
  return (
    root.graves.some((grave) => grave.id === id) || root.removed.has(id) || findLive(id, root, pages) !== undefined
  );
}

function lost(reason: LostReason, message: string): Verdict {
  return { kind: 'lost', reason, message };
}
