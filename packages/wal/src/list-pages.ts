import type { ListPage, ObjectStore } from '@vivace/object-store';

/** All pages of a list after the key `first`, one after another. */
export async function* listPages(
  store: ObjectStore,
  prefix: string,
  signal?: AbortSignal,
  first = '',
): AsyncGenerator<ListPage> {
  for (let after: string | undefined = first; after !== undefined; ) {
    const page: ListPage = await store.list(prefix, signal === undefined ? { after } : { after, signal });
    yield page;
    after = page.next;
  }
}
