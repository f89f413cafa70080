import { layoutObjects, SECTION_NAMES, SECTION_OBJECTS, type SectionName, type SectionPlace } from '@vivace/block';
import { freeMemory } from '@vivace/kernel';
import { type BlockEntry, blockKey } from '@vivace/manifest';
import type { ObjectStore } from '@vivace/object-store';
import { ObjectWriter } from './object-writer.ts';

export interface BlockOutputOptions {
  store: ObjectStore;
  tenant: string;
  id: string;
  /** Smaller blocks are one object. */
  singleObjectMaxBytes: number;
  signal: AbortSignal;
}

/**
 * A block on its way into the store, as sections in any order. It is held back until it is clear that it does not fit
 * into one object; from then on each section is written as it comes, some MiB at a time.
 */
export class BlockOutput {
  readonly #options: BlockOutputOptions;
  readonly #held: Record<SectionName, Uint8Array[]>;
  #heldBytes = 0;
  #writers: Record<SectionName, ObjectWriter> | undefined;
  /** Writes one after another. */
  #tail: Promise<void> = Promise.resolve();

  constructor(options: BlockOutputOptions) {
    this.#options = options;
    this.#held = mapSections(() => []);
  }

  get id(): string {
    return this.#options.id;
  }

  /** Resolves when more may come. The bytes are handed over: their memory is given back when they are written. */
  write(section: SectionName, bytes: Uint8Array): Promise<void> {
    this.#tail = this.#tail.then(() => this.#write(section, bytes));
    return this.#tail;
  }

  /** Where the sections are. */
  async finish(): Promise<BlockEntry['sections']> {
    await this.#tail;
    const { store, tenant, id, singleObjectMaxBytes, signal } = this.#options;
    if (this.#writers !== undefined) {
      const sections: Partial<Record<SectionName, SectionPlace>> = {};
      for (const name of SECTION_NAMES) {
        const writer = this.#writers[name];
        await writer.finish();
        sections[name] = { object: SECTION_OBJECTS[name], offset: 0, length: writer.length };
      }
      return sections as BlockEntry['sections'];
    }
    const { objects, sections } = layoutObjects({ sections: this.#held }, singleObjectMaxBytes);
    for (const { name, parts } of objects) {
      await store.put(blockKey(tenant, id, name), parts, { signal });
      for (const part of parts) freeMemory(part);
    }
    return sections;
  }

  /** Deletes what was written; what stays is found by the sweep. */
  async abort(): Promise<void> {
    await this.#tail.catch(() => undefined);
    for (const writer of Object.values(this.#writers ?? {})) await writer.abort();
  }

  async #write(section: SectionName, bytes: Uint8Array): Promise<void> {
    if (this.#writers !== undefined) return this.#writers[section].write(bytes);
    this.#held[section].push(bytes);
    this.#heldBytes += bytes.length;
    const { store, tenant, id, singleObjectMaxBytes, signal } = this.#options;
    if (this.#heldBytes <= singleObjectMaxBytes) return;
    const writers = mapSections((name) => {
      return new ObjectWriter({ store, key: blockKey(tenant, id, SECTION_OBJECTS[name]), signal });
    });
    this.#writers = writers;
    for (const name of SECTION_NAMES) {
      for (const part of this.#held[name].splice(0)) await writers[name].write(part);
    }
  }
}

function mapSections<T>(make: (name: SectionName) => T): Record<SectionName, T> {
  return Object.fromEntries(SECTION_NAMES.map((name) => [name, make(name)])) as Record<SectionName, T>;
}
