import { bytesToHex } from './bytes.ts';
import type { Random } from './random.ts';

/**
 * A UUIDv7 (RFC 9562, section 5.7) in its canonical text form: 48 bits of milliseconds, then randomness,
 * so that ids sort by the time they were made. Stream and block ids take the time from the store's clock.
 */
export function uuidV7(nowMs: number, random: Random): string {
  const bytes = random.bytes(16);
  let ms = Math.max(0, Math.floor(nowMs));
  for (let i = 5; i >= 0; i--) {
    bytes[i] = ms % 256;
    ms = Math.floor(ms / 256);
  }
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = bytesToHex(bytes);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export function isUuidV7(text: string): boolean {
  return pattern.test(text);
}

/** The milliseconds since 1970 that a UUIDv7 was made at. */
export function uuidV7TimeMs(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
