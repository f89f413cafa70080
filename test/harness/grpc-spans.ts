import * as grpc from '@grpc/grpc-js';
import type { Sent } from './span-load.ts';

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** Sends spans by OTLP over gRPC with the library that Collectors use, one connection an address. */
export class GrpcSender {
  readonly #clients = new Map<string, grpc.Client>();

  /** As `postSpans` has it: whom it is sent to refuses it for a while, or nobody knows. Throws for any other answer. */
  async send(address: string, tenant: string, body: Uint8Array, signal: AbortSignal): Promise<Sent> {
    const metadata = new grpc.Metadata();
    metadata.set('x-scope-orgid', tenant);
    try {
      const answer = await this.#call(this.#client(address), Buffer.from(body), metadata, signal);
      if (answer.length > 0) throw new Error(`spans were rejected: ${answer.toString('latin1')}`);
      return 'taken';
    } catch (error) {
      const { code, details } = error as Partial<grpc.ServiceError>;
      if (code === grpc.status.RESOURCE_EXHAUSTED) return 'again';
      // What the server says and what the library says of one that is gone have the same code.
      if (code === grpc.status.UNAVAILABLE) return details?.includes('try again') === true ? 'again' : 'gone';
      if (code === grpc.status.CANCELLED || code === grpc.status.DEADLINE_EXCEEDED) return 'gone';
      throw error;
    }
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #client(address: string): grpc.Client {
    let client = this.#clients.get(address);
    if (client === undefined) {
      client = new grpc.Client(address, grpc.credentials.createInsecure(), { 'grpc.max_reconnect_backoff_ms': 1000 });
      this.#clients.set(address, client);
    }
    return client;
  }

  #call(client: grpc.Client, body: Buffer, metadata: grpc.Metadata, signal: AbortSignal): Promise<Buffer> {
    const same = (bytes: Buffer) => bytes;
    return new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest(EXPORT, same, same, body, metadata, (error, answer) => {
        signal.removeEventListener('abort', cancel);
        if (error === null) resolve(answer as Buffer);
        else reject(error);
      });
      const cancel = () => call.cancel();
      signal.addEventListener('abort', cancel, { once: true });
    });
  }
}
