import { isKind } from '@vivace/kernel';
/** What went wrong with one source: the answer can be had without it. */
export class SourceFailure extends Error {
  readonly source: string;

  constructor(source: string, cause: unknown) {
    super(`${source} cannot be read`, { cause });
    this.source = source;
  }
}

/** An error as the failure of a source, unless it is that of one already. */
export function failureOf(source: string, error: unknown): SourceFailure {
  return error instanceof SourceFailure ? error : new SourceFailure(source, error);
}

/** What fails is the source's failure, but for the end of the query. */
export async function atSource<T>(
  { id }: { readonly id: string },
  signal: AbortSignal,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw signal.aborted ? error : failureOf(id, error);
  }
}

/** Bytes of the source that are not what their format says are its failure, wherever in a query they are read. */
export function readFrom<T>(source: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw isKind(error, 'data') ? failureOf(source, error) : error;
  }
}
