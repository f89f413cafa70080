import { assert, concatBytes, dataError } from '@vivace/kernel';

/** Reads a body of a known length into memory taken once; anything but that length is a `data` error. */
export async function readS3Body(body: AsyncIterable<Uint8Array>, length: number, key: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for await (const chunk of body) {
    if (at + chunk.length > length) throw dataError('store-answer', `the store sends more than it said: ${key}`);
    bytes.set(chunk, at);
    at += chunk.length;
  }
  if (at < length) throw dataError('store-answer', `the store sends less than it said: ${key}`);
  return bytes;
}

/** The parts as the SDK signs them: one array on memory of its own. */
export function oneBody(parts: readonly Uint8Array[]): Uint8Array {
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only !== undefined && only.buffer instanceof ArrayBuffer) return only;
  const whole = concatBytes(parts);
  assert(whole.buffer instanceof ArrayBuffer, 'concatenated bytes are on plain memory');
  return whole;
}
