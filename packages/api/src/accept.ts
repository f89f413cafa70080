import type { Context } from 'hono';

export const PROTOBUF = 'application/protobuf';
export const JSON_TYPE = 'application/json';

/** Whether a client asks for protobuf. Tempo looks for its name anywhere in the header, and clients count on that. */
export function wantsProtobuf(c: Context): boolean {
  return c.req.header('accept')?.includes(PROTOBUF) === true;
}
