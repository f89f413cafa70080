import type { AnyRequest, AnyResponse } from '@vivace/http';
import type { Context } from 'hono';

// A `Response` of the platform makes a stream of every body, and the adapter reads that again, chunk by chunk. A body
// that is at hand is written to the connection as it is.

const bodies = new WeakMap<Response, Uint8Array>();

/** Whether the request came over a connection, where `sendWhole` writes the answer. */
export function isConnected(c: Context): boolean {
  return (c.env as { outgoing?: AnyResponse } | undefined)?.outgoing !== undefined;
}

/** Whether the request came from this machine. */
export function isNear(c: Context): boolean {
  const address = (c.env as { incoming?: AnyRequest } | undefined)?.incoming?.socket.remoteAddress;
  return address !== undefined && /^(::ffff:)?127\.|^::1$/.test(address);
}

/** An answer of status 200 for `sendWhole`: anyone else sees one without a body. */
export function wholeResponse(body: Uint8Array, headers: Headers): Response {
  const response = new Response(null, { headers });
  bodies.set(response, body);
  return response;
}

/** Writes what `wholeResponse` made, with the headers that it has by now; false for any other response. */
export function sendWhole(response: Response, outgoing: AnyResponse): boolean {
  const body = bodies.get(response);
  if (body === undefined) return false;
  for (const [name, value] of response.headers) outgoing.setHeader(name, value);
  outgoing.statusCode = response.status;
  // Node writes the headers along with the body.
  (outgoing.end as (body: Uint8Array) => void).call(outgoing, body);
  return true;
}
