/** A process that can be called. */
export interface Member {
  /** `host:port`, IPv6 in brackets: what tells it from others. */
  address: string;
  host: string;
  port: number;
  /** The name that its certificate has, where the host is an address that was looked up. */
  serverName?: string;
}

/** Where members come from: one that is named, or all that a name of DNS has. */
export type Source =
  | { kind: 'static'; host: string; port: number }
  | { kind: 'a'; name: string; port: number }
  | { kind: 'srv'; name: string };

const HOST_PORT = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/;

/** `host:port`, `dns+a://name:port` or `dns+srv://name`; undefined when it is none. */
export function parseSource(text: string): Source | undefined {
  const srv = /^dns\+srv:\/\/([\w.-]+)$/.exec(text);
  if (srv !== null) return { kind: 'srv', name: srv[1] as string };
  const looksUp = text.startsWith('dns+a://');
  const match = HOST_PORT.exec(looksUp ? text.slice('dns+a://'.length) : text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port === 0 || port > 65_535) return undefined;
  const host = (match[1] ?? match[2]) as string;
  return looksUp ? { kind: 'a', name: host, port } : { kind: 'static', host, port };
}

export function memberAt(host: string, port: number, serverName?: string): Member {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return { address, host, port, ...(serverName !== undefined && { serverName }) };
}
