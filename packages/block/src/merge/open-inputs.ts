import { createByteCache } from '../byte-cache.ts';
import { freeDictionary, InputBlock, MERGED_TABLES } from './input-block.ts';
import type { MergeOptions } from './merge-options.ts';
import { ReadRoom } from './read-room.ts';
import type { WantedColumns } from './wanted-columns.ts';

/** Row groups of all inputs that are kept as wholes; where they are larger, pages are read when they are needed. */
const DEFAULT_MAX_GROUP_BYTES = 40 * 1024 * 1024;

/** Dictionaries of eight inputs of the size that compaction merges. */
const DEFAULT_MAX_DICTIONARY_BYTES = 8 * 1024 * 1024;

export type InputOptions = Pick<MergeOptions, 'inputs' | 'maxGroupBytes' | 'maxDictionaryBytes' | 'seed' | 'signal'>;

/** Blocks that are read together, in the order of their traces. */
export interface OpenInputs {
  blocks: readonly InputBlock[];
  /** Where the row groups are that they are at. */
  room: ReadRoom;
}

/** Of `wanted` columns only, where they are given. */
export async function openInputs(options: InputOptions, wanted?: WantedColumns): Promise<OpenInputs> {
  const { inputs, maxGroupBytes = DEFAULT_MAX_GROUP_BYTES, seed = 0, signal } = options;
  const { maxDictionaryBytes = DEFAULT_MAX_DICTIONARY_BYTES } = options;
  const blocks: InputBlock[] = [];
  const dictionaries = createByteCache({ maxBytes: maxDictionaryBytes, onDrop: freeDictionary });
  for (const [number, input] of inputs.entries()) {
    blocks.push(await InputBlock.open(input, { dictionaries, number, seed, signal, wanted }));
  }
  const room = new ReadRoom();
  for (const block of blocks) {
    for (const table of MERGED_TABLES) block.rooms[table] = room.reserve(block.largestGroupBytes(table));
  }
  for (const block of blocks) block.wholeGroups = room.bytes <= maxGroupBytes;
  return { blocks, room };
}

/** Nothing of the inputs stays in memory but what is known of them. */
export function releaseInputs({ blocks, room }: OpenInputs): void {
  for (const block of blocks) block.release(Number.POSITIVE_INFINITY);
  room.free();
}
