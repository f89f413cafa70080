import { encodeBlock, layoutObjects } from '@vivace/block';
import { type ColumnSetView, sortedRows } from '@vivace/columns';
import { foldInSteps } from '@vivace/kernel';
import type { CutBlock, CutOptions } from './block-cutter.ts';

export interface BlockShape {
  /** Blocks below this are one object. */
  singleObjectMaxBytes: number;
  rowGroupRows: number;
  pageRows: number;
  /** Of hash tables over ids that senders chose; does not change the block. */
  seed: number;
}

/** Sorts and encodes a generation; what a cutter's thread does. */
export function cutBlocks(view: ColumnSetView, { earliest, latest }: CutOptions, shape: BlockShape): CutBlock[] {
  const misdated = misdatedRows(view, earliest, latest);
  const blocks: CutBlock[] = [];
  for (const value of misdated === undefined ? [0] : [0, 1]) {
    const order = sortedRows(view, misdated && { classes: misdated, value });
    if (order.length === 0) continue;
    const encoded = encodeBlock(view, order, shape);
    const { objects, sections } = layoutObjects(encoded, shape.singleObjectMaxBytes);
    const { sections: _, ...facts } = encoded;
    blocks.push({
      content: { ...facts, sections, ...(value === 1 && { misdated: true }) },
      objects,
    });
  }
  return blocks;
}

/** 1 for each row that starts outside [earliest, latest]; undefined where none does. */
function misdatedRows(view: ColumnSetView, earliest: bigint, latest: bigint): Uint8Array | undefined {
  return foldInSteps<Uint8Array | undefined, [ColumnSetView, Halves, Halves]>(
    view.spanCount,
    undefined,
    markMisdated,
    view,
    halves(earliest),
    halves(latest),
  );
}

function markMisdated(
  before: Uint8Array | undefined,
  from: number,
  to: number,
  { spanCount, start }: ColumnSetView,
  low: Halves,
  high: Halves,
): Uint8Array | undefined {
  let classes = before;
  for (let row = from; row < to; row++) {
    const a = start[row * 2 + 1] as number;
    const b = start[row * 2] as number;
    const early = a < low.high || (a === low.high && b < low.low);
    const late = a > high.high || (a === high.high && b > high.low);
    if (!early && !late) continue;
    classes ??= new Uint8Array(spanCount);
    classes[row] = 1;
  }
  return classes;
}

interface Halves {
  low: number;
  high: number;
}

function halves(time: bigint): Halves {
  const clamped = BigInt.asUintN(64, time < 0n ? 0n : time);
  return { low: Number(clamped & 0xffffffffn), high: Number(clamped >> 32n) };
}
