/** Where a listener binds. */
export interface Endpoint {
  /** A name or address; IPv6 without brackets. */
  host: string;
  /** 0 picks a free one. */
  port: number;
}

/** `host:port`, IPv6 as `[::1]:4317`, an empty host as every interface; undefined when it is none. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^[\]:/@\s]*)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const port = Number(match[3]);
  if (port > 65_535) return undefined;
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? '0.0.0.0' : host, port };
}

/** The text that `parseEndpoint` reads back. */
export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
