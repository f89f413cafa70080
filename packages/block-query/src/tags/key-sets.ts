import { utf8Decode } from '@vivace/kernel';
import type { AttributeScope as AnyScope } from '@vivace/traceql';
import { ITEM_BYTES, MAX_ANSWER_BYTES, sortedTexts } from './value-set.ts';

/** Where attributes are. */
export type AttributeScope = Exclude<AnyScope, 'any'>;

/** The names of attributes, by scope. What is beyond the bound is left out, and `truncated` says so. */
export class KeySets {
  truncated = false;
  readonly #names = new Map<AttributeScope, Set<string>>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(scopes: readonly AttributeScope[], maxBytes = MAX_ANSWER_BYTES) {
    for (const scope of scopes) this.#names.set(scope, new Set());
    this.#maxBytes = maxBytes;
  }

  get scopes(): Iterable<AttributeScope> {
    return this.#names.keys();
  }

  wants(scope: AttributeScope): boolean {
    return this.#names.has(scope);
  }

  has(scope: AttributeScope, key: string): boolean {
    return this.#names.get(scope)?.has(key) === true;
  }

  add(scope: AttributeScope, key: string): void {
    const names = this.#names.get(scope);
    if (names === undefined || this.truncated || names.has(key)) return;
    names.add(key);
    this.#bytes += 3 * key.length + ITEM_BYTES;
    if (this.#bytes > this.#maxBytes) this.truncated = true;
  }

  sorted(scope: AttributeScope): string[] {
    return sortedTexts(this.#names.get(scope) ?? []);
  }
}

/** A key in a message. */
export function keyText(bytes: Uint8Array, from: number, to: number): string {
  return utf8Decode(bytes.subarray(from, to));
}
