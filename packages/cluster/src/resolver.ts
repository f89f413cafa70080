import dns from 'node:dns/promises';

/** DNS is a parameter. Both reject when there is no answer. */
export interface Resolver {
  /** Addresses of a name, of IPv4 and IPv6. */
  addresses(name: string): Promise<string[]>;
  /** Hosts and ports of a service (RFC 2782). */
  services(name: string): Promise<{ name: string; port: number }[]>;
}

/** That of the system: names of /etc/hosts too. */
export const systemResolver: Resolver = {
  addresses: async (name) => (await dns.lookup(name, { all: true })).map(({ address }) => address),
  services: (name) => dns.resolveSrv(name),
};
