import { hexToBytes, VivaceError } from '@vivace/kernel';

const ID_HEX_DIGITS = 32;

/**
 * The 16 bytes of a trace id as people and clients write it: hexadecimal digits in any case and number up to
 * 32. Shorter ids are ids of 64 bits, or ids whose leading zeros somebody dropped: both are padded on the
 * left, as they are when stored. Throws `invalid` with Tempo's texts.
 */
export function parseTraceId(text: string): Uint8Array {
  const position = text.search(/[^0-9a-fA-F]/u);
  if (position >= 0) {
    const character = String.fromCodePoint(text.codePointAt(position) as number);
    throw new VivaceError(
      'invalid',
      'trace-id-character',
      `trace IDs can only contain hex characters: invalid character '${character}' at position ${position + 1}`,
    );
  }
  if (text.length > ID_HEX_DIGITS) {
    throw new VivaceError('invalid', 'trace-id-length', "trace IDs can't be larger than 128 bits");
  }
  if (text.length === 0) {
    throw new VivaceError('invalid', 'trace-id-empty', 'the trace ID is empty: write it as up to 32 hex characters');
  }
  return hexToBytes(text.padStart(ID_HEX_DIGITS, '0'));
}
