import { dataError, utf8Decode, utf8Encode } from '@vivace/kernel';

/** What `streams/<stream>` holds, as JSON. It says who works on a stream; nothing is safe because of it. */
export interface Lease {
  /** The name by which a process that starts again knows its own streams. */
  instance: string;
  /** Where the process can be asked, for people; may be empty. */
  address: string;
  /** 32 hex digits of whoever wrote it last. */
  writer: string;
  /**
   * Goes up with every write of the owner, so that no two have the same bytes. ETags are hashes of them: a write that
   * lands late would else find the lease as it expects it after it was changed and changed back.
   */
  beat: number;
  /** All segments up to here are gone, or about to be. */
  dropped: number;
  /** The owner has stopped and appends no more. */
  released: boolean;
}

const VERSION = 1;
/** A longer one is not read. */
export const LEASE_MAX_BYTES = 4096;
const TEXT_MAX_LENGTH = 500;

export function encodeLease({ instance, address, writer, beat, dropped, released }: Lease): Uint8Array {
  return utf8Encode(
    JSON.stringify({
      version: VERSION,
      instance: instance.slice(0, TEXT_MAX_LENGTH),
      address: address.slice(0, TEXT_MAX_LENGTH),
      writer,
      beat,
      dropped,
      released,
    }),
  );
}

/** Throws `data` for what no version of this program wrote. */
export function decodeLease(bytes: Uint8Array): Lease {
  let value: unknown;
  try {
    value = bytes.length <= LEASE_MAX_BYTES ? JSON.parse(utf8Decode(bytes)) : undefined;
  } catch {
    // Said below.
  }
  if (typeof value !== 'object' || value === null) throw dataError('log-lease', 'the lease of a stream is no lease');
  const { version, instance, address, writer, beat, dropped, released } = value as Record<string, unknown>;
  if (version !== VERSION) throw dataError('log-lease', 'the lease has a version that this program does not know');
  const good =
    isText(instance) &&
    isText(address) &&
    typeof writer === 'string' &&
    /^[0-9a-f]{32}$/.test(writer) &&
    isCount(beat) &&
    isCount(dropped) &&
    typeof released === 'boolean';
  if (!good) throw dataError('log-lease', 'the lease of a stream has fields that cannot be');
  return { instance, address, writer, beat, dropped, released };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= TEXT_MAX_LENGTH;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
