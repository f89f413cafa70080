import { MAX_FRAMES, malformedBody } from './request-errors.ts';

export interface ZstdFrame {
  start: number;
  end: number;
  /** What the header says of the content; undefined if it does not. Not to be believed before it is compared. */
  contentBytes: number | undefined;
}

/**
 * Finds the frames of a zstd stream (RFC 8878, section 3.1) by their headers. node:zlib's one-shot call stops
 * after the first one and ignores what follows, so they are inflated one by one; skippable frames are left out.
 */
export function zstdFrames(bytes: Uint8Array): ZstdFrame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: ZstdFrame[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < 5) throw malformedBody('zstd', 'it is cut off');
    const magic = view.getUint32(at, true);
    if (magic >>> 4 === 0x184d2a5) {
      if (bytes.length - at < 8) throw malformedBody('zstd', 'it is cut off');
      at += 8 + view.getUint32(at + 4, true);
      if (at > bytes.length) throw malformedBody('zstd', 'it is cut off');
      continue;
    }
    if (magic !== 0xfd2fb528) throw malformedBody('zstd', `no frame at byte ${at}`);
    const frame = readFrame(bytes, view, at);
    if (frames.push(frame) > MAX_FRAMES) throw malformedBody('zstd', 'it has too many frames');
    at = frame.end;
  }
  if (frames.length === 0) throw malformedBody('zstd', 'it is empty');
  return frames;
}

const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];

function readFrame(bytes: Uint8Array, view: DataView, start: number): ZstdFrame {
  const descriptor = bytes[start + 4] as number;
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeBytes = descriptor >>> 6 === 0 && singleSegment ? 1 : (CONTENT_SIZE_BYTES[descriptor >>> 6] as number);
  let at = start + 5 + (singleSegment ? 0 : 1) + (DICTIONARY_ID_BYTES[descriptor & 3] as number);
  if (at + sizeBytes > bytes.length) throw malformedBody('zstd', 'it is cut off');
  const contentBytes = sizeBytes === 0 ? undefined : contentSize(view, at, sizeBytes);
  at += sizeBytes;
  for (let last = false; !last; ) {
    if (at + 3 > bytes.length) throw malformedBody('zstd', 'it is cut off');
    const header = view.getUint16(at, true) | ((bytes[at + 2] as number) << 16);
    last = (header & 1) !== 0;
    const type = (header >>> 1) & 3;
    if (type === 3) throw malformedBody('zstd', 'a block of a reserved type');
    // A run-length block has one byte, whatever its size says.
    at += 3 + (type === 1 ? 1 : header >>> 3);
  }
  if ((descriptor & 4) !== 0) at += 4;
  if (at > bytes.length) throw malformedBody('zstd', 'it is cut off');
  return { start, end: at, contentBytes };
}

function contentSize(view: DataView, at: number, bytes: number): number {
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true) + 256;
  if (bytes === 4) return view.getUint32(at, true);
  return view.getUint32(at + 4, true) * 4294967296 + view.getUint32(at, true);
}
