import type { IncomingHttpHeaders } from 'node:http';

/**
 * Cross-origin requests (fetch.spec.whatwg.org, section 3.2), for browsers that send their own traces. Allowed
 * origins are exact, `*`, or have one `*` in them, as `https://*.example.com`.
 */
export interface Cors {
  /** The headers of an answer to this origin; undefined if there is none or it is not allowed. */
  answer(origin: string | undefined): Record<string, string> | undefined;
  /** The headers of an answer to a preflight request from an allowed origin. */
  preflight(headers: IncomingHttpHeaders): Record<string, string> | undefined;
}

export function createCors(allowedOrigins: readonly string[]): Cors {
  const patterns = allowedOrigins.map((origin) => origin.toLowerCase().split('*'));
  const allowed = (origin: string) => {
    const lower = origin.toLowerCase();
    return patterns.some(([head = '', tail]) =>
      tail === undefined
        ? lower === head
        : lower.length >= head.length + tail.length && lower.startsWith(head) && lower.endsWith(tail),
    );
  };
  const answer = (origin: string | undefined) =>
    origin === undefined || !allowed(origin)
      ? undefined
      : { 'access-control-allow-origin': origin, 'access-control-expose-headers': 'Retry-After', vary: 'Origin' };
  return {
    answer,
    preflight: (headers) => {
      const base = answer(headers.origin);
      if (base === undefined || headers['access-control-request-method'] === undefined) return undefined;
      return {
        ...base,
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': headers['access-control-request-headers'] ?? 'Content-Type',
        'access-control-max-age': '7200',
      };
    },
  };
}
