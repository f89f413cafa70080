import { VivaceError } from '@vivace/kernel';

/** An answer of the API. */
export interface ReadAnswer {
  status: number;
  headers: Headers;
  body: unknown;
}

/** Asks for a path of the API, such as `/api/search?q={}`. */
export type ReadClient = (path: string) => Promise<ReadAnswer>;

/** What every request carries. */
export function headersOf(flags: ReadonlyMap<string, string>): Record<string, string> {
  const tenant = flags.get('tenant');
  return { Accept: 'application/json', ...(tenant !== undefined && { 'X-Scope-OrgID': tenant }) };
}

/** Throws what the API answers instead of a result, in its words. */
export async function answerOf(response: Response): Promise<ReadAnswer> {
  const text = await response.text();
  if (!response.ok) {
    const kind = response.status === 400 ? 'invalid' : response.status === 404 ? 'not-found' : 'unavailable';
    throw new VivaceError(
      kind,
      'answer',
      text.trim() === '' ? `the answer has status ${response.status}` : text.trim(),
    );
  }
  try {
    return { status: response.status, headers: response.headers, body: JSON.parse(text) as unknown };
  } catch (error) {
    throw new VivaceError('unavailable', 'answer', 'the answer is no JSON: is this the HTTP API of Vivace or Tempo?', {
      cause: error,
    });
  }
}
