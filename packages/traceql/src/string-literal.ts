import { utf8Encode } from '@vivace/kernel';

/**
 * Strings are written as in Go: `"…"` with escapes, or raw between backticks.
 *
 * Source: https://go.dev/ref/spec#String_literals
 */

const SIMPLE = new Map([
  ['a', 0x07],
  ['b', 0x08],
  ['f', 0x0c],
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
  ['v', 0x0b],
  ['\\', 0x5c],
  ['"', 0x22],
]);

const NUMERIC = /(?:x([\dA-Fa-f]{2})|u([\dA-Fa-f]{4})|U([\dA-Fa-f]{8})|([0-7]{3}))/y;

/** What stands between the quotes; undefined where an escape is wrong. Bytes that are not UTF-8 become U+FFFD. */
export function unescape(text: string): string | undefined {
  if (!text.includes('\\')) return text;
  const bytes: (Uint8Array | number[])[] = [];
  for (let at = 0; at < text.length; ) {
    const backslash = text.indexOf('\\', at);
    if (backslash === -1) {
      bytes.push(utf8Encode(text.slice(at)));
      break;
    }
    if (backslash > at) bytes.push(utf8Encode(text.slice(at, backslash)));
    const simple = SIMPLE.get(text[backslash + 1] ?? '');
    if (simple !== undefined) {
      bytes.push([simple]);
      at = backslash + 2;
      continue;
    }
    const escaped = numericEscape(text, backslash + 1);
    if (escaped === undefined) return undefined;
    bytes.push(escaped.bytes);
    at = escaped.to;
  }
  return Buffer.concat(bytes.map((part) => (part instanceof Uint8Array ? part : Uint8Array.from(part)))).toString();
}

function numericEscape(text: string, from: number): { bytes: Uint8Array | number[]; to: number } | undefined {
  NUMERIC.lastIndex = from;
  const found = NUMERIC.exec(text);
  if (found === null) return undefined;
  const [, hex, short, long, octal] = found;
  const to = NUMERIC.lastIndex;
  if (hex !== undefined) return { bytes: [Number.parseInt(hex, 16)], to };
  if (octal !== undefined) {
    const byte = Number.parseInt(octal, 8);
    return byte > 255 ? undefined : { bytes: [byte], to };
  }
  const rune = Number.parseInt(short ?? long ?? '', 16);
  if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return undefined;
  return { bytes: utf8Encode(String.fromCodePoint(rune)), to };
}

/** The string in double quotes, so that it reads as the same again. */
export function quote(text: string): string {
  return `"${text.toWellFormed().replaceAll(/["\\\p{Cc}]/gu, escape)}"`;
}

function escape(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  if (character === '\n') return '\\n';
  if (character === '\r') return '\\r';
  if (character === '\t') return '\\t';
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
