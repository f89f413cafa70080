import type { ChannelTls } from '@vivace/http';
import type { Clock } from '@vivace/kernel';

export interface ChannelPoolOptions<Channel> {
  /** Makes a channel: of gRPC for pushes, of calls for all else. */
  open: (options: OpenOptions) => Channel;
  clock: Clock;
  tls?: ChannelTls | undefined;
}

interface OpenOptions {
  host: string;
  port: number;
  clock: Clock;
  tls: ChannelTls | undefined;
}

/** A place to call; `serverName` is the name in its certificate where that is not the host. */
export interface Callee {
  address: string;
  host: string;
  port: number;
  serverName?: string;
}

/** One channel for each address. Closes those of addresses that are nobody's any more. */
export class ChannelPool<Channel extends { close(): void }> {
  readonly #options: ChannelPoolOptions<Channel>;
  readonly #channels = new Map<string, Channel>();

  constructor(options: ChannelPoolOptions<Channel>) {
    this.#options = options;
  }

  get(callee: Callee): Channel {
    const { open, clock, tls } = this.#options;
    let channel = this.#channels.get(callee.address);
    if (channel === undefined) {
      const serverName = tls?.serverName ?? callee.serverName;
      channel = open({
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
