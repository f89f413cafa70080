import { MAX_FRAMES, malformedBody } from './request-errors.ts';

export interface Lz4Frame {
  start: number;
  end: number;
  /** How long it is inflated: counted, not declared. */
  contentBytes: number;
}

/**
 * Finds the frames of an LZ4 stream (lz4_Frame_format.md 1.6) and adds up what their blocks inflate to, by
 * walking the tokens without copying. The library inflates without a limit and stops silently after the first
 * frame or at a missing end mark; this walk is what bounds it and notices both.
 */
export function lz4Frames(bytes: Uint8Array, stopBytes: number): Lz4Frame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Lz4Frame[] = [];
  let at = 0;
  let total = 0;
  while (at < bytes.length) {
    if (bytes.length - at < 8) throw malformedBody('lz4', 'it is cut off');
    const magic = view.getUint32(at, true);
    if (magic >>> 4 === 0x184d2a5) {
      at += 8 + view.getUint32(at + 4, true);
      if (at > bytes.length) throw malformedBody('lz4', 'it is cut off');
      continue;
    }
    if (magic !== 0x184d2204) throw malformedBody('lz4', `no frame at byte ${at}`);
    const frame = readFrame(bytes, view, at, stopBytes - total);
    if (frames.push(frame) > MAX_FRAMES) throw malformedBody('lz4', 'it has too many frames');
    total += frame.contentBytes;
    // Enough to know that it is too large.
    if (total > stopBytes) return frames;
    at = frame.end;
  }
  if (frames.length === 0) throw malformedBody('lz4', 'it is empty');
  return frames;
}

function readFrame(bytes: Uint8Array, view: DataView, start: number, stopBytes: number): Lz4Frame {
  const flags = bytes[start + 4] as number;
  if (flags >>> 6 !== 1) throw malformedBody('lz4', 'a version that does not exist');
  if ((flags & 1) !== 0) throw malformedBody('lz4', 'it needs a dictionary');
  const blockChecksum = (flags & 0x10) !== 0 ? 4 : 0;
  let at = start + 7 + ((flags & 8) !== 0 ? 8 : 0);
  let contentBytes = 0;
  for (;;) {
    if (at + 4 > bytes.length) throw malformedBody('lz4', 'it is cut off');
    const header = view.getUint32(at, true);
    at += 4;
    if (header === 0) break;
    const size = header & 0x7fffffff;
    if (size > bytes.length - at) throw malformedBody('lz4', 'it is cut off');
    contentBytes += header >>> 31 === 1 ? size : inflatedBytes(bytes, at, at + size);
    if (contentBytes > stopBytes) return { start, end: at, contentBytes };
    at += size + blockChecksum;
  }
  if ((flags & 4) !== 0) at += 4;
  if (at > bytes.length) throw malformedBody('lz4', 'it is cut off');
  return { start, end: at, contentBytes };
}

/** The inflated length of one block (lz4_Block_format.md): literals and matches of every sequence. */
function inflatedBytes(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let total = 0;
  while (at < end) {
    const token = bytes[at++] as number;
    let literals = token >>> 4;
    if (literals === 15) {
      for (let more = 255; more === 255; ) {
        if (at >= end) throw malformedBody('lz4', 'a block is cut off');
        more = bytes[at++] as number;
        literals += more;
      }
    }
    at += literals;
    total += literals;
    // The last sequence has no match.
    if (at === end) return total;
    at += 2;
    if (at > end) throw malformedBody('lz4', 'a block is cut off');
    let match = (token & 15) + 4;
    if (match === 19) {
      for (let more = 255; more === 255; ) {
        if (at >= end) throw malformedBody('lz4', 'a block is cut off');
        more = bytes[at++] as number;
        match += more;
      }
    }
    total += match;
  }
  throw malformedBody('lz4', 'a block is cut off');
}
