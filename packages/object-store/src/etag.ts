import { createHash } from 'node:crypto';

/** An ETag of the content: 128 bits of SHA-256, quoted as HTTP has it. Parts count as their concatenation. */
export function contentEtag(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return `"${hash.digest('hex').slice(0, 32)}"`;
}

/** Where reading all of an object to know its ETag would cost too much: its size and time of writing. */
export function writtenEtag(size: number, modifiedMs: number): string {
  return `"${size.toString(36)}-${Math.round(modifiedMs * 1000).toString(36)}"`;
}
