import type { Source } from './source.ts';

/** What went wrong with one source: the answer can be had without it. */
export class SourceFailure extends Error {
  readonly source: string;

  constructor(source: string, cause: unknown) {
    super(`${source} cannot be read`, { cause });
    this.source = source;
  }
}

/** What fails is the source's failure, but for the end of the query. */
export async function atSource<T>({ id }: Pick<Source, 'id'>, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw signal.aborted ? error : new SourceFailure(id, error);
  }
}
