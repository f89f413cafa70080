import { checkTenant, VivaceError } from '@vivace/kernel';
import type { Call, CallMethod } from './calls/serve-calls.ts';
import {
  HEAD_ROWS,
  HEAD_TRACE,
  type HeadChunk,
  type HeadsAnswer,
  type HeadsRequest,
  type HeadTraceAnswer,
  type HeadTraceRequest,
  MAX_KNOWN_CHUNKS,
} from './heads-messages.ts';
import { decodeParcel, encodeParcel } from './parcel.ts';

/** What an ingester has for queriers. */
export interface HeadsServing {
  rows(request: HeadsRequest, signal: AbortSignal): Promise<{ answer: HeadsAnswer; chunks: HeadChunk[] }>;
  trace(tenant: string, id: Uint8Array, signal: AbortSignal): Promise<HeadTraceAnswer>;
}

/** The service Heads of proto/parcel.proto. */
export function headsMethods(heads: HeadsServing): Map<string, CallMethod> {
  return new Map([
    [
      HEAD_ROWS,
      async ({ message, signal, send }: Call) => {
        const request = decodeParcel(message) as HeadsRequest;
        const { have, time } = request;
        checkTenant(request.tenant);
        if (!Array.isArray(have) || have.length > MAX_KNOWN_CHUNKS) throw badRequest();
        const isTime = typeof time?.startUnixNano === 'bigint' && typeof time.endUnixNano === 'bigint';
        if (time !== undefined && !isTime) throw badRequest();
        const { answer, chunks } = await heads.rows(request, signal);
        await send(encodeParcel(answer));
        for (const chunk of chunks) await send(encodeParcel(chunk));
      },
    ],
    [
      HEAD_TRACE,
      async ({ message, signal, send }: Call) => {
        const { tenant, id } = decodeParcel(message) as HeadTraceRequest;
        checkTenant(tenant);
        if (!(id instanceof Uint8Array) || id.length !== 16) throw badRequest();
        await send(encodeParcel(await heads.trace(tenant, id, signal)));
      },
    ],
  ]);
}

function badRequest(): VivaceError {
  return new VivaceError('invalid', 'heads-request', 'the request for rows of heads is not one of ours');
}
