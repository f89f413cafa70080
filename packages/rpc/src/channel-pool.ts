import { type ChannelTls, createGrpcChannel, type GrpcChannel } from '@vivace/http';
import type { Clock } from '@vivace/kernel';

export interface ChannelPoolOptions {
  clock: Clock;
  tls?: ChannelTls | undefined;
}

/** A place to call; `serverName` is the name in its certificate where that is not the host. */
export interface Callee {
  address: string;
  host: string;
  port: number;
  serverName?: string;
}

/** One channel for each address. Closes those of addresses that are nobody's any more. */
export class ChannelPool {
  readonly #options: ChannelPoolOptions;
  readonly #channels = new Map<string, GrpcChannel>();

  constructor(options: ChannelPoolOptions) {
    this.#options = options;
  }

  get(callee: Callee): GrpcChannel {
    const { clock, tls } = this.#options;
    let channel = this.#channels.get(callee.address);
    if (channel === undefined) {
      const serverName = tls?.serverName ?? callee.serverName;
      channel = createGrpcChannel({
        host: callee.host,
        port: callee.port,
        clock,
        tls: tls && { ...tls, ...(serverName !== undefined && { serverName }) },
      });
      this.#channels.set(callee.address, channel);
    }
    return channel;
  }

  keepOnly(addresses: readonly string[]): void {
    for (const [address, channel] of this.#channels) {
      if (addresses.includes(address)) continue;
      this.#channels.delete(address);
      channel.close();
    }
  }

  close(): void {
    this.keepOnly([]);
  }
}
