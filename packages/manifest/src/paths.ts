import { checkTenant, dataError, isUuidV7, utf8Decode, utf8Encode } from '@vivace/kernel';

/** Every key below `tenants/` is made here and taken apart here; FORMAT.md lists them. */
export const TENANTS_PREFIX = 'tenants/';

/** Longest escaped name; with a longer one a file system's 255 bytes a name could be passed. */
const MAX_ESCAPED = 200;
const LONG_PREFIX = '==';
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
/** Names that Windows keeps for devices, with any extension. */
const DEVICE = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])$/;

/**
 * The part of a key that stands for a tenant. Lower-case letters, digits, `-` and `_` stay; every other byte is
 * `=` and two hex digits, so that names differing only in case differ on any file system and none is `.` or
 * `..`. Names that grow too long by that are `==` and base32. Throws `invalid` for what is no tenant id.
 */
export function encodeTenant(tenant: string): string {
  const bytes = utf8Encode(checkTenant(tenant));
  let escaped = '';
  for (const byte of bytes) escaped += isPlain(byte) ? String.fromCharCode(byte) : escape(byte);
  if (DEVICE.test(escaped)) return escape(bytes[0] as number) + escaped.slice(1);
  return escaped.length <= MAX_ESCAPED ? escaped : LONG_PREFIX + base32(bytes);
}

/** The tenant that `encodeTenant` made this of; `data` (code `tenant-key`) for anything that it never makes. */
export function decodeTenant(encoded: string): string {
  try {
    const bytes = encoded.startsWith(LONG_PREFIX) ? unbase32(encoded.slice(LONG_PREFIX.length)) : unescape(encoded);
    const tenant = utf8Decode(bytes);
    if (encodeTenant(tenant) === encoded) return tenant;
  } catch (error) {
    throw dataError('tenant-key', `a key names no tenant: ${JSON.stringify(encoded.slice(0, 100))}`, error);
  }
  throw dataError('tenant-key', `a key names no tenant: ${JSON.stringify(encoded.slice(0, 100))}`);
}

/** Everything of one tenant. */
export function tenantPrefix(tenant: string): string {
  return `${TENANTS_PREFIX}${encodeTenant(tenant)}/`;
}

export function rootKey(tenant: string): string {
  return `${tenantPrefix(tenant)}root`;
}

export function pagesPrefix(tenant: string): string {
  return `${tenantPrefix(tenant)}pages/`;
}

export function pageKey(tenant: string, id: string): string {
  return pagesPrefix(tenant) + id;
}

export function segmentsPrefix(tenant: string): string {
  return `${tenantPrefix(tenant)}traces/`;
}

/** A segment of the trace index; the two hex digits are as those of a block. */
export function segmentKey(tenant: string, id: string): string {
  return `${segmentsPrefix(tenant)}${id.slice(-2)}/${id}`;
}

export function blocksPrefix(tenant: string): string {
  return `${tenantPrefix(tenant)}blocks/`;
}

/**
 * An object of a block, by its name in the block (`SectionPlace.object`). The two hex digits are the last of the
 * id, which are random: the front of a UUIDv7 is time and would put all new blocks under one prefix.
 */
export function blockKey(tenant: string, id: string, object: string): string {
  return `${blocksPrefix(tenant)}${id.slice(-2)}/${id}/${object}`;
}

/** What a key below `blocksPrefix` is; undefined for one that is not of a block. */
export function parseBlockKey(tenant: string, key: string): { id: string; object: string } | undefined {
  const parts = key.slice(blocksPrefix(tenant).length).split('/');
  const [, id, object] = parts;
  if (parts.length !== 3 || id === undefined || object === undefined) return undefined;
  return isUuidV7(id) && blockKey(tenant, id, object) === key ? { id, object } : undefined;
}

/**
 * Whether a key is of an object of a block or of a segment of the trace index: their ids are made anew for each, so its
 * bytes are never others.
 */
export function isImmutableKey(key: string): boolean {
  const [tenants, , kind, two, id, object, ...more] = key.split('/');
  if (`${tenants}/` !== TENANTS_PREFIX || id === undefined || !isUuidV7(id) || two !== id.slice(-2)) return false;
  return (
    (kind === 'blocks' && object !== undefined && more.length === 0) || (kind === 'traces' && object === undefined)
  );
}

/** The id of a page, of a key below `pagesPrefix`; undefined for one that is not of a page. */
export function parsePageKey(tenant: string, key: string): string | undefined {
  const id = key.slice(pagesPrefix(tenant).length);
  return isUuidV7(id) && pageKey(tenant, id) === key ? id : undefined;
}

/** The id of a segment, of a key below `segmentsPrefix`; undefined for one that is not of a segment. */
export function parseSegmentKey(tenant: string, key: string): string | undefined {
  const id = key.slice(segmentsPrefix(tenant).length + 3);
  return isUuidV7(id) && segmentKey(tenant, id) === key ? id : undefined;
}

function isPlain(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x5f;
}

function escape(byte: number): string {
  return `=${byte.toString(16).padStart(2, '0')}`;
}

function unescape(text: string): Uint8Array {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '=') bytes.push(text.charCodeAt(i) & 255);
    else {
      bytes.push(Number.parseInt(text.slice(i + 1, i + 3), 16) & 255);
      i += 2;
    }
  }
  return new Uint8Array(bytes);
}

function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held & 31) << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += BASE32[(held >>> (bits - 5)) & 31];
  }
  return bits > 0 ? text + BASE32[(held << (5 - bits)) & 31] : text;
}

function unbase32(text: string): Uint8Array {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const letter of text) {
    held = ((held & 255) << 5) | (BASE32.indexOf(letter) & 31);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >>> bits) & 255);
  }
  return new Uint8Array(bytes);
}
