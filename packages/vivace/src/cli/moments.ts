import { VivaceError } from '@vivace/kernel';

const UNITS: Record<string, bigint> = { s: 1n, m: 60n, h: 3600n, d: 86_400n, w: 604_800n };
const SECOND = 1_000_000_000n;

export const MOMENT_FORMS = 'a time such as 2026-03-01T12:00:00Z, Unix seconds, or how long ago, such as 90m';

/** A moment that a person names, in nanoseconds since 1970. Throws `invalid`, code `usage`. */
export function parseMoment(flag: string, text: string, nowMs: number): bigint {
  const [, count, unit] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) {
    const moment = BigInt(Math.trunc(nowMs)) * 1_000_000n - BigInt(count) * (UNITS[unit] as bigint) * SECOND;
    return moment < 0n ? 0n : moment;
  }
  if (/^\d{1,11}$/.test(text)) return BigInt(text) * SECOND;
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms) || ms < 0) {
    throw new VivaceError('invalid', 'usage', `--${flag} must be ${MOMENT_FORMS}: '${text}'`);
  }
  return BigInt(ms) * 1_000_000n;
}
