import type { Dictionary } from './dictionary.ts';
import { Fragment } from './fragment.ts';
import { type Source, sourceOf } from './source.ts';

// Hot path, see columnize.ts.

/**
 * The fields of ResourceSpans or ScopeSpans besides what they hold, as they came: resource or scope, and schema_url.
 * Nearly always they lie side by side, and are read where they are.
 */
export class Owner {
  hasSchemaUrl = false;
  #source: Source = sourceOf(new Uint8Array(0));
  #from = 0;
  #to = 0;
  /** Those that lie apart, one after the other. */
  readonly #joined = new Fragment();

  /** From here on it is that of another message of `source`. */
  begin(source: Source): void {
    this.hasSchemaUrl = false;
    this.#source = source;
    this.#from = 0;
    this.#to = 0;
    this.#joined.clear();
  }

  /** The field at `[from, to)`. */
  add(from: number, to: number): void {
    const { bytes } = this.#source;
    if (this.#joined.length > 0) this.#joined.addRaw(bytes, from, to);
    else if (this.#to === from || this.#to === 0) {
      if (this.#to === 0) this.#from = from;
      this.#to = to;
    } else {
      this.#joined.addRaw(bytes, this.#from, this.#to);
      this.#joined.addRaw(bytes, from, to);
    }
  }

  /** Its code in a dictionary; undefined, and nothing added, where it is new and `isSound` does not hold. */
  internIn(dictionary: Dictionary, isSound: (source: Source, from: number, to: number) => boolean): number | undefined {
    const apart = this.#joined.length > 0;
    const source = apart ? this.#joined.source : this.#source;
    const from = apart ? 0 : this.#from;
    const to = apart ? this.#joined.length : this.#to;
    const known = dictionary.count;
    const code = dictionary.intern(source, from, to);
    if (dictionary.count === known || isSound(source, from, to)) return code;
    dictionary.removeLast();
    return undefined;
  }
}
